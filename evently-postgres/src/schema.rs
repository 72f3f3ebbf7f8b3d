//! The schema and how a database comes to it. Migrations only go forward, each in a transaction of its own.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx_core::migrate::{Migration, MigrationType, Migrator};

macro_rules! migrations {
    ($(($version:literal, $name:literal)),* $(,)?) => {
        [$(($version, $name, include_str!(concat!("../migrations/", stringify!($version), "_", $name, ".sql")))),*]
    };
}

/// All migrations, in order.
#[expect(clippy::unreadable_literal, reason = "a version is a date and a time")]
const MIGRATIONS: &[(i64, &str, &str)] = &migrations![
    (20261122200000, "catalogue"),
    (20261122200100, "bookings"),
    (20261122200200, "journal"),
    (20261122200300, "accounts"),
    (20261122200400, "figures"),
    (20261122220000, "claims"),
    (20261123000000, "writers"),
    (20261126210000, "claims_end"),
    (20261126210100, "journal_by_batch"),
    (20261126210200, "bookings_fewer_indexes"),
];

/// The latest version of the schema that this build knows.
pub const VERSION: usize = MIGRATIONS.len();

/// Whether this build has the migration.
pub(crate) fn knows(version: i64) -> bool {
    MIGRATIONS.iter().any(|(known, ..)| *known == version)
}

/// A lock within the database keeps two processes from migrating at the same time; a database that is newer than us is an error.
pub(crate) fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}
