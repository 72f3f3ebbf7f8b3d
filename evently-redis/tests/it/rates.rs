use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use evently_core::{
    domain::Timestamp,
    ports::{RateLimit, RateLimits},
    rate::{Buckets, LocalRateLimits, Verdict},
};
use evently_redis::RedisRateLimits;
use evently_testservers::{Redis as Server, shared_redis};
use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::runtime;

use crate::support::{PATIENCE, connected, options, shared};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_mins(1);

async fn allowed(limit: &dyn RateLimit, times: usize, now: Timestamp) -> usize {
    let mut allowed = 0;
    for _ in 0..times {
        allowed += usize::from(limit.take("k", now).await.allowed);
    }
    allowed
}

#[tokio::test]
async fn instances_share_one_bucket_for_each_name_and_key() {
    share_one_bucket_at(shared_redis().unwrap()).await;
}

pub async fn share_one_bucket_at(url: &str) {
    let options = options(url);
    let instances = [connected(&options).await, connected(&options).await].map(RedisRateLimits::new);
    let [one, other] = instances.each_ref().map(|instance| instance.limit("bookings", 10, MINUTE));
    assert_eq!((allowed(&*one, 7, START).await, allowed(&*other, 7, START).await), (7, 3));
    other.give_back("k").await;
    assert_eq!(allowed(&*one, 7, START).await, 1);
    assert!(one.take("another", START).await.allowed);
    assert!(instances[0].limit("events", 10, MINUTE).take("k", START).await.allowed);
    assert_eq!(allowed(&*other, 7, START + Duration::from_secs(12)).await, 2);
}

/// Whoever asks first may have left by then.
#[tokio::test]
async fn those_who_ask_at_once_share_a_journey_and_each_is_told_of_their_own() {
    let server = Server::start().unwrap();
    let limit = RedisRateLimits::new(connected(&options(&server.url())).await).limit("bookings", 10, MINUTE);
    server.query(&["config", "resetstat"]).unwrap();
    let asked = (0..64).map(|n| {
        let limit = limit.clone();
        tokio::spawn(async move { limit.take(if n % 4 == 0 { "greedy" } else { "k" }, START + Duration::from_mins(n)).await })
    });
    let mut asked = asked.collect::<Vec<_>>();
    tokio::task::yield_now().await;
    asked.remove(1).abort();
    for (n, verdict) in asked.into_iter().enumerate() {
        assert!(verdict.await.unwrap().allowed, "{n}");
    }
    let calls = server.info("commandstats").unwrap();
    let calls = calls.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).unwrap().split(',').next().unwrap();
    assert!(calls.parse::<u32>().unwrap() < 8, "{calls}");
    let verdicts = join_all((0..20).map(|_| limit.take("late", START))).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.allowed).count(), 10);
    assert_eq!(verdicts.iter().map(|verdict| verdict.remaining).min(), Some(0));
}

/// Whoever gets at the server can put anything there.
#[tokio::test]
async fn garbage_is_a_full_bucket_and_nobody_else_suffers_for_it() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let limit = RedisRateLimits::new(connected(&options).await).limit("bookings", 1, MINUTE);
    let name = &format!("{}:rate:{{bookings:garbage}}", options.namespace);
    let far = format!("0 {}", i64::MAX);
    let strings = ["", "full", "-1 0", "0 0 0", "1.5 2", "0 1e9", &far].map(|value| vec!["set", name, value]);
    let others = [vec!["lpush", name, "a"], vec!["hset", name, "a", "b"]];
    assert!(limit.take("spent", START).await.allowed);
    for garbage in strings.into_iter().chain(others) {
        server.query(&["del", name]).unwrap();
        server.query(&garbage).unwrap();
        limit.give_back("garbage").await;
        let (spent, first) = tokio::join!(limit.take("spent", START), limit.take("garbage", START));
        assert_eq!((spent.allowed, first.allowed), (false, true), "{garbage:?}");
        assert!(!limit.take("garbage", START).await.allowed, "{garbage:?} has given way");
    }
}

/// As after a restart with other settings.
#[tokio::test]
async fn a_bucket_that_was_larger_has_no_more_than_it_may_have_now() {
    let limits = RedisRateLimits::new(shared().await);
    assert!(limits.limit("bookings", 10, MINUTE).take("k", START).await.allowed);
    let [one, other] = [(); 2].map(|()| limits.limit("bookings", 2, MINUTE));
    assert_eq!((allowed(&*one, 10, START).await, allowed(&*other, 10, START).await), (2, 0));
}

