//! The production store: everything that Evently keeps, in PostgreSQL 15 or newer.
//!
//! [`PgStore`] implements every store port of the core. A batch of requests is one SERIALIZABLE transaction: the rows that it
//! needs are read in bulk, the core decides over them in memory, and what it changed is written by a handful of statements, however many
//! requests there are. A transaction that others got in the way of is tried again, in turn.

mod accounts;
mod apply;
mod audit;
mod bookings;
mod catalog;
mod chores;
mod clock;
mod doubt;
mod elsewhere;
mod error;
mod figures;
mod gauges;
mod inbox;
mod inspect;
mod journal;
mod ledger;
mod opening;
mod options;
mod outbox;
mod partitions;
mod place;
mod plans;
mod pool;
mod primary;
mod replica;
mod rows;
mod schema;
mod sessions;
mod store;
mod turns;

pub use catalog::AvailableSeat;
pub use clock::TimeSample;
pub use inspect::{Durability, Inspection, inspect, migrate};
pub use opening::{OpenError, Problem, Way};
pub use options::{Guards, Options, Pooler, Time};
pub use partitions::{MONTHS_AHEAD, Partition};
pub use plans::Plan;
pub use replica::ReplicaHealth;
pub use schema::VERSION as SCHEMA_VERSION;
pub use store::PgStore;
