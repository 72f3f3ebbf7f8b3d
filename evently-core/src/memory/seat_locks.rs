//! Seat locks within one process. They spare a store on another machine; one that is at hand refuses as cheaply.

use std::sync::Arc;

use async_trait::async_trait;
use rustc_hash::FxHashMap;

use crate::{
    domain::{ANSWERS_KEPT, BookingId, EventId, RequestKey, Timestamp},
    ports::{Clock, DECIDING, LockRequest, LocksAway, SeatLocks, Settled},
    sync::{Mutex, lock},
};

/// Seat locks in memory.
pub struct MemorySeatLocks {
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Who has a seat, and until when.
    owners: FxHashMap<(EventId, u32), (BookingId, Timestamp)>,
    /// The keys of requests that were let through, and until when that is remembered.
    let_through: FxHashMap<[u8; 32], Timestamp>,
    /// The requests that were turned away, for which seats, and until when that is remembered.
    turned_away: FxHashMap<RequestKey, (Vec<u32>, Timestamp)>,
    /// At so many entries those that have ended are thrown out.
    sweep_at: usize,
}

impl MemorySeatLocks {
    /// Locks that end by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: Mutex::default() }
    }
}

impl Held {
    fn owner(&self, event: EventId, seat: u32, now: Timestamp) -> Option<BookingId> {
        self.owners.get(&(event, seat)).filter(|(_, until)| now < *until).map(|(owner, _)| *owner)
    }

    /// What was said to the request when it came before.
    fn said(&self, request: &LockRequest, now: Timestamp) -> Option<Vec<u32>> {
        let key = request.key?;
        if self.let_through.get(&key.id).is_some_and(|until| now < *until) {
            return Some(Vec::new());
        }
        self.turned_away.get(&key).filter(|(_, until)| now < *until).map(|(in_the_way, _)| in_the_way.clone())
    }

    /// The seats that others have.
    fn in_the_way(&self, request: &LockRequest, now: Timestamp) -> Vec<u32> {
        let other = |seat: &u32| self.owner(request.event_id, *seat, now).is_some_and(|owner| owner != request.booking_id);
        request.seats.iter().copied().filter(other).collect()
    }

    fn sweep(&mut self, now: Timestamp) {
        let entries = |held: &Self| held.owners.len() + held.let_through.len() + held.turned_away.len();
        if entries(self) >= self.sweep_at {
            self.owners.retain(|_, (_, until)| now < *until);
            self.let_through.retain(|_, until| now < *until);
            self.turned_away.retain(|_, (_, until)| now < *until);
            self.sweep_at = 2 * entries(self) + 1024;
        }
    }
}

