//! What must not be is put into a run that was well, and has to be found.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{
        Actor, Answer, Booking, BookingCode, BookingId, BookingStatus, Command, Entry, EventId, Fact, GatewayReport, Outcome,
        RefundId, Rejection, Request, RequestKey, Role, SeatStatus, SeatStep, TicketId, Timestamp, Transition, UserId,
    },
    ports::{Audit, Bookings, Outbox},
};
use uuid::Uuid;

use crate::{
    ORGANIZER, SYSTEM, customer,
    fixtures::user_of,
    simulation::{
        Plan, build,
        executor::{Executor, Group, at_once, lock},
        play_out,
        world::World,
    },
};

const NOBODY: Uuid = Uuid::from_u128(1);

/// A run that has come to its end, in which somebody paid, somebody was refused, somebody got money back, and nobody was wronged.
fn over() -> Arc<World> {
    let world = (0..1_000).map(played).find(|world| {
        let any = |wanted: fn(&GatewayReport) -> bool| lock(&world.gateway.charges).values().any(|charge| wanted(&charge.state));
        any(is_captured) && any(|report| !is_captured(report)) && !lock(&world.gateway.refunds).is_empty()
    });
    let world = world.expect("somebody gets money back in one of so many");
    world.oracle.settled(&world);
    assert_eq!(world.oracle.breaches(), []);
    world
}

fn played(seed: u64) -> Arc<World> {
    let (plan, begin) = (Plan::of(seed), Timestamp::from_secs(1_800_000_000));
    let mut executor = Executor::new(begin, plan.order);
    let world = Arc::new(build(&plan, begin, &executor, false));
    play_out(&world, &mut executor, &mut 0);
    lock(&world.instances).clear();
    world
}

fn is_captured(report: &GatewayReport) -> bool {
    *report == GatewayReport::Succeeded
}

/// A booking that was paid for.
fn sold(world: &World) -> Booking {
    let records = at_once(world.store.event_records(world.fixture.id())).unwrap().unwrap();
    records.bookings.into_iter().find(|booking| booking.code.is_some()).expect("somebody paid")
}

