use std::{convert::Infallible, sync::Arc};

use super::store::{BookingRows, EventRows, State};
use crate::domain::{
    Answer, Booking, BookingCode, BookingId, Event, EventId, Layout, LayoutId, Ledger, Payment, PaymentId, Refund, RefundId,
    RefundState, RequestKey, Seat, SeatChange, SeatState, Ticket, TicketCode, Timestamp, Transition, UserId, Venue, VenueId,
};

/// The lock on the state is the transaction. A decision checks before it writes, and nothing here fails, so that nothing ever has to be
/// rolled back.
impl Ledger for State {
    type Error = Infallible;

    fn create_venue(&mut self, venue: &Venue, layout: &Arc<Layout>) -> Result<(), Infallible> {
        self.venues.insert(venue.id, venue.clone());
        self.layouts.insert(layout.id, Arc::clone(layout));
        Ok(())
    }

    fn venue(&mut self, id: VenueId) -> Result<Option<Venue>, Infallible> {
        Ok(self.venues.get(&id).cloned())
    }

    fn layout_known(&mut self, id: LayoutId) -> Result<bool, Infallible> {
        Ok(self.layouts.contains_key(&id))
    }

    fn create_event(&mut self, event: &Arc<Event>, seats: &[u16]) -> Result<(), Infallible> {
        let seats = (0..)
            .zip(seats)
            .map(|(number, &category)| Seat { number, category, state: SeatState::Available, version: 0 })
            .collect();
        self.events.insert(event.id, EventRows { event: Arc::clone(event), seats });
        Ok(())
    }

    fn event(&mut self, id: EventId) -> Result<Option<Arc<Event>>, Infallible> {
        Ok(self.events.get(&id).map(|rows| Arc::clone(&rows.event)))
    }

    fn put_event(&mut self, event: &Arc<Event>) -> Result<(), Infallible> {
        let rows = self.events.get_mut(&event.id).expect("an event is added before it is replaced");
        assert_eq!(rows.event.version + 1, event.version, "an event is replaced by the next version");
        rows.event = Arc::clone(event);
        Ok(())
    }

    fn seat(&mut self, event: EventId, number: u32) -> Result<Option<Seat>, Infallible> {
        Ok(self.events.get(&event).and_then(|rows| rows.seats.get(number as usize)).copied())
    }

    fn put_seat(&mut self, event: EventId, seat: &Seat) -> Result<(), Infallible> {
        let rows = self.events.get_mut(&event).expect("a seat is read before it is replaced");
        let old = &mut rows.seats[seat.number as usize];
        assert_eq!(old.version + 1, seat.version, "a seat is replaced by the next version");
        *old = *seat;
        let change = SeatChange { event_id: event, number: seat.number, status: seat.status(), version: seat.version };
        self.changes.push(change);
        Ok(())
    }

    fn booking(&mut self, id: BookingId) -> Result<Option<Booking>, Infallible> {
        Ok(self.bookings.get(&id).map(|rows| rows.booking.clone()))
    }

    fn put_booking(&mut self, booking: &Booking) -> Result<(), Infallible> {
        if booking.version == 1 {
            let rows = Box::new(BookingRows {
                booking: booking.clone(),
                payments: Vec::new(),
                refunds: Vec::new(),
                tickets: Vec::new(),
                history: Vec::new(),
            });
            assert!(self.bookings.insert(booking.id, rows).is_none(), "a new booking has a new id");
        } else {
            let rows = self.bookings.get_mut(&booking.id).expect("a booking is added before it is replaced");
            let old = std::mem::replace(&mut rows.booking, booking.clone());
            assert_eq!(old.version + 1, booking.version, "a booking is replaced by the next version");
            if let Some(hold) = old.hold() {
                self.deadlines.remove(&(hold.expires_at(), old.id));
                let key = (old.event_id, old.user_id);
                if booking.hold().is_none()
                    && let Some(pending) = self.pending.get_mut(&key)
                {
                    pending.retain(|id| *id != old.id);
                    if pending.is_empty() {
                        self.pending.remove(&key);
                    }
                }
            }
        }
        if let Some(hold) = booking.hold() {
            self.deadlines.insert((hold.expires_at(), booking.id));
            if booking.version == 1 {
                self.pending.entry((booking.event_id, booking.user_id)).or_default().push(booking.id);
            }
        }
        if let Some(code) = booking.code {
            self.codes.insert(code, booking.id);
        }
        Ok(())
    }

