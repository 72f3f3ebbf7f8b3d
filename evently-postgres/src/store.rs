//! The store, and the transactions that everything runs in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use evently_core::{
    domain::{Timestamp, decided_as_of},
    ports::Ids,
};
use sqlx::postgres::{PgArguments, PgRow};

pub(crate) use crate::pool::{During, Reading, Tx, values};
use crate::{
    elsewhere::Writer,
    error::Fault,
    opening::{OpenError, Problem, Way, prepared},
    options::{Guards, Options, Time},
    primary::Primary,
    replica::{Replica, ReplicaHealth},
    turns::{Turn, Turns},
};

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

/// The same of a batch, which waits for its turn: while some others take theirs, and not for as long as somebody stands still in it.
macro_rules! begin_in {
    ($mode:literal) => {
        concat!(
            begin_by_keys!("serializable"),
            "; set local lock_timeout = '500ms'; lock table turns in ",
            $mode,
            " mode; set local lock_timeout to default"
        )
    };
}

/// The store in a PostgreSQL database. A handle: clones share the pool.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) writer: Arc<Writer>,
    primary: Primary,
    replica: Option<Replica>,
    guards: Guards,
    pub(crate) time: Time,
    /// The latest time by which something was decided.
    latest: Arc<AtomicI64>,
    pub(crate) turns: Arc<Turns>,
}

impl PgStore {
    /// Connects, and brings the database to this version's schema.
    pub async fn open(ids: Arc<dyn Ids>, options: &Options) -> Result<Self, OpenError> {
        let (place, host) = prepared(options).await?;
        let bad_url = |error| Problem::Url.because(Way::Url, error);
        let primary = Primary::at(place, host, options).map_err(bad_url)?;
        let mut store = Self {
            ids,
            writer: Arc::default(),
            primary,
            replica: None,
            guards: options.guards,
            time: options.time,
            latest: Arc::default(),
            turns: Arc::default(),
        };
        let writer = Writer::new(&store).await.during("open");
        store.writer = Arc::new(writer.map_err(|error| Problem::Unreadable.because(Way::Url, error))?);
        if let Some(url) = &options.replica_url {
            store.replica = Some(Replica::open(url, options, store.primary.clone())?);
        }
        Ok(store)
    }

    /// The same store for what happened in the past: it is decided as of whenever its caller says.
    #[must_use]
    pub fn by_callers_time(&self) -> Self {
        Self { time: Time::Caller, ..self.clone() }
    }

    /// A transaction that reads, all of it as of one moment.
    pub(crate) async fn read(&self) -> Result<Reading, Fault> {
        self.begin("begin isolation level repeatable read read only").await.map(Reading)
    }

    /// A transaction that writes rows by their keys.
    pub(crate) async fn write(&self) -> Result<Tx, Fault> {
        self.begin(begin_by_keys!("read committed")).await
    }

    /// The time, or the latest that this process has decided by where that is later: a server's clock may be set back, and so may that of
    /// whoever asks.
    pub(crate) fn not_earlier(&self, now: Timestamp) -> Timestamp {
        let as_of = |latest| decided_as_of(now, Timestamp::from_micros(latest));
        // Down as well, from a clock that was far ahead: or it would be gone by once more when its time comes.
        let (Ok(latest) | Err(latest)) =
            self.latest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(as_of(latest).as_micros()));
        as_of(latest)
    }

    /// The transaction of a batch that was in somebody's way so often.
    pub(crate) async fn batch(&self, met: u32) -> Result<Tx, Fault> {
        if !self.guards.serializable {
            return self.write().await;
        }
        let begin = match self.turns.next(met) {
            Turn::Beside => begin_in!("row share"),
            Turn::OneByOne => begin_in!("share update exclusive"),
            Turn::Alone => begin_in!("exclusive"),
        };
        match self.begin(begin).await {
            Err(fault) if fault.waited_too_long() => self.begin(begin_by_keys!("serializable")).await,
            begun => begun,
        }
    }

    pub(crate) const fn checks_versions(&self) -> bool {
        self.guards.versions
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.primary.statement_timeout()
    }

    /// A transaction that begins with this statement.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        self.primary.begin(statement).await
    }

    /// All rows that the statement finds, in a transaction of its own.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        self.primary.rows(sql, values).await
    }

    /// The row that the statement finds, if it finds one, in a transaction of its own.
    pub(crate) async fn row(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The same for those who only look, and decide nothing: the replica may answer.
    pub(crate) async fn browse(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        match &self.replica {
            Some(replica) => replica.rows(&self.primary, sql, values).await,
            None => self.rows(sql, values).await,
        }
    }

    /// The same of one row.
    pub(crate) async fn browse_one(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        match &self.replica {
            Some(replica) => replica.row(&self.primary, sql, values).await,
            None => self.row(sql, values).await,
        }
    }

    /// Whoever looks from now on sees what has been committed by now.
    pub(crate) fn fence(&self) {
        if let Some(replica) = &self.replica {
            replica.fence();
        }
    }

    /// How it is with the replica, where there is one.
    pub fn replica(&self) -> Option<ReplicaHealth> {
        self.replica.as_ref().map(Replica::health)
    }
}
