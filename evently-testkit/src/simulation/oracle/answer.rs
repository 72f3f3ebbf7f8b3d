//! What was asked, and what was answered: whether it should have been.

use evently_core::{
    domain::{
        Actor, Admission, Answer, Booking, BookingState, BookingStatus, Command, Fact, GatewayReport, Outcome, PaymentState,
        Rejection, Request, Role, SeatId, SeatLimit, SeatStatus, Timestamp, UserId,
    },
    ports::Bookings,
};

use super::Seen;
use crate::simulation::{executor::at_once, rare::Rare, world::World};

impl Seen {
    /// What can be said of a request while its booking is remembered as it was before.
    pub(super) fn before(&mut self, world: &World, request: &Request, answer: &Answer) {
        let (Command::Extend { booking_id: id, .. }
        | Command::Cancel { booking_id: id, .. }
        | Command::StartPayment { booking_id: id, .. }
        | Command::Expire { booking_id: id }) = request.command
        else {
            return;
        };
        let Some(booking) = self.bookings.get(&id) else { return };
        if matches!(request.actor, Actor::User(user, Role::Customer) if user != booking.user) {
            match &answer.result {
                Err(Rejection::NotFound(_)) => world.met(Rare::StrangerTurnedAway),
                Err(Rejection::KeyReused) => {}
                told => self.find("I11", format!("a stranger asks {:?}, and is told {told:?}", request.command)),
            }
            return;
        }
        if answer.replayed {
            return;
        }
        match (&request.command, &answer.result) {
            (Command::Expire { .. }, Ok(_)) if booking.status == BookingStatus::Expired => world.met(Rare::ExpiredTwice),
            (Command::Cancel { .. }, Ok(_)) if booking.status == BookingStatus::Pending && booking.paying => {
                world.met(Rare::CancelWhilePaying);
            }
            (Command::Cancel { .. }, Ok(_)) if booking.status == BookingStatus::Expired => world.met(Rare::CancelTooLate),
            (Command::Cancel { .. }, Err(Rejection::CancellationClosed(_)))
                if self.promised.get(&id).is_some_and(|terms| answer.at < terms.until) =>
            {
                self.find("I3", format!("booking {id} cannot be given up any more, and that was promised"));
            }
            (Command::Cancel { .. }, Err(Rejection::TicketUsed)) => world.met(Rare::CancelledAfterAdmission),
            (Command::Extend { .. }, Err(Rejection::ExtensionLimit(_))) => world.met(Rare::ExtendedToCap),
            (Command::Extend { .. }, Err(Rejection::HoldExpired)) => world.met(Rare::ExtendedTooLate),
            (Command::StartPayment { .. }, Err(Rejection::HoldExpired)) => world.met(Rare::PaidTooLateToBegin),
            _ => {}
        }
    }

    /// Until when a booking that is answered with has its seats.
    pub(super) fn held(&mut self, answer: &Answer) {
        if let Ok(Outcome::Booking(booking) | Outcome::PaymentStarted(_, booking) | Outcome::Payment(_, booking)) = &answer.result
            && let Some(hold) = booking.hold()
        {
            let end = self.holds.entry(booking.id).or_default();
            *end = hold.expires_at().max(*end);
        }
    }

    pub(super) fn answer(&mut self, world: &World, request: &Request, answer: &Answer) {
        self.key(world, request, answer);
        if answer.replayed {
            return;
        }
        match (&request.command, &answer.result) {
            (Command::Hold { user_id, seats, .. }, Ok(Outcome::Booking(booking))) => {
                self.all_seats(world, booking, seats.len());
                self.limit(world, *user_id, answer.at);
            }
            (Command::Hold { .. }, Err(Rejection::TooManySeats(SeatLimit::Held { .. }))) => world.met(Rare::LimitRefuses),
            (Command::Hold { .. }, Err(Rejection::NotOnSale(_))) => world.met(Rare::HoldAtCancelledEvent),
            (Command::Hold { .. }, Err(Rejection::SeatsUnavailable(taken))) => self.refused(world, taken, answer.at),
            (Command::Cancel { expected: Some(expected), .. }, Ok(Outcome::Booking(booking))) => {
                self.meant(world, booking, *expected);
            }
            (Command::Cancel { .. }, Err(Rejection::StatusChanged(_))) => world.met(Rare::CancelMistaken),
            (Command::Block { .. }, Err(Rejection::SeatsUnavailable(_))) => world.met(Rare::HouseMeetsHold),
            (Command::SettlePayment { report: GatewayReport::Failed { reason }, .. }, Ok(Outcome::Payment(payment, booking))) => {
                let refused = matches!(&payment.state, PaymentState::Failed { reason: ours } if ours == reason);
                if refused && booking.hold().is_some_and(|hold| hold.is_live(answer.at)) {
                    world.met(Rare::PaymentRefused);
                }
            }
            (Command::SettlePayment { report: GatewayReport::Succeeded, .. }, Ok(Outcome::Payment(payment, booking))) => {
                let names = matches!(booking.state, BookingState::Confirmed { payment: Some(id), .. } if id == payment.id);
                if booking.status() == BookingStatus::Confirmed && !names {
                    world.met(Rare::GivenUpPaymentCaptured);
                }
            }
            (Command::StartPayment { .. }, Ok(Outcome::Payment(payment, _))) if payment.amount.amount == 0 => {
                world.met(Rare::PaidForNothing);
            }
            (Command::CheckIn { .. }, Ok(Outcome::CheckIn(Admission::AlreadyAdmitted { .. }, _))) => {
                world.met(Rare::TicketShownTwice);
            }
            (Command::CheckIn { .. }, Ok(Outcome::CheckIn(Admission::Cancelled, _))) => world.met(Rare::DeadTicketShown),
            _ => {}
        }
    }

