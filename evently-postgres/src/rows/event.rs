//! Venues, layouts, events and seats.

use std::sync::Arc;

use evently_core::domain::{BookingId, Event, Layout, LayoutId, Seat, SeatState, SeatStatus, Venue, VenueId};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{FromRow, from_json, get, unsigned};
use crate::error::Fault;

/// `select id, name, layout_id from venues`.
impl FromRow for Venue {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        Ok(Self { id: VenueId::from_uuid(get(row, 0)?), name: get(row, 1)?, layout_id: LayoutId::from_uuid(get(row, 2)?) })
    }
}

/// `select id, content from layouts`; shared, because it is large and never changes.
pub(crate) fn layout_from_row(row: &PgRow) -> Result<Arc<Layout>, Fault> {
    let layout = from_json::<Layout>("layouts", get(row, 1)?)?;
    if *layout.id.as_uuid() != get::<Uuid>(row, 0)? {
        return Err(Fault::row("layouts", "the content is of another layout"));
    }
    Ok(Arc::new(layout))
}

/// Selects events `e`.
macro_rules! event_sql {
    ($($rest:literal),* $(,)?) => { concat!("select e.id, e.version, e.content from events e ", $($rest),*) };
}
pub(crate) use event_sql;

impl FromRow for Arc<Event> {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        event_at(row, 0)
    }
}

/// An event whose columns begin there.
pub(crate) fn event_at(row: &PgRow, first: usize) -> Result<Arc<Event>, Fault> {
    let event = from_json::<Event>("events", get(row, first + 2)?)?;
    if (*event.id.as_uuid(), event.version) != (get(row, first)?, unsigned("events", get(row, first + 1)?)?) {
        return Err(Fault::row("events", "the content is of another event or version"));
    }
    Ok(Arc::new(event))
}

/// `select number, category, status, booking_id, version from seats`.
impl FromRow for Seat {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        seat_at(row, 0)
    }
}

/// A seat whose columns begin there.
pub(crate) fn seat_at(row: &PgRow, first: usize) -> Result<Seat, Fault> {
    let category = u16::try_from(get::<i16>(row, first + 1)?).map_err(|error| Fault::row("seats", error))?;
    let owner = get::<Option<Uuid>>(row, first + 3)?.map(BookingId::from_uuid);
    let state = match (seat_status(get(row, first + 2)?)?, owner) {
        (SeatStatus::Available, None) => SeatState::Available,
        (SeatStatus::Reserved, Some(owner)) => SeatState::Reserved(owner),
        (SeatStatus::Booked, Some(owner)) => SeatState::Booked(owner),
        (SeatStatus::Blocked, None) => SeatState::Blocked,
        (status, _) => return Err(Fault::row("seats", format!("{} does not go with its booking", status.name()))),
    };
    let version = unsigned("seats", get(row, first + 4)?)?;
    Ok(Seat { number: unsigned("seats", get(row, first)?)?, category, state, version })
}

pub(crate) fn seat_status(name: &str) -> Result<SeatStatus, Fault> {
    let status = SeatStatus::NAMES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status);
    status.ok_or_else(|| Fault::row("seats", format!("{name} is no status")))
}
