//! Months are made ahead, and events stand in the month in which they begin.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, Command, EventChange, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Audit, Bookings, Catalog, Chores, EventFilter, Ids as _, Page, StoreErrorKind},
};
use evently_postgres::{MONTHS_AHEAD, Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use sqlx::Connection as _;

use crate::support::Place;

/// 2026-11-22.
const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

async fn store(place: &Place) -> PgStore {
    place.open_with(Arc::new(SeededIds::new(3)), &patient(place)).await
}

/// Statements wait here for as long as the test likes.
fn patient(place: &Place) -> Options {
    Options { statement_timeout: Duration::from_mins(1), ..place.options() }
}

async fn apply(store: &PgStore, requests: Vec<Request>) {
    let applied = store.apply(NOW, &requests).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
}

#[tokio::test]
async fn this_month_and_a_year_are_made_and_then_nothing_is_left_to_do() {
    let place = Place::new();
    let store = store(&place).await;
    assert_eq!(store.make_room(NOW).await.unwrap(), 13);
    assert_eq!(store.make_room(NOW).await.unwrap(), 0);
    assert_eq!(store.make_partitions(NOW, MONTHS_AHEAD).await.unwrap(), Vec::<String>::new());
    let there = store.partitions().await.unwrap();
    assert_eq!(there.len(), 14, "and the default one");
    let names = [0, 2, 12].map(|month: usize| there[month].name.as_str());
    assert_eq!(names, ["events_2026_11", "events_2027_01", "events_2027_11"]);
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

/// Whoever makes a month stands still when it has been attached, until nobody has this lock any more.
const STANDS_STILL: &str = "create function stands_still() returns event_trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(1); end $$;
    create event trigger attached on ddl_command_end when tag in ('ALTER TABLE') execute function stands_still()";
const STANDS: &str = "select exists (select from pg_locks where locktype = 'advisory' and objid = 1 and not granted \
    and database = (select oid from pg_database where datname = current_database()))";
/// So many wait for the table: of this database, because others have one of the same number.
macro_rules! waiting {
    ($count:literal) => {
        concat!(
            "select count(*) = ",
            $count,
            " from pg_locks l join pg_database d on d.oid = l.database \
             where d.datname = current_database() and relation = 'events'::regclass and not granted"
        )
    };
}

/// What is asked while the event is moved: by a connection that knows the statements already, or does not.
async fn asked_meanwhile(knows: bool, command: impl FnOnce(&Fixture, &SeededIds) -> Command) {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(3)), &Options { connections: 1, ..patient(&place) }).await;
    let (maker, auditor, reader) = (self::store(&place).await, self::store(&place).await, self::store(&place).await);
    let lister = self::store(&place).await;
    let ids = SeededIds::new(9);
    let event = Fixture::new(&ids, NOW, 2, 4);
    let make = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    apply(if knows { &store } else { &maker }, make.into()).await;
    // It begins in the month after this one.
    maker.make_partitions(NOW, 0).await.unwrap();
    place.execute(STANDS_STILL);
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    sqlx::query("select pg_advisory_lock(1)").execute(&mut other).await.unwrap();

    let makes = tokio::spawn(async move { maker.make_partitions(NOW, 1).await });
    until(&mut other, STANDS).await;
    let request = Request::new(SYSTEM, command(&event, &ids));
    let asks = tokio::spawn({
        let store = store.clone();
        async move { store.apply(NOW, &[request]).await }
    });
    let id = event.id();
    let audits = tokio::spawn(async move { auditor.event_records(id).await });
    let looks = tokio::spawn(async move { reader.event(id).await });
    let lists = tokio::spawn(async move {
        let filter = EventFilter { now: NOW, ..EventFilter::default() };
        lister.events(&filter, Page { after: None, limit: 10 }).await
    });
    until(&mut other, waiting!(4)).await;
    sqlx::query("select pg_advisory_unlock(1)").execute(&mut other).await.unwrap();
    assert!(!makes.await.unwrap().unwrap().is_empty());
    let answer = asks.await.unwrap().unwrap().answers.remove(0);
    assert!(answer.result.is_ok(), "known: {knows}: {answer:?}");
    assert!(audits.await.unwrap().unwrap().is_some(), "whoever checks the store finds it as well");
    assert!(looks.await.unwrap().unwrap().is_some(), "and so does whoever looks at it");
    assert_eq!(lists.await.unwrap().unwrap().len(), 1, "and so does whoever lists events");
    assert_eq!(store.events_without_a_month().await.unwrap(), 0);
    let records = store.event_records(event.id()).await.unwrap().unwrap();
    assert_eq!(evently_core::audit::check(&records, Some(&event.layout), NOW), []);
}

