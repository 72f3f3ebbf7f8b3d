//! Venues, layouts, events and the state of their seats. Those who look at venues, layouts and lists of events may be answered by a replica;
//! one event, and the state of its seats, is what the primary says.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{Event, EventId, EventStatus, Layout, LayoutId, SeatMap, SeatStatus, Timestamp, UserId, Venue, VenueId},
    ports::{Catalog, Elsewhere, EventFilter, Page, StoreError},
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    rows::{FromRow, event_sql, from_rows, get, layout_from_row, seat_status, to_sql, unsigned},
    store::{During, PgStore, values},
};

const VENUES: &str = "select id, name, layout_id from venues where id > $1 order by id limit $2";
const VENUE_BY_ID: &str = "select id, name, layout_id from venues where id = $1";
const LAYOUT: &str = "select id, content from layouts where id = $1";
/// Its start tells in which partition it is.
const EVENT_BY_ID: &str = event_sql!("where e.id = $1 and e.start_time = (select i.start_time from event_ids i where i.id = $1)");
/// Events by start. The first condition on the start follows from the second, and rules partitions out. What was called off as a draft is told
/// by the text of its content: the server makes no JSON of one in which somebody has written `\0`, and within a string the quotes are escaped.
macro_rules! events_sql {
    ($status:literal) => {
        event_sql!(
            "where e.start_time >= $1 and (e.start_time, e.id) > ($1, $2) and e.start_time < $3 and e.end_time > $4 \
             and e.end_time <= $5 and ",
            $status,
            " and ($7::boolean or e.status = 'upcoming' or e.status = 'cancelled' and strpos(e.content, '\"withdrawn\":true') = 0) \
             and ($8::uuid is null or e.venue_id = $8) and ($9::uuid is null or e.organizer_id = $9) \
             and ($10::text is null or strpos(e.search, $10) > 0 \
                or exists (select 1 from venues v where v.id = e.venue_id and strpos(v.search, $10) > 0)) \
             order by e.start_time, e.id limit $11"
        )
    };
}
pub(crate) const EVENTS: &str = events_sql!("($6::text is null or e.status = $6)");
/// With the status said, the index of the events that are on sale will do.
pub(crate) const EVENTS_PUBLISHED: &str = events_sql!("e.status = 'upcoming' and $6::text = 'upcoming'");
/// The price of a seat stands in its row for this question.
pub(crate) const AVAILABLE: &str = "select s.number, s.price, s.section, s.\"row\" from seats s \
    where s.event_id = $1 and s.status = 'available' order by s.price, s.section, s.\"row\", s.number limit $2";
const SEAT_MAP: &str = "select status, version from seats where event_id = $1 order by number";
const EVENT_EXISTS: &str = "select 1 from event_ids where id = $1";

#[async_trait]
impl Catalog for PgStore {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        venues(self, page).await.during("venues")
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        venue(self, id).await.during("venue")
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        layout(self, id).await.during("layout")
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        event(self, id).await.during("event")
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        events(self, filter, page).await.during("events")
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        seat_map(self, event).await.during("seat_map")
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.written_elsewhere().await.during("changed_elsewhere")
    }

    fn run(&self) -> u64 {
        self.writer.run()
    }
}

async fn venues(store: &PgStore, page: Page<VenueId>) -> Result<Vec<Venue>, Fault> {
    // Without a page before: no venue has this id.
    let after = page.after.map_or(Uuid::nil(), |id| *id.as_uuid());
    from_rows(&store.browse(VENUES, values![after, i64::from(page.limit)]).await?)
}

async fn venue(store: &PgStore, id: VenueId) -> Result<Option<Venue>, Fault> {
    store.browse_one(VENUE_BY_ID, values![id.as_uuid()]).await?.as_ref().map(Venue::from_row).transpose()
}

async fn layout(store: &PgStore, id: LayoutId) -> Result<Option<Arc<Layout>>, Fault> {
    store.browse_one(LAYOUT, values![id.as_uuid()]).await?.as_ref().map(layout_from_row).transpose()
}

async fn event(store: &PgStore, id: EventId) -> Result<Option<Arc<Event>>, Fault> {
    // What all instances share is filled with it after a change that this one has yet to hear of.
    let mut row = store.row(EVENT_BY_ID, values![id.as_uuid()]).await?;
    if row.is_none() && store.row(EVENT_EXISTS, values![id.as_uuid()]).await?.is_some() {
        // Whoever has to wait while it is moved to its month looks where it was before.
        row = store.row(EVENT_BY_ID, values![id.as_uuid()]).await?;
    }
    if row.is_some() {
        // Who has seen this sees nothing older in a list.
        store.fence();
    }
    row.as_ref().map(FromRow::from_row).transpose()
}

