//! The production store against a real server.

mod conformance;
mod races;
mod statements;
mod support;
