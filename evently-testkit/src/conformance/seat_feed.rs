//! Live feeds of seats. The feed is made over the catalog of a world's store; its messages are published as the services do it.

use std::sync::Arc;

use evently_core::{
    domain::{Request, SeatChange, SeatMap},
    ports::{Elsewhere, SeatFeed, Subscription},
};

use super::race;
use crate::{Fixture, World, customer};

/// A feed over a store.
pub struct FeedUnderTest {
    /// The store.
    pub world: World,
    /// A feed over its catalog.
    pub feed: Arc<dyn SeatFeed>,
}

impl FeedUnderTest {
    async fn event(&self) -> Fixture {
        self.world.event(4, 16).await
    }

    /// Holds a seat and publishes it.
    async fn change(&self, event: &Fixture, seat: u32) {
        let changes = self.commit(event, seat).await;
        self.feed.publish(&changes).await;
    }

    /// Holds a seat and keeps quiet about it.
    async fn commit(&self, event: &Fixture, seat: u32) -> Vec<SeatChange> {
        let hold = Request::new(customer(seat), self.world.hold_command(event, customer(seat), &[seat]));
        self.world.apply(&[hold]).await.changes
    }

    async fn map(&self, event: &Fixture) -> Arc<SeatMap> {
        self.feed.seat_map(event.id()).await.unwrap().expect("the event is there")
    }

    async fn subscribe(&self, event: &Fixture, since: Option<u64>) -> Subscription {
        self.feed.subscribe(event.id(), since).await.unwrap().expect("the event is there")
    }
}

/// Follows a subscription from `map`, or from its own snapshot, as far as there is something to be had.
fn follow(mut subscription: Subscription, map: Option<&SeatMap>) -> SeatMap {
    let mut map = match (&subscription.snapshot, map) {
        (Some(snapshot), _) => SeatMap::clone(snapshot),
        (None, Some(map)) => map.clone(),
        (None, None) => panic!("there is no state to begin from"),
    };
    let mut deltas = std::mem::take(&mut subscription.missed);
    while let Ok(delta) = subscription.deltas.try_recv() {
        deltas.push(delta);
    }
    for delta in deltas {
        let news = map.take_in(delta.changes.iter().copied());
        assert_eq!(news.len(), delta.changes.len(), "a delta has what changed and nothing else");
        assert_eq!(map.seq(), delta.seq, "deltas are numbered one after another");
    }
    map
}

pub async fn a_map_has_what_was_published_before(test: FeedUnderTest) {
    let event = test.event().await;
    test.change(&event, 0).await;
    let before = test.map(&event).await;
    test.change(&event, 1).await;
    let after = test.map(&event).await;
    assert_eq!((before.counts().reserved, after.counts().reserved), (1, 2));
    assert_eq!(after.seq(), before.seq() + 1);
}

pub async fn an_unknown_event_has_no_map(test: FeedUnderTest) {
    let nothing = Fixture::new(&*test.world.ids, test.world.now(), 1, 1).id();
    assert!(test.feed.seat_map(nothing).await.unwrap().is_none());
    assert!(test.feed.subscribe(nothing, None).await.unwrap().is_none());
    assert!(test.feed.seat_map(nothing).await.unwrap().is_none(), "asked again");
}

pub async fn who_follows_gets_every_change(test: FeedUnderTest) {
    let event = test.event().await;
    let subscription = test.subscribe(&event, None).await;
    assert!(subscription.snapshot.is_some());
    for seat in 0..5 {
        test.change(&event, seat).await;
    }
    assert_eq!(follow(subscription, None), *test.map(&event).await);
}

pub async fn who_comes_back_gets_what_they_missed(test: FeedUnderTest) {
    let event = test.event().await;
    test.change(&event, 0).await;
    let map = test.map(&event).await;
    for seat in 1..5 {
        test.change(&event, seat).await;
    }
    let subscription = test.subscribe(&event, Some(map.seq())).await;
    assert!(subscription.snapshot.is_none());
    test.change(&event, 5).await;
    assert_eq!(follow(subscription, Some(&map)), *test.map(&event).await);
    let current = test.map(&event).await;
    let nothing_missed = test.subscribe(&event, Some(current.seq())).await;
    assert_eq!((nothing_missed.snapshot.is_none(), nothing_missed.missed.len()), (true, 0));
}

