//! A streaming replica that browsing may go to; what decides never does.
//!
//! Nobody who browses sees time go back, and whoever has written sees what was written. Both follow from one rule: the replica is read
//! from only after it has replayed all that anybody may have seen. What moves that mark on is a *fence*: a write of our own to the
//! catalogue, news of a write of others, a read that the primary answered. One task, the keeper, watches both servers; after a fence it
//! lets nobody read at the primary for a moment, asks it how far its log goes, and waits until the replica is there.
//!
//! A replica that is away, stands still, lags, was promoted or follows another primary is not read from, until it is fit again. The keeper
//! finds that out, or the first read that fails; whoever waits for an answer meanwhile turns to the primary at once.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::ports::StoreErrorKind;
use sqlx::{
    PgConnection,
    postgres::{PgArguments, PgRow},
};
use tokio::{
    sync::{Notify, RwLock, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    error::Fault,
    gauges::Gauges,
    opening::{OpenError, Way},
    options::Options,
    place::Place,
    pool::{Pool, values},
    primary::Primary,
    rows::get,
};

/// Of several hosts the first one counts.
const HOST: usize = 0;
/// How often both servers are looked at.
const PROBE: Duration = Duration::from_millis(250);
/// And how soon after a fence.
const PROBE_FENCED: Duration = Duration::from_millis(10);
/// How long the replica may take to answer the keeper.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long those who read at the primary may be kept waiting for the change to the replica.
const CHANGE_OVER: Duration = Duration::from_millis(200);
/// How long the keeper rests between two looks at a replica that is nearly there.
const NEARLY: Duration = Duration::from_millis(2);

/// Null on a server that only follows another.
const PRIMARY: &str = "select case when not pg_is_in_recovery() then (pg_current_wal_insert_lsn() - '0/0')::bigint end, \
    system_identifier from pg_control_system()";
/// Null on a server that follows no other.
const REPLICA: &str = "select case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint end, \
    system_identifier from pg_control_system()";

/// How it is with the replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaHealth {
    /// Whether it is fit to be read from.
    pub up: bool,
    /// Whether browsing goes to it at the moment: it has all that anybody may have seen.
    pub in_use: bool,
    /// By how much it is behind the primary, at most; none while nobody knows.
    pub lag: Option<Duration>,
    /// Why it is not fit.
    pub why: Option<String>,
}

/// The replica. A handle: clones share it.
#[derive(Clone)]
pub(crate) struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    options: Options,
    state: watch::Sender<State>,
    /// How many fences there have been.
    fences: AtomicU64,
    /// Held by all who read at the primary, and by the keeper alone while it changes over.
    gate: RwLock<()>,
    look: Arc<Notify>,
}

struct State {
    /// While it is fit.
    pool: Option<Pool>,
    /// The fence that it has come to.
    reached: Option<u64>,
    lag: Option<Duration>,
    why: String,
}

impl Replica {
    /// Begins to look for it, on the runtime that this is called on. It need not be there.
    pub(crate) fn open(url: &str, options: &Options, primary: Primary) -> Result<Self, OpenError> {
        metrics::describe_gauge!("postgres_replica_up", "Whether the replica is fit to be read from: 1 or 0.");
        metrics::describe_gauge!("postgres_replica_lag_seconds", "By how much the replica is behind the primary, at most.");
        metrics::describe_counter!("postgres_browsing_total", "Reads of those who browse, by the server that answered.");
        metrics::gauge!("postgres_replica_up").set(0.0);
        let state = State { pool: None, reached: None, lag: None, why: "it has not been looked at yet".to_owned() };
        let inner = Arc::new(Inner {
            place: Place::parse(url, options).map_err(|problem| problem.of(Way::ReplicaUrl))?,
            options: options.clone(),
            state: watch::Sender::new(state),
            fences: AtomicU64::new(0),
            gate: RwLock::default(),
            look: Arc::default(),
        });
        tokio::spawn(keep(Arc::downgrade(&inner), Arc::clone(&inner.look), primary));
        Ok(Self { inner })
    }

    /// How it is with it.
    pub(crate) fn health(&self) -> ReplicaHealth {
        let state = self.inner.state.borrow();
        let up = state.pool.is_some();
        ReplicaHealth { up, in_use: self.inner.has_reached(&state), lag: state.lag, why: (!up).then(|| state.why.clone()) }
    }

    /// From now on everybody sees at least what the primary has now.
    pub(crate) fn fence(&self) {
        self.inner.fences.fetch_add(1, SeqCst);
        self.inner.look.notify_one();
    }

    /// All rows that the statement finds: at the replica if that has everything that anybody may have seen, else at the primary.
    pub(crate) async fn rows(&self, primary: &Primary, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        if let Some(rows) = self.inner.rows(sql, values.clone()).await {
            metrics::counter!("postgres_browsing_total", "server" => "replica").increment(1);
            return Ok(rows);
        }
        metrics::counter!("postgres_browsing_total", "server" => "primary").increment(1);
        let _at_the_primary = self.inner.gate.read().await;
        let rows = primary.rows(sql, values).await;
        if rows.is_ok() && self.inner.is_usable() {
            // It was changed over to after we had turned away from it, or failed us alone.
            self.fence();
        }
        rows
    }

