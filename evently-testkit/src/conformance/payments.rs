//! Bookings: money that comes in time, and money that goes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evently_core::{
    domain::{
        BookingState, BookingStatus, Command, GatewayReport, Outcome, Payment, PaymentState, RefundState, Rejection, SeatStatus,
        TicketState, Timestamp,
    },
    memory::SeededIds,
    ports::Ids,
};

use crate::{DOOR, Fixture, GATEWAY, HOUSE, ORGANIZER, SYSTEM, World, customer, fixtures};

fn declined() -> GatewayReport {
    GatewayReport::Failed { reason: "card_declined".to_owned() }
}

/// What was captured and what goes back, over all bookings of the event.
async fn balance(world: &World, event: &Fixture) -> (i64, i64) {
    let records = world.audited(event).await;
    let captured = records.payments.iter().map(Payment::captured).sum();
    (captured, records.refunds.iter().map(|refund| refund.amount.amount).sum())
}

pub async fn money_confirms_its_booking(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[2, 0]).await;
    let (payment, booking) = world.pay(&held).await;
    assert_eq!(payment.state, PaymentState::Succeeded { at: world.now() });
    assert_eq!(booking.state, BookingState::Confirmed { payment: Some(payment.id), at: world.now() });
    assert!(booking.code.is_some());
    let tickets = world.tickets(booking.id).await;
    assert_eq!(
        tickets.iter().map(|ticket| (ticket.seat, ticket.state)).collect::<Vec<_>>(),
        [0, 2].map(|n| (n, TicketState::Valid))
    );
    assert_eq!(world.statuses(&event).await[2], SeatStatus::Booked);
    assert_eq!(balance(&world, &event).await, (9000, 0));
}