/// What is wrong, and how it is made so.
type Wrong = (&'static str, fn(&World));

const AT_THE_END: [Wrong; 12] = [
    ("has captured 0 for payment", |world| {
        let mut charges = lock(&world.gateway.charges);
        charges.values_mut().find(|charge| is_captured(&charge.state)).unwrap().state = GatewayReport::Processing;
    }),
    ("and 0 is written down", |world| {
        let mut charges = lock(&world.gateway.charges);
        charges.values_mut().find(|charge| !is_captured(&charge.state)).unwrap().state = GatewayReport::Succeeded;
    }),
    ("and 4500 is written down", |world| {
        let mut charges = lock(&world.gateway.charges);
        charges.values_mut().filter(|charge| is_captured(&charge.state)).for_each(|charge| charge.amount.amount *= 10);
    }),
    ("was never charged", |world| lock(&world.gateway.charges).retain(|_, charge| !is_captured(&charge.state))),
    ("which nobody owes", |world| {
        lock(&world.gateway.refunds).values_mut().for_each(|(_, amount)| *amount *= 10);
    }),
    ("which nobody owes", |world| {
        let mut refunds = lock(&world.gateway.refunds);
        let known = *refunds.values().next().unwrap();
        refunds.insert(RefundId::from_uuid(NOBODY), known);
    }),
    ("was never sent", |world| _ = lock(&world.gateway.refunds).pop_first()),
    ("mail 000000000001-nobody was sent without a reason", |world| {
        lock(&world.mailer.sent).insert("000000000001-nobody".to_owned(), 1);
    }),
    ("was never sent", |world| _ = lock(&world.mailer.sent).pop_first()),
    ("messages wait for ever", |world| lock(&world.broker.queues[0]).waiting.push_back(first_entry(world))),
    ("messages wait for ever", |world| lock(&world.broker.queues[2]).in_hand.push((Group(1_000), first_entry(world)))),
    ("entries were handed on", |world| {
        let booking = sold(world);
        ask(world, world.now(), ORGANIZER, Command::Cancel { booking_id: booking.id, expected: None, reason: None });
    }),
];

fn first_entry(world: &World) -> Entry {
    at_once(world.store.after(0, 1)).unwrap().remove(0)
}

/// Has the store do something, with the oracle looking on.
fn ask(world: &World, now: Timestamp, actor: Actor, command: Command) -> Outcome {
    let request = [Request::new(actor, command)];
    let applied = at_once(world.store.apply(now, &request)).unwrap();
    world.oracle.decided(world, &request, &applied.answers);
    applied.answers[0].result.clone().unwrap()
}

#[test]
fn books_and_mails_that_are_not_as_they_should_be_are_found_at_the_end() {
    for (says, make) in AT_THE_END {
        let world = over();
        make(&world);
        world.oracle.settled(&world);
        let found = world.oracle.breaches();
        assert!(found.iter().any(|breach| breach.what.contains(says)), "{says}: {found:?}");
    }
}

#[test]
fn what_somebody_was_told_and_is_not_so_is_found() {
    let now: [fn(&mut Booking); 3] =
        [|told| told.code = None, |told| told.version += 1, |told| told.id = BookingId::from_uuid(NOBODY)];
    // What of a booking never changes, told of one that has changed since.
    let ever: [fn(&mut Booking); 5] = [
        |told| told.user_id = UserId::from_uuid(NOBODY),
        |told| told.event_id = EventId::from_uuid(NOBODY),
        |told| told.total.amount -= 1,
        |told| told.created_at = told.created_at + Duration::from_secs(1),
        |told| told.code = Some(BookingCode::new(0)),
    ];
    let world = over();
    let stands = sold(&world);
    let earlier = Booking { version: stands.version - 1, ..stands.clone() };
    assert_ne!(stands.status(), BookingStatus::Pending);
    for told in [&stands, &earlier, &Booking { code: None, ..earlier.clone() }] {
        world.oracle.promised(&world, told);
    }
    assert_eq!(world.oracle.breaches(), []);
    let lies = now.map(|lie| (lie, &stands)).into_iter().chain(ever.map(|lie| (lie, &earlier)));
    for (number, (lie, told)) in lies.enumerate() {
        let mut told = told.clone();
        lie(&mut told);
        world.oracle.promised(&world, &told);
        let found = std::mem::take(&mut lock(&world.oracle.0).breaches);
        assert!(matches!(&found[..], [breach] if breach.invariant == "I2"), "lie {number}: {found:?}");
    }
}

#[test]
fn a_payment_for_another_booking_is_found() {
    let world = over();
    let records = at_once(world.store.event_records(world.fixture.id())).unwrap().unwrap();
    let booking = records.bookings.into_iter().find(|booking| booking.code.is_some()).unwrap();
    let (ours, others): (Vec<_>, Vec<_>) = records.payments.into_iter().partition(|payment| payment.booking_id == booking.id);
    world.oracle.paid(&world, &ours[0], &booking);
    assert_eq!(world.oracle.breaches(), []);
    world.oracle.paid(&world, &others[0], &booking);
    assert!(matches!(&world.oracle.breaches()[..], [breach] if breach.invariant == "I3"));
    world.oracle.paid(&world, &ours[0], &Booking { version: booking.version + 1, ..booking });
    assert!(matches!(&world.oracle.breaches()[..], [_, breach] if breach.invariant == "I2"));
}

#[test]
fn a_key_that_has_two_answers_is_found() {
    let world = over();
    let (booking, at) = (sold(&world), world.now());
    let answered = |content, replayed, at, result| {
        let key = Some(RequestKey::new(&["lies"], "key", &[content]));
        let request = Request::new(SYSTEM, Command::Expire { booking_id: booking.id }).with_key(key);
        world.oracle.decided(&world, &[request], &[Answer { at, replayed, result }]);
        std::mem::take(&mut lock(&world.oracle.0).breaches)
    };
    let first = || Ok(Outcome::Booking(booking.clone()));
    assert_eq!(answered(1, false, at, first()), []);
    assert_eq!(answered(1, true, at, first()), []);
    assert_eq!(answered(2, false, at, Err(Rejection::KeyReused)), []);
    let later = at + Duration::from_secs(1);
    let lies = [
        ("under its key", answered(1, false, at, first())),
        ("another answer", answered(1, true, at, Err(Rejection::HoldExpired))),
        ("another answer", answered(1, true, later, first())),
        ("two requests", answered(2, true, at, first())),
    ];
    for (says, found) in lies {
        assert!(matches!(&found[..], [breach] if breach.invariant == "I7" && breach.what.contains(says)), "{says}: {found:?}");
    }
}

#[test]
fn a_booking_that_cannot_be_given_up_as_was_promised_is_found() {
    let world = over();
    let booking = sold(&world);
    let until = lock(&world.oracle.0).promised[&booking.id].until;
    let refused = |at| {
        let command = Command::Cancel { booking_id: booking.id, expected: None, reason: None };
        let request = Request::new(Actor::User(booking.user_id, Role::Customer), command);
        let result = Err(Rejection::CancellationClosed(until));
        world.oracle.decided(&world, &[request], &[Answer { at, replayed: false, result }]);
        world.oracle.breaches()
    };
    assert_eq!(refused(until), []);
    let found = refused(until - Duration::from_micros(1));
    assert!(matches!(&found[..], [breach] if breach.invariant == "I3"), "{found:?}");
}

#[test]
fn a_hold_that_has_run_out_and_is_confirmed_for_nothing_is_found() {
    let confirmed = |actor, late: bool| {
        let (plan, begin) = (Plan::of(1), Timestamp::from_secs(1_800_000_000));
        let world = build(&plan, begin, &Executor::new(begin, plan.order), false);
        let (id, user_id) = (BookingId::from_uuid(NOBODY), user_of(customer(1)));
        let (event_id, seats) = (world.fixture.id(), world.fixture.seats(&[0]));
        let hold = Command::Hold { booking_id: id, event_id, user_id, seats, terms: plan.terms };
        let Outcome::Booking(booking) = ask(&world, begin, customer(1), hold) else { panic!("it is held") };
        let ends = booking.hold().unwrap().expires_at();
        let (from, to, version) = (Some(BookingStatus::Pending), BookingStatus::Confirmed, 2);
        let transition = Transition {
            event_id,
            at: if late { ends } else { ends - Duration::from_micros(1) },
            actor,
            fact: Fact::Booking { id, user_id, from, to, version },
            reason: None,
            seats: vec![SeatStep { number: 0, version, status: SeatStatus::Booked, price: booking.total.amount }],
        };
        let position = world.oracle.journal_len() + 1;
        lock(&world.oracle.0).entry(&world, &Entry { position, transition });
        world.oracle.breaches()
    };
    assert_eq!(confirmed(ORGANIZER, false), []);
    assert_eq!(confirmed(Actor::Gateway, true), []);
    let found = confirmed(ORGANIZER, true);
    assert!(matches!(&found[..], [breach] if breach.invariant == "I5"), "{found:?}");
}

#[test]
fn who_is_let_in_twice_is_found() {
    let (world, ticket) = (over(), TicketId::from_uuid(NOBODY));
    world.oracle.admitted(&world, ticket);
    assert_eq!(world.oracle.breaches(), []);
    world.oracle.admitted(&world, ticket);
    assert!(matches!(&world.oracle.breaches()[..], [breach] if breach.invariant == "I1"));
}
