//! Two servers take themselves for the master of Redis and lock the same seats for two customers each: the store sells each seat once.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::zip,
    sync::Arc,
    time::Duration,
};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Outcome, Rejection, Request, UserId},
    memory::SeededIds,
    ports::{Audit as _, Ids as _, LockRequest, SeatLocks as _, StoreErrorKind},
    services::Error,
};
use evently_redis::{Options, Redis, RedisSeatLocks};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use evently_testservers::{
    RedisSentinels, fresh_database, fresh_namespace,
    knobs::{keep, rounds},
};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::layers::{Instance, Layers, NOW};

const SEATS: u32 = 1_200;
/// So many locks are asked for in one call.
const AT_ONCE: usize = 200;
/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What an instance has of Redis, which it finds by the Sentinels. It waits for long for what does not answer, as if it were on the same
/// side of a network that has come apart, and had noticed nothing.
async fn locks(url: &str, namespace: &str) -> Arc<RedisSeatLocks> {
    let options = Options { namespace: namespace.to_owned(), timeout: PATIENCE, ..Options::new(url) };
    let redis = Redis::open(&options).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await, "{:?}", redis.health());
    Arc::new(RedisSeatLocks::new(redis))
}

/// A customer for each seat.
fn holds(ids: &SeededIds, event: &Fixture) -> Vec<Request> {
    let hold = |seat| {
        let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
        let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
        let (event_id, seats) = (event.id(), event.seats(&[seat]));
        Request::new(SYSTEM, Command::Hold { booking_id, event_id, user_id, seats, terms: HoldTerms::default() })
    };
    (0..SEATS).map(hold).collect()
}

fn lock_request(request: &Request) -> LockRequest {
    let Command::Hold { booking_id, event_id, seats, .. } = &request.command else { unreachable!("it is a hold") };
    let seats = seats.iter().map(|seat| seat.number().expect("it has one")).collect();
    LockRequest { event_id: *event_id, seats, booking_id: *booking_id, key: None }
}

/// Locks the seats for all of them; whether each has got its lock.
async fn lock(locks: &RedisSeatLocks, holds: &[Request]) -> Vec<bool> {
    let mut got = Vec::new();
    for some in holds.chunks(AT_ONCE) {
        let in_the_way = locks.acquire(&some.iter().map(lock_request).collect::<Vec<_>>()).await.unwrap();
        got.extend(in_the_way.iter().map(Vec::is_empty));
    }
    got
}

/// The bookings of those who are served; the others are refused because of somebody else.
async fn served(instance: &Instance, holds: Vec<Request>) -> BTreeMap<u32, BookingId> {
    let asking = holds.into_iter().map(|hold| async move {
        loop {
            match instance.office.submit(hold.clone()).await {
                // Both instances want all of them at once, and who was in the other's way for too long asks again.
                Err(Error::Store(error)) if error.kind() == StoreErrorKind::Contended => {}
                answered => return answered.unwrap().result,
            }
        }
    });
    let mut served = BTreeMap::new();
    for answer in join_all(asking).await {
        match answer {
            Ok(Outcome::Booking(booking)) => _ = served.insert(booking.seats[0].number, booking.id),
            Err(Rejection::SeatsUnavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_seats_that_two_masters_of_redis_lock_for_two_each_none_is_sold_twice() {
    let (sentinels, database) = (RedisSentinels::start().unwrap(), fresh_database().unwrap());
    let (url, mut reports) = (sentinels.url(), Vec::new());
    let house = Instance::open(&database, Layers::ALL, None, 0).await;
    for round in 0..rounds() {
        let (ids, namespace) = (Arc::new(SeededIds::new(round)), fresh_namespace());
        let event = Fixture::new(&*ids, NOW, 20, SEATS / 20);
        for command in [event.create_venue(), event.create_event(), event.publish()] {
            house.office.submit(Request::new(ORGANIZER, command)).await.unwrap().result.unwrap();
        }
        let mut wanted = [holds(&ids, &event), holds(&ids, &event)];
        // One begins where the other ends, so that it is not always the same who comes first.
        wanted[1].reverse();

        let left_behind = locks(&url, &namespace).await;
        let deposed = sentinels.depose().unwrap();
        let moved_on = locks(&url, &namespace).await;
        deposed.resume();
        let (here, there) = tokio::join!(lock(&left_behind, &wanted[0]), lock(&moved_on, &wanted[1]));
        let twice = zip(here, there.into_iter().rev()).filter(|both| *both == (true, true)).count();
        assert!(twice >= 1_000, "only {twice} seats are locked for two");

        let behind = Instance::open(&database, Layers::ALL, Some(left_behind), 2 * round + 1).await;
        let ahead = Instance::open(&database, Layers::ALL, Some(moved_on), 2 * round + 2).await;
        let [first, second] = wanted;
        let (here, there) = tokio::join!(served(&behind, first), served(&ahead, second));
        let [here_total, there_total] = [here.len(), there.len()];
        assert_eq!(here_total + there_total, SEATS as usize, "each seat is sold, and to one of both");
        let owners = here.into_iter().chain(there).collect::<BTreeMap<_, _>>();
        assert_eq!(owners.len(), SEATS as usize);
        let records = house.store.event_records(event.id()).await.unwrap().unwrap();
        let sold = records.bookings.iter().map(|booking| (booking.seats[0].number, booking.id)).collect::<BTreeSet<_>>();
        assert_eq!(sold, owners.into_iter().collect(), "and whoever was told so has it, and nobody else has");
        assert_eq!(records.bookings.len(), SEATS as usize);
        assert_eq!(evently_core::audit::check(&records, Some(&event.layout), NOW), []);
        println!(
            "{twice} seats were locked for two; {here_total} were sold to who had the lock of the old master, {there_total} to who had that of \
             the new one, none to both"
        );
        reports.push(serde_json::json!({ "locked_twice": twice, "sold_to_each": [here_total, there_total], "sold_twice": 0 }));

        if round + 1 < rounds() {
            let replicates = async {
                while !deposed.info("replication").is_ok_and(|info| info.contains("master_link_status:up")) {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            timeout(PATIENCE, replicates).await.expect("the old master follows the new one");
        }
    }
    keep(serde_json::json!({ "rounds": rounds(), "faults": reports }));
}
