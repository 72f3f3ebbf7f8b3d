//! A disk that is full.

use std::time::Duration;

use evently_core::{
    domain::{ANSWERS_KEPT, Event, Request},
    ports::{Bookings, Catalog, Chores, StoreErrorKind},
};
use evently_sqlite::{Options, SqliteStore};

use crate::support::{NOW, Place, assert_sound, hold, put_on_sale};

const SEATS: u32 = 1_000;
const BATCH: u32 = 20;

fn batch(event: &Event, n: u32) -> Vec<Request> {
    (n * BATCH..(n + 1) * BATCH).map(|seat| hold(event, seat.into(), &[seat])).collect()
}

/// Sells until there is no room; the first batch that did not fit.
async fn fill(store: &SqliteStore, event: &Event) -> u32 {
    for n in 0..SEATS / BATCH {
        if let Err(error) = store.apply(NOW, &batch(event, n)).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            return n;
        }
    }
    panic!("there was room for everything");
}

/// As small as it can be, so that it is full soon.
fn small() -> Options {
    Options { max_bytes: Some(400 << 10), ..Options::default() }
}

#[tokio::test]
async fn what_does_not_fit_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.open_with(1, &small());
    let event = put_on_sale(&store, SEATS).await;
    let full_at = fill(&store, &event).await;
    assert!(full_at > 0);
    let map = store.seat_map(event.id).await.unwrap().unwrap();
    assert_eq!(map.counts().reserved, full_at * BATCH);
    assert_sound(&store, event.id).await;
}

#[tokio::test]
async fn it_sells_again_when_there_is_room() {
    let place = Place::new();
    let store = place.open_with(1, &small());
    let event = put_on_sale(&store, SEATS).await;
    let full_at = fill(&store, &event).await;
    // Answers that nobody may ask for any more make room.
    let later = NOW + ANSWERS_KEPT + Duration::from_secs(1);
    assert!(store.forget_answers(later, u32::MAX).await.unwrap() > 0);
    let applied = store.apply(NOW, &batch(&event, full_at)).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()));
    assert_sound(&store, event.id).await;
}
