//! Bookings: what comes back is what was promised.

use std::time::Duration;

use evently_core::domain::{BookingStatus, Command, EventChange, GatewayReport, Rejection, Timestamp};

use crate::{Fixture, GATEWAY, ORGANIZER, World, customer};

const DAY: Duration = Duration::from_hours(24);

async fn change_terms(world: &World, event: &Fixture, percent: u8, until: Timestamp) {
    let change = EventChange { refund_percent: Some(percent), refunds_until: Some(until), ..EventChange::default() };
    world.ask(ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await.unwrap();
}

/// What has gone back so far, in a store that is sound.
async fn went_back(world: &World, event: &Fixture) -> i64 {
    world.audited(event).await.payments.iter().map(|payment| payment.refunded).sum()
}

pub async fn a_booking_keeps_the_terms_of_refunds_it_was_held_under(world: World) {
    let event = world.event(1, 4).await;
    let (terms, begins) = (event.event.details.refunds, world.now());
    let [sold, late] = [world.buy(&event, customer(1), &[0]).await, world.buy(&event, customer(2), &[1]).await];
    change_terms(&world, &event, 0, begins).await;
    let after = world.buy(&event, customer(3), &[2]).await;
    assert_eq!(world.cancel(customer(3), after.id).await, Err(Rejection::CancellationClosed(begins)));
    assert_eq!(world.cancel(customer(1), sold.id).await.unwrap().status(), BookingStatus::Refunded);
    assert_eq!(went_back(&world, &event).await, 2250);
    world.wait_until(terms.until);
    assert_eq!(world.cancel(customer(2), late.id).await, Err(Rejection::CancellationClosed(terms.until)));
    assert_eq!(went_back(&world, &event).await, 2250);
}

/// The price is paid later, and the seats may be others by then.
pub async fn terms_of_refunds_are_those_of_the_hold(world: World) {
    let event = world.event(1, 4).await;
    let (held, waits) = (world.hold(&event, customer(1), &[0]).await, world.hold(&event, customer(2), &[1]).await);
    let payment = world.start_payment(&waits).await;
    change_terms(&world, &event, 10, world.now() + DAY).await;
    world.pay(&held).await;
    world.wait(Duration::from_hours(1));
    let (_, revived) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!(revived.status(), BookingStatus::Confirmed);
    for (who, id) in [(1, held.id), (2, waits.id)] {
        world.cancel(customer(who), id).await.unwrap();
    }
    assert_eq!(went_back(&world, &event).await, 4500);
}

pub async fn better_terms_of_refunds_are_for_those_who_have_bought_before(world: World) {
    let event = world.event(1, 4).await;
    let [sold, late] = [world.buy(&event, customer(1), &[0]).await, world.buy(&event, customer(2), &[1]).await];
    let until = event.event.details.refunds.until + DAY;
    change_terms(&world, &event, 90, until).await;
    world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(went_back(&world, &event).await, 4050);
    world.wait_until(until - Duration::from_micros(1));
    world.cancel(customer(2), late.id).await.unwrap();
    assert_eq!(went_back(&world, &event).await, 8100);
}

pub async fn of_two_terms_of_refunds_those_count_that_give_more_at_the_time(world: World) {
    let event = world.event(1, 4).await;
    let sold = [0, 1, 2].map(|seat| (customer(seat + 1), seat));
    let mut bookings = Vec::new();
    for (who, seat) in sold {
        bookings.push((who, world.buy(&event, who, &[seat]).await.id));
    }
    let (kept, until) = (event.event.details.refunds.until, event.event.details.refunds.until + DAY);
    change_terms(&world, &event, 20, until).await;
    let mut expected = 0;
    for (at, back) in [(kept - Duration::from_micros(1), 2250), (kept, 900)] {
        world.wait_until(at);
        let (who, id) = bookings.pop().unwrap();
        world.cancel(who, id).await.unwrap();
        expected += back;
        assert_eq!(went_back(&world, &event).await, expected);
    }
    world.wait_until(until);
    let (who, id) = bookings.pop().unwrap();
    assert_eq!(world.cancel(who, id).await, Err(Rejection::CancellationClosed(until)));
}

pub async fn what_was_promised_ends_with_an_event_that_was_moved_to_an_earlier_day(world: World) {
    let event = world.event(1, 4).await;
    let [sold, late] = [world.buy(&event, customer(1), &[0]).await, world.buy(&event, customer(2), &[1]).await];
    let begins = world.now() + Duration::from_hours(1);
    let ends = begins + Duration::from_hours(1);
    assert!(ends < event.event.details.refunds.until);
    let change = EventChange {
        start_time: Some(begins),
        end_time: Some(ends),
        closes_at: Some(begins),
        refunds_until: Some(begins),
        ..EventChange::default()
    };
    world.ask(ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await.unwrap();
    world.wait_until(ends - Duration::from_micros(1));
    world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(went_back(&world, &event).await, 2250);
    world.wait_until(ends);
    assert_eq!(world.cancel(customer(2), late.id).await, Err(Rejection::CancellationClosed(ends)));
    assert_eq!(went_back(&world, &event).await, 2250);
}

/// Whoever sends refunds begins with the oldest.
pub async fn money_is_owed_from_when_that_was_decided(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    world.wait(Duration::from_hours(1));
    world.cancel(customer(1), sold.id).await.unwrap();
    let decided = world.now();
    let refund = world.audited(&event).await.refunds.remove(0);
    world.wait(Duration::from_hours(1));
    world.ask(GATEWAY, Command::SettleRefund { refund_id: refund.id }).await.unwrap();
    let sent = world.audited(&event).await.refunds.remove(0);
    assert_eq!((refund.created_at, sent.created_at), (decided, decided));
}
