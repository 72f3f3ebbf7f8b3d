//! How somebody buys.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{Admission, Booking, BookingStatus, Hold, Rejection, Role, Ticket},
    ports::{Audit, Bookings, Catalog},
    services::{Answered, Error},
};

use super::{Got, PATIENCE, Person};
use crate::{
    DOOR,
    fixtures::user_of,
    simulation::{
        executor::at_once,
        faults::dice,
        gateway::{self, CARDS},
        plan::{Buyer, Habit},
        rare::Rare,
        world::World,
    },
};

/// Somebody buys, as often as they come.
pub(in crate::simulation) async fn buyer(world: Arc<World>, buyer: Buyer) {
    let user = world.buyers[buyer.number as usize - 1].id;
    let mut person =
        Person::new(&world, format!("buyer {}", buyer.number), user, Role::Customer, dice(world.plan.seed, buyer.number.into()));
    person.insists = buyer.habit == Habit::Insists;
    world.tasks.sleep(buyer.comes).await;
    for _ in 0..buyer.visits {
        if world.time() > world.plan.lasts {
            return;
        }
        visit(&mut person, buyer.habit).await;
        person.thinks(Duration::from_secs(4)).await;
    }
}

async fn visit(person: &mut Person, habit: Habit) {
    match habit {
        Habit::Intrudes => return intrude(person).await,
        Habit::Lurks => lurk(person).await,
        _ => {}
    }
    look(person).await;
    let seats = person.seats();
    let Some(booking) = person.hold(seats).await else { return };
    match habit {
        Habit::Races | Habit::Insists | Habit::Lurks | Habit::Intrudes => {
            let card = person.card();
            person.pay(booking.id, card).await;
        }
        Habit::Abandons => {
            for _ in 0..person.dice.u8(..4) {
                person.thinks(person.world.plan.terms.ttl).await;
                person.extend(booking.id).await;
            }
            if person.dice.bool() {
                person.cancel(booking.id, None).await;
            }
        }
        Habit::PaysLate => pay_late(person, &booking).await,
        Habit::Cancels => {
            let card = person.card();
            let id = booking.id;
            let paid = person.pay(id, card).await;
            let seen = paid.unwrap_or(booking).status();
            if seen == BookingStatus::Confirmed || person.dice.bool() {
                // The terms of refunds may be others by then.
                let up_to = if person.dice.bool() { 3 } else { 30 };
                person.thinks(Duration::from_secs(up_to)).await;
            }
            // As what they saw last; money may have come since.
            person.cancel(id, Some(seen)).await;
        }
        Habit::ChangesCards => {
            for _ in 0..3 {
                // Mostly one that does not answer at once, so that the next one is tried.
                let card = if person.dice.u8(..4) == 0 { person.card() } else { CARDS[person.dice.usize(2..CARDS.len())] };
                let paid = person.pay(booking.id, card).await;
                if paid.is_some_and(|booking| booking.status() == BookingStatus::Confirmed) {
                    break;
                }
                person.thinks(Duration::from_secs(9)).await;
            }
        }
        Habit::Hoards => hoard(person).await,
        Habit::Shares => share(person, &booking).await,
    }
}

/// Looks at the event and its seats.
async fn look(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let Some(instance) = world.any_up(person.dice.usize(..1024)) else { return };
    let event = world.fixture.id();
    let looked = instance.serve(move |instance| async move {
        let view = instance.events.view(event).await?;
        Ok::<_, Error>((view, instance.events.seat_map(event).await?))
    });
    let Some(Some(Ok((view, map)))) = world.tasks.within(PATIENCE, looked).await else { return };
    let stands = at_once(Catalog::event(&*world.store, event)).expect("nothing in memory fails").expect("the event is there");
    if view.event.version < stands.version {
        world.met(Rare::StaleView);
    }
    let seats = at_once(world.store.seat_map(event)).expect("nothing in memory fails").expect("the event is there");
    if map.statuses() != seats.statuses() {
        world.met(Rare::StaleSeats);
    }
}

/// Waits for a hold of somebody else to run out, and wants its seats in that very moment.
async fn lurk(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
    let holds = records.expect("the event is there").bookings;
    let next = holds.iter().filter_map(|booking| Some((booking.hold()?.expires_at(), booking))).min_by_key(|(end, _)| *end);
    let Some((end, booking)) = next.filter(|(end, _)| end.since(world.now()) < world.plan.terms.cap) else { return };
    let seats = booking.seats.iter().map(|seat| seat.number).collect();
    world.tasks.sleep_until(end).await;
    if let Some(booking) = person.hold(seats).await {
        person.pay(booking.id, "good").await;
    }
}

