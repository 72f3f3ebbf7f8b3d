use std::time::Duration;

use evently_core::{
    domain::{BookingId, EventId, RequestKey, Timestamp},
    ports::{LockRequest, RateLimits as _, SeatLocks},
};
use evently_redis::{Options, Problem, Redis, RedisRateLimits, RedisSeatLocks};
use evently_testservers::{Redis as Server, RedisCluster, shared_redis_cluster};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{PATIENCE, connected, options};

fn wants(event: u128) -> LockRequest {
    LockRequest {
        event_id: EventId::from_uuid(Uuid::from_u128(event)),
        seats: vec![1, 2, 3],
        booking_id: BookingId::from_uuid(Uuid::from_u128(event)),
        key: Some(RequestKey { id: [7; 32], fingerprint: [1; 32] }),
    }
}

#[tokio::test]
async fn events_lie_on_all_nodes_and_each_whole_on_one() {
    let cluster = RedisCluster::start().unwrap();
    let locks = RedisSeatLocks::new(connected(&options(&cluster.url())).await);
    let requests = (0..60).map(wants).collect::<Vec<_>>();
    assert!(locks.acquire(&requests).await.unwrap().iter().all(Vec::is_empty));
    for node in cluster.nodes() {
        let keys: u32 = node.query(&["dbsize"]).unwrap().parse().unwrap();
        assert!(keys >= 4 && keys.is_multiple_of(4), "three seats and a mark for each event: {keys}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_whole_is_away_until_it_is_again() {
    let cluster = RedisCluster::start().unwrap();
    let redis = connected(&options(&cluster.url())).await;
    let locks = RedisSeatLocks::new(redis.clone());
    for node in cluster.nodes() {
        node.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await, "without anybody having asked");
        assert!(locks.acquire(&[wants(1)]).await.is_err());
        node.restart().unwrap();
        assert!(cluster.wait_until_whole());
        assert!(redis.wait_until_up(true, PATIENCE).await, "{:?}", redis.health());
    }
    // Whatever was there is lost with the processes.
    assert!(locks.acquire(&[wants(1)]).await.unwrap()[0].is_empty());
}

/// Else all that all the others hold is lost once a second, for as long as it lasts.
#[tokio::test]
async fn a_node_that_takes_no_writes_takes_nothing_from_the_others() {
    const A_WHILE: Duration = Duration::from_millis(500);
    let cluster = RedisCluster::start().unwrap();
    let redis = connected(&options(&cluster.url())).await;
    let locks = RedisSeatLocks::new(redis.clone());
    let mut away = 0;
    for (nth, node) in (0..).zip(cluster.nodes()) {
        node.query(&["config", "set", "min-replicas-to-write", "1"]).unwrap();
        let mut refused = 0;
        for event in 60 * nth..60 * (nth + 1) {
            refused += u32::from(locks.acquire(&[wants(event)]).await.is_err());
        }
        assert!(refused > 0, "some events are its own");
        // The key that is tried has a node as well.
        away += u32::from(redis.wait_until_up(false, A_WHILE).await);
        node.query(&["config", "set", "min-replicas-to-write", "0"]).unwrap();
        assert!(redis.wait_until_up(true, PATIENCE).await);
    }
    assert_eq!(away, 1);
}

/// Their buckets are on all nodes, and a script has those of one.
#[tokio::test]
async fn those_who_ask_at_once_are_counted_for_all_instances_together() {
    let options = Options { timeout: PATIENCE, ..options(shared_redis_cluster().unwrap()) };
    let keys = (0..20).map(|key| key.to_string()).collect::<Vec<_>>();
    for expected in [keys.len(), 0] {
        let limit = RedisRateLimits::new(connected(&options).await).limit("bookings", 1, Duration::from_hours(1));
        let now = Timestamp::from_secs(1_800_000_000);
        let verdicts = join_all(keys.iter().map(|key| limit.take(key, now))).await;
        assert_eq!(verdicts.iter().filter(|verdict| verdict.allowed).count(), expected);
    }
}

#[tokio::test]
async fn one_server_is_no_cluster() {
    let server = Server::start().unwrap();
    let redis = Redis::open(&options(&server.url().replace("redis://", "redis-cluster://"))).unwrap();
    crate::problems::until(&redis, Problem::Cluster).await;
    assert!(!redis.wait_until_up(true, Duration::from_millis(100)).await);
}