pub async fn who_was_away_too_long_begins_anew(test: FeedUnderTest) {
    let event = test.event().await;
    test.change(&event, 0).await;
    let map = test.map(&event).await;
    for since in [map.seq() + 1, map.seq() + 1_000, u64::MAX] {
        let subscription = test.subscribe(&event, Some(since)).await;
        assert!(subscription.snapshot.is_some(), "state {since} has never been");
    }
}

pub async fn who_falls_behind_loses_their_place_and_nobody_waits(test: FeedUnderTest) {
    let event = test.world.event(40, 50).await;
    let mut slow = test.subscribe(&event, None).await;
    for seat in 0..2_000 {
        test.change(&event, seat).await;
    }
    let lagged = slow.deltas.try_recv();
    assert!(matches!(lagged, Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_))), "{lagged:?}");
    assert_eq!(test.map(&event).await.counts().reserved, 2_000);
}

pub async fn what_was_published_already_is_no_news(test: FeedUnderTest) {
    let event = test.event().await;
    let mut subscription = test.subscribe(&event, None).await;
    let changes = test.commit(&event, 0).await;
    for _ in 0..3 {
        test.feed.publish(&changes).await;
    }
    assert!(subscription.deltas.try_recv().is_ok());
    assert!(subscription.deltas.try_recv().is_err());
}

pub async fn what_was_never_published_is_found_in_the_store(test: FeedUnderTest) {
    let event = test.event().await;
    let subscription = test.subscribe(&event, None).await;
    test.commit(&event, 0).await;
    assert_eq!(test.map(&event).await.counts().reserved, 0);
    test.feed.refresh(&Elsewhere::Anything).await.unwrap();
    assert_eq!(test.map(&event).await.counts().reserved, 1);
    assert_eq!(follow(subscription, None), *test.map(&event).await);
}

/// Comparing all of them for each write of another process would cost more than selling.
pub async fn only_what_has_changed_is_compared(test: FeedUnderTest) {
    let [event, other] = [test.event().await, test.event().await];
    for event in [&event, &other] {
        test.map(event).await;
        test.commit(event, 0).await;
    }
    test.feed.refresh(&Elsewhere::Events([event.id()].into())).await.unwrap();
    assert_eq!([test.map(&event).await, test.map(&other).await].map(|map| map.counts().reserved), [1, 0]);
}

pub async fn events_do_not_mix(test: FeedUnderTest) {
    let [event, other] = [test.event().await, test.event().await];
    let mut subscription = test.subscribe(&other, None).await;
    let mut changes = test.commit(&event, 0).await;
    changes.extend(test.commit(&other, 1).await);
    changes.extend(test.commit(&event, 2).await);
    test.feed.publish(&changes).await;
    let delta = subscription.deltas.try_recv().unwrap();
    assert!(delta.changes.iter().all(|change| change.event_id == other.id()));
    assert!(subscription.deltas.try_recv().is_err());
    assert_eq!(test.map(&event).await.counts().reserved, 2);
}

/// Whoever begins while many publish misses nothing.
pub async fn no_change_is_lost_while_many_publish_and_begin(test: FeedUnderTest) {
    let event = Arc::new(test.event().await);
    let test = Arc::new(test);
    let subscriptions = race(|seat| {
        let (test, event) = (test.clone(), event.clone());
        async move {
            test.change(&event, seat).await;
            let map = test.map(&event).await;
            assert_ne!(map.statuses()[seat as usize], evently_core::domain::SeatStatus::Available, "it was published before");
            test.subscribe(&event, None).await
        }
    });
    let last = test.map(&event);
    let subscriptions = subscriptions.await;
    let last = last.await;
    assert_eq!(last.counts().reserved, super::RACERS);
    for subscription in subscriptions {
        assert_eq!(follow(subscription, None), *last);
    }
}
