use evently_amqp::{Broker, OpenError, Options, State, TopologyError, Work};
use evently_testkit::{MemoryPlace, World};
use lapin::{
    Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use crate::{
    proxy::Proxy,
    support::{options, soon, url},
};

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
async fn it_says_since_when_the_broker_is_there_or_away() {
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let proxy = Proxy::closed(&url).await;
    let broker = Broker::open(options(&proxy.url(), &world)).await.unwrap();
    let start = world.now();
    assert!(matches!(broker.state(), State::Away { since, .. } if since == start));

    world.wait(std::time::Duration::from_mins(1));
    let there = world.now();
    proxy.let_through();
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
