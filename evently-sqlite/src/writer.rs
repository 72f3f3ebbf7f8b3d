//! Who writes: one thread with one connection, to which everybody else brings work.
//!
//! A thread of its own finds what it worked with a moment ago where it left it: the connection's pages and the memory that it used.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use evently_core::ports::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{checkpoint::Checkpointer, error::Fault};

type Work = Box<dyn FnOnce(&mut Desk) + Send>;

/// Where work is brought. It is done in the order in which it comes.
pub(crate) struct Writer {
    /// Until this is dropped.
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(desk: Desk) -> io::Result<Self> {
        let (work, brought) = channel();
        let thread = thread::Builder::new().name("evently-writer".to_owned()).spawn(move || serve(desk, &brought))?;
        Ok(Self { work: Some(work), thread: Some(thread) })
    }

    /// What comes of `work`. It is not begun once nobody waits for it any more.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Desk) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, told) = oneshot::channel();
        let work = move |desk: &mut Desk| {
            if !done.is_closed() {
                // What panics goes on doing so where it was asked for; its transaction is gone, and nothing else was begun.
                let _ = done.send(catch_unwind(AssertUnwindSafe(|| work(desk))));
            }
        };
        let away = |error| StoreError::new(StoreErrorKind::Unavailable, operation, error);
        let thread = self.work.as_ref().expect("it is there until this is dropped");
        thread.send(Box::new(work)).map_err(|_| away("the writer has ended"))?;
        match told.await {
            Ok(Ok(done)) => done.map_err(|fault| fault.during(operation)),
            Ok(Err(panicked)) => resume_unwind(panicked),
            Err(_) => Err(away("the writer has ended")),
        }
    }
}

impl Drop for Writer {
    /// Waits for what has been begun. Then nobody writes any more.
    fn drop(&mut self) {
        self.work = None;
        // The last handle may be dropped by what the thread itself has done.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            // What panics was told to whoever asked for it.
            let _ = thread.join();
        }
    }
}

fn serve(mut desk: Desk, brought: &Receiver<Work>) {
    while let Ok(work) = brought.recv() {
        work(&mut desk);
    }
}

/// The one connection that writes.
pub(crate) struct Desk {
    connection: Connection,
    /// Changes when another connection commits. This one alone writes for us, so that others are other processes.
    data_version: i64,
    /// A commit of which nobody knows what became of it may be in the log.
    in_doubt: bool,
    wal: WalLimit,
    checkpointer: Checkpointer,
}

impl Desk {
    /// Takes over a connection to the file at `path`, whose write-ahead log shall be no longer than about `wal_bytes_max`.
    pub(crate) fn new(
        connection: Connection,
        path: &Path,
        wal_bytes_max: u64,
        checkpointer: Checkpointer,
    ) -> rusqlite::Result<Self> {
        let data_version = data_version(&connection)?;
        Ok(Self { connection, data_version, in_doubt: false, wal: WalLimit::new(path, wal_bytes_max), checkpointer })
    }

