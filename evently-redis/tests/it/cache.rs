use std::{sync::Arc, time::Duration};

use evently_core::{
    cache::{Caches, Seal},
    domain::Timestamp,
    memory::ManualClock,
    ports::{Cache, CacheKey, Forgotten, Look},
};
use evently_redis::{Options, Redis, RedisCache};
use evently_testkit::conformance::cache::CacheUnderTest;
use evently_testservers::{Redis as Server, shared_redis};
use tokio::time::timeout;

use crate::support::{PATIENCE, connected, options};

const TTL: Duration = Duration::from_mins(5);

async fn cache_at(options: &Options) -> (Redis, Arc<RedisCache>) {
    let redis = connected(options).await;
    let cache = Arc::new(RedisCache::new(redis.clone()));
    assert!(cache.wait_until_listening(PATIENCE).await);
    (redis, cache)
}

pub async fn under_test_at(url: &str) -> CacheUnderTest {
    let options = options(url);
    let [(_, cache), (_, other)] = [cache_at(&options).await, cache_at(&options).await];
    // Time passes by itself.
    CacheUnderTest { cache, other, pass: Box::new(|_| ()) }
}

evently_testkit::cache_conformance!(under_test_at(shared_redis().unwrap()).await);

fn key() -> CacheKey {
    CacheKey::new("test", 1)
}

async fn put(cache: &dyn Cache, value: &[u8]) {
    let Look::Miss(Some(lease)) = cache.look(&key()).await else { panic!("nothing was to be there") };
    cache.fill(&key(), lease, value, TTL).await;
}

#[tokio::test]
async fn values_are_kept_as_documented() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let (_, cache) = cache_at(&options).await;
    let name = format!("{}:cache:{{test:1}}", options.namespace);
    cache.look(&key()).await;
    assert!(server.query(&["get", &name]).unwrap().starts_with('L'));
    let left: i64 = server.query(&["pttl", &name]).unwrap().parse().unwrap();
    assert!((1..=10_000).contains(&left), "{left}: whoever has it may never come back");
    put(&*cache, b"one").await;
    assert_eq!(server.query(&["get", &name]).unwrap(), "Vone");
    let left: u64 = server.query(&["pttl", &name]).unwrap().parse().unwrap();
    assert!((200_000..=300_000).contains(&left), "{left}");
    // What could not be forgotten is remembered for an hour, and nothing may be there for longer.
    cache.forget(&[key()]).await;
    let Look::Miss(Some(lease)) = cache.look(&key()).await else { panic!("it was forgotten") };
    cache.fill(&key(), lease, b"one", Duration::from_hours(24)).await;
    let left: u64 = server.query(&["pttl", &name]).unwrap().parse().unwrap();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn while_the_server_is_away_or_stands_still_all_are_missing_and_nobody_waits() {
    let server = Server::start().unwrap();
    let (redis, cache) = cache_at(&Options { timeout: Duration::from_secs(1), ..options(&server.url()) }).await;
    put(&*cache, b"one").await;
    server.pause();
    assert_eq!(cache.look(&key()).await, Look::Miss(None));
    assert!(redis.wait_until_up(false, PATIENCE).await);
    assert_eq!(cache.look(&key()).await, Look::Miss(None));
    server.resume();
    assert!(redis.wait_until_up(true, PATIENCE).await);
    assert_eq!(cache.look(&key()).await, Look::Hit(b"one".to_vec()));
    server.flush().unwrap();
    assert!(matches!(cache.look(&key()).await, Look::Miss(Some(_))));
    server.restart().unwrap();
    while !matches!(cache.look(&key()).await, Look::Miss(Some(_))) {
        tokio::task::yield_now().await;
    }
}

/// A server that takes no writes still has what should have been forgotten, as one that was out of reach for a while.
#[tokio::test]
async fn what_could_not_be_forgotten_is_missing_here_and_is_forgotten_later() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let [(_, cache), (_, other)] = [cache_at(&options).await, cache_at(&options).await];
    put(&*cache, b"old").await;
    server.query(&["config", "set", "min-replicas-to-write", "1"]).unwrap();
    cache.forget(&[key()]).await;
    assert_eq!(other.look(&key()).await, Look::Hit(b"old".to_vec()));
    assert_eq!(cache.look(&key()).await, Look::Miss(None), "for whoever has changed it");
    server.query(&["config", "set", "min-replicas-to-write", "0"]).unwrap();
    while other.look(&key()).await == Look::Hit(b"old".to_vec()) {
        tokio::task::yield_now().await;
    }
    put(&*other, b"new").await;
    while cache.look(&key()).await != Look::Hit(b"new".to_vec()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_may_have_missed_something_is_told_to_forget_everything() {
    let server = Server::start().unwrap();
    let (redis, cache) = cache_at(&options(&server.url())).await;
    let mut told = cache.forgotten();
    server.kill();
    assert!(redis.wait_until_up(false, PATIENCE).await);
    server.restart().unwrap();
    let first = timeout(PATIENCE, async {
        loop {
            // This is told as soon as it listens again.
            cache.forget(&[key()]).await;
            if let Ok(first) = told.try_recv() {
                return first;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(first.await.expect("it is told of something"), Forgotten::Everything);
}

/// Whoever gets at the server can put anything there.
#[tokio::test]
async fn garbage_is_missing_and_gives_way() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let (_, cache) = cache_at(&options).await;
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let far = Caches::shared(clock, cache.clone(), Seal::new(b"secret")).far::<String>("test", TTL);
    let get = async |stored: &str| far.get(1, || async { Ok::<_, ()>(stored.to_owned()) }).await.unwrap();
    let name = &format!("{}:cache:{{test:1}}", options.namespace);
    assert_eq!(get("first").await, "first");
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let sealed: Vec<u8> = redis::cmd("GET").arg(name).query(&mut client).unwrap();
    let tampered = |change: fn(&mut Vec<u8>)| {
        let mut tampered = sealed.clone();
        change(&mut tampered);
        tampered
    };
    let values = [
        b"".to_vec(),
        b"V".to_vec(),
        b"V\"forged\"".to_vec(),
        b"L".to_vec(),
        b"Lease".to_vec(),
        b"L99999999999999999999999999".to_vec(),
        vec![0xff; 1 << 16],
        tampered(|sealed| sealed[12] ^= 1),
        tampered(|sealed| sealed.truncate(20)),
        // It would last for longer.
        tampered(|sealed| sealed[1] = 0x7f),
    ];
    let set = values.iter().map(|value| redis::cmd("SET").arg(name).arg(value).to_owned());
    let of_other_types = ["HSET", "LPUSH"].map(|command| redis::cmd(command).arg(name).arg("a").arg("b").to_owned());
    for (n, command) in set.chain(of_other_types).enumerate() {
        server.query(&["del", name]).unwrap();
        command.exec(&mut client).unwrap();
        let right = format!("right {n}");
        assert_eq!(get(&right).await, right);
        assert_eq!(get("later").await, right, "it has given way");
    }
    server.query(&["publish", &format!("{}:cache", options.namespace), "garbage"]).unwrap();
    assert_eq!(get("later").await, "right 11");
}
