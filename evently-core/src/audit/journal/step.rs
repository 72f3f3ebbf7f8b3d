//! Which steps the journal may take from where it is.

use super::{super::may_come_before, Fold, FoldedBooking, FoldedSeat};
use crate::domain::{
    Actor, BookingId, BookingStatus, Fact, PaymentId, RefundId, Role, SeatStatus, SeatStep, Stage, TicketId, Timestamp,
    Transition,
};

impl Fold {
    pub(super) fn event(&mut self, stage: Stage, version: u32, at: Timestamp) -> Result<(), String> {
        if stage == Stage::Cancelled {
            self.called_off = Some(at);
        }
        let before = self.event.replace((stage, version));
        let expected = before.map_or(1, |(_, version)| version + 1);
        if version != expected {
            return Err(format!("the event comes to version {version} where {expected} is next"));
        }
        let legal = match before {
            None | Some((Stage::Draft, _)) => true,
            Some((Stage::Published, _)) => stage != Stage::Draft,
            Some((Stage::Cancelled, _)) => false,
        };
        let from = before.map_or("nothing", |(stage, _)| stage.name());
        if legal { Ok(()) } else { Err(format!("an event does not go from {from} to {}", stage.name())) }
    }

    pub(super) fn house(&mut self, to: SeatStatus, transition: &Transition) -> Result<(), String> {
        let from = match to {
            SeatStatus::Blocked => SeatStatus::Available,
            SeatStatus::Available => SeatStatus::Blocked,
            SeatStatus::Reserved | SeatStatus::Booked => return Err(format!("the house does not make seats {}", to.name())),
        };
        if transition.seats.is_empty() {
            return Err("no seat changes with it".to_owned());
        }
        transition.seats.iter().try_for_each(|step| self.seat(step, (from, None), (to, None)))
    }

    pub(super) fn booking(&mut self, transition: &Transition) -> Result<(), String> {
        let Fact::Booking { id, user_id, from, to, version } = transition.fact else {
            unreachable!("only those come here");
        };
        let before = self.bookings.get(&id);
        let expected = before.map_or(1, |booking| booking.version + 1);
        let stood = before.map(|booking| booking.status);
        let (began, has) = before.map_or((transition.at, 0), |booking| (booking.began, booking.seats));
        let same_owner = before.is_none_or(|booking| booking.user_id == user_id);
        let seats = if to.is_live() { has.max(transition.seats.len()) } else { 0 };
        let at = transition.at;
        self.bookings.insert(id, FoldedBooking { user_id, status: to, version, began, at, last: at, seats });

        if version != expected {
            return Err(format!("booking {id} comes to version {version} where {expected} is next"));
        }
        if from != stood {
            return Err(format!("booking {id} leaves {} and stood at {}", name(from), name(stood)));
        }
        if !from.map_or(to == BookingStatus::Pending, |from| from.may_become(to)) {
            return Err(format!("a booking does not go from {} to {}", name(from), to.name()));
        }
        if !same_owner {
            return Err(format!("booking {id} changes hands"));
        }
        let stage = self.event.map(|(stage, _)| stage);
        let sells = from.is_none() || to == BookingStatus::Confirmed;
        let beside = may_come_before(at, self.called_off, self.decided_beside);
        if sells && stage != Some(Stage::Published) && !beside {
            let stage = stage.map_or("not there", Stage::name);
            return Err(format!("booking {id} becomes {} of an event that is {stage}", to.name()));
        }
        let gives_up = from == Some(BookingStatus::Confirmed) && stage == Some(Stage::Published);
        if gives_up && matches!(transition.actor, Actor::User(_, Role::Customer)) && self.admitted.contains(&id) {
            return Err(format!("a customer gives booking {id} up, and somebody has come in with it"));
        }
        self.seats_of_booking(id, from, to, has, &transition.seats)
    }

