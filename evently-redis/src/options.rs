//! How Redis is opened.

use std::{fmt, time::Duration};

use redis::RedisError;

/// How Redis is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the server is: `redis://user:password@host:port/database`, with TLS `rediss://…`, or by its Sentinels
    /// `redis+sentinel://user:password@host:port,host:port/service/database`, where user and password are the server's; or some servers
    /// of a cluster `redis-cluster://user:password@host:port,host:port`, with TLS `rediss-cluster://…`, with the feature `cluster`.
    pub url: String,
    /// What all keys and channels begin with, so that several services may share a server.
    pub namespace: String,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long it may take to connect.
    pub connect_timeout: Duration,
    /// After so many calls in a row that were not answered in time the server counts as away. A broken connection counts at once.
    pub failures_max: u32,
    /// How often a server is looked at: whether it is back, and whether it is still there.
    pub probe: Duration,
}

impl Options {
    /// The defaults for a server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: "evently".to_owned(),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
            failures_max: 3,
            probe: Duration::from_secs(1),
        }
    }
}

/// Without the password that the URL may have.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("namespace", &self.namespace).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Why Redis could not be opened. A server that is away is no reason.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "the URL is not one of Redis; right would be redis://host:6379, redis+sentinel://host:26379,host:26379/service or \
         redis-cluster://host:6379,host:6379"
    )]
    Url(#[source] Option<RedisError>),
    /// The URL is that of a cluster, and this build knows none.
    #[error("this program was built without the feature `cluster` of evently-redis, so it cannot use a cluster of Redis")]
    NoCluster,
    /// The namespace would not be told from the rest of a key.
    #[error("the namespace of Redis keys must have letters, digits, `_` and `-` only, and at least one of them")]
    Namespace,
}
