//! Audit: a whole store, laid open.

use evently_core::{audit::audit_all, domain::EventId};

use crate::{HOUSE, World, customer};

pub async fn all_events_are_named(world: World) {
    assert_eq!(world.store.audit.event_ids().await.unwrap(), []);
    let mut ids = [world.event(1, 4).await.id(), world.event(1, 4).await.id()];
    let mut found = world.store.audit.event_ids().await.unwrap();
    ids.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, ids);
    let nothing = EventId::from_uuid(*world.booking_id().as_uuid());
    assert_eq!(world.store.audit.event_records(nothing).await.unwrap(), None);
}

pub async fn records_have_everything_of_their_event_and_of_no_other(world: World) {
    let [event, other] = [world.event(1, 4).await, world.event(1, 4).await];
    let sold = world.buy(&event, customer(1), &[0, 1]).await;
    world.cancel(HOUSE, sold.id).await.unwrap();
    world.hold(&event, customer(1), &[2]).await;
    world.buy(&other, customer(1), &[3]).await;
    let records = world.audited(&event).await;
    assert_eq!(records.event, *world.store.catalog.event(event.id()).await.unwrap().unwrap());
    assert_eq!((records.seats.len(), records.bookings.len()), (4, 2));
    assert_eq!((records.payments.len(), records.refunds.len(), records.tickets.len()), (1, 1, 2));
    let positions = records.journal.iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert!(positions.is_sorted() && positions.len() == 9, "{positions:?}");
    assert!(records.journal.iter().all(|entry| entry.transition.event_id == event.id()));
    let one = world.store.bookings.records(sold.id).await.unwrap().unwrap();
    assert!(records.bookings.contains(&one.booking) && records.refunds == one.refunds && records.tickets == one.tickets);
    world.audited(&other).await;
}

pub async fn a_store_finds_no_fault_with_itself(world: World) {
    let event = world.event(2, 4).await;
    world.buy(&event, customer(1), &[0, 4]).await;
    assert_eq!(world.store.audit.self_check().await.unwrap(), Vec::<String>::new());
    let report = audit_all(&world.store, &*world.clock).await.unwrap();
    assert_eq!(report.violations, []);
    assert_eq!((report.events, report.seats, report.bookings, report.journal_entries), (1, 8, 1, 6));
}
