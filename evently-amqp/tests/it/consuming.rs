use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use evently_amqp::{Broker, Options, ParkedQueue, Work};
use evently_core::{
    domain::Entry,
    ports::{BegunElsewhere, Handler, OtherError, StoreError, StoreErrorKind},
};
use futures_util::StreamExt as _;
use lapin::{
    options::{BasicConsumeOptions, BasicGetOptions, BasicPublishOptions},
    types::FieldTable,
};

use crate::{
    proxy::Proxy,
    support::{Running, Teller, channel, hand_on_all, options, positions, relay_to, sold, soon, url},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_comes_again_after_others() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(2, 2)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(8).await, [1, 2, 3, 4, 5, 6, 2, 2]);
    running.stop().await;
    told.nothing_more();
    assert_eq!(ParkedQueue::new(broker, Work::Analytics).count().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_waits_five_times_as_long() {
    let (world, url) = (sold(1).await, url().await);
    // Longer than the test: nothing comes again but what it sends back itself.
    let options = Options { retry_after: Duration::from_hours(1), attempts: 4, ..options(&url, &world) };
    let (queue, retry) = (options.topology.queue(Work::Analytics), options.topology.retry(Work::Analytics));
    let broker = Broker::open(options).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, _told) = Teller::failing([(2, 3)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    let (_connection, channel) = channel(&url).await;
    let mut waits = Vec::new();
    while waits.len() < 3 {
        let waiting = soon(async {
            loop {
                let options = BasicGetOptions { no_ack: true };
                if let Some(waiting) = channel.basic_get(retry.as_str().into(), options).await.unwrap() {
                    return waiting;
                }
            }
        });
        let waiting = waiting.await.delivery;
        waits.push(waiting.properties.expiration().as_ref().unwrap().to_string());
        let (options, properties) = (BasicPublishOptions::default(), waiting.properties);
        channel.basic_publish("".into(), queue.as_str().into(), options, &waiting.data, properties).await.unwrap();
    }
    running.stop().await;
    assert_eq!(waits, ["3600000", "18000000", "90000000"]);
}

/// Who has begun with a mail and is killed keeps it for half a minute, in which it is nobody's fault that it cannot be sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_begun_with_comes_again_and_again_and_is_not_counted() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(Options { attempts: 1, ..options(&url, &world) }).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(2, 8)], || Err(BegunElsewhere.into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(14).await, [1, 2, 3, 4, 5, 6, 2, 2, 2, 2, 2, 2, 2, 2]);
    running.stop().await;
    told.nothing_more();
    assert_eq!(ParkedQueue::new(broker, Work::Analytics).count().await.unwrap(), 0);
}

/// Fails for the first entry in these ways, one after the other.
struct Fails(Mutex<VecDeque<OtherError>>);

#[async_trait]
impl Handler for Fails {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        let fails = if entry.position == 1 { self.0.lock().unwrap().pop_front() } else { None };
        fails.map_or(Ok(()), Err)
    }
}

/// Else a message that makes its process crash would do so for ever. Where it was the store that cut us short, it was we who had begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_message_counts_as_a_failure_of_it_and_a_store_that_is_away_does_not() {
    let away = || StoreError::new(StoreErrorKind::Unavailable, "test", std::io::Error::other("away")).into();
    let crashed = Some("whoever had begun with it crashed, or was cut off");
    for (ways, expected) in [
        (vec![BegunElsewhere.into()], vec![(Some("1"), 1, crashed)]),
        (vec![away(), BegunElsewhere.into(), BegunElsewhere.into()], vec![]),
    ] {
        let (world, url) = (sold(1).await, url().await);
        let broker = Broker::open(Options { attempts: 1, ..options(&url, &world) }).await.unwrap();
        hand_on_all(&world, &relay_to(&world, &broker)).await;
        let (connection, channel) = channel(&url).await;
        let queue = broker.topology().queue(Work::Analytics);
        let consuming = channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
        let got = soon(consuming.await.unwrap().next()).await.unwrap().unwrap();
        assert_eq!(got.properties.message_id().as_ref().unwrap().as_str(), "1");
        connection.close(200, "".into()).await.unwrap();

        let fails = Arc::new(Fails(Mutex::new(ways.into())));
        let running = Running::start(&broker, Work::Analytics, fails.clone());
        soon(async {
            while !fails.0.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        running.stop().await;
        let parked = ParkedQueue::new(broker, Work::Analytics).list(10).await.unwrap();
        let parked = parked.iter().map(|message| (message.id.as_deref(), message.attempts, message.reason.as_deref()));
        assert_eq!(parked.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_a_message_waits_in_its_place_and_nothing_is_counted() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(Options { attempts: 1, ..options(&url, &world) }).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let away = || Err(StoreError::new(StoreErrorKind::Unavailable, "test", std::io::Error::other("away")).into());
    let (teller, mut told) = Teller::failing([(2, 3)], away);
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(9).await, [1, 2, 2, 2, 2, 3, 4, 5, 6]);
    running.stop().await;
    assert_eq!(ParkedQueue::new(broker, Work::Analytics).count().await.unwrap(), 0);
}

/// Else what was on its way while the store was away would be done by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_while_the_store_is_away_leaves_the_message_to_the_next() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let away = || Err(StoreError::new(StoreErrorKind::Unavailable, "test", std::io::Error::other("away")).into());
    let (teller, mut told) = Teller::failing([(6, u32::MAX)], away);
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(8).await, [1, 2, 3, 4, 5, 6, 6, 6]);
    running.stop().await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.next().await, 6);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_consumer_at_a_time_gets_messages_and_the_next_goes_on() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    let relay = relay_to(&world, &broker);
    let ((first, mut told_first), (second, mut told_second)) = (Teller::new(), Teller::new());
    let first = Running::start(&broker, Work::Analytics, first);
    hand_on_all(&world, &relay).await;
    assert_eq!(told_first.take(6).await, [1, 2, 3, 4, 5, 6]);
    let second = Running::start(&broker, Work::Analytics, second);
    world.event(1, 2).await;
    hand_on_all(&world, &relay).await;
    assert_eq!(told_first.take(2).await, [7, 8], "it has the queue");
    first.stop().await;
    world.event(1, 2).await;
    hand_on_all(&world, &relay).await;
    assert_eq!(told_second.take(2).await, [9, 10]);
    second.stop().await;
    told_first.nothing_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_by_itself_when_its_connection_was_cut() {
    let (world, url) = (sold(1).await, url().await);
    let proxy = Proxy::open(&url).await;
    let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
    let relay = relay_to(&world, &broker);
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    for round in 1..=3 {
        hand_on_all(&world, &relay).await;
        let all = positions(&world).await;
        soon(async { while told.next().await != *all.last().unwrap() {} }).await;
        proxy.cut();
        world.event(1, 2).await;
        soon(async {
            while proxy.connections() <= round {
                tokio::task::yield_now().await;
            }
            broker.up().await;
        })
        .await;
    }
    running.stop().await;
}
