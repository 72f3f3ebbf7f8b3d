//! Bookings: holding seats, holding on to them, and losing them to time.

use std::time::Duration;

use evently_core::domain::{
    BookingStatus, Command, HoldTerms, NotOnSale, Outcome, Rejection, Request, SeatLimit, SeatStatus, Thing,
};

use crate::{
    SYSTEM, World, customer,
    fixtures::{booking, wrong},
};

const INSTANT: Duration = Duration::from_micros(1);

pub async fn a_hold_reserves_its_seats(world: World) {
    let event = world.event(2, 4).await;
    let booking = world.hold(&event, customer(1), &[5, 0]).await;
    assert_eq!(booking.status(), BookingStatus::Pending);
    assert_eq!(booking.seats.iter().map(|seat| (seat.number, seat.price)).collect::<Vec<_>>(), [(0, 4500), (5, 2500)]);
    assert_eq!(booking.total.to_string(), "70.00 EUR");
    assert_eq!(booking.hold().unwrap().expires_at(), world.now() + world.terms.ttl);
    let statuses = world.statuses(&event).await;
    assert_eq!((statuses[0], statuses[5], statuses[1]), (SeatStatus::Reserved, SeatStatus::Reserved, SeatStatus::Available));
    world.audited(&event).await;
}

pub async fn no_hold_lasts_longer_than_it_could_be_made_to(world: World) {
    let event = world.event(1, 4).await;
    let Command::Hold { booking_id, event_id, user_id, seats, terms } = world.hold_command(&event, customer(1), &[0]) else {
        unreachable!()
    };
    let terms = HoldTerms { ttl: terms.cap + INSTANT, ..terms };
    let hold = Command::Hold { booking_id, event_id, user_id, seats, terms };
    let booking = booking(world.ask(customer(1), hold).await.unwrap());
    assert_eq!(booking.hold().unwrap().expires_at(), booking.created_at + terms.cap);
}

pub async fn an_overlapping_hold_is_refused_whole(world: World) {
    let event = world.event(2, 4).await;
    world.hold(&event, customer(1), &[1, 2]).await;
    let refused = world.try_hold(&event, customer(2), &[0, 2, 3, 1]).await;
    let [one, two] = event.seats(&[1, 2])[..] else { unreachable!() };
    let in_the_way = vec![(one, SeatStatus::Reserved), (two, SeatStatus::Reserved)];
    assert_eq!(refused, Err(Rejection::SeatsUnavailable(in_the_way)));
    let statuses = world.statuses(&event).await;
    assert_eq!((statuses[0], statuses[3]), (SeatStatus::Available, SeatStatus::Available));
    world.audited(&event).await;
}

pub async fn a_hold_lasts_to_its_last_instant_and_no_longer(world: World) {
    let event = world.event(1, 4).await;
    let first = world.hold(&event, customer(1), &[0]).await;
    world.wait_until(first.created_at + world.terms.ttl - INSTANT);
    assert!(world.try_hold(&event, customer(2), &[0]).await.is_err());
    assert_eq!(world.expire(first.id).await.status(), BookingStatus::Pending);
    world.wait(INSTANT);
    let start = world.start_command(first.id);
    assert_eq!(world.ask(customer(1), start).await, Err(Rejection::HoldExpired));
    assert_eq!(world.expire(first.id).await.status(), BookingStatus::Expired);
    assert_eq!(world.statuses(&event).await[0], SeatStatus::Available);
    world.audited(&event).await;
}

pub async fn the_next_buyer_takes_over_what_has_run_out(world: World) {
    let event = world.event(1, 4).await;
    let [first, second] = [world.hold(&event, customer(1), &[0, 1]).await, world.hold(&event, customer(2), &[2]).await];
    world.wait(world.terms.ttl);
    let third = world.hold(&event, customer(3), &[1, 2]).await;
    assert_eq!(world.booking(first.id).await.status(), BookingStatus::Expired);
    assert_eq!(world.booking(second.id).await.status(), BookingStatus::Expired);
    assert_eq!(world.booking(third.id).await.status(), BookingStatus::Pending);
    assert_eq!(world.statuses(&event).await[0], SeatStatus::Available, "the first lets go of all its seats");
    world.audited(&event).await;
}

