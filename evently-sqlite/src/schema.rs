//! The schema and how a file comes to it. Migrations only go forward, each in a transaction of its own.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// Marks a file as ours: `EVLY` in the header's application id.
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"EVLY");

struct Migration {
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(Migration { name: $name, sql: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

/// All migrations, in order. A file's `user_version` says how many of them it has had.
const MIGRATIONS: &[Migration] = &migrations![
    "20261122090000_catalogue",
    "20261122090100_bookings",
    "20261122090200_journal",
    "20261122090300_answers",
    "20261122090400_accounts",
    "20261122090500_figures",
    "20261122180000_hot_paths",
    "20261122190000_due_by_provider",
    "20261122190100_sessions_end",
    "20261122220000_claims",
    "20261126210000_taken_back",
    "20261127070000_payments_given_up",
    "20261128200000_terms_of_refunds",
];

/// The latest version of the schema that this build knows.
pub const VERSION: usize = MIGRATIONS.len();

/// Says of a file which migrations it has had, for whoever looks into it with another tool.
const CREATE_LOG: &str = "create table if not exists migrations (
    version integer,
    name text not null,
    applied_by text not null,
    constraint migrations_pk primary key (version),
    constraint migrations_name_unique unique (name)
) strict";

/// A migration that did not go through. The file is as it was before it.
#[derive(Debug, thiserror::Error)]
#[error("the migration {name} failed")]
pub(crate) struct MigrationFailed {
    /// The migration.
    pub(crate) name: &'static str,
    /// Why.
    pub(crate) source: rusqlite::Error,
}

/// How many migrations the file has had.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

/// Applies those migrations that the file has not had, and says whether there were any to begin with. Of several processes that do so at the
/// same time each migration is done by one.
pub(crate) fn migrate(connection: &mut Connection) -> Result<bool, MigrationFailed> {
    let mut any = false;
    for (i, migration) in MIGRATIONS.iter().enumerate() {
        any |= step(connection, i, migration).map_err(|source| MigrationFailed { name: migration.name, source })?;
    }
    Ok(any)
}

fn step(connection: &mut Connection, had: usize, migration: &Migration) -> rusqlite::Result<bool> {
    if version(connection)? > had {
        return Ok(false);
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if version(&tx)? == had {
        apply(&tx, had + 1, migration)?;
    }
    tx.commit()?;
    Ok(true)
}

fn apply(tx: &Transaction<'_>, version: usize, migration: &Migration) -> rusqlite::Result<()> {
    tx.execute_batch(migration.sql)?;
    tx.execute_batch(CREATE_LOG)?;
    let version = i64::try_from(version).expect("there are few migrations");
    let log = "insert into migrations (version, name, applied_by) values (?1, ?2, ?3)";
    tx.execute(log, params![version, migration.name, env!("CARGO_PKG_VERSION")])?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_in_the_order_of_their_names() {
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn migrating_twice_does_nothing_more() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection).unwrap());
        assert!(!migrate(&mut connection).unwrap());
        assert_eq!(version(&connection).unwrap(), VERSION);
        let logged = connection.query_one("select count(*) from migrations", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(usize::try_from(logged).unwrap(), VERSION);
    }

    /// A file as it was before the migration of this name, with these rows, once it has had that and all others.
    fn migrated_from(name: &str, rows: &str) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = MIGRATIONS.iter().position(|migration| migration.name.ends_with(name)).unwrap();
        for (had, migration) in MIGRATIONS[..before].iter().enumerate() {
            step(&mut connection, had, migration).unwrap();
        }
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn refunds_that_were_there_get_the_provider_of_their_payment() {
        let rows = "pragma foreign_keys = off;
            insert into payments values (randomblob(16), randomblob(16), 1, 9, 'EUR', 'succeeded', null, 1, 'till', null, 9, 1);
            insert into refunds select randomblob(16), id, booking_id, 1, 9, 'EUR', 'late', null, 2 from payments;";
        let connection = migrated_from("due_by_provider", rows);
        let kept = "select r.provider, r.amount, r.created_at, r.payment_id = p.id from refunds r, payments p";
        let kept = connection.query_one(kept, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
        assert_eq!(kept.unwrap(), ("till".to_owned(), 9, 2, true));
    }

    #[test]
    fn money_that_had_been_sent_back_is_not_owed_again() {
        let rows = "pragma foreign_keys = off;
            insert into payments values (randomblob(16), randomblob(16), 1, 9, 'EUR', 'succeeded', null, 1, 'till', null, 9, 1);
            insert into refunds select randomblob(16), id, booking_id, 1, 9, 'EUR', 'late', 3, 2 from payments;";
        let connection = migrated_from("due_by_provider", rows);
        let sent = connection.query_one("select succeeded_at from refunds", [], |row| row.get::<_, Option<i64>>(0));
        assert_eq!(sent.unwrap(), Some(3));
    }

    #[test]
    fn mails_that_had_been_sent_are_not_sent_again() {
        let rows = "insert into consumers (name, position) values ('notifications', 7)";
        let connection = migrated_from("claims", rows);
        let handed_on = "select position from consumers where name = 'relay' and owner is null";
        assert_eq!(connection.query_one(handed_on, [], |row| row.get::<_, i64>(0)).unwrap(), 7);
    }

    #[test]
    fn what_had_been_answered_is_answered_still() {
        let rows = "insert into answers (key, fingerprint, at, content) values
            (zeroblob(32), zeroblob(32), 1, 'first'), (randomblob(32), zeroblob(32), 2, 'second');";
        let connection = migrated_from("hot_paths", rows);
        let mut kept = connection.prepare("select answer_key, at, content from answers order by answer_key").unwrap();
        let kept = kept.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let expected = [(1, 1, "first"), (2, 2, "second")].map(|(number, at, content)| (number, at, content.to_owned()));
        assert_eq!(kept.collect::<Result<Vec<(i64, i64, String)>, _>>().unwrap(), expected);
    }

    #[test]
    fn every_table_is_strict_and_every_constraint_has_a_name() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut tables = connection.prepare("select name, sql from sqlite_schema where type = 'table'").unwrap();
        let tables = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        for (name, sql) in tables.map(Result::unwrap) {
            let (columns, options) = sql.rsplit_once(')').unwrap();
            assert!(options.contains("strict"), "{name}");
            for line in columns.lines().map(str::trim) {
                let unnamed = ["primary key", "unique", "check", "foreign key", "references"];
                assert!(!unnamed.iter().any(|word| line.starts_with(word)), "{name}: {line}");
            }
        }
    }
}
