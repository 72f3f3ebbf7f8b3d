use async_trait::async_trait;

use super::{Claim, StoreError};
use crate::domain::Entry;

/// Hands the journal on to those who act on it.
///
/// # Contract
/// - **In order, without a gap.** A consumer gets every entry, in the order of their positions; an entry that was committed is never
///   passed over for one that was committed later.
/// - **At least once.** What was not marked as done is handed out again.
/// - **One at a time.** Of all who claim a consumer, in whatever processes, one has it, until its claim is over.
/// - **Who was taken over has no say.** Only the latest owner moves the consumer on.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The entries after `position`.
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// How far the consumer has come.
    async fn position(&self, consumer: &str) -> Result<u64, StoreError>;

    /// Takes the consumer, or keeps it for longer where it is the owner's already, and says how far it has come; nothing where
    /// somebody else has it.
    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError>;

    /// Notes that the consumer is done up to and including `position`, and that the claim now lasts until its `until`. Never goes
    /// back. False, and nothing done, where the consumer is not the owner's any more.
    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError>;
}
