//! Messages that people have to look at.

use std::time::Duration;

use evently_core::domain::{Entry, Timestamp};
use lapin::{
    Channel,
    message::{BasicGetMessage, Delivery},
    options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::sleep;

use crate::{
    broker::{Away, Broker},
    message,
    publisher::put,
    topology::Work,
};

/// How often, and how many times, is looked whether messages are back in their queue.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 100;

/// The parked messages of one kind of work. While somebody goes through them, others do not see those that are being looked at.
pub struct ParkedQueue {
    broker: Broker,
    work: Work,
}

/// A parked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its id: the position in the journal, unless it is none of ours.
    pub id: Option<String>,
    /// What it says, if it can be read.
    pub entry: Option<Entry>,
    /// How often acting on it failed; 0 if it could not be read.
    pub attempts: u32,
    /// Why it failed the last time.
    pub reason: Option<String>,
    /// When it was parked.
    pub parked_at: Option<Timestamp>,
    /// How many bytes it has.
    pub size_bytes: usize,
}

impl ParkedQueue {
    /// Those of this work.
    pub const fn new(broker: Broker, work: Work) -> Self {
        Self { broker, work }
    }

    /// How many there are.
    pub async fn count(&self) -> Result<u32, Away> {
        self.length(&self.broker.channel().await?).await
    }

    /// The first of them.
    pub async fn list(&self, limit: u32) -> Result<Vec<Parked>, Away> {
        let channel = self.broker.channel().await?;
        let mut parked = Vec::new();
        let mut seen = Vec::new();
        for _ in 0..self.length(&channel).await?.min(limit) {
            let Some(found) = self.next(&channel).await? else { break };
            parked.push(describe(&found));
            seen.push(found);
        }
        self.give_back(&channel, seen.len()).await?;
        Ok(parked)
    }

    /// Sends the message with this id, or all of them, back to their queue, to be acted on anew. How many there were.
    pub async fn replay(&self, id: Option<&str>) -> Result<u32, Away> {
        let queue = self.broker.topology().queue(self.work);
        self.take_out(id, async |channel, found| {
            put(channel, &queue, message::fresh(found.properties.clone()), &found.data).await
        })
        .await
    }

    /// Throws the message with this id, or all of them, away. How many there were.
    pub async fn drop(&self, id: Option<&str>) -> Result<u32, Away> {
        self.take_out(id, async |_, _| Ok(())).await
    }

    /// Takes out what `with` has gone well for.
    async fn take_out(&self, id: Option<&str>, with: impl AsyncFn(&Channel, &Delivery) -> Result<(), Away>) -> Result<u32, Away> {
        let channel = self.broker.channel().await?;
        let (mut taken, mut others) = (0, Vec::new());
        // No more than are there now: what is replayed may be parked again meanwhile.
        for _ in 0..self.length(&channel).await? {
            let Some(found) = self.next(&channel).await? else { break };
            if id.is_none_or(|id| found.properties.message_id().as_ref().is_some_and(|found| found.as_str() == id)) {
                with(&channel, &found).await?;
                self.broker.ask(found.ack(BasicAckOptions::default())).await?;
                taken += 1;
            } else {
                others.push(found);
            }
        }
        self.give_back(&channel, others.len()).await?;
        Ok(taken)
    }

    /// Lets go of what was looked at and not acknowledged, and waits until it is back in the queue, so that whoever looks next sees it.
    /// The broker puts it back a moment after it has closed the channel; if somebody else takes it there, nobody waits for ever.
    async fn give_back(&self, channel: &Channel, held: usize) -> Result<(), Away> {
        self.broker.ask(channel.close(200, "done".into())).await?;
        let channel = self.broker.channel().await?;
        for _ in 0..LOOKS {
            if self.length(&channel).await? as usize >= held {
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn length(&self, channel: &Channel) -> Result<u32, Away> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let declared = channel.queue_declare(self.name().into(), options, FieldTable::default());
        Ok(self.broker.ask(declared).await?.message_count())
    }

    async fn next(&self, channel: &Channel) -> Result<Option<BasicGetMessage>, Away> {
        self.broker.ask(channel.basic_get(self.name().into(), BasicGetOptions::default())).await
    }

    fn name(&self) -> String {
        self.broker.topology().parked(self.work)
    }
}

fn describe(found: &Delivery) -> Parked {
    let properties = &found.properties;
    Parked {
        id: properties.message_id().as_ref().map(ToString::to_string),
        entry: message::decode(properties, &found.data).ok(),
        attempts: message::attempts(properties),
        reason: message::reason(properties),
        parked_at: message::parked_at(properties),
        size_bytes: found.data.len(),
    }
}
