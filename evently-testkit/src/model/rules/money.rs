//! The rules of money, told plainly.

use std::time::Duration;

use evently_core::domain::{
    Actor, Booking, BookingId, BookingState, BookingStatus, GatewayReport, Hold, Payment, PaymentId, PaymentState, Rejection,
    SeatState, Stage, TicketState,
};

use super::Model;
use crate::model::view::{Said, View, invalid, some_code};

/// What a gateway's report brings with it.
pub(in crate::model) struct Report<'a> {
    pub says: GatewayReport,
    pub reference: Option<&'a str>,
    pub message: Option<u8>,
    pub instead: &'a [u32],
}

impl Model {
    pub fn start_payment(&mut self, id: PaymentId, booking_id: BookingId, by: Actor) -> Said {
        self.visible(booking_id, by)?;
        if let Some(known) = self.payments.get(&id) {
            if known.booking_id != booking_id || known.provider != "sandbox" {
                return Err(invalid());
            }
            let BookingState::Pending(Hold { payment: Some((waits_for, _)), .. }) = self.bookings[&booking_id].state else {
                return self.paid(id);
            };
            let open = matches!(known.state, PaymentState::Processing | PaymentState::RequiresAction { .. });
            return if open && self.goes_on() && waits_for == id { Ok(self.started(id)) } else { self.paid(id) };
        }
        let hold = self.on_hold_still(booking_id)?;
        if let Some((open, _)) = hold.payment {
            let payment = self.payments.get_mut(&open).expect("it is there");
            let unanswered = payment.state == PaymentState::Processing && payment.reference.is_none();
            if unanswered && self.now < payment.created_at + Duration::from_secs(15) {
                return Err(Rejection::PaymentInProgress);
            }
            if matches!(payment.state, PaymentState::Processing | PaymentState::RequiresAction { .. }) {
                payment.state = PaymentState::Failed { reason: "superseded".to_owned() };
            }
        }
        let free = self.bookings[&booking_id].total.amount == 0;
        let state = if free { PaymentState::Succeeded { at: self.now } } else { PaymentState::Processing };
        self.add_payment(id, booking_id, "sandbox", state, None);
        if free {
            self.sell(booking_id, None);
            return self.paid(id);
        }
        let last = self.bookings[&booking_id].created_at + self.terms.cap;
        let until = self.now.min(last) + self.terms.payment_window;
        self.set_state(booking_id, BookingState::Pending(Hold { payment: Some((id, until)), ..hold }));
        Ok(self.started(id))
    }

    pub fn confirm(&mut self, booking_id: BookingId, payment_id: PaymentId) -> Said {
        self.visible(booking_id, Actor::System)?;
        if let Some(known) = self.payments.get(&payment_id) {
            let same = known.booking_id == booking_id && known.provider == "external";
            return if same { self.paid(payment_id) } else { Err(invalid()) };
        }
        self.on_hold_still(booking_id)?;
        self.add_payment(payment_id, booking_id, "external", PaymentState::Succeeded { at: self.now }, Some("till"));
        self.sell(booking_id, Some(payment_id));
        self.paid(payment_id)
    }

    pub fn report(&mut self, id: PaymentId, report: &Report<'_>) -> Said {
        let now = self.now;
        let payment = self.payments.get_mut(&id).expect("the driver reports payments that are there");
        let heard_before = report.message.is_some_and(|message| !self.messages.insert((payment.provider.clone(), message)));
        payment.reference = payment.reference.take().or(report.reference.map(str::to_owned));
        let open = matches!(payment.state, PaymentState::Processing | PaymentState::RequiresAction { .. });
        let state = match &report.says {
            _ if heard_before => None,
            GatewayReport::Succeeded if !matches!(payment.state, PaymentState::Succeeded { .. }) => {
                Some(PaymentState::Succeeded { at: now })
            }
            GatewayReport::Failed { reason } if open => Some(PaymentState::Failed { reason: reason.clone() }),
            GatewayReport::Failed { reason } if payment.state == (PaymentState::Failed { reason: "superseded".to_owned() }) => {
                Some(PaymentState::Failed { reason: reason.clone() })
            }
            GatewayReport::RequiresAction { client_secret } if payment.state == PaymentState::Processing => {
                Some(PaymentState::RequiresAction { client_secret: client_secret.clone() })
            }
            _ => None,
        };
        if let Some(state) = state {
            payment.state = state.clone();
            match state {
                PaymentState::Succeeded { .. } => self.captured(id, report.instead),
                PaymentState::Failed { .. } => self.refused(id),
                _ => {}
            }
        }
        self.paid(id)
    }

