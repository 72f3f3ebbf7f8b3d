//! Venues, layouts, events and the state of their seats.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    domain::{Event, EventId, EventStatus, Layout, LayoutId, SeatMap, Stage, Timestamp, UserId, Venue, VenueId},
    ports::{Catalog, Elsewhere, EventFilter, Page, StoreError},
};
use rusqlite::{Transaction, params};

use crate::{
    SqliteStore,
    error::Fault,
    rows::{PublicSeat, StoredEvent, StoredLayout, event_sql, find, find_all, value},
    statements::statements,
};

statements! {
    VENUES = "select id, name, layout_id from venues where id > ?1 order by id limit ?2";
    VENUE_BY_ID = "select id, name, layout_id from venues where id = ?1";
    LAYOUT = "select id, content from layouts where id = ?1";
    EVENT_BY_ID = event_sql!("where e.id = ?1");
    EVENTS = event_sql!(
        "where (e.start_time, e.id) > (?1, ?2) and e.start_time < ?3 and e.end_time > ?4 and e.end_time <= ?5 \
            and (?6 is null or e.stage = ?6) \
            and (?7 or e.stage = 'published' or e.stage = 'cancelled' and e.content ->> 'withdrawn' is not true) \
            and (?8 is null or e.venue_id = ?8) and (?9 is null or e.organizer_id = ?9) \
            and (?10 is null or instr(e.search, ?10) > 0 \
                or exists (select 1 from venues v where v.id = e.venue_id and instr(v.search, ?10) > 0)) \
        order by e.start_time, e.id limit ?11"
    );
    EVENT_KEY = "select event_key from events where id = ?1";
    SEAT_MAP = "select status, version from seats where seat_key >= ?1 << 28 and seat_key < (?1 + 1) << 28 order by seat_key";
}

#[async_trait]
impl Catalog for SqliteStore {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        let venues = move |tx: &Transaction<'_>| {
            // Without a page before: no id is as short.
            let after = page.after.as_ref().map_or(&[][..], |id| id.as_bytes());
            find_all(tx, VENUES, params![after, page.limit])
        };
        self.read("venues", venues).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        self.read("venue", move |tx| find(tx, VENUE_BY_ID, [id.as_uuid()])).await
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        let layout = self.read("layout", move |tx| find::<StoredLayout>(tx, LAYOUT, [id.as_uuid()])).await?;
        Ok(layout.map(|StoredLayout(layout)| layout))
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        let event = self.read("event", move |tx| find::<StoredEvent>(tx, EVENT_BY_ID, [id.as_uuid()])).await?;
        Ok(event.map(|stored| stored.event))
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        let filter = filter.clone();
        let events = self.read("events", move |tx| events(tx, &filter, page)).await?;
        Ok(events.into_iter().map(|stored| stored.event).collect())
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.read("seat_map", move |tx| seat_map(tx, event)).await
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        let written = self.written_elsewhere("changed_elsewhere").await?;
        Ok(if written { Elsewhere::Anything } else { Elsewhere::Unchanged })
    }
}

/// The times that the filter allows, in microseconds.
struct Window {
    /// Begins then or later.
    start_from: i64,
    /// Begins before.
    start_to: i64,
    /// Ends after.
    end_after: i64,
    /// Ends by then.
    end_by: i64,
}

impl Window {
    fn of(filter: &EventFilter) -> Self {
        let mut window = Self {
            start_from: filter.from.map_or(i64::MIN, Timestamp::as_micros),
            start_to: filter.to.map_or(i64::MAX, Timestamp::as_micros),
            end_after: i64::MIN,
            end_by: i64::MAX,
        };
        let now = filter.now.as_micros();
        match filter.status {
            Some(EventStatus::Upcoming) => window.start_from = window.start_from.max(now.saturating_add(1)),
            Some(EventStatus::Ongoing) => {
                window.start_to = window.start_to.min(now.saturating_add(1));
                window.end_after = now;
            }
            Some(EventStatus::Completed) => window.end_by = now,
            Some(EventStatus::Draft | EventStatus::Cancelled) | None => {}
        }
        window
    }
}

fn stage_of(status: EventStatus) -> Stage {
    match status {
        EventStatus::Draft => Stage::Draft,
        EventStatus::Upcoming | EventStatus::Ongoing | EventStatus::Completed => Stage::Published,
        EventStatus::Cancelled => Stage::Cancelled,
    }
}

fn events(tx: &Transaction<'_>, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<StoredEvent>, Fault> {
    let window = Window::of(filter);
    // Both bounds in one, which the index can begin at. No id is as short as none.
    let from: (i64, &[u8]) = (window.start_from, &[]);
    let after = page.after.as_ref().map_or(from, |(start, id)| (start.as_micros(), &id.as_bytes()[..]));
    let (after_start, after_id) = from.max(after);
    let values = params![
        after_start,
        after_id,
        window.start_to,
        window.end_after,
        window.end_by,
        filter.status.map(|status| stage_of(status).name()),
        filter.shows_unpublished(),
        filter.venue_id.as_ref().map(VenueId::as_uuid),
        filter.organizer_id.as_ref().map(UserId::as_uuid),
        filter.text.as_deref().map(str::to_lowercase),
        page.limit,
    ];
    find_all(tx, EVENTS, values)
}

fn seat_map(tx: &Transaction<'_>, event: EventId) -> Result<Option<SeatMap>, Fault> {
    let Some(key) = value::<i64>(tx, EVENT_KEY, [event.as_uuid()])? else { return Ok(None) };
    let seats = find_all::<PublicSeat>(tx, SEAT_MAP, [key])?;
    Ok(Some(SeatMap::new(seats.into_iter().map(|PublicSeat(status, version)| (status, version)))))
}
