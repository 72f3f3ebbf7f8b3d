//! Exchanges and queues: what they are called, and what they must be like.

use lapin::{
    Channel, Connection, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable},
};

/// The names of queues may have 255 bytes; this leaves room for what follows.
const LONGEST_PREFIX: usize = 100;

/// Who acts on messages: each has a queue of its own, beside it one in which messages wait to come again, and one for those that
/// people have to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Mails to buyers.
    Notifications,
    /// Figures of sales.
    Analytics,
    /// What is to be done at once: refunds, calling off.
    Jobs,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Notifications, Self::Analytics, Self::Jobs];

    /// The last part of the queue's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
            Self::Jobs => "jobs",
        }
    }

    /// The routing keys of the messages that it gets. Analytics get all, so that there is no message without a queue.
    pub(crate) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Notifications => &["booking.confirmed", "booking.cancelled", "booking.refunded", "refund.due"],
            Self::Analytics => &["#"],
            Self::Jobs => &["refund.due", "event.cancelled"],
        }
    }

    /// Whether acting on an entry may take seconds, because somebody else's server is waited for. The broker wants to hear of a message
    /// within half an hour (its `consumer_timeout`), so such work gets few entries at a time.
    pub(crate) const fn is_slow(self) -> bool {
        match self {
            Self::Notifications | Self::Jobs => true,
            Self::Analytics => false,
        }
    }

    /// Whether one consumer at a time gets messages, in their order, and the next when that one is gone.
    const fn in_order(self) -> bool {
        match self {
            Self::Notifications | Self::Analytics => true,
            Self::Jobs => false,
        }
    }
}

/// The names of all that Evently has at a broker begin alike: several may share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    prefix: String,
}

impl Default for Topology {
    fn default() -> Self {
        Self { prefix: "evently".to_owned() }
    }
}

/// Why the exchange and the queues are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// Something of that name is there, and is not what we need.
    #[error(
        "{name} exists at the broker with another shape ({what}); when it is empty, delete it and start again \
         (`rabbitmqctl delete_queue {name}`), or give Evently another prefix"
    )]
    Shape {
        /// Its name.
        name: String,
        /// What differs, as the broker says it.
        what: String,
    },
    /// We may not.
    #[error(
        "the broker does not let this user make {name}: {what}; give the user the rights to configure, write and read what is named \
         like it, and to write to amq.default (`rabbitmqctl set_permissions`)"
    )]
    Forbidden {
        /// Its name.
        name: String,
        /// What the broker says.
        what: String,
    },
    /// The broker went away meanwhile.
    #[error("the broker went away while {name} was declared")]
    Away {
        /// What was being declared.
        name: String,
        /// How.
        #[source]
        source: lapin::Error,
    },
}

impl Topology {
    /// Names that begin with `prefix`, which has at most 100 bytes: letters, digits, `.`, `-` and `_`.
    pub fn try_new(prefix: &str) -> Result<Self, String> {
        let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        if prefix.is_empty() || prefix.len() > LONGEST_PREFIX || !plain {
            return Err(format!(
                "{prefix:?} cannot be the prefix of queues; it needs 1 to {LONGEST_PREFIX} letters, digits, `.`, `-` or `_`"
            ));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The exchange that all entries of the journal are published to.
    pub fn exchange(&self) -> String {
        format!("{}.transitions", self.prefix)
    }

    /// The queue of those who do this work.
    pub fn queue(&self, work: Work) -> String {
        format!("{}.{}", self.prefix, work.name())
    }

    /// Where messages wait before they come again.
    pub fn retry(&self, work: Work) -> String {
        format!("{}.retry", self.queue(work))
    }

    /// Where messages are that people have to look at.
    pub fn parked(&self, work: Work) -> String {
        format!("{}.parked", self.queue(work))
    }

    /// Makes what is missing, and makes sure that the rest is as it must be.
    pub(crate) async fn declare(&self, channel: &Channel) -> Result<(), TopologyError> {
        let exchange = self.exchange();
        declare_exchange(channel, &exchange).await?;
        for (queue, arguments) in self.queues() {
            declare_queue(channel, &queue, arguments).await?;
        }
        for work in Work::ALL {
            let queue = self.queue(work);
            for key in work.keys() {
                let (options, none) = (QueueBindOptions::default(), FieldTable::default());
                let bound = channel.queue_bind(queue.as_str().into(), exchange.as_str().into(), (*key).into(), options, none);
                bound.await.map_err(|error| explain(&queue, error))?;
            }
        }
        Ok(())
    }

    /// All queues, and what they must be like.
    fn queues(&self) -> impl Iterator<Item = (String, Arguments)> {
        Work::ALL.into_iter().flat_map(|work| {
            let queue = self.queue(work);
            let (retry, parked) = (self.retry(work), self.parked(work));
            let waits = retry_queue(&queue);
            [(queue, work_queue(work)), (retry, waits), (parked, Vec::new())]
        })
    }

    /// What there is of it; what is there must be as it must be, and what is not is not made.
    pub(crate) async fn look(&self, connection: &Connection) -> Result<Inspection, TopologyError> {
        let (exchange, mut found) = (self.exchange(), Inspection::default());
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let asked = channel(connection, &exchange).await?;
        let there = asked.exchange_declare(exchange.as_str().into(), ExchangeKind::Topic, options, FieldTable::default()).await;
        match if_there(&exchange, there)? {
            Some(()) => declare_exchange(&asked, &exchange).await?,
            None => found.missing.push(exchange),
        }
        let parked = Work::ALL.map(|work| self.parked(work));
        for (queue, arguments) in self.queues() {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            // The broker closes the channel of whoever asks for what is not there.
            let asked = channel(connection, &queue).await?;
            let there = asked.queue_declare(queue.as_str().into(), options, FieldTable::default()).await;
            match if_there(&queue, there)? {
                Some(there) => {
                    declare_queue(&asked, &queue, arguments).await?;
                    found.parked += if parked.contains(&queue) { there.message_count() } else { 0 };
                }
                None => found.missing.push(queue),
            }
        }
        Ok(found)
    }
}

/// What there is to know of a broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The exchange and the queues that are not there; whoever connects next makes them.
    pub missing: Vec<String>,
    /// How many messages people have to look at.
    pub parked: u32,
}

async fn channel(connection: &Connection, for_what: &str) -> Result<Channel, TopologyError> {
    connection.create_channel().await.map_err(|error| explain(for_what, error))
}

/// The answer to a passive declaration.
fn if_there<T>(name: &str, answer: lapin::Result<T>) -> Result<Option<T>, TopologyError> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said) if *said.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Ok(None),
            _ => Err(explain(name, error)),
        },
    }
}