    fn code_taken(&mut self, code: BookingCode) -> Result<bool, Infallible> {
        Ok(self.codes.contains_key(&code))
    }

    fn held_seats(&mut self, event: EventId, user: UserId, now: Timestamp) -> Result<u32, Infallible> {
        let pending = self.pending.get(&(event, user)).map_or(&[][..], Vec::as_slice);
        let live = pending
            .iter()
            .map(|id| &self.bookings[id].booking)
            .filter(|booking| booking.hold().is_some_and(|hold| hold.is_live(now)));
        Ok(live.map(|booking| u32::try_from(booking.seats.len()).expect("a booking is far smaller")).sum())
    }

    fn payment(&mut self, id: PaymentId) -> Result<Option<Payment>, Infallible> {
        Ok(self.payments.get(&id).map(|payment| Payment::clone(payment)))
    }

    fn put_payment(&mut self, payment: &Payment) -> Result<(), Infallible> {
        if payment.is_undecided() {
            self.undecided_payments.insert((payment.created_at, payment.id));
        } else {
            self.undecided_payments.remove(&(payment.created_at, payment.id));
        }
        if self.payments.insert(payment.id, Box::new(payment.clone())).is_none() {
            self.rows_of(payment.booking_id).payments.push(payment.id);
        }
        Ok(())
    }

    fn refund(&mut self, id: RefundId) -> Result<Option<Refund>, Infallible> {
        Ok(self.refunds.get(&id).cloned())
    }

    fn put_refund(&mut self, refund: &Refund) -> Result<(), Infallible> {
        if refund.state == RefundState::Pending {
            self.owed_refunds.insert(refund.id);
        } else {
            self.owed_refunds.remove(&refund.id);
        }
        if self.refunds.insert(refund.id, refund.clone()).is_none() {
            self.rows_of(refund.booking_id).refunds.push(refund.id);
        }
        Ok(())
    }

    fn note_message(&mut self, provider: &str, message: &str, _now: Timestamp) -> Result<bool, Infallible> {
        Ok(self.messages.insert((provider.to_owned(), message.to_owned())))
    }

    fn tickets(&mut self, booking: BookingId) -> Result<Vec<Ticket>, Infallible> {
        let codes = self.bookings.get(&booking).map_or(&[][..], |rows| &rows.tickets);
        Ok(codes.iter().map(|code| self.tickets[code].clone()).collect())
    }

    fn ticket(&mut self, code: TicketCode) -> Result<Option<Ticket>, Infallible> {
        Ok(self.tickets.get(&code).cloned())
    }

    fn put_ticket(&mut self, ticket: &Ticket) -> Result<(), Infallible> {
        if self.tickets.insert(ticket.code, ticket.clone()).is_none() {
            self.ticket_codes.insert(ticket.id, ticket.code);
            self.rows_of(ticket.booking_id).tickets.push(ticket.code);
        }
        Ok(())
    }

    fn record(&mut self, transition: Transition) -> Result<(), Infallible> {
        let position = self.journal.len() as u64 + 1;
        if let Some(booking) = transition.booking_id() {
            self.rows_of(booking).history.push(position);
        }
        self.journal.push(transition);
        Ok(())
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<([u8; 32], Answer)>, Infallible> {
        Ok(self.answers.get(key).cloned())
    }

    fn keep_answer(&mut self, key: &RequestKey, answer: &Answer) -> Result<(), Infallible> {
        self.answers.insert(key.id, (key.fingerprint, answer.clone()));
        Ok(())
    }
}

impl State {
    fn rows_of(&mut self, booking: BookingId) -> &mut BookingRows {
        self.bookings.get_mut(&booking).expect("a booking is added before what belongs to it")
    }
}
