//! From the outbox to the exchange. Only what the broker has confirmed, and had a queue for, counts as handed on.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    domain::Entry,
    ports::{Carrier, NotCarried, OtherError},
};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm, options::BasicPublishOptions};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    broker::{Away, Broker, PATIENCE},
    counted::{self, What},
    run::{Run, runs},
};

/// How many entries are on their way to the broker at a time.
const IN_FLIGHT: usize = 2_000;

/// Carries entries by a broker. Until the broker has been there for the first time, others do so in the process: a service that starts
/// while its broker is away works all the same. After that entries wait for it in the outbox, and keep their order.
pub struct AmqpCarrier {
    broker: Broker,
    meanwhile: Arc<dyn Carrier>,
    /// Of one connection; there is none before the first entry, and after a failure.
    channel: Mutex<Option<Channel>>,
}

impl AmqpCarrier {
    /// Over this broker, and by `meanwhile` until it is there for the first time.
    pub fn new(broker: Broker, meanwhile: Arc<dyn Carrier>) -> Self {
        Self { broker, meanwhile, channel: Mutex::new(None) }
    }

    /// Sends the entries in runs, all at once, and waits until all are confirmed. The entries before the first of a run have been
    /// confirmed with the runs before it.
    async fn publish(&self, channel: &Channel, entries: &[Entry]) -> Result<(), NotCarried> {
        let exchange = self.broker.topology().exchange();
        let mut sent = Vec::new();
        for run in runs(entries) {
            let (begins, size) = (run.begins, run.entries.len());
            let confirm = send_run(channel, &exchange, run).await;
            let broken = confirm.is_err();
            sent.push((begins, size, confirm));
            if broken {
                break;
            }
        }
        for (begins, size, confirm) in sent {
            let confirmed = async { confirmed(confirm?).await };
            confirmed.await.map_err(|error| not_carried(begins, error))?;
            counted::messages(What::Confirmed, 1);
            counted::entries(What::Confirmed, size);
        }
        Ok(())
    }
}

async fn send_run(channel: &Channel, exchange: &str, run: Run<'_>) -> Result<PublisherConfirm, Away> {
    let key = run.key;
    let (properties, body) = run.message();
    let sent = timeout(PATIENCE, send(channel, exchange, key, properties, &body)).await??;
    counted::messages(What::Published, 1);
    Ok(sent)
}

fn not_carried(taken: usize, source: impl Into<OtherError>) -> NotCarried {
    NotCarried { taken, source: source.into() }
}

#[async_trait]
impl Carrier for AmqpCarrier {
    fn at_once(&self) -> usize {
        if self.broker.was_up() { IN_FLIGHT } else { self.meanwhile.at_once() }
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        if !self.broker.was_up() {
            return self.meanwhile.carry(entries).await;
        }
        let mut kept = self.channel.lock().await;
        let channel = match kept.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.broker.channel().await.map_err(|error| not_carried(0, error))?,
        };
        let published = tokio::select! {
            biased;
            published = self.publish(&channel, entries) => published,
            // On a connection that is gone some things are never answered. What was confirmed on it will come twice.
            () = self.broker.away() => Err(not_carried(0, Away::NotConnected)),
        };
        let silent = |error: &NotCarried| matches!(error.source.downcast_ref(), Some(Away::Silent(_)));
        if published.is_ok() {
            *kept = Some(channel);
        } else if self.broker.state().is_up() && !published.as_ref().is_err_and(silent) {
            // Somebody may have deleted a queue.
            self.broker.declare().await.unwrap_or_else(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "the queues are not as they must be");
            });
        }
        published
    }
}

/// Publishes a message to a queue, and waits until it is there.
pub(crate) async fn put(channel: &Channel, queue: &str, properties: BasicProperties, body: &[u8]) -> Result<(), Away> {
    confirmed(timeout(PATIENCE, send(channel, "", queue, properties, body)).await??).await
}

/// Sends a message that has to come to a queue.
async fn send(
    channel: &Channel,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
    body: &[u8],
) -> Result<PublisherConfirm, Away> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    Ok(channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?)
}

/// Waits until the broker has the message for good. One that no queue was there for is acknowledged too, but comes back.
async fn confirmed(confirm: PublisherConfirm) -> Result<(), Away> {
    match timeout(PATIENCE, confirm).await?? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(Away::NotTaken(returned.reply_text.to_string())),
        Confirmation::Nack(_) => Err(Away::NotTaken("it could not keep it".to_owned())),
        Confirmation::NotRequested => Err(Away::NotTaken("it confirms nothing".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use evently_core::services::InProcess;
    use evently_testkit::{MemoryPlace, World};
    use evently_testservers::shared_rabbitmq;

    use super::*;
    use crate::{broker::Options, topology::Topology};

    /// The relay passes over what counts as carried, and nobody would ever hear of it.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_sent_does_not_count_as_carried() {
        let world = World::new(MemoryPlace).await;
        world.event(1, 1).await;
        let entries = world.store.outbox.after(0, 100).await.unwrap();
        let url = tokio::task::spawn_blocking(shared_rabbitmq).await.unwrap().unwrap();
        let topology = Topology::try_new(&format!("test-publisher-{}", std::process::id())).unwrap();
        let broker = Broker::open(Options { topology, ..Options::new(url, world.clock.clone()) }).await.unwrap();
        let carrier = AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(Vec::new())));
        let channel = broker.channel().await.unwrap();
        assert!(carrier.publish(&channel, &entries).await.is_ok());
        channel.close(200, "closed by somebody".into()).await.unwrap();
        let error = carrier.publish(&channel, &entries).await.unwrap_err();
        assert_eq!(error.taken, 0, "{error:?}");
    }
}
