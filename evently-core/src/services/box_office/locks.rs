//! The seat locks in front of the store: who is turned away, and what becomes of the locks afterwards.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustc_hash::FxHashSet;

use super::{Panicked, Waiting, caught, closed};
use crate::{
    domain::{Answer, BookingId, Command, EventId, MAX_SEATS_LIMIT, Outcome, Rejection, Request, SeatId, SeatStatus, Timestamp},
    ports::{LockRequest, LocksAway, SeatLocks, Settled, StoreErrorKind},
};

/// The locks, as the office uses them.
pub(super) struct Locks {
    port: Arc<dyn SeatLocks>,
    /// Whether they were there when they were last asked.
    there: AtomicBool,
}

impl Locks {
    pub(super) fn new(port: Arc<dyn SeatLocks>) -> Self {
        Self { port, there: AtomicBool::new(true) }
    }

    /// Answers those of a batch whose seats others have locked; the rest stays in the batch. Without the locks all stay.
    pub(super) async fn turn_away(&self, batch: &mut Vec<Waiting>, now: Timestamp) {
        let wanted = batch.iter().filter_map(|waiting| wanted(&waiting.request)).collect::<Vec<_>>();
        if wanted.is_empty() {
            return;
        }
        let answer = caught(self.port.acquire(&wanted)).await;
        let Some(in_the_way) = self.there_is(answer) else {
            if planted!(NeedsLocks) {
                for refused in batch.extract_if(.., |waiting| hold(&waiting.request).is_some()) {
                    let _ = refused.answer.send(Err(closed(StoreErrorKind::Unavailable)));
                }
            }
            return;
        };
        let mut answers = wanted.into_iter().zip(in_the_way).peekable();
        for waiting in mem::take(batch) {
            let booking_id = hold(&waiting.request).map(|(booking_id, ..)| booking_id);
            match answers.next_if(|(wanted, _)| Some(wanted.booking_id) == booking_id) {
                Some((_, in_the_way)) if !in_the_way.is_empty() => {
                    let rejection = Rejection::SeatsUnavailable(named(&waiting.request, &in_the_way));
                    // Whoever asked may have gone.
                    let _ = waiting.answer.send(Ok(Answer { at: now, replayed: false, result: Err(rejection) }));
                }
                _ => batch.push(waiting),
            }
        }
    }

    /// Tells the locks what the store has made of requests; it has failed where there are no answers. A booking that is pending keeps its
    /// locks for as long as it lasts; all other seats are for the next one to ask the store about.
    pub(super) async fn settle(&self, requests: &[Request], answers: &[Answer], now: Timestamp) {
        let changed = answers.iter().filter(|answer| !answer.replayed).filter_map(|answer| match &answer.result {
            Ok(Outcome::Booking(booking) | Outcome::PaymentStarted(_, booking) | Outcome::Payment(_, booking)) => Some(booking),
            _ => None,
        });
        let accepted = changed.clone().map(|booking| booking.id).collect::<FxHashSet<_>>();
        let refused = requests.iter().filter(|_| !planted!(KeepsLocks)).filter_map(wanted);
        let refused = refused.filter(|wanted| !accepted.contains(&wanted.booking_id));
        let released = refused.map(|LockRequest { event_id, seats, booking_id, key: _ }| Settled {
            event_id,
            seats,
            booking_id,
            held: None,
        });
        let changed = changed.map(|booking| Settled {
            event_id: booking.event_id,
            seats: booking.seats.iter().map(|seat| seat.number).collect(),
            booking_id: booking.id,
            held: (booking.hold().map(|hold| hold.expires_at().since(now)))
                .map(|held| if planted!(LocksOutliveHolds) { held.saturating_mul(2) } else { held })
                .filter(|held| !held.is_zero()),
        });
        let settled = released.chain(changed).collect::<Vec<_>>();
        if !settled.is_empty() {
            let told = caught(self.port.settle(&settled)).await;
            self.there_is(told);
        }
    }

    /// What the locks have answered. Whether they are there is said when it changes, not with each batch.
    fn there_is<T>(&self, answer: Result<Result<T, LocksAway>, Panicked>) -> Option<T> {
        let answer = answer.unwrap_or_else(|panicked| Err(LocksAway(panicked.into())));
        let was_there = self.there.swap(answer.is_ok(), Ordering::Relaxed);
        match &answer {
            Ok(_) if !was_there => tracing::info!("the seat locks are there again"),
            Err(error) if was_there => {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the seat locks are away; every request goes to the store"
                );
            }
            _ => {}
        }
        answer.ok()
    }
}

/// What a request wants to hold, if it is for that.
fn hold(request: &Request) -> Option<(BookingId, EventId, &[SeatId])> {
    match &request.command {
        Command::Hold { booking_id, event_id, seats, .. } => Some((*booking_id, *event_id, seats)),
        _ => None,
    }
}

/// The locks that a request needs, if it needs some. What names no seat, or more than any booking may have, is for the store to refuse.
fn wanted(request: &Request) -> Option<LockRequest> {
    let (booking_id, event_id, seats) = hold(request)?;
    let seats = seats.iter().map(|seat| seat.number()).collect::<Option<Vec<_>>>()?;
    (1..=MAX_SEATS_LIMIT as usize).contains(&seats.len()).then_some(LockRequest { event_id, seats, booking_id, key: request.key })
}

/// The seats as the request has named them. Whoever has locked one is about to hold it, or does.
fn named(request: &Request, numbers: &[u32]) -> Vec<(SeatId, SeatStatus)> {
    let seats = hold(request).map_or(&[][..], |(_, _, seats)| seats);
    let named = seats.iter().filter(|seat| seat.number().is_some_and(|number| numbers.contains(&number)));
    named.map(|seat| (*seat, SeatStatus::Reserved)).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        heard::heard,
        memory::{ManualClock, MemorySeatLocks},
    };

    #[test]
    fn that_the_locks_are_away_is_said_when_it_changes() {
        let locks = Locks::new(Arc::new(MemorySeatLocks::new(Arc::new(ManualClock::new(Timestamp::default())))));
        let lines = heard(|| {
            for there in [true, false, false, true, true, false] {
                let answer = if there { Ok(1) } else { Err(LocksAway("no line".into())) };
                assert_eq!(locks.there_is(Ok(answer)), there.then_some(1));
            }
        });
        let away = "WARN the seat locks are away; every request goes to the store error=";
        let again = "INFO the seat locks are there again";
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines.iter().zip([away, again, away]).all(|(line, said)| line.starts_with(said)), "{lines:#?}");
    }
}
