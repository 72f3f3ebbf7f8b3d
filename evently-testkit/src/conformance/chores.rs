//! Chores: what is due is found.

use std::time::Duration;

use evently_core::domain::{ANSWERS_KEPT, Command, GatewayReport, Request};

use crate::{HOUSE, ORGANIZER, SYSTEM, World, customer};

const SECOND: Duration = Duration::from_secs(1);

pub async fn holds_that_have_run_out_are_found_the_longest_due_first(world: World) {
    let event = world.event(1, 8).await;
    let due = async |limit| world.store.chores.due_holds(world.now(), limit).await.unwrap();
    let (first, mut held) = (world.now(), Vec::new());
    for seat in 0..4 {
        held.push(world.hold(&event, customer(seat), &[seat]).await.id);
        world.wait(SECOND);
    }
    assert_eq!(due(10).await, []);
    assert_eq!(world.store.chores.pending_total().await.unwrap(), 4);
    world.wait_until(first + world.terms.ttl + SECOND * 2);
    assert_eq!(due(10).await, held[..3], "the deadline itself is too late");
    assert_eq!(due(2).await, held[..2]);
    world.expire(held[0]).await;
    world.cancel(customer(1), held[1]).await.unwrap();
    assert_eq!(due(10).await, held[2..3]);
    assert_eq!(world.store.chores.pending_total().await.unwrap(), 2);
}

pub async fn a_deadline_that_moved_is_found_where_it_is(world: World) {
    let event = world.event(1, 4).await;
    let due = async || world.store.chores.due_holds(world.now(), 10).await.unwrap();
    let [extended, paying] = [world.hold(&event, customer(1), &[0]).await, world.hold(&event, customer(2), &[1]).await];
    world.wait(SECOND);
    world.ask(customer(1), Command::Extend { booking_id: extended.id, terms: world.terms }).await.unwrap();
    let payment = world.start_payment(&paying).await;
    world.wait_until(extended.created_at + world.terms.ttl);
    assert_eq!(due().await, []);
    world.wait(SECOND);
    assert_eq!(due().await, [extended.id]);
    world.wait(world.terms.payment_window);
    assert_eq!(due().await, [extended.id, paying.id]);
    world.report(payment.id, GatewayReport::Succeeded).await;
    assert_eq!(due().await, [extended.id], "its money was late, and its seats still free");
}

pub async fn live_bookings_of_events_that_were_called_off_are_found(world: World) {
    let [event, other] = [world.event(1, 8).await, world.event(1, 4).await];
    world.hold(&other, customer(1), &[0]).await;
    let mut live = vec![world.hold(&event, customer(1), &[0, 1]).await.id, world.buy(&event, customer(2), &[2, 3]).await.id];
    let ended = world.hold(&event, customer(3), &[4]).await;
    world.cancel(customer(3), ended.id).await.unwrap();
    let called_off = async |limit| world.store.chores.called_off(limit).await.unwrap();
    assert_eq!(called_off(10).await, []);
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
    let mut found = called_off(10).await;
    found.sort_unstable();
    live.sort_unstable();
    assert_eq!(found, live);
    assert_eq!(called_off(1).await.len(), 1);
    for id in live {
        world.cancel(SYSTEM, id).await.unwrap();
    }
    assert_eq!(called_off(10).await, []);
    world.audited(&event).await;
}

pub async fn payments_without_a_decision_are_found_oldest_first(world: World) {
    let event = world.event(1, 8).await;
    let mut payments = Vec::new();
    for seat in 0..4 {
        let held = world.hold(&event, customer(seat), &[seat]).await;
        payments.push(world.start_payment(&held).await);
        world.wait(SECOND);
    }
    let undecided = async |before, limit| {
        let found = world.store.chores.undecided_payments(before, limit).await.unwrap();
        found.into_iter().map(|payment| payment.id).collect::<Vec<_>>()
    };
    let ids = payments.iter().map(|payment| payment.id).collect::<Vec<_>>();
    assert_eq!(undecided(world.now(), 10).await, ids);
    assert_eq!(undecided(world.now(), 2).await, ids[..2]);
    assert_eq!(undecided(payments[2].created_at, 10).await, ids[..2], "not those that began then");
    world.report(ids[0], GatewayReport::Succeeded).await;
    let action = GatewayReport::RequiresAction { client_secret: "secret".to_owned() };
    world.report(ids[1], action).await;
    world.report(ids[2], GatewayReport::Failed { reason: "card_declined".to_owned() }).await;
    assert_eq!(undecided(world.now(), 10).await, [ids[1], ids[3]]);
}

pub async fn refunds_that_were_not_sent_are_found_with_their_payments(world: World) {
    let event = world.event(1, 8).await;
    let mut refunds = Vec::new();
    for seat in 0..3 {
        let sold = world.buy(&event, customer(seat), &[seat]).await;
        world.wait(SECOND);
        world.cancel(HOUSE, sold.id).await.unwrap();
        refunds.push(world.store.bookings.records(sold.id).await.unwrap().unwrap());
    }
    let owed = world.store.chores.owed_refunds(10).await.unwrap();
    let expected = refunds.iter().map(|records| (records.refunds[0].clone(), records.payments[0].clone())).collect::<Vec<_>>();
    assert_eq!(owed, expected);
    assert_eq!(world.store.chores.owed_refunds(1).await.unwrap(), expected[..1]);
    world.ask(SYSTEM, Command::SettleRefund { refund_id: owed[0].0.id }).await.unwrap();
    assert_eq!(world.store.chores.owed_refunds(10).await.unwrap(), expected[1..]);
}

pub async fn old_answers_are_forgotten_and_new_ones_are_not(world: World) {
    let event = world.event(1, 8).await;
    let keyed = |seat: u32, key: &str| {
        Request::new(customer(1), world.hold_command(&event, customer(1), &[seat])).with_key(World::key(key, ""))
    };
    for (seat, key) in (0..).zip(["a", "b", "c"]) {
        world.answer(keyed(seat, key)).await;
    }
    world.wait(ANSWERS_KEPT / 2);
    world.answer(keyed(3, "d")).await;
    let before = world.now() - SECOND;
    let forget = async |limit| world.store.chores.forget_answers(before, limit).await.unwrap();
    assert_eq!(forget(2).await, 2);
    assert_eq!(forget(2).await, 1);
    assert_eq!(forget(2).await, 0);
    assert!(!world.answer(keyed(4, "a")).await.replayed);
    assert!(world.answer(keyed(3, "d")).await.replayed);
}
