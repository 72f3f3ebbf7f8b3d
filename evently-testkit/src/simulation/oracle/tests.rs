//! What must not be is put into a run that was well, and has to be found.

use std::sync::Arc;

use evently_core::{
    domain::{Booking, BookingStatus, GatewayReport, RefundId, TicketId},
    ports::Audit,
};
use uuid::Uuid;

use crate::simulation::{
    Plan, build,
    executor::{Executor, at_once, lock},
    play_out,
    world::World,
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
    let (plan, begin) = (Plan::of(seed), evently_core::domain::Timestamp::from_secs(1_800_000_000));
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

const AT_THE_END: [Wrong; 9] = [
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
];

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
    let lies: [fn(&mut Booking); 5] = [
        |told| told.total.amount -= 1,
        |told| told.code = None,
        |told| told.created_at = told.created_at + std::time::Duration::from_secs(1),
        |told| told.version += 1,
        |told| told.id = evently_core::domain::BookingId::from_uuid(NOBODY),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let world = over();
        let mut told = sold(&world);
        assert_ne!(told.status(), BookingStatus::Pending);
        world.oracle.promised(&world, &told);
        assert_eq!(world.oracle.breaches(), []);
        lie(&mut told);
        world.oracle.promised(&world, &told);
        let found = world.oracle.breaches();
        assert!(matches!(&found[..], [breach] if breach.invariant == "I2"), "lie {number}: {found:?}");
    }
}

#[test]
fn who_is_let_in_twice_is_found() {
    let (world, ticket) = (over(), TicketId::from_uuid(NOBODY));
    world.oracle.admitted(&world, ticket);
    assert_eq!(world.oracle.breaches(), []);
    world.oracle.admitted(&world, ticket);
    assert!(matches!(&world.oracle.breaches()[..], [breach] if breach.invariant == "I1"));
}
