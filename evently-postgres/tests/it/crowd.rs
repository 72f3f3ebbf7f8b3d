//! More callers than connections: each is answered in time, also while somebody else has a table locked, and nothing is stuck afterwards.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Ids, StoreErrorKind},
};
use evently_postgres::Options;
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use evently_testservers::Proxy;
use sqlx::{Connection as _, Row as _};

use crate::support::Place;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CALLERS: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_no_connection_is_told_so_and_nothing_is_stuck() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let brief = Duration::from_secs(2);
    let options = Options { connections: 5, patience: brief, statement_timeout: brief, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = Fixture::new(&*ids, NOW, 1, CALLERS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    let hold = |seat| {
        let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
        let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
        let seats = event.seats(&[seat]);
        let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
        (booking_id, Request::new(SYSTEM, command))
    };

    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    sqlx::raw_sql("begin; lock table bookings in access exclusive mode").execute(&mut other).await.unwrap();
    let callers = (0..CALLERS).map(|seat| {
        let (store, (booking, request)) = (store.clone(), hold(seat));
        // What a booking has is read by several statements, a batch decided by a dozen.
        tokio::spawn(async move {
            if seat % 2 == 0 { store.apply(NOW, &[request]).await.map(drop) } else { store.records(booking).await.map(drop) }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        let error = caller.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Contended), "{error:?}");
    }
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();

    for seat in 0..10 {
        let (booking, request) = hold(seat);
        let applied = store.apply(NOW, &[request]).await.unwrap();
        assert!(applied.answers[0].result.is_ok(), "nothing was done before: {applied:?}");
        assert!(store.records(booking).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough_for_all_who_wait_their_turn() {
    let place = Place::new();
    let options = Options { connections: 1, patience: Duration::from_secs(20), ..place.options() };
    let store = place.open_with(Arc::new(SeededIds::new(8)), &options).await;
    let nobody = BookingId::from_uuid(SeededIds::new(9).uuid(NOW));
    // Some begin while others wait, and some when nobody does.
    let callers = (0..u64::from(CALLERS)).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(300 * number)).await;
            for _ in 0..3 {
                assert_eq!(store.booking(nobody).await.unwrap(), None);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

/// The connections that the store has: who each is, when it was asked last, and whether it waits for a lock.
async fn asked(watcher: &mut sqlx::PgConnection) -> Vec<(i32, String, bool)> {
    const ASKED: &str = "select pid, coalesce(query_start::text, 'never'), coalesce(wait_event_type = 'Lock', false) \
        from pg_stat_activity where datname = current_database() and application_name = 'evently' order by pid";
    let rows = sqlx::raw_sql(ASKED).fetch_all(watcher).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_that_was_used_last_is_used_next() {
    const CONNECTIONS: usize = 4;
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(8)), &place.options()).await;
    let nobody = BookingId::from_uuid(SeededIds::new(9).uuid(NOW));
    let connect = async || sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    // What is looked at within a transaction stays as it was.
    let (mut other, mut watcher) = (connect().await, connect().await);
    // As many as wait at the same time.
    sqlx::raw_sql("begin; lock table bookings in access exclusive mode").execute(&mut other).await.unwrap();
    let waiting = (0..CONNECTIONS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.booking(nobody).await })
    });
    let waiting = waiting.collect::<Vec<_>>();
    while asked(&mut watcher).await.iter().filter(|(_, _, waits)| *waits).count() < CONNECTIONS {
        assert!(waiting.iter().all(|one| !one.is_finished()), "the table is locked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    for one in waiting {
        assert_eq!(one.await.unwrap().unwrap(), None);
    }
    let before = asked(&mut watcher).await;
    for _ in 0..3 * CONNECTIONS {
        store.booking(nobody).await.unwrap();
    }
    let after = asked(&mut watcher).await;
    let used = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    // Now and then the pool gets it back, and gives another one.
    assert!((1..=2).contains(&used), "{before:?} {after:?}");
}

/// What is left of a transaction that somebody was about to begin is nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_while_a_transaction_begins_leaves_nothing_of_it() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(8));
    let proxy = Proxy::before(&place.options().url).unwrap();
    let options = Options { url: proxy.url(), connections: 1, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = Fixture::new(&*ids, NOW, 1, 1);
    proxy.delay(Duration::from_millis(300));
    // A transaction that only reads.
    let nobody = BookingId::from_uuid(ids.uuid(NOW));
    let left = tokio::time::timeout(Duration::from_millis(100), store.records(nobody)).await;
    assert!(left.is_err(), "it was still about to begin");
    proxy.delay(Duration::ZERO);
    let applied = store.apply(NOW, &[Request::new(ORGANIZER, event.create_venue())]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
}
