use std::time::Duration;

use uuid::Uuid;

use super::{Clock, Ids};
use crate::domain::{CLOCKS_APART, Timestamp};

/// How long a claim lasts unless it is prolonged: how long others wait when its owner has crashed.
pub const CLAIM_LASTS: Duration = Duration::from_secs(30);

/// A claim that ends later than this was made by a clock that was ahead, and is nobody's.
const LASTS_AT_MOST: Duration = CLAIM_LASTS.saturating_add(CLOCKS_APART);

/// Says that one alone is at work, until a time. Times are compared, so all processes on one store go by one time, but for a clock that was
/// far ahead for a while: what it claimed is over as soon as somebody's clock is right.
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

    /// Whether another owner's claim, which lasts until then, is in the way of this one.
    pub fn is_barred_until(&self, until: Timestamp) -> bool {
        self.now < until && until <= self.lasts_at_most()
    }

    /// The latest time until which a claim can last that is made now.
    pub fn lasts_at_most(&self) -> Timestamp {
        self.now + LASTS_AT_MOST
    }

    /// The same owner's claim, over at `now`.
    #[must_use]
    pub const fn over(self, now: Timestamp) -> Self {
        Self { owner: self.owner, now, until: now }
    }
}