    /// All seats of the booking move with it, and no others.
    fn seats_of_booking(
        &mut self,
        id: BookingId,
        from: Option<BookingStatus>,
        to: BookingStatus,
        has: usize,
        steps: &[SeatStep],
    ) -> Result<(), String> {
        use BookingStatus::{Cancelled, Confirmed, Expired, Pending, Refunded};
        use SeatStatus::{Available, Booked, Reserved};
        let moved = match (from, to) {
            // It keeps its seats, or has lost them already.
            (Some(Pending), Pending) | (Some(Expired), Cancelled) if steps.is_empty() => return Ok(()),
            (Some(Pending), Pending) => return Err(format!("booking {id} stays pending and yet its seats move")),
            (None, _) => ((Available, None), (Reserved, Some(id))),
            (Some(Expired), Cancelled) => return Err(format!("booking {id} has no seats any more, and some move")),
            (Some(Expired), _) => ((Available, None), (Booked, Some(id))),
            (_, Confirmed) => ((Reserved, Some(id)), (Booked, Some(id))),
            (Some(Confirmed), _) => ((Booked, Some(id)), (Available, None)),
            (_, Expired | Cancelled | Refunded | Pending) => ((Reserved, Some(id)), (Available, None)),
        };
        let takes = moved.0.1.is_none();
        if steps.is_empty() || !takes && steps.len() != has {
            return Err(format!("booking {id} has {has} seats and {} of them move", steps.len()));
        }
        steps.iter().try_for_each(|step| self.seat(step, moved.0, moved.1))
    }

    fn seat(
        &mut self,
        step: &SeatStep,
        from: (SeatStatus, Option<BookingId>),
        to: (SeatStatus, Option<BookingId>),
    ) -> Result<(), String> {
        let SeatStep { number, version, status, price } = *step;
        let folded = FoldedSeat { status: to.0, owner: to.1, version, price };
        let before = self.seats.insert(number, folded);
        let (stood, expected) =
            before.map_or(((SeatStatus::Available, None), 1), |seat| ((seat.status, seat.owner), seat.version + 1));
        if version != expected {
            return Err(format!("seat {number} comes to version {version} where {expected} is next"));
        }
        if stood.0 != from.0 {
            return Err(format!("seat {number} leaves {} and stood at {}", from.0.name(), stood.0.name()));
        }
        if stood.1 != from.1 {
            return Err(format!("seat {number} moves for a booking that does not have it"));
        }
        if status == to.0 { Ok(()) } else { Err(format!("seat {number} becomes {} instead of {}", status.name(), to.0.name())) }
    }

    pub(super) fn captured(&mut self, payment: PaymentId, booking: BookingId, amount: i64) -> Result<(), String> {
        let before = self.captured.insert(payment, (booking, amount));
        if before.is_some() { Err(format!("payment {payment} is captured a second time")) } else { Ok(()) }
    }

    pub(super) fn refund_due(&mut self, refund: RefundId, payment: PaymentId, amount: i64) -> Result<(), String> {
        let before = self.due.insert(refund, (payment, amount));
        if before.is_some() { Err(format!("refund {refund} is owed a second time")) } else { Ok(()) }
    }

    pub(super) fn refund_sent(&mut self, refund: RefundId) -> Result<(), String> {
        if !self.due.contains_key(&refund) {
            return Err(format!("refund {refund} is sent and was not owed"));
        }
        if self.sent.insert(refund) { Ok(()) } else { Err(format!("refund {refund} is sent a second time")) }
    }

    pub(super) fn checked_in(&mut self, ticket: TicketId, booking: BookingId, at: Timestamp) -> Result<(), String> {
        self.admitted.insert(booking);
        if self.used.insert(ticket, at).is_some() {
            return Err(format!("ticket {ticket} is used a second time"));
        }
        match self.bookings.get(&booking) {
            Some(FoldedBooking { status: BookingStatus::Confirmed, .. }) | None => Ok(()),
            Some(other) => {
                Err(format!("ticket {ticket} is used of booking {booking}, which was {} by then", other.status.name()))
            }
        }
    }
}

fn name(status: Option<BookingStatus>) -> &'static str {
    status.map_or("nothing", BookingStatus::name)
}
