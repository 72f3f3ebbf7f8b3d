//! Seat locks.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, EventId, RequestKey},
    ports::{DECIDING, LockRequest, SeatLocks, Settled},
};

use uuid::Uuid;

use super::race;

/// Seat locks, none of which is taken.
pub struct LocksUnderTest {
    /// The locks.
    pub locks: Arc<dyn SeatLocks>,
    /// Makes time pass for them, where it does not by itself. It may pass faster than asked for.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
}

const EVENT: EventId = EventId::from_uuid(Uuid::from_u128(1));
const OTHER: EventId = EventId::from_uuid(Uuid::from_u128(2));
const NOTHING: [u32; 0] = [];
const HELD: Option<Duration> = Some(Duration::from_mins(5));

impl LocksUnderTest {
    async fn ask(&self, requests: &[LockRequest]) -> Vec<Vec<u32>> {
        let answers = self.locks.acquire(requests).await.expect("the locks are there");
        assert_eq!(answers.len(), requests.len());
        answers
    }

    /// What is in the way of somebody.
    async fn in_the_way(&self, request: LockRequest) -> Vec<u32> {
        self.ask(&[request]).await.remove(0)
    }

    async fn settle(&self, request: &LockRequest, held: Option<Duration>) {
        let LockRequest { event_id, seats, booking_id, .. } = request.clone();
        self.locks.settle(&[Settled { event_id, seats, booking_id, held }]).await.expect("the locks are there");
    }
}

fn wants(event_id: EventId, booking: u128, seats: &[u32]) -> LockRequest {
    LockRequest { event_id, seats: seats.to_vec(), booking_id: BookingId::from_uuid(Uuid::from_u128(booking)), key: None }
}

fn with_key(request: LockRequest, key: u8) -> LockRequest {
    LockRequest { key: Some(RequestKey { id: [key; 32], fingerprint: [1; 32] }), ..request }
}

pub async fn who_comes_later_is_told_what_is_in_the_way(test: LocksUnderTest) {
    assert!(test.in_the_way(wants(EVENT, 1, &[7, 3])).await.is_empty());
    assert_eq!(test.in_the_way(wants(EVENT, 2, &[2, 3, 4, 7])).await, [3, 7]);
    assert!(test.in_the_way(wants(EVENT, 2, &[2, 4])).await.is_empty());
}

pub async fn those_of_one_call_do_not_stand_in_each_others_way(test: LocksUnderTest) {
    let answers = test.ask(&[wants(EVENT, 1, &[1]), wants(EVENT, 2, &[1, 2]), wants(EVENT, 3, &[3])]).await;
    assert_eq!(answers, [NOTHING; 3]);
    assert_eq!(test.ask(&[wants(EVENT, 4, &[1, 2, 3])]).await, [[1, 3]], "the second has got no lock");
}

pub async fn a_request_gets_all_its_locks_or_none(test: LocksUnderTest) {
    test.ask(&[wants(EVENT, 1, &[1])]).await;
    assert_eq!(test.in_the_way(wants(EVENT, 2, &[0, 1, 2])).await, [1]);
    assert!(test.in_the_way(wants(EVENT, 3, &[0, 2])).await.is_empty());
}

pub async fn a_repetition_goes_through(test: LocksUnderTest) {
    let first = with_key(wants(EVENT, 1, &[1]), 1);
    assert!(test.in_the_way(first.clone()).await.is_empty());
    assert!(test.in_the_way(with_key(wants(EVENT, 2, &[1]), 1)).await.is_empty(), "with another booking");
    assert_eq!(test.in_the_way(with_key(wants(EVENT, 3, &[1]), 2)).await, [1], "another key is another request");
    test.settle(&first, None).await;
    test.ask(&[wants(EVENT, 4, &[1])]).await;
    assert!(test.in_the_way(with_key(wants(EVENT, 5, &[1]), 1)).await.is_empty(), "whoever has the seat now");
    assert_eq!(test.in_the_way(wants(EVENT, 6, &[1])).await, [1], "which is still the one who had it");
}

pub async fn what_was_turned_away_stays_so_for_a_while(test: LocksUnderTest) {
    let first = wants(EVENT, 1, &[7, 3]);
    test.ask(std::slice::from_ref(&first)).await;
    let turned_away = |booking| with_key(wants(EVENT, booking, &[2, 3, 4, 7]), 1);
    assert_eq!(test.in_the_way(turned_away(2)).await, [3, 7]);
    test.settle(&first, None).await;
    assert_eq!(test.in_the_way(turned_away(3)).await, [3, 7], "as if it had come in the place of the first");
    assert_eq!(test.ask(&[wants(EVENT, 4, &[3]), turned_away(5)]).await, [vec![], vec![3, 7]]);
    assert!(test.in_the_way(with_key(wants(EVENT, 6, &[2, 4, 7]), 2)).await.is_empty(), "it has locked nothing");
}

pub async fn of_another_content_under_the_same_key_nothing_was_said(test: LocksUnderTest) {
    test.ask(&[wants(EVENT, 1, &[7])]).await;
    let of = |fingerprint, booking, seats| {
        let key = RequestKey { id: [1; 32], fingerprint: [fingerprint; 32] };
        LockRequest { key: Some(key), ..wants(EVENT, booking, seats) }
    };
    assert_eq!(test.in_the_way(of(1, 2, &[6, 7])).await, [7]);
    assert!(test.in_the_way(of(2, 3, &[6, 8])).await.is_empty(), "8 is free");
    assert!(test.in_the_way(of(1, 4, &[6, 7])).await.is_empty(), "the store knows which of them the key is for");
    let both = [of(3, 5, &[1]), of(4, 6, &[7])].map(|request| {
        let key = request.key.map(|key| RequestKey { id: [2; 32], ..key });
        LockRequest { key, ..request }
    });
    assert_eq!(test.ask(&both).await, [vec![], vec![7]]);
    assert!(test.in_the_way(both[1].clone()).await.is_empty(), "who was let through keeps the key");
}

