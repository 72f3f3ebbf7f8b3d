use std::fmt::Write as _;

use evently_amqp::{Broker, OpenError, Options, ParkedQueue, State, TopologyError, Work};
use evently_testkit::{MemoryPlace, World};
use evently_testservers::RabbitMq;
use lapin::{
    Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};

use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::support::{Running, Teller, closed, hand_on_all, options, relay_to, sold, soon, url};

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_another_shape_is_an_error_that_names_it() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let options = options(&url, &world);
    let queue = options.topology.queue(Work::Jobs);
    let other = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = other.create_channel().await.unwrap();
    channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();

    let error = Broker::open(options.clone()).await.err().unwrap();
    assert!(matches!(error, OpenError::Topology(TopologyError::Shape { ref name, .. }) if *name == queue), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("x-queue-type") && text.contains(&format!("rabbitmqctl delete_queue {queue}")), "{text}");

    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    assert!(Broker::open(options.clone()).await.unwrap().state().is_up());
    assert!(Broker::open(options).await.unwrap().state().is_up(), "what is there already is as it must be");
}

/// From version 4 on a quorum queue drops what was given back twenty times, unless it says otherwise: a parked message that people have looked
/// at so often, or a mail whose consumers were stopped so often.
#[tokio::test(flavor = "multi_thread")]
async fn no_queue_drops_what_was_given_back_often() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    assert!(broker.state().is_up());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let in_order = [Work::Notifications, Work::Analytics].map(|work| options.topology.queue(work));
    for queue in Work::ALL.into_iter().flat_map(|work| [options.topology.queue(work), options.topology.parked(work)]) {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(20));
        if in_order.contains(&queue) {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        // It is refused, and what there is instead is said.
        let channel = connection.create_channel().await.unwrap();
        let refused = channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("x-delivery-limit") && said.contains("1000000"), "{said}");
    }
}

/// Else it is gone after a restart of the broker, with all that others have bound to it.
#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_outlives_a_restart() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let options = options(&url, &world);
    let _broker = Broker::open(options.clone()).await.unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    // It is refused, and what there is instead is said.
    let (name, fleeting) = (options.topology.exchange(), ExchangeDeclareOptions::default());
    let refused = channel.exchange_declare(name.into(), ExchangeKind::Topic, fleeting, FieldTable::default()).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("'durable'") && said.contains("current is 'true'"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_do_is_said_at_once() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let open = async |url: &str| Broker::open(options(url, &world)).await.err().unwrap();
    assert!(matches!(open("http://127.0.0.1/").await, OpenError::Url(_)));
    assert!(matches!(open("amqps://127.0.0.1/").await, OpenError::NoTls));
    for wrong in [url.replace("guest:guest", "guest:secret"), url.replace("%2f", "nowhere")] {
        let error = open(&wrong).await;
        assert!(matches!(error, OpenError::Refused(_)), "{error:?}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(!format!("{:?}", Options::new("amqp://a:secret@b", world.clock.clone())).contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_lacks_a_right_is_told_which_and_needs_no_others() {
    let world = sold(2).await;
    let rabbitmq = tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap();
    let (ours, theirs) = ("^test-", "^(test-|amq[.]default$)");
    let users = [
        ("nothing", None),
        ("configure", Some(["^$", theirs, ours])),
        ("write", Some([ours, "^test-.*[a-z]$", ours])),
        ("read", Some([ours, theirs, "^$"])),
        ("all", Some([ours, theirs, ours])),
    ];
    for (user, rights) in users {
        let (add, permit) = ("rabbit_auth_backend_internal:add_user", "rabbit_auth_backend_internal:set_permissions");
        let text = |text: &str| format!("<<\"{text}\">>");
        let mut does = format!("{add}({0}, {0}, {0})", text(user));
        if let Some([configure, write, read]) = rights.map(|rights| rights.map(text)) {
            write!(does, ", {permit}({0}, {1}, {configure}, {write}, {read}, {0})", text(user), text("/")).unwrap();
        }
        rabbitmq.evaluate(&(does + ".")).unwrap();
    }
    let options = async |user: &str| options(&rabbitmq.url().replace("guest:guest", &format!("{user}:{user}")), &world);
    let refused = Broker::open(options("nothing").await).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Refused(what) if what.contains("vhost '/' refused")), "{refused:?}");
    for user in ["configure", "write", "read"] {
        let refused = Broker::open(options(user).await).await.err().unwrap();
        assert!(matches!(refused, OpenError::Topology(TopologyError::Forbidden { .. })), "{user}: {refused:?}");
        let said = refused.to_string();
        assert!(said.contains("ACCESS_REFUSED") && said.contains("amq.default"), "{user}: {said}");
    }

    let broker = Broker::open(options("all").await).await.unwrap();
    hand_on_all(&world, &relay_to(&world, &broker)).await;
    let (teller, mut told) = Teller::failing([(3, 2), (4, 3)], || Err("no post today".into()));
    let running = Running::start(&broker, Work::Analytics, teller);
    told.take(10 + 2 + 2).await;
    let parked = ParkedQueue::new(broker, Work::Analytics);
    soon(async { while parked.replay(None).await.unwrap() == 0 {} }).await;
    assert_eq!(told.next().await, 4);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_connections_and_says_nothing_or_something_else_counts_as_away() {
    let world = World::new(MemoryPlace).await;
    for (said, why) in [(&b""[..], "did not answer in 10 seconds"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("amqp://guest:secret@{}/%2f", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                client.write_all(said).await.unwrap();
                taken.push(client);
            }
        });
        let broker = soon(Broker::open(options(&url, &world))).await.unwrap();
        let State::Away { why: found, .. } = broker.state() else { panic!("it is away") };
        assert!(found.contains(why) && !found.is_empty() && !found.contains("secret"), "{found}");
        server.abort();
    }
}

