//! The service over real sockets.

mod server;
