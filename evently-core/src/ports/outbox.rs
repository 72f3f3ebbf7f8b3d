use async_trait::async_trait;

use super::StoreError;
use crate::domain::Entry;

/// Hands the journal on to those who act on it.
///
/// # Contract
/// - **In order, without a gap.** A consumer gets every entry, in the order of their positions; an entry that was committed is never
///   passed over for one that was committed later.
/// - **At least once.** What was not marked as done is handed out again.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The entries after `position`.
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// How far the consumer has come.
    async fn position(&self, consumer: &str) -> Result<u64, StoreError>;

    /// Notes that the consumer is done up to and including `position`. Never goes back.
    async fn advance(&self, consumer: &str, position: u64) -> Result<(), StoreError>;
}