pub async fn a_booking_goes_through_again(test: LocksUnderTest) {
    let request = wants(EVENT, 1, &[1, 1, 2]);
    assert!(test.in_the_way(request.clone()).await.is_empty());
    assert!(test.in_the_way(request).await.is_empty());
}

pub async fn what_is_released_can_be_locked_again(test: LocksUnderTest) {
    let first = wants(EVENT, 1, &[1, 2]);
    test.ask(std::slice::from_ref(&first)).await;
    test.settle(&first, None).await;
    assert!(test.in_the_way(wants(EVENT, 2, &[2, 3])).await.is_empty());
    assert_eq!(test.in_the_way(wants(EVENT, 3, &[1, 2, 3])).await, [2, 3]);
}

pub async fn nobody_elses_lock_is_released_or_kept(test: LocksUnderTest) {
    test.ask(&[wants(EVENT, 1, &[1])]).await;
    for held in [None, Some(Duration::from_millis(1))] {
        test.settle(&wants(EVENT, 2, &[1, 2]), held).await;
    }
    (test.pass)(Duration::from_millis(10));
    assert_eq!(test.in_the_way(wants(EVENT, 3, &[1, 2])).await, [1]);
    assert!(test.in_the_way(wants(EVENT, 3, &[2])).await.is_empty(), "nor is there a new one");
}

pub async fn what_is_held_stays_locked(test: LocksUnderTest) {
    let first = wants(EVENT, 1, &[1]);
    test.ask(std::slice::from_ref(&first)).await;
    test.settle(&first, HELD).await;
    (test.pass)(DECIDING * 2);
    assert_eq!(test.in_the_way(wants(EVENT, 2, &[1])).await, [1]);
}

pub async fn a_lock_of_which_nothing_is_said_ends(test: LocksUnderTest) {
    let first = wants(EVENT, 1, &[1]);
    test.ask(std::slice::from_ref(&first)).await;
    test.settle(&first, HELD).await;
    test.settle(&first, Some(Duration::from_millis(20))).await;
    while !test.in_the_way(wants(EVENT, 2, &[1])).await.is_empty() {
        (test.pass)(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
}

/// Whoever took it may have been killed. Where time passes by itself this takes as long as a lock does.
pub async fn a_lock_of_which_nothing_is_ever_said_ends(test: LocksUnderTest) {
    const MOMENT: Duration = Duration::from_millis(50);
    test.ask(&[wants(EVENT, 1, &[1])]).await;
    assert_eq!(test.in_the_way(wants(EVENT, 2, &[1])).await, [1]);
    let mut waited = Duration::ZERO;
    while !test.in_the_way(wants(EVENT, 2, &[1])).await.is_empty() {
        assert!(waited < DECIDING * 3, "nobody can have the seat any more");
        (test.pass)(DECIDING / 4);
        tokio::time::sleep(MOMENT).await;
        waited += MOMENT;
    }
}

pub async fn what_has_ended_is_not_kept(test: LocksUnderTest) {
    let first = wants(EVENT, 1, &[1]);
    test.ask(std::slice::from_ref(&first)).await;
    test.settle(&first, None).await;
    test.settle(&first, HELD).await;
    assert!(test.in_the_way(wants(EVENT, 2, &[1])).await.is_empty(), "who is late locks nothing");
}

pub async fn of_many_who_ask_at_once_one_goes_through(test: LocksUnderTest) {
    let through = race(|n| {
        let locks = test.locks.clone();
        async move { locks.acquire(&[wants(EVENT, u128::from(n) + 1, &[n % 3 + 1, 0])]).await.unwrap().remove(0).is_empty() }
    });
    assert_eq!(through.await.into_iter().filter(|through| *through).count(), 1);
}

pub async fn events_have_locks_of_their_own(test: LocksUnderTest) {
    let answers = test.ask(&[wants(EVENT, 1, &[1]), wants(OTHER, 2, &[1]), wants(EVENT, 3, &[2])]).await;
    assert_eq!(answers, [NOTHING; 3]);
    let answers = test.ask(&[wants(OTHER, 4, &[1, 2]), wants(EVENT, 5, &[1, 2]), wants(OTHER, 6, &[2])]).await;
    assert_eq!(answers, [vec![1], vec![1, 2], vec![]], "in the order of the requests");
}

pub async fn a_call_may_be_large_or_empty(test: LocksUnderTest) {
    assert_eq!(test.ask(&[]).await, [NOTHING; 0]);
    test.locks.settle(&[]).await.unwrap();
    let requests =
        (0..256).map(|n| wants(EVENT, u128::from(n) + 1, &(n * 50..n * 50 + 50).collect::<Vec<_>>())).collect::<Vec<_>>();
    assert!(test.ask(&requests).await.iter().all(Vec::is_empty));
    assert_eq!(test.in_the_way(wants(EVENT, 1000, &(0..20_000).collect::<Vec<_>>())).await.len(), 256 * 50);
    let settled =
        requests.iter().map(|one| Settled { event_id: EVENT, seats: one.seats.clone(), booking_id: one.booking_id, held: None });
    test.locks.settle(&settled.collect::<Vec<_>>()).await.unwrap();
    assert!(test.in_the_way(wants(EVENT, 1000, &[0, 12_799])).await.is_empty());
}
