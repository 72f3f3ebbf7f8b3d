//! Connections to a server, and the transactions that everything runs in.

use std::{
    future::ready,
    io,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::ports::StoreError;
use sqlx::{
    AssertSqlSafe, Connection as _, PgPool, Postgres, SqlSafeStr, SqlStr,
    pool::PoolConnection,
    postgres::{PgArguments, PgPoolOptions, PgRow, PgTransactionManager},
    query::Query,
};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    doubt::{Doubt, Doubts},
    error::Fault,
    gauges::{Gauges, InUse},
    options::{Options, Pooler},
    place::{LIMITS, Place},
};

/// A connection that somebody has used within this time is given to the next without a journey to find out whether it is still there. For
/// as long it goes from hand to hand before it is the pool's again.
const FRESH: Duration = Duration::from_secs(1);
/// How much longer than the server we wait for what it has to say of a statement: it speaks first, unless it is gone.
const GRACE: Duration = Duration::from_secs(1);
/// For one statement, which sees everything that was committed before it was planned: events may be moved meanwhile.
const READ: &str = "begin isolation level read committed read only";

/// Connections to one server. A handle: clones share them.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: PgPool,
    terms: Arc<Terms>,
}

/// What goes for all connections of a pool.
struct Terms {
    session: Session,
    patience: Duration,
    /// How long a statement may take before the server counts as gone.
    limit: Duration,
    doubts: Doubts,
    gauges: Gauges,
    hands: Mutex<Hands>,
    /// How many have a connection.
    leased: Arc<AtomicU32>,
}

/// Who is given connections.
struct Hands {
    /// When somebody got one last.
    given: Instant,
    /// How many wait for the pool to give them one.
    waiting: u32,
    /// What was given back last, for whoever comes next. The pool hands its connections out in turn, and a server's process that has just
    /// worked finds everything where it left it. There is none while somebody waits, or once the pool is closed.
    warm: Option<Warm>,
    is_closed: bool,
}

struct Warm {
    connection: Connection,
    /// When it was used last.
    used: Instant,
}

/// A connection that the pool has given out.
struct Connection {
    open: PoolConnection<Postgres>,
    out_since: Instant,
}

impl Drop for Hands {
    fn drop(&mut self) {
        // The pool is gone, and perhaps the runtime in which it would take something back.
        if let Some(warm) = self.warm.take() {
            drop(warm.connection.open.leak());
        }
    }
}

impl Terms {
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was given back last, unless it may be broken; or else notes that somebody waits.
    fn take(&self) -> Result<Warm, Waits<'_>> {
        let mut hands = self.hands();
        let is_fresh = |warm: &Warm| warm.used.elapsed() < FRESH && !self.doubts.were_left_within(warm.used.elapsed() + FRESH);
        if let Some(warm) = hands.warm.take().filter(is_fresh) {
            return Ok(warm);
        }
        hands.waiting += 1;
        Err(Waits(self))
    }

    /// Keeps a connection for whoever comes next. The pool gets it back if somebody waits there, and now and then: it closes what is too old.
    fn give_back(&self, connection: Connection) {
        let now = Instant::now();
        let mut hands = self.hands();
        let nobody_waits = hands.waiting == 0 && !hands.is_closed;
        if nobody_waits && hands.warm.is_none() && now - connection.out_since < FRESH {
            hands.warm = Some(Warm { connection, used: now });
        }
    }
}

/// Somebody waits for the pool, until this is dropped.
struct Waits<'t>(&'t Terms);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.hands().waiting -= 1;
    }
}

