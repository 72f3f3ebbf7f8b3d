//! Whether the server behind a pool is still the right one, as those who use it have found out.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// What is to be done about a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Doubt {
    /// Nothing.
    #[default]
    None,
    /// The server is to be looked at.
    Look,
    /// Nobody is to ask it anything before it has been looked at.
    Wait,
    /// It takes no writes any more, or does not answer: its connections are of no use, whatever is found there now.
    Replace,
}

impl Doubt {
    /// What `error` says of the server; <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_code(&error.code().unwrap_or_default()),
            // Somebody on the way has forgotten the connection, and then most likely all that there are. Each would be waited for in
            // vain, and the pool waits for ever for one that is to come back to it.
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Self::Replace,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Self::Wait,
            // Perhaps there are only many who want one.
            sqlx::Error::PoolTimedOut => Self::Look,
            _ => Self::None,
        }
    }

    fn of_code(code: &str) -> Self {
        match code {
            // A server that follows another one refuses a serializable transaction as a feature that it does not have.
            "25006" | "0A000" => Self::Replace,
            code if ["08", "28", "3D", "57P"].iter().any(|class| code.starts_with(class)) => Self::Wait,
            _ => Self::None,
        }
    }
}

/// The worst of what was met. A handle: clones share it.
#[derive(Clone, Default)]
pub(crate) struct Doubts {
    worst: Arc<watch::Sender<Doubt>>,
    /// When somebody doubted last.
    left: Arc<Mutex<Option<Instant>>>,
}

impl Doubts {
    /// Takes in what a failure says.
    pub(crate) fn note<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let Err(error) = &answer {
            self.leave(Doubt::of(error));
        }
        answer
    }

    /// Leaves this doubt, unless there is a worse one.
    pub(crate) fn leave(&self, doubt: Doubt) {
        if doubt == Doubt::None {
            return;
        }
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.worst.send_if_modified(|worst| {
            let worse = doubt > *worst;
            *worst = doubt.max(*worst);
            worse
        });
    }

    /// The server is as it should be. Whoever has found meanwhile that its connections are of no use is not forgotten.
    pub(crate) fn settle(&self) {
        self.worst.send_if_modified(|worst| *worst != Doubt::Replace && std::mem::replace(worst, Doubt::None) != Doubt::None);
    }

    /// Whether it may be asked.
    pub(crate) fn is_open(&self) -> bool {
        *self.worst.borrow() < Doubt::Wait
    }

    /// Whether somebody has doubted since then, however that came out.
    pub(crate) fn were_left_within(&self, time: Duration) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.is_some_and(|left| left.elapsed() <= time)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Doubt> {
        self.worst.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_no_writes_is_left_and_one_that_has_refused_a_row_is_not() {
        for (code, doubt) in [
            ("25006", Doubt::Replace),
            ("0A000", Doubt::Replace),
            ("57P01", Doubt::Wait),
            ("08P01", Doubt::Wait),
            ("23505", Doubt::None),
            ("57014", Doubt::None),
        ] {
            assert_eq!(Doubt::of_code(code), doubt, "{code}");
        }
    }

    #[test]
    fn what_is_met_while_somebody_looks_is_not_settled_by_it() {
        let doubts = Doubts::default();
        doubts.leave(Doubt::Look);
        doubts.settle();
        assert_eq!(*doubts.watch().borrow(), Doubt::None);
        doubts.leave(Doubt::Look);
        doubts.leave(Doubt::Replace);
        doubts.settle();
        assert_eq!(*doubts.watch().borrow(), Doubt::Replace);
    }
}
