//! Seat booking without overselling: many people want the same seat at the same moment, and exactly one gets it.
//!
//! The core is pure. [`domain`] has the values and rules, [`ports`] what is needed from the world, [`services`] the use cases over
//! those, and [`memory`] every port in memory, for embedding, for tests, and as the reference for whoever writes an adapter.
//! [`audit`] checks what a store holds against the invariants.
//! Nothing here touches a database, a socket, the wall clock or a random source.

/// Whether a fault was put in, by a test that has to find it; see `planted`.
#[cfg(evently_planted)]
macro_rules! planted {
    ($bug:ident) => {
        crate::planted::is_planted(crate::planted::Bug::$bug)
    };
}
/// Nobody can put a fault in.
#[cfg(not(evently_planted))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub mod audit;
pub mod cache;
pub mod domain;
pub mod import;
pub mod memory;
#[cfg(evently_planted)]
pub mod planted;
pub mod ports;
pub mod rate;
pub mod services;

#[cfg(all(test, not(loom)))]
mod heard;
#[cfg(test)]
mod story;
mod sync;
