//! Three instances on one database, and callers that race for the same seats: each guard alone keeps a seat from being sold twice.

use std::{collections::BTreeSet, sync::Arc};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Outcome, Rejection, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Audit, Bookings, EventRecords, Ids, StoreErrorKind},
};
use evently_postgres::{Guards, Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};

use crate::support::Place;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CALLERS: u32 = 64;
const SEATS: u32 = 24;

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

async fn race(place: &Place, guards: Guards) -> Aftermath {
    let ids = Arc::new(SeededIds::new(7));
    let options = Options { guards, ..place.options() };
    let mut instances = Vec::new();
    for instance in 0..3 {
        instances.push(place.open_with(Arc::new(SeededIds::new(100 + instance)), &options).await);
    }
    let event = Fixture::new(&*ids, NOW, 1, SEATS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    let requests = commands.map(|command| Request::new(ORGANIZER, command));
    assert!(instances[0].apply(NOW, &requests).await.unwrap().answers.iter().all(|answer| answer.result.is_ok()));

    let callers = (0..CALLERS).map(|caller| {
        let store = instances[caller as usize % 3].clone();
        let (ids, event) = (ids.clone(), event.clone());
        tokio::spawn(async move { want_every_seat(&store, &*ids, &event, caller).await })
    });
    let mut accepted = 0;
    for caller in callers.collect::<Vec<_>>() {
        accepted += caller.await.unwrap();
    }
    let records = instances[0].event_records(event.id()).await.unwrap().unwrap();
    Aftermath { records, accepted }
}

/// Asks for one seat after the other, beginning where the caller's number says; how many it got.
async fn want_every_seat(store: &PgStore, ids: &dyn Ids, event: &Fixture, caller: u32) -> usize {
    let mut got = 0;
    for seat in (0..SEATS).map(|n| (n + caller / 8) % SEATS) {
        let user_id = UserId::from_uuid(ids.uuid(NOW));
        let hold = Command::Hold {
            booking_id: BookingId::from_uuid(ids.uuid(NOW)),
            event_id: event.id(),
            user_id,
            seats: event.seats(&[seat]),
            terms: HoldTerms::default(),
        };
        match store.apply(NOW, &[Request::new(SYSTEM, hold)]).await {
            Ok(applied) => got += usize::from(applied.answers[0].result.is_ok()),
            // Nothing was done; an answer all the same.
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Contended, "{error:?}"),
        }
    }
    got
}

fn assert_sold_once(aftermath: &Aftermath) {
    assert_eq!(aftermath.sold_twice(), 0);
    assert_eq!(aftermath.records.bookings.len(), aftermath.accepted, "who was refused has no booking");
    assert_eq!(aftermath.accepted, SEATS as usize, "and every seat was sold");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_guards_every_seat_is_sold_once() {
    let place = Place::new();
    assert_sold_once(&race(&place, Guards::default()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn serializable_transactions_are_enough() {
    let place = Place::new();
    place.drop_the_constraint();
    assert_sold_once(&race(&place, Guards { versions: false, ..Guards::default() }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_enough() {
    let place = Place::new();
    place.drop_the_constraint();
    assert_sold_once(&race(&place, Guards { serializable: false, ..Guards::default() }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_constraint_is_enough() {
    let place = Place::new();
    let aftermath = race(&place, Guards { serializable: false, versions: false }).await;
    assert_eq!(aftermath.sold_twice(), 0);
}

/// The test can see what it says never happens.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_guard_seats_are_sold_twice() {
    let place = Place::new();
    place.drop_the_constraint();
    let aftermath = race(&place, Guards { serializable: false, versions: false }).await;
    assert!(aftermath.sold_twice() > 0);
}

/// An id that is sent to several instances at once, each time for something else, makes one thing; the others are told so.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_something_of_one_id_one_does() {
    for serializable in [true, false] {
        make_of_one_id(Guards { serializable, ..Guards::default() }).await;
    }
}

async fn make_of_one_id(guards: Guards) {
    let place = Place::new();
    let options = Options { guards, ..place.options() };
    let ids = SeededIds::new(7);
    let mut instances = Vec::new();
    for instance in 0..3 {
        instances.push(place.open_with(Arc::new(SeededIds::new(100 + instance)), &options).await);
    }
    let event = Fixture::new(&ids, NOW, 1, SEATS);
    let made = together(&instances, |_| event.create_venue()).await;
    assert_eq!(made, 1, "venues");
    let made = together(&instances, |_| event.create_event()).await;
    assert_eq!(made, 1, "events");
    let publish = Request::new(ORGANIZER, event.publish());
    assert!(instances[0].apply(NOW, &[publish]).await.unwrap().answers[0].result.is_ok());
    let booking_id = BookingId::from_uuid(ids.uuid(NOW));
    let made = together(&instances, |caller| Command::Hold {
        booking_id,
        event_id: event.id(),
        user_id: UserId::from_uuid(ids.uuid(NOW)),
        seats: event.seats(&[caller]),
        terms: HoldTerms::default(),
    });
    assert_eq!(made.await, 1, "bookings");
}

/// Has as many callers as there are seats send a command each, all at once; how many were not refused because of their id.
async fn together(instances: &[PgStore], command: impl Fn(u32) -> Command) -> usize {
    let callers = (0..SEATS).map(|caller| {
        let (store, request) = (instances[caller as usize % 3].clone(), Request::new(ORGANIZER, command(caller)));
        tokio::spawn(async move { store.apply(NOW, &[request]).await.unwrap().answers.remove(0).result })
    });
    let mut made = 0;
    for caller in callers.collect::<Vec<_>>() {
        match caller.await.unwrap() {
            Ok(Outcome::Venue(_) | Outcome::Event(_) | Outcome::Booking(_)) => made += 1,
            Err(Rejection::Invalid(invalid)) => assert_eq!(invalid.fields[0].code, "used_before"),
            other => panic!("{other:?}"),
        }
    }
    made
}
