use std::time::Duration;

use evently_core::ports::{Cache as _, CacheKey, Forgotten, Look};
use evently_redis::{OpenError, Options, Problem, Redis, RedisCache};
use evently_testservers::{Proxy, Redis as Server};
use tokio::time::{Instant, timeout};

use crate::support::{PATIENCE, connected, options};

#[tokio::test]
async fn it_need_not_be_there_and_is_found_when_it_comes_and_when_it_comes_back() {
    let server = Server::start().unwrap();
    server.kill();
    let redis = Redis::open(&options(&server.url())).unwrap();
    assert!(!redis.health().up);
    for _ in 0..2 {
        server.restart().unwrap();
        assert!(redis.wait_until_up(true, PATIENCE).await);
        assert!(redis.health().latency.is_some());
        server.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await, "without anybody having asked");
        assert_eq!(redis.health().latency, None);
    }
}

#[tokio::test]
async fn whether_it_is_there_is_known_after_one_look() {
    let server = Server::start().unwrap();
    let open = async || {
        let redis = Redis::open(&options(&server.url())).unwrap();
        redis.wait_until_known().await;
        redis.health()
    };
    assert!(open().await.up);
    server.kill();
    assert_eq!(open().await.problem, Some(Problem::Unreachable));
}

#[tokio::test]
async fn a_server_that_stands_still_counts_as_away_until_it_goes_on() {
    let server = Server::start().unwrap();
    let redis = connected(&Options { timeout: Duration::from_millis(100), ..options(&server.url()) }).await;
    server.pause();
    let began = Instant::now();
    assert!(redis.wait_until_up(false, PATIENCE).await);
    assert!(began.elapsed() >= Duration::from_millis(200), "one answer that comes late means nothing");
    server.resume();
    assert!(redis.wait_until_up(true, PATIENCE).await);
}

#[tokio::test]
async fn late_answers_with_a_good_one_in_between_do_not_add_up() {
    let server = Server::start().unwrap();
    // Nobody else asks anything meanwhile.
    let redis = connected(&Options { probe: Duration::from_hours(1), failures_max: 2, ..options(&server.url()) }).await;
    let cache = RedisCache::new(redis.clone());
    let key = CacheKey::new("test", 1);
    for _ in 0..2 {
        server.pause();
        assert_eq!(cache.look(&key).await, Look::Miss(None), "the answer is late");
        server.resume();
        assert!(redis.health().up, "one answer that comes late means nothing");
        assert!(matches!(cache.look(&key).await, Look::Miss(Some(_))), "the answer is good");
    }
}

/// Nobody waits longer than that for what they could do without. The time passes for us alone.
#[tokio::test]
async fn a_server_that_stands_still_costs_three_calls_a_quarter_of_a_second_each() {
    let server = Server::start().unwrap();
    let patient = Options { connect_timeout: PATIENCE, ..options(&server.url()) };
    let Options { timeout, failures_max, .. } = Options::new(server.url());
    // Nobody else asks anything meanwhile.
    let redis = connected(&Options { probe: Duration::from_hours(1), timeout, failures_max, ..patient }).await;
    let cache = RedisCache::new(redis.clone());
    server.pause();
    tokio::time::pause();
    let began = Instant::now();
    for left in (0..3).rev() {
        assert_eq!(cache.look(&CacheKey::new("test", 1)).await, Look::Miss(None));
        assert_eq!(redis.health().up, left > 0);
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

/// As when another one has been made the master meanwhile: what this one has is not all that there was.
#[tokio::test]
async fn a_server_that_begins_another_history_is_connected_to_anew_though_nothing_broke() {
    let server = Server::start().unwrap();
    let redis = connected(&options(&server.url())).await;
    let began = Instant::now();
    // Where nobody is to be followed.
    server.query(&["replicaof", "127.0.0.1", "1"]).unwrap();
    server.query(&["replicaof", "no", "one"]).unwrap();
    let connected_anew = async {
        loop {
            let so_far = began.elapsed();
            if redis.health().up && redis.health().lasts < so_far {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, connected_anew).await.expect("it is noticed");
}

/// As when somebody on the way has forgotten the connection, and nobody is told that it has ended.
#[tokio::test]
async fn who_listens_and_would_hear_nothing_any_more_listens_anew() {
    let server = Server::start().unwrap();
    let proxy = Proxy::before(&server.url()).unwrap();
    let redis = connected(&Options { timeout: Duration::from_millis(100), ..options(&proxy.url()) }).await;
    let cache = RedisCache::new(redis);
    assert!(cache.wait_until_listening(PATIENCE).await);
    let mut told = cache.forgotten();
    proxy.strand();
    let first = timeout(PATIENCE, told.recv()).await.expect("it is told that it may have missed something");
    assert_eq!(first.unwrap(), Forgotten::Everything);
}

#[tokio::test]
async fn what_is_no_url_is_said_so() {
    for url in [
        "",
        "localhost",
        "http://localhost",
        "redis+sentinel://localhost:1",
        "redis+sentinel://localhost:1/",
        "redis+sentinel://localhost:x/s",
        "redis+sentinel://localhost:1/s/x",
    ] {
        assert!(matches!(Redis::open(&options(url)), Err(OpenError::Url(_))), "{url}");
    }
    for rest in ["", "localhost:x", "localhost:1,", "localhost:1,localhost:2/3"] {
        let refused = Redis::open(&options(&format!("redis-cluster://{rest}")));
        let expected = if cfg!(feature = "cluster") {
            matches!(refused, Err(OpenError::Url(_)))
        } else {
            matches!(refused, Err(OpenError::NoCluster))
        };
        assert!(expected, "redis-cluster://{rest}");
    }
    for namespace in ["", "a:b", "{a}", "a b"] {
        let options = Options { namespace: namespace.to_owned(), ..options("redis://localhost") };
        assert!(matches!(Redis::open(&options), Err(OpenError::Namespace)), "{namespace}");
    }
    let secret = format!("{:?}", Options::new("redis://:secret@localhost"));
    assert!(!secret.contains("secret"), "{secret}");
}
