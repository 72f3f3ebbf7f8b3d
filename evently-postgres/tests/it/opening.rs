//! Whatever is wrong with a server or a database is told at the start, with the setting that it is about, and nothing hangs.

use std::{net::TcpListener, path::Path, str::FromStr as _, sync::Arc, time::Duration};

use evently_core::{
    domain::{Request, Timestamp},
    memory::SeededIds,
    ports::{Bookings as _, Catalog, StoreErrorKind},
};
use evently_postgres::{OpenError, Options, PgStore, Pooler, Problem, SCHEMA_VERSION, Way, inspect};
use evently_testkit::{Fixture, ORGANIZER};
use evently_testservers::{Database, PgBouncer, Postgres, fresh_database, shared_postgres};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use sqlx_core::migrate::Migrator;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpStream,
};

use crate::{pair::Pair, support::Place};

/// How long a server is waited for that does not come. One that is there answers sooner on a busy machine, too.
const BRIEF: Duration = Duration::from_secs(3);

async fn open(options: &Options) -> Result<PgStore, OpenError> {
    PgStore::open(Arc::new(SeededIds::new(1)), options).await
}

async fn refused(url: &str) -> OpenError {
    refused_by(&Options { patience: BRIEF, ..Options::new(url) }).await
}

async fn refused_by(options: &Options) -> OpenError {
    let error = open(options).await.err().expect("it does not open");
    for said in [format!("{error:?}"), error.to_string()] {
        assert!(!said.contains("hush"), "{said}");
    }
    error
}

/// What is seen to be in the way without opening anything.
async fn seen_at(options: &Options) -> Option<Problem> {
    inspect(options).await.unwrap().problem
}

/// A database of the shared server and a user who may only connect to it.
struct Guest {
    database: Database,
    name: String,
}

impl Guest {
    fn new() -> Self {
        let database = fresh_database().unwrap();
        let name = format!("guest_{}", database.name());
        database.execute(&format!("create role {name} login")).unwrap();
        Self { database, name }
    }

    fn url(&self) -> String {
        self.database.url().replace("//evently@", &format!("//{}@", self.name))
    }

    fn grant(&self, statement: &str) {
        self.database.execute(&format!("{statement} {}", self.name)).unwrap();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let name = &self.name;
        _ = self.database.query(&[&format!("drop owned by {name}"), &format!("drop role {name}")]);
    }
}

#[tokio::test]
async fn why_a_server_cannot_be_reached_is_said() {
    let there = shared_postgres().unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let gone = port(&TcpListener::bind("127.0.0.1:0").unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let long = "x".repeat(70);
    for (url, problem) in [
        ("postgres://evently:hush@[::1".to_owned(), Problem::Url),
        ("postgres://evently@localhost/evently?passwd=hush".to_owned(), Problem::Parameter("passwd".to_owned())),
        (format!("postgres://evently:hush@127.0.0.1:{gone}/evently"), Problem::Refused),
        (format!("postgres://evently:hush@127.0.0.1:{}/evently", port(&silent)), Problem::Silent),
        (format!("postgres://evently:hush@{long}.invalid/evently"), Problem::UnknownHost),
        (there.admin_url("nowhere"), Problem::NoDatabase),
        (there.admin_url("postgres").replace("//evently@", "//nobody:hush@"), Problem::Credentials),
        (format!("{}?sslmode=require", there.admin_url("postgres")), Problem::Tls),
    ] {
        let error = refused(&url).await;
        assert_eq!((error.way, error.problem), (Way::Url, problem), "{:?}", error.source);
    }
}

#[tokio::test]
async fn somebody_else_who_listens_there_is_no_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            // Until the other side has had enough.
            let _ = stream.readable().await;
        }
    });
    assert_eq!(refused(&format!("postgres://evently@127.0.0.1:{port}/evently")).await.problem, Problem::Unreachable);
}

