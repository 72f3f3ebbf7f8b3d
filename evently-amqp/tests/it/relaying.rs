use std::sync::Arc;

use evently_amqp::{AmqpCarrier, Away, Broker, Options, Work};
use evently_core::{
    audit::audit_figures,
    ports::Carrier as _,
    services::{AnalyticsService, InProcess, Relay},
};
use evently_testkit::{HOUSE, customer};
use evently_testservers::{
    Proxy, RabbitMq,
    knobs::{keep, rounds},
};
use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};

use crate::support::{
    Noting, Post, Running, Teller, are_all_in_order, channel, closed, events, hand_on_all, notifications, options, positions,
    relay, relay_to, sold, soon, url,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_work_gets_its_entries_in_order() {
    let (world, url) = (sold(3).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let all = positions(&world).await;
    for (work, expected) in [(Work::Analytics, all), (Work::Notifications, vec![6, 10, 14]), (Work::Jobs, vec![])] {
        let (teller, mut told) = Teller::new();
        let running = Running::start(&broker, work, teller);
        let told_of = told.take(expected.len()).await;
        match work {
            Work::Analytics => are_all_in_order(&world, &told_of).await,
            _ => assert_eq!(told_of, expected, "{work:?}"),
        }
        running.stop().await;
        told.nothing_more();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_broker_a_service_works_until_it_is_there_and_waits_when_it_has_gone() {
    let (world, url) = (sold(2).await, url().await);
    let proxy = closed(&url);
    let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
    let ((in_process, mut told_here), (at_broker, mut told_there)) = (Teller::new(), Teller::new());
    let in_process = Arc::new(InProcess::new(vec![in_process]));
    let a_few = in_process.at_once();
    let carrier = Arc::new(AmqpCarrier::new(broker.clone(), in_process));
    let relay = relay(&world, carrier.clone());
    let running = Running::start(&broker, Work::Analytics, at_broker);
    assert_eq!(carrier.at_once(), a_few, "mails take their time");
    hand_on_all(&world, &relay).await;
    assert_eq!(told_here.take(10).await, (1..=10).collect::<Vec<_>>());

    proxy.open();
    soon(broker.up()).await;
    assert!(carrier.at_once() > a_few, "and messages do not");
    let event = world.event(1, 8).await;
    hand_on_all(&world, &relay).await;
    assert_eq!(told_there.take(2).await, [11, 12]);

    proxy.close();
    world.buy(&event, customer(1), &[0]).await;
    assert_eq!(relay.hand_on().await.unwrap(), 0, "it waits");
    assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), 12);
    proxy.open();
    hand_on_all(&world, &relay).await;
    // What had come before may come again: nobody knows whether its acknowledgement arrived.
    assert_eq!(told_there.firsts_of(&[13, 14, 15, 16]).await, [13, 14, 15, 16]);
    told_here.nothing_more();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_between_publishing_and_confirming_loses_nothing_and_keeps_the_order() {
    let (world, url) = (sold(0).await, url().await);
    let proxy = Proxy::before(&url).unwrap();
    let ours = options(&proxy.url(), &world);
    let theirs = Options { topology: ours.topology.clone(), ..options(&url, &world) };
    let broker = Broker::open(ours).await.unwrap();
    let relay = relay_to(&world, &broker);
    let event = world.event(1, 60).await;
    let mut seats = 0..;
    for _ in 0..3 {
        // So there is a channel.
        world.buy(&event, customer(1), &[seats.next().unwrap()]).await;
        hand_on_all(&world, &relay).await;
        for seat in seats.by_ref().take(15) {
            world.buy(&event, customer(1), &[seat]).await;
        }
        proxy.swallow_answers();
        let before = proxy.sent_bytes();
        let cut = soon(async {
            // Some of it has gone to the broker, which will never be heard to confirm it.
            while proxy.sent_bytes() < before + 5_000 {
                tokio::task::yield_now().await;
            }
            proxy.cut();
            proxy.open();
        });
        let (handed_on, ()) = tokio::join!(relay.hand_on(), cut);
        assert_eq!(handed_on.unwrap(), 0, "nothing was confirmed");
        soon(async {
            while broker.state().is_up() {
                tokio::task::yield_now().await;
            }
            broker.up().await;
        })
        .await;
    }
    hand_on_all(&world, &relay).await;

    let consuming = Broker::open(theirs).await.unwrap();
    let (teller, mut told) = Teller::new();
    let analytics = Running::start(&consuming, Work::Analytics, teller);
    let expected = positions(&world).await;
    are_all_in_order(&world, &told.firsts_of(&expected).await).await;
    let post = Arc::new(Post::default());
    let mails = Running::start(&consuming, Work::Notifications, notifications(&world, post.clone()));
    soon(async {
        while post.mails() < 48 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    mails.stop().await;
    analytics.stop().await;
    assert_eq!(post.twice(), Vec::<String>::new());
}

/// The broker has the message, and says so once. Where something comes after it, the next word may be about both.
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_is_lost_alone_keeps_nobody_waiting_and_doubles_nothing() {
    const MORE: u32 = 30;
    let (world, url) = (sold(1).await, url().await);
    let proxy = Proxy::before(&url).unwrap();
    let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
    let (post, (teller, mut told)) = (Arc::new(Post::default()), Teller::new());
    let running = [
        Running::start(&broker, Work::Analytics, teller),
        Running::start(&broker, Work::Notifications, notifications(&world, post.clone())),
    ];
    let carrier = Arc::new(AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(Vec::new()))));
    let relay = relay(&world, carrier.clone());
    let outbox = &world.store.outbox;

    // The last entry, about which there is a mail, is alone on its way.
    let entries = outbox.after(0, 100).await.unwrap();
    let (last, before) = entries.split_last().unwrap();
    carrier.carry(before).await.unwrap();
    let claim = world.claim();
    outbox.claim(Relay::CONSUMER, &claim).await.unwrap().unwrap();
    outbox.advance(Relay::CONSUMER, last.position - 1, &claim.over(world.now())).await.unwrap();
    let connections = proxy.connections();
    proxy.lose_confirm();
    assert_eq!(soon(relay.hand_on()).await.unwrap(), 0, "nobody has heard that it was taken");
    assert!(proxy.has_lost_it());
    assert_eq!(soon(relay.hand_on()).await.unwrap(), 1);

    let event = world.event(1, MORE).await;
    for seat in 0..MORE {
        world.buy(&event, customer(1), &[seat]).await;
    }
    proxy.lose_confirm();
    hand_on_all(&world, &relay).await;
    assert!(proxy.has_lost_it());
    let expected = positions(&world).await;
    are_all_in_order(&world, &told.firsts_of(&expected).await).await;
    soon(async {
        while post.mails() <= MORE as usize {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for running in running {
        running.stop().await;
    }
    assert_eq!(post.twice(), Vec::<String>::new());
    assert_eq!(proxy.connections(), connections, "it was the same connection all the time");
}

/// One is for sending and one for receiving, and a broker may close either.
#[tokio::test(flavor = "multi_thread")]
async fn when_one_of_both_connections_ends_nobody_waits_for_what_it_would_have_said() {
    for nth in [0, 1] {
        let (world, url) = (sold(9).await, url().await);
        let proxy = Proxy::before(&url).unwrap();
        let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
        let (teller, mut told) = Teller::new();
        let running = Running::start(&broker, Work::Analytics, teller);
        hand_on_all(&world, &relay_to(&world, &broker)).await;
        are_all_in_order(&world, &told.take(positions(&world).await.len()).await).await;

        let carrier = AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(Vec::new())));
        let entries = world.store.outbox.after(0, 100).await.unwrap();
        carrier.carry(&entries).await.unwrap();
        proxy.swallow_answers();
        let before = proxy.sent_bytes();
        let cut = soon(async {
            while proxy.sent_bytes() < before + 500 {
                tokio::task::yield_now().await;
            }
            proxy.cut_one(nth);
            if nth == 1 {
                // What it has still to say on the other one is not heard either.
                proxy.strand();
            }
            proxy.open();
        });
        let (carried, ()) = tokio::join!(carrier.carry(&entries), cut);
        let error = carried.expect_err("nobody has heard that it was taken").source;
        assert!(!matches!(error.downcast_ref(), Some(Away::Silent(_))), "{error}");

        world.event(1, 2).await;
        hand_on_all(&world, &relay_to(&world, &broker)).await;
        let last = *positions(&world).await.last().unwrap();
        soon(async { while told.next().await != last {} }).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_again_and_again_costs_no_effect_and_doubles_none() {
    const KILLS: u32 = 3;
    /// Of each there are four entries, so that together they are more than 5,000.
    const SEATS: u32 = 420;
    let rabbitmq = Arc::new(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap());
    let mut reports = Vec::new();
    for _ in 0..rounds() {
        let world = Arc::new(sold(0).await);
        let event = world.event(20, KILLS * SEATS / 20).await;
        let way = Proxy::before(&rabbitmq.url()).unwrap();
        let ours = options(&way.url(), &world);
        let theirs = Options { topology: ours.topology.clone(), ..options(&rabbitmq.url(), &world) };
        let (sending, consuming) = (Broker::open(ours).await.unwrap(), Broker::open(theirs).await.unwrap());
        let relay = Arc::new(relay_to(&world, &sending));
        let post = Arc::new(Post::default());
        let mailing = Noting::before(notifications(&world, post.clone()));
        let figures = AnalyticsService::new(world.store.outbox.clone(), world.store.figures.clone(), events(&world));
        let counting = Noting::before(Arc::new(figures));
        let running = [
            Running::start(&consuming, Work::Notifications, mailing.clone()),
            Running::start(&consuming, Work::Notifications, mailing.clone()),
            Running::start(&consuming, Work::Analytics, counting.clone()),
        ];
        hand_on_all(&world, &relay).await;
        for kill in 0..KILLS {
            for seat in kill * SEATS..(kill + 1) * SEATS {
                world.buy(&event, customer(1), &[seat]).await;
            }
            // What it confirms from here on is not heard.
            way.swallow_answers();
            let before = way.sent_bytes();
            let relaying = tokio::spawn({
                let (world, relay) = (world.clone(), relay.clone());
                async move { hand_on_all(&world, &relay).await }
            });
            soon(async {
                while way.sent_bytes() < before + 50_000 || post.mails() < (kill * SEATS + SEATS / 10) as usize {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let (killed, restarted) = (rabbitmq.clone(), rabbitmq.clone());
            tokio::task::spawn_blocking(move || killed.kill()).await.unwrap();
            way.open();
            tokio::task::spawn_blocking(move || restarted.restart().unwrap()).await.unwrap();
            soon(relaying).await.unwrap();
            soon(sending.up()).await;
        }
        let expected = positions(&world).await;
        assert!(expected.len() >= 5_000);
        soon(async {
            while post.mails() < (KILLS * SEATS) as usize || counting.brought().0.len() < expected.len() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for running in running {
            running.stop().await;
        }
        assert_eq!((post.mails(), post.twice()), ((KILLS * SEATS) as usize, Vec::new()));
        let found = audit_figures(&*world.store.figures, &*world.store.outbox, &*world.store.catalog).await.unwrap();
        assert_eq!(found, []);
        let [(counted, figures_again), (mailed, mails_again)] = [counting.brought(), mailing.brought()];
        are_all_in_order(&world, &counted).await;
        assert!(figures_again > 0, "what was kept and not heard to be confirmed comes twice");
        println!(
            "{} entries over {KILLS} kills, which came {figures_again} times again for figures; {} of them for mails, which came {mails_again} \
             times again; no effect is missing, and none is there twice",
            expected.len(),
            mailed.len(),
        );
        reports.push(serde_json::json!({
            "kills": KILLS, "entries": expected.len(), "came_again": figures_again, "entries_for_mails": mailed.len(),
            "came_again_for_mails": mails_again, "effects_lost_or_doubled": 0,
        }));
    }
    keep(serde_json::json!({ "rounds": rounds(), "faults": reports }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_queue_does_not_count_as_handed_on() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let relay = relay_to(&world, &broker);
    let other = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = other.create_channel().await.unwrap();
    let queue = options.topology.queue(Work::Analytics);
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(relay.hand_on().await.unwrap(), 0, "nobody would get it");
    // The queue was made again meanwhile.
    hand_on_all(&world, &relay).await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    are_all_in_order(&world, &told.firsts_of(&positions(&world).await).await).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_does_not_keep_does_not_count_as_handed_on() {
    let (world, url) = (sold(1).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let relay = relay_to(&world, &broker);
    let (_connection, channel) = channel(&url).await;
    let (queue, exchange) = (options.topology.queue(Work::Analytics), options.topology.exchange());
    let queue = queue.as_str();
    // In the place of the queue one that is soon full, and then turns away what comes.
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    let mut shape = FieldTable::default();
    shape.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    shape.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
    shape.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), shape).await.unwrap();
    let (how, all) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), "#".into(), how, all).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    soon(async {
        loop {
            let (how, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let published = channel.basic_publish("".into(), queue.into(), how, b"in the way", properties).await.unwrap();
            if matches!(published.await.unwrap(), Confirmation::Nack(_)) {
                break;
            }
        }
    })
    .await;
    assert_eq!(relay.hand_on().await.unwrap(), 0, "nobody would get it");
    assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), 0);

    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    hand_on_all(&world, &relay).await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Analytics, teller);
    are_all_in_order(&world, &told.firsts_of(&positions(&world).await).await).await;
    running.stop().await;
}

/// Ours are written to disk whatever a message says of itself; those of others need not be.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_survives_a_restart_in_queues_of_other_kinds_too() {
    const PERSISTENT: Option<u8> = Some(2);
    let (world, url) = (sold(3).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    soon(broker.up()).await;
    let (_connection, channel) = channel(&url).await;
    let of_its_own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), of_its_own, FieldTable::default()).await.unwrap().name().clone();
    let (exchange, how, all) = (options.topology.exchange(), QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.clone(), exchange.into(), "#".into(), how, all).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (mut alone, mut runs) = (0, 0);
    while let Some(message) = channel.basic_get(queue.clone(), BasicGetOptions { no_ack: true }).await.unwrap() {
        let properties = &message.delivery.properties;
        assert_eq!(*properties.delivery_mode(), PERSISTENT, "{properties:?}");
        *(if properties.message_id().as_ref().unwrap().as_str().contains('-') { &mut runs } else { &mut alone }) += 1;
    }
    assert!(alone > 0 && runs > 0, "{alone} and {runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_hear_of_refunds_that_are_due() {
    let (world, url) = (sold(1).await, url().await);
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    let event = world.event(1, 2).await;
    let booking = world.buy(&event, customer(2), &[0]).await;
    world.cancel(HOUSE, booking.id).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::new();
    let running = Running::start(&broker, Work::Jobs, teller);
    let due = *positions(&world).await.last().unwrap();
    assert_eq!(told.next().await, due);
    running.stop().await;
}
