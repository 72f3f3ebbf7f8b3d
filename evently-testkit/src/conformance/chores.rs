//! Chores: what is due is found.

use std::{fmt::Debug, time::Duration};

use evently_core::{
    domain::{
        ANSWERS_KEPT, CLOCKS_APART, Command, GatewayReport, Outcome, Payment, PaymentId, PaymentState, Refund, RefundId, Request,
        Timestamp,
    },
    ports::{Due, Ids as _, Page, Rotation},
};

use super::sessions;
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
        let found = undecided_payments(&world, "sandbox", before, Page { after: None, limit }).await;
        found.into_iter().map(|payment| payment.id).collect::<Vec<_>>()
    };
    let ids = payments.iter().map(|payment| payment.id).collect::<Vec<_>>();
    assert_eq!(undecided(world.now(), 10).await, ids);
    assert_eq!(undecided(world.now(), 2).await, ids[..2]);
    let page = Page { after: Some((payments[1].created_at, ids[1])), limit: 1 };
    let rest = undecided_payments(&world, "sandbox", world.now(), page).await;
    assert_eq!(rest, payments[2..3], "page by page");
    assert_eq!(undecided(payments[2].created_at, 10).await, ids[..2], "not those that began then");
    let mut together = Vec::new();
    for seat in 4..7 {
        let held = world.hold(&event, customer(seat), &[seat]).await;
        together.push(world.start_payment(&held).await);
    }
    together.sort_unstable_by_key(|payment| (payment.created_at, payment.id));
    let later = world.now() + SECOND;
    let page = Page { after: Some((together[0].created_at, together[0].id)), limit: 1 };
    let next = undecided_payments(&world, "sandbox", later, page).await;
    assert_eq!(next, together[1..2], "of those that began together none is left out");
    world.report(ids[0], GatewayReport::Succeeded).await;
    let action = GatewayReport::RequiresAction { client_secret: "secret".to_owned() };
    world.report(ids[1], action).await;
    world.report(ids[2], GatewayReport::Failed { reason: "card_declined".to_owned() }).await;
    assert_eq!(undecided(world.now(), 10).await, [ids[1], ids[3]], "and not those that began just now");
}

/// It may have been captured, and would be asked about when that time has come; and until then nobody could try another card.
pub async fn a_payment_begun_by_a_clock_that_was_far_ahead_is_found_and_may_be_given_up(world: World) {
    let (event, then) = (world.event(1, 2).await, world.now() + Duration::from_hours(1));
    let hold = world.hold_command(&event, customer(1), &[0]);
    let Command::Hold { booking_id, .. } = hold else { unreachable!("it is a hold") };
    let payment_id = PaymentId::from_uuid(world.ids.uuid(then));
    let provider = "sandbox".to_owned();
    let start = |payment_id| Command::StartPayment { payment_id, booking_id, provider: provider.clone(), terms: world.terms };
    let requests = [hold, start(payment_id)].map(|command| Request::new(customer(1), command));
    let applied = world.store.bookings.apply(then, &requests).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    let found = async |before| undecided_payments(&world, "sandbox", before, Page { after: None, limit: 10 }).await.len();
    assert_eq!(found(world.now()).await, 1);
    assert_eq!(found(then - CLOCKS_APART).await, 0, "clocks may differ");
    assert_eq!(found(then - CLOCKS_APART - Duration::from_micros(1)).await, 1);
    let other = Request::new(customer(1), start(PaymentId::from_uuid(world.ids.uuid(world.now()))));
    let [other] = &world.store.bookings.apply(world.now(), &[other]).await.unwrap().answers[..] else { panic!("one answer") };
    assert!(matches!(other.result, Ok(Outcome::PaymentStarted(..))), "{other:?}");
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
    let owed = first_refunds(&world, "sandbox", 10).await;
    let expected = refunds.iter().map(|records| (records.refunds[0].clone(), records.payments[0].clone())).collect::<Vec<_>>();
    assert_eq!(owed, expected);
    assert_eq!(first_refunds(&world, "sandbox", 1).await, expected[..1]);
    let after = (owed[0].0.created_at, owed[0].0.id);
    let rest = owed_refunds(&world, "sandbox", Page { after: Some(after), limit: 1 }).await;
    assert_eq!(rest, expected[1..2], "page by page");
    world.ask(SYSTEM, Command::SettleRefund { refund_id: owed[0].0.id }).await.unwrap();
    assert_eq!(first_refunds(&world, "sandbox", 10).await, expected[1..]);
}

