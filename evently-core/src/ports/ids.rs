use uuid::Uuid;

use crate::domain::Timestamp;

/// Ids and secrets. Nothing in the core is random but what comes from here.
pub trait Ids: Send + Sync {
    /// A UUID of version 7 for something that comes into being at `now`; no two are the same.
    fn uuid(&self, now: Timestamp) -> Uuid;

    /// 128 bits that nobody can guess.
    fn secret(&self) -> u128;
}
