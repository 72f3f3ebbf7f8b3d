//! What spares the store work, and what several instances share, in Redis 7 or newer.
//!
//! Nothing here decides anything. Redis may be away, slow, empty or wrong at any moment: no seat is sold twice for it and nothing that
//! was acknowledged is lost, because only the store sells. What each part costs when Redis is away is said at the part.
//!
//! [`Redis`] is the connection. It looks for the server by itself, again and again, so that a service starts and runs without one.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use evently_core::{
//!     ports::{Bookings, Clock, SeatFeed},
//!     services::{BoxOffice, OfficeSize},
//! };
//! use evently_redis::{OpenError, Options, Redis, RedisRateLimits, RedisSeatLocks};
//!
//! /// Opens the box office of one of several instances.
//! fn open(
//!     url: &str,
//!     store: Arc<dyn Bookings>,
//!     feed: Arc<dyn SeatFeed>,
//!     clock: Arc<dyn Clock>,
//! ) -> Result<BoxOffice, OpenError> {
//!     let redis = Redis::open(&Options::new(url))?;
//!     println!("for /health/ready: {:?}", redis.health());
//!     let locks = Arc::new(RedisSeatLocks::new(redis.clone()));
//!     let (office, work) = BoxOffice::open_behind(Some(locks), store, feed, clock, OfficeSize::default());
//!     tokio::spawn(work);
//!     // For `Stack::limits` and `LoginLimit::counted_by` of evently-http.
//!     let limits = RedisRateLimits::new(redis);
//!     # drop(limits);
//!     Ok(office)
//! }
//! ```
//!
//! Every script names its keys, and they all have the event, or whatever else they are about, as their hash tag: they would lie on one
//! node of a Redis Cluster. A cluster is not spoken to, though: the client for it is another, and one server answers some hundred
//! thousand calls a second.

mod error;
mod keys;
mod link;
mod options;
mod place;
mod rates;
mod seat_locks;

pub use error::Away;
pub use link::{Health, Redis};
pub use options::{OpenError, Options};
pub use rates::RedisRateLimits;
pub use seat_locks::RedisSeatLocks;
