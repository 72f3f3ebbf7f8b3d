//! Bookings: answers are kept for their keys.

use std::time::Duration;

use evently_core::domain::{
    ANSWERS_KEPT, BookingStatus, Command, GatewayReport, Outcome, PaymentId, Rejection, Request, RequestKey, SeatStatus,
};

use super::race;
use crate::{Fixture, GATEWAY, World, customer, fixtures};

/// A hold of seat `seat` under a key; another booking id each time, as a service would choose it.
fn keyed(world: &World, event: &Fixture, seat: u32, key: Option<RequestKey>) -> Request {
    Request::new(customer(1), world.hold_command(event, customer(1), &[seat])).with_key(key)
}

pub async fn a_repeated_request_gets_the_first_answer(world: World) {
    let event = world.event(1, 4).await;
    let key = World::key("a", "seat 0");
    let first = world.answer(keyed(&world, &event, 0, key)).await;
    assert!(!first.replayed);
    let booking = fixtures::booking(first.result.clone().unwrap());
    world.cancel(customer(1), booking.id).await.unwrap();
    world.hold(&event, customer(2), &[0]).await;
    let before = world.records(&event).await;
    world.wait(Duration::from_mins(1));

    let again = world.answer(keyed(&world, &event, 0, key)).await;
    assert!(again.replayed);
    assert_eq!((again.at, &again.result), (first.at, &first.result), "whatever has become of it since");
    assert_eq!(world.records(&event).await, before);
}

pub async fn a_refusal_is_kept_too(world: World) {
    let event = world.event(1, 4).await;
    let other = world.hold(&event, customer(2), &[0]).await;
    let key = World::key("a", "seat 0");
    let first = world.answer(keyed(&world, &event, 0, key)).await;
    assert!(first.result.is_err());
    world.cancel(customer(2), other.id).await.unwrap();
    let again = world.answer(keyed(&world, &event, 0, key)).await;
    assert_eq!((again.replayed, again.result), (true, first.result));
    assert_eq!(world.statuses(&event).await[0], SeatStatus::Available);
}

pub async fn a_key_used_for_another_request_is_refused(world: World) {
    let event = world.event(1, 4).await;
    let first = world.answer(keyed(&world, &event, 0, World::key("a", "seat 0"))).await;
    let before = world.records(&event).await;
    let other = world.answer(keyed(&world, &event, 1, World::key("a", "seat 1"))).await;
    assert_eq!((other.replayed, other.result), (false, Err(Rejection::KeyReused)));
    assert_eq!(world.records(&event).await, before);
    let again = world.answer(keyed(&world, &event, 0, World::key("a", "seat 0"))).await;
    assert_eq!((again.replayed, again.result), (true, first.result), "the refusal does not take its place");
}

pub async fn another_key_is_another_request(world: World) {
    let event = world.event(1, 4).await;
    let first = world.answer(keyed(&world, &event, 0, World::key("a", "seat 0"))).await;
    let second = world.answer(keyed(&world, &event, 0, World::key("b", "seat 0"))).await;
    assert!(first.result.is_ok());
    assert!(matches!(second.result, Err(Rejection::SeatsUnavailable(_))));
    let none = world.answer(keyed(&world, &event, 1, None)).await;
    assert!(none.result.is_ok() && !none.replayed);
}

pub async fn a_key_is_good_again_when_its_time_is_over(world: World) {
    let event = world.event(1, 4).await;
    let key = World::key("a", "seat 0");
    let first = world.answer(keyed(&world, &event, 0, key)).await;
    world.wait_until(first.at + ANSWERS_KEPT - Duration::from_micros(1));
    assert!(world.answer(keyed(&world, &event, 0, key)).await.replayed);
    world.wait(Duration::from_micros(1));
    let anew = world.answer(keyed(&world, &event, 0, key)).await;
    assert!(!anew.replayed);
    assert_ne!(anew.result, first.result);
    assert!(world.answer(keyed(&world, &event, 0, key)).await.replayed, "the new answer is kept in its place");
    world.audited(&event).await;
}

/// Then nothing is left of the request that it stood for.
pub async fn a_key_whose_time_is_over_stands_for_whatever_it_is_used_for_next(world: World) {
    let event = world.event(1, 4).await;
    let [before, next] = [World::key("a", "seat 0"), World::key("a", "seat 1")];
    world.answer(keyed(&world, &event, 0, before)).await;
    world.wait(ANSWERS_KEPT);
    let anew = world.answer(keyed(&world, &event, 1, next)).await;
    assert!(anew.result.is_ok() && !anew.replayed);
    let again = world.answer(keyed(&world, &event, 1, next)).await;
    assert_eq!((again.replayed, again.result), (true, anew.result));
    assert_eq!(world.answer(keyed(&world, &event, 0, before)).await.result, Err(Rejection::KeyReused));
    world.audited(&event).await;
}