/// The times that the filter allows.
struct Window {
    /// Begins then or later.
    start_from: Timestamp,
    /// Begins before.
    start_to: Timestamp,
    /// Ends after.
    end_after: Timestamp,
    /// Ends by then.
    end_by: Timestamp,
}

impl Window {
    fn of(filter: &EventFilter) -> Self {
        let (always, never) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        let mut window = Self {
            start_from: filter.from.unwrap_or(always),
            start_to: filter.to.unwrap_or(never),
            end_after: always,
            end_by: never,
        };
        let after_now = filter.now + Duration::from_micros(1);
        match filter.status {
            Some(EventStatus::Upcoming) => window.start_from = window.start_from.max(after_now),
            Some(EventStatus::Ongoing) => {
                window.start_to = window.start_to.min(after_now);
                window.end_after = filter.now;
            }
            Some(EventStatus::Completed) => window.end_by = filter.now,
            Some(EventStatus::Draft | EventStatus::Cancelled) | None => {}
        }
        window
    }
}

/// What the column says, whenever the event takes place.
const fn kept_as(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Draft => "draft",
        EventStatus::Upcoming | EventStatus::Ongoing | EventStatus::Completed => "upcoming",
        EventStatus::Cancelled => "cancelled",
    }
}

async fn events(store: &PgStore, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, Fault> {
    let text = filter.text.as_deref().map(str::to_lowercase);
    // The server keeps no text with this character, and does not take it as a question either.
    if text.as_ref().is_some_and(|text| text.contains('\0')) {
        return Ok(Vec::new());
    }
    let window = Window::of(filter);
    // Both bounds in one, which the index can begin at. No event has this id.
    let from = (window.start_from, EventId::from_uuid(Uuid::nil()));
    let (after_start, after_id) = page.after.map_or(from, |after| after.max(from));
    let values = values![
        to_sql(after_start),
        after_id.as_uuid(),
        to_sql(window.start_to),
        to_sql(window.end_after),
        to_sql(window.end_by),
        filter.status.map(kept_as),
        filter.shows_unpublished(),
        filter.venue_id.as_ref().map(VenueId::as_uuid),
        filter.organizer_id.as_ref().map(UserId::as_uuid),
        text,
        i64::from(page.limit),
    ];
    let published = filter.status.is_some_and(|status| kept_as(status) == "upcoming");
    from_rows(&store.browse(if published { EVENTS_PUBLISHED } else { EVENTS }, values).await?)
}

/// A seat that can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableSeat {
    /// In the layout, from 0.
    pub number: u32,
    /// In minor units of the event's currency.
    pub price: i64,
    /// The section's name.
    pub section: String,
    /// The row's label.
    pub row: String,
}

impl PgStore {
    /// Up to `limit` seats of an event that can be had: the cheapest first, then by section, and rows as people count, 2 before 10.
    pub async fn available_seats(&self, event: EventId, limit: u32) -> Result<Vec<AvailableSeat>, StoreError> {
        available_seats(self, event, limit).await.during("available_seats")
    }
}

async fn available_seats(store: &PgStore, event: EventId, limit: u32) -> Result<Vec<AvailableSeat>, Fault> {
    let rows = store.rows(AVAILABLE, values![event.as_uuid(), i64::from(limit)]).await?;
    let seat = |row: &PgRow| {
        let number = unsigned("seats", get(row, 0)?)?;
        Ok(AvailableSeat { number, price: get(row, 1)?, section: get(row, 2)?, row: get(row, 3)? })
    };
    rows.iter().map(seat).collect()
}

async fn seat_map(store: &PgStore, event: EventId) -> Result<Option<SeatMap>, Fault> {
    let mut tx = store.read().await?;
    let seats = tx.all(SEAT_MAP, values![event.as_uuid()]).await?;
    let exists = !seats.is_empty() || tx.one(EVENT_EXISTS, values![event.as_uuid()]).await?.is_some();
    tx.end().await;
    if !exists {
        return Ok(None);
    }
    let seats = seats.iter().map(public_seat).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Some(SeatMap::new(seats)))
}

fn public_seat(row: &PgRow) -> Result<(SeatStatus, u32), Fault> {
    Ok((seat_status(get(row, 0)?)?, unsigned("seats", get(row, 1)?)?))
}
