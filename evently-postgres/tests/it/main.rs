//! The production store against a real server.

mod conformance;
mod pooled;
mod races;
mod statements;
mod support;
