//! The store: a pool of connections, and the transactions that everything runs in.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use evently_core::ports::{Ids, StoreError};
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, SqlSafeStr, SqlStr,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
};
use sqlx_core::migrate::MigrateError;

use crate::{
    elsewhere::Writer,
    error::Fault,
    inspect::{SERVER_MIN, inspect},
    schema,
};

/// How the store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the server is: `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Where the same database is without a pooler between; the schema is brought up to date there. Only a pooled one needs it.
    pub direct_url: Option<String>,
    /// Who else stands between.
    pub pooler: Pooler,
    /// At most so many connections.
    pub connections: u32,
    /// How long a request waits for a connection.
    pub patience: Duration,
    /// How long one statement may take, and how long it may wait for a lock.
    pub statement_timeout: Duration,
    /// What keeps a seat from being sold twice.
    pub guards: Guards,
}

/// What stands between us and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// Nothing: a connection is ours as long as we keep it.
    #[default]
    None,
    /// A pooler such as `PgBouncer` that gives a connection to somebody else after each transaction. So nothing is done outside of one,
    /// and nothing is kept from one to the next: no prepared statements, no settings, no locks.
    Transaction,
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
            direct_url: None,
            pooler: Pooler::None,
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
    /// The direct URL is none.
    #[error("the direct URL of the store is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    DirectUrl(#[source] sqlx::Error),
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
    /// The schema is not of this version, and could not be brought to it through a pooler.
    #[error(
        "the database has {found} of {known} migrations, and the rest cannot be made through a pooler; \
         give a direct URL as well, or migrate the database beforehand"
    )]
    NotMigrated {
        /// Migrations that it has had.
        found: usize,
        /// Those there are.
        known: usize,
    },
    /// It is no store.
    #[error("the database cannot be read as a store")]
    Unreadable(#[source] StoreError),
}

/// Begins a transaction whose statements are planned once and find their rows by indexes, however small a table still is: one that is
/// read as a whole is also locked as a whole against every other batch.
macro_rules! begin_by_keys {
    ($level:literal) => {
        concat!(
            "begin isolation level ",
            $level,
            "; set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off",
            // A scan of the one row of a table counts as so dear then that the server would compile the statement.
            "; set local jit = off"
        )
    };
}

/// The store in a PostgreSQL database. A handle: clones share the pool.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) writer: Arc<Writer>,
    pool: PgPool,
    session: Session,
    guards: Guards,
}

impl PgStore {
    /// Connects, and brings the database to this version's schema.
    pub async fn open(ids: Arc<dyn Ids>, options: &Options) -> Result<Self, OpenError> {
        let pool = migrated_pool(options).await?;
        let mut store = Self { ids, writer: Arc::default(), pool, session: Session::of(options), guards: options.guards };
        store.writer = Arc::new(Writer::new(&store).await.during("open").map_err(OpenError::Unreadable)?);
        Ok(store)
    }

    /// A transaction that reads, all of it as of one moment.
    pub(crate) async fn read(&self) -> Result<Tx, Fault> {
        self.begin("begin isolation level repeatable read read only").await
    }

    /// A transaction that writes rows by their keys.
    pub(crate) async fn write(&self) -> Result<Tx, Fault> {
        self.begin(begin_by_keys!("read committed")).await
    }

    /// How a batch begins.
    pub(crate) const fn batch(&self) -> &'static str {
        if self.guards.serializable { begin_by_keys!("serializable") } else { begin_by_keys!("read committed") }
    }

    pub(crate) const fn checks_versions(&self) -> bool {
        self.guards.versions
    }

    /// A transaction that begins with this statement.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        let begin = self.session.begin(statement);
        Ok(Tx { open: self.pool.begin_with(begin).await?, keeps_statements: self.session.keeps_statements() })
    }

    /// All rows that the statement finds, in a transaction of its own: a statement alone is one.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        if self.session.keeps_statements() {
            return Ok(sqlx::query_with(sql, values).fetch_all(&self.pool).await?);
        }
        let mut tx = self.read().await?;
        let rows = tx.all(sql, values).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The row that the statement finds, if it finds one, in a transaction of its own.
    pub(crate) async fn row(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
}

/// What is kept of a connection between transactions, and what has to be said anew in each.
#[derive(Clone)]
struct Session {
    /// Where nothing is kept: the limits that each transaction begins with.
    limits: Option<String>,
}

impl Session {
    fn of(options: &Options) -> Self {
        let millis = options.statement_timeout.as_millis();
        let limits = || format!("; set local statement_timeout = {millis}; set local lock_timeout = {millis}");
        Self { limits: (options.pooler == Pooler::Transaction).then(limits) }
    }