pub async fn a_payment_keeps_its_hold_alive(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    world.wait_until(held.created_at + world.terms.ttl - Duration::from_secs(1));
    let payment = world.start_payment(&held).await;
    world.wait_until(payment.created_at + world.terms.payment_window - Duration::from_micros(1));
    assert!(world.try_hold(&event, customer(2), &[0]).await.is_err());
    let (_, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!(booking.status(), BookingStatus::Confirmed);
    world.audited(&event).await;
}

pub async fn a_refused_card_leaves_the_hold(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    world.wait(Duration::from_mins(1));
    let payment = world.start_payment(&held).await;
    let (payment, booking) = world.report(payment.id, declined()).await;
    assert_eq!(payment.status(), "failed");
    let hold = booking.hold().expect("it is still pending");
    assert_eq!((hold.payment, hold.until), (None, world.now() + world.terms.ttl));
    let (_, booking) = world.pay(&held).await;
    assert_eq!(booking.status(), BookingStatus::Confirmed);
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn a_message_is_taken_in_once(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    let message = |report: GatewayReport| {
        let Command::SettlePayment { payment_id, reference, instead, terms, .. } =
            world.report_command(payment.id, report.clone())
        else {
            unreachable!()
        };
        let message = Some("evt_1".to_owned());
        Command::SettlePayment { payment_id, report, reference, message, instead, terms, answers: None }
    };
    world.ask(GATEWAY, message(GatewayReport::Processing)).await.unwrap();
    let again = world.ask(GATEWAY, message(GatewayReport::Succeeded)).await.unwrap();
    let (payment, booking) = fixtures::paid(again);
    assert_eq!((payment.status(), booking.status()), ("processing", BookingStatus::Pending));
}

pub async fn two_gateways_may_give_messages_the_same_id(world: World) {
    let event = world.event(1, 4).await;
    for (seat, provider) in [(0, "one"), (1, "other")] {
        let held = world.hold(&event, customer(1), &[seat]).await;
        let (payment_id, terms) = (world.payment_id(), world.terms);
        let start = Command::StartPayment { payment_id, booking_id: held.id, provider: provider.to_owned(), terms };
        world.ask(customer(1), start).await.unwrap();
        let settle = Command::SettlePayment {
            payment_id,
            report: GatewayReport::Succeeded,
            reference: None,
            message: Some("evt_1".to_owned()),
            instead: Vec::new(),
            terms,
            answers: None,
        };
        let (_, booking) = fixtures::paid(world.ask(GATEWAY, settle).await.unwrap());
        assert_eq!(booking.status(), BookingStatus::Confirmed, "{provider}");
    }
    world.audited(&event).await;
}

pub async fn a_capture_counts_once_however_often_it_is_reported(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    for report in [GatewayReport::Succeeded, GatewayReport::Succeeded, declined(), GatewayReport::Processing] {
        let (payment, booking) = world.report(payment.id, report).await;
        assert_eq!((payment.status(), booking.status(), booking.version), ("succeeded", BookingStatus::Confirmed, 3));
    }
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn a_capture_is_believed_after_a_failure(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    world.report(payment.id, declined()).await;
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((payment.status(), booking.status()), ("succeeded", BookingStatus::Confirmed));
    world.audited(&event).await;
}

pub async fn a_second_payment_goes_back_whole(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let first = world.start_payment(&held).await;
    let early = world.ask(customer(1), world.start_command(held.id)).await;
    assert_eq!(early, Err(Rejection::PaymentInProgress));
    world.wait(Duration::from_secs(20));
    let second = world.start_payment(&held).await;
    let (_, booking) = world.report(second.id, GatewayReport::Succeeded).await;
    assert_eq!(booking.status(), BookingStatus::Confirmed);
    let (first, booking) = world.report(first.id, GatewayReport::Succeeded).await;
    assert_eq!((first.refunded, booking.status()), (4500, BookingStatus::Confirmed));
    assert_eq!(balance(&world, &event).await, (9000, 4500));
}

pub async fn money_for_a_booking_that_was_given_up_goes_back(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    world.cancel(customer(1), held.id).await.unwrap();
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((payment.refunded, booking.status()), (4500, BookingStatus::Cancelled));
    assert_eq!(balance(&world, &event).await, (4500, 4500));
}

pub async fn money_taken_elsewhere_confirms_and_counts_once(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment_id = world.payment_id();
    let confirm = || Command::Confirm { booking_id: held.id, payment_id, reference: Some("till 3".to_owned()) };
    let (payment, booking) = fixtures::paid(world.ask(ORGANIZER, confirm()).await.unwrap());
    assert_eq!((payment.captured(), payment.provider.as_str(), booking.status()), (4500, "external", BookingStatus::Confirmed));
    let again = fixtures::paid(world.ask(ORGANIZER, confirm()).await.unwrap());
    assert_eq!(again, (payment, booking));
    let other = Command::Confirm { booking_id: held.id, payment_id: world.payment_id(), reference: None };
    assert_eq!(world.ask(ORGANIZER, other).await, Err(Rejection::NotPending(BookingStatus::Confirmed)));
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn what_costs_nothing_is_confirmed_at_once(world: World) {
    let event = world.event_with(1, 4, |event| event.categories[0].price = 0).await;
    let held = world.hold(&event, customer(1), &[0, 1]).await;
    let outcome = world.ask(customer(1), world.start_command(held.id)).await;
    let Ok(Outcome::Payment(payment, booking)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((payment.status(), booking.status()), ("succeeded", BookingStatus::Confirmed));
    let booking = world.cancel(customer(1), booking.id).await.unwrap();
    assert_eq!(booking.status(), BookingStatus::Cancelled, "no money goes back");
    assert_eq!(balance(&world, &event).await, (0, 0));
}

/// Secrets of which every four make the same booking code.
struct Stuttering(SeededIds, AtomicU64);

impl Ids for Stuttering {
    fn uuid(&self, now: Timestamp) -> uuid::Uuid {
        self.0.uuid(now)
    }

    fn secret(&self) -> u128 {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        u128::from(number) << 64 | u128::from(number / 4)
    }
}

pub async fn a_code_is_given_out_once(world: World) {
    let world = world.with_ids(Arc::new(Stuttering(SeededIds::new(3), AtomicU64::new(0)))).await;
    let event = world.event(1, 4).await;
    let [first, second] = [world.buy(&event, customer(1), &[0]).await, world.buy(&event, customer(1), &[1]).await];
    assert_ne!(first.code, second.code);
    world.cancel(HOUSE, first.id).await.unwrap();
    let third = world.buy(&event, customer(1), &[2]).await;
    assert_ne!(first.code, third.code, "not even when its booking has ended");
    world.audited(&event).await;
}

pub async fn a_buyer_gets_back_what_the_policy_says(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let booking = world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(booking.status(), BookingStatus::Refunded);
    assert_eq!(booking.code, sold.code, "people may still ask for it");
    assert_eq!(balance(&world, &event).await, (4500, 2250));
    assert!(world.tickets(sold.id).await.iter().all(|ticket| ticket.state == TicketState::Void));
    let again = world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!((again.status(), again.version), (BookingStatus::Refunded, booking.version));
    assert_eq!(balance(&world, &event).await, (4500, 2250));
    world.buy(&event, customer(2), &[0]).await;
    world.audited(&event).await;
}

pub async fn a_buyer_may_get_nothing_back(world: World) {
    let event = world.event_with(1, 4, |event| event.details.refunds.percent = 0).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let booking = world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(booking.status(), BookingStatus::Cancelled);
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn a_buyer_cannot_give_up_too_late(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let until = event.event.details.refunds.until;
    world.wait(until.since(world.now()));
    assert_eq!(world.cancel(customer(1), sold.id).await, Err(Rejection::CancellationClosed(until)));
    let called_in = world.cancel(HOUSE, sold.id).await.unwrap();
    assert_eq!(called_in.status(), BookingStatus::Refunded, "the house may");
    assert_eq!(balance(&world, &event).await, (4500, 4500));
}

pub async fn a_buyer_cannot_give_up_a_ticket_that_was_used(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0, 1]).await;
    let code = world.tickets(sold.id).await[1].code;
    world.ask(DOOR, Command::CheckIn { code, event_id: None }).await.unwrap();
    assert_eq!(world.cancel(customer(1), sold.id).await, Err(Rejection::TicketUsed));
    world.audited(&event).await;
}

pub async fn everything_comes_back_when_the_event_is_called_off(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    world.wait(event.event.details.refunds.until.since(world.now()));
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    let booking = world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(booking.status(), BookingStatus::Refunded);
    assert_eq!(balance(&world, &event).await, (4500, 4500));
}

pub async fn a_refund_is_sent_once(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    world.cancel(HOUSE, sold.id).await.unwrap();
    let refund = world.records(&event).await.refunds.remove(0);
    assert_eq!((refund.amount.amount, refund.state), (4500, RefundState::Pending));
    let settle = || world.ask(SYSTEM, Command::SettleRefund { refund_id: refund.id });
    settle().await.unwrap();
    let sent = RefundState::Succeeded { at: world.now() };
    world.wait(Duration::from_secs(1));
    assert_eq!(settle().await, Ok(Outcome::Refunded(refund.id)));
    assert_eq!(world.audited(&event).await.refunds[0].state, sent);
}
