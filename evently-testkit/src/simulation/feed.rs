//! The seats as an instance shows them, looked at whenever they may have changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_trait::async_trait;
use evently_core::{
    domain::{EventId, SeatChange, SeatMap},
    memory::MemorySeatFeed,
    ports::{Elsewhere, SeatFeed, StoreError, Subscription},
};

use super::{office::Office, store::ReachedStore};

/// The feed of an instance.
pub(super) struct WatchedFeed {
    feed: MemorySeatFeed,
    office: Arc<Office>,
    event: EventId,
    /// Nobody waits for what is at hand, so that whoever looks only then changes nothing.
    at_hand: AtomicBool,
}

impl WatchedFeed {
    pub fn new(store: Arc<ReachedStore>, office: Arc<Office>, event: EventId) -> Self {
        Self { feed: MemorySeatFeed::new(store), office, event, at_hand: AtomicBool::new(false) }
    }

    async fn look(&self) {
        if self.at_hand.load(Relaxed)
            && let Ok(Some(map)) = self.feed.seat_map(self.event).await
        {
            self.office.shows(&map);
        }
    }
}

#[async_trait]
impl SeatFeed for WatchedFeed {
    async fn publish(&self, changes: &[SeatChange]) {
        self.feed.publish(changes).await;
        self.look().await;
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        let map = self.feed.seat_map(event).await?;
        self.at_hand.store(true, Relaxed);
        self.look().await;
        Ok(map)
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        self.feed.subscribe(event, since).await
    }

    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError> {
        self.feed.refresh(elsewhere).await?;
        self.look().await;
        Ok(())
    }

    fn let_go(&self) {
        self.feed.let_go();
    }
}
