//! Messages that carry more than one entry.

use std::sync::Arc;

use evently_amqp::{Broker, ParkedQueue, Work};
use evently_core::{
    domain::Entry,
    ports::{BegunElsewhere, Handler, MailFailed},
    services::Relay,
};
use evently_testkit::{World, customer};
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};

use crate::support::{Running, Teller, channel, hand_on_all, options, relay_to, sold, soon, url};

/// What is in a queue.
async fn take_all(channel: &Channel, queue: &str) -> Vec<Delivery> {
    let mut found = Vec::new();
    while let Some(next) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap() {
        found.push(next.delivery);
    }
    found
}

/// A queue of somebody else's, for what is sent to the exchange under these keys.
async fn bound(channel: &Channel, exchange: &str, keys: &str) -> String {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap().name().to_string();
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.as_str().into(), exchange.into(), keys.into(), options, none).await.unwrap();
    queue
}

fn describe(message: &Delivery) -> (&str, &str) {
    let properties = &message.properties;
    (properties.content_type().as_ref().unwrap().as_str(), properties.message_id().as_ref().unwrap().as_str())
}

fn texts(body: &[u8]) -> Vec<serde_json::Value> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A row of entries of one kind, after two of their event.
async fn hold_all(world: &World, seats: u32) {
    let event = world.event(1, seats).await;
    for seat in 0..seats {
        world.hold(&event, customer(seat), &[seat]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_kind_go_in_one_message_and_one_alone_as_it_always_did() {
    let (world, url) = (sold(0).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let relay = relay_to(&world, &broker);
    hand_on_all(&world, &relay).await;
    let (_connection, channel) = channel(&url).await;
    let queue = bound(&channel, &options.topology.exchange(), "#").await;
    hold_all(&world, 3).await;
    let all = world.store.outbox.after(0, 100).await.unwrap();
    hand_on_all(&world, &relay).await;
    let messages = take_all(&channel, &queue).await;
    let kinds = messages.iter().map(describe).collect::<Vec<_>>();
    assert_eq!(kinds, [("application/json", "3"), ("application/json", "4"), ("application/x-ndjson", "5-7")]);
    assert_eq!(messages[0].data, serde_json::to_vec(&all[2].transition).unwrap());
    let line = |entry: &Entry| serde_json::json!({ "position": entry.position, "transition": entry.transition });
    assert_eq!(texts(&messages[2].data), all[4..].iter().map(line).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_binds_a_key_gets_what_it_names_and_nothing_else() {
    let (world, url) = (sold(20).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    let queue = bound(&channel, &options.topology.exchange(), "booking.*").await;
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let messages = take_all(&channel, &queue).await;
    assert!(messages.iter().all(|message| message.routing_key.as_str().starts_with("booking.")));
    let lines = messages.iter().flat_map(|message| texts(&message.data)).collect::<Vec<_>>();
    assert_eq!(lines.len(), 60, "held, extended and confirmed");
    assert!(lines.iter().all(|line| line["transition"]["f"].get("booking").is_some()));
    assert!(messages.len() < 10, "{} messages", messages.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_fails_is_retried_and_parked_without_the_rest_of_its_run() {
    let (world, url) = (sold(0).await, url().await);
    hold_all(&world, 9).await;
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(6, 1), (8, 3), (10, 3)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(13).await, (1..=13).collect::<Vec<_>>(), "the rest of the run goes on");
    let mut again = told.take(5).await;
    again.sort_unstable();
    assert_eq!(again, [6, 8, 8, 10, 10], "and these alone come again");
    let parked = ParkedQueue::new(broker.clone(), Work::Analytics);
    soon(async { while parked.count().await.unwrap() < 2 {} }).await;
    let mut listed = parked.list(10).await.unwrap();
    listed.sort_by_key(|message| message.id.clone());
    let entries = world.store.outbox.after(0, 100).await.unwrap();
    let summary = listed.iter().map(|message| (message.id.as_deref(), message.entry.as_ref(), message.attempts));
    assert_eq!(summary.collect::<Vec<_>>(), [(Some("10"), Some(&entries[9]), 3), (Some("8"), Some(&entries[7]), 3)]);
    assert_eq!(parked.replay(Some("8")).await.unwrap(), 1);
    assert_eq!(told.next().await, 8);
    assert_eq!(parked.drop(Some("10")).await.unwrap(), 1);
    running.stop().await;
    told.nothing_more();
}

/// Or every run in which two mails wait for somebody would be twice as many each time it comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_somebody_else_has_begun_with_waits_without_the_rest_of_its_run() {
    let (world, url) = (sold(0).await, url().await);
    hold_all(&world, 9).await;
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(8, 2)], || Err(BegunElsewhere.into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(15).await, (1..=13).chain([8, 8]).collect::<Vec<_>>());
    running.stop().await;
    told.nothing_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_will_never_go_well_is_parked_without_the_rest_of_its_run() {
    let (world, url) = (sold(0).await, url().await);
    hold_all(&world, 9).await;
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(8, 1)], || Err(MailFailed::ForGood("nobody is called that".into()).into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(13).await, (1..=13).collect::<Vec<_>>());
    let parked = ParkedQueue::new(broker.clone(), Work::Analytics);
    soon(async { while parked.count().await.unwrap() < 1 {} }).await;
    let listed = parked.list(10).await.unwrap().pop().unwrap();
    let entries = world.store.outbox.after(0, 100).await.unwrap();
    assert_eq!((listed.id.as_deref(), listed.entry.as_ref(), listed.attempts), (Some("8"), Some(&entries[7]), 1));
    running.stop().await;
    told.nothing_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_run_that_cannot_be_read_whole_the_rest_is_acted_on() {
    let (world, url) = (sold(0).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    let transition = &world.store.outbox.after(0, 1).await.unwrap()[0].transition;
    let good = |position: u64| serde_json::json!({ "position": position, "transition": transition }).to_string();
    let body = [good(5), r#"{"position":6,"transition":{"f":"news"}}"#.to_owned(), "what is this".to_owned(), good(7)].join("\n");
    let properties = BasicProperties::default().with_content_type("application/x-ndjson".into()).with_message_id("5-7".into());
    let queue = options.topology.queue(Work::Analytics);
    let published =
        channel.basic_publish("".into(), queue.as_str().into(), BasicPublishOptions::default(), body.as_bytes(), properties);
    published.await.unwrap().await.unwrap();
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(2).await, [5, 7]);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    soon(async { while parked.count().await.unwrap() < 2 {} }).await;
    running.stop().await;
    let mut listed = parked.list(10).await.unwrap();
    listed.sort_by_key(|message| message.id.clone());
    let summary = listed.iter().map(|message| (message.id.as_deref(), message.attempts, message.size_bytes));
    assert_eq!(summary.collect::<Vec<_>>(), [(Some("5-7"), 0, 12), (Some("6"), 0, 12)]);
    assert!(listed.iter().all(|message| message.reason.as_ref().unwrap().contains("not an entry of the journal")), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_entry_from_before_there_were_runs_are_read() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    for entry in world.store.outbox.after(0, 100).await.unwrap() {
        let properties = BasicProperties::default()
            .with_app_id("evently".into())
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(entry.position.to_string().into());
        let (body, exchange) = (serde_json::to_vec(&entry.transition).unwrap(), options.topology.exchange());
        let published =
            channel.basic_publish(exchange.into(), "booking.held".into(), BasicPublishOptions::default(), &body, properties);
        published.await.unwrap().await.unwrap();
    }
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(6).await, [1, 2, 3, 4, 5, 6]);
    running.stop().await;
}

/// Stops the consumer in the middle of a run.
struct Stopping {
    told: Arc<dyn Handler>,
    at: u64,
    stop: tokio::sync::watch::Sender<bool>,
}

#[async_trait::async_trait]
impl Handler for Stopping {
    async fn handle(&self, entry: &Entry) -> Result<(), evently_core::ports::OtherError> {
        if entry.position == self.at {
            self.stop.send_replace(true);
        }
        self.told.handle(entry).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_which_a_consumer_stopped_comes_again() {
    let (world, url) = (sold(0).await, url().await);
    hold_all(&world, 9).await;
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), 13);
    let (teller, mut told) = Teller::new();
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let handler = Stopping { told: teller.clone(), at: 8, stop };
    soon(evently_amqp::Consumer::new(broker.clone(), Work::Analytics, Arc::new(handler)).run(stopping)).await;
    assert_eq!(told.take(8).await, (1..=8).collect::<Vec<_>>());
    told.nothing_more();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(9).await, (5..=13).collect::<Vec<_>>(), "with what was done already");
    running.stop().await;
}
