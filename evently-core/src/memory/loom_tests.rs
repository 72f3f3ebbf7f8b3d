//! The store in memory, under every order in which those who call it may run.

use std::{sync::Arc, time::Duration};

use loom::thread;

use crate::{
    audit,
    domain::{Actor, Answer, BookingId, Command, GatewayReport, Request, Role, Timestamp, UserId},
    ports::Bookings,
    story::Story,
    sync::ready,
};

fn hold(story: &Story, number: u128, seats: &[u32]) -> Request {
    let user_id = UserId::from_uuid(uuid::Uuid::from_u128(number));
    let seats = seats.iter().map(|seat| story.layout.id.seat(*seat)).collect();
    let booking_id = BookingId::from_uuid(uuid::Uuid::from_u128(number));
    let command = Command::Hold { booking_id, event_id: story.event, user_id, seats, terms: story.terms };
    Request::new(Actor::User(user_id, Role::Customer), command)
}

/// Each sends its requests, one call each; the answers of each.
fn race<const N: usize>(story: &Story, callers: [(Timestamp, Vec<Request>); N]) -> [Vec<Answer>; N] {
    let threads = callers.map(|(now, requests)| {
        let store = Arc::clone(&story.store);
        thread::spawn(move || {
            let call = |request| ready(store.apply(now, &[request])).unwrap().answers.remove(0);
            requests.into_iter().map(call).collect()
        })
    });
    threads.map(|thread| thread.join().unwrap())
}

fn audited(story: &Story, now: Timestamp) {
    assert_eq!(audit::check(&story.read(), Some(&story.layout), now), []);
}

#[test]
fn of_three_who_want_overlapping_seats_those_who_lose_get_nothing() {
    loom::model(|| {
        let story = Story::begin();
        let callers = [[0, 1], [1, 2], [2, 0]].map(|seats| (story.now, vec![hold(&story, 10 + u128::from(seats[0]), &seats)]));
        let answers = race(&story, callers);
        assert_eq!(answers.iter().filter(|answers| answers[0].result.is_ok()).count(), 1);
        assert_eq!(story.read().seats.iter().filter(|seat| seat.owner().is_some()).count(), 2);
        audited(&story, story.now);
    });
}

#[test]
fn money_and_another_buyer_at_the_deadline_do_not_both_get_the_seat() {
    loom::model(|| {
        let mut story = Story::begin();
        let booking = story.hold(0);
        let payment = story.start_payment(booking);
        let now = story.now + story.terms.payment_window + Duration::from_secs(1);
        let settle = Command::SettlePayment {
            payment_id: payment,
            report: GatewayReport::Succeeded,
            reference: None,
            message: None,
            instead: vec![],
            terms: story.terms,
            answers: None,
        };
        let paid = vec![Request::new(Actor::Gateway, settle.clone()), Request::new(Actor::Gateway, settle)];
        let expire = vec![Request::new(Actor::System, Command::Expire { booking_id: booking })];
        let answers = race(&story, [(now, paid), (now, vec![hold(&story, 10, &[0])]), (now, expire)]);
        let records = story.read();
        let sold = records.bookings.iter().any(|row| row.id == booking && row.code.is_some());
        assert_ne!(sold, answers[1][0].result.is_ok(), "one of them has it");
        assert_eq!(records.refunds.len(), usize::from(!sold));
        audited(&story, now);
    });
}

#[test]
fn a_call_is_decided_whole() {
    loom::model(|| {
        let story = Story::begin();
        let calls = [10, 20].map(|number| [hold(&story, number, &[0]), hold(&story, number + 1, &[1])]);
        let threads = calls.map(|requests| {
            let (store, now) = (Arc::clone(&story.store), story.now);
            thread::spawn(move || ready(store.apply(now, &requests)).unwrap())
        });
        for applied in threads.map(|thread| thread.join().unwrap()) {
            let accepted = applied.answers.iter().filter(|answer| answer.result.is_ok()).count();
            assert!(accepted == 0 || accepted == 2, "one call comes before the other");
            assert_eq!(applied.changes.len(), accepted, "and is told its own changes");
        }
        audited(&story, story.now);
    });
}
