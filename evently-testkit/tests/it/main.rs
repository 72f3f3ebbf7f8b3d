//! The ports in memory, against the suites; and the suites, against stores that are broken.

mod apart;
mod broken;
mod history;
mod lies;
mod model;
mod payments;
mod ports;
mod protocol;
mod relay;
mod seat_locks;
mod simulation;
mod store;
mod views;
