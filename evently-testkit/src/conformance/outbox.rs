//! Outbox: the journal, handed on in order.

use std::{collections::BTreeSet, sync::Arc};

use evently_core::domain::{Fact, Request};

use super::race;
use crate::{World, customer};

pub async fn entries_come_in_order_without_a_gap(world: World) {
    let event = world.event(1, 8).await;
    world.buy(&event, customer(1), &[0, 1]).await;
    world.hold(&event, customer(2), &[2]).await;
    let all = world.store.outbox.after(0, 1_000).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.position).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    assert_eq!(all, world.records(&event).await.journal);
    assert_eq!(world.store.outbox.after(0, 3).await.unwrap(), all[..3]);
    assert_eq!(world.store.outbox.after(3, 3).await.unwrap(), all[3..6]);
    assert_eq!(world.store.outbox.after(7, 3).await.unwrap(), []);
    assert_eq!(world.store.outbox.after(u64::from(u32::MAX), 3).await.unwrap(), []);
}

pub async fn each_consumer_has_a_place_of_its_own(world: World) {
    let outbox = &world.store.outbox;
    assert_eq!(outbox.position("mail").await.unwrap(), 0);
    outbox.advance("mail", 5).await.unwrap();
    outbox.advance("figures", 2).await.unwrap();
    assert_eq!((outbox.position("mail").await.unwrap(), outbox.position("figures").await.unwrap()), (5, 2));
}

pub async fn a_place_never_goes_back(world: World) {
    let outbox = &world.store.outbox;
    outbox.advance("mail", 5).await.unwrap();
    outbox.advance("mail", 3).await.unwrap();
    assert_eq!(outbox.position("mail").await.unwrap(), 5);
    outbox.advance("mail", 6).await.unwrap();
    assert_eq!(outbox.position("mail").await.unwrap(), 6);
}

/// A reader that follows the journal while many write never passes an entry over.
pub async fn no_entry_is_passed_over_while_others_commit(world: World) {
    let event = Arc::new(world.event(8, 16).await);
    let start = world.store.outbox.after(0, 100).await.unwrap().len() as u64;
    let (outbox, writers) = (world.store.outbox.clone(), world.store.bookings.clone());
    let reader = tokio::spawn(async move {
        let (mut position, mut seen) = (start, Vec::new());
        while seen.len() < 2 * super::RACERS as usize {
            let entries = outbox.after(position, 7).await.unwrap();
            position = entries.last().map_or(position, |entry| entry.position);
            seen.extend(entries);
            tokio::task::yield_now().await;
        }
        seen
    });
    let now = world.now();
    let hold = |n: u32, seat| Request::new(customer(n), world.hold_command(&event, customer(n), &[seat]));
    let requests = Arc::new((0..super::RACERS).map(|n| [hold(n, 2 * n), hold(n, 2 * n + 1)]).collect::<Vec<_>>());
    race(|n| {
        let (bookings, requests) = (writers.clone(), requests.clone());
        async move { bookings.apply(now, &requests[n as usize]).await.unwrap() }
    })
    .await;
    let seen = reader.await.unwrap();
    let positions = seen.iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert_eq!(positions, (start + 1..).take(seen.len()).collect::<Vec<_>>());
    let held = seen.iter().filter_map(|entry| match entry.transition.fact {
        Fact::Booking { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(held.collect::<BTreeSet<_>>().len(), seen.len(), "each booking once");
}
