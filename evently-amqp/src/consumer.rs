//! From a queue to whoever acts on its messages.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use evently_core::{domain::Entry, ports::Handler, services::Trouble};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Acker, BasicProperties, Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::{OnceCell, watch},
    time::{sleep, timeout},
};

use crate::{
    broker::{Away, Broker, PATIENCE},
    counted::{self, What},
    message::{self, Misfit},
    publisher::put,
    topology::Work,
};

/// How many messages are on their way to us at a time, each of which may be a run of entries; and how many for slow work.
const PREFETCH: (u16, u16) = (32, 2);
/// After how many entries messages are acknowledged, even if there are more.
const ACKNOWLEDGED_AT_ONCE: usize = 1_000;
/// The pause before a queue is consumed again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The pause before a message is acted on again when the store was away.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Acts on what the messages of a queue bring, one entry after the other.
///
/// A message is acknowledged when all of its entries have been acted on or put aside. An entry that failed waits aside as a message of its
/// own and comes again, after others; one that keeps failing, that cannot go well, or that cannot be read, is parked with the reason. One
/// that somebody else has begun with comes again until they are done or their claim is over. While the store is away nothing is tried and
/// nothing counted.
pub struct Consumer {
    broker: Broker,
    work: Work,
    handler: Arc<dyn Handler>,
}

