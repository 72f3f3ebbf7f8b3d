use async_trait::async_trait;

use super::OtherError;
use crate::domain::Entry;

/// Carries what happened to those who act on it: in the process, or by a message broker.
///
/// # Contract
/// - **What was taken is not lost.** It is acted on at least once, whatever fails afterwards.
/// - **In order.** Entries of one booking are taken in the order of their positions, and none is passed over.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// How many entries it likes to get at a time, at least one.
    fn at_once(&self) -> usize;

    /// Takes the entries, which follow one another. An error says how many of the first it has taken.
    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried>;
}

/// Not all entries were taken.
#[derive(Debug, thiserror::Error)]
#[error("{taken} entries were carried, and then no more")]
pub struct NotCarried {
    /// How many were, of the first.
    pub taken: usize,
    /// Why the next was not.
    #[source]
    pub source: OtherError,
}
