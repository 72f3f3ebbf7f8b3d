//! A database of an earlier version, opened by this one.

use std::{borrow::Cow, fs, path::Path, sync::Arc, time::Duration};

use evently_core::{
    domain::Timestamp,
    memory::{ManualClock, SeededIds},
    ports::{Claim, Outbox},
    services::Relay,
};
use evently_postgres::{Options, PgStore};
use evently_testservers::shared_postgres;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};
use sqlx_core::migrate::{Migration, MigrationType, Migrator};

/// The last migration of the version that kept a row for each entry of the journal, and claims that had ended.
const BEFORE: i64 = 20_261_123_000_000;

/// A booking for seats 4 and 5 that has given up seat 4, with two entries of the journal and one of somebody else between them.
const KEPT: [&str; 4] = [
    "insert into event_ids values ('00000000-0000-0000-0000-000000000001', now())",
    "insert into bookings (event_id, id, user_id, status, seats, prices, amount, currency, code, confirmed_at, created_at, version) \
        values ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000b', gen_random_uuid(), 'confirmed', \
            array[5], array[4500], 4500, 'EUR', 'CODE', now(), now(), 2)",
    "insert into booking_items select '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000b', seat, seat = 5 \
        from generate_series(4, 5) seat",
    "insert into journal (event_id, booking_id, content, position, hash) \
        select '00000000-0000-0000-0000-000000000001', booking::uuid, '{}', position, sha256(booking::bytea) \
        from (values ('00000000-0000-0000-0000-00000000000b', 1), ('00000000-0000-0000-0000-00000000000c', 2), \
            ('00000000-0000-0000-0000-00000000000b', 3)) j (booking, position)",
];

/// The migrations up to this one.
fn migrations_to(last: i64) -> Migrator {
    let mut files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let mut migrations = Vec::new();
    while let Some(file) = files.next().transpose().unwrap() {
        let path = file.path();
        let (version, name) = path.file_stem().and_then(|name| name.to_str()).unwrap().split_once('_').unwrap();
        if version.parse::<i64>().unwrap() <= last {
            migrations.push(migration(version.parse().unwrap(), name, &path));
        }
    }
    migrations.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(migrations)
}

fn migration(version: i64, name: &str, file: &Path) -> Migration {
    let sql = AssertSqlSafe(fs::read_to_string(file).unwrap()).into_sql_str();
    Migration::new(version, Cow::Owned(name.to_owned()), MigrationType::Simple, sql, false)
}

#[tokio::test]
async fn bookings_of_an_earlier_version_keep_their_history_and_their_claims() {
    let database = shared_postgres().unwrap().fresh_database().unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    migrations_to(BEFORE).run(&mut connection).await.unwrap();
    for statement in KEPT {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    PgStore::open(Arc::new(SeededIds::new(1)), &Options::new(database.url())).await.unwrap();
    let (history, claims): (Vec<i64>, Vec<i32>) =
        sqlx::query_as("select b.journal, array(select seat from booking_items) from bookings b")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!((history, claims), (vec![1, 3], vec![5]));
    let entries: Vec<i32> = sqlx::query_scalar("select entries from journal").fetch_all(&mut connection).await.unwrap();
    assert_eq!(entries, [1, 1, 1], "each is a line of its own");
}

/// The last migration of the version that handed entries on to the mails alone.
const BEFORE_CLAIMS: i64 = 20_261_122_200_400;

#[tokio::test]
async fn mails_that_an_earlier_version_has_sent_are_not_sent_again() {
    let database = shared_postgres().unwrap().fresh_database().unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    migrations_to(BEFORE_CLAIMS).run(&mut connection).await.unwrap();
    let sent = "insert into consumers (name, position) values ('notifications', 7)";
    sqlx::query(sent).execute(&mut connection).await.unwrap();
    let store = PgStore::open(Arc::new(SeededIds::new(1)), &Options::new(database.url())).await.unwrap();
    assert_eq!(store.position(Relay::CONSUMER).await.unwrap(), 7);
    let claim = Claim::new(&SeededIds::new(2), &ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    assert_eq!(store.claim(Relay::CONSUMER, &claim).await.unwrap(), Some(7), "it is nobody's yet");
}

const TWO_WAIT: &str = "select count(*) >= 2 from pg_stat_activity \
    where datname = current_database() and wait_event_type = 'Lock'";

/// Both have found the database as it was before either is through with the first migration.
#[tokio::test]
async fn of_two_who_come_up_with_a_new_version_at_once_one_migrates_and_the_other_waits() {
    let database = shared_postgres().unwrap().fresh_database().unwrap();
    let mut holder = PgConnection::connect(database.url()).await.unwrap();
    migrations_to(BEFORE).run(&mut holder).await.unwrap();
    let mut watcher = PgConnection::connect(database.url()).await.unwrap();
    // What has been done can be read, and nothing written down.
    sqlx::raw_sql("begin; lock table _sqlx_migrations in share mode").execute(&mut holder).await.unwrap();
    let options = Options { connections: 4, ..Options::new(database.url()) };
    let opened = || PgStore::open(Arc::new(SeededIds::new(1)), &options);
    let goes_away = async {
        while !sqlx::query_scalar::<_, bool>(TWO_WAIT).fetch_one(&mut watcher).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
        Ok(())
    };
    tokio::try_join!(opened(), opened(), goes_away).unwrap();
}
