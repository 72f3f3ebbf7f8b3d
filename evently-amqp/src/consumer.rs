//! From a queue to whoever acts on its messages.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use evently_core::{
    domain::Entry,
    ports::{Handler, OtherError, StoreError, StoreErrorKind},
    services,
};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Acker, BasicProperties, Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    broker::{Away, Broker, PATIENCE},
    message,
    publisher::put,
    topology::Work,
};

/// How many messages are on their way to us at a time.
const PREFETCH: u16 = 256;
/// How many messages are acknowledged together at most.
const ACKNOWLEDGED_AT_ONCE: u16 = 64;
/// The pause before a queue is consumed again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The pause before a message is acted on again when the store was away.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Acts on the messages of a queue, one after the other.
///
/// A message is acknowledged when it has been acted on. One that failed waits aside and comes again, after others; one that keeps
/// failing, or that cannot be read, is parked with the reason. While the store is away nothing is tried and nothing counted.
pub struct Consumer {
    broker: Broker,
    work: Work,
    handler: Arc<dyn Handler>,
}

/// What became of an attempt.
enum Outcome {
    Done,
    Failed(String),
    /// Nobody is to blame; the message is to be acted on as soon as the store is there.
    StoreAway(String),
}

impl Consumer {
    /// Has the handler act on the messages of the queue for this work.
    pub const fn new(broker: Broker, work: Work, handler: Arc<dyn Handler>) -> Self {
        Self { broker, work, handler }
    }

    /// Consumes until `stopping` turns true, across all failures of the broker. What has been begun is finished then.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut pause = PAUSES.0;
        loop {
            tokio::select! {
                () = stopped(&mut stopping) => return,
                () = self.broker.up() => {}
            }
            let Err(error) = self.consume(&mut stopping, &mut pause).await else { return };
            tracing::warn!(queue = self.work.name(), error = &error as &dyn std::error::Error, "consuming again in a moment");
            tokio::select! {
                () = stopped(&mut stopping) => return,
                () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
            }
            if self.broker.state().is_up()
                && let Err(error) = self.broker.declare().await
            {
                tracing::error!(error = &error as &dyn std::error::Error, "the queues are not as they must be");
            }
        }
    }

    /// Consumes until it is to stop, which is no error.
    async fn consume(&self, stopping: &mut watch::Receiver<bool>, pause: &mut Duration) -> Result<(), Away> {
        let channel = self.broker.channel().await?;
        self.broker.ask(channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
        let queue = self.broker.topology().queue(self.work);
        let consuming = channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
        let mut deliveries = self.broker.ask(consuming).await?;
        *pause = PAUSES.0;
        let mut acted_on = ActedOn::default();
        loop {
            // While more is there already, acknowledgements gather.
            let mut next = deliveries.next().now_or_never();
            if next.is_none() || acted_on.count >= ACKNOWLEDGED_AT_ONCE {
                acted_on.acknowledge(&self.broker).await?;
            }
            if next.is_none() {
                next = tokio::select! {
                    () = stopped(stopping) => None,
                    delivery = deliveries.next() => Some(delivery),
                };
            }
            let Some(delivery) = next.filter(|_| !*stopping.borrow()) else { break };
            // Nothing more comes when the queue has been deleted.
            let delivery = delivery.ok_or(Away::NotConnected)??;
            match self.act_on(&channel, delivery, stopping).await? {
                Some(acker) => acted_on.add(acker),
                None => break,
            }
        }
        acted_on.acknowledge(&self.broker).await?;
        // What was on its way to us goes back to the queue.
        let _ = timeout(PATIENCE, channel.close(200, "stopping".into())).await;
        Ok(())
    }

    /// Acts on a message, which then is to be acknowledged; nothing if it is to stop before that could be done.
    async fn act_on(
        &self,
        channel: &Channel,
        delivery: Delivery,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Option<Acker>, Away> {
        let Delivery { properties, data, acker, .. } = delivery;
        match message::decode(&properties, &data) {
            Err(unreadable) => self.park(channel, properties, &data, 0, &unreadable.to_string()).await?,
            Ok(entry) => loop {
                match attempt(&*self.handler, &entry).await {
                    Outcome::Done => break,
                    Outcome::Failed(reason) => {
                        self.put_aside(channel, properties, &data, &reason).await?;
                        break;
                    }
                    Outcome::StoreAway(reason) => {
                        tracing::warn!(queue = self.work.name(), position = entry.position, reason, "waiting for the store");
                        tokio::select! {
                            () = stopped(stopping) => return Ok(None),
                            () = sleep(STORE_PAUSE) => {}
                        }
                    }
                }
            },
        }
        Ok(Some(acker))
    }

    /// Lets a message that has failed come again later, or parks it if it has failed too often.
    async fn put_aside(&self, channel: &Channel, properties: BasicProperties, body: &[u8], reason: &str) -> Result<(), Away> {
        let attempts = message::attempts(&properties).saturating_add(1);
        let options = self.broker.options();
        if attempts >= options.attempts {
            return self.park(channel, properties, body, attempts, reason).await;
        }
        tracing::warn!(queue = self.work.name(), attempts, reason, "a message failed and will come again");
        let again_after = options.retry_after.saturating_mul(5_u32.saturating_pow(attempts - 1));
        let properties = message::failed(properties, attempts, reason, again_after);
        put(channel, &options.topology.retry(self.work), properties, body).await
    }

    async fn park(
        &self,
        channel: &Channel,
        properties: BasicProperties,
        body: &[u8],
        attempts: u32,
        reason: &str,
    ) -> Result<(), Away> {
        let options = self.broker.options();
        tracing::error!(queue = self.work.name(), attempts, reason, "a message was parked; somebody has to look at it");
        let properties = message::parked(properties, attempts, reason, options.clock.now());
        put(channel, &options.topology.parked(self.work), properties, body).await
    }
}

/// Messages that have been acted on since the last acknowledgement.
#[derive(Default)]
struct ActedOn {
    latest: Option<Acker>,
    count: u16,
}

impl ActedOn {
    fn add(&mut self, acker: Acker) {
        self.latest = Some(acker);
        self.count += 1;
    }

    /// Acknowledges all of them. Those that are not, because the connection breaks, come again.
    async fn acknowledge(&mut self, broker: &Broker) -> Result<(), Away> {
        self.count = 0;
        if let Some(acker) = self.latest.take() {
            broker.ask(acker.ack(BasicAckOptions { multiple: true })).await?;
        }
        Ok(())
    }
}

/// Has the handler act on an entry. A handler that panics has failed.
async fn attempt(handler: &dyn Handler, entry: &Entry) -> Outcome {
    match AssertUnwindSafe(handler.handle(entry)).catch_unwind().await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) if is_store_away(&error) => Outcome::StoreAway(crate::with_sources(&*error)),
        Ok(Err(error)) => Outcome::Failed(crate::with_sources(&*error)),
        Err(_) => Outcome::Failed("acting on it panicked".to_owned()),
    }
}

fn is_store_away(error: &OtherError) -> bool {
    let store = match error.downcast_ref() {
        Some(services::Error::Store(error)) => Some(error),
        Some(services::Error::Overloaded) => return true,
        _ => error.downcast_ref::<StoreError>(),
    };
    store.is_some_and(|error| error.kind() != StoreErrorKind::Corrupt)
}

/// Waits until it is to stop; also where nobody could say so any more.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
