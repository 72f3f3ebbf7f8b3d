//! The store: a pool of connections, and the transactions that everything runs in.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use evently_core::ports::{Ids, StoreError};
use sqlx::{
    PgPool, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};
use sqlx_core::migrate::MigrateError;

use crate::{elsewhere::OwnWrites, error::Fault, inspect::SERVER_MIN, schema};

/// How the store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the server is: `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// At most so many connections.
    pub connections: u32,
    /// How long a request waits for a connection.
    pub patience: Duration,
    /// How long one statement may take, and how long it may wait for a lock.
    pub statement_timeout: Duration,
    /// What keeps a seat from being sold twice.
    pub guards: Guards,
}

/// What keeps a seat from being sold twice, beside the constraint. Each of them is enough: tests take one away at a time to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Transactions are SERIALIZABLE, not READ COMMITTED. This is also what keeps an id from naming two things where no key does, a
    /// booking's at two events for instance.
    pub serializable: bool,
    /// Of a row only the version that was read is replaced.
    pub versions: bool,
}

impl Default for Guards {
    /// All of them.
    fn default() -> Self {
        Self { serializable: true, versions: true }
    }
}

impl Options {
    /// The defaults for a server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 16,
            patience: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(3),
            guards: Guards::default(),
        }
    }
}

/// Without the password that the URL may have.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error("the URL of the store is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    Url(#[source] sqlx::Error),
    /// The server is away, or does not let us in.
    #[error("the PostgreSQL server cannot be reached; check the host, the port, the user and the database of the store's URL")]
    Unreachable(#[source] sqlx::Error),
    /// The server is too old.
    #[error("the server is PostgreSQL {0}; 15 or newer is needed")]
    TooOld(String),
    /// The database was made by a newer version of Evently.
    #[error("the database has been written by a newer version of Evently; use that version")]
    Newer,
    /// The schema could not be brought to this version.
    #[error(
        "the database could not be brought to this version's schema; the user must own it, and it must be no other program's"
    )]
    Migration(#[source] MigrateError),
    /// It is no store.
    #[error("the database cannot be read as a store")]
    Unreadable(#[source] StoreError),
}

/// The store in a PostgreSQL database. A handle: clones share the pool.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) own: Arc<OwnWrites>,
    pool: PgPool,
    guards: Guards,
}

impl PgStore {
    /// Connects, and brings the database to this version's schema.
    pub async fn open(ids: Arc<dyn Ids>, options: &Options) -> Result<Self, OpenError> {
        let pool = migrated_pool(options).await?;
        let store = Self { ids, own: Arc::default(), pool, guards: options.guards };
        store.overlook_what_is_written().await.during("open").map_err(OpenError::Unreadable)?;
        Ok(store)
    }

    /// A transaction that reads, all of it as of one moment.
    pub(crate) async fn read(&self) -> Result<Tx, Fault> {
        self.start("begin isolation level repeatable read read only", None).await
    }

    /// A transaction that writes single rows by their keys.
    pub(crate) async fn write(&self) -> Result<Tx, Fault> {
        self.start("begin isolation level read committed", None).await
    }

    /// How a batch begins.
    pub(crate) const fn isolation(&self) -> &'static str {
        if self.guards.serializable { "begin isolation level serializable" } else { "begin isolation level read committed" }
    }

    pub(crate) const fn checks_versions(&self) -> bool {
        self.guards.versions
    }

    /// A transaction that may write to the journal: what is committed has to be [noted](Self::note_own_writes).
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        self.start(statement, Some(Arc::clone(&self.own))).await
    }

    async fn start(&self, statement: &'static str, own: Option<Arc<OwnWrites>>) -> Result<Tx, Fault> {
        Ok(Tx { open: self.pool.begin_with(statement).await?, own })
    }

    /// All rows that the statement finds, in a transaction of its own.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        let mut tx = self.read().await?;
        let rows = tx.all(sql, values).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The row that the statement finds, if it finds one, in a transaction of its own.
    pub(crate) async fn row(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        let mut tx = self.read().await?;
        let row = tx.one(sql, values).await?;
        tx.commit().await?;
        Ok(row)
    }
}

/// A pool of connections to a database that has this version's schema.
pub(crate) async fn migrated_pool(options: &Options) -> Result<PgPool, OpenError> {
    let pool = connect_lazily(options).map_err(OpenError::Url)?;
    check_version(&pool).await?;
    schema::migrator().run(&pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer,
        other => OpenError::Migration(other),
    })?;
    Ok(pool)
}

/// A pool that connects when it is first asked.
pub(crate) fn connect_lazily(options: &Options) -> Result<PgPool, sqlx::Error> {
    let connect = connect_options(options)?;
    Ok(PgPoolOptions::new().max_connections(options.connections).acquire_timeout(options.patience).connect_lazy_with(connect))
}

fn connect_options(options: &Options) -> Result<PgConnectOptions, sqlx::Error> {
    let connect = PgConnectOptions::from_str(&options.url)?.application_name("evently");
    let millis = options.statement_timeout.as_millis().to_string();
    Ok(connect.options([("statement_timeout", millis.as_str()), ("lock_timeout", millis.as_str())]))
}

async fn check_version(pool: &PgPool) -> Result<(), OpenError> {
    let mut tx = pool.begin().await.map_err(OpenError::Unreachable)?;
    let (number, name): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::integer, current_setting('server_version')")
            .fetch_one(&mut *tx)
            .await
            .map_err(OpenError::Unreachable)?;
    if number < SERVER_MIN { Err(OpenError::TooOld(name)) } else { Ok(()) }
}

/// A transaction. Dropped without a commit it is rolled back.
pub(crate) struct Tx {
    open: sqlx::Transaction<'static, Postgres>,
    /// Where its commit is announced, if it may write to the journal.
    own: Option<Arc<OwnWrites>>,
}

impl Tx {
    /// One that only reads, and announces nothing.
    pub(crate) async fn over(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { open: pool.begin_with("begin read only").await?, own: None })
    }

    /// The row of a statement without values that always finds one.
    pub(crate) async fn only(&mut self, sql: &'static str) -> Result<PgRow, Fault> {
        Ok(sqlx::query(sql).fetch_one(&mut *self.open).await?)
    }

    /// All rows that the statement finds.
    pub(crate) async fn all(&mut self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        Ok(sqlx::query_with(sql, values).fetch_all(&mut *self.open).await?)
    }

    /// The row that the statement finds, if it finds one.
    pub(crate) async fn one(&mut self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        Ok(sqlx::query_with(sql, values).fetch_optional(&mut *self.open).await?)
    }

    /// How many rows the statement wrote.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: PgArguments) -> Result<u64, Fault> {
        Ok(sqlx::query_with(sql, values).execute(&mut *self.open).await?.rows_affected())
    }

    pub(crate) async fn commit(self) -> Result<(), Fault> {
        let sending = self.own.as_deref().map(OwnWrites::sending);
        self.open.commit().await?;
        if let Some(sending) = sending {
            sending.arrived();
        }
        Ok(())
    }
}

/// The values of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "there may be none")]
        let mut values = sqlx::postgres::PgArguments::default();
        $(sqlx::Arguments::add(&mut values, $value).map_err(|error| $crate::error::Fault::Engine(sqlx::Error::Encode(error)))?;)*
        values
    }};
}
pub(crate) use values;

/// Gives the failures of an operation its name.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, Fault> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|fault| fault.during(operation))
    }
}
