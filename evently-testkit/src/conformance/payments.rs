//! Bookings: money that comes in time, and money that goes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evently_core::{
    audit,
    domain::{
        Actor, Admission, Booking, BookingState, BookingStatus, Command, EventChange, GatewayReport, MAX_PRICE, MAX_SEATS_LIMIT,
        NotOnSale, Outcome, Payment, PaymentState, RefundState, Rejection, Request, SeatStatus, Thing, TicketState, Timestamp,
    },
    memory::SeededIds,
    ports::Ids,
};

use crate::{DOOR, Fixture, GATEWAY, HOUSE, ORGANIZER, SYSTEM, World, customer, fixtures};

fn declined() -> GatewayReport {
    GatewayReport::Failed { reason: "card_declined".to_owned() }
}

/// Why money goes back.
async fn refunds_of(world: &World, event: &Fixture) -> Vec<String> {
    world.records(event).await.refunds.into_iter().map(|refund| refund.reason).collect()
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

/// The house may have made holds shorter meanwhile.
pub async fn a_refused_card_shortens_no_hold(mut world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let until = held.hold().expect("it is pending").until;
    let payment = world.start_payment(&held).await;
    world.terms.ttl = Duration::from_secs(1);
    let (_, booking) = world.report(payment.id, declined()).await;
    assert_eq!(booking.hold().expect("it is still pending").until, until);
    world.audited(&event).await;
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
    // In one batch, and again when that is over.
    let twice = [message(GatewayReport::Processing), message(GatewayReport::Succeeded)];
    world.apply(&twice.map(|command| Request::new(GATEWAY, command))).await;
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

pub async fn a_payment_is_given_up_once_its_gateway_cannot_be_about_to_answer(world: World) {
    let event = world.event(1, 4).await;
    let second = async |held: &Booking| world.ask(customer(1), world.start_command(held.id)).await;
    let silent = world.hold(&event, customer(1), &[0]).await;
    let first = world.start_payment(&silent).await;
    world.wait_until(first.created_at + Duration::from_secs(15) - Duration::from_micros(1));
    assert_eq!(second(&silent).await, Err(Rejection::PaymentInProgress));
    world.wait_until(first.created_at + Duration::from_secs(15));
    assert!(second(&silent).await.is_ok(), "to the instant");

    let asking = world.hold(&event, customer(1), &[1]).await;
    let first = world.start_payment(&asking).await;
    let waits = GatewayReport::RequiresAction { client_secret: "secret".to_owned() };
    let (first, _) = world.report(first.id, waits).await;
    assert_eq!(first.status(), "requires_action");
    assert!(second(&asking).await.is_ok(), "it has answered: the buyer is to act");

    let taken_on = world.hold(&event, customer(1), &[2]).await;
    let first = world.start_payment(&taken_on).await;
    let (first, _) = world.report_as(first.id, GatewayReport::Processing, "ch_1").await;
    assert_eq!((first.status(), first.reference.as_deref()), ("processing", Some("ch_1")));
    assert!(second(&taken_on).await.is_ok(), "it has answered: it will decide later");
    world.audited(&event).await;
}

pub async fn the_gateways_name_for_a_payment_is_kept(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    let waits = GatewayReport::RequiresAction { client_secret: "secret".to_owned() };
    let (payment, _) = world.report_as(payment.id, waits, "ch_1").await;
    assert_eq!((payment.status(), payment.reference.as_deref()), ("requires_action", Some("ch_1")));
    let (payment, _) = world.report_as(payment.id, GatewayReport::Succeeded, "ch_2").await;
    assert_eq!((payment.status(), payment.reference.as_deref()), ("succeeded", Some("ch_1")), "the first one it has said");
}

pub async fn an_id_of_another_payment_is_no_payment_elsewhere(world: World) {
    let event = world.event(1, 4).await;
    let confirm = |held: &Booking, payment_id| Command::Confirm { booking_id: held.id, payment_id, reference: None };
    let [paid, other] = [world.hold(&event, customer(1), &[0]).await, world.hold(&event, customer(1), &[1]).await];
    let elsewhere = world.payment_id();
    world.ask(ORGANIZER, confirm(&paid, elsewhere)).await.unwrap();
    let refused = world.ask(ORGANIZER, confirm(&other, elsewhere)).await;
    assert_eq!(fixtures::wrong(&refused), ["payment_id used_before"], "of another booking");
    let at_the_gateway = world.start_payment(&other).await;
    let refused = world.ask(ORGANIZER, confirm(&other, at_the_gateway.id)).await;
    assert_eq!(fixtures::wrong(&refused), ["payment_id used_before"], "of a gateway's");
    let start =
        Command::StartPayment { payment_id: elsewhere, booking_id: paid.id, provider: "sandbox".to_owned(), terms: world.terms };
    let refused = world.ask(customer(1), start).await;
    assert_eq!(fixtures::wrong(&refused), ["payment_id used_before"], "and the other way around");
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn who_starts_a_payment_again_is_told_how_it_is(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let start = world.start_command(held.id);
    let again = async || world.ask(customer(1), start.clone()).await.unwrap();
    let begun = again().await;
    assert!(matches!(begun, Outcome::PaymentStarted(..)), "{begun:?}");
    assert_eq!(again().await, begun, "the booking waits for it");
    world.wait(Duration::from_secs(15));
    let next = world.start_payment(&held).await;
    let superseded = again().await;
    let Outcome::Payment(payment, booking) = superseded else { panic!("nobody waits for it: {superseded:?}") };
    assert_eq!((payment.status(), booking.hold().unwrap().payment.unwrap().0), ("failed", next.id));

    let held = world.hold(&event, customer(1), &[1]).await;
    let start = world.start_command(held.id);
    let Outcome::PaymentStarted(payment, booking) = world.ask(customer(1), start.clone()).await.unwrap() else {
        panic!("it begins")
    };
    world.wait_until(booking.hold().unwrap().expires_at());
    world.report(payment.id, declined()).await;
    let refused = world.ask(customer(1), start).await.unwrap();
    let Outcome::Payment(payment, booking) = refused else { panic!("it is over: {refused:?}") };
    assert_eq!((payment.status(), booking.status()), ("failed", BookingStatus::Pending), "its time is over as well");
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
    world.audited(&event).await;
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
    assert_eq!(refunds_of(&world, &event).await, ["booking_cancelled"]);
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

pub async fn who_gives_a_hold_up_does_not_give_up_what_was_bought(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let (_, sold) = world.pay(&held).await;
    let before = world.records(&event).await;
    let changed = Err(Rejection::StatusChanged(BookingStatus::Confirmed));
    for who in [customer(1), HOUSE] {
        assert_eq!(world.cancel_as(who, sold.id, BookingStatus::Pending).await, changed);
    }
    assert_eq!(world.cancel_as(customer(2), sold.id, BookingStatus::Pending).await, Err(Rejection::NotFound(Thing::Booking)));
    assert_eq!(world.records(&event).await, before);
    let booking = world.cancel_as(customer(1), sold.id, BookingStatus::Confirmed).await.unwrap();
    assert_eq!(booking.status(), BookingStatus::Refunded, "who means it may");
    assert_eq!(balance(&world, &event).await, (4500, 2250));
}

pub async fn a_booking_is_given_up_as_what_it_is_and_as_nothing_else(world: World) {
    use BookingStatus::{Cancelled, Confirmed, Expired, Pending, Refunded};
    let event = world.event(1, 4).await;
    let expired = world.hold(&event, customer(1), &[0]).await;
    world.wait(world.terms.ttl);
    world.expire(expired.id).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let held = world.hold(&event, customer(1), &[1]).await;
    for (id, is, becomes) in [(held.id, Pending, Cancelled), (expired.id, Expired, Cancelled), (sold.id, Confirmed, Refunded)] {
        let others = BookingStatus::NAMES.map(|(_, status)| status).into_iter().filter(|status| *status != is);
        for other in others {
            assert_eq!(world.cancel_as(customer(1), id, other).await, Err(Rejection::StatusChanged(is)), "{other:?}");
        }
        let booking = world.cancel_as(customer(1), id, is).await.unwrap();
        assert_eq!(booking.status(), becomes);
        assert_eq!(world.cancel_as(customer(1), id, is).await, Err(Rejection::StatusChanged(becomes)), "once");
    }
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
    assert_eq!(refunds_of(&world, &event).await, ["event_cancelled"]);
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

pub async fn nothing_is_paid_or_extended_when_the_event_was_called_off(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let sold = world.hold(&event, customer(1), &[1]).await;
    let (booking_id, terms) = (held.id, world.terms);
    let confirm = |booking_id, payment_id| Command::Confirm { booking_id, payment_id, reference: None };
    let payment_id = world.payment_id();
    let confirmed = world.ask(ORGANIZER, confirm(sold.id, payment_id)).await;
    world.wait(Duration::from_secs(20));
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    let before = world.records(&event).await;
    let start = world.start_command(booking_id);
    for (who, command) in [
        (customer(1), start),
        (customer(1), Command::Extend { booking_id, terms }),
        (ORGANIZER, confirm(booking_id, world.payment_id())),
    ] {
        assert_eq!(world.ask(who, command).await, Err(Rejection::NotOnSale(NotOnSale::Cancelled)));
    }
    assert_eq!(world.ask(ORGANIZER, confirm(sold.id, payment_id)).await, confirmed, "whoever asks twice gets no error");
    assert_eq!(world.records(&event).await, before);
}

pub async fn money_under_way_goes_back_when_the_event_was_called_off(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((payment.refunded, booking.status()), (4500, BookingStatus::Cancelled));
    assert!(world.tickets(held.id).await.is_empty(), "nobody is told that they may come");
    assert_eq!(world.statuses(&event).await[0], SeatStatus::Available);
    assert_eq!(balance(&world, &event).await, (4500, 4500));
    let journal = world.records(&event).await.journal;
    let why = journal.iter().map(|entry| entry.transition.reason.as_deref()).collect::<Vec<_>>();
    assert!(why.contains(&Some("event_cancelled")), "{why:?}");
}

/// A hold that would last longer than its event, and when that is over and its sale closes: as it was published, or as it was moved since.
async fn held_beyond_its_event(world: &World, moved: bool) -> (Fixture, Booking, Timestamp, Timestamp) {
    let ends = world.now() + world.terms.ttl / 2;
    let begins = ends - world.terms.ttl / 4;
    let closes = if moved { begins } else { ends };
    let event = world.event_with(1, 4, |event| {
        let details = &mut event.details;
        if !moved {
            (details.start_time, details.end_time, details.on_sale.closes_at) = (begins, ends, closes);
        }
    });
    let event = event.await;
    let held = world.hold(&event, customer(1), &[0]).await;
    if moved {
        let change =
            EventChange { start_time: Some(begins), end_time: Some(ends), closes_at: Some(closes), ..EventChange::default() };
        world.ask(ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await.unwrap();
    }
    (event, held, ends, closes)
}

pub async fn nothing_is_paid_or_extended_when_the_event_is_over(world: World) {
    for moved in [false, true] {
        let (event, held, ends, closes) = held_beyond_its_event(&world, moved).await;
        let (booking_id, terms) = (held.id, world.terms);
        let extend = || Command::Extend { booking_id, terms };
        world.wait_until(ends - Duration::from_micros(1));
        world.ask(customer(1), extend()).await.unwrap();
        world.wait_until(ends);
        let before = world.records(&event).await;
        let confirm = Command::Confirm { booking_id, payment_id: world.payment_id(), reference: None };
        for (who, command) in [(customer(1), world.start_command(booking_id)), (customer(1), extend()), (ORGANIZER, confirm)] {
            let refused = world.ask(who, command).await;
            assert_eq!(refused, Err(Rejection::NotOnSale(NotOnSale::Over(closes))), "moved: {moved}");
        }
        assert_eq!(world.records(&event).await, before);
    }
}

pub async fn money_under_way_goes_back_when_the_event_is_over(world: World) {
    for moved in [false, true] {
        let (event, held, ends, _) = held_beyond_its_event(&world, moved).await;
        let other = world.hold(&event, customer(2), &[1]).await;
        let [late, in_time] = [world.start_payment(&held).await, world.start_payment(&other).await];
        world.wait_until(ends - Duration::from_micros(1));
        let (_, booking) = world.report(in_time.id, GatewayReport::Succeeded).await;
        assert_eq!(booking.status(), BookingStatus::Confirmed, "moved: {moved}");
        world.wait_until(ends);
        let (payment, booking) = world.report(late.id, GatewayReport::Succeeded).await;
        assert_eq!((payment.refunded, booking.status()), (4500, BookingStatus::Cancelled), "moved: {moved}");
        assert!(world.tickets(held.id).await.is_empty(), "they could not be given back");
        assert_eq!(world.statuses(&event).await[0], SeatStatus::Available);
        assert_eq!(balance(&world, &event).await, (9000, 4500));
        assert_eq!(refunds_of(&world, &event).await, ["paid_too_late"]);
    }
}

/// Another card could only be refused.
pub async fn a_refusal_ends_what_cannot_be_paid_any_more(world: World) {
    for moved in [false, true] {
        let (event, held, ends, _) = held_beyond_its_event(&world, moved).await;
        let other = world.hold(&event, customer(2), &[1]).await;
        let [late, in_time] = [world.start_payment(&held).await, world.start_payment(&other).await];
        world.wait_until(ends - Duration::from_micros(1));
        assert_eq!(world.report(in_time.id, declined()).await.1.status(), BookingStatus::Pending, "moved: {moved}");
        world.wait_until(ends);
        refused_for_good(&world, &event, &late, "event_over").await;
    }
    let event = world.event(1, 4).await;
    let payment = world.start_payment(&world.hold(&event, customer(1), &[0]).await).await;
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    refused_for_good(&world, &event, &payment, "event_cancelled").await;
}

async fn refused_for_good(world: &World, event: &Fixture, payment: &Payment, why: &str) {
    let (_, booking) = world.report(payment.id, declined()).await;
    assert_eq!((booking.status(), world.statuses(event).await[0]), (BookingStatus::Cancelled, SeatStatus::Available), "{why}");
    let last = world.audited(event).await.journal.pop().unwrap().transition;
    assert_eq!((last.actor, last.reason.as_deref()), (Actor::Gateway, Some(why)));
    let (payment, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!((payment.refunded, booking.status()), (4500, BookingStatus::Cancelled), "money that comes all the same goes back");
}

pub async fn a_payment_that_is_asked_for_again_is_the_same(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let start = world.start_command(held.id);
    let first = world.ask(customer(1), start.clone()).await.unwrap();
    world.wait(Duration::from_secs(20));
    let before = world.records(&event).await;
    assert_eq!(world.ask(customer(1), start.clone()).await, Ok(first.clone()));
    assert_eq!(world.records(&event).await, before);
    let paid = world.report(fixtures::paid(first).0.id, GatewayReport::Succeeded).await;
    assert_eq!(world.ask(customer(1), start).await.map(fixtures::paid), Ok(paid), "as it is now");
    assert_eq!(balance(&world, &event).await, (4500, 0));
}

pub async fn a_payment_id_is_used_once(world: World) {
    let event = world.event(1, 6).await;
    let sold = world.hold(&event, customer(1), &[0]).await;
    let (payment, _) = world.pay(&sold).await;
    let held = world.hold(&event, customer(2), &[1]).await;
    let other = world.buy(&event, customer(3), &[2]).await;
    let before = world.records(&event).await;
    let (payment_id, terms) = (payment.id, world.terms);
    let start = |booking_id| Command::StartPayment { payment_id, booking_id, provider: "sandbox".to_owned(), terms };
    let confirm = |booking_id| Command::Confirm { booking_id, payment_id, reference: None };
    let refused = [
        Request::new(customer(2), start(held.id)),
        Request::new(ORGANIZER, confirm(held.id)),
        Request::new(ORGANIZER, confirm(other.id)),
    ];
    let good = Request::new(customer(4), world.hold_command(&event, customer(4), &[3]));
    let mut answers = world.apply(&refused).await.answers;
    assert_eq!(world.records(&event).await, before);
    answers.extend(world.apply(&[refused[0].clone(), refused[1].clone(), good]).await.answers);
    assert!(answers.pop().unwrap().result.is_ok(), "the rest of the call goes on");
    for answer in answers {
        assert_eq!(fixtures::wrong(&answer.result), ["payment_id used_before"]);
    }
    world.audited(&event).await;
}

pub async fn payments_one_after_another_keep_a_hold_no_longer_than_the_cap_and_one_window(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let end = held.created_at + world.terms.cap + world.terms.payment_window;
    let almost = world.terms.payment_window / 30 * 29;
    world.start_payment(&held).await;
    while world.now() + almost < end {
        world.wait(almost);
        world.start_payment(&held).await;
        world.audited(&event).await;
    }
    world.wait_until(end);
    let start = world.start_command(held.id);
    assert_eq!(world.ask(customer(1), start).await, Err(Rejection::HoldExpired));
    world.hold(&event, customer(2), &[0]).await;
    world.audited(&event).await;
}

pub async fn whichever_payment_comes_first_buys(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let superseded = world.start_payment(&held).await;
    world.wait(Duration::from_secs(20));
    let second = world.start_payment(&held).await;
    let (superseded, booking) = world.report(superseded.id, GatewayReport::Succeeded).await;
    assert_eq!(booking.state, BookingState::Confirmed { payment: Some(superseded.id), at: world.now() });
    let (second, booking) = world.report(second.id, GatewayReport::Succeeded).await;
    assert_eq!((superseded.refunded, second.refunded, booking.status()), (0, 4500, BookingStatus::Confirmed));
    assert_eq!(balance(&world, &event).await, (9000, 4500));
}

pub async fn what_costs_nothing_may_be_confirmed_elsewhere(world: World) {
    let event = world.event_with(1, 4, |event| event.categories[0].price = 0).await;
    let held = world.hold(&event, customer(1), &[0, 1]).await;
    let confirm = Command::Confirm { booking_id: held.id, payment_id: world.payment_id(), reference: None };
    let (payment, booking) = fixtures::paid(world.ask(ORGANIZER, confirm).await.unwrap());
    assert_eq!((payment.captured(), booking.status()), (0, BookingStatus::Confirmed));
    assert_eq!(world.cancel(HOUSE, held.id).await.unwrap().status(), BookingStatus::Cancelled);
    assert_eq!(balance(&world, &event).await, (0, 0));
}

pub async fn a_part_of_a_minor_unit_does_not_go_back(world: World) {
    for (price, percent, back, status) in
        [(1, 50, 0, BookingStatus::Cancelled), (99, 33, 32, BookingStatus::Refunded), (1, 100, 1, BookingStatus::Refunded)]
    {
        let event = world.event_with(1, 4, |event| {
            event.categories[0].price = price;
            event.details.refunds.percent = percent;
        });
        let event = event.await;
        let sold = world.buy(&event, customer(1), &[0]).await;
        assert_eq!(world.cancel(customer(1), sold.id).await.unwrap().status(), status);
        assert_eq!(balance(&world, &event).await, (price, back));
    }
}

pub async fn the_dearest_booking_adds_up(world: World) {
    let event = world.event_with(1, MAX_SEATS_LIMIT, |event| {
        event.categories[0].price = MAX_PRICE;
        event.details.max_seats_per_booking = MAX_SEATS_LIMIT;
        event.details.max_seats_held = MAX_SEATS_LIMIT;
        event.details.refunds.percent = 99;
    });
    let event = event.await;
    let all = (0..MAX_SEATS_LIMIT).collect::<Vec<_>>();
    let sold = world.buy(&event, customer(1), &all).await;
    let total = MAX_PRICE * i64::from(MAX_SEATS_LIMIT);
    assert_eq!(sold.total.amount, total);
    world.cancel(customer(1), sold.id).await.unwrap();
    assert_eq!(balance(&world, &event).await, (total, total / 100 * 99));
}

pub async fn the_house_may_give_up_a_ticket_that_was_used(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0, 1]).await;
    let code = world.tickets(sold.id).await[0].code;
    world.ask(DOOR, Command::CheckIn { code, event_id: None }).await.unwrap();
    assert_eq!(world.cancel(HOUSE, sold.id).await.unwrap().status(), BookingStatus::Refunded);
    world.buy(&event, customer(2), &[0, 1]).await;
    let outcome = world.ask(DOOR, Command::CheckIn { code, event_id: None }).await;
    assert!(!matches!(outcome, Ok(Outcome::CheckIn(Admission::Admitted, _))), "somebody else has the seat");
    assert_eq!(balance(&world, &event).await, (18000, 9000));
}

/// Two machines, or one whose clock is set: what is asked later may have been asked earlier.
pub async fn a_clock_that_steps_back_breaks_nothing(world: World) {
    let event = world.event(1, 4).await;
    world.wait(Duration::from_hours(1));
    let at = async |seconds: u64, who, command| {
        let then = world.now() - Duration::from_secs(seconds);
        let applied = world.store.bookings.apply(then, &[Request::new(who, command)]).await.unwrap();
        applied.answers.into_iter().next().unwrap().result
    };
    let held = world.hold(&event, customer(1), &[0]).await;
    let extend = Command::Extend { booking_id: held.id, terms: world.terms };
    assert_eq!(at(1, customer(1), extend).await, Ok(Outcome::Booking(held.clone())), "it lasts longer already");
    let other = world.hold_command(&event, customer(2), &[0]);
    assert!(at(600, customer(2), other).await.is_err());
    let (payment, _) = fixtures::paid(at(60, customer(1), world.start_command(held.id)).await.unwrap());
    let captured = world.report_command(payment.id, GatewayReport::Succeeded);
    let (_, sold) = fixtures::paid(at(90, GATEWAY, captured).await.unwrap());
    assert_eq!(sold.status(), BookingStatus::Confirmed);
    at(120, HOUSE, Command::Cancel { booking_id: held.id, expected: None, reason: None }).await.unwrap();
    let records = world.records(&event).await;
    assert_eq!((records.payments[0].captured(), records.refunds[0].amount.amount), (4500, 4500));
    // What was decided over what somebody had written was decided later than that, so that nothing is wrong.
    assert_eq!(audit::check(&records, Some(&event.layout), world.now()), []);
}

/// Else a clock that is wrong for a moment would end every sale for good.
pub async fn a_clock_that_was_far_ahead_is_gone_by_no_longer(world: World) {
    let (event, now) = (world.event(1, 4).await, world.now());
    let a_year = Duration::from_hours(365 * 24);
    let at = async |then, who, command| {
        let applied = world.store.bookings.apply(then, &[Request::new(who, command)]).await.unwrap();
        applied.answers.into_iter().next().unwrap()
    };
    let change = EventChange { name: Some("Twelfth Night".to_owned()), ..EventChange::default() };
    let edited = at(now + a_year, ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await;
    assert!(edited.result.is_ok() && edited.at >= now + a_year, "{edited:?}");
    let held = at(now, customer(1), world.hold_command(&event, customer(1), &[0])).await;
    assert!(held.result.is_ok() && held.at < now + a_year / 2, "{held:?}");
    // Nor when its time has nearly come.
    let change = EventChange { name: Some("Cymbeline".to_owned()), ..EventChange::default() };
    let nearly = now + a_year - Duration::from_mins(5);
    let edited = at(nearly, ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await;
    assert!(edited.result.is_ok() && edited.at < now + a_year, "{edited:?}");
}
