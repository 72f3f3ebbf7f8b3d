//! Outbox: the journal, handed on in order.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use evently_core::{
    domain::{Fact, Request},
    ports::CLAIM_LASTS,
};

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

/// Whatever they are about.
pub async fn entries_come_in_the_order_in_which_they_were_written(world: World) {
    let events = [world.event(1, 8).await, world.event(1, 8).await];
    let before = u64::try_from(world.store.outbox.after(0, 1_000).await.unwrap().len()).unwrap();
    let mut held = Vec::new();
    for seat in 0..6 {
        held.push(world.hold(&events[seat as usize % 2], customer(seat), &[seat]).await.id);
    }
    let entries = world.store.outbox.after(before, 1_000).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.transition.booking_id()).collect::<Vec<_>>(),
        held.into_iter().map(Some).collect::<Vec<_>>()
    );
}

pub async fn each_consumer_has_a_place_of_its_own(world: World) {
    let outbox = &world.store.outbox;
    assert_eq!(outbox.position("mail").await.unwrap(), 0);
    for (consumer, position) in [("mail", 5), ("figures", 2)] {
        let claim = world.claim();
        assert_eq!(outbox.claim(consumer, &claim).await.unwrap(), Some(0));
        assert!(outbox.advance(consumer, position, &claim).await.unwrap());
    }
    assert_eq!((outbox.position("mail").await.unwrap(), outbox.position("figures").await.unwrap()), (5, 2));
}

pub async fn a_place_never_goes_back(world: World) {
    let (outbox, claim) = (&world.store.outbox, world.claim());
    outbox.claim("mail", &claim).await.unwrap();
    for (to, then) in [(5, 5), (3, 5), (6, 6)] {
        assert!(outbox.advance("mail", to, &claim).await.unwrap());
        assert_eq!(outbox.position("mail").await.unwrap(), then);
    }
}

pub async fn of_many_who_claim_a_consumer_one_has_it(world: World) {
    let claims = Arc::new((0..super::RACERS).map(|_| world.claim()).collect::<Vec<_>>());
    let outbox = world.store.outbox.clone();
    let claimed = race(move |n| {
        let (outbox, claims) = (outbox.clone(), claims.clone());
        async move { outbox.claim("mail", &claims[n as usize]).await.unwrap() }
    });
    assert_eq!(claimed.await.into_iter().flatten().collect::<Vec<_>>(), [0]);
}

pub async fn a_claim_lasts_until_its_end_and_can_be_prolonged(world: World) {
    let (outbox, ours) = (&world.store.outbox, world.claim());
    assert_eq!(outbox.claim("mail", &ours).await.unwrap(), Some(0));
    assert_eq!(outbox.claim("mail", &ours).await.unwrap(), Some(0), "it is ours already");
    world.wait(CLAIM_LASTS.saturating_sub(Duration::from_micros(1)));
    assert_eq!(outbox.claim("mail", &world.claim()).await.unwrap(), None);
    let ours = ours.prolonged(world.now());
    assert!(outbox.advance("mail", 4, &ours).await.unwrap());
    world.wait(CLAIM_LASTS.saturating_sub(Duration::from_micros(1)));
    assert_eq!(outbox.claim("mail", &world.claim()).await.unwrap(), None, "it was prolonged");
    world.wait(Duration::from_micros(1));
    assert_eq!(outbox.claim("mail", &world.claim()).await.unwrap(), Some(4));
}

pub async fn a_claim_that_is_let_go_is_to_be_had_at_once(world: World) {
    let (outbox, first) = (&world.store.outbox, world.claim());
    outbox.claim("mail", &first).await.unwrap();
    assert!(outbox.advance("mail", 4, &first.over(world.now())).await.unwrap());
    assert_eq!(outbox.claim("mail", &world.claim()).await.unwrap(), Some(4));
}

pub async fn who_was_taken_over_moves_nothing(world: World) {
    let (outbox, slow) = (&world.store.outbox, world.claim());
    assert!(!outbox.advance("mail", 1, &slow).await.unwrap(), "without a claim");
    outbox.claim("mail", &slow).await.unwrap();
    world.wait(CLAIM_LASTS);
    assert!(outbox.advance("mail", 1, &slow).await.unwrap(), "late, but nobody has taken over");
    let next = world.claim();
    assert_eq!(outbox.claim("mail", &next).await.unwrap(), Some(1));
    for position in [0, 9] {
        assert!(!outbox.advance("mail", position, &slow.prolonged(world.now())).await.unwrap());
    }
    assert_eq!(outbox.position("mail").await.unwrap(), 1);
    assert_eq!(outbox.claim("mail", &slow).await.unwrap(), None, "nor does it come back");
    assert!(outbox.advance("mail", 2, &next).await.unwrap());
}

/// Whether whoever had it has let it go or crashed with it: nothing would be handed on until that time comes.
pub async fn a_claim_of_a_clock_that_was_far_ahead_is_over(world: World) {
    let (outbox, minutes) = (&world.store.outbox, |minutes| Duration::from_mins(minutes));
    for (consumer, ahead, let_go) in
        [("mail", minutes(60), true), ("jobs", minutes(60), false), ("audit", minutes(60 * 24 * 365), false)]
    {
        let then = world.now() + ahead;
        let theirs = world.claim().prolonged(then);
        assert_eq!(outbox.claim(consumer, &theirs).await.unwrap(), Some(0));
        let last = if let_go { theirs.over(then) } else { theirs };
        assert!(outbox.advance(consumer, 4, &last).await.unwrap());
        let ours = world.claim();
        assert_eq!(outbox.claim(consumer, &ours).await.unwrap(), Some(4), "{consumer}");
        assert_eq!(outbox.claim(consumer, &world.claim()).await.unwrap(), None, "it is ours");
        assert!(!outbox.advance(consumer, 5, &theirs).await.unwrap(), "and not theirs");
    }
    // Clocks may differ.
    let theirs = world.claim().prolonged(world.now() + minutes(10));
    assert_eq!(outbox.claim("figures", &theirs).await.unwrap(), Some(0));
    assert_eq!(outbox.claim("figures", &world.claim()).await.unwrap(), None);
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