/// Says to so many who come first that the server is starting, and lets the others through.
async fn starting(server: &str, times: usize) -> String {
    let said = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let refusal = [b"E", &u32::try_from(said.len() + 4).unwrap().to_be_bytes()[..], said].concat();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (before, after) = server.split_once("127.0.0.1:").unwrap();
    let (server_port, database) = after.split_once('/').unwrap();
    let there = format!("127.0.0.1:{server_port}");
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            let (there, refusal) = (there.clone(), refusal.clone());
            tokio::spawn(async move {
                if number < times {
                    let mut asked = [0; 1024];
                    assert!(client.read(&mut asked).await.unwrap() > 8, "who it is, and no TLS before");
                    client.write_all(&refusal).await.unwrap();
                } else {
                    let mut server = TcpStream::connect(there).await.unwrap();
                    _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    format!("{before}127.0.0.1:{port}/{database}?sslmode=disable")
}

#[tokio::test]
async fn a_server_that_is_starting_is_waited_for() {
    let database = fresh_database().unwrap();
    let error = refused(&starting(database.url(), usize::MAX).await).await;
    assert_eq!((error.way, error.problem), (Way::Url, Problem::NotYet));
    open(&Options::new(starting(database.url(), 3).await)).await.unwrap();
}

#[tokio::test]
async fn a_full_server_is_told_from_one_that_is_away() {
    let guest = Guest::new();
    guest.database.execute(&format!("alter role {} connection limit 0", guest.name)).unwrap();
    assert_eq!(refused(&guest.url()).await.problem, Problem::Full);
}

/// Nobody else gets in there, and whoever looks at it is told so.
#[tokio::test]
async fn who_has_a_connection_to_a_full_server_goes_on_with_it_after_a_doubt() {
    let guest = Guest::new();
    guest.grant(&format!("alter database {} owner to", guest.database.name()));
    let options = Options { connections: 1, patience: BRIEF, ..Options::new(guest.url()) };
    let store = open(&options).await.unwrap();
    until_ok(&store).await;
    guest.database.execute(&format!("alter role {} connection limit 1", guest.name)).unwrap();
    // What a server says that lets nobody in; this one says so, and goes on.
    let starting = "raise exception 'the database system is starting up' using errcode = '57P03'";
    for statement in [
        &format!("create function starting() returns trigger language plpgsql as $$ begin {starting}; end $$"),
        "create trigger starting before insert on venues execute function starting()",
    ] {
        guest.database.execute(statement).unwrap();
    }
    let now = Timestamp::from_secs(1_800_000_000);
    let venue = Fixture::new(&SeededIds::new(1), now, 1, 10).create_venue();
    let refused = store.apply(now, &[Request::new(ORGANIZER, venue)]).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
    until_ok(&store).await;
}

/// A replica beside it is no reason to look for another server.
#[tokio::test]
async fn who_has_a_connection_to_a_full_primary_goes_on_with_it_whatever_its_replica_says() {
    let pair = Pair::start();
    let as_owner = |statements: &[&str]| pair.primary.query("evently", statements).unwrap();
    as_owner(&["create role guest login", "alter database evently owner to guest"]);
    let url = |hosts: [u16; 2]| format!("postgres://guest@127.0.0.1:{},127.0.0.1:{}/evently", hosts[0], hosts[1]);
    let (primary, replica) = (pair.primary.port(), pair.replica.port());
    pair.replayed("select count(*) from pg_roles where rolname = 'guest'", "1").await;
    let options = Options { connections: 1, patience: BRIEF, ..Options::new(url([primary, replica])) };
    let store = open(&options).await.unwrap();
    until_ok(&store).await;
    // What a server says that lets nobody in; this one says so, and goes on.
    let starting = "raise exception 'the database system is starting up' using errcode = '57P03'";
    as_owner(&[
        &format!("create function starting() returns trigger language plpgsql as $$ begin {starting}; end $$"),
        "create trigger starting before insert on venues execute function starting()",
        "alter role guest connection limit 1",
    ]);
    let now = Timestamp::from_secs(1_800_000_000);
    let venue = Fixture::new(&SeededIds::new(1), now, 1, 10).create_venue();
    let error = store.apply(now, &[Request::new(ORGANIZER, venue)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    until_ok(&store).await;

    // Whoever begins is told what is wrong with the primary, not what it is with the replica.
    for hosts in [[primary, replica], [replica, primary]] {
        assert_eq!(refused(&url(hosts)).await.problem, Problem::Full);
    }
    pair.primary.kill();
    assert_eq!(refused(&url([replica, primary])).await.problem, Problem::Refused);
}

#[tokio::test]
async fn a_database_that_keeps_no_unicode_is_refused() {
    let database = fresh_database().unwrap();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", database.name(), encoding.to_lowercase());
        database.execute(&format!("create database {name} encoding '{encoding}' locale 'C' template template0")).unwrap();
        let url = database.url().replace(database.name(), &name);
        let (error, seen) = (refused(&url).await, seen_at(&Options::new(url)).await);
        database.execute(&format!("drop database {name} with (force)")).unwrap();
        assert_eq!(error.problem, Problem::Encoding(encoding.to_owned()));
        assert_eq!(seen, Some(error.problem));
    }
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_and_a_newer_or_broken_one_left_alone() {
    let database = fresh_database().unwrap();
    let migrator = Migrator::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))).await.unwrap();
    let third = migrator.iter().nth(2).unwrap().version;
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    migrator.run_to(third, &pool).await.unwrap();
    pool.close().await;
    let options = Options::new(database.url());
    assert_eq!(inspect(&options).await.unwrap().schema, 3);
    open(&options).await.unwrap();
    assert_eq!(inspect(&options).await.unwrap().schema, SCHEMA_VERSION);
    assert_eq!(seen_at(&options).await, None);

    database.execute(&format!("update _sqlx_migrations set success = false where version = {third}")).unwrap();
    assert_eq!(refused_by(&options).await.problem, Problem::HalfMigrated(third));
    database.execute("update _sqlx_migrations set success = true").unwrap();
    let later = "insert into _sqlx_migrations values (30000000000000, 'later', now(), true, '', 0)";
    database.execute(later).unwrap();
    assert_eq!(refused_by(&options).await.problem, Problem::Newer);
}

#[tokio::test]
async fn what_the_user_may_not_is_said() {
    let guest = Guest::new();
    assert_eq!(refused(&guest.url()).await.problem, Problem::MayNotMigrate);
    open(&Options::new(guest.database.url())).await.unwrap();
    guest.grant("grant select, insert, update, delete on all tables in schema public to");
    guest.grant("grant usage on all sequences in schema public to");
    open(&Options::new(guest.url())).await.expect("who only uses the tables needs not own them");
    guest.grant("revoke select on seats from");
    guest.grant("revoke insert, update on bookings from");
    assert_eq!(refused(&guest.url()).await.problem, Problem::MayNotUse("bookings, seats".to_owned()));
    assert_eq!(seen_at(&Options::new(guest.url())).await, Some(Problem::MayNotUse("bookings, seats".to_owned())));
    // Each right is needed, not one of them.
    guest.grant("grant select, insert, update on seats, bookings to");
    for right in ["select", "insert", "update", "delete"] {
        guest.grant(&format!("revoke {right} on booking_items from"));
        assert_eq!(refused(&guest.url()).await.problem, Problem::MayNotUse("booking_items".to_owned()), "{right}");
        guest.grant(&format!("grant {right} on booking_items to"));
    }
    open(&Options::new(guest.url())).await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_refused_until_it_does() {
    let database = fresh_database().unwrap();
    let read_only = |on| format!("alter database {} set default_transaction_read_only = {on}", database.name());
    database.execute(&read_only("on")).unwrap();
    assert_eq!(refused(database.url()).await.problem, Problem::ReadOnly);
    assert_eq!(seen_at(&Options::new(database.url())).await, Some(Problem::ReadOnly));

    let pair = Pair::start();
    open(&Options::new(pair.primary.url())).await.unwrap();
    assert_eq!(refused(&pair.replica.url()).await.problem, Problem::Replica);
    assert_eq!(seen_at(&Options::new(pair.replica.url())).await, Some(Problem::Replica));
    // Among several hosts the primary is found.
    let both = format!("postgres://evently@127.0.0.1:{},127.0.0.1:{}/evently", pair.replica.port(), pair.primary.port());
    open(&Options::new(both)).await.unwrap();
    pair.replica.promote().unwrap();
    open(&Options::new(pair.replica.url())).await.unwrap();
}

/// Each transaction gets any of its connections, with what somebody else has prepared there last.
#[tokio::test]
async fn a_store_is_opened_through_a_pooler_that_others_use_meanwhile() {
    let place = Place::new();
    let pooler = PgBouncer::before(shared_postgres().unwrap().port().unwrap()).unwrap();
    pooler.query("pgbouncer", &["set default_pool_size = 2", "set reserve_pool_size = 0"]).unwrap();
    let options = Options { url: pooler.url(place.database()), pooler: Pooler::Transaction, ..place.options() };
    let others = (0..4).map(|_| {
        let connect = PgConnectOptions::from_str(&options.url).unwrap().statement_cache_capacity(0);
        tokio::spawn(async move {
            let mut connection = connect.connect().await.unwrap();
            loop {
                sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
                sqlx::query("select $1::integer").bind(1).persistent(false).execute(&mut connection).await.unwrap();
                sqlx::raw_sql("commit").execute(&mut connection).await.unwrap();
            }
        })
    });
    let others = others.collect::<Vec<_>>();
    for _ in 0..20 {
        open(&options).await.unwrap();
    }
    for other in others {
        assert!(!other.is_finished(), "they have used it all the time");
        other.abort();
    }
}

#[tokio::test]
async fn a_direct_url_that_is_wrong_is_named() {
    let (empty, place) = (fresh_database().unwrap(), Place::new());
    let pooler = PgBouncer::before(shared_postgres().unwrap().port().unwrap()).unwrap();
    let direct_url = Some(empty.url().replace(empty.name(), "nowhere"));
    let url = pooler.url(empty.name());
    let options = Options { direct_url, pooler: Pooler::Transaction, url, ..place.options() };
    let error = refused_by(&options).await;
    assert_eq!((error.way, error.problem), (Way::DirectUrl, Problem::NoDatabase));
    let options = Options { direct_url: None, ..options };
    assert_eq!(seen_at(&options).await, Some(refused_by(&options).await.problem), "not migrated");
    let pair = Pair::start();
    let direct_url = Some(pair.replica.url());
    let options = Options { direct_url, pooler: Pooler::Transaction, ..Options::new(pair.primary.url()) };
    let error = refused_by(&options).await;
    assert_eq!((error.way, error.problem), (Way::DirectUrl, Problem::Replica));
}

#[tokio::test]
async fn a_password_that_is_wrong_is_refused_at_the_start_and_waited_out_later() {
    let server = Postgres::options().admits("host all app 127.0.0.1/32 scram-sha-256").start().unwrap();
    let own =
        ["create role app login password 'hush'", "alter database evently owner to app", "grant all on schema public to app"];
    server.query("evently", &own).unwrap();
    let url = |password| format!("postgres://app:{password}@127.0.0.1:{}/evently", server.port());
    assert_eq!(refused(&url("hushed")).await.problem, Problem::Credentials);
    let options = Options { patience: BRIEF, ..Options::new(url("hush")) };
    let store = open(&options).await.unwrap();
    let page = || evently_core::ports::Page { after: None, limit: 1 };
    store.venues(page()).await.unwrap();

    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";
    server.query("evently", &["alter role app password 'other'", end]).unwrap();
    let error = until_err(&store).await;
    assert_eq!(error.kind(), evently_core::ports::StoreErrorKind::Unavailable, "{error:?}");
    server.query("evently", &["alter role app password 'hush'"]).unwrap();
    until_ok(&store).await;
}

/// Waits until the store cannot be read, and why.
pub async fn until_err(store: &PgStore) -> evently_core::ports::StoreError {
    loop {
        if let Err(error) = store.event(evently_core::domain::EventId::from_uuid(uuid::Uuid::nil())).await {
            return error;
        }
    }
}

/// Waits until the store can be read again.
pub async fn until_ok(store: &PgStore) {
    let read = async {
        while store.event(evently_core::domain::EventId::from_uuid(uuid::Uuid::nil())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), read).await.expect("the store comes back");
}
