use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Elsewhere, StoreError};
use crate::domain::{EventId, SeatChange, SeatMap};

/// Keeps the state of seats at hand, and tells everybody who looks what changes. It never decides anything.
///
/// # Contract
/// - **No gap.** The deltas of an event are numbered one after another; each is one step of the map's `seq`.
/// - **Caught up.** A map contains every change that was published before it was asked for.
/// - **The writer never waits.** A subscriber that falls behind loses its place and has to begin anew.
#[async_trait]
pub trait SeatFeed: Send + Sync {
    /// Tells of committed changes, in the order in which they were committed.
    async fn publish(&self, changes: &[SeatChange]);

    /// The state of an event's seats; `None` if there is no such event.
    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError>;

    /// Follows an event from the state numbered `since`, or from now where that state is not kept any more.
    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError>;

    /// Compares the maps at hand that this concerns with the store, and publishes what differs. To a store that may have lost something they
    /// do not compare: all are let go of, and whoever follows begins anew.
    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError>;

    /// Lets go of the maps that nobody follows, and nobody has asked for since this was called last.
    fn let_go(&self);
}

/// A place in an event's deltas.
#[derive(Debug)]
pub struct Subscription {
    /// The state to begin from; `None` if `missed` leads on from the state that was named.
    pub snapshot: Option<Arc<SeatMap>>,
    /// The deltas since the state that was named.
    pub missed: Vec<Arc<Delta>>,
    /// The deltas from here on. Having lagged means having lost one's place, and so does its end: the feed numbers its states anew.
    pub deltas: broadcast::Receiver<Arc<Delta>>,
}

/// What changed in one step of a map's `seq`.
#[derive(Debug)]
pub struct Delta {
    /// The state that it leads to.
    pub seq: u64,
    /// The seats that changed.
    pub changes: Vec<SeatChange>,
    frame: OnceLock<String>,
}

impl Delta {
    /// The step to the state numbered `seq`.
    pub const fn new(seq: u64, changes: Vec<SeatChange>) -> Self {
        Self { seq, changes, frame: OnceLock::new() }
    }

    /// The delta as it is sent, encoded once for all who get it.
    pub fn frame(&self, encode: impl FnOnce(&Self) -> String) -> &str {
        self.frame.get_or_init(|| encode(self))
    }
}