#[async_trait]
impl SeatLocks for MemorySeatLocks {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        let now = self.clock.now();
        let mut held = lock(&self.held);
        held.sweep(now);
        let word = |request| {
            let said = held.said(request, now);
            (said.is_some(), said.unwrap_or_else(|| held.in_the_way(request, now)))
        };
        let words = requests.iter().map(word).collect::<Vec<_>>();
        for (request, (repeated, answer)) in requests.iter().zip(&words) {
            if *repeated {
                continue;
            }
            if answer.is_empty() {
                held.let_through.extend(request.key.map(|key| (key.id, now + ANSWERS_KEPT)));
            } else {
                held.turned_away.extend(request.key.map(|key| (key, (answer.clone(), now + DECIDING))));
            }
            if answer.is_empty() && held.in_the_way(request, now).is_empty() {
                for &seat in &request.seats {
                    // What the booking has already lasts as long as it was said to.
                    if held.owner(request.event_id, seat, now).is_none() {
                        held.owners.insert((request.event_id, seat), (request.booking_id, now + DECIDING));
                    }
                }
            }
        }
        Ok(words.into_iter().map(|(_, in_the_way)| in_the_way).collect())
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), LocksAway> {
        let now = self.clock.now();
        let mut held = lock(&self.held);
        for Settled { event_id, seats, booking_id, held: lasts } in settled {
            for &seat in seats {
                if held.owner(*event_id, seat, now) == Some(*booking_id) {
                    match lasts {
                        Some(lasts) => drop(held.owners.insert((*event_id, seat), (*booking_id, now + *lasts))),
                        None => drop(held.owners.remove(&(*event_id, seat))),
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{memory::ManualClock, sync::ready};

    struct Locks {
        clock: Arc<ManualClock>,
        locks: MemorySeatLocks,
    }

    impl Locks {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
            Self { clock: clock.clone(), locks: MemorySeatLocks::new(clock) }
        }

        /// Whether the seat is in the way of somebody's request, with a key.
        fn refuses(&self, seat: u32, by: u128) -> bool {
            let booking_id = BookingId::from_uuid(Uuid::from_u128(by));
            let key = RequestKey::new(&["test"], &format!("{seat} {by}"), b"");
            let event_id = EventId::from_uuid(Uuid::nil());
            let request = LockRequest { event_id, seats: vec![seat], booking_id, key: Some(key) };
            ready(self.locks.acquire(&[request])).unwrap() == [[seat]]
        }

        /// Seats that somebody has, requests that were let through, and such that were turned away.
        fn entries(&self) -> [usize; 3] {
            let held = lock(&self.locks.held);
            [held.owners.len(), held.let_through.len(), held.turned_away.len()]
        }
    }

    #[test]
    fn what_has_ended_is_thrown_out_when_there_are_many() {
        let locks = Locks::new();
        let take = |seats: std::ops::Range<u32>| seats.for_each(|seat| assert!(!locks.refuses(seat, 1)));
        take(0..1);
        assert!(locks.refuses(0, 2));
        take(1..512);
        assert_eq!(locks.entries(), [512, 512, 1], "1,024 and more");
        locks.clock.advance(DECIDING);
        take(512..513);
        assert_eq!(locks.entries(), [1, 513, 0], "what was let through is remembered for longer");
        // From here on at twice as many as were left, and 1,024 more: 2,048.
        take(1_000..1_766);
        locks.clock.advance(DECIDING);
        take(1_766..1_767);
        assert_eq!(locks.entries(), [768, 1_280, 0]);
        take(1_767..1_768);
        assert_eq!(locks.entries(), [2, 1_281, 0]);
        // And now at 3,586.
        locks.clock.advance(ANSWERS_KEPT);
        take(2_000..3_150);
        assert!(locks.refuses(3_149, 2));
        take(3_150..3_151);
        assert_eq!(locks.entries(), [1_153, 2_432, 1]);
        take(3_151..3_152);
        assert_eq!(locks.entries(), [1_152, 1_152, 1], "whatever has not ended");
    }

    #[test]
    fn a_lock_that_lasts_is_not_shortened_when_its_booking_asks_again() {
        let locks = Locks::new();
        let (event_id, booking_id) = (EventId::from_uuid(Uuid::nil()), BookingId::from_uuid(Uuid::from_u128(1)));
        assert!(!locks.refuses(0, 1));
        let settled = Settled { event_id, seats: vec![0], booking_id, held: Some(DECIDING * 3) };
        ready(locks.locks.settle(&[settled])).unwrap();
        // Without its key nobody knows it for a repetition.
        let again = LockRequest { event_id, seats: vec![0], booking_id, key: None };
        assert!(ready(locks.locks.acquire(&[again])).unwrap()[0].is_empty());
        locks.clock.advance(DECIDING * 2);
        assert!(locks.refuses(0, 2));
    }

    #[test]
    fn what_was_said_is_remembered_until_then_and_no_longer() {
        let locks = Locks::new();
        assert!(!locks.refuses(0, 1) && locks.refuses(0, 2));
        locks.clock.advance(DECIDING);
        assert!(!locks.refuses(0, 2), "the lock has ended, and so has the word about it");
        locks.clock.advance(ANSWERS_KEPT.checked_sub(DECIDING).unwrap());
        assert!(!locks.refuses(0, 3));
        assert!(locks.refuses(0, 1), "it is asked anew");
    }
}
