//! Figures: what the journal says of sales, each entry once.

use std::time::Duration;

use evently_core::{
    audit::audit_figures,
    domain::{EventId, Sales, SalesKey, SalesRow, Timestamp},
    ports::SalesFilter,
};

use super::race;
use crate::{HOUSE, World, customer};

fn one(event_id: EventId, hour: Timestamp, section: &str) -> Sales {
    let key = SalesKey { event_id, hour: hour.hour(), section: section.to_owned() };
    let row = SalesRow { holds: 1, confirmed: 2, expired: 3, cancelled: 4, seats: 5, value: 6, captured: 7, refunded: 8 };
    Sales { rows: [(key, row)].into() }
}

async fn all(world: &World) -> Sales {
    world.store.figures.sales(&SalesFilter::default()).await.unwrap()
}

pub async fn figures_add_up(world: World) {
    let event = world.event(1, 4).await;
    let now = world.now();
    let figures = &world.store.figures;
    assert_eq!((figures.position().await.unwrap(), all(&world).await), (0, Sales::default()));
    assert!(figures.add(0, 3, &one(event.id(), now, "Front")).await.unwrap());
    assert!(figures.add(3, 9, &one(event.id(), now, "Front")).await.unwrap());
    assert!(figures.add(9, 9, &one(event.id(), now, "")).await.unwrap());
    assert_eq!(figures.position().await.unwrap(), 9);
    let mut doubled = one(event.id(), now, "Front");
    let row = *doubled.rows.values().next().unwrap();
    doubled.rows.values_mut().next().unwrap().add(&row);
    doubled.rows.extend(one(event.id(), now, "").rows);
    assert_eq!(all(&world).await, doubled);
}

pub async fn what_does_not_follow_on_is_not_added(world: World) {
    let event = world.event(1, 4).await;
    let sales = one(event.id(), world.now(), "Front");
    let figures = &world.store.figures;
    assert!(figures.add(0, 3, &sales).await.unwrap());
    assert!(!figures.add(0, 3, &sales).await.unwrap(), "handed out twice");
    assert!(!figures.add(5, 6, &sales).await.unwrap(), "passed something over");
    assert_eq!((figures.position().await.unwrap(), all(&world).await), (3, sales));
}

pub async fn of_many_who_add_the_same_one_does(world: World) {
    let event = world.event(1, 4).await;
    let sales = one(event.id(), world.now(), "Front");
    let (figures, ours) = (world.store.figures.clone(), sales.clone());
    let added = race(move |_| {
        let (figures, sales) = (figures.clone(), ours.clone());
        async move { figures.add(0, 3, &sales).await.unwrap() }
    });
    assert_eq!(added.await.into_iter().filter(|added| *added).count(), 1);
    assert_eq!(all(&world).await, sales);
}

pub async fn figures_can_begin_anew(world: World) {
    let event = world.event(1, 4).await;
    world.store.figures.add(0, 3, &one(event.id(), world.now(), "Front")).await.unwrap();
    world.store.figures.reset().await.unwrap();
    assert_eq!((world.store.figures.position().await.unwrap(), all(&world).await), (0, Sales::default()));
}

pub async fn figures_are_found_by_event_and_hour(world: World) {
    let [event, other] = [world.event(1, 4).await, world.event(1, 4).await];
    let hour = Duration::from_hours(1);
    let now = world.now().hour();
    let figures = &world.store.figures;
    for (at, event) in [(0, event.id()), (1, event.id()), (2, event.id()), (1, other.id())] {
        figures.add(figures.position().await.unwrap(), 10, &one(event, now + hour * at, "Front")).await.unwrap();
    }
    let count = async |filter: SalesFilter| figures.sales(&filter).await.unwrap().rows.len();
    let none = SalesFilter::default();
    assert_eq!(count(none).await, 4);
    assert_eq!(count(SalesFilter { event_id: Some(event.id()), ..none }).await, 3);
    assert_eq!(count(SalesFilter { from: Some(now + hour), ..none }).await, 3);
    assert_eq!(count(SalesFilter { to: Some(now + hour), ..none }).await, 1, "up to, and not including");
    let of_event = SalesFilter { event_id: Some(event.id()), ..none };
    assert_eq!(count(SalesFilter { to: Some(now + hour), ..of_event }).await, 1, "nor of one event");
    assert_eq!(count(SalesFilter { from: Some(now + hour), ..of_event }).await, 2);
    assert_eq!(count(SalesFilter { from: Some(now + hour), to: Some(now + hour * 2), ..of_event }).await, 1);
    assert_eq!(count(SalesFilter { from: Some(now + hour), to: Some(now + hour), ..of_event }).await, 0);
    let first = figures.sales(&SalesFilter { to: Some(now + hour), ..none }).await.unwrap();
    assert_eq!(first, one(event.id(), now, "Front"));
    assert_eq!(count(SalesFilter { event_id: Some(other.id()), from: Some(now + hour * 2), to: None }).await, 0);
}

/// Folding the journal in parts, as a consumer does, gives what folding it whole does.
pub async fn figures_are_what_the_journal_says(world: World) {
    let event = world.event(2, 4).await;
    let sold = world.buy(&event, customer(1), &[0, 5]).await;
    let due = world.hold(&event, customer(2), &[1]).await;
    world.wait(Duration::from_hours(1));
    world.expire(due.id).await;
    world.cancel(HOUSE, sold.id).await.unwrap();
    let names = event.layout.places().map(|place| place.section.name.clone()).collect::<Vec<_>>();
    let figures = &world.store.figures;
    loop {
        let position = figures.position().await.unwrap();
        let entries = world.store.outbox.after(position, 4).await.unwrap();
        let Some(last) = entries.last() else { break };
        let mut sales = Sales::default();
        for entry in &entries {
            sales.fold(&entry.transition, &|_, seat| names[seat as usize].clone());
        }
        assert!(figures.add(position, last.position, &sales).await.unwrap());
        let found = audit_figures(&**figures, &*world.store.outbox, &*world.store.catalog).await.unwrap();
        assert_eq!(found, []);
    }
    let mut total = SalesRow::default();
    all(&world).await.rows.values().for_each(|row| total.add(row));
    let expected =
        SalesRow { holds: 2, confirmed: 1, expired: 1, cancelled: 1, seats: 0, value: 0, captured: 7000, refunded: 7000 };
    assert_eq!(total, expected);
}

/// What was sold and came back within the hour is as if it had never been.
pub async fn a_row_of_zeros_is_left_out(world: World) {
    let event = world.event(1, 4).await;
    let figures = &world.store.figures;
    let sales = |sign: i64| {
        let key = SalesKey { event_id: event.id(), hour: world.now().hour(), section: "Front".to_owned() };
        Sales { rows: [(key, SalesRow { seats: sign, value: 4500 * sign, ..SalesRow::default() })].into() }
    };
    figures.add(0, 1, &sales(1)).await.unwrap();
    assert_eq!(all(&world).await, sales(1));
    figures.add(1, 2, &sales(-1)).await.unwrap();
    assert_eq!(all(&world).await, Sales::default());

    let sold = world.buy(&event, customer(1), &[0]).await;
    world.cancel(HOUSE, sold.id).await.unwrap();
    let mut folded = Sales::default();
    for entry in world.store.outbox.after(0, u32::MAX).await.unwrap() {
        folded.fold(&entry.transition, &|_, _| "Front".to_owned());
    }
    assert_eq!(folded.rows.keys().map(|key| &*key.section).collect::<Vec<_>>(), [""]);
}
