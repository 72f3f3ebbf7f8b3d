//! What goes over Redis, against real servers.

mod cache;
#[cfg(feature = "cluster")]
mod cluster;
mod crowd;
mod feed;
mod link;
mod places;
mod problems;
mod rates;
mod seat_locks;
mod support;
