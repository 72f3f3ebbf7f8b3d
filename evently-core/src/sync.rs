//! The primitives that hand-made shared structures are built of; loom's own where loom checks them.

#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use self::turn::Turn;

/// One at a time, for work that waits in between.
#[cfg(not(loom))]
pub(crate) type Turn = tokio::sync::Mutex<()>;

/// Locks, whatever became of those who held the lock before: every structure here is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a future of something in memory, which never waits.
#[cfg(test)]
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};

    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in memory waits"),
    }
}

/// Loom does not see tokio's own locks. Under loom each thread runs one future, so that it may just as well block.
#[cfg(loom)]
mod turn {
    use loom::sync::Condvar;

    use super::{Mutex, lock};

    pub(crate) struct Turn {
        taken: Mutex<bool>,
        over: Condvar,
    }

    impl Turn {
        pub(crate) fn new((): ()) -> Self {
            Self { taken: Mutex::new(false), over: Condvar::new() }
        }

        #[expect(clippy::unused_async, reason = "it stands for a lock that is waited for")]
        pub(crate) async fn lock(&self) -> OnesTurn<'_> {
            let mut taken = lock(&self.taken);
            while *taken {
                taken = self.over.wait(taken).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            *taken = true;
            OnesTurn(self)
        }
    }

    pub(crate) struct OnesTurn<'a>(&'a Turn);

    impl Drop for OnesTurn<'_> {
        fn drop(&mut self) {
            *lock(&self.0.taken) = false;
            self.0.over.notify_one();
        }
    }
}
