//! Bookings: money that comes when the hold has run out. It takes the same seats if it can, else others like them, else it goes back.

use std::time::Duration;

use evently_core::domain::{BookingStatus, Command, GatewayReport, HoldTerms, Payment, Rejection, SeatStatus, Thing};

use crate::{Fixture, GATEWAY, HOUSE, ORGANIZER, World, customer, fixtures};

/// A booking of seats 0 and 1 whose payment is under way, and for which it is too late.
async fn too_late(world: &World) -> (Fixture, Payment) {
    let event = world.event(2, 6).await;
    let held = world.hold(&event, customer(1), &[0, 1]).await;
    let payment = world.start_payment(&held).await;
    world.wait(world.terms.payment_window);
    (event, payment)
}

/// The capture of a payment, with seats to take instead.
fn captured(payment: &Payment, terms: HoldTerms, instead: &[u32]) -> Command {
    Command::SettlePayment {
        payment_id: payment.id,
        report: GatewayReport::Succeeded,
        reference: None,
        message: None,
        instead: instead.to_vec(),
        terms,
        answers: None,
    }
}

fn numbers(booking: &evently_core::domain::Booking) -> Vec<u32> {
    booking.seats.iter().map(|seat| seat.number).collect()
}

pub async fn late_money_takes_the_same_seats_if_they_are_free(world: World) {
    let (event, payment) = too_late(&world).await;
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Confirmed, 0));
    assert_eq!(numbers(&booking), [0, 1]);
    assert_eq!(world.tickets(booking.id).await.len(), 2);
    world.audited(&event).await;
}

pub async fn late_money_takes_other_seats_if_its_own_are_gone(world: World) {
    let (event, payment) = too_late(&world).await;
    world.hold(&event, customer(2), &[1]).await;
    let outcome = world.ask(GATEWAY, captured(&payment, world.terms, &[3, 4])).await;
    let (payment, booking) = fixtures::paid(outcome.unwrap());
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Confirmed, 0));
    assert_eq!(numbers(&booking), [3, 4]);
    let statuses = world.statuses(&event).await;
    assert_eq!(statuses[..5], [0, 1, 0, 2, 2].map(|status| SeatStatus::NAMES[status].1));
    world.audited(&event).await;
}

pub async fn late_money_goes_back_if_there_is_nothing_for_it(world: World) {
    for instead in [&[][..], &[3][..], &[3, 3], &[4, 3], &[1, 2], &[6, 7], &[5, 99], &[1, 3, 4]] {
        let (event, payment) = too_late(&world).await;
        world.hold(&event, customer(2), &[1]).await;
        let outcome = world.ask(GATEWAY, captured(&payment, world.terms, instead)).await;
        let (payment, booking) = fixtures::paid(outcome.unwrap());
        assert_eq!((booking.status(), payment.refunded), (BookingStatus::Expired, 9000), "instead {instead:?}");
        let again = fixtures::paid(world.ask(GATEWAY, captured(&payment, world.terms, &[3, 4])).await.unwrap());
        assert_eq!((again.0.refunded, again.1.status()), (9000, BookingStatus::Expired), "it is judged once");
        assert_eq!(world.audited(&event).await.refunds.len(), 1);
    }
}

/// Otherwise the money would buy what its customer does not want any more.
pub async fn what_has_run_out_can_be_given_up_and_its_late_money_goes_back(world: World) {
    let (event, payment) = too_late(&world).await;
    let id = payment.booking_id;
    world.expire(id).await;
    let squatter = world.hold(&event, customer(2), &[1]).await;
    assert_eq!(world.cancel(customer(3), id).await, Err(Rejection::NotFound(Thing::Booking)), "nobody else's");
    let given_up = world.cancel(customer(1), id).await.unwrap();
    assert_eq!(given_up.status(), BookingStatus::Cancelled);
    assert_eq!(world.cancel(customer(1), id).await, Ok(given_up), "whoever asks twice gets no error");
    assert_eq!(world.booking(squatter.id).await, squatter, "its seats have gone their own way");

    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Cancelled, 9000));
    assert_eq!(world.statuses(&event).await[..2], [SeatStatus::Available, SeatStatus::Reserved]);
    let records = world.audited(&event).await;
    assert_eq!(records.refunds[0].reason, "paid_after_cancelling");
}

pub async fn late_money_is_not_taken_for_an_event_that_was_called_off(world: World) {
    let (event, payment) = too_late(&world).await;
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Expired, 9000));
    world.audited(&event).await;
}

pub async fn late_money_is_not_taken_for_an_event_that_is_over(world: World) {
    let (event, payment) = too_late(&world).await;
    world.wait(event.event.details.end_time.since(world.now()));
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Expired, 9000));
    world.audited(&event).await;
}

/// Whoever has no ticket by then has gone home, and could not give it back.
pub async fn late_money_is_not_taken_when_the_event_has_begun_and_is_no_longer_sold(world: World) {
    let day = Duration::from_hours(24);
    for (closes, last) in [(day, day * 2), (day * 3, day * 3)] {
        let event = world.event_with(2, 6, |event| {
            let (details, now) = (&mut event.details, world.now());
            (details.start_time, details.end_time, details.on_sale.closes_at) = (now + day * 2, now + day * 4, now + closes);
            details.refunds.until = now;
        });
        let (event, began) = (event.await, world.now());
        let [first, second] = [&[0, 1], &[2, 3]].map(|seats| (customer(1), seats));
        let mut payments = Vec::new();
        for (buyer, seats) in [first, second] {
            payments.push(world.start_payment(&world.hold(&event, buyer, seats).await).await.id);
        }
        let instant = Duration::from_micros(1);
        world.wait(last.saturating_sub(instant).saturating_sub(world.now().since(began)));
        assert_eq!(world.report(payments[0], GatewayReport::Succeeded).await.1.status(), BookingStatus::Confirmed);
        world.wait(instant);
        let (payment, booking) = world.report(payments[1], GatewayReport::Succeeded).await;
        assert_eq!((booking.status(), payment.refunded), (BookingStatus::Expired, 9000), "the sale closes after {closes:?}");
        world.audited(&event).await;
    }
}

pub async fn seats_bought_late_can_be_given_up_like_others(world: World) {
    let (event, payment) = too_late(&world).await;
    let (_, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!(world.cancel(HOUSE, booking.id).await.unwrap().status(), BookingStatus::Refunded);
    world.buy(&event, customer(3), &[0, 1]).await;
    world.audited(&event).await;
}

pub async fn a_refusal_that_comes_late_changes_nothing(world: World) {
    let (event, payment) = too_late(&world).await;
    let report = GatewayReport::Failed { reason: "card_declined".to_owned() };
    let (_, booking) = world.report(payment.id, report).await;
    assert_eq!(world.expire(booking.id).await.status(), BookingStatus::Expired);
    world.hold(&event, customer(2), &[0, 1]).await;
    world.audited(&event).await;
}

pub async fn late_money_takes_its_seats_back_from_a_hold_that_has_run_out(world: World) {
    let (event, payment) = too_late(&world).await;
    let squatter = world.hold(&event, customer(2), &[1, 2]).await;
    world.wait(world.terms.ttl);
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((booking.status(), payment.refunded), (BookingStatus::Confirmed, 0));
    assert_eq!(numbers(&booking), [0, 1]);
    assert_eq!(world.booking(squatter.id).await.status(), BookingStatus::Expired);
    world.audited(&event).await;
}
