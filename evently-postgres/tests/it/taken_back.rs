//! Whoever asks what was taken back is told everything, in whatever order it commits.

use std::sync::Arc;

use evently_core::{domain::SessionId, memory::SeededIds, ports::Sessions};
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use crate::support::Place;

const fn session(number: u128) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(number))
}

#[tokio::test]
async fn what_commits_late_is_told_all_the_same() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    let mut late = PgConnection::connect(&place.options().url).await.unwrap();
    late.execute("begin; insert into taken_back (session_id) values ('00000000-0000-0000-0000-000000000001')").await.unwrap();
    place.execute("insert into taken_back (session_id) values ('00000000-0000-0000-0000-000000000002')");
    let first = store.taken_back(0).await.unwrap();
    assert_eq!(first.sessions, [session(2)]);
    let second = store.taken_back(first.mark).await.unwrap();
    assert!(!second.sessions.contains(&session(1)));
    late.execute("commit").await.unwrap();
    let third = store.taken_back(second.mark).await.unwrap();
    assert!(third.sessions.contains(&session(1)), "{third:?}");
}

#[tokio::test]
async fn what_was_taken_back_long_ago_is_forgotten() {
    use evently_core::{domain::Timestamp, ports::Chores};

    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    for (number, age) in [(1, "59 minutes"), (2, "61 minutes"), (3, "90 minutes")] {
        let id = Uuid::from_u128(number);
        place.execute(&format!("insert into taken_back (session_id, at) values ('{id}', clock_timestamp() - interval '{age}')"));
    }
    store.forget_sessions(Timestamp::from_secs(0), 10).await.unwrap();
    assert_eq!(store.taken_back(0).await.unwrap().sessions, [session(1), session(2)]);
}
