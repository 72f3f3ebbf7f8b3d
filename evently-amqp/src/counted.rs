//! Figures for whoever watches over the service. They are collected where somebody has set up a recorder, and cost next to nothing where not.

use crate::topology::Work;

/// What has become of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// Sent to the exchange.
    Published,
    /// Taken by the broker, for good.
    Confirmed,
    /// Acted on.
    Consumed(Work),
    /// Put aside to come again: after a failure, or because somebody else has begun with it.
    Retried(Work),
    /// Put aside for people to look at.
    Parked(Work),
}

impl What {
    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Published => ("published", "transitions"),
            Self::Confirmed => ("confirmed", "transitions"),
            Self::Consumed(work) => ("consumed", work.name()),
            Self::Retried(work) => ("retried", work.name()),
            Self::Parked(work) => ("parked", work.name()),
        }
    }
}

/// Says what the figures are.
pub(crate) fn describe() {
    metrics::describe_gauge!("rabbitmq_up", "Whether RabbitMQ is there: 1 or 0.");
    metrics::describe_counter!("rabbitmq_messages_total", "Messages, by what became of them and by queue or exchange.");
    metrics::describe_counter!("rabbitmq_entries_total", "Entries of the journal that messages carried, by what became of them.");
}

pub(crate) fn is_up(up: bool) {
    metrics::gauge!("rabbitmq_up").set(f64::from(u8::from(up)));
}

pub(crate) fn messages(what: What, count: u64) {
    let (what, at) = what.labels();
    metrics::counter!("rabbitmq_messages_total", "what" => what, "at" => at).increment(count);
}

pub(crate) fn entries(what: What, count: usize) {
    let (what, at) = what.labels();
    metrics::counter!("rabbitmq_entries_total", "what" => what, "at" => at).increment(count as u64);
}
