//! The production store against a real server.

mod acknowledged;
mod audit;
mod clock;
mod conformance;
mod constraints;
mod crowd;
mod elsewhere;
mod failover;
mod journal;
mod opening;
mod pair;
mod partitions;
mod plans;
mod pooled;
mod races;
mod replica;
mod retries;
mod statements;
mod support;
mod taken_back;
mod terms;
mod tls;
mod turns;
mod upgrades;
mod upkeep;
