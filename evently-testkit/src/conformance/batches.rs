//! Bookings: what one call does together, and each request on its own.

use evently_core::domain::{
    Admission, BookingStatus, Command, GatewayReport, Outcome, Rejection, Request, SeatLimit, SeatStatus, Thing, TicketState,
    Venue,
};

use crate::{DOOR, Fixture, GATEWAY, HOUSE, ORGANIZER, SYSTEM, World, customer};

pub async fn a_request_sees_what_those_before_it_did(world: World) {
    let event = world.event(1, 4).await;
    let hold = |who, seats: &[u32]| Request::new(who, world.hold_command(&event, who, seats));
    let first = hold(customer(1), &[0, 1]);
    let Command::Hold { booking_id, .. } = first.command else { unreachable!() };
    let cancel = Request::new(customer(1), Command::Cancel { booking_id, expected: None, reason: None });
    let applied = world.apply(&[first, hold(customer(2), &[1, 2]), cancel, hold(customer(3), &[1, 2])]).await;
    let accepted = applied.answers.iter().map(|answer| answer.result.is_ok()).collect::<Vec<_>>();
    assert_eq!(accepted, [true, false, true, true]);
    world.audited(&event).await;
}

pub async fn holds_of_one_call_count_for_each_other(world: World) {
    let event = world.event_with(1, 8, |event| event.details.max_seats_held = 4).await;
    let hold = |who, seats: &[u32]| Request::new(who, world.hold_command(&event, who, seats));
    let first = hold(customer(1), &[0, 1]);
    let Command::Hold { booking_id, .. } = first.command else { unreachable!() };
    let cancel = Request::new(customer(1), Command::Cancel { booking_id, expected: None, reason: None });
    let one_more = || hold(customer(1), &[4]);
    let requests = [first, hold(customer(1), &[2, 3]), one_more(), hold(customer(2), &[5, 6]), cancel, one_more()];
    let answers = world.apply(&requests).await.answers;
    assert_eq!(answers[2].result, Err(Rejection::TooManySeats(SeatLimit::Held { max: 4, held: 4 })));
    let accepted = answers.iter().map(|answer| answer.result.is_ok()).collect::<Vec<_>>();
    assert_eq!(accepted, [true, true, false, true, true, true], "others' do not count, nor what was given up");
    world.audited(&event).await;
}

pub async fn answers_stand_in_the_order_of_requests(world: World) {
    let event = world.event(2, 8).await;
    let requests = (0..16).map(|seat| Request::new(customer(seat), world.hold_command(&event, customer(seat), &[seat])));
    let requests = requests.collect::<Vec<_>>();
    let applied = world.apply(&requests).await;
    assert_eq!(applied.answers.len(), requests.len());
    // All as of one moment; a store that had to wait decides as of then.
    let at = applied.answers[0].at;
    assert!(at >= world.now(), "{at}");
    for (seat, answer) in (0..).zip(applied.answers) {
        let booking = crate::fixtures::booking(answer.result.unwrap());
        assert_eq!(booking.seats[0].number, seat);
        assert_eq!(answer.at, at);
    }
}

/// In whatever order the rows are written: a seat never has two.
pub async fn what_is_given_up_and_sold_anew_in_one_call_has_one_good_ticket(world: World) {
    let event = world.event(1, 8).await;
    let seats = [0, 1, 2, 3, 4, 5, 6, 7];
    let sold = world.buy(&event, customer(1), &seats).await;
    let cancel = Command::Cancel { booking_id: sold.id, expected: None, reason: None };
    let hold = world.hold_command(&event, customer(2), &seats);
    let Command::Hold { booking_id, .. } = hold else { unreachable!() };
    let confirm = Command::Confirm { booking_id, payment_id: world.payment_id(), reference: None };
    let requests = [Request::new(HOUSE, cancel), Request::new(customer(2), hold), Request::new(HOUSE, confirm)];
    let answers = world.apply(&requests).await.answers;
    assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
    for (booking, state) in [(sold.id, TicketState::Void), (booking_id, TicketState::Valid)] {
        let tickets = world.store.bookings.records(booking).await.unwrap().unwrap().tickets;
        assert!(tickets.len() == seats.len() && tickets.iter().all(|ticket| ticket.state == state), "{tickets:?}");
    }
    world.audited(&event).await;
}

