//! Bookings: a ticket opens the door, once.

use std::time::Duration;

use evently_core::domain::{Admission, Command, EventId, Outcome, Rejection, Thing, TicketCode, TicketState};

use super::race;
use crate::{DOOR, HOUSE, SYSTEM, World, customer, fixtures};

async fn check_in(world: &World, code: TicketCode, event_id: Option<EventId>) -> Admission {
    match world.ask(DOOR, Command::CheckIn { code, event_id }).await {
        Ok(Outcome::CheckIn(admission, _)) => admission,
        other => panic!("the door gets an answer: {other:?}"),
    }
}

pub async fn a_ticket_admits_once(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0, 1]).await;
    let tickets = world.tickets(sold.id).await;
    let (first, second) = (tickets[0].code, tickets[1].code);
    assert_eq!(check_in(&world, first, Some(event.id())).await, Admission::Admitted);
    let at = world.now();
    world.wait(Duration::from_secs(1));
    assert_eq!(check_in(&world, first, Some(event.id())).await, Admission::AlreadyAdmitted { at });
    assert_eq!(check_in(&world, second, None).await, Admission::Admitted);
    let tickets = world.tickets(sold.id).await;
    assert_eq!(tickets[0].state, TicketState::CheckedIn { at, by: fixtures::user_of(DOOR) });
    world.audited(&event).await;
}

pub async fn the_door_turns_away_what_is_not_for_it(world: World) {
    let [event, other] = [world.event(1, 4).await, world.event(1, 4).await];
    let sold = world.buy(&event, customer(1), &[0]).await;
    let code = world.tickets(sold.id).await[0].code;
    let elsewhere = world.ask(DOOR, Command::CheckIn { code, event_id: Some(other.id()) }).await;
    assert_eq!(elsewhere, Ok(Outcome::CheckIn(Admission::WrongEvent, None)), "and nothing is told of it");
    assert_eq!(check_in(&world, TicketCode::new(1), Some(event.id())).await, Admission::Invalid);
    let nobody = world.ask(SYSTEM, Command::CheckIn { code, event_id: None }).await;
    assert_eq!(nobody, Err(Rejection::NotFound(Thing::User)));
    world.cancel(HOUSE, sold.id).await.unwrap();
    assert_eq!(check_in(&world, code, Some(event.id())).await, Admission::Cancelled);
    world.audited(&event).await;
}

pub async fn of_many_doors_one_admits(world: World) {
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let code = world.tickets(sold.id).await[0].code;
    let (bookings, now) = (world.store.bookings.clone(), world.now());
    let answers = race(|_| {
        let bookings = bookings.clone();
        let request = evently_core::domain::Request::new(DOOR, Command::CheckIn { code, event_id: None });
        async move { bookings.apply(now, &[request]).await.unwrap().answers.remove(0).result }
    });
    let admitted = |answer: &&Result<Outcome, Rejection>| matches!(answer, Ok(Outcome::CheckIn(Admission::Admitted, _)));
    assert_eq!(answers.await.iter().filter(admitted).count(), 1);
    world.audited(&event).await;
}