/// What became of acting on an entry.
enum Outcome {
    Done,
    /// Not begun: somebody else has, and may be done or gone by the next time.
    Elsewhere,
    Failed(String),
    /// Failed, and it would again.
    Hopeless(String),
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
            // Who says nothing may have an alarm, in which the queues are as they were and cannot be asked for.
            if self.broker.state().is_up()
                && !matches!(error, Away::Silent(_))
                && let Err(error) = self.broker.declare().await
            {
                tracing::error!(error = &error as &dyn std::error::Error, "the queues are not as they must be");
            }
        }
    }

    /// Consumes until it is to stop, which is no error.
    async fn consume(&self, stopping: &mut watch::Receiver<bool>, pause: &mut Duration) -> Result<(), Away> {
        let channel = self.broker.receiving_channel().await?;
        let prefetch = if self.work.is_slow() { PREFETCH.1 } else { PREFETCH.0 };
        self.broker.ask(channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let queue = self.broker.topology().queue(self.work);
        let consuming = channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
        let mut deliveries = self.broker.ask(consuming).await?;
        *pause = PAUSES.0;
        let sending = OnceCell::new();
        let mut acted_on = ActedOn::default();
        loop {
            // While more is there already, acknowledgements gather.
            let mut next = deliveries.next().now_or_never();
            if next.is_none() || acted_on.entries >= ACKNOWLEDGED_AT_ONCE {
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
            let acted = self.act_on(&sending, delivery, stopping).await;
            if acted.is_err() {
                // What came before does not come again for what could not be put aside.
                acted_on.acknowledge(&self.broker).await?;
            }
            let Some((acker, entries)) = acted? else { break };
            counted::messages(What::Consumed(self.work), 1);
            counted::entries(What::Consumed(self.work), entries);
            acted_on.add(acker, entries);
        }
        acted_on.acknowledge(&self.broker).await?;
        // What was on its way to us goes back to the queue.
        let _ = timeout(PATIENCE, channel.close(200, "stopping".into())).await;
        Ok(())
    }

    /// Acts on a message, which then is to be acknowledged; nothing if it is to stop before that could be done. Says how many entries it
    /// brought. The channel to send on is opened when something has to be put aside.
    async fn act_on(
        &self,
        sending: &OnceCell<Channel>,
        delivery: Delivery,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Option<(Acker, usize)>, Away> {
        let Delivery { properties, data, acker, .. } = delivery;
        let brought = message::open(&properties, &data);
        let entries = brought.len();
        for entry in brought {
            // The rest of a run comes again, with what has been acted on already.
            if *stopping.borrow() {
                return Ok(None);
            }
            match entry {
                Err(misfit) => {
                    let Misfit { properties, body, why } = *misfit;
                    self.park(sending, properties, &body, 0, &why.to_string()).await?;
                }
                Ok(entry) => match self.act_on_entry(&entry, stopping).await {
                    Outcome::Done => {}
                    Outcome::Elsewhere => {
                        let (properties, body) = message::alone(properties.clone(), &data, &entry);
                        tracing::debug!(
                            queue = self.work.name(),
                            position = entry.position,
                            "begun elsewhere; it will come again"
                        );
                        self.put_aside(sending, properties, &body, self.broker.options().retry_after).await?;
                    }
                    Outcome::Failed(reason) => {
                        let (properties, body) = message::alone(properties.clone(), &data, &entry);
                        self.failed(sending, properties, &body, &reason).await?;
                    }
                    Outcome::Hopeless(reason) => {
                        let (properties, body) = message::alone(properties.clone(), &data, &entry);
                        let attempts = message::attempts(&properties).saturating_add(1);
                        self.park(sending, properties, &body, attempts, &reason).await?;
                    }
                    Outcome::StoreAway(_) => return Ok(None),
                },
            }
        }
        Ok(Some((acker, entries)))
    }

    /// Acts on an entry, as soon as the store is there; the store is away only where it is to stop before that.
    async fn act_on_entry(&self, entry: &Entry, stopping: &mut watch::Receiver<bool>) -> Outcome {
        let mut said = false;
        loop {
            let outcome = attempt(&*self.handler, entry).await;
            let Outcome::StoreAway(reason) = &outcome else { return outcome };
            if !std::mem::replace(&mut said, true) {
                tracing::warn!(queue = self.work.name(), position = entry.position, reason, "waiting for the store");
            }
            tokio::select! {
                () = stopped(stopping) => return outcome,
                () = sleep(STORE_PAUSE) => {}
            }
        }
    }

    /// Lets a message that has failed come again later, or parks it if it has failed too often.
    async fn failed(
        &self,
        sending: &OnceCell<Channel>,
        properties: BasicProperties,
        body: &[u8],
        reason: &str,
    ) -> Result<(), Away> {
        let attempts = message::attempts(&properties).saturating_add(1);
        let options = self.broker.options();
        let Some(again_after) = options.again_after(attempts) else {
            return self.park(sending, properties, body, attempts, reason).await;
        };
        tracing::warn!(queue = self.work.name(), attempts, reason, "a message failed and will come again");
        self.put_aside(sending, message::failed(properties, attempts, reason), body, again_after).await
    }

    /// Lets a message come again after this time.
    async fn put_aside(
        &self,
        sending: &OnceCell<Channel>,
        properties: BasicProperties,
        body: &[u8],
        again_after: Duration,
    ) -> Result<(), Away> {
        let retry = self.broker.options().topology.retry(self.work);
        self.put(sending, &retry, message::again_after(properties, again_after), body).await?;
        counted::messages(What::Retried(self.work), 1);
        Ok(())
    }

    async fn park(
        &self,
        sending: &OnceCell<Channel>,
        properties: BasicProperties,
        body: &[u8],
        attempts: u32,
        reason: &str,
    ) -> Result<(), Away> {
        let options = self.broker.options();
        tracing::error!(queue = self.work.name(), attempts, reason, "a message was parked; somebody has to look at it");
        let properties = message::parked(properties, attempts, reason, options.clock.now());
        self.put(sending, &options.topology.parked(self.work), properties, body).await?;
        counted::messages(What::Parked(self.work), 1);
        Ok(())
    }

    /// Publishes a message to a queue, and waits until it is there. Not on the connection on which it came: a broker that is short of
    /// memory or disk would hear from no consumer any more.
    async fn put(&self, sending: &OnceCell<Channel>, queue: &str, properties: BasicProperties, body: &[u8]) -> Result<(), Away> {
        put(sending.get_or_try_init(|| self.broker.channel()).await?, queue, properties, body).await
    }
}

/// Messages that have been acted on since the last acknowledgement.
#[derive(Default)]
struct ActedOn {
    latest: Option<Acker>,
    entries: usize,
}

impl ActedOn {
    fn add(&mut self, acker: Acker, entries: usize) {
        self.latest = Some(acker);
        self.entries += entries;
    }

    /// Acknowledges all of them. Those that are not, because the connection breaks, come again.
    async fn acknowledge(&mut self, broker: &Broker) -> Result<(), Away> {
        self.entries = 0;
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
        Ok(Err(error)) => {
            let reason = crate::with_sources(&*error);
            match Trouble::of(&error) {
                Trouble::Elsewhere => Outcome::Elsewhere,
                Trouble::StoreAway => Outcome::StoreAway(reason),
                Trouble::ForNow => Outcome::Failed(reason),
                Trouble::ForGood => Outcome::Hopeless(reason),
            }
        }
        Err(_) => Outcome::Failed("acting on it panicked".to_owned()),
    }
}

/// Waits until it is to stop; also where nobody could say so any more.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
