//! The servers as a test sees them. They are real; without their packages these tests fail.

mod nginx;
mod pgbouncer;
mod postgres;
mod proxy;
mod rabbitmq;
mod redis;
mod run;
mod shared;