/// An event that is called off owes them all at one moment.
pub async fn of_refunds_that_began_together_none_is_left_out(world: World) {
    let event = world.event(1, 8).await;
    let mut sold = Vec::new();
    for seat in 0..4 {
        sold.push(world.buy(&event, customer(seat), &[seat]).await.id);
    }
    let cancel = |booking_id| Request::new(HOUSE, Command::Cancel { booking_id, expected: None, reason: None });
    world.apply(&sold.into_iter().map(cancel).collect::<Vec<_>>()).await;
    let owed = first_refunds(&world, "sandbox", 10).await;
    assert_eq!(owed.len(), 4);
    assert!(owed.iter().all(|(refund, _)| refund.created_at == owed[0].0.created_at), "{owed:?}");
    assert!(owed.is_sorted_by_key(|(refund, _)| refund.id), "{owed:?}");
    for (at, (refund, _)) in owed.iter().enumerate() {
        let page = Page { after: Some((refund.created_at, refund.id)), limit: 1 };
        let next = owed_refunds(&world, "sandbox", page).await;
        assert_eq!(next, owed[at + 1..].iter().take(1).cloned().collect::<Vec<_>>(), "after the {at}th");
    }
}

async fn first_refunds(world: &World, provider: &str, limit: u32) -> Vec<(Refund, Payment)> {
    owed_refunds(world, provider, Page { after: None, limit }).await
}

async fn owed_refunds(world: &World, provider: &str, page: Page<(Timestamp, RefundId)>) -> Vec<(Refund, Payment)> {
    let owed = world.store.chores.owed_refunds(provider, page).await.unwrap();
    readable(owed, |(refund, _)| (refund.created_at, refund.id))
}

async fn undecided_payments(
    world: &World,
    provider: &str,
    before: Timestamp,
    page: Page<(Timestamp, PaymentId)>,
) -> Vec<Payment> {
    let undecided = world.store.chores.undecided_payments(provider, before, page).await.unwrap();
    readable(undecided, |payment| (payment.created_at, payment.id))
}

/// Those of a page, each of which can be read and stands under its own key.
fn readable<K: Debug + PartialEq, T>(page: Vec<Due<K, T>>, key: impl Fn(&T) -> (Timestamp, K)) -> Vec<T> {
    let one = |(under, due): Due<K, T>| {
        let due = due.unwrap();
        assert_eq!(under, key(&due));
        due
    };
    page.into_iter().map(one).collect()
}

pub async fn what_one_gateway_has_to_do_does_not_stand_in_the_way_of_another(world: World) {
    let event = world.event(1, 8).await;
    for seat in 0..3 {
        let held = world.hold(&event, customer(seat), &[seat]).await;
        let confirm = Command::Confirm { booking_id: held.id, payment_id: world.payment_id(), reference: None };
        world.ask(HOUSE, confirm).await.unwrap();
        world.cancel(HOUSE, held.id).await.unwrap();
    }
    let held = world.hold(&event, customer(4), &[4]).await;
    let (payment_id, terms) = (world.payment_id(), world.terms);
    let start = Command::StartPayment { payment_id, booking_id: held.id, provider: "other".to_owned(), terms };
    world.ask(HOUSE, start).await.unwrap();
    world.wait(SECOND);
    let sold = world.buy(&event, customer(5), &[5]).await;
    world.cancel(HOUSE, sold.id).await.unwrap();
    let paying = world.hold(&event, customer(6), &[6]).await;
    let payment = world.start_payment(&paying).await;
    world.wait(SECOND);

    let of = async |provider| first_refunds(&world, provider, 2).await.into_iter().map(|(refund, _)| refund.booking_id);
    assert_eq!(of("sandbox").await.collect::<Vec<_>>(), [sold.id]);
    assert_eq!(of("external").await.count(), 2);
    assert_eq!(of("other").await.count(), 0);
    let page = Page { after: None, limit: 1 };
    let undecided = async |provider| undecided_payments(&world, provider, world.now(), page).await;
    assert_eq!(undecided("sandbox").await, [payment]);
    assert_eq!(undecided("other").await.iter().map(|payment| payment.id).collect::<Vec<_>>(), [payment_id]);
    assert_eq!(undecided("external").await, []);
}