/// Whoever was to ask for all is gone with the runtime.
#[test]
fn who_asks_after_a_runtime_has_ended_in_which_somebody_had_asked_is_answered() {
    let lasting = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let limit = RedisRateLimits::new(lasting.block_on(shared())).limit("bookings", 10, MINUTE);
    let ending = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    ending.block_on(async {
        tokio::select! {
            biased;
            _ = limit.take("k", START) => panic!("nobody has been asked yet"),
            () = std::future::ready(()) => {}
        }
    });
    drop(ending);
    let answered = lasting.block_on(async { tokio::time::timeout(PATIENCE, limit.take("k", START)).await });
    assert!(answered.expect("somebody asks again").allowed);
}

#[tokio::test]
async fn a_bucket_that_is_full_again_is_forgotten() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let limit = RedisRateLimits::new(connected(&options).await).limit("bookings", 10, MINUTE);
    limit.take("k", START).await;
    let left = || server.query(&["pttl", &format!("{}:rate:{{bookings:k}}", options.namespace)]).unwrap();
    let taken = left();
    assert!((1..=6_001).contains(&taken.parse::<i64>().unwrap()), "{taken}");
    limit.give_back("k").await;
    let given_back = left();
    assert!((1..=6_001).contains(&given_back.parse::<i64>().unwrap()), "{given_back}: no later for what was given back");
}

/// It is full again by the clock that was ahead, however late that is by this one.
#[tokio::test]
async fn a_bucket_is_not_forgotten_early_by_a_clock_that_goes_back() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let limit = RedisRateLimits::new(connected(&options).await).limit("bookings", 10, MINUTE);
    assert_eq!(allowed(&*limit, 11, START + MINUTE).await, 10);
    assert!(!limit.take("k", START).await.allowed);
    let left = server.query(&["pttl", &format!("{}:rate:{{bookings:k}}", options.namespace)]).unwrap();
    assert!((60_002..=120_001).contains(&left.parse::<i64>().unwrap()), "{left}");
}

#[tokio::test]
async fn while_the_server_is_away_each_instance_counts_for_itself() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let redis = [connected(&options).await, connected(&options).await];
    let limits = redis.each_ref().map(|redis| RedisRateLimits::new(redis.clone()).limit("bookings", 10, MINUTE));
    server.kill();
    for (redis, limit) in redis.iter().zip(&limits) {
        assert!(redis.wait_until_up(false, PATIENCE).await);
        assert_eq!(allowed(&**limit, 100, START).await, 10);
        limit.give_back("k").await;
        assert_eq!(allowed(&**limit, 100, START).await, 1);
    }
    server.restart().unwrap();
    for redis in &redis {
        assert!(redis.wait_until_up(true, PATIENCE).await);
    }
    assert_eq!(allowed(&*limits[0], 100, START).await, 10, "a server that has forgotten everything");
    assert_eq!(allowed(&*limits[1], 100, START).await, 0);
}

/// To whole milliseconds, later rather than earlier.
fn up(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_micros().div_ceil(1000)).unwrap())
}

/// The same verdicts, whatever is asked when: also from a clock that goes back.
#[test]
fn it_says_what_buckets_in_memory_say() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let redis = runtime.block_on(shared());
    // Long enough that no bucket is forgotten meanwhile, by a time that does not stand still. Takes one, or gives one back, so many milliseconds after the last time.
    let steps = proptest::collection::vec((-50_000_i64..200_000, proptest::bool::weighted(0.9)), 1..60);
    let case = (1_u32..50, 60_000_u64..1_000_000, steps);
    // A case that fails is run again and again.
    let keys = AtomicU32::new(0);
    proptest!(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() }, |((permits, per, steps) in case)| {
        let per = Duration::from_millis(per);
        let shared = RedisRateLimits::new(redis.clone()).limit("test", permits, per);
        let local = Buckets::<String>::new(permits, per, 10);

        let key = keys.fetch_add(1, Relaxed).to_string();
        let mut now = START;
        for (step, takes) in steps {
            now = if step < 0 { now - Duration::from_millis(step.unsigned_abs()) } else { now + Duration::from_millis(step.unsigned_abs()) };
            if takes {
                let verdict = runtime.block_on(shared.take(&key, now));
                let expected = local.take(key.clone(), now);
                let (reset, retry_after) = (up(expected.reset), up(expected.retry_after));
                prop_assert_eq!(verdict, Verdict { reset, retry_after, ..expected });
            } else {
                runtime.block_on(shared.give_back(&key));
                local.give_back(&key);
            }
        }
    });
}

#[tokio::test]
async fn numbers_as_large_as_they_may_be_are_exact() {
    let (permits, per) = (1 << 20, Duration::from_hours(24 * 30));
    let shared = RedisRateLimits::new(shared().await).limit("large", permits, per);
    let local = LocalRateLimits.limit("large", permits, per);
    for n in 0..10_u32 {
        let now = START + Duration::from_millis(u64::from(n * n));
        let (ours, theirs) = (shared.take("k", now).await, local.take("k", now).await);
        assert_eq!((ours.allowed, ours.remaining), (theirs.allowed, theirs.remaining));
    }
}
