use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{domain::Timestamp, rate::Verdict};

/// Where rates are limited: in this process, or for all instances together.
pub trait RateLimits: Send + Sync {
    /// The limit of this name: `permits` requests in each `per`, for each key. All who name it mean the same size. A million
    /// permits and twelve days are counted right; more may count as a little more than that.
    fn limit(&self, name: &'static str, permits: u32, per: Duration) -> Arc<dyn RateLimit>;
}

/// How often somebody may ask: a token bucket for each key.
///
/// # Contract
/// - **No window has more than its share.** In any time that is `per` times some factor there are at most `permits` times that factor, and
///   one bucketful.
/// - **As promised.** Who asks again after `retry_after` is let through, if nobody else takes it.
/// - **A clock that goes back gives nothing away.**
/// - **Always an answer.** Where what is shared is away, this process counts for itself.
#[async_trait]
pub trait RateLimit: Send + Sync {
    /// Takes one request out of the bucket of `key`, if there is one left in it.
    async fn take(&self, key: &str, now: Timestamp) -> Verdict;

    /// Puts a request back that was taken out, where it turns out not to count.
    async fn give_back(&self, key: &str);
}