pub async fn who_is_refused_takes_nothing_over(world: World) {
    let event = world.event(1, 4).await;
    let due = world.hold(&event, customer(1), &[0]).await;
    world.wait(world.terms.ttl);
    world.hold(&event, customer(2), &[1]).await;
    let before = world.records(&event).await;
    assert!(world.try_hold(&event, customer(3), &[0, 1]).await.is_err());
    assert_eq!(world.records(&event).await, before);
    assert_eq!(world.booking(due.id).await.status(), BookingStatus::Pending);
}

pub async fn a_customer_holds_no_more_than_the_event_allows(world: World) {
    let event = world.event_with(2, 8, |event| event.details.max_seats_held = 4).await;
    let other = world.event(1, 4).await;
    let first = world.hold(&event, customer(1), &[0, 1, 2]).await;
    world.hold(&other, customer(1), &[0, 1]).await;
    world.hold(&event, customer(2), &[3, 4, 5]).await;
    let too_many = |held| Err(Rejection::TooManySeats(SeatLimit::Held { max: 4, held }));
    assert_eq!(world.try_hold(&event, customer(1), &[6, 7]).await, too_many(3));
    let second = world.hold(&event, customer(1), &[6]).await;
    assert_eq!(world.try_hold(&event, customer(1), &[7]).await, too_many(4));

    world.pay(&second).await;
    assert_eq!(world.try_hold(&event, customer(1), &[7, 8]).await, too_many(3), "what is bought is not on hold");
    world.cancel(customer(1), first.id).await.unwrap();
    world.hold(&event, customer(1), &[7, 8, 9, 10]).await;
    world.wait(world.terms.ttl);
    world.hold(&event, customer(1), &[12, 13, 14, 15]).await;
    world.audited(&event).await;
}

pub async fn seats_count_as_held_until_their_payment_is_over(world: World) {
    let event = world.event_with(1, 8, |event| event.details.max_seats_held = 4).await;
    let held = world.hold(&event, customer(1), &[0, 1, 2, 3]).await;
    let payment = world.start_payment(&held).await;
    // The hold alone would have run out by now.
    world.wait(world.terms.ttl);
    let over = payment.created_at + world.terms.payment_window;
    for at in [world.now(), over - INSTANT] {
        world.wait_until(at);
        let refused = world.try_hold(&event, customer(1), &[4]).await;
        assert_eq!(refused, Err(Rejection::TooManySeats(SeatLimit::Held { max: 4, held: 4 })), "at {at}");
    }
    world.wait_until(over);
    world.hold(&event, customer(1), &[4, 5, 6, 7]).await;
    world.audited(&event).await;
}

pub async fn a_booking_has_no_more_seats_than_the_event_allows(world: World) {
    let event = world.event_with(1, 8, |event| event.details.max_seats_per_booking = 2).await;
    let refused = world.try_hold(&event, customer(1), &[0, 1, 2]).await;
    assert_eq!(refused, Err(Rejection::TooManySeats(SeatLimit::PerBooking { max: 2 })));
    world.hold(&event, customer(1), &[0, 1]).await;
}

