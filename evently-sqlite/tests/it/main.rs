//! The embedded store against real files.

mod answers;
mod audit;
mod broken_disk;
mod conformance;
mod constraints;
mod durable;
mod full;
mod open;
mod sessions;
mod shared;
mod support;
mod terms;
mod times;
