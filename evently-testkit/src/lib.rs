//! Tests for whoever writes an adapter of Evently: the contract of every port, clause by clause, and a model of the booking rules.
//!
//! A store registers the suites of its ports in one line of its own tests, and the model in another:
//!
//! ```no_run
//! use evently_testkit::MemoryPlace;
//!
//! # mod a {
//! # use evently_testkit::MemoryPlace;
//! evently_testkit::store_conformance!(MemoryPlace);
//! # }
//!
//! # #[cfg(any())]
//! #[test]
//! fn a_random_history_is_as_the_model_says() {
//!     evently_testkit::model::run(|| MemoryPlace, 2_000);
//! }
//! ```
//!
//! A store that outlives its process registers `durable_conformance!` as well. What makes a store to be tested is a [`StorePlace`].
//! Whole on-sales in which everything goes wrong are in [`simulation`]. What real clients were told is judged by [`history`]. A failure of the model prints the shortest history that it has found, in the words of [`model::Step`].

pub mod conformance;
mod counted;
mod fixtures;
pub mod history;
#[cfg(feature = "model")]
pub mod model;
pub mod simulation;
pub mod spoilt;
mod store;

pub use counted::CountedBookings;
pub use fixtures::{DOOR, Fixture, GATEWAY, HOUSE, ORGANIZER, OTHER_ORGANIZER, SYSTEM, World, customer, layout};
pub use store::{MemoryPlace, StorePlace};

/// Runs a test on a runtime of several threads, so that what races in it really does.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("the machine has threads to spare").block_on(test)
}
