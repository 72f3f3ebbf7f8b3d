//! The store: one connection that writes, a few that read, and the way from an async call to either.

use std::{
    fs,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex as BlockingMutex, PoisonError},
    time::Duration,
};

use evently_core::ports::{Ids, StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    task,
};

use crate::{checkpoint::Checkpointer, error::Fault, kept::KeptAnswers};

/// A store in a single file. A handle: clones share the file's connections.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) ids: Arc<dyn Ids>,
    writer: Arc<Mutex<Writer>>,
    readers: Arc<Readers>,
    /// Only whoever writes asks it.
    pub(crate) kept: Arc<BlockingMutex<KeptAnswers>>,
}

impl SqliteStore {
    pub(crate) fn new(ids: Arc<dyn Ids>, writer: Writer, readers: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(readers.len()));
        let readers = Readers { idle: BlockingMutex::new(readers), permits };
        Self { ids, writer: Arc::new(Mutex::new(writer)), readers: Arc::new(readers), kept: Arc::default() }
    }

    /// Does `work` in a write transaction, and commits it unless it fails. Writers come in turn.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Waiting here costs no thread.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        blocking(operation, move || writer.transact(work)).await
    }

    /// Does `work` over the store as it is at one moment, everything committed before included.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut reader = Arc::clone(&self.readers).take().await;
        blocking(operation, move || work(&reader.connection().transaction()?)).await
    }

    /// Whether another process has committed since this was asked last.
    pub(crate) async fn written_elsewhere(&self, operation: &'static str) -> Result<bool, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        blocking(operation, move || writer.written_elsewhere()).await
    }

    /// Writes a compact copy of the store, as it is at one moment, to a new file. Others go on reading and writing meanwhile.
    pub async fn backup_to(&self, path: impl Into<PathBuf>) -> Result<(), StoreError> {
        let path = path.into();
        let mut reader = Arc::clone(&self.readers).take().await;
        blocking("backup", move || Ok(vacuum_into(reader.connection(), &path)?)).await
    }
}

fn vacuum_into(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    // It counts as a write, although to another file.
    connection.pragma_update(None, "query_only", false)?;
    let written = connection.execute("vacuum into ?1", [path.to_string_lossy()]);
    connection.pragma_update(None, "query_only", true)?;
    written.map(drop)
}

/// Runs `work` off the async threads.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|fault| fault.during(operation)),
        Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
        Err(stopping) => Err(StoreError::new(StoreErrorKind::Unavailable, operation, stopping)),
    }
}

/// The one connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    /// Changes when another connection commits. This one alone writes for us, so that others are other processes.
    data_version: i64,
    wal: WalLimit,
    checkpointer: Checkpointer,
}

impl Writer {
    /// Takes over a connection to the file at `path`, whose write-ahead log shall be no longer than about `wal_bytes_max`.
    pub(crate) fn new(
        connection: Connection,
        path: &Path,
        wal_bytes_max: u64,
        checkpointer: Checkpointer,
    ) -> rusqlite::Result<Self> {
        let data_version = data_version(&connection)?;
        Ok(Self { connection, data_version, wal: WalLimit::new(path, wal_bytes_max), checkpointer })
    }

    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        // The write lock comes before the first read: what has been read cannot change until the commit.
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        self.checkpointer.after_commit(&self.connection);
        self.wal.keep(&self.connection);
        Ok(done)
    }

    fn written_elsewhere(&mut self) -> Result<bool, Fault> {
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

/// The connections that read.
struct Readers {
    idle: BlockingMutex<Vec<Connection>>,
    /// As many as there are idle connections.
    permits: Arc<Semaphore>,
}

impl Readers {
    async fn take(self: Arc<Self>) -> Reader {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Reader { connection, readers: self, _permit: permit }
    }
}

/// A connection on loan; it goes back when this is dropped, the permit after it.
struct Reader {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("there are as many connections as permits")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.connection.take());
    }
}
