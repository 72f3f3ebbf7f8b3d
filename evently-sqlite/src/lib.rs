//! The embedded store: everything that Evently keeps, durable, in a single file, without a server.
//!
//! [`SqliteStore`] implements every store port of the core over SQLite. One connection writes, in transactions that take the
//! write lock before they read anything; a few others read, each transaction as of one moment. Several processes may have the
//! same file open, the command line beside the service for instance.
//!
//! The files mirror the ports. What is sold is decided by the core alone, over the rows of its transaction; nothing here knows a rule.

mod accounts;
mod audit;
mod bookings;
mod catalog;
mod checkpoint;
mod chores;
mod error;
mod figures;
mod inbox;
mod kept;
mod ledger;
mod open;
mod outbox;
mod rows;
mod schema;
mod sessions;
mod statements;
mod store;
mod writer;

pub use open::{OpenError, Options};
pub use schema::VERSION as SCHEMA_VERSION;
pub use store::SqliteStore;
