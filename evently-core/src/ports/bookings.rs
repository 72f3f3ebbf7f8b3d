use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Answer, Booking, BookingCode, BookingId, BookingStatus, Entry, EventId, Payment, PaymentId, Refund, Request, SeatChange,
    Ticket, TicketId, Timestamp, UserId,
};

/// Decides and keeps what is sold. The one door to everything that changes an event, a seat, a booking or money.
///
/// # Contract
/// - **Atomic.** One call of `apply` is one transaction: rows, journal and kept answers are written together, or nothing is.
/// - **One after another.** Each request is decided by [`decide`](crate::domain::decide) as if those before it had been committed
///   already, and those of other calls entirely before or entirely after.
/// - **Time does not go back.** `now` is when somebody asked. Where something has been decided as of a later time meanwhile, a request is
///   decided as of that or later; a store that knows the time better goes by its own.
/// - **Made once.** An id names one thing: what is made with an id that is there is the same thing again or is refused, and
///   nothing is overwritten.
/// - **Each on its own.** A refused request leaves no trace and does not keep others of its call from being accepted.
/// - **Durable.** What `apply` has answered survives a crash of the process and of the machine.
/// - **In doubt.** After an error nothing was done, unless it is [`InDoubt`](super::StoreErrorKind::InDoubt); asking again with the
///   same keys tells.
/// - **Answers are kept** for [`ANSWERS_KEPT`](crate::domain::ANSWERS_KEPT) from when they were first given.
#[async_trait]
pub trait Bookings: Send + Sync {
    /// Decides the requests in order. The answers stand in the same order.
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError>;

    /// One booking.
    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError>;

    /// The confirmed or formerly confirmed booking with this code.
    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError>;

    /// Bookings, newest first: those with an id below `page.after`.
    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError>;

    /// A booking with all that belongs to it, as of one moment.
    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError>;

    /// One payment.
    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError>;

    /// One ticket.
    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError>;
}

/// What a call of [`Bookings::apply`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// An answer for each request, in the same order.
    pub answers: Vec<Answer>,
    /// The seats that changed, in the order of their changes.
    pub changes: Vec<SeatChange>,
}

/// Which bookings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookingFilter {
    /// Those of one customer.
    pub user_id: Option<UserId>,
    /// Those for one event.
    pub event_id: Option<EventId>,
    /// Those in one state.
    pub status: Option<BookingStatus>,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<K> {
    /// The last key of the part before, if there is one.
    pub after: Option<K>,
    /// At most so many.
    pub limit: u32,
}

/// A booking with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRecords {
    /// The booking.
    pub booking: Booking,
    /// All attempts to pay for it, oldest first.
    pub payments: Vec<Payment>,
    /// All money that goes back, oldest first.
    pub refunds: Vec<Refund>,
    /// Its tickets, in the order of their seats, those of former seats included.
    pub tickets: Vec<Ticket>,
    /// Its part of the journal, oldest first.
    pub history: Vec<Entry>,
}
