//! Holding seats, holding on to them, and losing them to time.

use super::{Decision, Desk, Stop, step, used_before};
use crate::domain::{
    BookedSeat, Booking, BookingId, BookingState, Event, EventId, Hold, HoldTerms, Ledger, Outcome, Rejection, Seat, SeatAction,
    SeatId, SeatLimit, SeatState, UserId,
};

impl<L: Ledger> Desk<'_, L> {
    pub(super) fn hold(
        &mut self,
        id: BookingId,
        event_id: EventId,
        user_id: UserId,
        seats: &[SeatId],
        terms: &HoldTerms,
    ) -> Decision<Outcome, L> {
        if let Some(known) = self.ledger.booking(id).map_err(Stop::Failed)? {
            // Asked for again: a booking is made once.
            let same = known.event_id == event_id && known.user_id == user_id && has_seats(&known, seats);
            return if same { Ok(Outcome::Booking(known)) } else { Err(used_before("booking_id").into()) };
        }
        let event = self.event(event_id)?;
        if !planted!(SellsCancelledEvents) {
            event.bookable(self.now).map_err(Rejection::NotOnSale)?;
        }
        let max = event.details.max_seats_per_booking;
        if seats.len() > max as usize && !planted!(IgnoresBookingLimit) {
            return Err(Rejection::TooManySeats(SeatLimit::PerBooking { max }).into());
        }
        let numbers = Self::seat_numbers(&event, seats)?;
        self.check_held(&event, user_id, seats.len())?;
        let free = self.available(&event, &numbers)?;

        let booked = free
            .iter()
            .map(|seat| BookedSeat { number: seat.number, price: event.categories[usize::from(seat.category)].price })
            .collect::<Vec<_>>();
        let total = event.money(booked.iter().map(|seat| seat.price).sum());
        let hold = Hold { until: self.now + terms.ttl.min(terms.cap), payment: None };
        let booking = Booking {
            id,
            event_id,
            user_id,
            seats: booked,
            total,
            refunds: Some(event.details.refunds),
            code: None,
            state: BookingState::Pending(hold),
            created_at: self.now,
            version: 1,
        };
        let steps = self.reserve(&booking, free)?;
        self.put_booking(&booking, None, steps, None)?;
        Ok(Outcome::Booking(booking))
    }

    fn check_held(&mut self, event: &Event, user: UserId, wanted: usize) -> Decision<(), L> {
        let max = event.details.max_seats_held;
        let held = self.ledger.held_seats(event.id, user, self.now).map_err(Stop::Failed)?;
        if held as usize + wanted > max as usize && !planted!(IgnoresHeldLimit) {
            return Err(Rejection::TooManySeats(SeatLimit::Held { max, held }).into());
        }
        Ok(())
    }

    /// The seats, all of them available; those of holds that have run out are taken over.
    fn available(&mut self, event: &Event, numbers: &[u32]) -> Decision<Vec<Seat>, L> {
        let mut taken = Vec::new();
        let mut due = Vec::new();
        for &number in numbers {
            let seat = self.numbered_seat(event.id, number)?;
            match seat.state {
                SeatState::Available => {}
                SeatState::Reserved(_) | SeatState::Booked(_) if planted!(LocksAlone) => {}
                SeatState::Reserved(owner) if planted!(TakesOverLiveHolds) || self.is_due(owner)? => due.push(owner),
                _ => taken.push((event.layout_id.seat(number), seat.status())),
            }
        }
        if planted!(HoldsSomeSeats) && !taken.is_empty() && taken.len() < numbers.len() {
            let free = |number: &u32| taken.iter().all(|(seat, _): &(SeatId, _)| seat.number() != Some(*number));
            let numbers = numbers.iter().copied().filter(free).collect::<Vec<_>>();
            return self.available(event, &numbers);
        }
        if !taken.is_empty() {
            return Err(Rejection::SeatsUnavailable(taken).into());
        }
        self.take_over(due)?;
        let mut free = Vec::with_capacity(numbers.len());
        for &number in numbers {
            free.extend(self.seat(event.id, number)?);
        }
        Ok(free)
    }

    /// Ends holds that have run out, so that somebody else can have their seats.
    pub(super) fn take_over(&mut self, mut due: Vec<BookingId>) -> Decision<(), L> {
        due.sort_unstable();
        due.dedup();
        if planted!(TakesOverWithoutEnding) {
            return Ok(());
        }
        for owner in due {
            let booking = self.ledger.booking(owner).map_err(Stop::Failed)?.expect("a reserved seat names its booking");
            self.end_hold(booking, BookingState::Expired, Some("taken_over"))?;
        }
        Ok(())
    }

    pub(super) fn is_due(&mut self, owner: BookingId) -> Decision<bool, L> {
        if planted!(NeverTakesOver) {
            return Ok(false);
        }
        let booking = self.ledger.booking(owner).map_err(Stop::Failed)?;
        Ok(booking.is_some_and(|booking| booking.hold().is_some_and(|hold| !hold.is_live(self.now))))
    }

    fn reserve(&mut self, booking: &Booking, free: Vec<Seat>) -> Decision<Vec<crate::domain::SeatStep>, L> {
        let mut steps = Vec::with_capacity(free.len());
        for (seat, booked) in free.into_iter().zip(&booking.seats) {
            let reserved = seat.apply(SeatAction::Reserve(booking.id)).expect("it has been seen to be available");
            self.ledger.put_seat(booking.event_id, &reserved).map_err(Stop::Failed)?;
            steps.push(step(&reserved, booked.price));
        }
        Ok(steps)
    }

    pub(super) fn extend(&mut self, id: BookingId, terms: &HoldTerms) -> Decision<Outcome, L> {
        let booking = self.booking(id)?;
        let hold = match booking.hold() {
            Some(hold) if planted!(ExtendsTooLate) => *hold,
            _ => self.live_hold(&booking)?,
        };
        let began = if planted!(ExtendsForEver) { self.now } else { booking.created_at };
        let cap = began + terms.cap;
        let until = (self.now + terms.ttl).min(cap);
        if hold.until >= cap {
            return Err(Rejection::ExtensionLimit(cap).into());
        }
        if until <= hold.until {
            // It has been made longer just now, or by a clock that is ahead, and can be again later.
            return Ok(Outcome::Booking(booking));
        }
        let state = BookingState::Pending(Hold { until, ..hold });
        let booking = self.transition(booking, state, Vec::new(), Some("extended"))?;
        Ok(Outcome::Booking(booking))
    }

    /// The hold of a booking that is pending, whose time has not run out, and whose event has not been called off and is not over.
    pub(super) fn live_hold(&mut self, booking: &Booking) -> Decision<Hold, L> {
        let hold = match booking.hold() {
            Some(hold) if hold.is_live(self.now) || planted!(PaysTooLate) => *hold,
            Some(_) => return Err(Rejection::HoldExpired.into()),
            None if booking.state == BookingState::Expired => return Err(Rejection::HoldExpired.into()),
            None => return Err(Rejection::NotPending(booking.status()).into()),
        };
        match self.event(booking.event_id)?.ended(self.now) {
            Some(why) => Err(Rejection::NotOnSale(why).into()),
            None => Ok(hold),
        }
    }

    pub(super) fn expire(&mut self, id: BookingId) -> Decision<Outcome, L> {
        let booking = self.booking(id)?;
        // Asked for at least once, so that a booking that has gone on in the meantime is not an error.
        let due = booking.hold().is_some_and(|hold| planted!(ExpiresEarly) || !hold.is_live(self.now));
        let booking = if due { self.end_hold(booking, BookingState::Expired, None)? } else { booking };
        Ok(Outcome::Booking(booking))
    }

    /// Ends a pending booking and frees its seats.
    pub(super) fn end_hold(&mut self, booking: Booking, to: BookingState, reason: Option<&str>) -> Decision<Booking, L> {
        let keeps = planted!(KeepsSeatsOfExpired) && to == BookingState::Expired;
        let steps = if keeps { Vec::new() } else { self.move_seats(&booking, SeatAction::Release(booking.id))? };
        self.transition(booking, to, steps, reason)
    }
}

/// Whether these are the seats of the booking, in any order.
fn has_seats(booking: &Booking, seats: &[SeatId]) -> bool {
    let mut numbers = seats.iter().map(|seat| seat.number()).collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers.into_iter().eq(booking.seats.iter().map(|seat| Some(seat.number)))
}
