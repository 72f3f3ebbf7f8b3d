//! Token buckets that all instances share.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::Timestamp,
    ports::{RateLimit, RateLimits},
    rate::{LocalRateLimits, Verdict},
};
use redis::Script;

use crate::{keys, link::Redis};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/take.lua")));
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/give_back.lua")));

/// Limits for all instances together. While Redis is away each instance counts for itself, beginning with full buckets.
///
/// The time is that of whoever asks, to the millisecond; instances whose clocks differ are as generous as the one that is ahead, and no
/// more. A bucket is the key `evently:rate:{name:key}`.
pub struct RedisRateLimits {
    redis: Redis,
}

impl RedisRateLimits {
    /// Limits over this connection.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }
}

impl RateLimits for RedisRateLimits {
    fn limit(&self, name: &'static str, permits: u32, per: Duration) -> Arc<dyn RateLimit> {
        // Their product, and the time, are exact as doubles.
        let (permits, per_ms) = (permits.clamp(1, 1 << 20), u64::try_from(per.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 32));
        let local = LocalRateLimits.limit(name, permits, per);
        Arc::new(Shared { redis: self.redis.clone(), local, name, permits, per_ms })
    }
}

struct Shared {
    redis: Redis,
    /// For when Redis is away.
    local: Arc<dyn RateLimit>,
    name: &'static str,
    permits: u32,
    per_ms: u64,
}

#[async_trait]
impl RateLimit for Shared {
    async fn take(&self, key: &str, now: Timestamp) -> Verdict {
        let mut script = TAKE.prepare_invoke();
        script.key(self.redis.key(keys::rate(self.name, key))).arg(self.permits).arg(self.per_ms);
        script.arg(now.as_micros().div_euclid(1000).max(0));
        match self.redis.script("take", &script).await {
            Ok((allowed, parts)) => Verdict::of_parts(allowed, parts, self.permits, self.per_ms, Duration::from_millis),
            Err(_) => self.local.take(key, now).await,
        }
    }

    async fn give_back(&self, key: &str) {
        let mut script = GIVE_BACK.prepare_invoke();
        script.key(self.redis.key(keys::rate(self.name, key))).arg(self.per_ms).arg(u64::from(self.permits) * self.per_ms);
        if self.redis.script::<()>("give_back", &script).await.is_err() {
            self.local.give_back(key).await;
        }
    }
}
