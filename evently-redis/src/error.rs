//! What goes wrong between us and the server.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::problem::Problem;

/// Redis has not done what it was asked, and whoever asked goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// It is known to be away, so it was not even asked.
    #[error("redis is away")]
    Known,
    /// It has not answered in time. It may have done what it was asked.
    #[error("redis has not answered in time")]
    Late,
    /// It has refused, or the connection broke.
    #[error("redis has failed")]
    Failed(#[source] RedisError),
}

/// What a failure says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is of no use any more: broken, or to a server that is no master.
    Broken,
    /// It may be: the server is slow, or not ready.
    Doubtful,
    /// It may be: the user may do less than is needed, or only this is not for them.
    Refused,
    /// It is as good as before; the server does not like the call.
    Good,
}

impl Away {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Known => Verdict::Good,
            Self::Late => Verdict::Doubtful,
            // A server that takes no writes is one of many in a cluster.
            Self::Failed(error) if matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS")) => Verdict::Refused,
            Self::Failed(error) if Problem::of_error(error, false) == Problem::Permission => Verdict::Refused,
            Self::Failed(error) => match error.kind() {
                ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown)
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::Io
                | ErrorKind::Parse
                | ErrorKind::AuthenticationFailed => Verdict::Broken,
                ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain) => Verdict::Doubtful,
                _ => Verdict::Good,
            },
        }
    }

    /// For the figures.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Known => "away",
            Self::Late => "late",
            Self::Failed(_) => "failed",
        }
    }
}