    /// The row that the statement finds. What the replica has not is asked for at the primary: it may be new.
    pub(crate) async fn row(&self, primary: &Primary, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        let row = self.rows(primary, sql, values.clone()).await?.into_iter().next();
        if row.is_some() || !self.inner.is_usable() {
            return Ok(row);
        }
        let row = primary.rows(sql, values).await?.into_iter().next();
        if row.is_some() {
            // Who has seen this must see it again.
            self.fence();
        }
        Ok(row)
    }
}

impl Inner {
    /// Whether it has come to the last fence.
    fn has_reached(&self, state: &State) -> bool {
        state.reached == Some(self.fences.load(SeqCst))
    }

    fn is_usable(&self) -> bool {
        self.has_reached(&self.state.borrow())
    }

    /// What the replica answers; none if the primary is to be asked.
    async fn rows(&self, sql: &'static str, values: PgArguments) -> Option<Vec<PgRow>> {
        let (pool, reached) = {
            let state = self.state.borrow();
            (state.pool.clone().filter(|_| self.has_reached(&state))?, state.reached?)
        };
        let mut state = self.state.subscribe();
        let answer = tokio::select! {
            answer = pool.rows(sql, values) => answer,
            _ = state.wait_for(|state| state.pool.is_none()) => return None,
        };
        match answer {
            // What has been written since may be missing.
            Ok(rows) => (self.fences.load(SeqCst) == reached).then_some(rows),
            Err(fault) => {
                // Not because all connections are in use, nor because the replica had to go on replaying.
                if fault.kind() == StoreErrorKind::Unavailable && !matches!(fault, Fault::Engine(sqlx::Error::PoolTimedOut)) {
                    self.take_down(&format!("a read has failed: {fault}"), None);
                }
                None
            }
        }
    }

    fn take_down(&self, why: &str, lag: Option<Duration>) {
        let was_up = self.state.borrow().pool.is_some();
        let said = self.state.borrow().why == why;
        self.state.send_modify(|state| {
            (state.pool, state.reached, state.lag) = (None, None, lag);
            why.clone_into(&mut state.why);
        });
        metrics::gauge!("postgres_replica_up").set(0.0);
        if was_up || !said {
            tracing::warn!(why, "the replica is not read from, and browsing goes to the primary");
        }
    }

    /// It is fit; from `reached` on it may be read from.
    fn take_up(&self, reached: u64) -> Result<(), Fault> {
        let pool = self.state.borrow().pool.clone();
        let is_new = pool.is_none();
        // Anew, because nobody knows what has become of the connections that it had.
        let pool = pool.map_or_else(|| Pool::lazily(&self.place, HOST, &self.options, Gauges::Replica), Ok)?;
        self.state.send_modify(|state| {
            (state.pool, state.reached) = (Some(pool), Some(reached));
            state.why.clear();
        });
        metrics::gauge!("postgres_replica_up").set(1.0);
        if is_new {
            tracing::info!("the replica is read from");
        }
        Ok(())
    }

    fn note_lag(&self, lag: Duration) {
        metrics::gauge!("postgres_replica_lag_seconds").set(lag.as_secs_f64());
        self.state.send_if_modified(|state| {
            state.lag = Some(lag);
            false
        });
    }

    /// Reads go to the replica from here on, if it has all that has been read at the primary.
    async fn change_over(&self, primary: &Primary, watch: &mut Watch) -> Result<(), Fault> {
        let _alone = self.gate.write().await;
        let fence = self.fences.load(SeqCst);
        let (goal, _) = log_of_primary(primary).await?;
        while goal.is_none_or(|goal| watch.replayed.is_none_or(|replayed| replayed < goal)) {
            sleep(NEARLY).await;
            watch.ask_replica(&self.place).await.map_err(Fault::Engine)?;
        }
        self.take_up(fence)
    }
}

/// What the keeper knows.
#[derive(Default)]
struct Watch {
    /// Of its own, so that a crowd does not keep it from looking.
    connection: Option<PgConnection>,
    /// How far the primary's log went at some moments.
    went: VecDeque<(Instant, u64)>,
    /// Which cluster the primary is of.
    cluster: Option<i64>,
    /// How far the replica has replayed it; none if it replays nothing.
    replayed: Option<u64>,
    /// Which cluster the replica is of.
    replica_cluster: Option<i64>,
}

/// Why a replica is not fit.
enum Unfit {
    Away(sqlx::Error),
    /// It is none.
    Promoted,
    Stranger,
    Lags(Option<Duration>),
}

impl Unfit {
    fn why(&self) -> String {
        match self {
            Self::Away(error) => format!("it cannot be reached: {error}"),
            Self::Promoted => "it follows no other server".to_owned(),
            Self::Stranger => "it follows another primary than that of the store".to_owned(),
            Self::Lags(_) => "it is too far behind".to_owned(),
        }
    }
}

