use std::{fmt, time::Duration};

use async_trait::async_trait;
use tokio::sync::broadcast;

/// Keeps copies of what the store says where all instances find them.
///
/// A cache decides nothing, and whoever asks it can do without: everything in it may be lost at any moment, and while it is away all is
/// missing. Nor is it believed: what comes out of it is looked at by [`Far`](crate::cache::Far), which knows what it has put in.
///
/// # Contract
/// - **Nothing old after it was forgotten.** What is filled in under a lease is there only if the key has not been forgotten since the
///   lease was given, by anybody. So a slow reader of the store never puts back what a writer has just changed.
/// - **For its time.** A value is there no longer than it was said to be.
/// - **Everybody is told.** Whoever listens is told of each key that anybody forgets, after it is gone; and to forget everything, where
///   something may have been missed.
/// - **A key that could not be forgotten is missing** for whoever tried, until it is.
/// - **In time.** An answer comes within a fraction of a second.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What is kept under a key, or leave to fill it in.
    async fn look(&self, key: &CacheKey) -> Look;

    /// Fills a value in for so long.
    async fn fill(&self, key: &CacheKey, lease: Lease, value: &[u8], ttl: Duration);

    /// Forgets keys, and tells everybody.
    async fn forget(&self, keys: &[CacheKey]);

    /// What is forgotten from now on.
    fn forgotten(&self) -> broadcast::Receiver<Forgotten>;
}

/// What there is under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A value.
    Hit(Vec<u8>),
    /// Nothing. With the lease a value may be filled in; there is none while the cache is away.
    Miss(Option<Lease>),
}

/// Leave to fill a value in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(pub u64);

/// A lease is good for this long. Who takes longer to read the store fills nothing in.
pub const LEASE_LASTS: Duration = Duration::from_secs(10);

/// Something that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    /// A key.
    Key(CacheKey),
    /// Possibly all of them.
    Everything,
}

/// Names a value: the cache that it belongs to, and its id there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    text: String,
    /// How much of the text names the cache.
    cache: usize,
}

impl CacheKey {
    /// The key of `id` in the cache of this name, which is without colons.
    pub fn new(cache: &str, id: impl fmt::Display) -> Self {
        Self { text: format!("{cache}:{id}"), cache: cache.len() }
    }

    /// The key of this text; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once(':').map(|(cache, id)| Self::new(cache, id))
    }

    /// The name of the cache.
    pub fn cache(&self) -> &str {
        &self.text[..self.cache]
    }

    /// The id in the cache.
    pub fn id(&self) -> &str {
        &self.text[self.cache + 1..]
    }

    /// Both, with a colon in between.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = CacheKey::new("event", "a:b");
        assert_eq!((key.cache(), key.id(), CacheKey::parse(key.as_str())), ("event", "a:b", Some(key.clone())));
        assert_eq!(CacheKey::parse("event"), None);
    }
}
