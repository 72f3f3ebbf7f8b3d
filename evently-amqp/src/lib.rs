//! What happened at Evently, carried by RabbitMQ 3.10 or newer to those who act on it.
//!
//! The store decides; a broker only carries. What is committed waits in the outbox until the broker has confirmed it, so while the
//! broker is away sales go on, and when it is back everything follows in order. A message may come twice; those who act on it know
//! by the inbox what they have done.
//!
//! ```text
//! store ─► Relay ─► AmqpCarrier ─► evently.transitions ─┬─► evently.notifications ─► Consumer ─► NotificationService
//!                                                       ├─► evently.analytics     ─► Consumer ─► AnalyticsService
//!                                                       └─► evently.jobs          ─► Consumer ─► Jobs
//! ```
//!
//! A message carries one entry of the journal, or, where many wait, a run of entries of one kind. Those of a booking come in their order.
//!
//! Each queue has a `.retry` beside it, in which an entry that failed waits before it comes again, and a `.parked` with those that people
//! have to look at ([`ParkedQueue`]). All are quorum queues. They are declared whenever a connection is made; one that is there with another shape is
//! an error that names it.
//!
//! The composition root opens the [`Broker`] and gives the relay another carrier; nothing else changes:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use evently_core::{ports::{Carrier, Clock, Handler, Ids, Outbox}, services::{InProcess, Relay, RelayParts}};
//! # async fn wire(
//! #     outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, stopping: tokio::sync::watch::Receiver<bool>,
//! #     notifications: Arc<dyn Handler>, analytics: Arc<dyn Handler>, jobs: Arc<dyn Handler>,
//! # ) -> Result<(), evently_amqp::OpenError> {
//! use evently_amqp::{AmqpCarrier, Broker, Consumer, Options, Work};
//!
//! let in_process: Arc<dyn Carrier> = Arc::new(InProcess::new(vec![notifications.clone()]));
//! let broker = Broker::open(Options::new("amqp://evently:secret@broker:5672/%2f", clock.clone())).await?;
//! let carrier = Arc::new(AmqpCarrier::new(broker.clone(), in_process));
//! let relay = Relay::new(RelayParts { outbox, carrier, clock, ids });
//!
//! for (work, handler) in [(Work::Notifications, notifications), (Work::Analytics, analytics), (Work::Jobs, jobs)] {
//!     let consumer = Consumer::new(broker.clone(), work, handler);
//!     let stopping = stopping.clone();
//!     tokio::spawn(async move { consumer.run(stopping).await });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Broker::state`] is for readiness: a broker that is away is a detail there, not a reason to send buyers elsewhere. The workers that look
//! for due refunds and new sales by themselves go on as they are: messages only make them sooner.

mod broker;
mod consumer;
mod counted;
pub mod message;
mod parked;
mod publisher;
mod run;
mod topology;

pub use broker::{Away, Broker, ConnectError, OpenError, Options, State, inspect};
pub use consumer::Consumer;
pub use parked::{Parked, ParkedQueue};
pub use publisher::AmqpCarrier;
pub use topology::{Inspection, Topology, TopologyError, Work};

/// An error with all that led to it, in one line.
fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut causes = causes.collect::<Vec<_>>();
    causes.dedup();
    causes.join(": ")
}
