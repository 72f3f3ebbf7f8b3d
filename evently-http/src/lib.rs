//! The service over HTTP.

pub mod auditor;
pub mod caller;
pub mod clock;
pub mod compose;
pub mod config;
pub mod context;
pub mod database;
pub mod demo;
pub mod extract;
pub mod gateway;
pub mod ids;
pub mod login_limit;
pub mod mail;
/// The message broker, for whoever looks after it.
pub use evently_amqp as messages;
pub mod metrics;
pub mod middleware;
pub mod open_files;
pub mod passwords;
pub mod pdf;
pub mod places;
pub mod problem;
pub mod routes;
pub mod seat_bodies;
pub mod secrets;
pub mod serve;
pub mod server;
pub mod set_aside;
pub mod shared;
pub mod telemetry;
pub mod ticket_pages;
pub mod tokens;
pub mod websocket;
pub mod wire;
pub mod workers;
