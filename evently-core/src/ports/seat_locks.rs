use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{BookingId, EventId, RequestKey};

/// Turns away, cheaply, those who want a seat that somebody else is buying, before they reach the store.
///
/// Locks decide nothing. They may be lost at any moment, or be away, and then the store has more to do, and no more than that. Nor do
/// they keep a free seat from being sold for long: whoever has taken one says what has become of it, and one of which nobody says
/// anything ends by itself.
///
/// # Contract
/// - **One owner.** While a seat is locked, nobody who asks for it with another booking is let through, unless the lock was lost.
/// - **Each call as of one moment.** What stood in the way of a request was locked before the call. Those of one call do not stand in
///   each other's way: the store decides among them. The first of them that can have all its seats gets the locks.
/// - **All or none.** A request gets locks on all its seats, or on none.
/// - **A repetition is told the same.** A request with a key under which one has been let through goes through as well, for its answer
///   may be kept in the store. One under whose key the same content was turned away in the last [`DECIDING`] is turned away for the
///   same seats, because the first may still be on its way, and nobody expects it to be decided any more. A request for a booking that
///   has the locks already goes through.
/// - **A lock ends**, [`DECIDING`] after it was taken if nothing is said of it, and then when it was said.
/// - **Only one's own.** Locks of another booking are never made longer or released.
/// - **In time.** An answer, or an error, comes within a fraction of a second.
#[async_trait]
pub trait SeatLocks: Send + Sync {
    /// Asks for locks. For each request, in the same order, the seats that others have; it may go on to the store if there are none.
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway>;

    /// Says what has become of seats, one after the other.
    async fn settle(&self, settled: &[Settled]) -> Result<(), LocksAway>;
}

/// For how long a seat is locked while the store decides, and whoever was turned away stays so. It is a matter of milliseconds; an instance that dies in between leaves a
/// lock behind for this long.
pub const DECIDING: Duration = Duration::from_secs(10);

/// Somebody wants seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// The event.
    pub event_id: EventId,
    /// The seats, by their numbers.
    pub seats: Vec<u32>,
    /// The booking that they would be for, and the owner of the locks.
    pub booking_id: BookingId,
    /// Tells its repetitions, if it has an idempotency key.
    pub key: Option<RequestKey>,
}

/// What has become of a booking's seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The event.
    pub event_id: EventId,
    /// The seats, by their numbers.
    pub seats: Vec<u32>,
    /// The booking.
    pub booking_id: BookingId,
    /// For how much longer the booking holds them; nothing if it does not, any more or at all.
    pub held: Option<Duration>,
}

/// The locks cannot be had, and whoever asked goes on without them.
#[derive(Debug, thiserror::Error)]
#[error("the seat locks are away")]
pub struct LocksAway(#[source] pub Box<dyn std::error::Error + Send + Sync>);
