//! How the store is opened.

use std::{fmt, time::Duration};

/// How the store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the server is: `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Where the same database is without a pooler between; the schema is brought up to date there. Only a pooled one needs it.
    pub direct_url: Option<String>,
    /// Where a streaming replica of it is, that browsing may go to.
    pub replica_url: Option<String>,
    /// By how much a replica may be behind; while it is more, it is not read from.
    pub replica_lag_max: Duration,
    /// Who else stands between.
    pub pooler: Pooler,
    /// At most so many connections, to each server.
    pub connections: u32,
    /// How long a request waits for a connection.
    pub patience: Duration,
    /// How long one statement may take, and how long it may wait for a lock.
    pub statement_timeout: Duration,
    /// By which time requests are decided.
    pub time: Time,
    /// What keeps a seat from being sold twice.
    pub guards: Guards,
}

/// By which time requests are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Time {
    /// That of the server, when it reads what the decision is about. So whatever is decided over what somebody has written is decided
    /// later than that, on however many machines, whatever their clocks say.
    #[default]
    Server,
    /// That of whoever asks, and of the time that has passed since. For clocks that are moved by hand.
    Caller,
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
            replica_url: None,
            replica_lag_max: Duration::from_secs(10),
            pooler: Pooler::None,
            connections: 16,
            patience: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(3),
            time: Time::default(),
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
