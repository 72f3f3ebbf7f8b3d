//! Venues, layouts, events, seats, and the journal.

use std::sync::Arc;

use evently_core::domain::{BookingId, Entry, Event, Layout, LayoutId, Seat, SeatState, SeatStatus, Venue, VenueId};
use rusqlite::Row;
use uuid::Uuid;

use super::{FromRow, Stored, from_json, position_from_sql};
use crate::error::Fault;

pub(crate) struct VenueRow {
    id: Uuid,
    name: String,
    layout_id: Uuid,
}

impl FromRow for VenueRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, layout_id: row.get(2)? })
    }
}

impl Stored for Venue {
    type Row = VenueRow;
}

impl TryFrom<VenueRow> for Venue {
    type Error = Fault;

    fn try_from(VenueRow { id, name, layout_id }: VenueRow) -> Result<Self, Fault> {
        Ok(Self { id: VenueId::from_uuid(id), name, layout_id: LayoutId::from_uuid(layout_id) })
    }
}

pub(crate) struct LayoutRow {
    id: Uuid,
    content: String,
}

impl FromRow for LayoutRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, content: row.get(1)? })
    }
}

/// A layout, shared, because it is large and never changes.
pub(crate) struct StoredLayout(pub(crate) Arc<Layout>);

impl Stored for StoredLayout {
    type Row = LayoutRow;
}

impl TryFrom<LayoutRow> for StoredLayout {
    type Error = Fault;

    fn try_from(row: LayoutRow) -> Result<Self, Fault> {
        let layout = from_json::<Layout>("layouts", &row.content)?;
        if *layout.id.as_uuid() != row.id {
            return Err(Fault::row("layouts", "the content is of another layout"));
        }
        Ok(Self(Arc::new(layout)))
    }
}

/// Selects events `e`.
macro_rules! event_sql {
    ($($rest:literal),* $(,)?) => { concat!("select e.event_key, e.id, e.version, e.content from events e ", $($rest),*) };
}
pub(crate) use event_sql;

pub(crate) struct EventRow {
    key: i64,
    id: Uuid,
    version: u32,
    content: String,
}

impl FromRow for EventRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { key: row.get(0)?, id: row.get(1)?, version: row.get(2)?, content: row.get(3)? })
    }
}

/// An event with the key that its rows are kept under.
#[derive(Clone)]
pub(crate) struct StoredEvent {
    pub(crate) key: i64,
    pub(crate) event: Arc<Event>,
}

impl Stored for StoredEvent {
    type Row = EventRow;
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = Fault;

    fn try_from(row: EventRow) -> Result<Self, Fault> {
        let event = from_json::<Event>("events", &row.content)?;
        if (*event.id.as_uuid(), event.version) != (row.id, row.version) {
            return Err(Fault::row("events", "the content is of another event or version"));
        }
        Ok(Self { key: row.key, event: Arc::new(event) })
    }
}

pub(crate) struct SeatRow {
    number: u32,
    category: u16,
    status: u8,
    booking_id: Option<Uuid>,
    version: u32,
}

impl FromRow for SeatRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            category: row.get(1)?,
            status: row.get(2)?,
            booking_id: row.get(3)?,
            version: row.get(4)?,
        })
    }
}

impl Stored for Seat {
    type Row = SeatRow;
}

impl TryFrom<SeatRow> for Seat {
    type Error = Fault;

    fn try_from(row: SeatRow) -> Result<Self, Fault> {
        let owner = row.booking_id.map(BookingId::from_uuid);
        let state = match (seat_status(row.status)?, owner) {
            (SeatStatus::Available, None) => SeatState::Available,
            (SeatStatus::Reserved, Some(owner)) => SeatState::Reserved(owner),
            (SeatStatus::Booked, Some(owner)) => SeatState::Booked(owner),
            (SeatStatus::Blocked, None) => SeatState::Blocked,
            (status, _) => return Err(Fault::row("seats", format!("{} does not go with its booking", status.name()))),
        };
        Ok(Self { number: row.number, category: row.category, state, version: row.version })
    }
}

fn seat_status(number: u8) -> Result<SeatStatus, Fault> {
    let status = SeatStatus::NAMES.get(usize::from(number)).map(|(_, status)| *status);
    status.ok_or_else(|| Fault::row("seats", format!("{number} is no status")))
}

/// What everybody may see of a seat.
pub(crate) struct PublicSeat(pub(crate) SeatStatus, pub(crate) u32);

pub(crate) struct PublicSeatRow {
    status: u8,
    version: u32,
}

impl FromRow for PublicSeatRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { status: row.get(0)?, version: row.get(1)? })
    }
}

impl Stored for PublicSeat {
    type Row = PublicSeatRow;
}

impl TryFrom<PublicSeatRow> for PublicSeat {
    type Error = Fault;

    fn try_from(row: PublicSeatRow) -> Result<Self, Fault> {
        Ok(Self(seat_status(row.status)?, row.version))
    }
}

pub(crate) struct EntryRow {
    position: i64,
    content: String,
}

impl FromRow for EntryRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { position: row.get(0)?, content: row.get(1)? })
    }
}

impl Stored for Entry {
    type Row = EntryRow;
}

impl TryFrom<EntryRow> for Entry {
    type Error = Fault;

    fn try_from(row: EntryRow) -> Result<Self, Fault> {
        let position = position_from_sql("journal", row.position)?;
        Ok(Self { position, transition: from_json("journal", &row.content)? })
    }
}
