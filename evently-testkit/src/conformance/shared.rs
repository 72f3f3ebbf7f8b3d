//! Stores that several processes may open at once.

use evently_core::{
    domain::{Request, SeatStatus},
    ports::Elsewhere,
};

use super::race;
use crate::{World, customer};

pub async fn what_one_commits_the_other_sees(world: World) {
    let event = world.event(1, 4).await;
    let other = world.open_again().await;
    let held = world.hold(&event, customer(1), &[0]).await;
    assert_eq!(other.bookings.booking(held.id).await.unwrap(), Some(held));
    let map = other.catalog.seat_map(event.id()).await.unwrap().unwrap();
    assert_eq!(map.statuses()[0], SeatStatus::Reserved);
}

pub async fn a_write_elsewhere_is_noticed_once(world: World) {
    let event = world.event(1, 4).await;
    let other = world.open_again().await;
    world.store.catalog.changed_elsewhere().await.unwrap();
    assert_eq!(world.store.catalog.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    let hold = Request::new(customer(1), world.hold_command(&event, customer(1), &[0]));
    other.bookings.apply(world.now(), &[hold]).await.unwrap();
    assert_ne!(world.store.catalog.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    assert_eq!(world.store.catalog.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
}

pub async fn of_many_buyers_through_several_stores_one_gets_the_seat(world: World) {
    let event = world.event(1, 4).await;
    let stores = [world.store.clone(), world.open_again().await, world.open_again().await];
    let requests = (0..super::RACERS).map(|n| Request::new(customer(n), world.hold_command(&event, customer(n), &[n % 2, 2])));
    let requests = requests.collect::<Vec<_>>();
    let now = world.now();
    let accepted = race(|n| {
        let (bookings, request) = (stores[n as usize % 3].bookings.clone(), requests[n as usize].clone());
        async move { bookings.apply(now, &[request]).await.expect("a lost race is an answer").answers[0].result.is_ok() }
    });
    assert_eq!(accepted.await.into_iter().filter(|accepted| *accepted).count(), 1);
    world.audited(&event).await;
}
