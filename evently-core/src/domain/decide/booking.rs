//! Giving a booking up, and money going back.

use super::{Decision, Desk, Stop};
use crate::domain::{
    Actor, Booking, BookingId, BookingState, BookingStatus, Event, Fact, Ledger, Outcome, Payment, Refund, RefundId, RefundState,
    Rejection, Role, SeatAction, Stage, Thing, Ticket, TicketState,
};

impl<L: Ledger> Desk<'_, L> {
    pub(super) fn cancel(
        &mut self,
        id: BookingId,
        expected: Option<BookingStatus>,
        reason: Option<&str>,
    ) -> Decision<Outcome, L> {
        let booking = self.booking(id)?;
        let status = booking.status();
        if expected.is_some_and(|expected| expected != status) && !planted!(GivesUpWhatChanged) {
            return Err(Rejection::StatusChanged(status).into());
        }
        let booking = match status {
            BookingStatus::Pending => self.end_hold(booking, BookingState::Cancelled, reason)?,
            BookingStatus::Confirmed => self.cancel_confirmed(booking, reason)?,
            // It has no seats any more, but its money may still come, and would buy some.
            BookingStatus::Expired => self.transition(booking, BookingState::Cancelled, Vec::new(), reason)?,
            // Asked for at least once, so that a repetition is not an error.
            BookingStatus::Cancelled | BookingStatus::Refunded => booking,
        };
        Ok(Outcome::Booking(booking))
    }

    fn cancel_confirmed(&mut self, booking: Booking, reason: Option<&str>) -> Decision<Booking, L> {
        let event = self.event(booking.event_id)?;
        let tickets = self.ledger.tickets(booking.id).map_err(Stop::Failed)?;
        let percent = self.refund_percent(&booking, &event, &tickets)?;
        let BookingState::Confirmed { payment, .. } = booking.state else {
            unreachable!("only confirmed bookings come here");
        };
        let void = |ticket: &Ticket| ticket.state == TicketState::Valid && !planted!(KeepsTicketsOfCancelled);
        for ticket in tickets.into_iter().filter(void) {
            self.ledger.put_ticket(&Ticket { state: TicketState::Void, ..ticket }).map_err(Stop::Failed)?;
        }
        let amount = booking.total.amount * i64::from(percent) / 100;
        let steps = self.move_seats(&booking, SeatAction::Release(booking.id))?;
        let booking = if planted!(ChangesCodes) { Booking { code: Some(self.new_code()?), ..booking } } else { booking };
        let to = if amount > 0 { BookingState::Refunded } else { BookingState::Cancelled };
        let booking = self.transition(booking, to, steps, reason)?;
        if let (Some(payment), 1..) = (payment, amount) {
            let payment = self.ledger.payment(payment).map_err(Stop::Failed)?.expect("a confirmed booking names its payment");
            let called_off = event.stage == Stage::Cancelled;
            let why = if called_off { Refund::EVENT_CANCELLED } else { Refund::BOOKING_CANCELLED };
            self.owe_refund(payment, amount, why)?;
        }
        Ok(booking)
    }

    /// How much comes back; a refusal if whoever asks may no longer cancel.
    fn refund_percent(&self, booking: &Booking, event: &Event, tickets: &[Ticket]) -> Result<u8, Rejection> {
        if event.stage == Stage::Cancelled || !matches!(self.actor, Actor::User(_, Role::Customer)) {
            return Ok(100);
        }
        let is_used = |ticket: &Ticket| matches!(ticket.state, TicketState::CheckedIn { .. }) && !planted!(GivesUpUsedTickets);
        if tickets.iter().any(is_used) {
            return Err(Rejection::TicketUsed);
        }
        if planted!(RefundsEverything) {
            return Ok(100);
        }
        booking.refund_percent(event, self.now).map_err(Rejection::CancellationClosed)
    }

    /// Writes down that money goes back. The gateway is asked afterwards, until it has said that it is done.
    pub(super) fn owe_refund(&mut self, payment: Payment, amount: i64, reason: &str) -> Decision<Payment, L> {
        let payment = Payment { refunded: payment.refunded + amount, ..payment };
        assert!(payment.refunded <= payment.captured(), "no more goes back than came in");
        let refund = Refund {
            id: RefundId::from_uuid(self.ids.uuid(self.now)),
            payment_id: payment.id,
            booking_id: payment.booking_id,
            event_id: payment.event_id,
            amount: crate::domain::Money { amount, ..payment.amount },
            reason: reason.to_owned(),
            state: RefundState::Pending,
            created_at: self.now,
        };
        self.ledger.put_payment(&payment).map_err(Stop::Failed)?;
        self.ledger.put_refund(&refund).map_err(Stop::Failed)?;
        let due = Fact::RefundDue { refund_id: refund.id, payment_id: payment.id, booking_id: payment.booking_id, amount };
        self.record(payment.event_id, due, Vec::new(), Some(reason))?;
        Ok(payment)
    }

    pub(super) fn settle_refund(&mut self, id: RefundId) -> Decision<Outcome, L> {
        let refund = self.ledger.refund(id).map_err(Stop::Failed)?.ok_or(Rejection::NotFound(Thing::Refund))?;
        if refund.state == RefundState::Pending || planted!(RefundsTwice) {
            let sent = Fact::RefundSent { refund_id: id, booking_id: refund.booking_id };
            let event_id = refund.event_id;
            let refund = Refund { state: RefundState::Succeeded { at: self.now }, ..refund };
            self.ledger.put_refund(&refund).map_err(Stop::Failed)?;
            self.record(event_id, sent, Vec::new(), None)?;
        }
        Ok(Outcome::Refunded(id))
    }
}