/// What one request of a call has made the next ones see.
pub async fn what_is_sold_and_given_up_in_one_call_has_no_good_ticket(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0, 1]).await;
    let payment = world.start_payment(&held).await;
    let cancel = Command::Cancel { booking_id: held.id, expected: None, reason: None };
    let report = world.report_command(payment.id, GatewayReport::Succeeded);
    let applied = world.apply(&[Request::new(GATEWAY, report), Request::new(customer(1), cancel)]).await;
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{:#?}", applied.answers);
    let tickets = world.audited(&event).await.tickets;
    assert_eq!(tickets.iter().map(|ticket| ticket.state).collect::<Vec<_>>(), [TicketState::Void; 2]);
}

pub async fn of_two_venues_with_one_layout_in_one_call_the_second_is_refused(world: World) {
    let [one, other] = [(); 2].map(|()| Fixture::new(&*world.ids, world.now(), 1, 3));
    let venue = Venue { layout_id: one.layout.id, ..other.venue.clone() };
    let same_layout = Command::CreateVenue { venue, layout: one.layout.clone() };
    let requests = [one.create_venue(), same_layout].map(|command| Request::new(ORGANIZER, command));
    let answers = world.apply(&requests).await.answers;
    assert!(answers[0].result.is_ok());
    assert_eq!(crate::fixtures::wrong(&answers[1].result), ["layout_id used_before"]);
}

pub async fn a_refused_request_leaves_no_trace(world: World) {
    let event = world.event(1, 6).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let sold = world.buy(&event, customer(2), &[1]).await;
    let before = world.records(&event).await;
    let entries = world.store.outbox.after(0, u32::MAX).await.unwrap();
    let refused = [
        Request::new(customer(3), world.hold_command(&event, customer(3), &[2, 0])),
        Request::new(customer(3), world.hold_command(&event, customer(3), &[9])),
        Request::new(customer(3), Command::Cancel { booking_id: held.id, expected: None, reason: None }),
        Request::new(ORGANIZER, Command::Block { event_id: event.id(), seats: event.seats(&[2, 1]) }),
        Request::new(ORGANIZER, Command::Unblock { event_id: event.id(), seats: event.seats(&[3]) }),
        Request::new(customer(2), Command::Extend { booking_id: sold.id, terms: world.terms }),
        Request::new(GATEWAY, world.report_command(world.payment_id(), GatewayReport::Succeeded)),
    ];
    let applied = world.apply(&refused).await;
    assert!(applied.answers.iter().all(|answer| answer.result.is_err()), "{:#?}", applied.answers);
    assert_eq!(applied.changes, []);
    assert_eq!(world.records(&event).await, before);
    assert_eq!(world.store.outbox.after(0, u32::MAX).await.unwrap(), entries);
}

pub async fn a_refused_request_does_not_hold_others_up(world: World) {
    let event = world.event(1, 6).await;
    let requests = [
        Request::new(customer(1), world.hold_command(&event, customer(1), &[0])),
        Request::new(customer(2), world.hold_command(&event, customer(2), &[0])),
        Request::new(SYSTEM, Command::Expire { booking_id: world.booking_id() }),
        Request::new(customer(3), world.hold_command(&event, customer(3), &[1])),
    ];
    let answers = world.apply(&requests).await.answers;
    assert!(answers[0].result.is_ok() && answers[3].result.is_ok());
    let taken = vec![(event.seats(&[0])[0], SeatStatus::Reserved)];
    assert_eq!(answers[1].result, Err(Rejection::SeatsUnavailable(taken)));
    assert_eq!(answers[2].result, Err(Rejection::NotFound(Thing::Booking)));
    world.audited(&event).await;
}