    pub(crate) fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.settle()?;
        // The write lock comes before the first read: what has been read cannot change until the commit.
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        if let Err(error) = tx.commit() {
            let fault = Fault::of_commit(error);
            self.in_doubt = matches!(fault, Fault::InDoubt(_));
            // Before those who asked are told to look what is there. If this fails as well, nobody writes until it has been done.
            if let Err(error) = self.settle() {
                tracing::warn!(%error, "what a commit in doubt has left in the write-ahead log could not be replaced");
            }
            return Err(fault);
        }
        self.checkpointer.after_commit(&self.connection);
        self.wal.keep(&self.connection);
        Ok(done)
    }

    /// Sees to it that nothing comes of a commit in doubt. SQLite has rolled it back, and nobody reads it; but all of it may stand at
    /// the end of the log, and would be committed for whoever reads the log anew after a crash. What is committed next stands in its place.
    fn settle(&mut self) -> Result<(), Fault> {
        if !self.in_doubt {
            return Ok(());
        }
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("rollback")?;
        }
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // It stays what it is, and its page is written all the same.
        let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
        self.in_doubt = false;
        Ok(())
    }

    pub(crate) fn written_elsewhere(&mut self) -> Result<bool, Fault> {
        let now = data_version(&self.connection)?;
        Ok(std::mem::replace(&mut self.data_version, now) != now)
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

/// Keeps the write-ahead log from growing. SQLite begins it anew on its own when a commit finds nobody reading it; where
/// readers overlap all the time that never is, and somebody has to wait for a gap.
struct WalLimit {
    file: PathBuf,
    bytes_max: u64,
    /// The length at which it is tried again; longer than `bytes_max` while a reader stays in the way.
    try_at: u64,
}

/// How long a writer waits for a gap between readers.
const GAP: Duration = Duration::from_millis(50);

impl WalLimit {
    fn new(path: &Path, bytes_max: u64) -> Self {
        let mut file = path.as_os_str().to_owned();
        file.push("-wal");
        Self { file: file.into(), bytes_max, try_at: bytes_max }
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    fn keep(&mut self, connection: &Connection) {
        if self.len() <= self.try_at {
            return;
        }
        if let Err(error) = truncate(connection) {
            tracing::warn!(%error, "the write-ahead log could not be shortened");
        }
        self.try_at = self.bytes_max.max(self.len() + self.bytes_max / 2);
    }
}

fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    let patience: u32 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    connection.busy_timeout(GAP)?;
    let truncated = connection.query_one("pragma wal_checkpoint(truncate)", [], |_| Ok(()));
    connection.busy_timeout(Duration::from_millis(patience.into()))?;
    truncated
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        task::{Context, Waker},
    };

    use evently_core::memory::SeededIds;
    use tempfile::TempDir;

    use super::*;
    use crate::{Options, SqliteStore};

    fn store() -> (TempDir, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        (folder, store)
    }

    fn open(folder: &TempDir) -> SqliteStore {
        SqliteStore::open(folder.path().join("evently.db"), Arc::new(SeededIds::new(1)), &Options::default()).unwrap()
    }

    async fn consumers(store: &SqliteStore) -> i64 {
        let count = |tx: &Transaction<'_>| Ok(tx.query_one("select count(*) from consumers", [], |row| row.get(0))?);
        store.read("count", count).await.unwrap()
    }

    fn insert(tx: &Transaction<'_>) -> rusqlite::Result<usize> {
        tx.execute("insert into consumers (name, position) values ('tests', 1)", [])
    }

    #[tokio::test]
    async fn what_panics_does_so_where_it_was_asked_for_and_leaves_nothing_behind() {
        let (_folder, store) = store();
        let asked = store.clone();
        let panicked = tokio::spawn(async move {
            let work = |tx: &Transaction<'_>| {
                insert(tx)?;
                panic!("nobody expected this")
            };
            asked.write::<()>("panic", work).await
        });
        let reason = panicked.await.unwrap_err().into_panic();
        assert_eq!(reason.downcast_ref::<&str>(), Some(&"nobody expected this"));
        assert_eq!(consumers(&store).await, 0);
        store.write("insert", |tx| Ok(insert(tx)?)).await.unwrap();
        assert_eq!(consumers(&store).await, 1, "the next one finds a writer");
    }

    #[tokio::test]
    async fn work_for_which_nobody_waits_is_not_begun() {
        let (_folder, store) = store();
        let (go_on, wait) = mpsc::channel::<()>();
        let (busy, is_busy) = tokio::sync::oneshot::channel();
        let first = store.clone();
        let first = tokio::spawn(async move {
            let work = move |_: &Transaction<'_>| {
                let _ = busy.send(());
                Ok(wait.recv().is_ok())
            };
            first.write("wait", work).await
        });
        is_busy.await.unwrap();
        let mut given_up = Box::pin(store.write("insert", |tx| Ok(insert(tx)?)));
        assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it has been brought");
        drop(given_up);
        go_on.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        store.write("nothing", |_| Ok(())).await.unwrap();
        assert_eq!(consumers(&store).await, 0);
    }

    /// Else they would soon give up on other processes that write.
    #[test]
    fn who_has_shortened_the_log_is_as_patient_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("evently.db")).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection.busy_timeout(Duration::from_secs(7)).unwrap();
        connection.execute_batch("create table t (n)").unwrap();
        truncate(&connection).unwrap();
        let patience = connection.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(patience, 7_000);
    }

    /// SQLite itself does not do it in the middle of a transaction.
    #[test]
    fn who_could_not_shorten_the_log_is_as_patient_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("evently.db")).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection.busy_timeout(Duration::from_secs(7)).unwrap();
        connection.execute_batch("begin; create table t (n)").unwrap();
        assert!(truncate(&connection).is_err());
        let patience = connection.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(patience, 7_000);
    }

    /// Else every commit would wait for a gap between readers, for as long as one of them reads.
    #[test]
    fn while_a_reader_stays_the_log_is_let_grow_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evently.db");
        let [connection, reader] = [(); 2].map(|()| Connection::open(&path).unwrap());
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection.execute_batch("create table t (n)").unwrap();
        reader.execute_batch("begin; select * from t").unwrap();
        connection.execute_batch("insert into t values (1)").unwrap();
        let mut log = WalLimit::new(&path, 4096);
        log.keep(&connection);
        assert!(log.len() > 4096, "the reader needs it");
        assert_eq!(log.try_at, log.len() + 2048);
        reader.execute_batch("commit").unwrap();
        connection.execute_batch("insert into t values (2)").unwrap();
        log.try_at = 0;
        log.keep(&connection);
        assert_eq!((log.len(), log.try_at), (0, 4096), "as at first");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_been_begun_is_there_when_the_last_handle_is_gone() {
        let (folder, store) = store();
        let (go_on, wait) = mpsc::channel::<()>();
        let (busy, is_busy) = tokio::sync::oneshot::channel();
        let asked = store.clone();
        let caller = tokio::spawn(async move {
            let work = move |tx: &Transaction<'_>| {
                let _ = busy.send(());
                wait.recv().expect("it is told to go on");
                Ok(insert(tx)?)
            };
            asked.write("insert", work).await
        });
        is_busy.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        drop(store);
        assert!(!folder.path().join("evently.db-wal").exists(), "nobody has the file open any more");
        assert_eq!(consumers(&open(&folder)).await, 1);
    }
}
