//! Bookings: reading what is there.

use std::time::Duration;

use evently_core::{
    domain::{BookingId, BookingStatus, Fact},
    ports::{BookingFilter, Page},
};

use crate::{World, customer, fixtures};

pub async fn what_is_not_there_is_not_found(world: World) {
    let bookings = &world.store.bookings;
    assert_eq!(bookings.booking(world.booking_id()).await.unwrap(), None);
    assert_eq!(bookings.records(world.booking_id()).await.unwrap(), None);
    assert_eq!(bookings.payment(world.payment_id()).await.unwrap(), None);
    let code = evently_core::domain::BookingCode::new(1);
    assert_eq!(bookings.booking_by_code(code).await.unwrap(), None);
    assert_eq!(bookings.ticket(evently_core::domain::TicketId::from_uuid(*world.booking_id().as_uuid())).await.unwrap(), None);
}

pub async fn a_booking_is_read_as_it_was_answered(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[1, 0]).await;
    assert_eq!(world.booking(held.id).await, held);
    let (payment, sold) = world.pay(&held).await;
    assert_eq!(world.booking(held.id).await, sold);
    assert_eq!(world.store.bookings.booking_by_code(sold.code.unwrap()).await.unwrap(), Some(sold.clone()));
    assert_eq!(world.store.bookings.payment(payment.id).await.unwrap(), Some(payment));
    let ticket = world.tickets(sold.id).await.remove(1);
    assert_eq!(world.store.bookings.ticket(ticket.id).await.unwrap(), Some(ticket));
    let given_up = world.cancel(customer(1), sold.id).await.unwrap();
    let by_code = world.store.bookings.booking_by_code(sold.code.unwrap()).await.unwrap();
    assert_eq!(by_code, Some(given_up), "a code outlives its booking");
}

pub async fn records_have_all_that_belongs_to_a_booking(world: World) {
    let event = world.event(1, 4).await;
    world.buy(&event, customer(2), &[3]).await;
    let held = world.hold(&event, customer(1), &[1, 0]).await;
    let declined = evently_core::domain::GatewayReport::Failed { reason: "card_declined".to_owned() };
    let first = world.start_payment(&held).await;
    world.report(first.id, declined).await;
    world.wait(Duration::from_millis(5));
    let (second, _) = world.pay(&held).await;
    world.cancel(customer(1), held.id).await.unwrap();

    let records = world.store.bookings.records(held.id).await.unwrap().unwrap();
    assert_eq!(records.booking, world.booking(held.id).await);
    assert_eq!(records.payments.iter().map(|payment| payment.id).collect::<Vec<_>>(), [first.id, second.id]);
    assert_eq!(records.refunds.iter().map(|refund| refund.payment_id).collect::<Vec<_>>(), [second.id]);
    assert_eq!(records.tickets.iter().map(|ticket| ticket.seat).collect::<Vec<_>>(), [0, 1]);
    let positions = records.history.iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert!(positions.is_sorted() && positions.len() == 8, "{positions:?}");
    assert!(records.history.iter().all(|entry| entry.transition.booking_id() == Some(held.id)));
    let versions = records.history.iter().filter_map(|entry| match entry.transition.fact {
        Fact::Booking { version, .. } => Some(version),
        _ => None,
    });
    assert_eq!(versions.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let journal = world.records(&event).await.journal;
    assert!(records.history.iter().all(|entry| journal.contains(entry)));
}

pub async fn bookings_are_listed_newest_first_page_by_page(world: World) {
    let [event, other] = [world.event(2, 8).await, world.event(1, 4).await];
    let mut ids = Vec::new();
    for seat in 0..5 {
        world.wait(Duration::from_millis(2));
        ids.push(world.hold(&event, customer(1), &[seat]).await.id);
    }
    let sold = world.buy(&event, customer(2), &[6]).await;
    let elsewhere = world.hold(&other, customer(1), &[0]).await;
    ids.sort_unstable();
    ids.reverse();

    let list = async |filter: BookingFilter, after: Option<BookingId>, limit| {
        let found = world.store.bookings.bookings(&filter, Page { after, limit }).await.unwrap();
        found.into_iter().map(|booking| booking.id).collect::<Vec<_>>()
    };
    let user = |number| Some(fixtures::user_of(customer(number)));
    let ours = BookingFilter { user_id: user(1), event_id: Some(event.id()), status: None };
    assert_eq!(list(ours, None, 3).await, ids[..3]);
    assert_eq!(list(ours, Some(ids[2]), 3).await, ids[3..]);
    assert_eq!(list(ours, Some(ids[4]), 3).await, []);
    let confirmed = BookingFilter { status: Some(BookingStatus::Confirmed), ..BookingFilter::default() };
    assert_eq!(list(confirmed, None, 10).await, [sold.id]);
    let elsewhere_only = BookingFilter { event_id: Some(other.id()), ..BookingFilter::default() };
    assert_eq!(list(elsewhere_only, None, 10).await, [elsewhere.id]);
    assert_eq!(list(BookingFilter::default(), None, 100).await.len(), 7);
}

pub async fn each_booking_is_on_one_page_whatever_is_asked_for(world: World) {
    let [event, other] = [world.event(1, 8).await, world.event(1, 4).await];
    let mut made = Vec::new();
    for seat in 0..4 {
        world.wait(Duration::from_millis(2));
        let (ours, theirs) = (world.hold(&event, customer(1), &[seat]).await, world.buy(&event, customer(2), &[seat + 4]).await);
        made.extend([ours, theirs, world.hold(&other, customer(1), &[seat]).await]);
    }
    made.sort_unstable_by_key(|booking| std::cmp::Reverse(booking.id));
    let all = BookingFilter::default();
    let (of_event, pending) = (Some(event.id()), Some(BookingStatus::Pending));
    let (user_id, confirmed) = (Some(fixtures::user_of(customer(1))), Some(BookingStatus::Confirmed));
    for (filter, count) in [
        (all, 12),
        (BookingFilter { event_id: of_event, ..all }, 8),
        (BookingFilter { event_id: of_event, status: pending, ..all }, 4),
        (BookingFilter { event_id: of_event, status: confirmed, ..all }, 4),
        (BookingFilter { event_id: Some(other.id()), status: confirmed, ..all }, 0),
        (BookingFilter { status: pending, ..all }, 8),
        (BookingFilter { user_id, ..all }, 8),
        (BookingFilter { user_id, event_id: of_event, status: pending }, 4),
        (BookingFilter { user_id, event_id: of_event, status: confirmed }, 0),
    ] {
        let expected = made.iter().filter(|booking| {
            filter.user_id.is_none_or(|id| id == booking.user_id)
                && filter.event_id.is_none_or(|id| id == booking.event_id)
                && filter.status.is_none_or(|status| status == booking.status())
        });
        let expected = expected.map(|booking| booking.id).collect::<Vec<_>>();
        assert_eq!(expected.len(), count, "{filter:?}");
        for limit in [1, 3, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            // As many pages as there can be: a page that says the same again is no end of it.
            while found.len() <= made.len() {
                let page = world.store.bookings.bookings(&filter, Page { after, limit }).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                found.extend(page.iter().map(|booking| booking.id));
            }
            assert_eq!(found, expected, "{limit} on a page of {filter:?}");
        }
    }
}
