//! Opening a file: whether it is one of ours, and how its connections are set up.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use evently_core::ports::Ids;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::{
    checkpoint::{self, Checkpointer},
    schema::{self, MigrationFailed},
    store::SqliteStore,
    writer::{Desk, Writer},
};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many connections read at the same time; at least one. Default: 3.
    pub readers: u32,
    /// How long to wait for another process that is writing. Default: 5 seconds.
    pub busy_timeout: Duration,
    /// The size in bytes that the file may grow to; a write that needs more is refused. Default: as much as there is.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 3, busy_timeout: Duration::from_secs(5), max_bytes: None }
    }
}

/// Why a file could not be opened as a store. Each message says what helps.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory of the file does not exist.
    #[error("the directory {} does not exist; create it, or give another path", .0.display())]
    NoDirectory(PathBuf),
    /// The path is not that of a regular file.
    #[error("{} is not a file; give the path of a file, such as evently.db in that place", .0.display())]
    NotAFile(PathBuf),
    /// The file or its directory cannot be written.
    #[error("{} is read-only; make it writable for the user that runs this", .0.display())]
    ReadOnly(PathBuf),
    /// The file is something else.
    #[error("{} is not an Evently store: it is no SQLite file; give another path", .0.display())]
    NotSqlite(PathBuf),
    /// The file is a SQLite database of some other program.
    #[error("{} is not an Evently store: it belongs to another program; give another path", .0.display())]
    NotOurs(PathBuf),
    /// The file was last opened by a later version.
    #[error(
        "{} was written by a newer version of Evently (schema {found}, and this version knows {known}); upgrade Evently, or \
         restore a backup from before the upgrade (first move this file and its -wal and -shm away)", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: usize,
        /// The latest that this version knows.
        known: usize,
    },
    /// A migration did not go through; the file is as it was before it.
    #[error("{} could not be brought to this version's schema by the migration {name}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The migration.
        name: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// Another process keeps the file for itself.
    #[error("{} is in use by another process; wait for it, or end it", .0.display())]
    InUse(PathBuf),
    /// The file is damaged.
    #[error("{} is damaged; move it and its -wal and -shm away, and copy a backup to its place", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rusqlite::Error,
    },
    /// The operating system does not let us.
    #[error("{} could not be opened; check the path, its permissions and the room on the disk", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SqliteStore {
    /// Opens the store in the file at `path`, a new one if there is no such file, and brings it to this version's schema. Blocks
    /// while it does so.
    pub fn open(path: impl AsRef<Path>, ids: Arc<dyn Ids>, options: &Options) -> Result<Self, OpenError> {
        let path = check_place(path.as_ref())?;
        let failed = |error| explain(&path, error);
        let mut writer = connect(&path, options).map_err(failed)?;
        check_owner(&path, &writer)?;
        begin_wal(&writer, options).map_err(failed)?;
        set_up(&writer, WRITER_CACHE_KIB, options).map_err(failed)?;
        if schema::migrate(&mut writer).map_err(|failed| migration_failed(&path, failed))? {
            // The file itself says whose it is and of which version, to whoever looks at it without opening it.
            checkpoint::report(checkpoint::put_in_place(&writer));
        }
        let readers = (0..options.readers.max(1)).map(|_| reader(&path, options)).collect::<Result<_, _>>().map_err(failed)?;
        let checkpointer = Checkpointer::start(in_place(&path, options).map_err(failed)?)
            .map_err(|source| OpenError::Failed { path: path.clone(), source: source.into() })?;
        let desk = Desk::new(writer, &path, WAL_BYTES_MAX, checkpointer).map_err(failed)?;
        let writer = Writer::start(desk).map_err(|source| OpenError::Failed { path: path.clone(), source: source.into() })?;
        Ok(Self::new(ids, writer, readers))
    }
}

/// Room for the hot events. No more than that: now and then SQLite goes through all of it at a commit.
const WRITER_CACHE_KIB: i32 = 16 << 10;
const READER_CACHE_KIB: i32 = 16 << 10;
/// How long the write-ahead log grows at most before the writer itself puts its pages where they belong; `checkpoint` is faster as
/// a rule.
const CHECKPOINT_PAGES: u32 = 24_000;
/// Longer than it becomes on its own.
const WAL_BYTES_MAX: u64 = 192 << 20;
/// More than there are statements.
const STATEMENTS_MAX: usize = 128;
const PAGE_BYTES: u64 = 4096;