/// Pays when the hold is about to run out: just before, just after, or in that very moment.
async fn pay_late(person: &mut Person, booking: &Booking) {
    let world = Arc::clone(&person.world);
    let end = booking.hold().map_or(world.now(), Hold::expires_at);
    let around = Duration::from_millis(person.dice.u64(..40));
    let then = match person.dice.u8(..4) {
        0 => end,
        1 => end + around,
        _ => end - around,
    };
    world.tasks.sleep_until(then).await;
    if person.dice.u8(..3) == 0 {
        person.extend(booking.id).await;
    }
    let card = person.card();
    person.pay(booking.id, card).await;
}

/// Wants more and more at once.
async fn hoard(person: &mut Person) {
    let world = Arc::clone(&person.world);
    for number in 0..3 {
        let mut other =
            Person::new(&world, format!("{} ({number})", person.name), person.by.user_id, Role::Customer, person.dice.fork());
        let seats = other.seats();
        world.spawn(async move { drop(other.hold(seats).await) });
    }
    let seats = person.seats();
    if let Some(booking) = person.hold(seats).await {
        let card = person.card();
        person.pay(booking.id, card).await;
    }
}

/// Pays, and comes to two doors with the same ticket.
async fn share(person: &mut Person, booking: &Booking) {
    let world = Arc::clone(&person.world);
    person.pay(booking.id, "good").await;
    person.thinks(Duration::from_secs(5)).await;
    let records = at_once(world.store.records(booking.id)).expect("nothing in memory fails");
    let Some(ticket) = records.and_then(|records| records.tickets.first().cloned()) else { return };
    for number in 1..=2 {
        world.spawn(door(Arc::clone(&world), number, ticket.clone(), person.dice.fork()));
    }
    person.thinks(Duration::from_secs(2)).await;
    if person.dice.bool() {
        person.cancel(booking.id, None).await;
    }
    if person.dice.bool() {
        world.spawn(door(Arc::clone(&world), 3, ticket, person.dice.fork()));
    }
}

/// Somebody checks a ticket at a door.
async fn door(world: Arc<World>, number: u32, ticket: Ticket, dice: fastrand::Rng) {
    let mut person = Person::new(&world, format!("door {number}"), user_of(DOOR), Role::Staff, dice);
    let (by, key, event, code) = (person.by, Some(person.key()), world.fixture.id(), ticket.code);
    let checked = person.ask("checks a ticket", move |instance| {
        Box::pin(async move { instance.bookings.check_in(&by, code, Some(event), key).await })
    });
    if let Got::Answer((Admission::Admitted, Some(ticket))) = checked.await {
        world.oracle.admitted(&world, ticket.id);
    }
}

/// Tries what can be done with somebody else's booking.
async fn intrude(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
    let others = records.expect("the event is there").bookings;
    let others = others.iter().filter(|booking| booking.user_id != person.by.user_id).collect::<Vec<_>>();
    if others.is_empty() {
        return person.thinks(Duration::from_secs(2)).await;
    }
    let id = others[person.dice.usize(..others.len())].id;
    let by = person.by;
    let key = Some(person.key());
    let got = match person.dice.u8(..4) {
        0 => {
            person
                .ask("is after a booking", move |i| Box::pin(async move { i.bookings.cancel(&by, id, None, None, key).await }))
                .await
        }
        1 => person.ask("is after a booking", move |i| Box::pin(async move { i.bookings.extend(&by, id, key).await })).await,
        2 => {
            let paid = person.ask("is after a booking", move |i| {
                Box::pin(async move {
                    let answered = i.payments.pay(&by, id, gateway::token("good"), key).await?;
                    Ok(Answered { value: answered.value.1, at: answered.at, replayed: answered.replayed })
                })
            });
            paid.await
        }
        _ => {
            let seen = person.ask("is after a booking", move |i| {
                Box::pin(async move {
                    let value = i.bookings.own_records(&by, id).await?.booking;
                    Ok(Answered { at: value.created_at, value, replayed: false })
                })
            });
            seen.await
        }
    };
    match got {
        Got::Answer(booking) => world.oracle.breach(&world, "I11", || format!("booking {} is shown to a stranger", booking.id)),
        Got::No(error) if !error.is_not_found() && !matches!(error, Error::Rejected(Rejection::KeyReused)) => {
            world
                .oracle
                .breach(&world, "I11", || format!("a stranger is told more of a booking than that there is none: {error}"));
        }
        Got::No(_) | Got::Nothing => {}
    }
}