pub async fn a_repetition_in_the_same_call_gets_the_first_answer(world: World) {
    let event = world.event(1, 4).await;
    let key = World::key("a", "seat 0");
    let requests = [keyed(&world, &event, 0, key), keyed(&world, &event, 0, key), keyed(&world, &event, 0, World::key("a", "?"))];
    let answers = world.apply(&requests).await.answers;
    assert_eq!(answers.iter().map(|answer| answer.replayed).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(answers[0].result, answers[1].result);
    assert_eq!(answers[2].result, Err(Rejection::KeyReused));
    assert_eq!(world.records(&event).await.bookings.len(), 1);
}

pub async fn racing_repetitions_have_one_effect(world: World) {
    let event = world.event(1, 4).await;
    let key = World::key("a", "seat 0");
    let (bookings, now) = (world.store.bookings.clone(), world.now());
    let requests = (0..super::RACERS).map(|_| keyed(&world, &event, 0, key)).collect::<Vec<_>>();
    let answers = race(|number| {
        let (bookings, request) = (bookings.clone(), requests[number as usize].clone());
        async move { bookings.apply(now, &[request]).await.unwrap().answers.remove(0) }
    });
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.result == answers[0].result && answer.result.is_ok()));
    assert_eq!(world.audited(&event).await.bookings.len(), 1);
}

/// Whoever repeats the request that began a payment learns how it ended.
pub async fn a_settlement_answers_the_request_that_began_the_payment(world: World) {
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0]).await;
    let key = World::key("pay", "");
    let start = || Request::new(customer(1), world.start_command(booking.id)).with_key(key);
    let began = world.answer(start()).await;
    let Ok(Outcome::PaymentStarted(payment, _)) = &began.result else { panic!("{began:?}") };
    assert_eq!(world.answer(start()).await.result, began.result);

    let settled = world.ask(GATEWAY, settlement(&world, payment.id, key)).await;
    let again = world.answer(start()).await;
    assert!(again.replayed);
    assert_eq!(again.result, settled);
    assert_eq!(fixtures::booking(again.result.unwrap()).status(), BookingStatus::Confirmed);
}

/// The request has been sent to two instances; when the slower one has heard from the gateway, the booking has been given up already.
pub async fn a_settlement_that_comes_again_leaves_the_answer_as_it_was(world: World) {
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0]).await;
    let key = World::key("pay", "");
    let start = || Request::new(customer(1), world.start_command(booking.id)).with_key(key);
    let Ok(Outcome::PaymentStarted(payment, _)) = world.answer(start()).await.result else { panic!("it has begun") };
    let first = world.answer(Request::new(GATEWAY, settlement(&world, payment.id, key))).await;
    assert!(!first.replayed);
    world.cancel(customer(1), booking.id).await.unwrap();
    let before = world.records(&event).await;

    let slower = world.answer(Request::new(GATEWAY, settlement(&world, payment.id, key))).await;
    assert_eq!((slower.replayed, &slower.result), (true, &first.result));
    let again = world.answer(start()).await;
    assert_eq!((again.replayed, again.at, again.result), (true, first.at, first.result));
    assert_eq!(world.records(&event).await, before);
}

/// Until then the answer that was first is the one, and from then on what comes is.
pub async fn a_settlement_that_comes_when_the_answer_is_not_kept_any_more_is_a_new_one(world: World) {
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0]).await;
    let key = World::key("pay", "");
    let start = Request::new(customer(1), world.start_command(booking.id)).with_key(key);
    let Ok(Outcome::PaymentStarted(payment, _)) = world.answer(start).await.result else { panic!("it has begun") };
    let settle = || world.answer(Request::new(GATEWAY, settlement(&world, payment.id, key)));
    let first = settle().await;
    world.wait_until(first.at + ANSWERS_KEPT - Duration::from_micros(1));
    assert!(settle().await.replayed);
    world.wait(Duration::from_micros(1));
    assert!(!settle().await.replayed);
    assert!(settle().await.replayed, "the new answer is kept in its place");
}

/// The gateway has the money, which is the answer to the request with the key.
fn settlement(world: &World, payment: PaymentId, key: Option<RequestKey>) -> Command {
    match world.report_command(payment, GatewayReport::Succeeded) {
        Command::SettlePayment { payment_id, report, reference, message, instead, terms, .. } => {
            Command::SettlePayment { payment_id, report, reference, message, instead, terms, answers: key }
        }
        _ => unreachable!("a report is a settlement"),
    }
}