/// Whoever looks sees for how long, and not when it was last tried.
#[tokio::test(flavor = "multi_thread")]
async fn it_has_been_away_since_it_went_however_often_it_is_tried() {
    let world = World::new(MemoryPlace).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
    let opening = tokio::spawn(Broker::open(options(&url, &world)));
    let next = async || drop(soon(listener.accept()).await.unwrap());
    next().await;
    let broker = soon(opening).await.unwrap().unwrap();
    let start = world.now();
    world.wait(std::time::Duration::from_mins(1));
    // Where it is tried a third time, the second has failed.
    next().await;
    next().await;
    assert!(matches!(broker.state(), State::Away { since, .. } if since == start), "{:?}", broker.state());
}

/// It has closed a channel, and all others go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_no_is_not_away() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let options = options(&url, &world);
    let broker = Broker::open(options.clone()).await.unwrap();
    let there = broker.state();
    assert!(there.is_up());
    world.wait(std::time::Duration::from_mins(1));
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let gone = options.topology.parked(Work::Jobs);
    channel.queue_delete(gone.into(), QueueDeleteOptions::default()).await.unwrap();
    let count = async |work| ParkedQueue::new(broker.clone(), work).count().await;
    for _ in 0..10 {
        assert!(count(Work::Jobs).await.is_err());
        assert_eq!(count(Work::Analytics).await.unwrap(), 0);
    }
    assert_eq!(broker.state(), there);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_since_when_the_broker_is_there_or_away() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let proxy = closed(&url);
    let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
    let start = world.now();
    assert!(matches!(broker.state(), State::Away { since, .. } if since == start));

    world.wait(std::time::Duration::from_mins(1));
    let there = world.now();
    proxy.open();
    soon(broker.up()).await;
    assert_eq!(broker.state(), State::Up { since: there });

    world.wait(std::time::Duration::from_mins(1));
    let gone = world.now();
    proxy.close();
    soon(async {
        while broker.state().is_up() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let State::Away { since, why } = broker.state() else { panic!("it is away") };
    assert_eq!(since, gone);
    assert!(!why.is_empty());
}
