//! Figures of the connections to a server, for whoever watches over the service.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gauges {
    Primary,
    Replica,
}

/// Says what the figures mean, once for all pools.
pub(crate) fn describe() {
    metrics::describe_gauge!("postgres_up", "Whether there is a server that the store can write to: 1 or 0.");
    metrics::describe_gauge!("postgres_connections", "Connections that are open, by server.");
    metrics::describe_gauge!("postgres_connections_in_use", "Connections that somebody is using, by server.");
    metrics::describe_gauge!("postgres_connections_max", "Connections that there may be, by server.");
    metrics::describe_gauge!("postgres_waiting", "Those who wait for a connection, by server.");
    metrics::describe_histogram!("postgres_wait_duration_seconds", "How long it took to get a connection, in seconds.");
    metrics::describe_counter!("postgres_wait_timeouts_total", "Those who got no connection in time, by server.");
    metrics::describe_counter!("postgres_statement_timeouts_total", "Statements that took too long, by server.");
    metrics::describe_histogram!("postgres_lock_duration_seconds", "How long a batch kept its rows locked, in seconds.");
}

/// A batch has kept its rows locked for so long, from when it began to read them until it was committed.
pub(crate) fn locked(time: Duration) {
    metrics::histogram!("postgres_lock_duration_seconds").record(time.as_secs_f64());
}

impl Gauges {
    pub(crate) fn is_of_primary(self) -> bool {
        self == Self::Primary
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }

    pub(crate) fn max(self, connections: u32) {
        metrics::gauge!("postgres_connections_max", "server" => self.name()).set(connections);
    }

    /// Somebody begins to wait for a connection.
    pub(crate) fn wait(self) -> Waiting {
        let many = metrics::gauge!("postgres_waiting", "server" => self.name());
        many.increment(1);
        Waiting { server: self, since: Instant::now(), many }
    }

    /// Somebody has got a connection, one of so many; `leased` counts who has one.
    pub(crate) fn in_use(self, open: u32, leased: Arc<AtomicU32>) -> InUse {
        metrics::gauge!("postgres_connections", "server" => self.name()).set(open);
        let in_use = metrics::gauge!("postgres_connections_in_use", "server" => self.name());
        in_use.increment(1);
        leased.fetch_add(1, SeqCst);
        InUse { many: in_use, leased }
    }

    /// A statement has failed.
    pub(crate) fn failed(self, error: &sqlx::Error) {
        let late = match error {
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
            // Statement timeout, lock timeout.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57014" || code == "55P03"),
            _ => false,
        };
        if late {
            metrics::counter!("postgres_statement_timeouts_total", "server" => self.name()).increment(1);
        }
    }
}

/// Somebody waits for a connection, until this is dropped.
pub(crate) struct Waiting {
    server: Gauges,
    since: Instant,
    many: metrics::Gauge,
}

impl Waiting {
    /// The wait has led to this.
    pub(crate) fn ended<T>(self, got: &Result<T, sqlx::Error>) {
        let took: Duration = self.since.elapsed();
        metrics::histogram!("postgres_wait_duration_seconds", "server" => self.server.name()).record(took.as_secs_f64());
        if matches!(got, Err(sqlx::Error::PoolTimedOut)) {
            metrics::counter!("postgres_wait_timeouts_total", "server" => self.server.name()).increment(1);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.many.decrement(1);
    }
}

/// Somebody uses a connection, until this is dropped.
pub(crate) struct InUse {
    many: metrics::Gauge,
    leased: Arc<AtomicU32>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.many.decrement(1);
        self.leased.fetch_sub(1, SeqCst);
    }
}
