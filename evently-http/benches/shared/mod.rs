//! The service under load, for several benches.

pub mod client;
pub mod evently;