/// Nobody has told its gateway, and a message about it may have been lost.
pub async fn a_payment_that_was_given_up_is_asked_about_until_it_is_decided(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let mut given_up = Vec::new();
    for _ in 0..2 {
        given_up.push(world.start_payment(&held).await.id);
        world.wait(SECOND * 20);
    }
    let last = world.start_payment(&held).await;
    world.wait(SECOND);
    let page = Page { after: None, limit: 10 };
    let undecided = async || {
        let found = undecided_payments(&world, "sandbox", world.now(), page).await;
        found.into_iter().map(|payment| payment.id).collect::<Vec<_>>()
    };
    assert_eq!(undecided().await, [given_up[0], given_up[1], last.id]);
    let failed = |reason: &str| GatewayReport::Failed { reason: reason.to_owned() };
    let (payment, _) = world.report(given_up[0], failed("no_answer")).await;
    assert_eq!(payment.state, PaymentState::Failed { reason: "no_answer".to_owned() });
    assert_eq!(undecided().await, [given_up[0], given_up[1], last.id], "the gateway may hear of it yet");
    let (payment, booking) = world.report(given_up[0], failed("card_declined")).await;
    assert_eq!(payment.state, PaymentState::Failed { reason: "card_declined".to_owned() });
    assert_eq!(booking.hold().and_then(|hold| hold.payment).map(|(id, _)| id), Some(last.id), "it is about the last one");
    assert_eq!(undecided().await, [given_up[1], last.id]);
    world.report(last.id, GatewayReport::Succeeded).await;
    let (payment, _) = world.report(given_up[1], GatewayReport::Succeeded).await;
    assert_eq!((payment.refunded, undecided().await), (4500, Vec::new()));
    world.audited(&event).await;
}

pub async fn logins_that_have_ended_are_forgotten_and_others_are_not(world: World) {
    let (sessions, now) = (&world.store.sessions, world.now());
    let rotate = async |spent: u8, next: u8| sessions.rotate(&[spent; 32], &[next; 32], now).await.unwrap();
    let first = sessions::login(&world, [1; 32]).await;
    let second = sessions::login(&world, [11; 32]).await;
    world.wait(SECOND);
    let lasting = sessions::login(&world, [21; 32]).await;
    for token in [1, 2, 21] {
        assert!(matches!(rotate(token, token + 1).await, Rotation::Rotated(_)));
    }
    sessions.revoke(&[11; 32]).await.unwrap();
    let forget = async |before, limit| world.store.chores.forget_sessions(before, limit).await.unwrap();
    assert_eq!(forget(first.expires_at, 10).await, 0, "they end then, and not before");
    let mut forgotten = 0;
    for limit in [3, 2, 1, 1] {
        let count = forget(lasting.expires_at, limit).await;
        assert!(count <= u64::from(limit));
        forgotten += count;
    }
    assert_eq!((forgotten, forget(lasting.expires_at, 10).await), (6, 0), "two logins and four tokens");
    for id in [first.id, second.id] {
        assert_eq!(sessions.holder(id).await.unwrap(), None);
    }
    assert_eq!(rotate(3, 4).await, Rotation::Ended);
    assert!(sessions.holder(lasting.id).await.unwrap().is_some());
    assert_eq!(rotate(21, 23).await, Rotation::Reused, "whoever uses it again is found out");
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

/// Its key has been used again after its time, and nobody had forgotten the old one by then.
pub async fn an_answer_in_the_place_of_an_old_one_is_not_forgotten(world: World) {
    let event = world.event(1, 4).await;
    let ask = || {
        let hold = world.hold_command(&event, customer(1), &[0]);
        world.answer(Request::new(customer(1), hold).with_key(World::key("a", "")))
    };
    ask().await;
    world.wait(ANSWERS_KEPT);
    assert!(!ask().await.replayed);
    // A store may have kept the old one beside it.
    world.store.chores.forget_answers(world.now(), 10).await.unwrap();
    assert!(ask().await.replayed, "it is of now");
}
