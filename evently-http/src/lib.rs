//! The service over HTTP.

pub mod caller;
pub mod clock;
pub mod compose;
pub mod config;
pub mod context;
pub mod demo;
pub mod extract;
pub mod gateway;
pub mod ids;
pub mod login_limit;
pub mod mail;
pub mod metrics;
pub mod middleware;
pub mod passwords;
pub mod pdf;
pub mod problem;
pub mod routes;
pub mod seat_bodies;
pub mod secrets;
pub mod serve;
pub mod server;
pub mod telemetry;
pub mod ticket_pages;
pub mod tokens;
pub mod wire;
pub mod workers;
