//! The server that decides: the one of the store's hosts that can be written to.
//!
//! Whoever meets a broken connection, or a server that takes no writes any more, leaves a doubt at the pool. From then on nobody is let to
//! that pool until the keeper has looked: it goes through the hosts, the one it had first, until it finds one that can be written to, and makes
//! another pool where that is not the one it had, or was away in between. So a replica that is promoted is found without a restart, and a
//! primary that comes back as a replica is asked nothing.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::postgres::{PgArguments, PgRow};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    doubt::Doubt,
    error::Fault,
    gauges::{self, Gauges},
    opening::{OpenError, Problem, Way, find_from},
    options::Options,
    place::Place,
    pool::{Lease, Pool, Tx, was_closed},
};

/// How long a host may take to show itself to the keeper.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the keeper lets doubts gather.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the keeper rests before it goes through the hosts again.
const REST: Duration = Duration::from_millis(500);

/// The way to the server. A handle: clones share it.
#[derive(Clone)]
pub(crate) struct Primary {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    options: Options,
    current: watch::Sender<Current>,
}

struct Current {
    host: usize,
    pool: Pool,
}

impl Primary {
    /// At a host that was found to be writable.
    pub(crate) fn at(place: Place, host: usize, options: &Options) -> Result<Self, sqlx::Error> {
        gauges::describe();
        metrics::gauge!("postgres_up").set(1.0);
        let pool = Pool::lazily(&place, host, options, Gauges::Primary)?;
        let current = watch::Sender::new(Current { host, pool });
        let inner = Arc::new(Inner { place, options: options.clone(), current });
        tokio::spawn(keep(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.inner.options.statement_timeout
    }

    /// A transaction that begins with this statement. Where a connection was cut before nothing has been asked yet, and another one is taken.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        match self.lease().await?.begin(statement).await {
            Err(Fault::Engine(error)) if Doubt::of(&error) == Doubt::Wait => self.lease().await?.begin(statement).await,
            begun => begun,
        }
    }

    /// All rows that the statement finds, in a transaction of its own. It only reads, and may be asked again for the same reason.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        match self.lease().await?.rows(sql, values.clone()).await {
            Err(Fault::Engine(error)) if Doubt::of(&error) == Doubt::Wait => self.lease().await?.rows(sql, values).await,
            rows => rows,
        }
    }

    async fn lease(&self) -> Result<Lease, Fault> {
        let until = Instant::now() + self.inner.options.patience;
        loop {
            let pool = timeout_at(until, self.inner.open_pool()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
            let lease = pool.lease(until).await;
            if !was_closed(&lease) {
                return lease;
            }
        }
    }
}

impl Inner {
    /// The pool, once nobody doubts it.
    async fn open_pool(&self) -> Pool {
        let mut current = self.current.subscribe();
        loop {
            let pool = current.borrow_and_update().pool.clone();
            if pool.doubts().is_open() {
                return pool;
            }
            let mut doubts = pool.doubts().watch();
            tokio::select! {
                _ = doubts.wait_for(|doubt| *doubt < Doubt::Wait) => {}
                _ = current.changed() => {}
            }
        }
    }

    /// Looks for a host that can be written to.
    async fn look(&self, replace: bool) -> Result<(), OpenError> {
        // Where two can be written to, what was acknowledged is at the one that we have.
        let had = self.current.borrow().host;
        let found = match find_from(&self.place, had, Way::Url, PATIENCE).await {
            // It is there, and those who have a connection can go on.
            Err((host, error)) if host == had && error.problem == Problem::Full => None,
            Err((_, error)) => return Err(error),
            Ok(found) if found.is_writable() => Some(found.host),
            Ok(_) => return Err(Problem::ReadOnly.of(Way::Url)),
        };
        let host = found.unwrap_or(had);
        if host == had && !replace {
            self.current.borrow().pool.doubts().settle();
            return Ok(());
        }
        let pool = Pool::lazily(&self.place, host, &self.options, Gauges::Primary);
        let pool = pool.map_err(|error| Problem::Url.because(Way::Url, error))?;
        self.current.send_replace(Current { host, pool }).pool.close();
        tracing::info!(host = host + 1, "connections to the store's server are made anew");
        Ok(())
    }
}

/// Looks whenever somebody doubts, for as long as somebody has a handle.
async fn keep(inner: Weak<Inner>) {
    loop {
        let Some(mut doubts) = inner.upgrade().map(|inner| inner.current.borrow().pool.doubts().watch()) else { return };
        let Ok(mut replace) = doubts.wait_for(|doubt| *doubt > Doubt::None).await.map(|doubt| *doubt == Doubt::Replace) else {
            return;
        };
        // Where many get no connection, each of them doubts.
        sleep(PAUSE).await;
        let mut said = None;
        while let Some(inner) = inner.upgrade() {
            let Err(error) = inner.look(replace).await else { break };
            // Once it was away nobody knows what has become of the connections that there were.
            replace = true;
            let why = error.source.as_ref().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            // Once, not with each look.
            if said.as_ref() != Some(&why) {
                tracing::warn!(why, "the store's server is away");
                metrics::gauge!("postgres_up").set(0.0);
                said = Some(why);
            }
            drop(inner);
            sleep(REST).await;
        }
        if said.is_some() {
            tracing::info!("the store's server is there");
            metrics::gauge!("postgres_up").set(1.0);
        }
    }
}
