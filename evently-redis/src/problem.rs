//! What is in the way of Redis, and what would help.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Away;

/// What is in the way of Redis, as far as it can be told from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Nobody is there.
    Unreachable,
    /// Somebody is there, and says nothing.
    Silent,
    /// The password or the user is wrong, or there is none.
    Password,
    /// There is no such database.
    Database,
    /// The user may not do what is needed.
    Permission,
    /// The server that should encrypt does not, or the other way round; or its certificate is not good.
    Tls,
    /// The server only follows another one.
    Replica,
    /// The server has no memory left.
    Full,
    /// The server takes no writes: its disk has failed, or it has too few replicas.
    Writes,
    /// It is no cluster, or one that is not whole.
    Cluster,
    /// Something else.
    Other,
}

impl Problem {
    /// What the failure of a connection says; `tls` if it was to be encrypted.
    pub(crate) fn of(away: &Away, tls: bool) -> Self {
        match away {
            Away::Known => Self::Unreachable,
            // A server without TLS waits for the end of what it takes for a command.
            Away::Late if tls => Self::Tls,
            Away::Late => Self::Silent,
            Away::Failed(error) => Self::of_error(error, tls),
        }
    }

    pub(crate) fn of_error(error: &RedisError, tls: bool) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => return Self::Password,
            ErrorKind::Server(ServerErrorKind::NoPerm) => return Self::Permission,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => return Self::Replica,
            ErrorKind::Server(ServerErrorKind::ClusterDown) | ErrorKind::ClusterConnectionNotFound => return Self::Cluster,
            _ => {}
        }
        match error.code() {
            Some("NOAUTH" | "WRONGPASS") => Self::Password,
            Some("NOPERM") => Self::Permission,
            Some("READONLY") => Self::Replica,
            Some("OOM") => Self::Full,
            Some("MISCONF" | "NOREPLICAS") => Self::Writes,
            _ if error.is_connection_refusal() => Self::Unreachable,
            _ if error.is_io_error() => {
                if tls {
                    Self::Tls
                } else {
                    Self::Unreachable
                }
            }
            _ => Self::of_text(&error.to_string()),
        }
    }

    /// The server has no codes for these.
    fn of_text(text: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["DB index", "switch database"]) {
            Self::Database
        } else if says(&["cluster support disabled"]) {
            Self::Cluster
        } else if says(&["NOPERM", "No permissions", "no permissions", "The user executing the script can't"]) {
            Self::Permission
        } else {
            Self::Other
        }
    }

    /// For the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Password => "password",
            Self::Database => "database",
            Self::Permission => "permission",
            Self::Tls => "tls",
            Self::Replica => "replica",
            Self::Full => "full",
            Self::Writes => "writes",
            Self::Cluster => "cluster",
            Self::Other => "other",
        }
    }

    /// What would help, for whoever has set the URL.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => "nobody answers at the address in the URL: is the server up, and are host and port right?",
            Self::Silent => {
                "somebody takes connections at the address in the URL and does not answer: is that a Redis, and does it hang?"
            }
            Self::Password => "set the user and password that the server wants: redis://user:password@host:port",
            Self::Database => "name a database that the server has, 0 for instance: redis://host:port/0",
            Self::Permission => {
                "let the user do what is needed: ACL SETUSER name +@read +@write +@scripting +@pubsub +@connection +info +role \
                 ~evently:* &evently:* &evently:feed:*; in a cluster also +cluster"
            }
            Self::Tls => {
                "the server does not speak TLS with us: rediss:// is for servers with TLS and a certificate that this machine trusts; without TLS it is redis://"
            }
            Self::Replica => "name the master, or its Sentinels: this server only follows another one",
            Self::Full => "give the server more memory, or let it evict: maxmemory, maxmemory-policy volatile-ttl",
            Self::Writes => {
                "the server refuses to write: is its disk full (stop-writes-on-bgsave-error), or are replicas missing (min-replicas-to-write)?"
            }
            Self::Cluster => "redis-cluster:// is for a cluster of which all slots are served; one server is redis://",
            Self::Other => "look at the reason and at the log of the server",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_failure_says_what_would_help() {
        let cut = || Away::Failed(io::Error::from(io::ErrorKind::ConnectionReset).into());
        assert_eq!((Problem::of(&cut(), true).name(), Problem::of(&cut(), false).name()), ("tls", "unreachable"));
        assert_eq!((Problem::of(&Away::Late, true).name(), Problem::of(&Away::Late, false).name()), ("tls", "silent"));
        for (said, problem) in [
            ("ERR DB index is out of range", "database"),
            ("ERR This instance has cluster support disabled", "cluster"),
            ("this user has no permissions to run the 'eval' command", "permission"),
            ("No permissions to access a channel", "permission"),
            ("The user executing the script can't publish to the channel mentioned in the command", "permission"),
            ("it is raining", "other"),
        ] {
            assert_eq!(Problem::of_text(said).name(), problem, "{said}");
        }
    }
}