pub async fn changes_are_told_seat_by_seat_in_their_order(world: World) {
    let event = world.event(1, 4).await;
    let before = world.store.catalog.seat_map(event.id()).await.unwrap().unwrap();
    let first = Request::new(customer(1), world.hold_command(&event, customer(1), &[1, 0]));
    let Command::Hold { booking_id, .. } = first.command else { unreachable!() };
    let cancel = Request::new(customer(1), Command::Cancel { booking_id, expected: None, reason: None });
    let block = Request::new(ORGANIZER, Command::Block { event_id: event.id(), seats: event.seats(&[1]) });
    let applied = world.apply(&[first, cancel, block]).await;
    let told = applied.changes.iter().map(|change| (change.number, change.version, change.status)).collect::<Vec<_>>();
    let [available, reserved, _, blocked] = SeatStatus::NAMES.map(|(_, status)| status);
    let expected = [(0, 1, reserved), (1, 1, reserved), (0, 2, available), (1, 2, available), (1, 3, blocked)];
    assert_eq!(told, expected);
    assert!(applied.changes.iter().all(|change| change.event_id == event.id()));

    let mut map = before;
    map.take_in(applied.changes);
    let fresh = world.store.catalog.seat_map(event.id()).await.unwrap().unwrap();
    assert_eq!((map.statuses(), map.versions()), (fresh.statuses(), fresh.versions()));
}

pub async fn a_call_may_span_events(world: World) {
    let [one, two] = [world.event(1, 4).await, world.event(1, 4).await];
    let requests = [&one, &two, &one, &two].map(|event| Request::new(customer(1), world.hold_command(event, customer(1), &[0])));
    let answers = world.apply(&requests).await.answers;
    assert_eq!(answers.iter().map(|answer| answer.result.is_ok()).collect::<Vec<_>>(), [true, true, false, false]);
    world.audited(&one).await;
    world.audited(&two).await;
}

pub async fn tickets_of_one_call_are_kept_apart(world: World) {
    let event = world.event(1, 6).await;
    let [first, second, third] = [
        world.buy(&event, customer(1), &[0]).await.id,
        world.buy(&event, customer(2), &[1, 2]).await.id,
        world.buy(&event, customer(3), &[3]).await.id,
    ];
    let mut codes = Vec::new();
    for booking in [first, second] {
        codes.extend(world.tickets(booking).await.into_iter().map(|ticket| ticket.code));
    }
    let door = |code| Request::new(DOOR, Command::CheckIn { code, event_id: Some(event.id()) });
    let cancel = Request::new(customer(3), Command::Cancel { booking_id: third, expected: None, reason: None });
    let requests = [door(codes[0]), door(codes[1]), cancel, door(codes[0])];
    let answers = world.apply(&requests).await.answers;
    let admissions = [0, 1, 3].map(|i| match &answers[i].result {
        Ok(Outcome::CheckIn(admission, Some(ticket))) => (*admission, ticket.code),
        other => panic!("the door gets an answer: {other:?}"),
    });
    let at = answers[0].at;
    let expected = [Admission::Admitted, Admission::Admitted, Admission::AlreadyAdmitted { at }];
    assert_eq!(admissions, [(expected[0], codes[0]), (expected[1], codes[1]), (expected[2], codes[0])]);
    assert!(answers[2].result.is_ok(), "others' tickets were used, not this one's: {:?}", answers[2].result);
    let void = |state: TicketState| state == TicketState::Void;
    assert!(world.tickets(third).await.iter().all(|ticket| void(ticket.state)));
    assert!(world.tickets(second).await.iter().all(|ticket| !void(ticket.state)));
    world.audited(&event).await;
}

pub async fn a_call_may_be_empty_or_large(world: World) {
    let event = world.event(10, 100).await;
    assert_eq!(world.apply(&[]).await, evently_core::ports::Applied::default());
    let requests = (0..1_000).map(|seat| Request::new(customer(seat), world.hold_command(&event, customer(seat), &[seat])));
    let applied = world.apply(&requests.collect::<Vec<_>>()).await;
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()));
    assert_eq!(applied.changes.len(), 1_000);
    let records = world.audited(&event).await;
    assert!(records.bookings.iter().all(|booking| booking.status() == BookingStatus::Pending));
}
