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
//!     ports::{Bookings, Catalog, Clock, RateLimits, SeatFeed},
//!     services::{BoxOffice, OfficeSize},
//! };
//! use evently_redis::{OpenError, Options, Redis, RedisRateLimits, RedisSeatFeed, RedisSeatLocks};
//!
//! /// What one of several instances has of Redis.
//! struct Shared {
//!     /// For `/health/ready`: `redis.health()`.
//!     redis: Redis,
//!     /// For `EventService`.
//!     feed: Arc<dyn SeatFeed>,
//!     /// For `Stack::limits` and `LoginLimit::counted_by` of evently-http.
//!     limits: Arc<dyn RateLimits>,
//!     office: BoxOffice,
//! }
//!
//! fn open(
//!     url: &str,
//!     store: Arc<dyn Bookings>,
//!     catalog: Arc<dyn Catalog>,
//!     clock: Arc<dyn Clock>,
//! ) -> Result<Shared, OpenError> {
//!     let redis = Redis::open(&Options::new(url))?;
//!     let feed: Arc<dyn SeatFeed> = Arc::new(RedisSeatFeed::new(redis.clone(), catalog));
//!     let limits = Arc::new(RedisRateLimits::new(redis.clone()));
//!     let locks = Arc::new(RedisSeatLocks::new(redis.clone()));
//!     let (office, work) = BoxOffice::open_behind(Some(locks), store, feed.clone(), clock, OfficeSize::default());
//!     tokio::spawn(work);
//!     Ok(Shared { redis, feed, limits, office })
//! }
//! ```
//!
//! Every script names its keys, and they all have the event, or whatever else they are about, as their hash tag: they lie on one node of a
//! Redis Cluster, which is spoken to with the feature `cluster`.

mod cache;
mod connection;
mod error;
mod feed;
#[doc(hidden)]
pub mod heard;
mod keys;
mod link;
mod listener;
mod options;
mod place;
mod problem;
mod rates;
mod seat_locks;

pub use cache::RedisCache;
pub use error::Away;
pub use feed::RedisSeatFeed;
pub use link::{Health, Redis};
pub use options::{OpenError, Options};
pub use problem::Problem;
pub use rates::RedisRateLimits;
pub use seat_locks::RedisSeatLocks;
