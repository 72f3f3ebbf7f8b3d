//! One handle outlives its servers: the one that can be written to is found again, without a restart.

use std::{fs, sync::Arc, time::Duration};

use evently_core::{
    domain::{Request, SeatStatus, SessionId, Timestamp},
    memory::{ManualClock, MemorySeatFeed, SeededIds},
    ports::{Bookings, Catalog, Page, Sessions, StoreErrorKind},
    services::{BoxOffice, EventService, OfficeSize},
};
use evently_postgres::{Options, PgStore, Pooler, Time};
use evently_testkit::{Fixture, ORGANIZER};
use evently_testservers::{PgBouncer, Postgres, Proxy};
use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::Connection as _;
use tokio::{sync::broadcast::error::TryRecvError, task::JoinSet};
use uuid::Uuid;

use crate::{
    elsewhere::{hold_of, on_sale},
    opening::{until_err, until_ok},
    pair::Pair,
    support::{Place, until_said},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn impatient(url: impl Into<String>) -> Options {
    let brief = Duration::from_secs(2);
    Options { connections: 4, patience: brief, statement_timeout: brief, time: Time::Caller, ..Options::new(url) }
}

async fn open(options: &Options) -> PgStore {
    PgStore::open(Arc::new(SeededIds::new(7)), options).await.unwrap()
}

fn both(pair: &Pair) -> String {
    format!("postgres://evently@127.0.0.1:{},127.0.0.1:{}/evently", pair.primary.port(), pair.replica.port())
}

/// Makes a venue, as soon as it can be made.
async fn make_venue(store: &PgStore, seed: u64) {
    let event = Fixture::new(&SeededIds::new(seed), NOW, 1, 10);
    let make = async {
        while let Err(error) = store.apply(NOW, &[Request::new(ORGANIZER, event.create_venue())]).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        }
    };
    tokio::time::timeout(Duration::from_mins(1), make).await.expect("a server that can be written to is found");
}

const VENUES: &str = "select count(*) from venues";

fn venues(server: &Postgres) -> String {
    server.query("evently", &[VENUES]).unwrap()
}

