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
