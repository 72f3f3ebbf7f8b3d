//! A crowd before a hot seat, at two instances.

use std::sync::Arc;

use evently_core::{
    domain::{Command, Rejection, Request, SeatStatus},
    memory::MemorySeatFeed,
    services::{BoxOffice, OfficeSize},
};
use evently_redis::{Options, RedisSeatLocks};
use evently_testkit::{CountedBookings, Fixture, HOUSE, MemoryPlace, World, customer};
use evently_testservers::Redis as Server;

use crate::support::{PATIENCE, connected, options};

/// An instance: its box office, and what of it reaches the store.
struct Instance {
    office: BoxOffice,
    store: Arc<CountedBookings>,
    redis: evently_redis::Redis,
}

async fn instance(world: &World, options: &Options) -> Instance {
    let redis = connected(options).await;
    let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let locks = Arc::new(RedisSeatLocks::new(redis.clone()));
    let (office, work) = BoxOffice::open_behind(Some(locks), store.clone(), feed, world.clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    Instance { office, store, redis }
}

/// So many want the seat, all at once; how many get it. Everybody else is told that it is reserved.
async fn crowd(world: &World, event: &Fixture, office: &BoxOffice, many: u32) -> usize {
    let requests = (0..many).map(|n| Request::new(customer(n), world.hold_command(event, customer(n), &[0])));
    let waiting = requests.map(|request| office.hand_in(request).unwrap()).collect::<Vec<_>>();
    let mut accepted = 0;
    for handed_in in waiting {
        match handed_in.wait().await.unwrap().result {
            Ok(_) => accepted += 1,
            Err(rejection) => {
                let reserved = vec![(event.seats(&[0])[0], SeatStatus::Reserved)];
                assert_eq!(rejection, Rejection::SeatsUnavailable(reserved));
            }
        }
    }
    accepted
}

#[test]
fn one_gets_the_seat_and_the_others_do_not_reach_the_store() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        let event = world.event(1, 4).await;
        let server = Server::start().unwrap();
        let options = options(&server.url());
        let instances = [instance(&world, &options).await, instance(&world, &options).await];

        let mut accepted = 0;
        for instance in &instances {
            accepted += crowd(&world, &event, &instance.office, 2_000).await;
        }
        assert_eq!(accepted, 1);
        assert!(instances[0].store.requests() <= 256, "those of the first batch: {}", instances[0].store.requests());
        assert_eq!(instances[1].store.requests(), 0);

        // Without the locks it is the store that says so.
        server.kill();
        for instance in &instances {
            assert!(instance.redis.wait_until_up(false, PATIENCE).await);
            assert_eq!(crowd(&world, &event, &instance.office, 300).await, 0);
        }
        assert_eq!(instances[1].store.requests(), 300);

        // An empty server does not know the hold: the store is asked once, and the lock is not kept, for it is nobody's.
        server.restart().unwrap();
        for instance in &instances {
            assert!(instance.redis.wait_until_up(true, PATIENCE).await);
            assert_eq!(crowd(&world, &event, &instance.office, 300).await, 0);
        }

        // Given up at one instance it is free at the other.
        let held = world.records(&event).await.bookings[0].id;
        let cancel = Request::new(HOUSE, Command::Cancel { booking_id: held, expected: None, reason: None });
        instances[0].office.submit(cancel).await.unwrap().result.unwrap();
        assert_eq!(crowd(&world, &event, &instances[1].office, 2_000).await, 1);
        let before = instances[0].store.requests();
        assert_eq!(crowd(&world, &event, &instances[0].office, 2_000).await, 0);
        assert_eq!(instances[0].store.requests(), before);
        world.audited(&event).await;
    });
}
