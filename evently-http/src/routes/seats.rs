//! The state of seats.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use evently_core::domain::{EventId, PriceCategoryId, SeatCounts, SeatId, SeatStatus};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::events::ASK;
use crate::{
    compose::App,
    context,
    extract::{Etag, IfNoneMatch, Path, Query},
    problem::Problem,
    wire::{Amount, named},
};

/// The media type of the compact form.
const COMPACT: &str = "application/vnd.evently.seatmap";

/// Which seats.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `available`, `reserved`, `booked` or `blocked`.
    status: Option<String>,
    /// The name or the id of a section.
    section: Option<String>,
}

/// The state of an event's seats.
#[derive(Serialize, ToSchema)]
pub struct SeatStates {
    #[schema(value_type = Uuid)]
    event_id: EventId,
    /// Numbers the state.
    seq: u64,
    /// By price, section, row and seat; rows and seats as people count.
    seats: Vec<SeatBody>,
}

/// The state of a seat.
#[derive(Serialize, ToSchema)]
pub struct SeatBody {
    #[schema(value_type = Uuid)]
    id: SeatId,
    section: String,
    row: String,
    label: String,
    price: Amount,
    /// `available`, `reserved`, `booked` or `blocked`.
    #[schema(value_type = String)]
    status: SeatStatus,
    /// Counts the changes of the seat.
    version: u32,
}

/// The state of all seats. With `Accept: application/vnd.evently.seatmap` in a compact form: bytes 0 to 3 `EVSM`, 4 the
/// version of the format (1), 5 the bits of a seat (2), 6 and 7 zero, 8 to 15 `seq` and 16 to 19 the number of seats, little
/// endian; from 20 on seat i of the layout in bits 2*(i mod 4) and up of byte i div 4: 0 available, 1 reserved, 2 booked, 3 blocked.
#[utoipa::path(get, path = "/api/v1/events/{event_id}/seats", tag = "events", params(("event_id" = Uuid, Path), Wanted),
    responses((status = 200, content((SeatStates = "application/json"), (Vec<u8> = "application/vnd.evently.seatmap"))), (status = 304)))]
pub async fn states(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    Query(wanted): Query<Wanted>,
    known: IfNoneMatch,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    let map = app.events.seat_map(id).await?;
    let status = named(&SeatStatus::NAMES, "status", wanted.status.as_deref())?;
    let section = wanted.section.as_deref().map(|wanted| {
        let sections = &view.layout.layout.sections;
        let found = sections.iter().position(|section| section.name == wanted || section.id.to_string() == wanted);
        found.ok_or_else(|| Problem::field("section", "unknown_section", "this event has no such section"))
    });
    let section = section.transpose()?;
    let bodies = app.seat_bodies.of(&view, map);
    let form = if accepts(&headers, header::ACCEPT, COMPACT) {
        Form::Compact
    } else if accepts(&headers, header::ACCEPT_ENCODING, "gzip") {
        Form::Gzip
    } else {
        Form::Json
    };
    // Which seats are wanted stands in the address.
    let etag = Etag::new(format_args!("{}-{}-{}", view.event.version, bodies.seq(), form.tag()));
    let vary = HeaderValue::from_static("accept, accept-encoding");
    let keep = |number: u32, is: SeatStatus| {
        status.is_none_or(|status| status == is) && (section.is_none() || view.layout.section(number) == section)
    };
    let json = (header::CONTENT_TYPE, "application/json");
    let mut response = etag.answer(&known, ASK, || match form {
        _ if status.is_some() || section.is_some() => ([json], bodies.render(keep)).into_response(),
        Form::Compact => ([(header::CONTENT_TYPE, COMPACT)], bodies.compact()).into_response(),
        Form::Json => ([json], bodies.json()).into_response(),
        Form::Gzip => ([json, (header::CONTENT_ENCODING, "gzip")], bodies.gzip()).into_response(),
    });
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}

#[derive(Clone, Copy)]
enum Form {
    Compact,
    Json,
    Gzip,
}

impl Form {
    const fn tag(self) -> char {
        match self {
            Self::Compact => 'c',
            Self::Json => 'j',
            Self::Gzip => 'z',
        }
    }
}

/// Whether a list in a header names `value` and does not refuse it.
fn accepts(headers: &HeaderMap, name: header::HeaderName, value: &str) -> bool {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|item| item.eq_ignore_ascii_case(value));
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))).unwrap_or("1");
        is_it && quality.parse::<f32>().is_ok_and(|quality| quality > 0.0)
    })
}

/// How many seats there are of each status.
#[derive(Serialize, ToSchema)]
pub struct AvailabilityBody {
    seq: u64,
    #[serde(flatten)]
    all: Counts,
    by_section: Vec<SectionCounts>,
    by_price_category: Vec<CategoryCounts>,
}

/// Seats, counted.
#[derive(Serialize, ToSchema)]
pub struct Counts {
    total: u32,
    available: u32,
    reserved: u32,
    booked: u32,
    blocked: u32,
}

impl From<SeatCounts> for Counts {
    fn from(SeatCounts { total, available, reserved, booked, blocked }: SeatCounts) -> Self {
        Self { total, available, reserved, booked, blocked }
    }
}

/// The seats of a section, counted.
#[derive(Serialize, ToSchema)]
pub struct SectionCounts {
    section: String,
    #[serde(flatten)]
    counts: Counts,
}

/// The seats of a price category, counted.
#[derive(Serialize, ToSchema)]
pub struct CategoryCounts {
    #[schema(value_type = Uuid)]
    price_category_id: PriceCategoryId,
    name: String,
    #[serde(flatten)]
    counts: Counts,
}

/// How many seats there are of each status.
#[utoipa::path(get, path = "/api/v1/events/{event_id}/availability", tag = "events", params(("event_id" = Uuid, Path)),
    responses((status = 200, body = AvailabilityBody), (status = 304)))]
pub async fn availability(State(app): State<Arc<App>>, Path(id): Path<EventId>, known: IfNoneMatch) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    let counted = app.events.availability(&view).await?;
    let etag = Etag::new(format_args!("{}-{}", view.event.version, counted.seq));
    let sections = view.layout.layout.sections.iter().zip(counted.by_section);
    let categories = view.event.categories.iter().zip(counted.by_price_category);
    Ok(etag.answer(&known, ASK, || {
        Json(AvailabilityBody {
            seq: counted.seq,
            all: counted.total.into(),
            by_section: sections
                .map(|(section, counts)| SectionCounts { section: section.name.clone(), counts: counts.into() })
                .collect(),
            by_price_category: categories
                .map(|(category, counts)| CategoryCounts {
                    price_category_id: category.id,
                    name: category.name.clone(),
                    counts: counts.into(),
                })
                .collect(),
        })
    }))
}
