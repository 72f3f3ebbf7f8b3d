//! Stores that several processes may open at once.

use evently_core::{
    domain::{Request, SeatStatus},
    ports::{Elsewhere, Rotation, Taken},
};

use super::{race, sessions};
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

pub async fn of_those_who_work_for_several_stores_one_has_the_consumer(world: World) {
    let (here, there) = (&world.store.outbox, world.open_again().await.outbox);
    let [ours, theirs] = [world.claim(), world.claim()];
    assert_eq!(here.claim("mail", &ours).await.unwrap(), Some(0));
    assert_eq!(there.claim("mail", &theirs).await.unwrap(), None);
    assert!(!there.advance("mail", 9, &theirs).await.unwrap());
    assert!(here.advance("mail", 4, &ours.over(world.now())).await.unwrap());
    assert_eq!(there.claim("mail", &theirs).await.unwrap(), Some(4));
    assert!(!here.advance("mail", 5, &ours).await.unwrap(), "it was taken over");
}

pub async fn of_those_who_work_for_several_stores_one_has_the_message(world: World) {
    let (here, there) = (&world.store.inbox, world.open_again().await.inbox);
    let [ours, theirs] = [world.claim(), world.claim()];
    assert_eq!(here.take("mail", 7, &ours).await.unwrap(), Taken::Ours);
    assert_eq!(there.take("mail", 7, &theirs).await.unwrap(), Taken::Others);
    assert!(here.done("mail", 7, ours.owner).await.unwrap());
    assert_eq!(there.take("mail", 7, &theirs).await.unwrap(), Taken::Done);
}

pub async fn a_login_that_one_has_ended_is_over_at_the_other(world: World) {
    let there = world.open_again().await.sessions;
    let session = sessions::login(&world, [1; 32]).await;
    assert!(there.holder(session.id).await.unwrap().is_some());
    assert_eq!(there.rotate(&[1; 32], &[2; 32], world.now()).await.unwrap(), Rotation::Rotated(session));
    there.revoke(&[2; 32]).await.unwrap();
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None);
    assert_eq!(world.store.sessions.rotate(&[2; 32], &[3; 32], world.now()).await.unwrap(), Rotation::Ended);
}
