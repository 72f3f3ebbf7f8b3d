//! What happens while a map is read.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::{
    domain::{Event, Layout, LayoutId, SeatStatus, Timestamp, Venue, VenueId},
    ports::{EventFilter, Page},
    sync::ready,
};

const EVENT: EventId = EventId::from_uuid(uuid::Uuid::nil());

/// A catalog that reads a map until the test says what it is, and has nothing else.
#[derive(Default)]
struct Slow(Mutex<Option<SeatMap>>);

#[async_trait]
impl Catalog for Slow {
    async fn venues(&self, _: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        Ok(vec![])
    }

    async fn venue(&self, _: VenueId) -> Result<Option<Venue>, StoreError> {
        Ok(None)
    }

    async fn layout(&self, _: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        Ok(None)
    }

    async fn event(&self, _: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(None)
    }

    async fn events(&self, _: &EventFilter, _: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        Ok(vec![])
    }

    async fn seat_map(&self, _: EventId) -> Result<Option<SeatMap>, StoreError> {
        poll_fn(|_| lock(&self.0).take().map_or(Poll::Pending, |map| Poll::Ready(Ok(Some(map))))).await
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        Ok(Elsewhere::Unchanged)
    }
}

/// A feed that reads the event's map for whoever is asking.
struct Reading {
    catalog: Arc<Slow>,
    feed: MemorySeatFeed,
}

impl Reading {
    fn new() -> Self {
        let catalog = Arc::new(Slow::default());
        Self { feed: MemorySeatFeed::new(catalog.clone()), catalog }
    }

    fn ask(&self) -> impl Future<Output = Result<Option<Arc<SeatMap>>, StoreError>> {
        let mut asking = self.feed.seat_map(EVENT);
        assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        asking
    }

    /// The only seat is taken.
    fn publish(&self) {
        let change = SeatChange { event_id: EVENT, number: 0, status: SeatStatus::Reserved, version: 1 };
        ready(self.feed.publish(&[change]));
    }

    /// How many changes are kept for the map, if one is being read.
    fn kept(&self) -> Option<usize> {
        match lock(&self.feed.topics).get(&EVENT)? {
            Topic::Reading(missed) => Some(missed.len()),
            Topic::Ready(_) => None,
        }
    }
}

#[test]
fn nothing_is_kept_for_somebody_who_left_before_the_map_was_there() {
    let reading = Reading::new();
    let asking = reading.ask();
    reading.publish();
    assert_eq!(reading.kept(), Some(1), "what changes meanwhile is kept");
    drop(asking);
    assert_eq!(reading.kept(), None);
    reading.publish();
    assert_eq!(reading.kept(), None);
}

#[test]
fn what_changes_while_a_map_is_read_is_in_it() {
    let reading = Reading::new();
    let asking = reading.ask();
    reading.publish();
    *lock(&reading.catalog.0) = Some(SeatMap::new([(SeatStatus::Available, 0)]));
    let map = ready(asking).unwrap().unwrap();
    assert_eq!((map.statuses(), map.versions()), (&[SeatStatus::Reserved][..], &[1][..]));
}