async fn declare_exchange(channel: &Channel, name: &str) -> Result<(), TopologyError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default());
    declared.await.map_err(|error| explain(name, error))
}

type Arguments = Vec<(&'static str, AMQPValue)>;

fn work_queue(work: Work) -> Arguments {
    if work.in_order() { vec![("x-single-active-consumer", AMQPValue::Boolean(true))] } else { Vec::new() }
}

/// What has waited goes back to its queue, and is not taken out here before it has arrived there.
fn retry_queue(queue: &str) -> Arguments {
    vec![
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(queue)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

/// How often a message may be given back before the broker drops it: never, as far as we are concerned. What fails is counted and parked by us; a broker
/// that is asked for no limit has one of twenty from version 4 on, and those before it take no -1.
const DELIVERY_LIMIT: i32 = 1_000_000;

/// A quorum queue: replicated, written to disk before anything is confirmed.
async fn declare_queue(channel: &Channel, name: &str, arguments: Arguments) -> Result<(), TopologyError> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    table.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    for (argument, value) in arguments {
        table.insert(argument.into(), value);
    }
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table).await;
    declared.map(drop).map_err(|error| explain(name, error))
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn explain(name: &str, error: lapin::Error) -> TopologyError {
    let name = name.to_owned();
    if let ErrorKind::ProtocolError(said) = error.kind() {
        let what = said.get_message().to_string();
        match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => return TopologyError::Shape { name, what },
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => return TopologyError::Forbidden { name, what },
            _ => {}
        }
    }
    TopologyError::Away { name, source: error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_the_prefix() {
        let topology = Topology::default();
        assert_eq!(topology.exchange(), "evently.transitions");
        assert_eq!(topology.queue(Work::Notifications), "evently.notifications");
        assert_eq!(topology.retry(Work::Jobs), "evently.jobs.retry");
        assert_eq!(Topology::try_new("a-b_c.1").unwrap().parked(Work::Analytics), "a-b_c.1.analytics.parked");
    }

    /// What waits to come again is lost otherwise, where its queue is away at the moment at which it goes back.
    #[test]
    fn what_waits_is_kept_until_its_queue_has_it() {
        let expected = [
            ("x-dead-letter-exchange", ""),
            ("x-dead-letter-routing-key", "evently.jobs"),
            ("x-dead-letter-strategy", "at-least-once"),
            ("x-overflow", "reject-publish"),
        ];
        assert_eq!(retry_queue("evently.jobs"), expected.map(|(argument, value)| (argument, text(value))));
    }

    /// Or a buyer's mails overtake each other, and the last that they read is not how things are.
    #[test]
    fn mails_and_figures_come_to_one_consumer_at_a_time_and_jobs_to_all() {
        let one = vec![("x-single-active-consumer", AMQPValue::Boolean(true))];
        assert_eq!([Work::Notifications, Work::Analytics].map(work_queue), [one.clone(), one]);
        assert_eq!(work_queue(Work::Jobs), []);
    }

    /// A mail is sent for each, and a job done.
    #[test]
    fn each_work_gets_what_it_acts_on() {
        let gets = |work: Work, key| work.keys().contains(&key);
        for key in ["booking.confirmed", "booking.cancelled", "booking.refunded", "refund.due"] {
            assert!(gets(Work::Notifications, key), "{key}");
        }
        assert!(gets(Work::Jobs, "refund.due") && gets(Work::Jobs, "event.cancelled"));
    }

    #[test]
    fn a_prefix_that_would_not_do_is_refused() {
        for prefix in ["", "a b", "#", "ä", &"x".repeat(101)] {
            assert!(Topology::try_new(prefix).is_err(), "{prefix}");
        }
    }
}