const WAITS_FOR_A_ROW: &str =
    "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'transactionid')";

async fn until(connection: &mut sqlx::PgConnection, so: &'static str) {
    let so = async {
        while !sqlx::query_scalar::<_, bool>(so).fetch_one(&mut *connection).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), so).await.expect("it comes to that");
}

fn hold(event: &Fixture, ids: &SeededIds) -> Command {
    Command::Hold {
        booking_id: BookingId::from_uuid(ids.uuid(NOW)),
        event_id: event.id(),
        user_id: UserId::from_uuid(ids.uuid(NOW)),
        seats: event.seats(&[0]),
        terms: HoldTerms::default(),
    }
}

fn renamed(event: &Fixture, _ids: &SeededIds) -> Command {
    Command::EditEvent {
        event_id: event.id(),
        change: EventChange { name: Some("Macbeth".to_owned()), ..EventChange::default() },
    }
}

/// They read as of a moment before the move, and would look for it where it is now.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_while_an_event_is_moved_finds_it() {
    for knows in [false, true] {
        asked_meanwhile(knows, hold).await;
        asked_meanwhile(knows, renamed).await;
    }
}

/// Each has what the other wants, and the server ends one of them.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_about_to_change_an_event_and_who_moves_it_both_do() {
    let place = Place::new();
    let (store, maker) = (store(&place).await, store(&place).await);
    let event = Fixture::new(&SeededIds::new(9), NOW, 2, 4);
    let make = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    apply(&store, make.into()).await;
    maker.make_partitions(NOW, 0).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut in_the_way = other.begin().await.unwrap();
    sqlx::query("select 1 from event_ids for update").execute(&mut *in_the_way).await.unwrap();

    let later =
        EventChange { start_time: Some(event.event.details.start_time + Duration::from_mins(1)), ..EventChange::default() };
    let request = Request::new(ORGANIZER, Command::EditEvent { event_id: event.id(), change: later });
    let edits = tokio::spawn({
        let store = store.clone();
        async move { store.apply(NOW, &[request]).await }
    });
    until(&mut in_the_way, WAITS_FOR_A_ROW).await;
    let makes = tokio::spawn(async move { maker.make_partitions(NOW, 1).await });
    until(&mut in_the_way, waiting!(1)).await;
    in_the_way.rollback().await.unwrap();
    assert_eq!(makes.await.unwrap().unwrap(), ["events_2026_12"]);
    let answer = edits.await.unwrap().unwrap().answers.remove(0);
    assert!(answer.result.is_ok(), "{answer:?}");
    assert_eq!(store.events_without_a_month().await.unwrap(), 0);
    assert_eq!(store.event(event.id()).await.unwrap().unwrap().version, 3);
}

/// As a backup does.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_for_long_keeps_the_maker_of_months_from_the_sale() {
    let place = Place::new();
    let (store, maker) = (store(&place).await, store(&place).await);
    let ids = SeededIds::new(9);
    let event = Fixture::new(&ids, NOW, 2, 4);
    let make = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    apply(&store, make.into()).await;
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut reads = other.begin().await.unwrap();
    sqlx::query("select from events").execute(&mut *reads).await.unwrap();

    let makes = tokio::spawn(async move { maker.make_partitions(NOW, 0).await });
    until(&mut reads, waiting!(1)).await;
    let request = Request::new(SYSTEM, hold(&event, &ids));
    let sells = tokio::time::timeout(Duration::from_secs(20), store.apply(NOW, &[request])).await;
    assert!(sells.expect("it waits for no reader").unwrap().answers[0].result.is_ok());
    reads.rollback().await.unwrap();
    assert_eq!(makes.await.unwrap().unwrap(), ["events_2026_11"]);
}

/// Whoever wants to have room made tries again the next time.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_for_ever_does_not_keep_the_maker_of_months_for_ever() {
    let place = Place::new();
    let maker = store(&place).await;
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut reads = other.begin().await.unwrap();
    sqlx::query("select from events").execute(&mut *reads).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_mins(2), maker.make_partitions(NOW, 0)).await;
    assert_eq!(given_up.expect("it is given up").unwrap_err().kind(), StoreErrorKind::Contended);
}
