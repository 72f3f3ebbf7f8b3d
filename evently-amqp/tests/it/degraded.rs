//! What becomes of sales while the broker is away, in whichever way.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_amqp::{AmqpCarrier, Broker, Work};
use evently_core::{
    domain::Entry,
    ports::{Handler, OtherError},
    services::{InProcess, Relay},
};
use evently_testkit::customer;
use evently_testservers::RabbitMq;

use crate::support::{
    Running, Teller, Told, are_all_in_order, channel, hand_on_all, options, positions, relay, relay_to, sold, soon, waiting,
};

/// Ways to be away, and back.
const OUTAGES: [(&str, Outage); 4] = [
    ("killed", Outage { begin: RabbitMq::kill, end: |broker| broker.restart().unwrap() }),
    ("stopped", Outage { begin: |broker| broker.stop().unwrap(), end: |broker| broker.restart().unwrap() }),
    ("standing still", Outage { begin: RabbitMq::pause, end: RabbitMq::resume }),
    ("out of memory", Outage { begin: |broker| memory(broker, "0.0001"), end: |broker| memory(broker, "{absolute, 536870912}") }),
];

struct Outage {
    begin: fn(&RabbitMq),
    end: fn(&RabbitMq),
}

/// How much memory it may have before it takes no more messages.
fn memory(broker: &RabbitMq, limit: &str) {
    broker.evaluate(&format!("vm_memory_monitor:set_vm_memory_high_watermark({limit}).")).unwrap();
}

async fn have(rabbitmq: &Arc<RabbitMq>, what: fn(&RabbitMq)) {
    let rabbitmq = rabbitmq.clone();
    tokio::task::spawn_blocking(move || what(&rabbitmq)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_wait_while_the_broker_is_away_and_are_told_in_order_when_it_is_back() {
    let world = sold(1).await;
    let rabbitmq = Arc::new(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap());
    let broker = Broker::open(options(&rabbitmq.url(), &world)).await.unwrap();
    // Nobody in the process does anything once the broker has been there.
    let (here, mut told_here) = Teller::new();
    let relay = relay(&world, Arc::new(AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(vec![here])))));
    let (there, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, there);
    let mut all = Vec::new();
    for (name, Outage { begin, end }) in OUTAGES {
        println!("{name}");
        hand_on_all(&world, &relay).await;
        take_until_told(&mut told, &mut all, &positions(&world).await).await;
        let before = world.store.outbox.position(Relay::CONSUMER).await.unwrap();

        have(&rabbitmq, begin).await;
        let event = world.event(1, 40).await;
        for seat in 0..40 {
            world.buy(&event, customer(seat), &[seat]).await;
        }
        assert_eq!(soon(relay.hand_on()).await.unwrap(), 0, "{name}");
        let waiting = positions(&world).await.len() as u64 - before;
        assert_eq!((waiting, relay.waiting().await.unwrap()), (2 + 4 * 40, waiting), "{name}");
        assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), before, "{name}");

        have(&rabbitmq, end).await;
    }
    hand_on_all(&world, &relay).await;
    take_until_told(&mut told, &mut all, &positions(&world).await).await;
    assert_eq!(relay.waiting().await.unwrap(), 0);
    are_all_in_order(&world, &all).await;
    running.stop().await;
    told_here.nothing_more();
}

/// The backlog is what the memory is full of.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_while_the_broker_has_no_memory_keeps_nobody_from_emptying_the_other_queues() {
    let world = sold(1).await;
    let rabbitmq = Arc::new(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap());
    let broker = Broker::open(options(&rabbitmq.url(), &world)).await.unwrap();
    let relay = relay_to(&world, &broker);
    hand_on_all(&world, &relay).await;
    let event = world.event(1, 100).await;
    for seat in 0..100 {
        world.buy(&event, customer(seat), &[seat]).await;
        hand_on_all(&world, &relay).await;
    }
    let all = positions(&world).await;
    have(&rabbitmq, |broker| memory(broker, "0.0001")).await;
    let (failing, mut told_failing) = Teller::failing(all.iter().map(|position| (*position, 1)), || Err("no post today".into()));
    let failing = Running::start(&broker, Work::Notifications, failing);
    let first = told_failing.next().await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(all.len()).await.len(), all.len());
    let (_connection, channel) = channel(&rabbitmq.url()).await;
    running.stop().await;
    soon(async {
        while waiting(&channel, &broker.topology().queue(Work::Analytics)).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    told.nothing_more();
    have(&rabbitmq, |broker| memory(broker, "{absolute, 536870912}")).await;
    soon(async { while told_failing.next().await != first {} }).await;
    failing.stop().await;
}

/// Takes so long that more is always there when it is done, and acknowledgements gather.
struct Slowly(Arc<Teller>);

#[async_trait]
impl Handler for Slowly {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.0.handle(entry).await
    }
}

/// Else the queue that the memory is full of gets no shorter.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_what_fails_is_not_done_again_while_the_broker_has_no_memory() {
    let world = sold(1).await;
    let rabbitmq = Arc::new(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap());
    let broker = Broker::open(options(&rabbitmq.url(), &world)).await.unwrap();
    let relay = relay_to(&world, &broker);
    let event = world.event(1, 20).await;
    for seat in 0..20 {
        world.buy(&event, customer(seat), &[seat]).await;
        hand_on_all(&world, &relay).await;
    }
    let all = positions(&world).await;
    have(&rabbitmq, |broker| memory(broker, "0.0001")).await;
    let fails = all.len() / 2;
    let (failing, mut told) = Teller::failing([(all[fails], 1)], || Err("not now".into()));
    let running = Running::start(&broker, Work::Analytics, Arc::new(Slowly(failing)));
    assert_eq!(told.take(fails + 1).await, all[..=fails]);
    let mut left = all[fails..].to_vec();
    while !left.is_empty() {
        let next = told.next().await;
        // A message is what was handed on together, and comes again whole.
        assert!(next > all[fails - 10], "{next} comes again, though {} was the one that failed", all[fails]);
        left.retain(|position| *position != next);
    }
    have(&rabbitmq, |broker| memory(broker, "{absolute, 536870912}")).await;
    running.stop().await;
}

/// Adds to `all` what comes first, until `positions` have been told.
async fn take_until_told(told: &mut Told, all: &mut Vec<u64>, positions: &[u64]) {
    let new = positions.iter().copied().filter(|position| !all.contains(position)).collect::<Vec<_>>();
    all.extend(told.firsts_of(&new).await);
}
