//! Bookings: calls that race are decided one after another.

use std::{sync::Arc, time::Duration};

use evently_core::domain::{
    Actor, Answer, BookingStatus, Command, GatewayReport, Outcome, Rejection, Request, SeatStatus, Timestamp,
};

use super::{RACERS, race};
use crate::{GATEWAY, ORGANIZER, SYSTEM, World, customer};

/// Sends request `number` of `requests` in a call of its own, all at the same moment.
async fn race_of(world: &World, requests: Vec<(Timestamp, Request)>) -> Vec<Answer> {
    assert_eq!(requests.len(), RACERS as usize);
    let (bookings, requests) = (world.store.bookings.clone(), Arc::new(requests));
    race(|number| {
        let (bookings, requests) = (bookings.clone(), requests.clone());
        async move {
            let (now, request) = &requests[number as usize];
            bookings.apply(*now, std::slice::from_ref(request)).await.expect("a lost race is an answer").answers.remove(0)
        }
    })
    .await
}

/// A request of each racer, now.
fn each(world: &World, request: impl Fn(u32) -> (Actor, Command)) -> Vec<(Timestamp, Request)> {
    (0..RACERS).map(request).map(|(who, command)| (world.now(), Request::new(who, command))).collect()
}

pub async fn of_many_buyers_of_one_seat_one_gets_it(world: World) {
    let event = world.event(1, 4).await;
    for seat in 0..4 {
        let requests = each(&world, |n| (customer(n), world.hold_command(&event, customer(n), &[seat])));
        let answers = race_of(&world, requests).await;
        assert_eq!(answers.iter().filter(|answer| answer.result.is_ok()).count(), 1);
        let reserved = || Rejection::SeatsUnavailable(vec![(event.seats(&[seat])[0], SeatStatus::Reserved)]);
        let lost = answers.iter().filter_map(|answer| answer.result.as_ref().err());
        assert!(lost.into_iter().all(|rejection| *rejection == reserved()));
    }
    let records = world.audited(&event).await;
    assert_eq!(records.bookings.len(), 4, "who was refused has no booking");
}

pub async fn overlapping_holds_never_share_a_seat(world: World) {
    let event = world.event(4, 16).await;
    // Each wants a few seats next to each other, named in either direction.
    let wanted = |n: u32| {
        let seats = (0..2 + n % 3).map(|seat| (n * 7 + seat) % 64);
        if n.is_multiple_of(2) { seats.collect::<Vec<_>>() } else { seats.rev().collect() }
    };
    let requests = each(&world, |n| (customer(n), world.hold_command(&event, customer(n), &wanted(n))));
    let answers = race_of(&world, requests).await;
    let records = world.audited(&event).await;
    let accepted = answers.iter().filter(|answer| answer.result.is_ok()).count();
    assert_eq!(records.bookings.len(), accepted);
    let taken = records.bookings.iter().map(|booking| booking.seats.len()).sum::<usize>();
    assert_eq!(records.seats.iter().filter(|seat| seat.owner().is_some()).count(), taken);
    for (n, answer) in (0..).zip(&answers) {
        let free = |number: &u32| records.seats[*number as usize].owner().is_none();
        assert!(answer.result.is_ok() || !wanted(n).iter().all(free), "{n} was refused and nobody has its seats");
    }
}

pub async fn a_limit_holds_when_one_customer_asks_many_times(world: World) {
    let event = world.event_with(4, 16, |event| event.details.max_seats_held = 5).await;
    let requests = each(&world, |n| (customer(1), world.hold_command(&event, customer(1), &[n])));
    let answers = race_of(&world, requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.result.is_ok()).count(), 5);
    world.audited(&event).await;
}

pub async fn a_confirmation_and_the_end_of_its_hold_do_not_both_happen(world: World) {
    let event = world.event(4, 16).await;
    let mut bookings = Vec::new();
    for n in 0..RACERS / 2 {
        let held = world.hold(&event, customer(n), &[n]).await;
        bookings.push((world.start_payment(&held).await, held));
    }
    world.wait(world.terms.payment_window);
    let (before, after) = (world.now() - Duration::from_micros(1), world.now());
    let requests = bookings.iter().flat_map(|(payment, booking)| {
        let paid = Request::new(GATEWAY, world.report_command(payment.id, GatewayReport::Succeeded));
        let expired = Request::new(SYSTEM, Command::Expire { booking_id: booking.id });
        [(before, paid), (after, expired)]
    });
    race_of(&world, requests.collect()).await;
    for (payment, booking) in bookings {
        let records = world.store.bookings.records(booking.id).await.unwrap().unwrap();
        assert_eq!(records.booking.status(), BookingStatus::Confirmed, "nobody else wanted its seats");
        assert_eq!((records.payments.len(), records.payments[0].id, records.refunds.len()), (1, payment.id, 0));
    }
}

