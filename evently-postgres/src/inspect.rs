//! What there is to know of a server and a database before the store is opened. Nothing is changed.

use evently_core::domain::Timestamp;
use sqlx::Row as _;
use tokio::time::Instant;

use crate::{
    opening::{Found, OpenError, Problem, Way, could_be_prepared, find, prepared},
    options::Options,
    place::Place,
    schema::Schema,
};

const SERVER: &str = "select current_setting('server_version'), pg_is_in_recovery(), current_setting('max_connections')::integer, current_setting('fsync')::boolean, \
    current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_database()";
const REPLICAS: &str = "select count(*) from pg_stat_replication";
const TIME: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// A server and a database on it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The server's version, such as `15.14`.
    pub server: String,
    /// Why no store could be opened there, as far as can be told. A schema that would be brought up to date is no reason.
    pub problem: Option<Problem>,
    /// The database's name.
    pub database: String,
    /// Whether it only follows another server.
    pub is_replica: bool,
    /// Connections that the server takes, from everybody.
    pub connections_max: u32,
    /// What survives.
    pub durability: Durability,
    /// Replicas that follow it.
    pub replicas: u32,
    /// Migrations that it has had: [`SCHEMA_VERSION`](crate::SCHEMA_VERSION) when it is up to date, 0 when it is empty.
    pub schema: usize,
    /// What time it was by the server's clock, and when that was said.
    pub time: (Timestamp, Instant),
    /// Whether it has had migrations that this version does not know.
    pub schema_is_newer: bool,
}

/// What a commit that has been acknowledged survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: `fsync` or `synchronous_commit` is off.
    Nothing,
    /// A crash of the server. What was committed last is lost when a replica takes its place.
    Crash,
    /// That as well: a commit waits for a replica.
    Failover,
}

impl Durability {
    fn of(fsync: bool, synchronous_commit: &str, standbys: &str) -> Self {
        match (fsync, synchronous_commit) {
            (false, _) | (_, "off") => Self::Nothing,
            (true, "local") => Self::Crash,
            (true, _) if standbys.is_empty() => Self::Crash,
            (true, _) => Self::Failover,
        }
    }
}

/// Looks at the server and the database of these options.
pub async fn inspect(options: &Options) -> Result<Inspection, OpenError> {
    let way = Way::Url;
    let place = Place::parse(&options.url, options).map_err(|problem| problem.of(way))?;
    let mut found = find(&place, way, options.patience).await?;
    let looked = tokio::time::timeout(options.patience, look(options, &mut found, way)).await;
    let looked = looked.map_err(|late| Problem::Silent.because(way, late))?;
    looked.map_err(|error| Problem::Unreadable.because(way, error))
}

async fn look(options: &Options, found: &mut Found, way: Way) -> Result<Inspection, sqlx::Error> {
    let problem = could_be_prepared(options, found, way).await.err().map(|error| error.problem);
    let connection = &mut found.connection;
    let row = sqlx::raw_sql(SERVER).fetch_one(&mut *connection).await?;
    let replicas: i64 = sqlx::raw_sql(REPLICAS).fetch_one(&mut *connection).await?.try_get(0)?;
    let schema = Schema::of(connection).await?;
    let asked = Instant::now();
    let time: i64 = sqlx::raw_sql(TIME).fetch_one(&mut *connection).await?.try_get(0)?;
    let unsigned = |number: i64| u32::try_from(number).unwrap_or(0);
    Ok(Inspection {
        server: row.try_get(0)?,
        problem,
        database: row.try_get(6)?,
        is_replica: row.try_get(1)?,
        connections_max: unsigned(row.try_get::<i32, _>(2)?.into()),
        durability: Durability::of(row.try_get(3)?, row.try_get(4)?, row.try_get(5)?),
        replicas: unsigned(replicas),
        schema: schema.applied.len(),
        // Half of the journey there and back.
        time: (Timestamp::from_micros(time), asked + asked.elapsed() / 2),
        schema_is_newer: schema.is_newer(),
    })
}

/// Brings the database to this version's schema, which opening a store does too. How many migrations it took.
pub async fn migrate(options: &Options) -> Result<usize, OpenError> {
    let before = inspect(options).await?.schema;
    prepared(options).await?;
    Ok(inspect(options).await?.schema.saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_survives_what_the_server_waits_for() {
        use Durability::{Crash, Failover, Nothing};
        for (fsync, synchronous_commit, standbys, survives) in [
            (true, "on", "", Crash),
            (true, "on", "*", Failover),
            (true, "remote_apply", "first 1 (replica)", Failover),
            (true, "local", "*", Crash),
            (true, "off", "*", Nothing),
            (false, "on", "*", Nothing),
        ] {
            assert_eq!(Durability::of(fsync, synchronous_commit, standbys), survives, "{fsync} {synchronous_commit} {standbys}");
        }
    }
}
