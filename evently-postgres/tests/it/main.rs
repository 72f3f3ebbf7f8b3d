//! The production store against a real server.

mod audit;
mod conformance;
mod crowd;
mod elsewhere;
mod failover;
mod opening;
mod pair;
mod partitions;
mod plans;
mod pooled;
mod races;
mod retries;
mod replica;
mod statements;
mod support;
mod upgrades;
mod tls;
mod taken_back;
