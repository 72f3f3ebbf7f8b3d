use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{BookingId, Payment, PaymentId, Refund, RefundId, Timestamp};

/// Something that is due, under the key that its page goes by; or why it cannot be read, which keeps no other from its turn.
pub type Due<K, T> = ((Timestamp, K), Result<T, StoreError>);

/// Finds what is due and has to be sent through [`Bookings::apply`](super::Bookings::apply). What a call finds may have been
/// dealt with by the time it is sent; the rules decide then.
#[async_trait]
pub trait Chores: Send + Sync {
    /// Pending bookings whose hold has run out at `now`, the longest due first.
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError>;

    /// Pending and confirmed bookings of events that have been cancelled.
    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError>;

    /// Payments by `provider` that began before `before` and that it has not decided as far as we know, oldest first: those
    /// after `page.after`. One that was given up for another is among them, because its gateway may still capture it; and one that
    /// began more than [`CLOCKS_APART`](crate::domain::CLOCKS_APART) after `before`, by a clock that was far ahead.
    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError>;

    /// Refunds of payments by `provider` that it has not confirmed, oldest first, each with its payment: those after `page.after`.
    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError>;

    /// Makes ready what the store needs for the time ahead, where it needs anything; to be called now and then. How much there was to do.
    async fn make_room(&self, now: Timestamp) -> Result<usize, StoreError> {
        let _ = now;
        Ok(0)
    }

    /// How many bookings are pending.
    async fn pending_total(&self) -> Result<u64, StoreError>;

    /// Forgets some of the answers given before `before`, and says how many.
    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Forgets logins that ended before `before`, with all their refresh tokens: up to `limit` logins and tokens together; says how
    /// many. Until then a token that was spent is known, so that whoever uses it again is found out.
    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Forgets that messages were acted on whose claims ended before `before`, and says how many. Until then a message that comes
    /// again is known.
    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
