//! What is in the way is found out, said with what would help, and nobody hangs.

use std::{
    fmt::Write as _,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use evently_core::{
    domain::Request,
    ports::{Cache as _, CacheKey, SeatFeed as _},
};
use evently_redis::{Options, Problem, Redis, RedisCache, RedisSeatFeed};
use evently_testkit::{MemoryPlace, World, customer};
use evently_testservers::Redis as Server;
use tokio::time::{Instant, timeout};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    feed::{Gate, feed_at},
    support::{PATIENCE, connected, options},
};

/// Waits until it is known that this is in the way.
pub async fn until(redis: &Redis, problem: Problem) {
    let known = async {
        while redis.health().problem != Some(problem) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, known).await.is_ok(), "{:?} and not {problem:?}", redis.health());
    assert!(!redis.health().up);
}

fn open(url: &str) -> Redis {
    Redis::open(&options(url)).unwrap()
}

fn with_user(server: &Server, user: &str) -> String {
    server.url().replace("redis://", &format!("redis://{user}@"))
}

#[tokio::test]
async fn nobody_there() {
    let server = Server::start().unwrap();
    server.kill();
    until(&open(&server.url()), Problem::Unreachable).await;
}

#[tokio::test]
async fn a_password_that_is_wrong_or_missing() {
    let server = Server::start().unwrap();
    server.query(&["config", "set", "requirepass", "right"]).unwrap();
    until(&open(&with_user(&server, ":wrong")), Problem::Password).await;
    until(&open(&with_user(&server, "nobody:right")), Problem::Password).await;
    until(&open(&server.url()), Problem::Password).await;
    connected(&options(&with_user(&server, ":right"))).await;
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    let server = Server::start().unwrap();
    until(&open(&server.url().replace("/0", "/99999")), Problem::Database).await;
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    until(&open(&url), Problem::Silent).await;
}

#[tokio::test]
async fn a_user_who_may_do_too_little() {
    let server = Server::start().unwrap();
    let options = options(&with_user(&server, "evently:p"));
    let keys = format!("~{}:*", options.namespace);
    let channels = ["*", "feed:*"].map(|channel| format!("&{}:{channel}", options.namespace));
    let set = |rules: &[&str]| {
        let user = ["acl", "setuser", "evently", "reset", "on", ">p"];
        server.query(&[&user, rules].concat()).unwrap();
    };
    set(&["+@all", "-@scripting", "~*", "&*"]);
    let redis = Redis::open(&options).unwrap();
    until(&redis, Problem::Permission).await;
    set(&["+@all", "~somebody-elses:*", "&*"]);
    until(&redis, Problem::Permission).await;
    // What the remedy says is enough.
    let rules = ["+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+info", "+role"];
    assert!(rules.iter().all(|rule| Problem::Permission.remedy().contains(rule)));
    set(&[&rules[..], &[&*keys, &*channels[0], &*channels[1]]].concat());
    assert!(redis.wait_until_up(true, PATIENCE).await, "{:?}", redis.health());
    assert!(RedisCache::new(redis.clone()).wait_until_listening(PATIENCE).await);
    let catalog = World::new(MemoryPlace).await.store.catalog;
    assert!(RedisSeatFeed::new(redis, catalog).wait_until_listening(PATIENCE).await);
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let server = Server::start().unwrap();
    until(&open(&server.url().replace("redis://", "rediss://")), Problem::Tls).await;
}

#[tokio::test]
async fn a_server_that_follows_another() {
    let master = Server::start().unwrap();
    let replica = master.replica().unwrap();
    until(&open(&replica.url()), Problem::Replica).await;
}

#[tokio::test]
async fn a_server_without_memory() {
    let server = Server::start().unwrap();
    server.query(&["config", "set", "maxmemory", "1"]).unwrap();
    let redis = open(&server.url());
    until(&redis, Problem::Full).await;
    server.query(&["config", "set", "maxmemory", "0"]).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await, "it is found as soon as it has some");
    assert_eq!(redis.health().problem, None);
}

#[test]
fn every_problem_has_a_name_and_a_remedy_of_its_own() {
    let all = [
        Problem::Unreachable,
        Problem::Silent,
        Problem::Password,
        Problem::Database,
        Problem::Permission,
        Problem::Tls,
        Problem::Replica,
        Problem::Full,
        Problem::Writes,
        Problem::Cluster,
        Problem::Other,
    ];
    for of in [Problem::name, Problem::remedy] {
        let mut words = all.map(of).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all.len());
    }
}

