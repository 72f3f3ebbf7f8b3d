//! What there is to know of a server and a database before the store is opened. Nothing is changed.

use crate::{
    error::Fault,
    options::Options,
    pool::Pool,
    rows::get,
    schema,
    store::{During, OpenError, Tx, values},
};

/// The first version of the server that will do, as `server_version_num` says it.
pub(crate) const SERVER_MIN: i32 = 150_000;

const SERVER: &str = "select current_setting('server_version_num')::integer, current_setting('server_version'), \
    pg_is_in_recovery(), current_setting('max_connections')::integer, current_setting('fsync')::boolean, \
    current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_database()";
const REPLICAS: &str = "select count(*) from pg_stat_replication";
const MIGRATED: &str = "select to_regclass('_sqlx_migrations') is not null";
const APPLIED: &str = "select version from _sqlx_migrations where success order by version";

/// A server and a database on it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The server's version, such as `15.14`.
    pub server: String,
    /// Whether it is new enough.
    pub server_will_do: bool,
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
    let pool = Pool::lazily(options).map_err(OpenError::Url)?;
    let mut tx = Tx::over(&pool).await.map_err(OpenError::Unreachable)?;
    look(&mut tx).await.during("inspect").map_err(OpenError::Unreadable)
}

async fn look(tx: &mut Tx) -> Result<Inspection, Fault> {
    let row = tx.single(SERVER).await?;
    let number: i32 = get(&row, 0)?;
    let replicas: i64 = get(&tx.single(REPLICAS).await?, 0)?;
    let migrated: bool = get(&tx.single(MIGRATED).await?, 0)?;
    let applied = if migrated { tx.all(APPLIED, values![]).await? } else { Vec::new() };
    let applied = applied.iter().map(|row| get(row, 0)).collect::<Result<Vec<i64>, Fault>>()?;
    let unsigned = |number: i64| u32::try_from(number).unwrap_or(0);
    Ok(Inspection {
        server: get(&row, 1)?,
        server_will_do: number >= SERVER_MIN,
        database: get(&row, 7)?,
        is_replica: get(&row, 2)?,
        connections_max: unsigned(get::<i32>(&row, 3)?.into()),
        durability: Durability::of(get(&row, 4)?, get(&row, 5)?, get(&row, 6)?),
        replicas: unsigned(replicas),
        schema: applied.len(),
        schema_is_newer: !applied.iter().all(|version| schema::knows(*version)),
    })
}

/// Brings the database to this version's schema, which opening a store does too. How many migrations it took.
pub async fn migrate(options: &Options) -> Result<usize, OpenError> {
    let before = inspect(options).await?.schema;
    crate::store::migrated_pool(options).await?;
    Ok(inspect(options).await?.schema.saturating_sub(before))
}
