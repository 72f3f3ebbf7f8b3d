use async_trait::async_trait;

use super::StoreError;
use crate::domain::{BookingId, Payment, Refund, Timestamp};

/// Finds what is due and has to be sent through [`Bookings::apply`](super::Bookings::apply). What a call finds may have been
/// dealt with by the time it is sent; the rules decide then.
#[async_trait]
pub trait Chores: Send + Sync {
    /// Pending bookings whose hold has run out at `now`, the longest due first.
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError>;

    /// Pending and confirmed bookings of events that have been cancelled.
    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError>;

    /// Payments that began before `before` and that their gateway has not decided as far as we know, oldest first.
    async fn undecided_payments(&self, before: Timestamp, limit: u32) -> Result<Vec<Payment>, StoreError>;

    /// Refunds that their gateway has not confirmed, oldest first, each with its payment.
    async fn owed_refunds(&self, limit: u32) -> Result<Vec<(Refund, Payment)>, StoreError>;

    /// How many bookings are pending.
    async fn pending_total(&self) -> Result<u64, StoreError>;

    /// Forgets some of the answers given before `before`, and says how many.
    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