    fn all_seats(&mut self, world: &World, booking: &Booking, wanted: usize) {
        if booking.seats.len() != wanted {
            self.find("I1", format!("booking {} has {} seats, and {wanted} were wanted", booking.id, booking.seats.len()));
        }
        if booking.seats.len() > world.fixture.event.details.max_seats_per_booking as usize {
            self.find("I10", format!("booking {} has {} seats, more than it may", booking.id, booking.seats.len()));
        }
    }

    /// What was given up is what its customer took it for; who took it for given up has changed nothing.
    fn meant(&mut self, world: &World, given_up: &Booking, expected: BookingStatus) {
        let records = at_once(world.store.records(given_up.id)).expect("nothing in memory fails").expect("it was given up");
        let was = records.history.iter().find_map(|entry| match entry.transition.fact {
            Fact::Booking { from, version, .. } if version == given_up.version => from,
            _ => None,
        });
        if was != Some(expected) && given_up.status() != expected {
            self.find("I2", format!("booking {} is given up as {}, and it was {was:?}", given_up.id, expected.name()));
        }
    }

    /// Whoever is refused seats is so because somebody has them.
    fn refused(&mut self, world: &World, taken: &[(SeatId, SeatStatus)], at: Timestamp) {
        if world.plan.locks {
            world.met(Rare::LockLostStoreRefuses);
        }
        let free = |seat: &SeatId| {
            // What was the case in the middle of the transaction is not known any more.
            let number = seat.number().filter(|number| !self.touched.0.contains(number))?;
            if self.owners.get(&number).is_some_and(|owner| self.touched.1.contains(owner)) {
                return None;
            }
            let over = match self.owners.get(&number).and_then(|owner| self.bookings.get(owner)) {
                Some(booking) => booking.status == BookingStatus::Pending && !booking.is_live(at),
                None => self.seats.get(&number).is_none_or(|status| *status == SeatStatus::Available),
            };
            over.then_some(number)
        };
        if let Some(seat) = taken.iter().find_map(|(seat, _)| free(seat)) {
            self.find("I5", format!("seat {seat} is refused, and nobody has it any more"));
        }
    }

    /// One key has one effect, and one answer.
    fn key(&mut self, world: &World, request: &Request, answer: &Answer) {
        if let Command::SettlePayment { answers: Some(key), .. } = &request.command
            && let Some((_, first)) = self.answers.get_mut(&key.id)
            && matches!(first.result, Ok(Outcome::PaymentStarted(..)))
        {
            first.clone_from(answer);
            return;
        }
        let Some(key) = &request.key else { return };
        let Some((fingerprint, first)) = self.answers.get(&key.id) else {
            self.answers.insert(key.id, (key.fingerprint, answer.clone()));
            return;
        };
        let wrong = match (*fingerprint == key.fingerprint, &answer.result) {
            (false, Err(Rejection::KeyReused)) => {
                world.met(Rare::KeyReused);
                return;
            }
            (false, _) => "a key is good for two requests",
            (true, _) if !answer.replayed => "a request is carried out a second time under its key",
            (true, result) if *result != first.result || answer.at != first.at => "a key is given another answer than before",
            (true, _) => {
                world.met(Rare::AnsweredElsewhere);
                return;
            }
        };
        let what = format!("{wrong}: {:?}: first {first:?}, then {answer:?}", request.command);
        self.find("I7", what);
    }

    fn limit(&mut self, world: &World, user: UserId, at: Timestamp) {
        let theirs = self.bookings.values().filter(|booking| booking.user == user && booking.is_live(at));
        let held = theirs.map(|booking| booking.seats).sum::<u32>();
        let max = world.fixture.event.details.max_seats_held;
        match held.cmp(&max) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => world.met(Rare::LimitReached),
            std::cmp::Ordering::Greater => {
                self.find("I10", format!("customer {user} has {held} seats on hold where {max} may be"));
            }
        }
    }
}
