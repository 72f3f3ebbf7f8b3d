//! The feed, under every order in which its threads may run.

use std::sync::Arc;

use async_trait::async_trait;
use loom::thread;

use super::MemorySeatFeed;
use crate::{
    domain::{Event, EventId, Layout, LayoutId, SeatChange, SeatMap, SeatStatus, Timestamp, Venue, VenueId},
    ports::{Catalog, Elsewhere, EventFilter, Page, SeatFeed, StoreError, Subscription},
    sync::{Mutex, lock, ready},
};

const EVENT: EventId = EventId::from_uuid(uuid::Uuid::nil());

/// What has been committed: three seats and their versions.
struct Seats(Mutex<[u32; 3]>);

impl Seats {
    /// Commits a change of a seat.
    fn change(&self, number: u32) -> SeatChange {
        let mut versions = lock(&self.0);
        let version = &mut versions[number as usize];
        *version += 1;
        SeatChange { event_id: EVENT, number, status: status(*version), version: *version }
    }
}

/// Each change of a seat takes it, or frees it.
fn status(version: u32) -> SeatStatus {
    if version.is_multiple_of(2) { SeatStatus::Available } else { SeatStatus::Reserved }
}

#[async_trait]
impl Catalog for Seats {
    async fn seat_map(&self, _event: EventId) -> Result<Option<SeatMap>, StoreError> {
        let versions = *lock(&self.0);
        Ok(Some(SeatMap::new(versions.map(|version| (status(version), version)))))
    }

    async fn venues(&self, _page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        Ok(Vec::new())
    }

    async fn venue(&self, _id: VenueId) -> Result<Option<Venue>, StoreError> {
        Ok(None)
    }

    async fn layout(&self, _id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        Ok(None)
    }

    async fn event(&self, _id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(None)
    }

    async fn events(&self, _filter: &EventFilter, _page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        Ok(Vec::new())
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        Ok(Elsewhere::Unchanged)
    }
}

/// A feed that nobody has asked for a map yet, over three seats.
fn feed() -> (Arc<Seats>, Arc<MemorySeatFeed>) {
    let seats = Arc::new(Seats(Mutex::new([0; 3])));
    let feed = MemorySeatFeed::new(seats.clone());
    (seats, Arc::new(feed))
}

/// Commits a change and tells of it, as one call of a service does.
fn change(seats: &Seats, feed: &MemorySeatFeed, number: u32) {
    let change = seats.change(number);
    ready(feed.publish(&[change]));
}

fn map(feed: &MemorySeatFeed) -> Arc<SeatMap> {
    ready(feed.seat_map(EVENT)).unwrap().unwrap()
}

fn subscribe(feed: &MemorySeatFeed, since: Option<u64>) -> Subscription {
    ready(feed.subscribe(EVENT, since)).unwrap().unwrap()
}

/// The state that a subscription leads to. Its deltas are numbered one after another, and each brings news.
fn follow(mut subscription: Subscription, since: Option<&SeatMap>) -> SeatMap {
    let mut map = SeatMap::clone(subscription.snapshot.as_deref().or(since).expect("there is a state to begin from"));
    let mut deltas = subscription.missed;
    deltas.extend(std::iter::from_fn(|| subscription.deltas.try_recv().ok()));
    for delta in deltas {
        let news = map.take_in(delta.changes.iter().copied());
        assert_eq!((map.seq(), news.len()), (delta.seq, delta.changes.len()));
    }
    map
}

/// What everybody sees in the end is what was committed.
fn assert_caught_up(seats: &Seats, feed: &MemorySeatFeed) {
    assert_eq!(map(feed).versions(), *lock(&seats.0));
}

#[test]
fn nothing_published_while_a_map_is_first_read_is_lost() {
    loom::model(|| {
        let (seats, feed) = feed();
        let writer = {
            let (seats, feed) = (seats.clone(), feed.clone());
            thread::spawn(move || {
                change(&seats, &feed, 0);
                change(&seats, &feed, 0);
                change(&seats, &feed, 1);
            })
        };
        let early = map(&feed);
        writer.join().unwrap();
        assert!(early.seq() <= map(&feed).seq());
        assert_caught_up(&seats, &feed);
    });
}

#[test]
fn a_map_has_what_was_published_before_it_was_asked_for() {
    loom::model(|| {
        let (seats, feed) = feed();
        let writers = [0, 1].map(|number| {
            let (seats, feed) = (seats.clone(), feed.clone());
            thread::spawn(move || {
                change(&seats, &feed, number);
                assert_eq!(map(&feed).versions()[number as usize], 1);
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_caught_up(&seats, &feed);
    });
}

#[test]
fn who_begins_while_others_publish_has_no_gap() {
    loom::model(|| {
        let (seats, feed) = feed();
        let writers = [0, 1].map(|number| {
            let (seats, feed) = (seats.clone(), feed.clone());
            thread::spawn(move || change(&seats, &feed, number))
        });
        let subscription = subscribe(&feed, None);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(follow(subscription, None), *map(&feed));
        assert_caught_up(&seats, &feed);
    });
}

#[test]
fn who_comes_back_while_others_publish_has_no_gap() {
    loom::model(|| {
        let (seats, feed) = feed();
        let known = map(&feed);
        let writers = [0, 1].map(|number| {
            let (seats, feed) = (seats.clone(), feed.clone());
            thread::spawn(move || change(&seats, &feed, number))
        });
        let subscription = subscribe(&feed, Some(known.seq()));
        assert!(subscription.snapshot.is_none(), "so little is kept");
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(follow(subscription, Some(&known)), *map(&feed));
    });
}

#[test]
fn a_comparison_with_the_store_loses_nothing() {
    loom::model(|| {
        let (seats, feed) = feed();
        map(&feed);
        seats.change(2);
        let writer = {
            let (seats, feed) = (seats.clone(), feed.clone());
            thread::spawn(move || {
                change(&seats, &feed, 0);
                change(&seats, &feed, 0);
            })
        };
        let subscription = subscribe(&feed, None);
        ready(feed.refresh(&Elsewhere::Anything)).unwrap();
        writer.join().unwrap();
        assert_eq!(follow(subscription, None), *map(&feed));
        assert_caught_up(&seats, &feed);
    });
}

#[test]
fn two_who_begin_first_follow_the_same_event() {
    loom::model(|| {
        let (seats, feed) = feed();
        let other = {
            let feed = feed.clone();
            thread::spawn(move || subscribe(&feed, None))
        };
        let subscriptions = [subscribe(&feed, None), other.join().unwrap()];
        change(&seats, &feed, 0);
        for subscription in subscriptions {
            assert_eq!(follow(subscription, None), *map(&feed));
        }
        assert_caught_up(&seats, &feed);
    });
}
