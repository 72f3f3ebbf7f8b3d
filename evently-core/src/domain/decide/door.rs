//! The door: a ticket admits one person, once.

use super::{Decision, Desk, Stop};
use crate::domain::{Actor, Admission, EventId, Fact, Ledger, Outcome, Rejection, Thing, Ticket, TicketCode, TicketState};

impl<L: Ledger> Desk<'_, L> {
    pub(super) fn check_in(&mut self, code: TicketCode, event_id: Option<EventId>) -> Decision<Outcome, L> {
        let Actor::User(by, _) = self.actor else {
            return Err(Rejection::NotFound(Thing::User).into());
        };
        let Some(ticket) = self.ledger.ticket(code).map_err(Stop::Failed)? else {
            return Ok(Outcome::CheckIn(Admission::Invalid, None));
        };
        if event_id.is_some_and(|event_id| event_id != ticket.event_id) {
            return Ok(Outcome::CheckIn(Admission::WrongEvent, None));
        }
        let admission = match ticket.state {
            TicketState::Void => Admission::Cancelled,
            TicketState::CheckedIn { .. } if planted!(AdmitsTwice) => Admission::Admitted,
            TicketState::CheckedIn { at, .. } => Admission::AlreadyAdmitted { at },
            TicketState::Valid => Admission::Admitted,
        };
        if admission != Admission::Admitted {
            return Ok(Outcome::CheckIn(admission, Some(ticket)));
        }
        let ticket = Ticket { state: TicketState::CheckedIn { at: self.now, by }, ..ticket };
        self.ledger.put_ticket(&ticket).map_err(Stop::Failed)?;
        let fact = Fact::CheckedIn { ticket_id: ticket.id, booking_id: ticket.booking_id, seat: ticket.seat };
        self.record(ticket.event_id, fact, Vec::new(), None)?;
        Ok(Outcome::CheckIn(admission, Some(ticket)))
    }
}
