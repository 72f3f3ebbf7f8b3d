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
        let event = from_json::<Event>("events", get(row, 2)?)?;
        if (*event.id.as_uuid(), event.version) != (get(row, 0)?, unsigned("events", get(row, 1)?)?) {
            return Err(Fault::row("events", "the content is of another event or version"));
        }
        Ok(Self::new(event))
    }
}

/// `select number, category, status, booking_id, version from seats`.
impl FromRow for Seat {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let category = u16::try_from(get::<i16>(row, 1)?).map_err(|error| Fault::row("seats", error))?;
        let owner = get::<Option<Uuid>>(row, 3)?.map(BookingId::from_uuid);
        let state = match (seat_status(get(row, 2)?)?, owner) {
            (SeatStatus::Available, None) => SeatState::Available,
            (SeatStatus::Reserved, Some(owner)) => SeatState::Reserved(owner),
            (SeatStatus::Booked, Some(owner)) => SeatState::Booked(owner),
            (SeatStatus::Blocked, None) => SeatState::Blocked,
            (status, _) => return Err(Fault::row("seats", format!("{} does not go with its booking", status.name()))),
        };
        let version = unsigned("seats", get(row, 4)?)?;
        Ok(Self { number: unsigned("seats", get(row, 0)?)?, category, state, version })
    }
}

pub(crate) fn seat_status(name: &str) -> Result<SeatStatus, Fault> {
    let status = SeatStatus::NAMES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status);
    status.ok_or_else(|| Fault::row("seats", format!("{name} is no status")))
}
