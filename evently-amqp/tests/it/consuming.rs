use std::time::Duration;

use evently_amqp::{Broker, Consumer, Options, ParkedQueue, Work};
use evently_core::ports::{BegunElsewhere, StoreError, StoreErrorKind};
use evently_testkit::{HOUSE, customer};
use evently_testservers::Proxy;
use lapin::options::{BasicGetOptions, BasicPublishOptions};

use crate::support::{Running, Teller, channel, hand_on_all, options, positions, relay_to, sold, soon, url, waiting};

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

/// The broker wants to hear of each message within half an hour, and takes the channel of whoever lets it wait for longer.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_long_over_a_message_has_one_more_and_leaves_the_rest_in_the_queue() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    soon(broker.up()).await;
    let relay = relay_to(&world, &broker);
    let event = world.event(1, 6).await;
    for seat in 0..6 {
        let booking = world.buy(&event, customer(1), &[seat]).await;
        world.cancel(HOUSE, booking.id).await.unwrap();
        // What is handed on together is one message.
        hand_on_all(&world, &relay).await;
    }
    let (_connection, channel) = channel(&url).await;
    let away = || Err(StoreError::new(StoreErrorKind::Unavailable, "test", std::io::Error::other("away")).into());
    for work in [Work::Notifications, Work::Jobs] {
        let queue = broker.topology().queue(work);
        let all = waiting(&channel, &queue).await;
        let (teller, mut told) = Teller::failing(positions(&world).await.into_iter().map(|position| (position, u32::MAX)), away);
        let running = Running::start(&broker, work, teller);
        told.next().await;
        assert_eq!(waiting(&channel, &queue).await, all - 2, "{work:?}");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whom_nobody_could_stop_any_more_does_not_stay() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    let (_, stopping) = tokio::sync::watch::channel(false);
    soon(Consumer::new(broker, Work::Analytics, Teller::new().0).run(stopping)).await;
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
    let proxy = Proxy::before(&url).unwrap();
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
