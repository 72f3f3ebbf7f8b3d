//! The rules: what a request does to the rows, and what it is answered.
//!
//! This is the only place where a booking is decided. Every store runs it inside its transaction, over rows it has read there, so
//! that all stores sell by the same rules. A rule checks everything before it writes anything: a refused request leaves
//! no trace.

mod booking;
mod catalogue;
mod door;
mod hold;
mod payment;

use std::{sync::Arc, time::Duration};

pub use self::payment::GATEWAY_PATIENCE;
use super::{
    booking::{Booking, BookingState, BookingStatus},
    command::{Answer, Command, Outcome, Rejection, Request, RequestKey, Thing},
    event::Event,
    id::{BookingId, EventId, SeatId},
    invalid::Invalid,
    journal::{Actor, Fact, SeatStep, Transition},
    ledger::Ledger,
    seat::{Seat, SeatAction},
    time::Timestamp,
};
use crate::ports::Ids;

/// How long the answer to a request with a key is kept.
pub const ANSWERS_KEPT: Duration = Duration::from_hours(24);

/// Clocks that are further apart than this are wrong, and nobody goes by them for longer than they are.
pub const CLOCKS_APART: Duration = Duration::from_mins(10);

/// As of when is decided what was asked at `now`, where something was decided as of `latest` before: not earlier than that, because whoever
/// asked may have waited while others asked later and were decided. Where a clock was far ahead for a while, time goes back once.
pub fn decided_as_of(now: Timestamp, latest: Timestamp) -> Timestamp {
    if is_far_ahead(latest, now) { now } else { now.max(latest) }
}

/// Whether this is of a clock that was far ahead, as seen at `now`.
pub fn is_far_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.since(now) > CLOCKS_APART
}

/// Decides one request at `now`. An error of the ledger ends the whole transaction.
pub fn decide<L: Ledger>(ledger: &mut L, ids: &dyn Ids, now: Timestamp, request: &Request) -> Result<Answer, L::Error> {
    if let Some(key) = &request.key
        && let Some((fingerprint, kept)) = ledger.answer(&key.id)?
        && now < kept.at + ANSWERS_KEPT
    {
        return Ok(if fingerprint == key.fingerprint || planted!(AcceptsReusedKeys) {
            Answer { replayed: true, ..kept }
        } else {
            Answer { at: now, replayed: false, result: Err(Rejection::KeyReused) }
        });
    }
    let mut desk = Desk { ledger, ids, now, actor: request.actor };
    let result = match desk.decide(&request.command) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Refused(rejection)) => Err(rejection),
        Err(Stop::Failed(error)) => return Err(error),
    };
    let answer = Answer { at: now, replayed: false, result };
    if let Some(key) = request.key.as_ref().filter(|_| !planted!(ForgetsKeys)) {
        ledger.keep_answer(key, &answer)?;
    }
    match &request.command {
        // A payment that is not there is no answer for good: a failover has lost it, and whoever asked may begin it once more.
        Command::SettlePayment { answers: Some(key), .. } if answer.result.is_ok() => settled(ledger, key, answer),
        _ => Ok(answer),
    }
}

/// What the request that began a payment is answered, which is what it is answered for good. Whoever comes too late with it, because
/// the request was sent to another instance as well, gives the answer that was first.
fn settled<L: Ledger>(ledger: &mut L, key: &RequestKey, answer: Answer) -> Result<Answer, L::Error> {
    let kept = ledger.answer(&key.id)?.map(|(_, kept)| kept);
    let has_only_begun = |kept: &Answer| matches!(kept.result, Ok(Outcome::PaymentStarted(..)));
    let Some(first) = kept.filter(|kept| answer.at < kept.at + ANSWERS_KEPT && !has_only_begun(kept)) else {
        ledger.keep_answer(key, &answer)?;
        return Ok(answer);
    };
    let payment = |answer: &Answer| match &answer.result {
        Ok(Outcome::Payment(payment, _)) => Some(payment.id),
        _ => None,
    };
    let of_the_same = payment(&first).is_some_and(|id| payment(&answer) == Some(id));
    Ok(if of_the_same { Answer { replayed: true, ..first } } else { answer })
}

