//! What a decision reads and writes: the rows of one transaction.

use std::sync::Arc;

use super::{
    booking::{Booking, BookingCode},
    command::{Answer, RequestKey},
    event::Event,
    id::{BookingId, EventId, LayoutId, PaymentId, RefundId, UserId, VenueId},
    journal::Transition,
    layout::{Layout, Venue},
    payment::{Payment, Refund},
    seat::Seat,
    ticket::{Ticket, TicketCode},
    time::Timestamp,
};

/// The rows of one transaction, as [`decide`](super::decide) sees them.
///
/// A store implements it over whatever it keeps its rows in. What one decision writes, the next one of the same transaction
/// reads. Nothing is decided here. An error ends the whole transaction; a refused command has written nothing.
#[expect(clippy::missing_errors_doc, missing_docs, reason = "each method reads or writes the row it is named for")]
pub trait Ledger {
    /// Why a row could not be read or written.
    type Error;

    fn create_venue(&mut self, venue: &Venue, layout: &Arc<Layout>) -> Result<(), Self::Error>;
    fn venue(&mut self, id: VenueId) -> Result<Option<Venue>, Self::Error>;
    fn layout_known(&mut self, id: LayoutId) -> Result<bool, Self::Error>;

    /// Adds the event and its seats: one available seat of version 0 for each category given, in the order of numbers.
    fn create_event(&mut self, event: &Arc<Event>, seats: &[u16]) -> Result<(), Self::Error>;
    fn event(&mut self, id: EventId) -> Result<Option<Arc<Event>>, Self::Error>;
    fn put_event(&mut self, event: &Arc<Event>) -> Result<(), Self::Error>;

    fn seat(&mut self, event: EventId, number: u32) -> Result<Option<Seat>, Self::Error>;
    /// Replaces the seat of version `seat.version - 1`; that it is that one is checked.
    fn put_seat(&mut self, event: EventId, seat: &Seat) -> Result<(), Self::Error>;

    fn booking(&mut self, id: BookingId) -> Result<Option<Booking>, Self::Error>;
    /// Adds the booking if its version is 1, else replaces the one of version `booking.version - 1`.
    fn put_booking(&mut self, booking: &Booking) -> Result<(), Self::Error>;
    fn code_taken(&mut self, code: BookingCode) -> Result<bool, Self::Error>;
    /// How many seats of the event the customer has in holds that are live at `now`.
    fn held_seats(&mut self, event: EventId, user: UserId, now: Timestamp) -> Result<u32, Self::Error>;

    fn payment(&mut self, id: PaymentId) -> Result<Option<Payment>, Self::Error>;
    fn put_payment(&mut self, payment: &Payment) -> Result<(), Self::Error>;
    fn refund(&mut self, id: RefundId) -> Result<Option<Refund>, Self::Error>;
    fn put_refund(&mut self, refund: &Refund) -> Result<(), Self::Error>;
    /// Writes down that a gateway's message was taken in; false if it was before.
    fn note_message(&mut self, provider: &str, message: &str, now: Timestamp) -> Result<bool, Self::Error>;

    fn tickets(&mut self, booking: BookingId) -> Result<Vec<Ticket>, Self::Error>;
    fn ticket(&mut self, code: TicketCode) -> Result<Option<Ticket>, Self::Error>;
    fn put_ticket(&mut self, ticket: &Ticket) -> Result<(), Self::Error>;

    /// Appends to the journal, and to the outbox.
    fn record(&mut self, transition: Transition) -> Result<(), Self::Error>;

    /// The answer kept under the key's id, with the fingerprint of the request it was given to.
    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<([u8; 32], Answer)>, Self::Error>;
    /// Keeps an answer, in place of one that is there.
    fn keep_answer(&mut self, key: &RequestKey, answer: &Answer) -> Result<(), Self::Error>;
}