#[tokio::test]
async fn when_the_replica_takes_over_the_same_handle_goes_on_there() {
    let pair = Pair::start();
    let store = open(&impatient(both(&pair))).await;
    make_venue(&store, 1).await;
    pair.replayed(VENUES, "1").await;
    pair.primary.kill();
    pair.replica.promote().unwrap();
    make_venue(&store, 2).await;
    assert_eq!(venues(&pair.replica), "2");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_any_more_is_left() {
    let pair = Pair::start();
    let store = open(&impatient(both(&pair))).await;
    make_venue(&store, 1).await;
    pair.replayed(VENUES, "1").await;
    pair.replica.promote().unwrap();
    // As if it had become the replica: those who are connected stay so, and are refused.
    pair.primary.query("evently", &["alter system set default_transaction_read_only = on", "select pg_reload_conf()"]).unwrap();
    // A server takes its settings in when it comes to it, and tells those that are connected before it lets anybody in.
    let refuses = || pair.primary.query("evently", &["show default_transaction_read_only"]).unwrap() == "on";
    crate::pair::until("the settings are taken in", refuses).await;
    make_venue(&store, 2).await;
    assert_eq!((venues(&pair.primary), venues(&pair.replica)), ("1".to_owned(), "2".to_owned()));
}

/// Whoever is connected to the pooler stays so, and is told by the first transaction that the server does not know its isolation level.
#[tokio::test]
async fn a_primary_that_comes_back_as_a_replica_behind_its_pooler_is_left() {
    let pair = Pair::start();
    let poolers = [&pair.primary, &pair.replica].map(|server| PgBouncer::start(server).unwrap());
    let [first, second] = poolers.each_ref().map(|pooler| pooler.url("evently"));
    let (hosts, port) = (first.strip_suffix("/evently").unwrap(), second.rsplit_once(':').unwrap().1);
    let direct_url = Some(pair.primary.url());
    let url = format!("{hosts},127.0.0.1:{port}");
    let store = open(&Options { pooler: Pooler::Transaction, direct_url, ..impatient(url) }).await;
    make_venue(&store, 1).await;
    pair.replayed(VENUES, "1").await;
    pair.replica.promote().unwrap();
    pair.primary.stop().unwrap();
    fs::write(pair.primary.socket_folder().join("data/standby.signal"), "").unwrap();
    pair.primary.restart().unwrap();
    make_venue(&store, 2).await;
    assert_eq!((venues(&pair.primary), venues(&pair.replica)), ("1".to_owned(), "2".to_owned()));
}

/// Which is a mistake of whoever has promoted one. What was acknowledged is where the store is.
#[tokio::test]
async fn where_two_can_be_written_to_the_store_stays_at_the_one_that_it_has() {
    let pair = Pair::start();
    // Whoever begins to look has the other one first.
    let url = format!("postgres://evently@127.0.0.1:{},127.0.0.1:{}/evently", pair.replica.port(), pair.primary.port());
    let store = open(&Options { connections: 4, time: Time::Caller, ..Options::new(url) }).await;
    make_venue(&store, 1).await;
    pair.replayed(VENUES, "1").await;
    pair.replica.promote().unwrap();
    for seed in 2..=4 {
        // One that somebody has just used is given to the next without a look, who then doubts.
        store.venues(Page { after: None, limit: 1 }).await.unwrap();
        let others = "datname = current_database() and pid <> pg_backend_pid()";
        let cut = format!("select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where {others}");
        pair.primary.query("evently", &[&cut]).unwrap();
        make_venue(&store, seed).await;
    }
    assert_eq!((venues(&pair.primary), venues(&pair.replica)), ("4".to_owned(), "1".to_owned()));
}

/// What is committed from here on is lost with the primary.
async fn cut_off(pair: &Pair) {
    pair.replica.query("evently", &["alter system set primary_conninfo = ''", "select pg_reload_conf()"]).unwrap();
    let apart = || pair.primary.query("evently", &["select count(*) from pg_stat_replication"]).unwrap() == "0";
    crate::pair::until("the replica follows no more", apart).await;
}

/// Who shows seats has told everybody of a hold that the new primary has never heard of.
#[tokio::test]
async fn what_was_lost_with_the_primary_is_shown_to_nobody_any_more() {
    let pair = Pair::start();
    let (store, ids) = (Arc::new(open(&impatient(both(&pair))).await), Arc::new(SeededIds::new(1)));
    let event = on_sale(&store, &ids).await;
    pair.replayed("select count(*) from seats", "200").await;
    cut_off(&pair).await;

    let (feed, clock) = (Arc::new(MemorySeatFeed::beside_others(store.clone(), 7)), Arc::new(ManualClock::new(NOW)));
    let (office, work) = BoxOffice::open(store.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    let service = EventService::new(office.clone(), store.clone(), feed, clock, ids.clone());
    tokio::spawn(work);
    service.seat_map(event.id()).await.unwrap();
    office.submit(hold_of(&ids, &event, 3)).await.unwrap();
    let held = service.seat_map(event.id()).await.unwrap();
    assert_eq!(held.statuses()[3], SeatStatus::Reserved);
    let mut follower = service.subscribe(event.id(), Some(held.seq())).await.unwrap();
    pair.primary.kill();
    pair.replica.promote().unwrap();
    let noticed = async { while service.refresh().await.is_err() {} };
    tokio::time::timeout(Duration::from_mins(1), noticed).await.expect("the new primary is found");

    let map = service.seat_map(event.id()).await.unwrap();
    assert_eq!(map.statuses()[3], SeatStatus::Available);
    assert!(follower.deltas.try_recv().is_err_and(|error| error == TryRecvError::Closed), "who followed begins anew");
    // However often seats change from then on.
    office.submit(hold_of(&ids, &event, 4)).await.unwrap();
    assert!(service.subscribe(event.id(), Some(held.seq())).await.unwrap().snapshot.is_some());
}

/// The new server numbers its transactions like those that were lost.
#[tokio::test]
async fn what_is_taken_back_after_a_failover_is_told_to_those_who_knew_more() {
    let pair = Pair::start();
    let store = open(&impatient(both(&pair))).await;
    cut_off(&pair).await;
    let burn = |server: &Postgres| {
        for _ in 0..50 {
            server.query("evently", &["select pg_current_xact_id()"]).unwrap();
        }
    };
    burn(&pair.primary);
    let mark = store.taken_back(0).await.unwrap().mark;
    pair.primary.kill();
    pair.replica.promote().unwrap();
    let id = Uuid::from_u128(1);
    pair.replica.query("evently", &[&format!("insert into taken_back (session_id) values ('{id}')")]).unwrap();
    burn(&pair.replica);
    burn(&pair.replica);
    let told = async {
        loop {
            if let Ok(told) = store.taken_back(mark).await {
                return told;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_mins(1), told).await.expect("the new primary is found");
    assert!(told.mark > mark, "as if it were the same server");
    assert_eq!(told.sessions, [SessionId::from_uuid(id)]);
    assert!(store.taken_back(told.mark).await.unwrap().sessions.is_empty(), "it is told once");
}

/// Nobody looks whether a connection is still there that somebody has just used.
#[tokio::test]
async fn connections_that_are_cut_between_two_requests_cost_nobody_an_answer() {
    let place = Place::new();
    let store = open(&place.options()).await;
    for seed in 1..=3 {
        let event = Fixture::new(&SeededIds::new(seed), NOW, 1, 10);
        // All that there are.
        let look = || store.venues(Page { after: None, limit: 1 });
        tokio::try_join!(look(), look(), look(), look()).unwrap();
        let cut = || {
            let others = "datname = current_database() and pid <> pg_backend_pid()";
            // Waits until they are gone: one that is yet to hear of it would begin, and be cut in the middle.
            place.execute(&format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where {others}"));
        };
        cut();
        store.apply(NOW, &[Request::new(ORGANIZER, event.create_venue())]).await.unwrap();
        cut();
        look().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_was_down_or_hung_is_used_again() {
    let server = Postgres::options().durable(true).start().unwrap();
    let store = open(&impatient(server.url())).await;
    make_venue(&store, 1).await;
    server.kill();
    assert_eq!(until_err(&store).await.kind(), StoreErrorKind::Unavailable);
    server.restart().unwrap();
    until_ok(&store).await;
    make_venue(&store, 2).await;

    server.pause();
    for _ in 0..3 {
        let error = store.venues(Page { after: None, limit: 1 }).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    }
    server.resume();
    until_ok(&store).await;
    make_venue(&store, 3).await;
    assert_eq!(venues(&server), "3");
}

/// There is an alert for it. The figures are of this test alone, which runs on one thread.
#[tokio::test]
async fn a_server_that_is_away_is_in_the_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (figures, _here) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let server = Postgres::options().durable(true).start().unwrap();
    let store = open(&impatient(server.url())).await;
    until_said(&figures, "postgres_up 1").await;
    server.kill();
    until_err(&store).await;
    until_said(&figures, "postgres_up 0").await;
    server.restart().unwrap();
    until_said(&figures, "postgres_up 1").await;
}

/// Long enough to connect on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// A lock that everybody waits for who wants to know of venues.
struct Locked(sqlx::PgConnection);

impl Locked {
    async fn at(place: &Place) -> Self {
        const LOCK: &str = "begin; lock table venues in access exclusive mode";
        let mut connection = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
        sqlx::raw_sql(LOCK).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Waits until so many wait for it.
    async fn until_wanted_by(&mut self, callers: i64) {
        const WAITING: &str =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        // Within a transaction nobody is seen who has connected since the first look.
        const LOOK_AGAIN: &str = "select pg_stat_clear_snapshot()";
        let waiting = async {
            while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut self.0).await.unwrap() < callers {
                tokio::time::sleep(Duration::from_millis(10)).await;
                sqlx::raw_sql(LOOK_AGAIN).execute(&mut self.0).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("they wait for the lock");
    }

    async fn free(mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.unwrap();
    }
}

/// As by a firewall that was restarted: nobody hears that they are gone, and all of them are in use.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_forgotten_on_the_way_are_given_up() {
    let place = Place::new();
    let proxy = Proxy::before(&place.options().url).unwrap();
    let options =
        Options { connections: 2, patience: PATIENCE, statement_timeout: Duration::from_secs(5), ..impatient(proxy.url()) };
    let store = open(&options).await;
    let mut locked = Locked::at(&place).await;
    let callers = [1, 2].map(|seed| {
        let store = store.clone();
        let make = Fixture::new(&SeededIds::new(seed), NOW, 1, 10).create_venue();
        tokio::spawn(async move { store.apply(NOW, &[Request::new(ORGANIZER, make)]).await })
    });
    locked.until_wanted_by(2).await;
    proxy.strand();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    locked.free().await;
    make_venue(&store, 3).await;
}

/// Nobody who waits for an answer is there to see that none comes: a connection on its way back to the pool is asked whether it is
/// whole, and is waited for without end.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_forgotten_while_nobody_waited_for_them_are_given_up() {
    let place = Place::new();
    let proxy = Proxy::before(&place.options().url).unwrap();
    let options =
        Options { connections: 2, patience: PATIENCE, statement_timeout: Duration::from_mins(1), ..impatient(proxy.url()) };
    let store = open(&options).await;
    let mut locked = Locked::at(&place).await;
    let callers = [1, 2].map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.venues(Page { after: None, limit: 1 }).await.map(drop) })
    });
    locked.until_wanted_by(2).await;
    proxy.strand();
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    locked.free().await;
    make_venue(&store, 3).await;
}

/// As after a failover: those who are connected are busy, and whoever connects now finds a server that answers, from what it has been told.
#[tokio::test]
async fn nothing_is_read_from_a_server_that_takes_no_writes() {
    const CALLERS: u32 = 4;
    let place = Place::new();
    let patient = Duration::from_mins(2);
    let options = Options { connections: CALLERS, patience: PATIENCE, statement_timeout: patient, ..place.options() };
    let store = open(&options).await;
    let locked = Locked::at(&place).await;
    place.execute(&format!("alter database \"{}\" set default_transaction_read_only = on", place.database()));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move { store.venues(Page { after: None, limit: 1 }).await });
    }
    // All that could read wait for the lock.
    let first = tokio::time::timeout(Duration::from_mins(1), callers.join_next()).await.expect("somebody is refused");
    assert_eq!(first.unwrap().unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    locked.free().await;
}
