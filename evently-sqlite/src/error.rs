//! What goes wrong between us and the file.

use std::error::Error;

use evently_core::ports::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Why a transaction could not be carried out. It becomes a [`StoreError`] where the operation's name is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// SQLite says so.
    #[error(transparent)]
    Engine(#[from] rusqlite::Error),
    /// A commit of which nobody knows what became of it.
    #[error(transparent)]
    InDoubt(rusqlite::Error),
    /// A row that cannot be.
    #[error("a row of {table} is not what it must be")]
    Row {
        /// Where the row is.
        table: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A row that is not of the version that was read.
    #[error("a row of {0} has been changed since it was read")]
    Stale(&'static str),
}

impl Fault {
    /// A row of `table` that cannot be.
    pub(crate) fn row(table: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Row { table, source: source.into() }
    }

    /// The failure of `operation`.
    pub(crate) fn during(self, operation: &'static str) -> StoreError {
        StoreError::new(self.kind(), operation, self)
    }

    /// A commit that failed. Where the disk did, or the memory, all of it may be in the log, and is committed for whoever reads it from there.
    /// What had no room has no end there, and is nothing.
    pub(crate) fn of_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => Self::InDoubt(error),
            _ => Self::Engine(error),
        }
    }

    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Engine(rusqlite::Error::SqliteFailure(failure, _)) => engine_kind(failure.code),
            Self::InDoubt(_) => StoreErrorKind::InDoubt,
            Self::Engine(_) | Self::Row { .. } => StoreErrorKind::Corrupt,
            Self::Stale(_) => StoreErrorKind::Contended,
        }
    }
}

/// What a result code of SQLite means for whoever asked; <https://sqlite.org/rescode.html>.
fn engine_kind(code: ErrorCode) -> StoreErrorKind {
    match code {
        // A constraint is the last guard: what it refuses the rules should never have asked for.
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => {
            StoreErrorKind::Corrupt
        }
        // Full, read-only, an I/O error, gone: somebody can put it right while we run. So is a file that somebody else has kept locked for
        // longer than we wait: all of it, so that no part of a batch fares better alone.
        _ => StoreErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn kind_of(code: i32) -> StoreErrorKind {
        Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).during("apply").kind()
    }

    #[test]
    fn what_can_be_put_right_is_unavailable() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY] {
            assert_eq!(kind_of(code), StoreErrorKind::Unavailable, "{code}");
        }
    }

    /// Nobody can put that right by asking again.
    #[test]
    fn what_cannot_be_read_is_corrupt() {
        for error in [
            rusqlite::Error::InvalidColumnType(0, "status".to_owned(), rusqlite::types::Type::Null),
            rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX),
            rusqlite::Error::QueryReturnedNoRows,
        ] {
            assert_eq!(Fault::from(error).kind(), StoreErrorKind::Corrupt);
        }
        assert_eq!(Fault::row("seats", "it is gone").kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_commit_is_in_doubt_where_all_of_it_may_be_there() {
        for (code, kind) in [
            (ffi::SQLITE_IOERR_FSYNC, StoreErrorKind::InDoubt),
            (ffi::SQLITE_IOERR_WRITE, StoreErrorKind::InDoubt),
            (ffi::SQLITE_IOERR_SHMSIZE, StoreErrorKind::InDoubt),
            (ffi::SQLITE_NOMEM, StoreErrorKind::InDoubt),
            (ffi::SQLITE_FULL, StoreErrorKind::Unavailable),
            (ffi::SQLITE_BUSY, StoreErrorKind::Unavailable),
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, StoreErrorKind::Corrupt),
        ] {
            let failed = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Fault::of_commit(failed).during("apply").kind(), kind, "{code}");
        }
    }

    #[test]
    fn others_in_the_way_are_contention_unless_they_have_the_whole_file() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED] {
            assert_eq!(kind_of(code), StoreErrorKind::Unavailable, "{code}");
        }
        assert_eq!(Fault::Stale("seats").during("apply").kind(), StoreErrorKind::Contended);
    }

    #[test]
    fn what_cannot_be_is_corrupt() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT_CHECK] {
            assert_eq!(kind_of(code), StoreErrorKind::Corrupt, "{code}");
        }
        assert_eq!(Fault::row("seats", "no such status").during("apply").kind(), StoreErrorKind::Corrupt);
    }
}
