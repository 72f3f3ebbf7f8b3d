//! Batches that were in each other's way take turns.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Ids, StoreError, StoreErrorKind},
};
use evently_postgres::{Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use sqlx::Connection as _;

use crate::{races::two_at_once, support::Place};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Whoever writes to the journal is in somebody's way, unless they have locked the turns in this mode. A sequence remembers how often that was
/// tried, whatever becomes of the transaction. Other locks may be waited for as long as ever.
fn in_the_way_unless(mode: &str) -> String {
    format!(
        "create sequence tries;
        create function in_the_way() returns trigger language plpgsql as $$
        begin
            perform nextval('tries');
            if current_setting('lock_timeout') <> current_setting('statement_timeout') then
                raise exception 'a lock is waited for for %', current_setting('lock_timeout');
            end if;
            if not exists (select from pg_locks where pid = pg_backend_pid() and relation = 'turns'::regclass and mode = '{mode}') then
                raise exception using errcode = 'serialization_failure';
            end if;
            return new;
        end $$;
        create trigger in_the_way before insert on journal for each statement execute function in_the_way();"
    )
}

async fn tries(place: &Place) -> i64 {
    let mut connection = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    sqlx::query_scalar("select last_value from tries").fetch_one(&mut connection).await.unwrap()
}

async fn make_an_event(store: &PgStore, seed: u64) -> Result<(), StoreError> {
    let event = Fixture::new(&SeededIds::new(seed), NOW, 1, 1);
    let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
    let applied = store.apply(NOW, &make).await?;
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    Ok(())
}

#[tokio::test]
async fn the_more_often_a_batch_was_in_the_way_the_more_are_waited_for() {
    for (mode, expected) in [("RowShareLock", 1), ("ShareUpdateExclusiveLock", 2), ("ExclusiveLock", 4)] {
        let place = Place::new();
        let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
        place.execute(&in_the_way_unless(mode));
        make_an_event(&store, 8).await.unwrap();
        assert_eq!(tries(&place).await, expected, "{mode}");
    }
}

#[tokio::test]
async fn through_a_pooler_as_well() {
    let place = Place::pooled();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    place.execute(&in_the_way_unless("ExclusiveLock"));
    make_an_event(&store, 8).await.unwrap();
}

#[tokio::test]
async fn the_batches_after_one_that_was_in_the_way_take_turns() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    place.execute(&in_the_way_unless("ShareUpdateExclusiveLock"));
    for seed in 8..12 {
        make_an_event(&store, seed).await.unwrap();
    }
    assert_eq!(tries(&place).await, 5, "only the first was tried twice");
}

/// As an instance whose machine is moved in the middle of its turn.
#[tokio::test]
async fn who_stands_still_in_their_turn_is_not_waited_for() {
    for place in [Place::new(), Place::pooled()] {
        // What one has waited on in vain the next one is given.
        let options = Options { connections: 1, ..place.options() };
        let store = place.open_with(Arc::new(SeededIds::new(7)), &options).await;
        let mut still = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
        sqlx::raw_sql("begin; lock table turns in exclusive mode").execute(&mut still).await.unwrap();
        // Longer than this nobody may stand still.
        let made = tokio::time::timeout(options.statement_timeout, make_an_event(&store, 8)).await;
        made.expect("it is not waited for").unwrap();
        sqlx::raw_sql("rollback").execute(&mut still).await.unwrap();
        make_an_event(&store, 9).await.unwrap();
    }
}

/// Each has read what the customer has on hold before the other has written, and no row is of both.
#[tokio::test]
async fn whoever_has_waited_for_their_turn_in_vain_still_minds_the_others() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = Fixture::new(&*ids, NOW, 1, 2).with(|event| event.details.max_seats_held = 1);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    let mut still = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    sqlx::raw_sql("begin; lock table turns in exclusive mode").execute(&mut still).await.unwrap();
    let user_id = UserId::from_uuid(ids.uuid(NOW));
    let held = two_at_once(&place, "select from seats for update", |n| {
        let (booking_id, seats) = (BookingId::from_uuid(ids.uuid(NOW)), event.seats(&[n.into()]));
        let hold = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
        let store = store.clone();
        async move { store.apply(NOW, &[Request::new(SYSTEM, hold)]).await.unwrap().answers.remove(0).result.is_ok() }
    });
    assert_eq!(held.await.iter().filter(|held| **held).count(), 1, "the event allows one seat");
}

/// What holds somebody up for too long does so whether others wait for them or not.
#[tokio::test]
async fn who_has_waited_for_a_row_in_vain_keeps_nobody_from_their_turn() {
    let place = Place::new();
    let options = Options { statement_timeout: Duration::from_millis(500), ..place.options() };
    let store = place.open_with(Arc::new(SeededIds::new(7)), &options).await;
    place.execute(
        "create sequence tries;
        create function stand_in_the_way() returns trigger language plpgsql as $$
        begin
            perform nextval('tries');
            if exists (select from pg_locks where pid = pg_backend_pid() and relation = 'turns'::regclass and mode <> 'RowShareLock') then
                raise exception 'it waits for nobody';
            end if;
            if currval('tries') < 6 then
                perform pg_sleep(10);
            end if;
            return new;
        end $$;
        create trigger stand_in_the_way before insert on journal for each statement execute function stand_in_the_way();",
    );
    make_an_event(&store, 8).await.unwrap();
    assert_eq!(tries(&place).await, 6);
}

/// Or those who are in a batch with it, and all who come after them, would wait for minutes.
#[tokio::test]
async fn a_row_that_somebody_keeps_for_good_is_soon_told_of() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    let event = Fixture::new(&SeededIds::new(8), NOW, 1, 1);
    let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
    store.apply(NOW, &make).await.unwrap();
    let mut somebody = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut theirs = somebody.begin().await.unwrap();
    sqlx::query("select from events for update").execute(&mut *theirs).await.unwrap();
    let publish = [Request::new(ORGANIZER, event.publish())];
    let refused =
        tokio::time::timeout(Duration::from_secs(20), store.apply(NOW, &publish)).await.expect("it is told of").unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Contended);
    theirs.rollback().await.unwrap();
    assert!(store.apply(NOW, &publish).await.unwrap().answers[0].result.is_ok());
}
