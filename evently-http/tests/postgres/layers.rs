//! Each layer that keeps a seat from being sold twice, taken away: seat locks, versions, serializable transactions. Three instances on
//! one database, each with its box office, and callers who want the same few seats at the same time.

use std::{collections::BTreeSet, sync::Arc};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::{ManualClock, MemorySeatFeed, SeededIds},
    ports::{Audit, EventRecords, Ids, SeatLocks, Store},
    services::{BoxOffice, OfficeSize},
};
use evently_postgres::{Guards, Options, PgStore, Time};
use evently_redis::{Redis, RedisSeatLocks};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use evently_testservers::{Database, fresh_database, fresh_namespace, shared_redis};

pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CALLERS: u32 = 64;
const SEATS: u32 = 8;
const INSTANCES: u64 = 3;
/// How many events are sold until seats have been sold twice, where nothing keeps them from it. The first is usually enough.
const EVENTS_MAX: u32 = 50;

/// What is left in front of the constraint.
#[derive(Debug, Clone, Copy)]
pub struct Layers {
    locks: bool,
    serializable: bool,
    versions: bool,
}

impl Layers {
    pub const ALL: Self = Self { locks: true, serializable: true, versions: true };
    const NONE: Self = Self { locks: false, serializable: false, versions: false };

    fn all() -> impl Iterator<Item = Self> {
        (0..8_u8).map(|bits| Self { locks: bits & 1 > 0, serializable: bits & 2 > 0, versions: bits & 4 > 0 })
    }
}

/// An instance, as far as it sells.
pub struct Instance {
    pub store: PgStore,
    pub office: BoxOffice,
}

impl Instance {
    pub async fn open(database: &Database, layers: Layers, locks: Option<Arc<dyn SeatLocks>>, number: u64) -> Self {
        let Layers { serializable, versions, .. } = layers;
        // Few connections, because many tests share the server.
        let guards = Guards { serializable, versions };
        let options = Options { connections: 4, guards, time: Time::Caller, ..Options::new(database.url()) };
        let store = PgStore::open(Arc::new(SeededIds::new(100 + number)), &options).await.unwrap();
        let ports = Store::new(Arc::new(store.clone()));
        let feed = Arc::new(MemorySeatFeed::new(ports.catalog));
        let clock = Arc::new(ManualClock::new(NOW));
        let (office, work) = BoxOffice::open_behind(locks, ports.bookings, feed, clock, OfficeSize::default());
        tokio::spawn(work);
        Self { store, office }
    }
}

async fn instances(database: &Database, layers: Layers) -> Vec<Instance> {
    let locks = if layers.locks { Some(seat_locks().await) } else { None };
    let mut instances = Vec::new();
    for number in 0..INSTANCES {
        instances.push(Instance::open(database, layers, locks.clone(), number).await);
    }
    instances
}

async fn seat_locks() -> Arc<dyn SeatLocks> {
    let options = evently_redis::Options { namespace: fresh_namespace(), ..evently_redis::Options::new(shared_redis().unwrap()) };
    let redis = Redis::open(&options).unwrap();
    assert!(redis.wait_until_up(true, std::time::Duration::from_mins(1)).await);
    Arc::new(RedisSeatLocks::new(redis))
}

/// What became of the seats when everybody wanted all of them.
struct Aftermath {
    records: EventRecords,
    accepted: usize,
}

impl Aftermath {
    /// Seats that more than one live booking has.
    fn sold_twice(&self) -> usize {
        let mut seen = BTreeSet::new();
        let live = self.records.bookings.iter().filter(|booking| booking.status().is_live());
        live.flat_map(|booking| &booking.seats).filter(|seat| !seen.insert(seat.number)).count()
    }
}

/// Puts an event on sale, and lets everybody in at once.
async fn rush(instances: &[Instance], ids: &Arc<SeededIds>) -> Aftermath {
    let event = Fixture::new(&**ids, NOW, 1, SEATS);
    for command in [event.create_venue(), event.create_event(), event.publish()] {
        instances[0].office.submit(Request::new(ORGANIZER, command)).await.unwrap().result.unwrap();
    }
    let callers = (0..CALLERS).map(|caller| {
        let office = instances[caller as usize % instances.len()].office.clone();
        tokio::spawn(want_every_seat(office, Arc::clone(ids), event.clone(), caller))
    });
    let mut accepted = 0;
    for caller in callers.collect::<Vec<_>>() {
        accepted += caller.await.unwrap();
    }
    let records = instances[0].store.event_records(event.id()).await.unwrap().unwrap();
    Aftermath { records, accepted }
}

/// Asks for one seat after the other; how many the caller got.
async fn want_every_seat(office: BoxOffice, ids: Arc<SeededIds>, event: Fixture, caller: u32) -> usize {
    let mut got = 0;
    // Neighbours begin with the same one, at different instances.
    for seat in (0..SEATS).map(|n| (n + caller / 8) % SEATS) {
        let hold = Command::Hold {
            booking_id: BookingId::from_uuid(ids.uuid(NOW)),
            event_id: event.id(),
            user_id: UserId::from_uuid(ids.uuid(NOW)),
            seats: event.seats(&[seat]),
            terms: HoldTerms::default(),
        };
        // Whoever finds the store contended for too long is told so, and has nothing.
        if let Ok(answer) = office.submit(Request::new(SYSTEM, hold)).await {
            got += usize::from(answer.result.is_ok());
        }
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_layers_are_off_no_seat_is_sold_twice() {
    let (database, ids) = (fresh_database().unwrap(), Arc::new(SeededIds::new(7)));
    for layers in Layers::all() {
        let aftermath = rush(&instances(&database, layers).await, &ids).await;
        assert_eq!(aftermath.sold_twice(), 0, "{layers:?}");
        assert_eq!(aftermath.records.bookings.len(), aftermath.accepted, "{layers:?}: who was refused has no booking");
        assert!(aftermath.accepted > 0, "{layers:?}: somebody was served");
    }
}

/// And the test above would see it if they were.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_layer_and_without_the_constraint_seats_are_sold_twice() {
    let (database, ids) = (fresh_database().unwrap(), Arc::new(SeededIds::new(7)));
    let instances = instances(&database, Layers::NONE).await;
    database.execute("alter table booking_items drop constraint booking_items_pk").unwrap();
    for _ in 0..EVENTS_MAX {
        if rush(&instances, &ids).await.sold_twice() > 0 {
            return;
        }
    }
    panic!("{EVENTS_MAX} events were sold, and no seat of them twice");
}
