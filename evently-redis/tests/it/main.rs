//! What goes over Redis, against real servers.

mod crowd;
mod feed;
mod link;
mod rates;
mod seat_locks;
mod support;
