//! What is carried, against a real RabbitMQ.

mod consuming;
mod degraded;
mod drain;
mod opening;
mod parking;
mod relaying;
mod runs;
mod support;
