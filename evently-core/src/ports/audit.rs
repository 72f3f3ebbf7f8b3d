use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Booking, Entry, Event, EventId, Payment, Refund, Seat, Ticket};

/// Lays a whole store open, for the check of its invariants.
#[async_trait]
pub trait Audit: Send + Sync {
    /// All events.
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError>;

    /// Everything of one event, as of one moment.
    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError>;

    /// Checks what only the store can see of itself: that no journal entry was altered, and whatever its engine checks. Names each
    /// fault in a sentence.
    async fn self_check(&self) -> Result<Vec<String>, StoreError>;
}

/// Everything of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecords {
    /// The event.
    pub event: Event,
    /// Its seats in the order of their numbers.
    pub seats: Vec<Seat>,
    /// Its bookings.
    pub bookings: Vec<Booking>,
    /// Their payments.
    pub payments: Vec<Payment>,
    /// Their refunds.
    pub refunds: Vec<Refund>,
    /// Their tickets.
    pub tickets: Vec<Ticket>,
    /// Its part of the journal, oldest first.
    pub journal: Vec<Entry>,
    /// What stands behind a change of the event may have been decided before it, as where many write at once, if it happened no later than so
    /// long after it; `None` where everything stands in the order in which it was decided.
    pub decided_beside: Option<Duration>,
}
