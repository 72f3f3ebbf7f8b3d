use std::time::Duration;

use evently_amqp::{Broker, ParkedQueue, Topology, Work, inspect};
use evently_core::ports::MailFailed;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, QueueDeleteOptions},
};
use tokio::time::timeout;

use crate::support::{Running, Teller, channel, hand_on_all, options, relay_to, sold, soon, url};

async fn until_parked(parked: &ParkedQueue, count: u32) {
    soon(async { while parked.count().await.unwrap() < count {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_failing_is_parked_with_its_reason_and_can_be_replayed() {
    let (world, url) = (sold(2).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(3, 3), (5, 3)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    told.take(10 + 2 + 2).await;
    let parked = ParkedQueue::new(broker.clone(), Work::Analytics);
    until_parked(&parked, 2).await;

    let mut listed = parked.list(10).await.unwrap();
    listed.sort_by_key(|message| message.id.clone());
    let summary = listed.iter().map(|message| (message.id.as_deref(), message.attempts, message.reason.as_deref()));
    let why = Some("no post today");
    assert_eq!(summary.collect::<Vec<_>>(), [(Some("3"), 3, why), (Some("5"), 3, why)]);
    assert!(listed.iter().all(|message| message.parked_at == Some(world.now())));
    assert_eq!(listed[0].entry, world.store.outbox.after(2, 1).await.unwrap().pop());

    assert_eq!(parked.replay(Some("4")).await.unwrap(), 0, "there is none");
    assert_eq!(parked.replay(Some("5")).await.unwrap(), 1);
    assert_eq!(told.next().await, 5, "and now it went well");
    until_parked(&parked, 1).await;
    assert_eq!(parked.replay(None).await.unwrap(), 1);
    assert_eq!(told.next().await, 3);
    assert_eq!(parked.list(10).await.unwrap(), []);
    running.stop().await;
    told.nothing_more();
}

/// Whoever looks at a broker is told of messages that nobody gets to by themselves, and of no others.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_not_called_parked() {
    let (world, url) = (sold(2).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    soon(broker.up()).await;
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let look = async || inspect(&url, &options.topology).await.unwrap().parked;
    assert_eq!(look().await, 0);
    let (teller, _told) = Teller::failing([(3, 1)], || Err(MailFailed::ForGood("nobody is called that".into()).into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    until_parked(&ParkedQueue::new(broker, Work::Analytics), 1).await;
    running.stop().await;
    assert_eq!(look().await, 1);
}

/// Nobody may say that a message is done with before the broker has it elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_put_aside_comes_again() {
    let url = url().await;
    for is_hopeless in [false, true] {
        let world = sold(1).await;
        let options = options(&url, &world);
        let broker = Broker::open(options.clone()).await.unwrap();
        hand_on_all(&world, &relay_to(&world, &broker)).await;
        let aside = if is_hopeless { Topology::parked } else { Topology::retry };
        let queue = aside(&options.topology, Work::Analytics);
        channel(&url).await.1.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        let hopeless = || Err(MailFailed::ForGood("nobody is called that".into()).into());
        let (teller, mut told) = Teller::failing([(2, 1)], if is_hopeless { hopeless } else { || Err("no post today".into()) });
        let running = Running::start(&broker, Work::Analytics, teller);
        while told.next().await != 2 {}
        while told.next().await != 2 {}
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_and_could_not_be_parked_comes_again() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    let queue = options.topology.queue(Work::Analytics);
    let published =
        channel.basic_publish("".into(), queue.as_str().into(), BasicPublishOptions::default(), b"?", BasicProperties::default());
    published.await.unwrap().await.unwrap();
    let parked = options.topology.parked(Work::Analytics);
    channel.queue_delete(parked.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let running = Running::start(&broker, Work::Analytics, Teller::new().0);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    // The queue is there again when somebody has missed it.
    soon(async { while parked.count().await.unwrap_or(0) < 1 {} }).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_parked_at_once_and_holds_nobody_up() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let other = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = other.create_channel().await.unwrap();
    let queue = options.topology.queue(Work::Analytics);
    for (id, body) in [("x", &b"{}"[..]), ("7", b"what is this")] {
        let properties = BasicProperties::default().with_message_id(id.into());
        let published = channel.basic_publish("".into(), queue.as_str().into(), BasicPublishOptions::default(), body, properties);
        published.await.unwrap().await.unwrap();
    }
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(6).await, [1, 2, 3, 4, 5, 6]);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    until_parked(&parked, 2).await;
    let listed = parked.list(1).await.unwrap();
    assert_eq!((listed.len(), listed[0].entry.as_ref(), listed[0].size_bytes), (1, None, 2));
    assert!(listed[0].reason.as_ref().unwrap().contains("position in the journal"), "{listed:?}");
    until_parked(&parked, 2).await;
    assert_eq!(parked.drop(Some("7")).await.unwrap(), 1);
    until_parked(&parked, 1).await;
    assert_eq!(parked.drop(None).await.unwrap(), 1);
    assert_eq!(parked.count().await.unwrap(), 0);
    running.stop().await;
    told.nothing_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_never_go_well_is_parked_at_once() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(2, 1)], || Err(MailFailed::ForGood("nobody is called that".into()).into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(6).await, [1, 2, 3, 4, 5, 6]);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    until_parked(&parked, 1).await;
    running.stop().await;
    let listed = parked.list(1).await.unwrap().pop().unwrap();
    let why = Some("the mail cannot be sent as it is: nobody is called that");
    assert_eq!((listed.id.as_deref(), listed.attempts, listed.reason.as_deref()), (Some("2"), 1, why));
    told.nothing_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_has_failed() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(2, 3)], || panic!("out of its mind"));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(8).await, [1, 2, 3, 4, 5, 6, 2, 2]);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    until_parked(&parked, 1).await;
    assert!(parked.list(1).await.unwrap()[0].reason.as_ref().unwrap().contains("panicked"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_replayed_stays_parked() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    let [queue, aside] = [options.topology.queue(Work::Analytics), options.topology.parked(Work::Analytics)];
    let (how, properties) = (BasicPublishOptions::default(), BasicProperties::default().with_message_id("7".into()));
    channel.basic_publish("".into(), aside.into(), how, b"what is this", properties).await.unwrap();
    let parked = ParkedQueue::new(broker, Work::Analytics);
    until_parked(&parked, 1).await;
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    assert!(parked.replay(None).await.is_err(), "there is no queue for it");
    // It is back a moment after it was let go of.
    let back = timeout(Duration::from_secs(10), until_parked(&parked, 1)).await;
    assert!(back.is_ok(), "it is lost");
    assert_eq!(parked.list(10).await.unwrap()[0].id.as_deref(), Some("7"));
}

/// Somebody has looked at it, and may have put right what was wrong but for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_is_tried_as_often_as_at_first() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(2, 5)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(8).await, [1, 2, 3, 4, 5, 6, 2, 2]);
    let parked = ParkedQueue::new(broker, Work::Analytics);
    until_parked(&parked, 1).await;
    assert_eq!(parked.replay(Some("2")).await.unwrap(), 1);
    assert_eq!(told.take(3).await, [2, 2, 2], "at last it went well");
    running.stop().await;
    told.nothing_more();
    assert_eq!(parked.count().await.unwrap(), 0);
}

/// The broker closes the channel of whoever asks for what is not there, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn who_looks_for_a_queue_that_is_gone_costs_nobody_their_connection() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let was = broker.state();
    let (_connection, channel) = channel(&url).await;
    let queue = options.topology.parked(Work::Analytics);
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let parked = ParkedQueue::new(broker.clone(), Work::Analytics);
    assert!(parked.count().await.is_err());
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    assert_eq!(broker.state(), was);
}
