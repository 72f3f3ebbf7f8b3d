//! `evently queue`: messages that were parked because nobody could act on them.

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use evently_http::{
    clock::SystemClock,
    messages::{Away, Broker, Options, Parked, ParkedQueue, Work},
};
use serde_json::{Value, json};

use crate::{args::Global, failure::Failure, reply::Reply, shop, table::Table};

/// How long the broker may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Show the parked messages and why they were parked
    List {
        /// notifications, analytics or jobs; all of them if nothing is said
        #[arg(value_parser = ["notifications", "analytics", "jobs"])]
        queue: Option<String>,
        /// How many of each queue
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Put parked messages back, to be acted on anew
    Replay(Which),
    /// Remove parked messages for good
    Drop(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    /// notifications, analytics or jobs
    #[arg(value_parser = ["notifications", "analytics", "jobs"])]
    queue: String,
    /// The id of one message, as `list` shows it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// All messages that are parked there
    #[arg(long)]
    all: bool,
}

pub async fn run(global: &Global, command: QueueCommand) -> Result<Reply, Failure> {
    let broker = open(global).await?;
    match command {
        QueueCommand::List { queue, limit } => {
            let mut parked = Vec::new();
            for work in Work::ALL.into_iter().filter(|work| queue.as_ref().is_none_or(|queue| queue == work.name())) {
                let there = ParkedQueue::new(broker.clone(), work).list(limit).await.map_err(away)?;
                parked.extend(there.into_iter().map(|message| (work, message)));
            }
            Ok(list(&parked))
        }
        QueueCommand::Replay(which) => {
            let count = which.queue(&broker).replay(which.id.as_deref()).await.map_err(away)?;
            which.done(count, "put back", "replayed")
        }
        QueueCommand::Drop(which) => {
            let count = which.queue(&broker).drop(which.id.as_deref()).await.map_err(away)?;
            which.done(count, "removed", "dropped")
        }
    }
}

impl Which {
    fn queue(&self, broker: &Broker) -> ParkedQueue {
        let work = Work::ALL.into_iter().find(|work| work.name() == self.queue);
        ParkedQueue::new(broker.clone(), work.expect("clap takes no other"))
    }

    fn done(&self, count: u32, said: &str, key: &str) -> Result<Reply, Failure> {
        match &self.id {
            Some(id) if count == 0 => Err(Failure::no(format_args!("no message {id} is parked in {}", self.queue))
                .hint("`evently queue list` shows those that are")),
            _ => Ok(Reply::new(format!("{count} {said}"), json!({ "queue": self.queue, key: count }))),
        }
    }
}

async fn open(global: &Global) -> Result<Broker, Failure> {
    let config = shop::config(global)?;
    let Some(url) = &config.rabbitmq.url.0 else {
        return Err(Failure::usage("there is no broker").hint("set rabbitmq.url to amqp://user:password@host:5672/%2f"));
    };
    let topology = config.rabbitmq.prefix.topology();
    let options = Options { topology, ..Options::new(url.reveal(), Arc::new(SystemClock::new())) };
    let broker = Broker::open(options).await.map_err(|error| Failure::away(&error).because(&error))?;
    if tokio::time::timeout(PATIENCE, broker.up()).await.is_err() {
        return Err(Failure::away(format_args!("the broker at {url} is away")).hint("look at rabbitmq.url, and whether it runs"));
    }
    Ok(broker)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err has")]
fn away(error: Away) -> Failure {
    Failure::away(&error).because(&error)
}

fn list(parked: &[(Work, Parked)]) -> Reply {
    let mut table = Table::new(["QUEUE", "ID", "#TRIES", "PARKED", "WHY"]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for (work, message) in parked {
        table.row([
            work.name().to_owned(),
            or_dash(message.id.clone()),
            message.attempts.to_string(),
            or_dash(message.parked_at.map(|at| at.to_string())),
            or_dash(message.reason.clone()),
        ]);
    }
    let item = |(work, message): &(Work, Parked)| {
        json!({
            "queue": work.name(),
            "id": message.id,
            "attempts": message.attempts,
            "reason": message.reason,
            "parked_at": message.parked_at,
            "size_bytes": message.size_bytes,
            "transition": message.entry.as_ref().map(|entry| &entry.transition),
        })
    };
    Reply::new(table.or_none("parked messages"), json!({ "items": parked.iter().map(item).collect::<Vec<Value>>() }))
}
