//! The rows of an event, found by what belongs to what.

use rustc_hash::FxHashMap;

use super::ends::Ends;
use crate::{
    domain::{Booking, BookingId, Payment, PaymentId, Refund, Ticket},
    ports::EventRecords,
};

pub(super) struct Rows<'a> {
    pub records: &'a EventRecords,
    pub ends: Ends,
    bookings: FxHashMap<BookingId, &'a Booking>,
    payments: FxHashMap<PaymentId, &'a Payment>,
    payments_of: FxHashMap<BookingId, Vec<&'a Payment>>,
    refunds_of: FxHashMap<PaymentId, Vec<&'a Refund>>,
    tickets_of: FxHashMap<BookingId, Vec<&'a Ticket>>,
}

impl<'a> Rows<'a> {
    pub fn new(records: &'a EventRecords) -> Self {
        let mut rows = Self {
            records,
            ends: Ends::of(records),
            bookings: records.bookings.iter().map(|booking| (booking.id, booking)).collect(),
            payments: records.payments.iter().map(|payment| (payment.id, payment)).collect(),
            payments_of: FxHashMap::default(),
            refunds_of: FxHashMap::default(),
            tickets_of: FxHashMap::default(),
        };
        for payment in &records.payments {
            rows.payments_of.entry(payment.booking_id).or_default().push(payment);
        }
        for refund in &records.refunds {
            rows.refunds_of.entry(refund.payment_id).or_default().push(refund);
        }
        for ticket in &records.tickets {
            rows.tickets_of.entry(ticket.booking_id).or_default().push(ticket);
        }
        rows
    }

    pub fn booking(&self, id: BookingId) -> Option<&'a Booking> {
        self.bookings.get(&id).copied()
    }

    pub fn payment(&self, id: PaymentId) -> Option<&'a Payment> {
        self.payments.get(&id).copied()
    }

    pub fn payments_of(&self, id: BookingId) -> &[&'a Payment] {
        self.payments_of.get(&id).map_or(&[], Vec::as_slice)
    }

    pub fn refunds_of(&self, id: PaymentId) -> &[&'a Refund] {
        self.refunds_of.get(&id).map_or(&[], Vec::as_slice)
    }

    pub fn tickets_of(&self, id: BookingId) -> &[&'a Ticket] {
        self.tickets_of.get(&id).map_or(&[], Vec::as_slice)
    }

    /// How a violation names a seat of the event.
    pub fn seat(&self, number: u32) -> String {
        format!("seat {number} of event {}", self.records.event.id)
    }
}
