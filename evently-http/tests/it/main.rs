//! The service through its router and over real sockets.

mod accounts;
mod admin;
mod app;
mod beside;
mod bookings;
mod broker;
mod demo;
mod interrupted;
mod live;
mod log;
mod open_files;
mod payments;
mod program;
mod public;
mod server;
mod shown;
mod stack;
mod taken;
mod tickets;
