//! The same service, the same tests, over PostgreSQL.

#[path = "../it/accounts.rs"]
mod accounts;
#[path = "../it/admin.rs"]
mod admin;
#[path = "../it/app.rs"]
mod app;
#[path = "../it/bookings.rs"]
mod bookings;
mod database;
#[path = "../it/demo.rs"]
mod demo;
mod instances;
mod layers;
#[path = "../it/live.rs"]
mod live;
#[path = "../it/log.rs"]
mod log;
#[path = "../it/payments.rs"]
mod payments;
#[path = "../it/public.rs"]
mod public;
mod split_brain;
mod stack;
#[path = "../it/taken.rs"]
mod taken;
#[path = "../it/tickets.rs"]
mod tickets;
