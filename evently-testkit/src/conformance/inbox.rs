//! Inbox: each message is acted on once.

use std::{sync::Arc, time::Duration};

use evently_core::ports::{CLAIM_LASTS, Taken};

use super::race;
use crate::World;

pub async fn a_message_that_is_done_is_not_taken_again(world: World) {
    let (inbox, claim) = (&world.store.inbox, world.claim());
    assert_eq!(inbox.take("mail", 7, &claim).await.unwrap(), Taken::Ours);
    assert!(inbox.done("mail", 7, claim.owner).await.unwrap());
    world.wait(Duration::from_hours(1000));
    for again in [claim, world.claim()] {
        assert_eq!(inbox.take("mail", 7, &again).await.unwrap(), Taken::Done);
    }
    inbox.let_go("mail", 7, claim.owner).await.unwrap();
    assert_eq!(inbox.take("mail", 7, &claim).await.unwrap(), Taken::Done);
}

pub async fn each_message_and_each_consumer_is_on_its_own(world: World) {
    let (inbox, claim) = (&world.store.inbox, world.claim());
    for (consumer, message) in [("mail", 7), ("mail", 3), ("jobs", 7)] {
        assert_eq!(inbox.take(consumer, message, &claim).await.unwrap(), Taken::Ours, "{consumer} {message}");
        assert!(inbox.done(consumer, message, claim.owner).await.unwrap());
    }
}

pub async fn of_many_who_take_a_message_one_has_it(world: World) {
    let claims = Arc::new((0..super::RACERS).map(|_| world.claim()).collect::<Vec<_>>());
    let inbox = world.store.inbox.clone();
    let taken = race(move |n| {
        let (inbox, claims) = (inbox.clone(), claims.clone());
        async move { inbox.take("mail", 7, &claims[n as usize]).await.unwrap() }
    });
    let taken = taken.await;
    assert_eq!(taken.iter().filter(|taken| **taken == Taken::Ours).count(), 1);
    assert_eq!(taken.iter().filter(|taken| **taken == Taken::Others).count(), super::RACERS as usize - 1);
}

pub async fn a_message_that_is_let_go_is_to_be_had_at_once(world: World) {
    let (inbox, claim) = (&world.store.inbox, world.claim());
    inbox.take("mail", 7, &claim).await.unwrap();
    inbox.let_go("mail", 7, claim.owner).await.unwrap();
    assert_eq!(inbox.take("mail", 7, &world.claim()).await.unwrap(), Taken::Ours);
}

pub async fn who_crashed_with_a_message_is_taken_over_and_has_no_say(world: World) {
    let (inbox, crashed) = (&world.store.inbox, world.claim());
    inbox.take("mail", 7, &crashed).await.unwrap();
    world.wait(CLAIM_LASTS.saturating_sub(Duration::from_micros(1)));
    assert_eq!(inbox.take("mail", 7, &world.claim()).await.unwrap(), Taken::Others);
    world.wait(Duration::from_micros(1));
    let next = world.claim();
    assert_eq!(inbox.take("mail", 7, &next).await.unwrap(), Taken::TakenOver);
    assert_eq!(
        inbox.take("mail", 7, &next.prolonged(world.now())).await.unwrap(),
        Taken::Ours,
        "nobody takes over from themselves"
    );
    assert!(!inbox.done("mail", 7, crashed.owner).await.unwrap());
    inbox.let_go("mail", 7, crashed.owner).await.unwrap();
    assert_eq!(inbox.take("mail", 7, &crashed.prolonged(world.now())).await.unwrap(), Taken::Others);
    assert!(inbox.done("mail", 7, next.owner).await.unwrap());
}

/// Or it would wait until that time comes, and in one process everything behind it.
pub async fn a_message_begun_by_a_clock_that_was_far_ahead_is_taken_over(world: World) {
    let (inbox, then) = (&world.store.inbox, world.now() + Duration::from_hours(1));
    inbox.take("mail", 7, &world.claim().prolonged(then)).await.unwrap();
    assert_eq!(inbox.take("mail", 7, &world.claim()).await.unwrap(), Taken::TakenOver);
    assert_eq!(inbox.take("mail", 7, &world.claim()).await.unwrap(), Taken::Others);
}

pub async fn who_takes_a_message_over_takes_no_other(world: World) {
    let (inbox, crashed) = (&world.store.inbox, world.claim());
    for message in [7, 8] {
        inbox.take("mail", message, &crashed).await.unwrap();
    }
    assert!(inbox.done("mail", 8, crashed.owner).await.unwrap());
    world.wait(CLAIM_LASTS);
    let (others, next) = (world.claim(), world.claim());
    for (consumer, message) in [("mail", 9), ("jobs", 7)] {
        inbox.take(consumer, message, &others).await.unwrap();
    }
    assert_eq!(inbox.take("mail", 7, &next).await.unwrap(), Taken::TakenOver);
    assert_eq!(inbox.take("mail", 8, &world.claim()).await.unwrap(), Taken::Done);
    for (consumer, message) in [("mail", 9), ("jobs", 7)] {
        assert!(!inbox.done(consumer, message, next.owner).await.unwrap(), "{consumer} {message}");
        assert!(inbox.done(consumer, message, others.owner).await.unwrap(), "{consumer} {message}");
    }
}

pub async fn who_lets_a_message_go_keeps_the_others(world: World) {
    let (inbox, claim) = (&world.store.inbox, world.claim());
    for (consumer, message) in [("mail", 7), ("mail", 8), ("jobs", 7)] {
        inbox.take(consumer, message, &claim).await.unwrap();
    }
    inbox.let_go("mail", 7, claim.owner).await.unwrap();
    for (consumer, message, taken) in [("mail", 8, Taken::Others), ("jobs", 7, Taken::Others), ("mail", 7, Taken::Ours)] {
        assert_eq!(inbox.take(consumer, message, &world.claim()).await.unwrap(), taken, "{consumer} {message}");
    }
}

pub async fn what_was_done_long_ago_is_forgotten_and_nothing_else(world: World) {
    let (inbox, claim) = (&world.store.inbox, world.claim());
    for message in 0..5 {
        inbox.take("mail", message, &claim).await.unwrap();
    }
    for message in 0..3 {
        inbox.done("mail", message, claim.owner).await.unwrap();
        // Somebody else is still at the same ones.
        inbox.take("jobs", message, &claim).await.unwrap();
    }
    let forget = async |before, limit| world.store.chores.forget_messages(before, limit).await.unwrap();
    assert_eq!(forget(claim.until, 10).await, 0);
    let later = claim.until + Duration::from_micros(1);
    assert_eq!((forget(later, 2).await, forget(later, 2).await, forget(later, 2).await), (2, 1, 0));
    for (consumer, message) in [("mail", 4), ("jobs", 0), ("jobs", 1), ("jobs", 2)] {
        let taken = inbox.take(consumer, message, &world.claim()).await.unwrap();
        assert_eq!(taken, Taken::Others, "{consumer} {message} is not done");
    }
}
