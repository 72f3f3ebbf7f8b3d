//! A feed in which a seat is taken at the worst moment.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use evently_core::{
    domain::{EventId, SeatChange, SeatMap},
    memory::MemorySeatFeed,
    ports::{Catalog, Elsewhere, SeatFeed, StoreError, Subscription},
};

pub struct Taken {
    feed: MemorySeatFeed,
    /// Comes just after the first look at the map.
    after_a_look: Mutex<Option<SeatChange>>,
    /// The place that whoever follows first had taken before.
    place: Mutex<Option<Subscription>>,
}

impl Taken {
    /// The seat is taken just after the map was looked at for the first time.
    pub fn after_a_look(catalog: Arc<dyn Catalog>, change: SeatChange) -> Self {
        Self { feed: MemorySeatFeed::new(catalog), after_a_look: Mutex::new(Some(change)), place: Mutex::default() }
    }

    /// Whoever follows first had their place before anything happened.
    pub async fn before_all(catalog: Arc<dyn Catalog>, event: EventId) -> Self {
        let feed = MemorySeatFeed::new(catalog);
        let place = Mutex::new(feed.subscribe(event, None).await.unwrap());
        Self { feed, after_a_look: Mutex::default(), place }
    }
}

#[async_trait]
impl SeatFeed for Taken {
    async fn publish(&self, changes: &[SeatChange]) {
        self.feed.publish(changes).await;
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        let map = self.feed.seat_map(event).await;
        let change = self.after_a_look.lock().unwrap().take();
        self.feed.publish(change.as_slice()).await;
        map
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        let place = self.place.lock().unwrap().take();
        if place.is_some() { Ok(place) } else { self.feed.subscribe(event, since).await }
    }

    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError> {
        self.feed.refresh(elsewhere).await
    }

    fn let_go(&self) {
        self.feed.let_go();
    }
}
