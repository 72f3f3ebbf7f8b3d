//! Connections to a server, and the transactions that everything runs in.

use std::{io, str::FromStr, time::Duration};

use evently_core::ports::StoreError;
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, SqlSafeStr, SqlStr,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
};

use crate::{
    error::Fault,
    options::{Options, Pooler},
};

/// How much longer than the server we wait for what it has to say of a statement: it speaks first, unless it is gone.
const GRACE: Duration = Duration::from_secs(1);

/// Connections to one server. A handle: clones share them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: PgPool,
    session: Session,
    /// How long a statement may take before the server counts as gone.
    limit: Duration,
}

impl Pool {
    /// One that connects when it is first asked.
    pub(crate) fn lazily(options: &Options) -> Result<Self, sqlx::Error> {
        let connect = connect_options(options)?;
        let pool = PgPoolOptions::new().max_connections(options.connections).acquire_timeout(options.patience);
        Ok(Self {
            connections: pool.connect_lazy_with(connect),
            session: Session::of(options),
            limit: options.statement_timeout + GRACE,
        })
    }

    /// The connections without anything around them.
    pub(crate) const fn bare(&self) -> &PgPool {
        &self.connections
    }

    /// A transaction that begins with this statement.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        let connection = self.connections.acquire().await?;
        let begin = sqlx::Transaction::begin(connection, Some(self.session.begin(statement)));
        let open = answered(self.limit, begin).await?;
        Ok(Tx { open, keeps_statements: self.session.keeps_statements(), limit: self.limit })
    }

    /// All rows that the statement finds, in a transaction of its own: a statement alone is one.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        if self.session.keeps_statements() {
            let mut connection = self.connections.acquire().await?;
            return Ok(answered(self.limit, sqlx::query_with(sql, values).fetch_all(&mut *connection)).await?);
        }
        let mut tx = self.begin("begin isolation level repeatable read read only").await?;
        let rows = tx.all(sql, values).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// What the server answers. One that does not answer within `limit` is as good as gone: whoever waits for it would wait for ever.
async fn answered<T>(limit: Duration, asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the server has not answered in time");
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(sqlx::Error::Io(late())))
}

pub(crate) fn connect_options(options: &Options) -> Result<PgConnectOptions, sqlx::Error> {
    let connect = PgConnectOptions::from_str(&options.url)?.application_name("evently");
    if options.pooler == Pooler::Transaction {
        // It would refuse the settings.
        return Ok(connect.statement_cache_capacity(0));
    }
    let millis = options.statement_timeout.as_millis().to_string();
    Ok(connect.options([("statement_timeout", millis.as_str()), ("lock_timeout", millis.as_str())]))
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

/// A transaction. Dropped without a commit it is rolled back.
pub(crate) struct Tx {
    open: sqlx::Transaction<'static, Postgres>,
    keeps_statements: bool,
    limit: Duration,
}

impl Tx {
    /// One that only reads, and keeps nothing.
    pub(crate) async fn over(pool: &Pool) -> Result<Self, sqlx::Error> {
        let open = pool.connections.begin_with("begin read only").await?;
        Ok(Self { open, keeps_statements: false, limit: pool.limit })
    }

    /// How long its statements may take from here on, instead of as long as those of a request.
    pub(crate) async fn take_time(&mut self, time: Duration) -> Result<(), Fault> {
        self.define(format!("set local statement_timeout = {}", time.as_millis())).await?;
        self.limit = time + GRACE;
        Ok(())
    }

    /// The row of a statement without values that always finds one.
    pub(crate) async fn single(&mut self, sql: &'static str) -> Result<PgRow, Fault> {
        let query = self.query(sql, PgArguments::default());
        Ok(answered(self.limit, query.fetch_one(&mut *self.open)).await?)
    }

    fn query(&self, sql: &'static str, values: PgArguments) -> Query<'static, Postgres, PgArguments> {
        sqlx::query_with(sql, values).persistent(self.keeps_statements)
    }

    /// All rows that the statement finds.
    pub(crate) async fn all(&mut self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        let query = self.query(sql, values);
        Ok(answered(self.limit, query.fetch_all(&mut *self.open)).await?)
    }

    /// The row that the statement finds, if it finds one.
    pub(crate) async fn one(&mut self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        let query = self.query(sql, values);
        Ok(answered(self.limit, query.fetch_optional(&mut *self.open)).await?)
    }

    /// All rows that a statement made up here finds.
    pub(crate) async fn ask(&mut self, sql: String) -> Result<Vec<PgRow>, Fault> {
        Ok(answered(self.limit, sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.open)).await?)
    }

    /// Changes the schema, by any number of statements.
    pub(crate) async fn define(&mut self, sql: String) -> Result<(), Fault> {
        answered(self.limit, sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.open)).await?;
        Ok(())
    }

    /// How many rows the statement wrote.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: PgArguments) -> Result<u64, Fault> {
        let query = self.query(sql, values);
        Ok(answered(self.limit, query.execute(&mut *self.open)).await?.rows_affected())
    }

    pub(crate) async fn commit(self) -> Result<(), Fault> {
        Ok(answered(self.limit, self.open.commit()).await?)
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