impl Pool {
    /// One that connects when it is first asked. Of a primary, each connection is one that can be written to.
    pub(crate) fn lazily(place: &Place, host: usize, options: &Options, gauges: Gauges) -> Result<Self, sqlx::Error> {
        let terms = Arc::new(Terms {
            session: Session::of(options),
            patience: options.patience,
            limit: waited_for(options.statement_timeout),
            doubts: Doubts::default(),
            gauges,
            hands: Mutex::new(Hands { given: Instant::now(), waiting: 0, warm: None, is_closed: false }),
            leased: Arc::default(),
        });
        let doubts = terms.doubts.clone();
        let mut pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(options.patience)
            // The pool's own test waits for ever.
            .test_before_acquire(false)
            // What somebody has left in the middle of a transaction. It is sent with the first thing that the pool asks.
            .after_release(|connection, _| {
                PgTransactionManager::start_rollback(connection);
                Box::pin(ready(Ok(true)))
            })
            .before_acquire(move |connection, used| {
                // Where one was broken, so may be all that were there with it, and those that are on their way back meanwhile.
                let is_fresh = used.idle_for < FRESH && !doubts.were_left_within(used.idle_for + FRESH);
                Box::pin(async move { if is_fresh { Ok(true) } else { is_whole(connection).await } })
            });
        if gauges.is_of_primary() {
            let doubts = terms.doubts.clone();
            pool = pool.after_connect(move |connection, _| {
                let doubts = doubts.clone();
                Box::pin(async move { doubts.note(must_be_writable(connection).await) })
            });
        }
        gauges.max(options.connections);
        Ok(Self { connections: pool.connect_lazy_with(place.connect_options(host)?), terms })
    }

    /// What those who use it have met.
    pub(crate) fn doubts(&self) -> &Doubts {
        &self.terms.doubts
    }

    /// Lets go of all connections, once nobody uses them any more. Nobody gets one from here on.
    pub(crate) fn close(self) {
        let mut hands = self.terms.hands();
        (hands.warm, hands.is_closed) = (None, true);
        drop(hands);
        tokio::spawn(async move { self.connections.close().await });
    }

    /// A connection, if there is one until then.
    pub(crate) async fn lease(&self, until: Instant) -> Result<Lease, Fault> {
        let waiting = self.terms.gauges.wait();
        let got = match self.terms.take() {
            Ok(warm) => Ok(warm.connection),
            Err(_waits) => self.acquire(until).await.map(|open| Connection { open, out_since: Instant::now() }),
        };
        waiting.ended(&got);
        let connection = got?;
        self.terms.hands().given = Instant::now();
        let in_use = self.terms.gauges.in_use(self.connections.size(), Arc::clone(&self.terms.leased));
        Ok(Lease { connection, terms: Arc::clone(&self.terms), in_use })
    }

    async fn acquire(&self, until: Instant) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let Terms { doubts, patience, .. } = &*self.terms;
        // Whoever waits for a server that is being given up waits no longer.
        let mut closed = self.connections.close_event();
        let acquired = timeout_at(until, closed.do_until(self.connections.acquire())).await;
        let acquired = doubts.note(acquired.unwrap_or(Ok(Err(sqlx::Error::PoolTimedOut))).and_then(|acquired| acquired));
        let nobody_got_one = || self.terms.hands().given.elapsed() >= *patience;
        // Not because all are in use: the pool waits in vain for some that are to come back to it.
        if matches!(acquired, Err(sqlx::Error::PoolTimedOut)) && nobody_got_one() && self.is_short() {
            doubts.leave(Doubt::Replace);
        }
        acquired
    }

    /// Whether there are connections that nobody has.
    fn is_short(&self) -> bool {
        self.terms.leased.load(SeqCst) < self.connections.size()
    }

    /// All rows that the statement finds, in a transaction of its own.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        self.lease(Instant::now() + self.terms.patience).await?.rows(sql, values).await
    }
}

/// How long we wait for a statement that the server ends after `timeout`.
fn waited_for(timeout: Duration) -> Duration {
    timeout + GRACE
}

/// Whether a connection that nobody uses still answers.
async fn is_whole(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    let late = |_| sqlx::Error::PoolTimedOut;
    timeout(GRACE, connection.ping()).await.map_err(late)?.map(|()| true)
}

