//! Months are made ahead, and events stand in the month in which they begin.

use std::sync::Arc;

use evently_core::{
    domain::{Request, Timestamp},
    memory::SeededIds,
    ports::{Bookings, Catalog, Chores},
};
use evently_postgres::{MONTHS_AHEAD, PgStore};
use evently_testkit::{Fixture, ORGANIZER};

use crate::support::Place;

/// 2026-11-22.
const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

async fn store(place: &Place) -> PgStore {
    place.open_with(Arc::new(SeededIds::new(3)), &place.options()).await
}

async fn apply(store: &PgStore, requests: Vec<Request>) {
    let applied = store.apply(NOW, &requests).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
}

#[tokio::test]
async fn this_month_and_a_year_are_made_and_then_nothing_is_left_to_do() {
    let place = Place::new();
    let store = store(&place).await;
    let made = store.make_partitions(NOW, MONTHS_AHEAD).await.unwrap();
    assert_eq!(made.len(), 13);
    assert_eq!((made[0].as_str(), made[2].as_str(), made[12].as_str()), ("events_2026_11", "events_2027_01", "events_2027_11"));
    assert_eq!(store.make_room(NOW).await.unwrap(), 0);
    let there = store.partitions().await.unwrap();
    assert_eq!(there.len(), 14, "and the default one");
    assert!(there[1].bounds.contains("2026-12-01") && there[1].bounds.contains("2027-01-01"), "{there:?}");
}

#[tokio::test]
async fn two_who_make_the_same_months_do_not_get_in_each_others_way() {
    let place = Place::new();
    let (one, other) = (store(&place).await, store(&place).await);
    let (one, other) = tokio::join!(one.make_partitions(NOW, 3), other.make_partitions(NOW, 3));
    assert_eq!(one.unwrap().len() + other.unwrap().len(), 4);
}

#[tokio::test]
async fn an_event_that_was_there_before_its_month_is_moved_and_found() {
    let place = Place::new();
    let store = store(&place).await;
    let ids = SeededIds::new(9);
    let event = Fixture::new(&ids, NOW, 2, 4);
    apply(
        &store,
        [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command)).into(),
    )
    .await;
    assert_eq!(store.events_without_a_month().await.unwrap(), 1);
    let before = store.event(event.id()).await.unwrap().unwrap();
    store.make_partitions(NOW, 1).await.unwrap();
    assert_eq!(store.events_without_a_month().await.unwrap(), 0);
    assert_eq!(store.event(event.id()).await.unwrap().unwrap(), before);
}