    /// Whether the event has been neither called off nor is over.
    fn goes_on(&self) -> bool {
        self.event.stage != Stage::Cancelled && self.now < self.event.details.end_time
    }

    /// A refusal leaves the hold, for as long as an extension would, while it can be paid at all.
    fn refused(&mut self, id: PaymentId) {
        let booking = &self.bookings[&self.payments[&id].booking_id];
        if let BookingState::Pending(hold) = booking.state
            && hold.payment.is_some_and(|(waits_for, _)| waits_for == id)
            && self.on_hold(booking)
        {
            if !self.goes_on() {
                return self.end(booking.id, BookingState::Cancelled);
            }
            let again = (self.now + self.terms.ttl).min(booking.created_at + self.terms.cap);
            self.set_state(booking.id, BookingState::Pending(Hold { until: hold.until.max(again), payment: None }));
        }
    }

    /// Money that is there buys its booking or goes back.
    fn captured(&mut self, id: PaymentId, instead: &[u32]) {
        let booking_id = self.payments[&id].booking_id;
        let pending = self.bookings[&booking_id].status() == BookingStatus::Pending;
        if pending && self.on_hold(&self.bookings[&booking_id]) {
            if self.goes_on() {
                return self.sell(booking_id, Some(id));
            }
            self.end(booking_id, BookingState::Cancelled);
            return self.send_back(id, self.payments[&id].amount.amount);
        }
        if pending {
            self.end(booking_id, BookingState::Expired);
        }
        let details = &self.event.details;
        let begun = self.now >= details.start_time && self.now >= details.on_sale.closes_at;
        let sellable = self.event.stage == Stage::Published && !begun && self.now < details.end_time;
        let expired = self.bookings[&booking_id].status() == BookingStatus::Expired;
        match self.seats_for_late_money(&self.bookings[&booking_id], instead).filter(|_| expired && sellable) {
            Some(seats) => {
                self.take_over(&seats);
                let booking = self.bookings.get_mut(&booking_id).expect("it is there");
                booking.seats.iter_mut().zip(seats).for_each(|(booked, number)| booked.number = number);
                self.sell(booking_id, Some(id));
            }
            None => self.send_back(id, self.payments[&id].amount.amount),
        }
    }

    /// The booking's own seats if all are to be had, or those named instead if they are as many, free, in order and cost the same.
    fn seats_for_late_money(&self, booking: &Booking, instead: &[u32]) -> Option<Vec<u32>> {
        let free = |number: &u32| self.seats.get(*number as usize).is_some_and(|seat| self.to_be_had(seat));
        let own = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        if own.iter().all(free) {
            return Some(own);
        }
        let fits = instead.len() == own.len()
            && instead.iter().all(free)
            && instead.windows(2).all(|pair| pair[0] < pair[1])
            && instead.iter().zip(&booking.seats).all(|(number, paid)| self.price(*number) == paid.price);
        fits.then(|| instead.to_vec())
    }

    pub fn settle_refund(&mut self, of: PaymentId) -> Said {
        self.refunds.get_mut(&of).expect("the driver settles refunds that are there").1 = true;
        Ok(View::RefundSent)
    }

    /// Sells a booking its seats, with a ticket for each.
    fn sell(&mut self, id: BookingId, payment: Option<PaymentId>) {
        let numbers = self.bookings[&id].seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        for number in numbers {
            self.set_seat(number, SeatState::Booked(id));
            self.tickets.insert((id, number), TicketState::Valid);
        }
        self.set_state(id, BookingState::Confirmed { payment, at: self.now });
        self.bookings.get_mut(&id).expect("it is there").code = Some(some_code());
    }

    pub(super) fn send_back(&mut self, id: PaymentId, amount: i64) {
        self.payments.get_mut(&id).expect("it is there").refunded += amount;
        self.refunds.insert(id, (amount, false));
    }

    fn add_payment(
        &mut self,
        id: PaymentId,
        booking_id: BookingId,
        provider: &str,
        state: PaymentState,
        reference: Option<&str>,
    ) {
        let payment = Payment {
            id,
            booking_id,
            event_id: self.event.id,
            amount: self.bookings[&booking_id].total,
            state,
            provider: provider.to_owned(),
            reference: reference.map(str::to_owned),
            refunded: 0,
            created_at: self.now,
        };
        self.payments.insert(id, payment);
    }

    fn started(&self, id: PaymentId) -> View {
        let payment = &self.payments[&id];
        View::Started(payment.clone(), self.bookings[&payment.booking_id].clone())
    }

    fn paid(&self, id: PaymentId) -> Said {
        let payment = &self.payments[&id];
        Ok(View::Paid(payment.clone(), self.bookings[&payment.booking_id].clone()))
    }
}