/// A connection to a server that only follows another one, or was told to take no writes, is of no use.
async fn must_be_writable(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    const READ_ONLY: &str = "do $$ begin if current_setting('transaction_read_only')::boolean then \
        raise exception 'the server takes no writes' using errcode = 'read_only_sql_transaction'; end if; end $$";
    sqlx::raw_sql(READ_ONLY).execute(connection).await.map(drop)
}

/// A connection that is ours for a while.
pub(crate) struct Lease {
    connection: Connection,
    terms: Arc<Terms>,
    // Ends after what the connection was used for.
    in_use: InUse,
}

impl Lease {
    /// A transaction that begins with this statement.
    pub(crate) async fn begin(self, statement: &'static str) -> Result<Tx, Fault> {
        let mut beginning = Beginning(Some(self));
        match beginning.begin(statement).await {
            Ok(()) => {
                let lease = beginning.over();
                Ok(Tx { limit: lease.terms.limit, lease })
            }
            Err(error) => {
                if matches!(error, sqlx::Error::Database(_)) && beginning.roll_back().await.is_ok() {
                    drop(beginning.over());
                }
                Err(error.into())
            }
        }
    }

    /// All rows that the statement finds, in a transaction of its own: a statement alone is one.
    pub(crate) async fn rows(mut self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        if self.terms.session.keeps_statements() {
            let query = sqlx::query_with(sql, values).fetch_all(&mut *self.connection.open);
            let rows = self.terms.answered(self.terms.limit, query).await?;
            self.give_back();
            return Ok(rows);
        }
        let mut tx = Reading(self.begin(READ).await?);
        let rows = tx.all(sql, values).await?;
        tx.end().await;
        Ok(rows)
    }

    /// To be used again: all that was asked has been answered.
    fn give_back(self) {
        let Self { connection, terms, in_use } = self;
        terms.give_back(connection);
        drop(in_use);
    }
}

/// A connection on which a transaction is about to begin. The driver takes it for one without, until all of what it begins with has been
/// answered: where something of that fails, or nobody waits for it, whoever got the connection next would be in the middle of a transaction.
/// So nobody does: it is closed, unless it was rolled back.
struct Beginning(Option<Lease>);

impl Beginning {
    async fn begin(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        let Lease { connection, terms, .. } = self.lease();
        let begin = PgTransactionManager::begin(&mut connection.open, Some(terms.session.begin(statement)));
        terms.answered(terms.limit, begin).await
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        let Lease { connection, terms, .. } = self.lease();
        terms.answered(terms.limit, sqlx::raw_sql("rollback").execute(&mut *connection.open)).await.map(drop)
    }

    fn lease(&mut self) -> &mut Lease {
        self.0.as_mut().expect("it is there until this is over")
    }

    /// Either it has begun, or nothing of it is left.
    fn over(mut self) -> Lease {
        self.0.take().expect("it is there until this is over")
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if let Some(lease) = &mut self.0 {
            lease.connection.open.close_on_drop();
        }
    }
}

impl Terms {
    /// What the server answers. One that does not answer within `limit` is as good as gone: whoever waits for it would wait for ever.
    async fn answered<T>(&self, limit: Duration, asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the server has not answered in time");
        let answer = timeout(limit, asked).await.unwrap_or_else(|_| Err(sqlx::Error::Io(late())));
        if let Err(error) = &answer {
            self.gauges.failed(error);
        }
        self.doubts.note(answer)
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
        let limits = || LIMITS.map(|limit| format!("; set local {limit} = {millis}")).concat();
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
    lease: Lease,
    limit: Duration,
}

impl Tx {
    /// How long its statements may take from here on, and whoever asks them from one to the next, instead of as long as those of a request.
    pub(crate) async fn take_time(&mut self, time: Duration) -> Result<(), Fault> {
        let limit = |limit| format!("set local {limit} = {}", time.as_millis());
        // A busy machine may give us no time between two of them.
        self.define(["statement_timeout", "idle_in_transaction_session_timeout"].map(limit).join("; ")).await?;
        self.limit = waited_for(time);
        Ok(())
    }

