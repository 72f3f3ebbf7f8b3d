use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, EventId, RequestKey},
    ports::{DECIDING, LockRequest, SeatLocks, Settled},
};
use evently_redis::{Options, RedisSeatLocks};
use evently_testkit::conformance::seat_locks::LocksUnderTest;
use evently_testservers::{Redis as Server, RedisSentinels, shared_redis};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{PATIENCE, connected, options};

pub async fn under_test_at(url: &str) -> LocksUnderTest {
    // Time passes by itself.
    LocksUnderTest { locks: Arc::new(RedisSeatLocks::new(connected(&options(url)).await)), pass: Box::new(|_| ()) }
}

evently_testkit::seat_locks_conformance!(under_test_at(shared_redis().unwrap()).await);

const EVENT: EventId = EventId::from_uuid(Uuid::from_u128(0xe));

fn wants(booking: u128, seat: u32) -> LockRequest {
    LockRequest {
        event_id: EVENT,
        seats: vec![seat],
        booking_id: BookingId::from_uuid(Uuid::from_u128(booking)),
        key: Some(RequestKey { id: [7; 32], fingerprint: [1; 32] }),
    }
}

#[tokio::test]
async fn locks_are_kept_as_documented() {
    let server = Server::start().unwrap();
    let options = options(&server.url());
    let locks = RedisSeatLocks::new(connected(&options).await);
    let request = wants(0xb, 3);
    locks.acquire(std::slice::from_ref(&request)).await.unwrap();
    let lock = format!("{}:seat:{{00000000-0000-0000-0000-00000000000e}}:3", options.namespace);
    let asked = format!("{}:asked:{{00000000-0000-0000-0000-00000000000e}}:{}", options.namespace, "07".repeat(16));
    assert_eq!(server.query(&["get", &lock]).unwrap(), "0000000000000000000000000000000b");
    let left = |key: &str| Duration::from_millis(server.query(&["pttl", key]).unwrap().parse().unwrap());
    let about = |left: Duration, whole: Duration| left <= whole && left > whole.saturating_sub(Duration::from_secs(5));
    assert!(about(left(&lock), DECIDING), "{:?}", left(&lock));
    assert!(about(left(&asked), Duration::from_hours(24)));
    let turned_away =
        LockRequest { seats: vec![1, 3], key: Some(RequestKey { id: [8; 32], fingerprint: [9; 32] }), ..wants(0xc, 3) };
    locks.acquire(&[turned_away]).await.unwrap();
    let asked = asked.replace(&"07".repeat(16), &"08".repeat(16));
    assert_eq!(server.query(&["get", &asked]).unwrap(), format!("{}:2", "09".repeat(16)));
    assert!(about(left(&asked), DECIDING), "{:?}", left(&asked));
    let five = Duration::from_mins(5);
    let LockRequest { event_id, seats, booking_id, .. } = request.clone();
    locks.settle(&[Settled { event_id, seats, booking_id, held: Some(five) }]).await.unwrap();
    assert!(about(left(&lock), five), "{:?}", left(&lock));
    // Without its key nobody knows it for a repetition.
    assert!(locks.acquire(&[LockRequest { key: None, ..request }]).await.unwrap()[0].is_empty());
    assert!(about(left(&lock), five), "what the booking has already lasts as long as it was said to: {:?}", left(&lock));
}

#[tokio::test]
async fn while_the_server_is_away_the_answer_comes_at_once() {
    let server = Server::start().unwrap();
    let options = Options { timeout: Duration::from_millis(100), ..options(&server.url()) };
    let redis = connected(&options).await;
    let locks = RedisSeatLocks::new(redis.clone());
    server.pause();
    let began = Instant::now();
    assert!(locks.acquire(&[wants(1, 1)]).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(redis.wait_until_up(false, PATIENCE).await);
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(locks.acquire(&[wants(1, 1)]).await.is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waits for a server that is known to be away");
    server.resume();
    assert!(redis.wait_until_up(true, PATIENCE).await);
    server.restart().unwrap();
    while locks.acquire(&[wants(1, 1)]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_a_flush_everybody_is_let_through_again() {
    let server = Server::start().unwrap();
    let locks = RedisSeatLocks::new(connected(&options(&server.url())).await);
    let other = LockRequest { key: None, ..wants(2, 1) };
    assert_eq!(locks.acquire(&[wants(1, 1)]).await.unwrap(), [Vec::<u32>::new()]);
    assert_eq!(locks.acquire(std::slice::from_ref(&other)).await.unwrap(), [vec![1]]);
    server.flush().unwrap();
    server.query(&["script", "flush"]).unwrap();
    assert_eq!(locks.acquire(&[other]).await.unwrap(), [Vec::<u32>::new()]);
}

#[tokio::test]
async fn locks_follow_the_sentinels_to_another_master() {
    let set = RedisSentinels::start().unwrap();
    // Whichever is asked first stands still.
    set.sentinels()[0].pause();
    let locks = RedisSeatLocks::new(connected(&options(&set.url())).await);
    set.sentinels()[0].resume();
    locks.acquire(&[wants(1, 1)]).await.unwrap();
    let next = set.fail_over().unwrap();
    while locks.acquire(&[wants(2, 2)]).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(next.query(&["keys", "*"]).unwrap().contains(":seat:{"));
}