/// Why a rule stops.
enum Stop<E> {
    /// The request is refused.
    Refused(Rejection),
    /// The ledger failed.
    Failed(E),
}

impl<E> From<Rejection> for Stop<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl<E> From<Invalid> for Stop<E> {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(Rejection::Invalid(invalid))
    }
}

type Decision<T, L> = Result<T, Stop<<L as Ledger>::Error>>;

/// Where one request is decided. The rules are its methods, one file for each family.
struct Desk<'a, L> {
    ledger: &'a mut L,
    ids: &'a dyn Ids,
    now: Timestamp,
    actor: Actor,
}

impl<L: Ledger> Desk<'_, L> {
    fn decide(&mut self, command: &Command) -> Decision<Outcome, L> {
        match command {
            Command::CreateVenue { venue, layout } => self.create_venue(venue, layout),
            Command::CreateEvent { event, seats } => self.create_event(event, seats),
            Command::EditEvent { event_id, change } => self.edit_event(*event_id, change),
            Command::PublishEvent { event_id } => self.publish_event(*event_id),
            Command::CancelEvent { event_id, reason } => self.cancel_event(*event_id, reason.as_deref()),
            Command::Block { event_id, seats } => self.house(*event_id, seats, SeatAction::Block),
            Command::Unblock { event_id, seats } => self.house(*event_id, seats, SeatAction::Unblock),
            Command::Hold { booking_id, event_id, user_id, seats, terms } => {
                self.hold(*booking_id, *event_id, *user_id, seats, terms)
            }
            Command::Extend { booking_id, terms } => self.extend(*booking_id, terms),
            Command::Expire { booking_id } => self.expire(*booking_id),
            Command::Cancel { booking_id, expected, reason } => self.cancel(*booking_id, *expected, reason.as_deref()),
            Command::StartPayment { payment_id, booking_id, provider, terms } => {
                self.start_payment(*payment_id, *booking_id, provider, terms)
            }
            Command::SettlePayment { payment_id, report, reference, message, instead, terms, answers: _ } => {
                let news = payment::News { report, reference: reference.as_deref(), message: message.as_deref() };
                self.settle_payment(*payment_id, &news, instead, terms)
            }
            Command::Confirm { booking_id, payment_id, reference } => {
                self.confirm_paid_elsewhere(*booking_id, *payment_id, reference.as_deref())
            }
            Command::SettleRefund { refund_id } => self.settle_refund(*refund_id),
            Command::CheckIn { code, event_id } => self.check_in(*code, *event_id),
        }
    }

    fn event(&mut self, id: EventId) -> Decision<Arc<Event>, L> {
        self.ledger.event(id).map_err(Stop::Failed)?.ok_or(Stop::Refused(Rejection::NotFound(Thing::Event)))
    }

    /// A booking, if there is one and the customer who asks may know of it.
    fn booking(&mut self, id: BookingId) -> Decision<Booking, L> {
        let booking = self.ledger.booking(id).map_err(Stop::Failed)?;
        booking
            .filter(|booking| match self.actor {
                _ if planted!(AnybodyMayAct) => true,
                Actor::User(user_id, super::account::Role::Customer) => booking.user_id == user_id,
                _ => true,
            })
            .ok_or(Stop::Refused(Rejection::NotFound(Thing::Booking)))
    }

    fn seat(&mut self, event: EventId, number: u32) -> Decision<Option<Seat>, L> {
        self.ledger.seat(event, number).map_err(Stop::Failed)
    }

    /// A seat whose number the event has.
    fn numbered_seat(&mut self, event: EventId, number: u32) -> Decision<Seat, L> {
        Ok(self.seat(event, number)?.expect("the event's seats are numbered without a gap"))
    }

    /// Moves a booking to its next state, together with its seats, and records both.
    fn transition(
        &mut self,
        booking: Booking,
        to: BookingState,
        seats: Vec<SeatStep>,
        reason: Option<&str>,
    ) -> Decision<Booking, L> {
        let from = booking.status();
        let booking = booking.into_state(to);
        self.put_booking(&booking, Some(from), seats, reason)?;
        Ok(booking)
    }

    fn put_booking(
        &mut self,
        booking: &Booking,
        from: Option<BookingStatus>,
        seats: Vec<SeatStep>,
        reason: Option<&str>,
    ) -> Decision<(), L> {
        let to = booking.status();
        debug_assert!(from.is_none_or(|from| from.may_become(to)), "{from:?} cannot become {to:?}");
        self.ledger.put_booking(booking).map_err(Stop::Failed)?;
        let fact = Fact::Booking { id: booking.id, user_id: booking.user_id, from, to, version: booking.version };
        self.record(booking.event_id, fact, seats, reason)
    }

    fn record(&mut self, event_id: EventId, fact: Fact, seats: Vec<SeatStep>, reason: Option<&str>) -> Decision<(), L> {
        if planted!(WritesNoJournal) && reason == Some("extended") {
            return Ok(());
        }
        let reason = reason.map(str::to_owned);
        let transition = Transition { event_id, at: self.now, actor: self.actor, fact, reason, seats };
        self.ledger.record(transition).map_err(Stop::Failed)
    }

    /// Moves those seats of a booking that it still has.
    fn move_seats(&mut self, booking: &Booking, action: SeatAction) -> Decision<Vec<SeatStep>, L> {
        let mut steps = Vec::with_capacity(booking.seats.len());
        for booked in &booking.seats {
            let Some(moved) = self.seat(booking.event_id, booked.number)?.and_then(|seat| seat.apply(action)) else {
                continue;
            };
            self.ledger.put_seat(booking.event_id, &moved).map_err(Stop::Failed)?;
            steps.push(step(&moved, booked.price));
        }
        Ok(steps)
    }

    /// The numbers of the seats, sorted; an error if one is not a seat of the event, or is named twice.
    fn seat_numbers(event: &Event, seats: &[SeatId]) -> Result<Vec<u32>, Invalid> {
        let mut invalid = Invalid::default();
        let mut numbers = Vec::with_capacity(seats.len());
        for (i, seat) in seats.iter().enumerate() {
            match seat.number().filter(|number| seat.layout() == event.layout_id && *number < event.seats_total) {
                Some(number) => numbers.push(number),
                None => invalid.add(format!("seat_ids[{i}]"), "unknown_seat", "this event has no such seat"),
            }
        }
        invalid.into_result()?;
        if numbers.is_empty() {
            return Err(Invalid::field("seat_ids", "required", "name at least one seat"));
        }
        numbers.sort_unstable();
        if let Some(twice) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            let at = seats.iter().rposition(|seat| seat.number() == Some(twice[0])).unwrap_or_default();
            return Err(Invalid::field(format!("seat_ids[{at}]"), "duplicate_seat", "name each seat once"));
        }
        Ok(numbers)
    }
}

/// An id names one thing: whoever makes up another with it is refused, and nothing is overwritten.
fn used_before(field: &str) -> Invalid {
    Invalid::field(field, "used_before", "something else has this id")
}

fn step(seat: &Seat, price: i64) -> SeatStep {
    SeatStep { number: seat.number, version: seat.version, status: seat.status(), price }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_gone_by_for_ten_minutes_and_no_longer() {
        let (asked, instant) = (Timestamp::from_secs(1_800_000_000), Duration::from_micros(1));
        let apart = Duration::from_mins(10);
        assert_eq!(decided_as_of(asked, asked - instant), asked);
        assert_eq!(decided_as_of(asked, asked + apart), asked + apart);
        assert_eq!(decided_as_of(asked, asked + apart + instant), asked);
    }
}
