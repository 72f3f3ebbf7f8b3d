//! A cache within one process. There it spares nothing that [`Near`](crate::cache::Near) does not; it is the reference.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rustc_hash::FxHashMap;
use tokio::sync::broadcast;

use crate::{
    domain::Timestamp,
    ports::{Cache, CacheKey, Clock, Forgotten, LEASE_LASTS, Lease, Look},
    sync::{Mutex, lock},
};

/// How many keys a listener may fall behind.
const LAG: usize = 1024;

/// A cache in memory.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots>,
    told: broadcast::Sender<Forgotten>,
}

#[derive(Default)]
struct Slots {
    slots: FxHashMap<CacheKey, (Slot, Timestamp)>,
    leases: u64,
}

/// What there is under a key, until some time.
enum Slot {
    Leased(Lease),
    Filled(Vec<u8>),
}

impl MemoryCache {
    /// A cache whose values end by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, slots: Mutex::default(), told: broadcast::Sender::new(LAG) }
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn look(&self, key: &CacheKey) -> Look {
        let now = self.clock.now();
        let mut slots = lock(&self.slots);
        match slots.slots.get(key).filter(|(_, until)| now < *until) {
            Some((Slot::Filled(value), _)) => Look::Hit(value.clone()),
            Some((Slot::Leased(lease), _)) => Look::Miss(Some(*lease)),
            None => {
                slots.leases += 1;
                let lease = Lease(slots.leases);
                slots.slots.insert(key.clone(), (Slot::Leased(lease), now + LEASE_LASTS));
                Look::Miss(Some(lease))
            }
        }
    }

    async fn fill(&self, key: &CacheKey, lease: Lease, value: &[u8], ttl: Duration) {
        let now = self.clock.now();
        let mut slots = lock(&self.slots);
        let Some((slot, until)) = slots.slots.get_mut(key) else { return };
        if now < *until && matches!(slot, Slot::Leased(given) if *given == lease) {
            (*slot, *until) = (Slot::Filled(value.to_vec()), now + ttl);
        }
    }

    async fn forget(&self, keys: &[CacheKey]) {
        for key in keys {
            lock(&self.slots).slots.remove(key);
            // Nobody may be listening.
            let _ = self.told.send(Forgotten::Key(key.clone()));
        }
    }

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.told.subscribe()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{memory::ManualClock, sync::ready};

    const INSTANT: Duration = Duration::from_micros(1);

    /// The key, the clock and the cache over it, and a lease of the key.
    fn leased() -> (CacheKey, Arc<ManualClock>, MemoryCache, Lease) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let (key, cache) = (CacheKey::new("test", 1), MemoryCache::new(clock.clone()));
        let Look::Miss(Some(lease)) = ready(cache.look(&key)) else { panic!("nothing is there") };
        (key, clock, cache, lease)
    }

    #[test]
    fn a_value_is_there_until_it_ends_and_not_then() {
        let (key, clock, cache, lease) = leased();
        let ttl = Duration::from_secs(7);
        ready(cache.fill(&key, lease, b"value", ttl));
        clock.advance(ttl.saturating_sub(INSTANT));
        assert_eq!(ready(cache.look(&key)), Look::Hit(b"value".to_vec()));
        clock.advance(INSTANT);
        assert!(matches!(ready(cache.look(&key)), Look::Miss(Some(_))));
    }

    #[test]
    fn a_lease_is_good_until_it_ends_and_not_then() {
        for (late, filled) in [(INSTANT, true), (Duration::ZERO, false)] {
            let (key, clock, cache, lease) = leased();
            clock.advance(LEASE_LASTS.saturating_sub(late));
            ready(cache.fill(&key, lease, b"value", LEASE_LASTS));
            assert_eq!(matches!(ready(cache.look(&key)), Look::Hit(_)), filled);
        }
    }
}
