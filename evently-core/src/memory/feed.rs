//! Seat maps at hand and what changes in them, within one process.

#[cfg(all(test, loom))]
mod loom_tests;

use std::collections::VecDeque;

use async_trait::async_trait;
use rustc_hash::FxHashMap;
use tokio::sync::broadcast;

use crate::{
    domain::{EventId, SeatChange, SeatMap},
    ports::{Catalog, Delta, SeatFeed, StoreError, Subscription},
    sync::{Mutex, Turn, lock},
};

/// How many deltas of an event are kept for those who come back.
const KEPT: usize = 1024;
/// How many deltas a subscriber may fall behind.
const LAG: usize = 256;

/// A feed for one process. Maps are read from the catalog when they are first asked for.
pub struct MemorySeatFeed {
    catalog: std::sync::Arc<dyn Catalog>,
    topics: Mutex<Topics>,
    /// One map is read at a time, so that a crowd before a new event reads it once.
    reading: Turn,
}

type Topics = FxHashMap<EventId, Topic>;

enum Topic {
    /// The map is being read. What is published meanwhile may or may not be in it, and is taken in afterwards.
    Reading(Vec<SeatChange>),
    Ready(Board),
}

struct Board {
    map: std::sync::Arc<SeatMap>,
    kept: VecDeque<std::sync::Arc<Delta>>,
    deltas: broadcast::Sender<std::sync::Arc<Delta>>,
}

impl MemorySeatFeed {
    /// A feed over the events of `catalog`.
    pub fn new(catalog: std::sync::Arc<dyn Catalog>) -> Self {
        Self { catalog, topics: Mutex::new(Topics::default()), reading: Turn::new(()) }
    }

    /// Does `read` with the event's board; `None` if there is no such event.
    async fn with_board<T>(&self, event: EventId, read: impl Fn(&Board) -> T + Send) -> Result<Option<T>, StoreError> {
        if let Some(Topic::Ready(board)) = lock(&self.topics).get(&event) {
            return Ok(Some(read(board)));
        }
        let _one_at_a_time = self.reading.lock().await;
        if let Some(Topic::Ready(board)) = lock(&self.topics).get(&event) {
            return Ok(Some(read(board)));
        }
        lock(&self.topics).insert(event, Topic::Reading(Vec::new()));
        let map = self.catalog.seat_map(event).await;
        let mut topics = lock(&self.topics);
        let Some(Topic::Reading(missed)) = topics.remove(&event) else { unreachable!("only the reader of a map makes it ready") };
        let Some(map) = map? else { return Ok(None) };
        let board = Board::new(map, missed);
        let answer = read(&board);
        topics.insert(event, Topic::Ready(board));
        Ok(Some(answer))
    }
}

impl Board {
    fn new(mut map: SeatMap, missed: Vec<SeatChange>) -> Self {
        map.take_in(missed);
        Self { map: std::sync::Arc::new(map), kept: VecDeque::new(), deltas: broadcast::Sender::new(LAG) }
    }

    fn publish(&mut self, changes: impl Iterator<Item = SeatChange>) {
        let news = std::sync::Arc::make_mut(&mut self.map).take_in(changes);
        if news.is_empty() {
            return;
        }
        let delta = std::sync::Arc::new(Delta::new(self.map.seq(), news));
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(std::sync::Arc::clone(&delta));
        // Nobody may be listening.
        let _ = self.deltas.send(delta);
    }

    fn subscribe(&self, since: Option<u64>) -> Subscription {
        let now = self.map.seq();
        let oldest = now - self.kept.len() as u64;
        let known = since.filter(|since| (oldest..=now).contains(since));
        let missed = known.map_or_else(Vec::new, |since| self.kept.iter().filter(|delta| delta.seq > since).cloned().collect());
        let snapshot = known.is_none().then(|| std::sync::Arc::clone(&self.map));
        Subscription { snapshot, missed, deltas: self.deltas.subscribe() }
    }
}

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
        self.with_board(event, |board| std::sync::Arc::clone(&board.map)).await
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        self.with_board(event, |board| board.subscribe(since)).await
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let ready = lock(&self.topics)
            .iter()
            .filter_map(|(event, topic)| matches!(topic, Topic::Ready(_)).then_some(*event))
            .collect::<Vec<_>>();
        for event in ready {
            let Some(fresh) = self.catalog.seat_map(event).await? else { continue };
            if let Some(Topic::Ready(board)) = lock(&self.topics).get_mut(&event) {
                let changes = board.map.changes_to(event, &fresh);
                board.publish(changes.into_iter());
            }
        }
        Ok(())
    }
}
