//! Seat maps at hand and what changes in them, within one process.

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use async_trait::async_trait;
use rustc_hash::FxHashMap;

use super::SeatBoard;
use crate::{
    domain::{EventId, SeatChange, SeatMap},
    ports::{Catalog, Elsewhere, SeatFeed, StoreError, Subscription},
    sync::{Mutex, Turn, lock},
};

/// A feed for one process. Maps are read from the catalog when they are first asked for.
pub struct MemorySeatFeed {
    catalog: std::sync::Arc<dyn Catalog>,
    topics: Mutex<Topics>,
    /// One map is read at a time, so that a crowd before a new event reads it once.
    reading: Turn,
    /// Where others number states as well, what keeps ours apart; another one for each map that is read.
    apart: Option<Mutex<u64>>,
}

type Topics = FxHashMap<EventId, Topic>;

enum Topic {
    /// The map is being read. What is published meanwhile may or may not be in it, and is taken in afterwards.
    Reading(Vec<SeatChange>),
    Ready(SeatBoard),
}

impl MemorySeatFeed {
    /// A feed over the events of `catalog`.
    pub fn new(catalog: std::sync::Arc<dyn Catalog>) -> Self {
        Self { catalog, topics: Mutex::new(Topics::default()), reading: Turn::new(()), apart: None }
    }

    /// The same in one of several processes that know nothing of each other's changes but what the catalog says: none takes a state of
    /// another for one of its own.
    pub fn beside_others(catalog: std::sync::Arc<dyn Catalog>, random: u64) -> Self {
        Self { apart: Some(Mutex::new(random)), ..Self::new(catalog) }
    }

    /// Does `read` with the event's board; `None` if there is no such event.
    async fn with_board<T>(&self, event: EventId, read: impl Fn(&SeatBoard) -> T + Send) -> Result<Option<T>, StoreError> {
        let ready = || match lock(&self.topics).get_mut(&event) {
            Some(Topic::Ready(board)) => Some(read(board.look())),
            Some(Topic::Reading(_)) | None => None,
        };
        if let Some(answer) = ready() {
            return Ok(Some(answer));
        }
        let _one_at_a_time = self.reading.lock().await;
        loop {
            if let Some(answer) = ready() {
                return Ok(Some(answer));
            }
            lock(&self.topics).insert(event, Topic::Reading(Vec::new()));
            let _unfinished = Unfinished { topics: &self.topics, event };
            let map = self.catalog.seat_map(event).await;
            let mut topics = lock(&self.topics);
            // All may have been let go of meanwhile, and this map with them.
            let Some(Topic::Reading(missed)) = topics.remove(&event) else { continue };
            let Some(map) = map? else { return Ok(None) };
            let mut board = SeatBoard::new(self.number(map));
            // Nobody looks yet, so that it is part of the first state.
            board.take_in(missed);
            let answer = read(&board);
            topics.insert(event, Topic::Ready(board));
            return Ok(Some(answer));
        }
    }

    fn number(&self, map: SeatMap) -> SeatMap {
        let Some(apart) = &self.apart else { return map };
        let mut random = lock(apart);
        // Far from the one before, and it takes long until it comes near one that was.
        *random = random.wrapping_add(GOLDEN);
        map.numbered_apart(*random)
    }
}

/// A map that is being read. Whoever asked for it may leave before it is there, and what is published would be kept for nobody.
struct Unfinished<'a> {
    topics: &'a Mutex<Topics>,
    event: EventId,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut topics = lock(self.topics);
        if matches!(topics.get(&self.event), Some(Topic::Reading(_))) {
            topics.remove(&self.event);
        }
    }
}

/// 2^64 divided by the golden ratio: of multiples of it, modulo 2^64, none is near another for as long as can be.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[async_trait]
impl SeatFeed for MemorySeatFeed {
    async fn publish(&self, changes: &[SeatChange]) {
        let mut topics = lock(&self.topics);
        // A batch is mostly of one event; its changes are published as one delta.
        let mut events = changes.iter().map(|change| change.event_id).collect::<Vec<_>>();
        events.sort_unstable();
        events.dedup();
        for event in events {
            let changes = changes.iter().filter(|change| change.event_id == event).copied();
            match topics.get_mut(&event) {
                Some(Topic::Ready(board)) => board.publish(changes),
                Some(Topic::Reading(missed)) => missed.extend(changes),
                None => {}
            }
        }
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<std::sync::Arc<SeatMap>>, StoreError> {
        self.with_board(event, |board| std::sync::Arc::clone(board.map())).await
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        self.with_board(event, |board| board.subscribe(since)).await
    }

    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError> {
        if *elsewhere == Elsewhere::AnotherRun {
            lock(&self.topics).clear();
            return Ok(());
        }
        let ready = {
            let mut topics = lock(&self.topics);
            // What is being read may be from before, and is read again.
            topics.retain(|event, topic| matches!(topic, Topic::Ready(_)) || !elsewhere.concerns(*event));
            topics.keys().copied().filter(|event| elsewhere.concerns(*event)).collect::<Vec<_>>()
        };
        for event in ready {
            let Some(fresh) = self.catalog.seat_map(event).await? else { continue };
            if let Some(Topic::Ready(board)) = lock(&self.topics).get_mut(&event) {
                let changes = board.map().changes_to(event, &fresh);
                board.publish(changes);
            }
        }
        Ok(())
    }

    fn let_go(&self) {
        lock(&self.topics).retain(|_, topic| match topic {
            Topic::Reading(_) => true,
            Topic::Ready(board) => !board.is_idle(),
        });
    }
}
