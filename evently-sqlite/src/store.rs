//! The store: one connection that writes, a few that read, and the way from an async call to either.

use std::{
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use evently_core::ports::{Ids, StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

use crate::{
    error::Fault,
    kept::KeptAnswers,
    writer::{Desk, Writer},
};

/// A store in a single file. A handle: clones share the file's connections.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) ids: Arc<dyn Ids>,
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// Only whoever writes asks it.
    pub(crate) kept: Arc<Mutex<KeptAnswers>>,
}

impl SqliteStore {
    pub(crate) fn new(ids: Arc<dyn Ids>, writer: Writer, readers: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(readers.len()));
        let readers = Readers { idle: Mutex::new(readers), permits };
        Self { ids, writer: Arc::new(writer), readers: Arc::new(readers), kept: Arc::default() }
    }

    /// Does `work` in a write transaction, and commits it unless it fails. Writers come in turn.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.work(operation, |desk| desk.transact(work)).await
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
        self.writer.work(operation, Desk::written_elsewhere).await
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
    // A name alone may mean something else than a file to SQLite, such as `:memory:`.
    let path = Path::new(".").join(path);
    // And a name may be no text.
    let written = connection.execute("vacuum into cast(?1 as text)", [path.as_os_str().as_encoded_bytes()]);
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

/// The connections that read.
struct Readers {
    idle: Mutex<Vec<Connection>>,
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
