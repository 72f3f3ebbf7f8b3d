//! Puts what the write-ahead log holds where it belongs, beside the writer instead of in its way.
//!
//! SQLite begins its log anew when all of it has been put in place and nobody is writing. Under load that moment never comes by
//! itself, and the engine then makes the writer do everything at once: a stop of some ten milliseconds, with everybody waiting. Here a thread
//! with a connection of its own does nearly everything, and the writer only the last few pages.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

/// How long the log gathers: the more pages there are in it, the more of them replace one another.
const GATHER: Duration = Duration::from_millis(400);
/// So few pages the writer puts in place itself without anybody noticing.
const FEW: i64 = 256;
/// While it goes through the log, the writer goes on; each time there is less left.
const PASSES: usize = 4;

pub(crate) struct Checkpointer {
    /// Says that there is something to do, until it is dropped.
    written: Option<SyncSender<()>>,
    nearly_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn start(connection: Connection) -> io::Result<Self> {
        let (written, wake) = sync_channel(1);
        let nearly_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&nearly_done);
        let work = move || serve(&connection, &wake, &done);
        let thread = thread::Builder::new().name("evently-checkpoint".to_owned()).spawn(work)?;
        Ok(Self { written: Some(written), nearly_done, thread: Some(thread) })
    }

    /// To be called by the writer after each commit.
    pub(crate) fn after_commit(&self, connection: &Connection) {
        if self.nearly_done.swap(false, Ordering::AcqRel) {
            // The next transaction begins the log anew.
            report(put_in_place(connection));
        } else if let Some(written) = &self.written {
            // Full: it knows already.
            let _ = written.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.written = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that was not logged.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, wake: &Receiver<()>, nearly_done: &AtomicBool) {
    while wake.recv().is_ok() {
        if !gathered(wake) {
            return;
        }
        let left = (0..PASSES).map(|_| report(put_in_place(connection))).find(|left| left.is_none_or(|left| left <= FEW));
        // Where much is left a reader is in the way, or the writer is faster: the engine's own limit is still there.
        if left.flatten().is_some() {
            nearly_done.store(true, Ordering::Release);
        }
    }
}

/// Waits for the log to grow; false if the writer is gone.
fn gathered(wake: &Receiver<()>) -> bool {
    let mut patience = GATHER;
    while !patience.is_zero() {
        let part = patience.min(Duration::from_millis(50));
        thread::sleep(part);
        patience -= part;
        match wake.recv_timeout(Duration::ZERO) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Puts in place what no reader needs in the log; how many pages are left in it.
pub(crate) fn put_in_place(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_one("pragma wal_checkpoint(passive)", [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

pub(crate) fn report(left: rusqlite::Result<i64>) -> Option<i64> {
    left.inspect_err(|error| tracing::warn!(%error, "the write-ahead log could not be put in place")).ok()
}