/// Keeps the lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("evently_redis")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{}={value:?} ", field.name()).unwrap();
            }
        }
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The keeper runs on the thread of the test.
#[tokio::test(flavor = "current_thread")]
async fn it_is_said_once_with_the_setting_and_what_would_help_and_without_the_password() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let server = Server::start().unwrap();
    server.query(&["config", "set", "requirepass", "right"]).unwrap();
    let redis = open(&with_user(&server, ":hunter2"));
    until(&redis, Problem::Password).await;
    // It goes on trying.
    server.query(&["-a", "right", "config", "set", "requirepass", "hunter2"]).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await);
    let lines = lines.0.lock().unwrap();
    let said = lines.iter().filter(|line| line.contains("cannot be reached")).collect::<Vec<_>>();
    assert_eq!(said.len(), 1, "{lines:?}");
    for part in ["WARN", "setting=\"redis.url\"", "problem=\"password\"", Problem::Password.remedy()] {
        assert!(said[0].contains(part), "{part} in {said:?}");
    }
    assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:?}");
}

#[tokio::test]
async fn a_server_whose_memory_runs_out_while_it_is_connected_to() {
    let server = Server::start().unwrap();
    let redis = connected(&options(&server.url())).await;
    server.query(&["config", "set", "maxmemory", "1"]).unwrap();
    let _ = RedisCache::new(redis.clone()).look(&CacheKey::new("test", 1)).await;
    until(&redis, Problem::Full).await;
    server.query(&["config", "set", "maxmemory", "0"]).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await);
}

#[tokio::test]
async fn a_server_that_begins_to_follow_another_while_it_is_connected_to() {
    let (master, server) = (Server::start().unwrap(), Server::start().unwrap());
    let redis = connected(&options(&server.url())).await;
    server.query(&["replicaof", "127.0.0.1", &master.port().to_string()]).unwrap();
    let _ = RedisCache::new(redis.clone()).look(&CacheKey::new("test", 1)).await;
    until(&redis, Problem::Replica).await;
}

/// Each call would fail for itself, and every second all that has changed would be read again for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_any_more_while_it_is_connected_to() {
    let (world, server) = (World::new(MemoryPlace).await, Server::start().unwrap());
    let options = options(&server.url());
    let gate = Gate::open(world.store.catalog.clone());
    let (redis, feed) = feed_at(&options, gate.clone()).await;
    let events = [world.event(1, 4).await, world.event(1, 4).await];
    for event in &events {
        feed.seat_map(event.id()).await.unwrap().unwrap();
    }
    server.query(&["config", "set", "min-replicas-to-write", "1"]).unwrap();
    for event in &events {
        let hold = world.hold_command(event, customer(1), &[0]);
        feed.publish(&world.apply(&[Request::new(customer(1), hold)]).await.changes).await;
    }
    until(&redis, Problem::Writes).await;
    let read = gate.asked.available_permits();
    tokio::time::sleep(10 * options.probe).await;
    assert_eq!((gate.asked.available_permits(), redis.health().problem), (read, Some(Problem::Writes)));
    server.query(&["config", "set", "min-replicas-to-write", "0"]).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await, "it is found as soon as it does");
    let (_, elsewhere) = feed_at(&options, world.store.catalog.clone()).await;
    for event in &events {
        let stored = world.store.catalog.seat_map(event.id()).await.unwrap().unwrap();
        let shown = async {
            while elsewhere.seat_map(event.id()).await.unwrap().unwrap().statuses() != stored.statuses() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, shown).await.is_ok(), "what it could not be told it is told then");
    }
}

/// A user with the keys and channels of its own, and with the rights that are named.
fn user(server: &Server, options: &Options, rules: &[&str]) -> Options {
    let channels = ["*", "feed:*"].map(|channel| format!("&{}:{channel}", options.namespace));
    let user = ["acl", "setuser", "evently", "reset", "on", ">p", &channels[0], &channels[1]];
    server.query(&[&user, rules].concat()).unwrap();
    Options { url: with_user(server, "evently:p"), ..options.clone() }
}

#[tokio::test]
async fn a_user_who_may_do_less_from_now_on() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let redis = connected(&user(&server, &options, &["+@all", "~*"])).await;
    server.query(&["acl", "setuser", "evently", "-set"]).unwrap();
    let _ = RedisCache::new(redis.clone()).look(&CacheKey::new("test", 1)).await;
    until(&redis, Problem::Permission).await;
    server.query(&["acl", "setuser", "evently", "+set"]).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await);
}

/// It would be let in and sent away every second, and nobody would have anything of it.
#[tokio::test]
async fn a_user_who_may_not_do_something_to_some_keys_is_not_cut_off_from_the_others() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let keys = ["check", "cache"].map(|keys| format!("~{}:{keys}:*", options.namespace));
    let redis = connected(&user(&server, &options, &["+@all", &keys[0], &keys[1]])).await;
    let since = Instant::now();
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await;
    let feed = RedisSeatFeed::new(redis.clone(), world.store.catalog.clone());
    let hold = world.hold_command(&event, customer(1), &[0]);
    feed.publish(&world.apply(&[Request::new(customer(1), hold)]).await.changes).await;
    tokio::time::sleep(options.probe).await;
    let so_far = since.elapsed();
    assert!(redis.health().up && redis.health().lasts >= so_far, "{:?}", redis.health());
}