/// The absolute path of the file itself, whose directory exists and may be written.
fn check_place(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source: io::Error| OpenError::Failed { path: path.to_owned(), source: source.into() };
    let name = path.file_name().ok_or_else(|| OpenError::NotAFile(path.to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let directory = match directory.canonicalize() {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return Err(OpenError::NoDirectory(directory.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::NoDirectory(directory.to_owned())),
        Err(error) => return Err(failed(error)),
    };
    let place = directory.join(name);
    match fs::metadata(&place) {
        Ok(file) if !file.is_file() => return Err(OpenError::NotAFile(path.to_owned())),
        Ok(file) if file.permissions().readonly() => return Err(OpenError::ReadOnly(path.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // The write-ahead log stands beside the file, and not beside a link to it.
    if let Ok(target) = fs::read_link(&place) {
        return check_place(&directory.join(target));
    }
    if fs::metadata(&directory).map_err(failed)?.permissions().readonly() {
        return Err(OpenError::ReadOnly(directory));
    }
    Ok(place)
}

fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    Ok(connection)
}

/// Whether the file is ours and not from the future. Nothing has been written to it so far.
fn check_owner(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let (application_id, tables) = signs(connection).map_err(|error| explain(path, error))?;
    match application_id {
        schema::APPLICATION_ID => {}
        0 if tables == 0 => {}
        _ => return Err(OpenError::NotOurs(path.to_owned())),
    }
    let found = schema::version(connection).map_err(|error| explain(path, error))?;
    if found > schema::VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    Ok(())
}

/// The file's application id and how many tables it has.
fn signs(connection: &Connection) -> rusqlite::Result<(i32, i64)> {
    // As of one moment: another process may be at its first migration.
    let tx = connection.unchecked_transaction()?;
    let tables = tx.query_one("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    Ok((tx.pragma_query_value(None, "application_id", |row| row.get(0))?, tables))
}

/// Turns the write-ahead log on. SQLite does not wait for others at this, so that we do.
fn begin_wal(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match mode {
            Err(error) if code(&error) == Some(ErrorCode::DatabaseBusy) && waited < options.busy_timeout => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            other => return other.map(drop),
        }
    }
}

/// What every connection is set to.
fn set_up(connection: &Connection, cache_kib: i32, options: &Options) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Otherwise a statement over a table with a partial index is prepared anew for each value that it gets.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Each commit reaches the disk before it is answered.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // Where a file is mapped into memory, an I/O error is a signal that ends the process instead of an error.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", i64::try_from(WAL_BYTES_MAX).expect("it is small"))?;
    if let Some(bytes) = options.max_bytes {
        let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX).max(1);
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

fn reader(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let mut connection = connect(path, options)?;
    set_up(&connection, READER_CACHE_KIB, options)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_transaction_behavior(TransactionBehavior::Deferred);
    Ok(connection)
}

/// The connection that puts in place what the log holds.
fn in_place(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let connection = connect(path, options)?;
    set_up(&connection, READER_CACHE_KIB, options)?;
    Ok(connection)
}

fn migration_failed(path: &Path, MigrationFailed { name, source }: MigrationFailed) -> OpenError {
    match code(&source) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse(path.to_owned()),
        _ => OpenError::Migration { path: path.to_owned(), name, source },
    }
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

fn explain(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match code(&error) {
        Some(ErrorCode::NotADatabase) => OpenError::NotSqlite(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, source: error },
        Some(ErrorCode::ReadOnly) => OpenError::ReadOnly(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse(path),
        _ => OpenError::Failed { path, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That a process is killed does not show it: only a loss of power does.
    #[test]
    fn a_commit_reaches_the_disk_before_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let (path, options) = (directory.path().join("evently.db"), Options::default());
        let connection = connect(&path, &options).unwrap();
        begin_wal(&connection, &options).unwrap();
        set_up(&connection, WRITER_CACHE_KIB, &options).unwrap();
        let set_to = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(set_to("synchronous"), 2, "full");
        assert_eq!((set_to("foreign_keys"), set_to("mmap_size")), (1, 0));
    }

    /// Otherwise the log begins anew over what a loss of power takes away.
    #[test]
    fn what_is_put_in_place_reaches_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let connection = in_place(&directory.path().join("evently.db"), &Options::default()).unwrap();
        let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(synchronous, 2, "full");
    }

    /// SQLite puts its log beside the file itself.
    #[cfg(unix)]
    #[test]
    fn the_log_of_a_file_behind_a_link_is_kept_short() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("disk/evently.db"), directory.path().join("evently.db"));
        fs::create_dir(file.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("disk/evently.db", &link).unwrap();
        let options = Options::default();
        // First the link leads to nothing, then to a file.
        for value in ["a", "b"] {
            let path = check_place(&link).unwrap();
            let connection = connect(&path, &options).unwrap();
            begin_wal(&connection, &options).unwrap();
            set_up(&connection, WRITER_CACHE_KIB, &options).unwrap();
            let checkpointer = Checkpointer::start(connect(&path, &options).unwrap()).unwrap();
            let mut desk = Desk::new(connection, &path, 1, checkpointer).unwrap();
            desk.transact(|tx| Ok(tx.execute_batch(&format!("create table {value} (n)"))?)).unwrap();
            assert_eq!(fs::metadata(directory.path().join("disk/evently.db-wal")).unwrap().len(), 0, "{value}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_may_stand_where_nobody_can_write() {
        let directory = tempfile::tempdir().unwrap();
        let links = directory.path().join("links");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(directory.path().join("evently.db"), links.join("evently.db")).unwrap();
        let writable = fs::metadata(&links).unwrap().permissions();
        let mut permissions = writable.clone();
        permissions.set_readonly(true);
        fs::set_permissions(&links, permissions).unwrap();
        let place = check_place(&links.join("evently.db"));
        fs::set_permissions(&links, writable).unwrap();
        assert_eq!(place.unwrap(), directory.path().canonicalize().unwrap().join("evently.db"));
    }
}
