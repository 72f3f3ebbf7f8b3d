//! Faults under load: three instances and a worker on PostgreSQL, Redis and RabbitMQ, customers who write down everything that they
//! are told, and something that breaks meanwhile.
//!
//! After each fault the customers ask until they know what became of everything, the house comes to rest by itself, and then what
//! they were told, what the store holds and the mails that were sent have to agree. How long it took until every instance served
//! again is printed; it is waited for, but never held against a fast clock.
//!
//! `EVENTLY_FAULTS_ROUNDS` repeats the faults, `EVENTLY_FAULTS_SEED` gives other customers and other moments, and
//! `EVENTLY_FAULTS_SECONDS` makes what lasts last longer, and `EVENTLY_FAULTS_STORMS` says how often several things break before the
//! house has to come to rest. `EVENTLY_FAULTS_REPORTS` names a folder for what they went through, as JSON.

mod clocks;
mod connections;
mod disk;
mod fleet;
mod instances;
mod mails;
mod pauses;
mod postgres;
mod rabbitmq;
mod redis;
mod report;
mod sale;
mod shop;
mod soon;
mod storm;
mod teeth;
