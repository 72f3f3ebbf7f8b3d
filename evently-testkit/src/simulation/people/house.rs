//! What the organizer does.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{EventChange, PriceDraft, Role},
    ports::Audit,
};

use super::Person;
use crate::{
    HOUSE, ORGANIZER,
    fixtures::user_of,
    simulation::{
        executor::at_once,
        faults::dice,
        plan::{House, HouseDoes, micros},
        world::World,
    },
};

/// The organizer does something.
pub(in crate::simulation) async fn house(world: Arc<World>, house: House) {
    let (user, role) = if house.does == HouseDoes::CallsIn { (HOUSE, Role::Admin) } else { (ORGANIZER, Role::Organizer) };
    let dice = dice(world.plan.seed, 1_000 + u64::from(house.number));
    let mut person = Person::new(&world, "organizer".to_owned(), user_of(user), role, dice);
    world.tasks.sleep(house.when).await;
    let (by, event, key) = (person.by, world.fixture.id(), Some(person.key()));
    match house.does {
        HouseDoes::Blocks => {
            let seats = world.fixture.seats(&person.seats());
            let named = seats.clone();
            let blocked = person.ask("takes seats out of sale", move |i| {
                let seats = named.clone();
                Box::pin(async move { i.events.house(&by, event, seats, true, key).await })
            });
            if blocked.await.answer().is_some() {
                person.thinks(Duration::from_secs(9)).await;
                let key = Some(person.key());
                let freed = person.ask("puts seats back", move |i| {
                    let seats = seats.clone();
                    Box::pin(async move { i.events.house(&by, event, seats, false, key).await })
                });
                freed.await;
            }
        }
        HouseDoes::Edits => {
            let price = person.dice.i64(1..9_000);
            let percent = person.dice.u8(..=100);
            // Mostly later than anybody gives a booking up.
            let ends = Duration::from_micros(person.dice.u64(..micros(world.plan.lasts) * 4));
            let until = (person.dice.u8(..3) > 0).then(|| world.now() + ends);
            let edited = person.ask("changes prices and terms", move |i| {
                let change = EventChange {
                    prices: vec![PriceDraft { name: "Front".to_owned(), price }],
                    refund_percent: Some(percent),
                    refunds_until: until,
                    ..EventChange::default()
                };
                Box::pin(async move { i.events.edit_event(&by, event, change, key).await })
            });
            edited.await;
        }
        HouseDoes::CallsIn => {
            let records = at_once(world.store.event_records(event)).expect("nothing in memory fails");
            let bookings = records.expect("the event is there").bookings;
            if bookings.is_empty() {
                return;
            }
            let id = bookings[person.dice.usize(..bookings.len())].id;
            let called_in = person.ask("calls a booking in", move |i| {
                Box::pin(async move { i.bookings.cancel_for(&by, id, None, None, key).await })
            });
            called_in.await;
        }
        HouseDoes::CallsOff => {
            let called_off =
                person.ask("calls the event off", move |i| Box::pin(async move { i.events.cancel(&by, event, None, key).await }));
            called_off.await;
        }
    }
}
