//! Private servers for tests: each has its own folder and port, and both are gone when it is dropped.
//!
//! The servers are those of the Debian packages `postgresql`, `pgbouncer`, `redis-server`, `rabbitmq-server` and `nginx`; those that the machine
//! runs are never touched. A test that only needs a database takes a [`fresh_database`], one that only needs a Redis a
//! [`fresh_namespace`] of [`shared_redis`], or of [`shared_redis_sentinels`] or [`shared_redis_cluster`], one that only needs queues the [`shared_rabbitmq`]; one that stops, kills, pauses or
//! flushes its server starts its own.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! use evently_testservers::{Postgres, fresh_database};
//!
//! let database = fresh_database()?;
//! println!("empty, and dropped with the variable: {}", database.url());
//!
//! let server = Postgres::options().durable(true).set("deadlock_timeout", "200ms").start()?;
//! server.kill();
//! server.restart()?;
//! # Ok(())
//! # }
//! ```
//!
//! A process that is killed leaves nothing behind: a watchdog beside each server sees its pipe close, stops the server and removes
//! the folder. It is a process because a parent-death signal would come when the *thread* ends that started the server.
//!
//! Everything blocks; where a test is asynchronous, that is a pause of its own thread only. Errors are texts, for people to read.

mod certificates;
mod folder;
pub mod knobs;
mod nginx;
mod pgbouncer;
mod port;
mod postgres;
mod processes;
mod proxy;
mod rabbitmq;
mod redis;
mod server;
mod shared;
mod shipped;
mod tool;

pub use certificates::Certificates;
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use port::Port;
pub use postgres::{Postgres, PostgresOptions};
pub use proxy::Proxy;
pub use rabbitmq::{RabbitMq, SHARED_RABBITMQ, shared_rabbitmq};
pub use redis::{Redis, RedisCluster, RedisSentinels};
pub use shared::{
    Database, SHARED_POSTGRES, SHARED_REDIS, SHARED_REDIS_CLUSTER, SHARED_REDIS_SENTINELS, SharedPostgres, fresh_database,
    fresh_namespace, fresh_redis_database, shared_postgres, shared_redis, shared_redis_cluster, shared_redis_sentinels,
};
