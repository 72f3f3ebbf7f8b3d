//! Which answer a key has, whoever wrote it and whatever was lost on the way.

use std::time::Duration;

use evently_core::{
    domain::{ANSWERS_KEPT, Event, Request, RequestKey},
    ports::{Bookings, Chores, StoreErrorKind},
};
use evently_sqlite::{Options, SqliteStore};

use crate::support::{NOW, Place, hold, put_on_sale};

/// Whether each request was answered by what was kept of an earlier one.
async fn replayed(store: &SqliteStore, requests: &[Request]) -> Vec<bool> {
    let applied = store.apply(NOW, requests).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    applied.answers.iter().map(|answer| answer.replayed).collect()
}

fn holds(event: &Event, numbers: impl IntoIterator<Item = u32>) -> Vec<Request> {
    numbers.into_iter().map(|n| hold(event, n.into(), &[n])).collect()
}

#[tokio::test]
async fn a_key_counts_within_its_own_batch() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    assert_eq!(replayed(&store, &holds(&event, [1, 2, 1])).await, [false, false, true]);
}

/// In memory half of a key stands for it.
#[tokio::test]
async fn a_key_that_begins_like_another_is_another() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    for n in [1, 2] {
        let mut id = [7; 32];
        id[31] = n;
        let request = hold(&event, n.into(), &[n.into()]).with_key(Some(RequestKey { id, fingerprint: [0; 32] }));
        assert_eq!(replayed(&store, &[request]).await, [false]);
    }
}

#[tokio::test]
async fn what_another_process_answered_is_known_at_once() {
    let place = Place::new();
    let (ours, theirs) = (place.open(), place.open_with(2, &Options::default()));
    let event = put_on_sale(&ours, 10).await;
    for n in 0..6 {
        let (one, other) = if n % 2 == 0 { (&ours, &theirs) } else { (&theirs, &ours) };
        assert_eq!(replayed(one, &holds(&event, [n])).await, [false]);
        assert_eq!(replayed(other, &holds(&event, 0..=n)).await, vec![true; n as usize + 1]);
    }
}

#[tokio::test]
async fn what_was_not_committed_was_not_answered() {
    let place = Place::new();
    let small = Options { max_bytes: Some(400 << 10), ..Options::default() };
    let store = place.open_with(1, &small);
    let event = put_on_sale(&store, 1000).await;
    assert_eq!(replayed(&store, &holds(&event, [0])).await, [false]);
    let error = store.apply(NOW, &holds(&event, 1..1000)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // The numbers of the lost rows are given again, to other keys and by another process.
    let other = place.open_with(2, &small);
    assert_eq!(replayed(&other, &holds(&event, [3, 2])).await, [false, false]);
    assert_eq!(replayed(&store, &holds(&event, [0, 1, 2, 3, 4])).await, [true, false, true, true, false]);
}

#[tokio::test]
async fn numbers_of_forgotten_answers_are_not_given_again() {
    let place = Place::new();
    let (ours, theirs) = (place.open(), place.open_with(2, &Options::default()));
    let event = put_on_sale(&ours, 5000).await;
    replayed(&ours, &holds(&event, 0..4000)).await;
    let later = NOW + ANSWERS_KEPT + Duration::from_secs(1);
    assert_eq!(theirs.forget_answers(later, u32::MAX).await.unwrap(), 3999);
    assert_eq!(replayed(&theirs, &holds(&event, [4000])).await, [false]);
    assert_eq!(replayed(&ours, &holds(&event, [3999, 4000, 4001])).await, [true, true, false]);
    // A forgotten key is a new one.
    let request = hold(&event, 4002, &[4002]);
    let again = Request { key: hold(&event, 7, &[7]).key, ..request };
    assert_eq!(replayed(&ours, &[again]).await, [false]);
}
