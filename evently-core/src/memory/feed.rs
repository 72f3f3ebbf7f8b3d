//! Seat maps at hand and what changes in them, within one process.

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::{collections::hash_map::Entry, sync::Arc};

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
    catalog: Arc<dyn Catalog>,
    topics: Mutex<Topics>,
    /// Where others number states as well, what keeps ours apart; another one for each map that is read.
    apart: Option<Mutex<u64>>,
}

type Topics = FxHashMap<EventId, Topic>;

enum Topic {
    /// The map is being read. What is published meanwhile may or may not be in it, and is taken in afterwards.
    Reading(Arc<Reading>, Vec<SeatChange>),
    Ready(SeatBoard),
}

/// A map that is read once, for a crowd before a new event.
struct Reading {
    /// Whoever reads it has the turn, and all others wait for that.
    turn: Turn,
    /// Why it could not be read. Those who waited get the same error, so that a store that is away is not asked by each of them in turn.
    failed: Mutex<Option<StoreError>>,
}

impl MemorySeatFeed {
    /// A feed over the events of `catalog`.
    pub fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, topics: Mutex::new(Topics::default()), apart: None }
    }

    /// The same in one of several processes that know nothing of each other's changes but what the catalog says: none takes a state of
    /// another for one of its own.
    pub fn beside_others(catalog: Arc<dyn Catalog>, random: u64) -> Self {
        Self { apart: Some(Mutex::new(random)), ..Self::new(catalog) }
    }

    /// Does `read` with the event's board; `None` if there is no such event.
    async fn with_board<T>(&self, event: EventId, read: impl Fn(&SeatBoard) -> T + Send) -> Result<Option<T>, StoreError> {
        if let Some(Topic::Ready(board)) = lock(&self.topics).get_mut(&event) {
            return Ok(Some(read(board.look())));
        }
        loop {
            let reading = Arc::new(Reading { turn: Turn::new(()), failed: Mutex::new(None) });
            // Nobody else knows of it yet, so that this does not wait.
            let _turn = reading.turn.lock().await;
            let others = match lock(&self.topics).entry(event) {
                Entry::Occupied(mut topic) => match topic.get_mut() {
                    Topic::Ready(board) => return Ok(Some(read(board.look()))),
                    Topic::Reading(others, _) => Some(Arc::clone(others)),
                },
                Entry::Vacant(topic) => {
                    topic.insert(Topic::Reading(Arc::clone(&reading), Vec::new()));
                    None
                }
            };
            if let Some(others) = others {
                let _over = others.turn.lock().await;
                match lock(&others.failed).clone() {
                    Some(error) => return Err(error),
                    // It is ready, or whoever read it has left.
                    None => continue,
                }
            }
            let _unfinished = Unfinished { topics: &self.topics, event, reading: &reading };
            let map = self.catalog.seat_map(event).await;
            let mut topics = lock(&self.topics);
            // All may have been let go of meanwhile, and this map with them.
            let Some(missed) = reading.end(&mut topics, event) else { continue };
            let map = map.inspect_err(|error| *lock(&reading.failed) = Some(error.clone()))?;
            let Some(map) = map else { return Ok(None) };
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

impl Reading {
    /// What was published meanwhile; `None` if the map was let go of, whether or not another one is being read.
    fn end(self: &Arc<Self>, topics: &mut Topics, event: EventId) -> Option<Vec<SeatChange>> {
        match topics.get_mut(&event)? {
            Topic::Reading(reading, missed) if Arc::ptr_eq(reading, self) => {
                let missed = std::mem::take(missed);
                topics.remove(&event);
                Some(missed)
            }
            Topic::Reading(..) | Topic::Ready(_) => None,
        }
    }
}

/// A map that is being read. Whoever asked for it may leave before it is there, and what is published would be kept for nobody.
struct Unfinished<'a> {
    topics: &'a Mutex<Topics>,
    event: EventId,
    reading: &'a Arc<Reading>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.reading.end(&mut lock(self.topics), self.event);
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
                Some(Topic::Reading(_, missed)) => missed.extend(changes),
                None => {}
            }
        }
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        self.with_board(event, |board| Arc::clone(board.map())).await
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
            Topic::Reading(..) => true,
            Topic::Ready(board) => !board.is_idle(),
        });
    }
}