    /// Whether a statement that was prepared is still there later.
    const fn keeps_statements(&self) -> bool {
        self.limits.is_none()
    }

    /// How a transaction begins: in one journey, whatever has to be said.
    fn begin(&self, statement: &'static str) -> SqlStr {
        match &self.limits {
            None => statement.into_sql_str(),
            Some(limits) => AssertSqlSafe(format!("{statement}{limits}")).into_sql_str(),
        }
    }
}

/// A pool of connections to a database that has this version's schema.
pub(crate) async fn migrated_pool(options: &Options) -> Result<PgPool, OpenError> {
    let pool = connect_lazily(options).map_err(OpenError::Url)?;
    check_version(&pool).await?;
    match (options.pooler, &options.direct_url) {
        (Pooler::None, _) => migrate(&pool).await?,
        (Pooler::Transaction, Some(url)) => {
            let direct = Options { url: url.clone(), pooler: Pooler::None, connections: 1, ..options.clone() };
            migrate(&connect_lazily(&direct).map_err(OpenError::DirectUrl)?).await?;
        }
        // The lock that keeps two processes from migrating at the same time does not go through a pooler.
        (Pooler::Transaction, None) => {
            let found = inspect(options).await?;
            if found.schema_is_newer {
                return Err(OpenError::Newer);
            }
            if found.schema != schema::VERSION {
                return Err(OpenError::NotMigrated { found: found.schema, known: schema::VERSION });
            }
        }
    }
    Ok(pool)
}

async fn migrate(pool: &PgPool) -> Result<(), OpenError> {
    schema::migrator().run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer,
        other => OpenError::Migration(other),
    })
}

/// A pool that connects when it is first asked.
pub(crate) fn connect_lazily(options: &Options) -> Result<PgPool, sqlx::Error> {
    let connect = connect_options(options)?;
    Ok(PgPoolOptions::new().max_connections(options.connections).acquire_timeout(options.patience).connect_lazy_with(connect))
}

fn connect_options(options: &Options) -> Result<PgConnectOptions, sqlx::Error> {
    let connect = PgConnectOptions::from_str(&options.url)?.application_name("evently");
    if options.pooler == Pooler::Transaction {
        // It would refuse the settings.
        return Ok(connect.statement_cache_capacity(0));
    }
    let millis = options.statement_timeout.as_millis().to_string();
    Ok(connect.options([("statement_timeout", millis.as_str()), ("lock_timeout", millis.as_str())]))
}

async fn check_version(pool: &PgPool) -> Result<(), OpenError> {
    let mut tx = pool.begin().await.map_err(OpenError::Unreachable)?;
    let (number, name): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::integer, current_setting('server_version')")
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(OpenError::Unreachable)?;
    if number < SERVER_MIN { Err(OpenError::TooOld(name)) } else { Ok(()) }
}

/// A transaction. Dropped without a commit it is rolled back.
pub(crate) struct Tx {
    open: sqlx::Transaction<'static, Postgres>,
    keeps_statements: bool,
}

impl Tx {
    /// One that only reads, and keeps nothing.
    pub(crate) async fn over(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { open: pool.begin_with("begin read only").await?, keeps_statements: false })
    }

    /// The row of a statement without values that always finds one.
    pub(crate) async fn single(&mut self, sql: &'static str) -> Result<PgRow, Fault> {
        Ok(self.query(sql, PgArguments::default()).fetch_one(&mut *self.open).await?)
    }

    fn query(&self, sql: &'static str, values: PgArguments) -> Query<'static, Postgres, PgArguments> {
        sqlx::query_with(sql, values).persistent(self.keeps_statements)
    }

    /// All rows that the statement finds.
    pub(crate) async fn all(&mut self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        Ok(self.query(sql, values).fetch_all(&mut *self.open).await?)
    }

    /// The row that the statement finds, if it finds one.
    pub(crate) async fn one(&mut self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        Ok(self.query(sql, values).fetch_optional(&mut *self.open).await?)
    }

    /// All rows that a statement made up here finds.
    pub(crate) async fn ask(&mut self, sql: String) -> Result<Vec<PgRow>, Fault> {
        Ok(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.open).await?)
    }

    /// Changes the schema, by any number of statements.
    pub(crate) async fn define(&mut self, sql: String) -> Result<(), Fault> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.open).await?;
        Ok(())
    }

    /// How many rows the statement wrote.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: PgArguments) -> Result<u64, Fault> {
        Ok(self.query(sql, values).execute(&mut *self.open).await?.rows_affected())
    }

    pub(crate) async fn commit(self) -> Result<(), Fault> {
        Ok(self.open.commit().await?)
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