pub async fn a_hold_names_seats_of_the_event_once_each(world: World) {
    let event = world.event(1, 4).await;
    let other = world.event(1, 4).await;
    for (seats, said) in [
        (&[4][..], &["seat_ids[0] unknown_seat"][..]),
        (&[0, 4, 1, 5], &["seat_ids[1] unknown_seat", "seat_ids[3] unknown_seat"]),
        (&[0, 0], &["seat_ids[1] duplicate_seat"]),
        (&[3, 1, 2, 1, 0], &["seat_ids[3] duplicate_seat"]),
        (&[], &["seat_ids required"]),
    ] {
        assert_eq!(wrong(&world.try_hold(&event, customer(1), seats).await), said);
    }
    let Command::Hold { booking_id, event_id, user_id, terms, .. } = world.hold_command(&event, customer(1), &[0]) else {
        unreachable!()
    };
    let elsewhere = Command::Hold { booking_id, event_id, user_id, seats: other.seats(&[0]), terms };
    let refused = world.ask(customer(1), elsewhere).await;
    assert_eq!(wrong(&refused), ["seat_ids[0] unknown_seat"], "of another layout");
}

pub async fn an_event_is_booked_only_while_it_is_on_sale(world: World) {
    let hour = Duration::from_hours(1);
    let now = world.now();
    let event = world.event_with(1, 4, |event| event.details.on_sale.opens_at = now + hour).await;
    let refused = world.try_hold(&event, customer(1), &[0]).await;
    assert_eq!(refused, Err(Rejection::NotOnSale(NotOnSale::NotYet(now + hour))));
    world.wait(hour);
    world.hold(&event, customer(1), &[0]).await;
    let closes_at = event.event.details.on_sale.closes_at;
    world.wait(closes_at.since(world.now()));
    let refused = world.try_hold(&event, customer(1), &[1]).await;
    assert_eq!(refused, Err(Rejection::NotOnSale(NotOnSale::Over(closes_at))));
}

pub async fn an_extension_starts_the_time_anew_up_to_the_cap(mut world: World) {
    let minutes = Duration::from_mins;
    world.terms = HoldTerms { ttl: minutes(5), cap: minutes(8), payment_window: minutes(30) };
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0]).await;
    let extend = || Command::Extend { booking_id: booking.id, terms: world.terms };
    world.wait(minutes(2));
    world.ask(customer(1), extend()).await.unwrap();
    let until = || async { world.booking(booking.id).await.hold().unwrap().until };
    assert_eq!(until().await, booking.created_at + minutes(7));
    world.wait(minutes(4));
    world.ask(customer(1), extend()).await.unwrap();
    let cap = booking.created_at + minutes(8);
    assert_eq!(until().await, cap);
    assert_eq!(world.ask(customer(1), extend()).await, Err(Rejection::ExtensionLimit(cap)));
    assert_eq!(until().await, cap);
    world.audited(&event).await;
    world.wait(minutes(2));
    assert_eq!(world.ask(customer(1), extend()).await, Err(Rejection::HoldExpired));
}

/// Two tabs that ask for more time at once are both told how much there is.
pub async fn an_extension_that_gains_nothing_leaves_the_hold_as_it_is(mut world: World) {
    let minutes = Duration::from_mins;
    world.terms = HoldTerms { ttl: minutes(5), cap: minutes(8), payment_window: minutes(30) };
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let extend = || Command::Extend { booking_id: held.id, terms: world.terms };
    assert_eq!(world.ask(customer(1), extend()).await, Ok(Outcome::Booking(held.clone())));
    world.wait(minutes(2));
    let longer = world.ask(customer(1), extend()).await;
    let before = world.records(&event).await;
    assert_eq!(world.ask(customer(1), extend()).await, longer);
    assert_eq!(world.records(&event).await, before);
    world.wait(minutes(1));
    world.ask(customer(1), extend()).await.unwrap();
    let cap = held.created_at + minutes(8);
    assert_eq!(world.ask(customer(1), extend()).await, Err(Rejection::ExtensionLimit(cap)), "at the cap there is no more");
    world.audited(&event).await;
}

