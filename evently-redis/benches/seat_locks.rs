//! How many are turned away from a hot seat in a second, by a private Redis on this machine: `cargo bench -p evently-redis`.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, EventId, Request},
    memory::MemorySeatFeed,
    ports::{LockRequest, SeatLocks, Settled},
    services::{BoxOffice, OfficeSize},
};
use evently_redis::{Options, Redis, RedisSeatLocks};
use evently_testkit::{CountedBookings, MemoryPlace, World, customer};
use evently_testservers::Redis as Server;
use tokio::time::Instant;
use uuid::Uuid;

const LASTS: Duration = Duration::from_secs(5);
/// Buyers that ask again as soon as they are refused.
const CROWD: u32 = 1_000;

fn main() {
    evently_testkit::run(async {
        let server = Server::start().expect("redis-server is installed");
        let redis = Redis::open(&Options::new(server.url())).expect("the URL is right");
        assert!(redis.wait_until_up(true, LASTS).await, "the server is there");
        let locks = Arc::new(RedisSeatLocks::new(redis));
        calls(&*locks).await;
        batches(&*locks).await;
        crowd(locks).await;
    });
}

fn wants(booking: u32, seat: u32) -> LockRequest {
    let id = |n: u128| Uuid::from_u128(n);
    LockRequest {
        event_id: EventId::from_uuid(id(1)),
        seats: vec![seat, seat + 1],
        booking_id: BookingId::from_uuid(id(u128::from(booking) + 2)),
        key: None,
    }
}

/// One call after the other: two seats are locked, and released.
async fn calls(locks: &dyn SeatLocks) {
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < LASTS {
        let request = wants(calls, 2 * calls);
        locks.acquire(std::slice::from_ref(&request)).await.expect("the locks are there");
        let LockRequest { event_id, seats, booking_id, .. } = request;
        locks.settle(&[Settled { event_id, seats, booking_id, held: None }]).await.expect("the locks are there");
        calls += 1;
    }
    say("locked and released, one after the other", calls, began, "pairs of calls");
}

/// Calls for a batch, in which all but the first are in the way of somebody.
async fn batches(locks: &dyn SeatLocks) {
    locks.acquire(&[wants(0, 0)]).await.expect("the locks are there");
    let batch = (1..=256).map(|n| wants(n, 0)).collect::<Vec<_>>();
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < LASTS {
        let answers = locks.acquire(&batch).await.expect("the locks are there");
        assert!(answers.iter().all(|answer| !answer.is_empty()));
        calls += 1;
    }
    say("turned away by the script, 256 in a call", calls * 256, began, "requests");
}

/// Buyers before one seat, through the box office.
async fn crowd(locks: Arc<RedisSeatLocks>) {
    let world = Arc::new(World::new(MemoryPlace).await);
    let event = Arc::new(world.event(1, 4).await);
    let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let (office, work) = BoxOffice::open_behind(Some(locks), store.clone(), feed, world.clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    let first = Request::new(customer(0), world.hold_command(&event, customer(0), &[0]));
    office.submit(first).await.expect("the store is there").result.expect("the seat is free");
    let before = store.requests();
    let began = Instant::now();
    let buyers = (1..=CROWD).map(|n| {
        let (office, world, event) = (office.clone(), world.clone(), event.clone());
        tokio::spawn(async move {
            let mut answers = 0_u32;
            while began.elapsed() < LASTS {
                let request = Request::new(customer(n), world.hold_command(&event, customer(n), &[0]));
                assert!(office.submit(request).await.expect("there is room").result.is_err());
                answers += 1;
            }
            answers
        })
    });
    let mut answers = 0;
    for buyer in buyers.collect::<Vec<_>>() {
        answers += buyer.await.expect("nobody panics");
    }
    say(&format!("turned away by the box office, {CROWD} buyers"), answers, began, "answers");
    println!("requests that reached the store: {}", store.requests() - before);
}

fn say(what: &str, many: u32, began: Instant, of: &str) {
    println!("{what}: {:.0} {of}/s", f64::from(many) / began.elapsed().as_secs_f64());
}
