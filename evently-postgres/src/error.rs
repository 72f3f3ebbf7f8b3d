//! What goes wrong between us and the server.

use std::error::Error;

use evently_core::ports::{StoreError, StoreErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why a transaction could not be carried out. It becomes a [`StoreError`] where the operation's name is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The server, or the way to it.
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    /// A commit of which nobody knows what became of it.
    #[error(transparent)]
    InDoubt(sqlx::Error),
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

    pub(crate) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Engine(sqlx::Error::Database(error)) => kind_of(&error.code().unwrap_or_default(), error.constraint()),
            Self::Engine(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_))
            | Self::Row { .. } => StoreErrorKind::Corrupt,
            Self::Engine(_) => StoreErrorKind::Unavailable,
            Self::InDoubt(_) => StoreErrorKind::InDoubt,
            Self::Stale(_) => StoreErrorKind::Contended,
        }
    }

    /// Whether it was in the way of somebody who did something at the same time, and would not be if it waited for them.
    pub(crate) fn has_met_somebody(&self) -> bool {
        self.kind() == StoreErrorKind::Contended && !self.waited_too_long()
    }

    /// Whether somebody else had what it waited for, and did not give it up in time; or whoever stood still has to begin anew.
    pub(crate) fn waited_too_long(&self) -> bool {
        self.waited_for_somebody() || self.has_code("25P03")
    }

    /// Whether somebody else had what it waited for, and did not give it up in time.
    pub(crate) fn waited_for_somebody(&self) -> bool {
        self.has_code("55P03") || self.has_code("57014")
    }

    fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Engine(sqlx::Error::Database(error)) if error.code().as_deref() == Some(code))
    }

    /// The fault as whoever only wants to read is told of it: nothing of theirs is in doubt.
    pub(crate) fn of_read(self) -> Self {
        match self {
            Self::InDoubt(error) => Self::Engine(error),
            fault => fault,
        }
    }

    /// A commit that failed. Unless the server has said no, nobody knows what became of it.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        let said_no = match &error {
            sqlx::Error::Database(error) => {
                let error = error.downcast_ref::<PgDatabaseError>();
                is_no_to_a_commit(error.severity(), error.code())
            }
            _ => false,
        };
        if said_no { Self::Engine(error) } else { Self::InDoubt(error) }
    }
}

/// Whether this says that what was to be committed is not. Admin shutdown, crash shutdown, idle timeout, and a pooler that has lost its server are
/// said while the commit may have been on its way. A server that panics, because its log cannot be put on the disk, may have written the commit
/// before that, and finds it when it recovers.
fn is_no_to_a_commit(severity: PgSeverity, code: &str) -> bool {
    !(severity == PgSeverity::Panic || code.starts_with("57P") || code.starts_with("08"))
}

/// Keys that two transactions may give out at the same time without having seen one another. Trying again sees.
const RACED: [&str; 8] = [
    "booking_items_pk",
    "booking_codes_pk",
    "bookings_pk",
    "event_ids_pk",
    "venues_pk",
    "layouts_pk",
    "answers_pk",
    "gateway_messages_pk",
];

/// What an error of the server means for whoever asked; <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
fn kind_of(code: &str, constraint: Option<&str>) -> StoreErrorKind {
    match (code.get(..2).unwrap_or_default(), code) {
        // Serialization failure, deadlock, lock timeout, statement timeout; stood still for too long in the middle of a transaction.
        (_, "40001" | "40P01" | "55P03" | "57014" | "25P03") => StoreErrorKind::Contended,
        ("23", "23505") if constraint.is_some_and(|name| RACED.contains(&name)) => StoreErrorKind::Contended,
        // Connections, who may connect and to what, resources (a full disk among them), shutting down, I/O; a primary that is none any
        // more, also as one that begins to write on it is told; a right that was taken away.
        ("08" | "28" | "3D" | "53" | "57" | "58", _) | (_, "25006" | "0A000" | "42501") => StoreErrorKind::Unavailable,
        // A constraint is the last guard: what it refuses the rules should never have asked for.
        _ => StoreErrorKind::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that is given out twice at the same time is no damage.
    #[test]
    fn of_two_who_make_the_same_at_once_the_second_tries_again() {
        for table in
            ["booking_items", "booking_codes", "bookings", "event_ids", "venues", "layouts", "answers", "gateway_messages"]
        {
            assert_eq!(kind_of("23505", Some(&format!("{table}_pk"))), StoreErrorKind::Contended, "{table}");
        }
    }

    #[test]
    fn who_is_cut_off_during_a_commit_is_not_told_no() {
        for (code, no) in
            [("40001", true), ("23505", true), ("53100", true), ("57P01", false), ("57P02", false), ("57P05", false)]
        {
            assert_eq!(is_no_to_a_commit(PgSeverity::Error, code), no, "{code}");
        }
        for code in ["08P01", "08006"] {
            assert!(!is_no_to_a_commit(PgSeverity::Error, code), "{code} of a pooler");
        }
    }

    /// What the disk refuses is no commit; but where that is why the server panics, it may be one.
    #[test]
    fn a_server_that_panics_at_a_commit_has_not_said_no() {
        for code in ["58030", "53100"] {
            assert!(is_no_to_a_commit(PgSeverity::Error, code), "{code}");
            assert!(!is_no_to_a_commit(PgSeverity::Panic, code), "{code}");
        }
    }

    /// Nobody can put that right by asking again.
    #[test]
    fn what_cannot_be_read_is_corrupt_and_what_cannot_be_reached_is_unavailable() {
        let decode = || sqlx::error::UnexpectedNullError.into();
        for (error, kind) in [
            (sqlx::Error::ColumnDecode { index: "0".to_owned(), source: decode() }, StoreErrorKind::Corrupt),
            (sqlx::Error::Decode(decode()), StoreErrorKind::Corrupt),
            (sqlx::Error::ColumnNotFound("seats".to_owned()), StoreErrorKind::Corrupt),
            (sqlx::Error::PoolTimedOut, StoreErrorKind::Unavailable),
            (sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()), StoreErrorKind::Unavailable),
        ] {
            assert_eq!(Fault::from(error).kind(), kind);
        }
        assert_eq!(Fault::row("seats", "it is gone").kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn codes_mean_what_the_server_documents() {
        for (code, constraint, kind) in [
            ("40001", None, StoreErrorKind::Contended),
            ("40P01", None, StoreErrorKind::Contended),
            ("55P03", None, StoreErrorKind::Contended),
            ("25P03", None, StoreErrorKind::Contended),
            ("23505", Some("booking_items_pk"), StoreErrorKind::Contended),
            ("23505", Some("bookings_pk"), StoreErrorKind::Contended),
            ("23505", Some("tickets_pk"), StoreErrorKind::Corrupt),
            ("23514", Some("seats_owner"), StoreErrorKind::Corrupt),
            ("53100", None, StoreErrorKind::Unavailable),
            ("57P01", None, StoreErrorKind::Unavailable),
            ("58030", None, StoreErrorKind::Unavailable),
            ("08006", None, StoreErrorKind::Unavailable),
            ("25006", None, StoreErrorKind::Unavailable),
            ("0A000", None, StoreErrorKind::Unavailable),
            ("28P01", None, StoreErrorKind::Unavailable),
            ("3D000", None, StoreErrorKind::Unavailable),
            ("42501", None, StoreErrorKind::Unavailable),
            ("42P01", None, StoreErrorKind::Corrupt),
        ] {
            assert_eq!(kind_of(code, constraint), kind, "{code} {constraint:?}");
        }
    }
}