impl Watch {
    /// How far the primary's log goes is noted, if it can be asked.
    async fn look_at_primary(&mut self, primary: &Primary) {
        let began = Instant::now();
        // Where it cannot be asked, the replica is further behind, as far as anybody knows.
        if let Ok(Ok((Some(goes), cluster))) = timeout(PATIENCE, log_of_primary(primary)).await {
            self.went.push_back((began, goes));
            self.cluster = Some(cluster);
        }
    }

    async fn ask_replica(&mut self, place: &Place) -> Result<(), sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => place.connect(HOST, PATIENCE).await?,
        };
        let connection = self.connection.insert(connection);
        let row = sqlx::raw_sql(REPLICA).fetch_one(connection).await?;
        (self.replayed, self.replica_cluster) = log_position(&row).map_err(|fault| match fault {
            Fault::Engine(error) => error,
            Fault::Row { source, .. } => sqlx::Error::Decode(source),
            Fault::Stale(_) | Fault::InDoubt(_) => unreachable!("nothing is written"),
        })?;
        Ok(())
    }

    /// By how much the replica is behind, at most.
    async fn look_at_replica(&mut self, place: &Place, lag_max: Duration) -> Result<Duration, Unfit> {
        let asked = timeout(PATIENCE, self.ask_replica(place)).await;
        let late = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        if let Err(error) = asked.unwrap_or_else(|_| Err(late())) {
            self.connection = None;
            return Err(Unfit::Away(error));
        }
        let replayed = self.replayed.ok_or(Unfit::Promoted)?;
        if self.cluster.is_some() && self.replica_cluster != self.cluster {
            return Err(Unfit::Stranger);
        }
        let there = self.went.iter().rposition(|(_, goes)| *goes <= replayed);
        self.went.drain(..there.unwrap_or(0));
        // As of the last moment whose log it has.
        let lag = there.and_then(|_| self.went.front()).map(|(at, _)| at.elapsed());
        // What it has not come to in time is not looked for any more.
        self.went.retain(|(at, _)| at.elapsed() <= 2 * lag_max);
        lag.filter(|lag| *lag <= lag_max).ok_or(Unfit::Lags(lag))
    }

    /// Whether the replica has all that was written when the primary was asked last.
    fn is_there(&self) -> bool {
        self.went.back().is_some_and(|(_, goes)| self.replayed.is_some_and(|replayed| replayed >= *goes))
    }
}

/// How far the log of the primary goes, and of which cluster it is.
async fn log_of_primary(primary: &Primary) -> Result<(Option<u64>, i64), Fault> {
    let rows = primary.rows(PRIMARY, values![]).await?;
    let (goes, cluster) = log_position(rows.first().ok_or(sqlx::Error::RowNotFound)?)?;
    Ok((goes.map(end_of_record), cluster.unwrap_or_default()))
}

fn log_position(row: &PgRow) -> Result<(Option<u64>, Option<i64>), Fault> {
    Ok((get::<Option<i64>>(row, 0)?.map(i64::cast_unsigned), get(row, 1)?))
}

/// Where the last record ends: the next one may begin behind the header of a page, which nobody replays.
const fn end_of_record(next: u64) -> u64 {
    const PAGE: u64 = 8192;
    /// The longest one, that of a segment's first page.
    const HEADER: u64 = 40;
    if next % PAGE <= HEADER { next - next % PAGE } else { next }
}

/// Looks at both servers for as long as somebody has a handle.
async fn keep(inner: Weak<Inner>, look: Arc<Notify>, primary: Primary) {
    let mut watch = Watch::default();
    loop {
        let began = Instant::now();
        let Some(inner) = inner.upgrade() else { return };
        inner.round(&primary, &mut watch).await;
        drop(inner);
        tokio::select! {
            () = sleep(PROBE) => {}
            () = look.notified() => sleep_until(began + PROBE_FENCED).await,
        }
    }
}

impl Inner {
    async fn round(&self, primary: &Primary, watch: &mut Watch) {
        watch.look_at_primary(primary).await;
        match watch.look_at_replica(&self.place, self.options.replica_lag_max).await {
            Ok(lag) => self.note_lag(lag),
            Err(unfit) => {
                let lag = if let Unfit::Lags(lag) = unfit { lag } else { None };
                return self.take_down(&unfit.why(), lag);
            }
        }
        if self.is_usable() || !watch.is_there() {
            return;
        }
        match timeout(CHANGE_OVER, self.change_over(primary, watch)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                watch.connection = None;
                tracing::debug!(error = %fault, "the replica is not changed over to yet");
            }
            // A question of ours may be under way.
            Err(_) => watch.connection = None,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.look.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_holds_nothing_but_its_header_need_not_be_replayed() {
        assert_eq!(end_of_record(8192 * 7 + 24), 8192 * 7);
        assert_eq!(end_of_record(8192 * 7 + 40), 8192 * 7, "at the start of a segment");
        assert_eq!(end_of_record(8192 * 7 + 48), 8192 * 7 + 48);
        assert_eq!(end_of_record(8192 * 7), 8192 * 7);
    }
}
