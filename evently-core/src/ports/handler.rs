use async_trait::async_trait;

use super::OtherError;
use crate::domain::Entry;

/// Acts on what happened.
///
/// # Contract
/// - **Once.** An entry that is handed in again, at once or much later, in this process or another, has no further effect.
/// - **In any order.** Entries mostly come in the order of their positions; one that failed comes again after others.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Acts on an entry. After an error it is handed in again, unless [`Trouble::of`](crate::services::Trouble::of) says that this is of no use.
    /// A broker parks what has failed a few times; [`BegunElsewhere`](super::BegunElsewhere) is no failure.
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError>;
}
