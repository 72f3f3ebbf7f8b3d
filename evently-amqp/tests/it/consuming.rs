use evently_amqp::{Broker, Options, ParkedQueue, Work};
use evently_core::ports::{StoreError, StoreErrorKind};

use crate::{
    proxy::Proxy,
    support::{Running, Teller, hand_on_all, options, positions, relay_to, sold, soon, url},
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