    /// The row of a statement without values that always finds one.
    pub(crate) async fn single(&mut self, sql: &'static str) -> Result<PgRow, Fault> {
        let query = self.query(sql, PgArguments::default());
        Ok(self.lease.terms.answered(self.limit, query.fetch_one(&mut *self.lease.connection.open)).await?)
    }

    fn query(&self, sql: impl SqlSafeStr, values: PgArguments) -> Query<'static, Postgres, PgArguments> {
        sqlx::query_with(sql, values).persistent(self.lease.terms.session.keeps_statements())
    }

    /// All rows that the statement finds.
    pub(crate) async fn all(&mut self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        let query = self.query(sql, values);
        Ok(self.lease.terms.answered(self.limit, query.fetch_all(&mut *self.lease.connection.open)).await?)
    }

    /// The row that the statement finds, if it finds one.
    pub(crate) async fn one(&mut self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        let query = self.query(sql, values);
        Ok(self.lease.terms.answered(self.limit, query.fetch_optional(&mut *self.lease.connection.open)).await?)
    }

    /// The row of a statement made up here that always finds one.
    pub(crate) async fn single_of(&mut self, sql: String, values: PgArguments) -> Result<PgRow, Fault> {
        let query = self.query(AssertSqlSafe(sql), values);
        Ok(self.lease.terms.answered(self.limit, query.fetch_one(&mut *self.lease.connection.open)).await?)
    }

    /// All rows that a statement made up here finds.
    pub(crate) async fn ask(&mut self, sql: String) -> Result<Vec<PgRow>, Fault> {
        let asked = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.lease.connection.open);
        Ok(self.lease.terms.answered(self.limit, asked).await?)
    }

    /// Changes the schema, by any number of statements.
    pub(crate) async fn define(&mut self, sql: String) -> Result<(), Fault> {
        let defined = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.lease.connection.open);
        self.lease.terms.answered(self.limit, defined).await?;
        Ok(())
    }

    /// How many rows the statement wrote.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: PgArguments) -> Result<u64, Fault> {
        let query = self.query(sql, values);
        Ok(self.lease.terms.answered(self.limit, query.execute(&mut *self.lease.connection.open)).await?.rows_affected())
    }

    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        let commit = PgTransactionManager::commit(&mut self.lease.connection.open);
        self.lease.terms.answered(self.limit, commit).await.map_err(Fault::of_commit)?;
        self.lease.give_back();
        Ok(())
    }
}

/// A transaction in which nothing is written.
pub(crate) struct Reading(pub(crate) Tx);

impl Reading {
    /// Whoever reads has got everything by now: that the end fails, or is not heard of, is only the end of the connection.
    pub(crate) async fn end(self) {
        _ = self.0.commit().await;
    }
}

impl Deref for Reading {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.0
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.0
    }
}

/// The values of a statement, in the order of their numbers; or more of them after those that there are.
macro_rules! values {
    (into $values:expr; $($value:expr),* $(,)?) => {
        $(sqlx::Arguments::add(&mut $values, $value).map_err(|error| $crate::error::Fault::Engine(sqlx::Error::Encode(error)))?;)*
    };
    ($($value:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "there may be none")]
        let mut values = sqlx::postgres::PgArguments::default();
        $crate::pool::values!(into values; $($value),*);
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

/// Whether somebody else is to be asked because this pool has been given up.
pub(crate) const fn was_closed<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(Fault::Engine(sqlx::Error::PoolClosed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever gives up first does not hear what the server has to say, and takes it for gone.
    #[test]
    fn the_server_gives_up_before_we_do() {
        for secs in [1, 600] {
            let timeout = Duration::from_secs(secs);
            assert!(waited_for(timeout) >= timeout + Duration::from_secs(1), "{timeout:?}");
        }
    }
}
