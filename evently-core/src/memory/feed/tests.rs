//! What happens while a map is read.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::{
    domain::{Event, Layout, LayoutId, SeatStatus, Timestamp, Venue, VenueId},
    ports::{EventFilter, Page, StoreErrorKind},
    sync::ready,
};

const EVENT: EventId = EventId::from_uuid(uuid::Uuid::nil());
const OTHER: EventId = EventId::from_uuid(uuid::Uuid::max());

/// A catalog that reads a map until the test says what came of it, and has nothing else.
#[derive(Default)]
struct Slow(Mutex<Option<Result<SeatMap, StoreError>>>);

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
        poll_fn(|_| lock(&self.0).take().map_or(Poll::Pending, |map| Poll::Ready(map.map(Some)))).await
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        Ok(Elsewhere::Unchanged)
    }
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<SeatMap>>, StoreError>> + Send + 'a>>;

fn is_told(asking: &mut Asking<'_>) -> bool {
    asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// The only seat, as it is for sale.
fn available() -> SeatMap {
    SeatMap::new([(SeatStatus::Available, 0)])
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

    fn ask(&self) -> Asking<'_> {
        self.ask_for(EVENT)
    }

    fn ask_for(&self, event: EventId) -> Asking<'_> {
        let mut asking = self.feed.seat_map(event);
        assert!(!is_told(&mut asking));
        asking
    }

    /// One reading ends with the map.
    fn say(&self, map: SeatMap) {
        *lock(&self.catalog.0) = Some(Ok(map));
    }

    /// One reading ends without it.
    fn fail(&self) {
        *lock(&self.catalog.0) = Some(Err(StoreError::new(StoreErrorKind::Unavailable, "seat_map", "it is away")));
    }

    /// The only seat is taken.
    fn publish(&self) {
        let change = SeatChange { event_id: EVENT, number: 0, status: SeatStatus::Reserved, version: 1 };
        ready(self.feed.publish(&[change]));
    }

    /// How many changes are kept for the map, if one is being read.
    fn kept(&self) -> Option<usize> {
        match lock(&self.feed.topics).get(&EVENT)? {
            Topic::Reading(_, missed) => Some(missed.len()),
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
    reading.say(available());
    let map = ready(asking).unwrap().unwrap();
    assert_eq!((map.statuses(), map.versions()), (&[SeatStatus::Reserved][..], &[1][..]));
}

/// Otherwise each of them would wait for as long as the first one, after all who came before.
#[test]
fn who_waited_for_a_map_that_could_not_be_read_does_not_read_it_again() {
    let reading = Reading::new();
    let crowd = [(); 10].map(|()| reading.ask());
    reading.fail();
    for asking in crowd {
        assert_eq!(ready(asking).unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    let asking = reading.ask();
    reading.say(available());
    assert!(ready(asking).unwrap().is_some(), "who comes afterwards reads it anew");
}

#[test]
fn who_waited_for_somebody_who_left_reads_the_map_in_their_place() {
    let reading = Reading::new();
    let [first, second] = [(); 2].map(|()| reading.ask());
    drop(first);
    reading.say(available());
    assert!(ready(second).unwrap().is_some());
}

#[test]
fn a_map_that_is_long_to_read_keeps_no_other_waiting() {
    let reading = Reading::new();
    let _long = reading.ask();
    let other = reading.ask_for(OTHER);
    reading.say(available());
    assert!(ready(other).unwrap().is_some());
}

/// Whoever asks after a failover gets what was read after it, and so does whoever had asked before.
#[test]
fn a_map_that_was_let_go_of_while_it_was_read_is_not_shown() {
    let reading = Reading::new();
    let mut before = reading.ask();
    ready(reading.feed.refresh(&Elsewhere::AnotherRun)).unwrap();
    let after = reading.ask();
    reading.say(available());
    assert!(!is_told(&mut before), "it is of the run that is gone");
    reading.publish();
    assert_eq!(reading.kept(), Some(1));
    reading.say(available());
    let maps = [after, before].map(|asking| ready(asking).unwrap().unwrap());
    assert_eq!(maps.map(|map| map.versions()[0]), [1, 1]);
}
