use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{Event, EventId, EventStatus, Layout, LayoutId, SeatMap, Timestamp, UserId, Venue, VenueId};

/// Reads venues, layouts, events and the state of their seats.
///
/// # Contract
/// - **Committed.** What is read has been committed, and everything committed before the call is read.
/// - **One moment.** A seat map is the state of all seats at one moment.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Venues in the order of their ids.
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError>;

    /// One venue.
    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError>;

    /// One layout. It never changes.
    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError>;

    /// One event.
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;

    /// Events by start time and then id: those after `page.after`.
    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError>;

    /// The state of an event's seats.
    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError>;

    /// What has become of the store since this was asked last, but for what was written by this handle. What is kept in memory may then
    /// be out of date.
    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError>;

    /// Names the run of the server that the store goes by, as it was when it was last asked for what has changed. A store without a server
    /// has one for good.
    fn run(&self) -> u64 {
        0
    }
}

/// What has become of a store, but for what was written by the handle that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Elsewhere {
    /// Nothing that matters.
    #[default]
    Unchanged,
    /// Somebody else, another process for instance, has written what concerns these events.
    Events(BTreeSet<EventId>),
    /// Somebody else has written, nobody knows what.
    Anything,
    /// Another server answers, or the same one was started anew: after a failover it may lack what was committed last, and what was shown
    /// of that has never been.
    AnotherRun,
}

impl Elsewhere {
    /// This and what came after it.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::AnotherRun, _) | (_, Self::AnotherRun) => Self::AnotherRun,
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
            (Self::Unchanged, events) | (events, Self::Unchanged) => events,
            (Self::Events(mut events), Self::Events(more)) => {
                events.extend(more);
                Self::Events(events)
            }
        }
    }

    /// Whether what was read of this event may be out of date.
    pub fn concerns(&self, event: EventId) -> bool {
        match self {
            Self::Unchanged => false,
            Self::Events(events) => events.contains(&event),
            Self::Anything | Self::AnotherRun => true,
        }
    }
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Those whose status at `now` is this; without it all but drafts. What was called off as a draft is among those that were called off,
    /// for whoever is shown drafts as well.
    pub status: Option<EventStatus>,
    /// The time by which the status is judged.
    pub now: Timestamp,
    /// Those whose name or venue contains this, in any case.
    pub text: Option<String>,
    /// Those that begin then or later.
    pub from: Option<Timestamp>,
    /// Those that begin before then.
    pub to: Option<Timestamp>,
    /// Those at one venue.
    pub venue_id: Option<VenueId>,
    /// Those of one organizer, drafts included.
    pub organizer_id: Option<UserId>,
    /// Drafts of everybody too, where no status is asked for.
    pub drafts: bool,
}

impl EventFilter {
    /// Whether it is after what was never published as well.
    pub fn shows_unpublished(&self) -> bool {
        self.drafts || self.organizer_id.is_some() || self.status == Some(EventStatus::Draft)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// What could not be read again is due until it is.
    #[test]
    fn nothing_that_has_changed_is_lost_where_more_changes() {
        let events = |ids: &[u128]| Elsewhere::Events(ids.iter().map(|id| EventId::from_uuid(Uuid::from_u128(*id))).collect());
        assert_eq!(events(&[1, 2]).then(events(&[2, 3])), events(&[1, 2, 3]));
        assert_eq!(events(&[1]).then(Elsewhere::Unchanged), events(&[1]));
        assert_eq!(Elsewhere::Unchanged.then(events(&[1])), events(&[1]));
        for all in [Elsewhere::Anything, Elsewhere::AnotherRun] {
            assert_eq!((events(&[1]).then(all.clone()), all.clone().then(events(&[1]))), (all.clone(), all));
        }
        assert_eq!(Elsewhere::AnotherRun.then(Elsewhere::Anything), Elsewhere::AnotherRun);
        assert_eq!(Elsewhere::Anything.then(Elsewhere::AnotherRun), Elsewhere::AnotherRun);
    }
}
