//! What a Redis says: it may be wrong at any time, or somebody else's.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    cache::{Caches, Seal},
    domain::EventId,
    memory::ManualClock,
    ports::{Cache, CacheKey, Forgotten, Lease, Look},
};
use evently_redis::heard;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::{as_text, now};

const EVENT: EventId = EventId::from_uuid(Uuid::from_u128(7));

/// A value of the cache, a delta, or the state of an event, by the first byte.
pub fn redis(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'c', value)) => match heard::kept(value.to_vec()) {
            Look::Hit(kept) => assert!(value.ends_with(&kept)),
            Look::Miss(lease) => assert!(lease.is_some()),
        },
        Some((b'd', told)) => {
            let Some((_, changes)) = as_text(told).and_then(|told| heard::told(EVENT, told)) else { return };
            assert!(changes.iter().all(|change| change.event_id == EVENT));
        }
        Some((b's', wire)) => {
            let Some((map, deltas)) = heard::joined(EVENT, wire) else { return };
            assert_eq!(map.statuses().len(), map.versions().len());
            assert_eq!(map.counts().total as usize, map.statuses().len());
            assert!(deltas.last().is_none_or(|last| last.seq == map.seq()));
            let seats = deltas.iter().flat_map(|delta| &delta.changes);
            assert!(
                seats.clone().all(|change| (change.number as usize) < map.statuses().len()),
                "a delta of a seat that is none"
            );
        }
        _ => {}
    }
}

/// A cache that holds what it is told to, whatever the key.
struct Held(Mutex<Vec<u8>>, broadcast::Sender<Forgotten>);

#[async_trait]
impl Cache for Held {
    async fn look(&self, _: &CacheKey) -> Look {
        let held = self.0.lock().expect("nobody panics with it").clone();
        if held.is_empty() { Look::Miss(Some(Lease(1))) } else { Look::Hit(held) }
    }

    async fn fill(&self, _: &CacheKey, _: Lease, value: &[u8], _: Duration) {
        *self.0.lock().expect("nobody panics with it") = value.to_vec();
    }

    async fn forget(&self, _: &[CacheKey]) {
        self.0.lock().expect("nobody panics with it").clear();
    }

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.1.subscribe()
    }
}

/// A value is believed only as it was sealed. Two bytes say from where on the rest of the input is laid over a sealed value, or where it
/// stands alone.
pub fn seals(bytes: &[u8]) {
    let Some(([how, at], garbage)) = bytes.split_first_chunk::<2>() else { return };
    let held = Arc::new(Held(Mutex::default(), broadcast::Sender::new(1)));
    let clock = Arc::new(ManualClock::new(now()));
    let caches = Caches::shared(clock, held.clone(), Seal::new(b"a secret"));
    let far = caches.far::<Vec<u32>>("fuzz", Duration::from_mins(1));
    let loads = AtomicU32::new(0);
    let get = || {
        let load = || async {
            loads.fetch_add(1, Relaxed);
            Ok::<_, Infallible>(vec![1, 2, 3])
        };
        let Ok(value) = crate::block_on(far.get(7, load));
        assert_eq!(value, [1, 2, 3], "a value that nobody has put in");
    };
    get();
    let sealed = held.0.lock().expect("nobody panics with it").clone();
    let mut changed = if how % 2 == 0 { sealed.clone() } else { Vec::new() };
    let at = usize::from(*at).min(changed.len());
    changed.splice(at..(at + garbage.len()).min(changed.len()), garbage.iter().copied());
    let is_ours = changed == sealed;
    *held.0.lock().expect("nobody panics with it") = changed;
    get();
    assert_eq!(loads.load(Relaxed), if is_ours { 1 } else { 2 });
    // What could not be opened has given way to what can.
    get();
    assert_eq!(loads.load(Relaxed), if is_ours { 1 } else { 2 });
}
