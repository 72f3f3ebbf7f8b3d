//! The schema and how a database comes to it. Migrations only go forward, each in a transaction of its own.

use std::borrow::Cow;

use sqlx::{PgConnection, Row as _, SqlSafeStr};
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
    (20261126210300, "taken_back"),
    (20261127070000, "payments_given_up"),
    (20261128050000, "turns"),
    (20261128200000, "terms_of_refunds"),
];

/// The latest version of the schema that this build knows.
pub const VERSION: usize = MIGRATIONS.len();

const MIGRATED: &str = "select to_regclass('_sqlx_migrations') is not null";
const APPLIED: &str = "select version, success from _sqlx_migrations order by version";

/// The migrations that a database has had.
pub(crate) struct Schema {
    pub(crate) applied: Vec<i64>,
    /// One that was begun and not ended.
    pub(crate) unfinished: Option<i64>,
}

impl Schema {
    /// Those of the database that this leads to.
    pub(crate) async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut schema = Self { applied: Vec::new(), unfinished: None };
        if !sqlx::raw_sql(MIGRATED).fetch_one(&mut *connection).await?.try_get::<bool, _>(0)? {
            return Ok(schema);
        }
        for row in sqlx::raw_sql(APPLIED).fetch_all(connection).await? {
            let version = row.try_get(0)?;
            if row.try_get(1)? { schema.applied.push(version) } else { schema.unfinished = Some(version) }
        }
        Ok(schema)
    }

    /// Whether it has had some that this build does not know.
    pub(crate) fn is_newer(&self) -> bool {
        !self.applied.iter().all(|version| MIGRATIONS.iter().any(|(known, ..)| known == version))
    }
}

/// The tables that the migrations make, without the parts of any.
pub(crate) fn tables() -> Vec<&'static str> {
    let lines = MIGRATIONS.iter().flat_map(|(.., sql)| sql.lines());
    let made = lines.filter_map(|line| line.strip_prefix("create table ")).filter(|rest| !rest.contains(" partition of "));
    made.filter_map(|rest| rest.split([' ', '(']).next()).collect()
}

/// A lock within the database keeps two processes from migrating at the same time; a database that is newer than us is an error.
pub(crate) fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_found_in_the_migrations() {
        let tables = tables();
        assert!(["events", "seats", "bookings", "journal", "inbox"].iter().all(|table| tables.contains(table)), "{tables:?}");
        assert!(!tables.contains(&"events_default"));
    }
}
