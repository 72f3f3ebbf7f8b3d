//! Copies of what the store says, so that it is not asked the same again and again.
//!
//! [`Near`] keeps values in this process, and of many who ask for the same at the same time lets one load it. [`Far`] keeps them where
//! all instances find them, in whatever implements [`Cache`]. What is read most has both: near, then far, then the store.
//!
//! Nothing here decides anything. What a cache says is for looking at; whatever is decided, and whatever an account reads of its own, is
//! read from the store.

mod counts;
mod far;
mod near;
mod seal;

use std::{sync::Arc, time::Duration};

pub use counts::CacheCounts;
pub use far::{Far, Told};
pub use near::{Mark, Near};
pub use seal::Seal;

use self::counts::Counts;
use crate::{
    ports::{Cache, Clock},
    sync::{Mutex, lock},
};

/// Makes the caches of one process, and counts what they are good for.
#[derive(Clone)]
pub struct Caches {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    shared: Option<Shared>,
    counts: Mutex<Vec<Arc<Counts>>>,
}

/// Where all instances find values, and how they know them for their own.
#[derive(Clone)]
struct Shared {
    cache: Arc<dyn Cache>,
    seal: Seal,
}

impl Caches {
    /// Caches of a process that shares none.
    pub fn local(clock: Arc<dyn Clock>) -> Self {
        Self::over(clock, None)
    }

    /// Caches of a process that shares `cache` with others who seal alike.
    pub fn shared(clock: Arc<dyn Clock>, cache: Arc<dyn Cache>, seal: Seal) -> Self {
        Self::over(clock, Some(Shared { cache, seal }))
    }

    fn over(clock: Arc<dyn Clock>, shared: Option<Shared>) -> Self {
        Self { inner: Arc::new(Inner { clock, shared, counts: Mutex::default() }) }
    }

    /// Whether there is a cache that is shared.
    pub fn is_shared(&self) -> bool {
        self.inner.shared.is_some()
    }

    /// A cache in this process, of at most so many values, each for at most so long.
    pub fn near<K, V, E>(&self, name: &'static str, ttl: Duration, most: usize) -> Near<K, V, E> {
        Near::new(Arc::clone(&self.inner.clock), ttl, most, self.counted(name, "near"))
    }

    /// A cache that all instances share, of values that each last for at most so long.
    pub fn far<T>(&self, name: &'static str, ttl: Duration) -> Far<T> {
        Far::new(self.inner.shared.clone(), Arc::clone(&self.inner.clock), name, ttl, self.counted(name, "far"))
    }

    /// What is forgotten by anybody, from now on.
    pub fn told(&self) -> Told {
        Told::new(self.inner.shared.as_ref().map(|shared| shared.cache.forgotten()))
    }

    fn counted(&self, name: &'static str, level: &'static str) -> Arc<Counts> {
        let counts = Arc::new(Counts::new(name, level));
        lock(&self.inner.counts).push(Arc::clone(&counts));
        counts
    }

    /// What each cache was good for so far.
    pub fn counts(&self) -> Vec<CacheCounts> {
        lock(&self.inner.counts).iter().map(|counts| counts.read()).collect()
    }
}

/// A time to live that differs from key to key by up to a tenth, so that what was kept at the same moment does not end at the same moment.
fn spread(ttl: Duration, key: &impl std::hash::Hash) -> Duration {
    use std::hash::BuildHasher;

    let part = rustc_hash::FxBuildHasher.hash_one(key) >> 32;
    let tenth = u64::try_from(ttl.as_micros() / 10).unwrap_or(u64::MAX);
    let shorter = u64::try_from((u128::from(tenth) * u128::from(part)) >> 32).unwrap_or(0);
    ttl.saturating_sub(Duration::from_micros(shorter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_together_does_not_end_together() {
        let ttl = Duration::from_mins(5);
        let mut ends = (0..1000_u32).map(|key| spread(ttl, &key)).collect::<Vec<_>>();
        assert!(ends.iter().all(|end| (ttl * 9 / 10..=ttl).contains(end)));
        ends.sort_unstable();
        ends.dedup();
        assert!(ends.len() > 900, "{}", ends.len());
        assert_eq!(spread(Duration::ZERO, &1), Duration::ZERO);
    }
}
