//! A cache that is away, or keeps what it was told to forget.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    memory::MemoryCache,
    ports::{Cache, CacheKey, Clock, Forgotten, Lease, Look},
};
use tokio::sync::broadcast;

use super::{faults::Fault, world::World};

/// The cache that all instances share.
pub(super) struct FaultyCache(MemoryCache);

impl FaultyCache {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(MemoryCache::new(clock))
    }
}

/// The cache as an instance reaches it.
pub(super) struct ReachedCache(pub Arc<World>);

#[async_trait]
impl Cache for ReachedCache {
    async fn look(&self, key: &CacheKey) -> Look {
        if self.0.strikes(Fault::CacheAway) { Look::Miss(None) } else { self.0.cache.0.look(key).await }
    }

    async fn fill(&self, key: &CacheKey, lease: Lease, value: &[u8], ttl: std::time::Duration) {
        if !self.0.strikes(Fault::CacheAway) {
            self.0.cache.0.fill(key, lease, value, ttl).await;
        }
    }

    async fn forget(&self, keys: &[CacheKey]) {
        if !self.0.strikes(Fault::CacheStale) {
            self.0.cache.0.forget(keys).await;
        }
    }

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.0.cache.0.forgotten()
    }
}
