use async_trait::async_trait;

use super::StoreError;
use crate::domain::{EventId, Sales, Timestamp};

/// Keeps what the journal says of sales.
///
/// # Contract
/// - **Once.** Figures and position change in one step, so that an entry counts once however often it is handed out.
#[async_trait]
pub trait Figures: Send + Sync {
    /// The position in the journal up to which the figures go.
    async fn position(&self) -> Result<u64, StoreError>;

    /// Adds what the entries from `from` (exclusive) to `to` (inclusive) say; false, and nothing done, if the figures do not go up to `from`.
    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError>;

    /// Forgets all figures and goes back to the start of the journal.
    async fn reset(&self) -> Result<(), StoreError>;

    /// The figures that the filter asks for.
    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError>;

    /// All figures, and the position up to which they go, of one moment.
    async fn all(&self) -> Result<(u64, Sales), StoreError>;
}

/// Which figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SalesFilter {
    /// Those of one event.
    pub event_id: Option<EventId>,
    /// From the hour that begins then.
    pub from: Option<Timestamp>,
    /// Before that.
    pub to: Option<Timestamp>,
}