pub async fn nobody_else_knows_of_a_customers_booking(world: World) {
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0]).await;
    let before = world.records(&event).await;
    let booking_id = booking.id;
    let not_found = Err(Rejection::NotFound(Thing::Booking));
    let terms = world.terms;
    for command in [
        Command::Extend { booking_id, terms },
        Command::Cancel { booking_id, expected: None, reason: None },
        world.start_command(booking_id),
        Command::Expire { booking_id },
    ] {
        assert_eq!(world.ask(customer(2), command).await, not_found);
    }
    let nothing = Command::Expire { booking_id: world.booking_id() };
    assert_eq!(world.ask(SYSTEM, nothing).await, not_found, "as if it did not exist");
    assert_eq!(world.records(&event).await, before);
}

pub async fn what_has_run_out_is_not_extended_and_not_paid(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let extend = Command::Extend { booking_id: held.id, terms: world.terms };
    world.wait(world.terms.ttl);
    for swept in [false, true] {
        if swept {
            world.expire(held.id).await;
        }
        assert_eq!(world.ask(customer(1), extend.clone()).await, Err(Rejection::HoldExpired), "swept: {swept}");
        assert_eq!(world.ask(customer(1), world.start_command(held.id)).await, Err(Rejection::HoldExpired), "swept: {swept}");
    }
    let given_up = world.hold(&event, customer(1), &[0]).await;
    world.cancel(customer(1), given_up.id).await.unwrap();
    let refused = world.ask(customer(1), world.start_command(given_up.id)).await;
    assert_eq!(refused, Err(Rejection::NotPending(BookingStatus::Cancelled)));
}

pub async fn a_hold_that_is_given_up_frees_its_seats(world: World) {
    let event = world.event(1, 4).await;
    let booking = world.hold(&event, customer(1), &[0, 1]).await;
    assert_eq!(world.cancel(customer(1), booking.id).await.unwrap().status(), BookingStatus::Cancelled);
    let again = world.cancel(customer(1), booking.id).await.unwrap();
    assert_eq!((again.status(), again.version), (BookingStatus::Cancelled, 2), "whoever asks twice gets no error");
    world.hold(&event, customer(2), &[1, 0]).await;
    world.audited(&event).await;
}

pub async fn a_hold_that_is_asked_for_again_is_the_same(world: World) {
    let event = world.event(1, 4).await;
    let command = world.hold_command(&event, customer(1), &[1, 0]);
    let first = world.ask(customer(1), command.clone()).await.map(booking).unwrap();
    let before = world.records(&event).await;
    assert_eq!(world.ask(customer(1), command.clone()).await.map(booking), Ok(first.clone()));
    assert_eq!(world.records(&event).await, before);
    let sold = world.pay(&first).await.1;
    assert_eq!(world.ask(customer(1), command).await.map(booking), Ok(sold), "as it is now");
    world.audited(&event).await;
}

pub async fn a_booking_id_is_used_once(world: World) {
    let [event, other] = [world.event(1, 6).await, world.event(1, 4).await];
    let first = world.hold(&event, customer(1), &[0]).await;
    let before = (world.records(&event).await, world.records(&other).await);
    let again = |event, who, seats| {
        let Command::Hold { event_id, user_id, seats, terms, .. } = world.hold_command(event, who, seats) else { unreachable!() };
        Request::new(who, Command::Hold { booking_id: first.id, event_id, user_id, seats, terms })
    };
    let refused = [
        again(&event, customer(1), &[1]),
        again(&event, customer(1), &[0, 1]),
        again(&event, customer(2), &[0]),
        again(&event, customer(2), &[1]),
        again(&other, customer(1), &[0]),
    ];
    let applied = world.apply(&refused).await;
    for answer in &applied.answers {
        assert_eq!(wrong(&answer.result), ["booking_id used_before"]);
    }
    assert_eq!((applied.changes, (world.records(&event).await, world.records(&other).await)), (Vec::new(), before));
    let good = Request::new(customer(2), world.hold_command(&event, customer(2), &[1]));
    let answers = world.apply(&[refused[0].clone(), good]).await.answers;
    assert!(answers[0].result.is_err() && answers[1].result.is_ok(), "the rest of the call goes on");
    world.audited(&event).await;
}
