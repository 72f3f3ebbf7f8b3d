use std::time::Duration;

use uuid::Uuid;

use super::{Clock, Ids};
use crate::domain::Timestamp;

/// How long a claim lasts unless it is prolonged: how long others wait when its owner has crashed.
pub const CLAIM_LASTS: Duration = Duration::from_secs(30);

/// Says that one alone is at work, until a time. Times are compared, so all processes on one store go by one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who. Made for each piece of work, not for each process: so whoever was too slow is told from whoever took over, even if both
    /// are tasks of the same process.
    pub owner: Uuid,
    /// The time at which it is made.
    pub now: Timestamp,
    /// The time from which others may take over.
    pub until: Timestamp,
}

impl Claim {
    /// A claim of a new owner, from now on.
    pub fn new(ids: &dyn Ids, clock: &dyn Clock) -> Self {
        let now = clock.now();
        Self { owner: ids.uuid(now), now, until: now + CLAIM_LASTS }
    }

    /// The same owner's claim from `now` on.
    #[must_use]
    pub fn prolonged(self, now: Timestamp) -> Self {
        Self { owner: self.owner, now, until: now + CLAIM_LASTS }
    }

    /// The same owner's claim, over at `now`.
    #[must_use]
    pub const fn over(self, now: Timestamp) -> Self {
        Self { owner: self.owner, now, until: now }
    }
}