pub async fn late_money_and_another_buyer_do_not_both_get_the_seat(world: World) {
    let event = world.event(4, 16).await;
    let mut payments = Vec::new();
    for n in 0..RACERS / 2 {
        let held = world.hold(&event, customer(n), &[n]).await;
        payments.push(world.start_payment(&held).await);
    }
    world.wait(world.terms.payment_window);
    let requests = (0..).zip(&payments).flat_map(|(n, payment)| {
        let paid = Request::new(GATEWAY, world.report_command(payment.id, GatewayReport::Succeeded));
        let wanted = Request::new(customer(1000 + n), world.hold_command(&event, customer(1000 + n), &[n]));
        [(world.now(), paid), (world.now(), wanted)]
    });
    let answers = race_of(&world, requests.collect()).await;
    for pair in answers.chunks(2) {
        let Ok(Outcome::Payment(payment, booking)) = &pair[0].result else { panic!("{:?}", pair[0]) };
        let resold = pair[1].result.is_ok();
        assert_eq!(booking.status() == BookingStatus::Confirmed, !resold);
        assert_eq!(payment.refunded, if resold { booking.total.amount } else { 0 });
    }
    world.audited(&event).await;
}

pub async fn a_capture_reported_many_times_at_once_counts_once(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    let requests = each(&world, |_| (GATEWAY, world.report_command(payment.id, GatewayReport::Succeeded)));
    let answers = race_of(&world, requests).await;
    assert!(answers.iter().all(|answer| answer.result == answers[0].result));
    let records = world.audited(&event).await;
    assert_eq!((records.payments.len(), records.refunds.len(), records.tickets.len()), (1, 0, 1));
}

pub async fn giving_up_many_times_at_once_pays_back_once(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let requests = each(&world, |n| {
        let who = if n.is_multiple_of(2) { ORGANIZER } else { customer(1) };
        (who, Command::Cancel { booking_id: sold.id, expected: None, reason: None })
    });
    let answers = race_of(&world, requests).await;
    assert!(answers.iter().all(|answer| answer.result == answers[0].result));
    assert_eq!(world.audited(&event).await.refunds.len(), 1);
}

pub async fn a_payment_and_its_hold_being_given_up_do_not_both_happen(world: World) {
    let event = world.event(4, 16).await;
    let mut payments = Vec::new();
    for n in 0..RACERS / 2 {
        let held = world.hold(&event, customer(n), &[n]).await;
        payments.push(world.start_payment(&held).await);
    }
    let requests = (0..).zip(&payments).flat_map(|(n, payment)| {
        let paid = Request::new(GATEWAY, world.report_command(payment.id, GatewayReport::Succeeded));
        let expected = Some(BookingStatus::Pending);
        let given_up = Request::new(customer(n), Command::Cancel { booking_id: payment.booking_id, expected, reason: None });
        [(world.now(), paid), (world.now(), given_up)]
    });
    let answers = race_of(&world, requests.collect()).await;
    for pair in answers.chunks(2) {
        let Ok(Outcome::Payment(payment, booking)) = &pair[0].result else { panic!("{:?}", pair[0]) };
        match &pair[1].result {
            Ok(_) => assert_eq!((booking.status(), payment.refunded), (BookingStatus::Cancelled, booking.total.amount)),
            Err(refused) => {
                assert_eq!(*refused, Rejection::StatusChanged(BookingStatus::Confirmed));
                assert_eq!((world.booking(booking.id).await.status(), payment.refunded), (BookingStatus::Confirmed, 0));
            }
        }
    }
    world.audited(&event).await;
}

pub async fn a_seat_is_not_blocked_and_held_at_once(world: World) {
    let event = world.event(1, 4).await;
    let requests = each(&world, |n| {
        if n.is_multiple_of(2) {
            (ORGANIZER, Command::Block { event_id: event.id(), seats: event.seats(&[0, 1]) })
        } else {
            (customer(n), world.hold_command(&event, customer(n), &[1, 2]))
        }
    });
    let answers = race_of(&world, requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.result.is_ok()).count(), 1);
    world.audited(&event).await;
}

pub async fn large_calls_that_race_are_whole(world: World) {
    let event = world.event_with(8, 50, |event| event.details.max_seats_held = 100).await;
    let (bookings, now) = (world.store.bookings.clone(), world.now());
    let hold = |who: u32, seat: u32| Request::new(customer(who), world.hold_command(&event, customer(who), &[seat]));
    // Every fourth seat, by as many calls as there are for it: one of them gets all. They go in either direction, so that none
    // merely trails behind another.
    let seats = |n: u32| {
        (0..100).map(move |place| if (n / 4).is_multiple_of(2) { place } else { 99 - place }).map(move |seat| seat * 4 + n % 4)
    };
    let calls = (0..RACERS).map(|n| seats(n).map(|seat| hold(n, seat)).collect::<Vec<_>>());
    let calls = Arc::new(calls.collect::<Vec<_>>());
    let accepted = race(|number| {
        let (bookings, calls) = (bookings.clone(), calls.clone());
        async move {
            let answers = bookings.apply(now, &calls[number as usize]).await.unwrap().answers;
            answers.iter().filter(|answer| answer.result.is_ok()).count()
        }
    });
    let accepted = accepted.await;
    assert!(accepted.iter().all(|count| *count == 0 || *count == 100), "{accepted:?}");
    assert_eq!(accepted.iter().sum::<usize>(), 400);
    world.audited(&event).await;
}
