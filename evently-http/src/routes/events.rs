//! Events as everybody may see them.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{
        Area, Attribute, EventId, EventStatus, Layout, LayoutId, PlaceId, PriceCategoryId, SeatId, Timestamp, Venue, VenueId,
    },
    ports::EventFilter,
    services::{Error, EventView},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    compose::App,
    context,
    extract::{Cursor, Etag, IfNoneMatch, Limit, List, Path, Query},
    problem::Problem,
    wire::{Amount, RefundTerms, named},
};

/// What everybody may keep for a while.
pub(super) const PUBLIC: &str = "public, max-age=300";
/// What everybody may keep and has to ask about each time.
pub(super) const ASK: &str = "public, no-cache";

/// A venue in short.
#[derive(Serialize, ToSchema)]
pub struct VenueBody {
    #[schema(value_type = Uuid)]
    id: VenueId,
    name: String,
}

impl From<&Venue> for VenueBody {
    fn from(venue: &Venue) -> Self {
        Self { id: venue.id, name: venue.name.clone() }
    }
}

/// An event in a list.
#[derive(Serialize, ToSchema)]
pub struct EventSummary {
    #[schema(value_type = Uuid)]
    id: EventId,
    name: String,
    venue: VenueBody,
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end_time: Timestamp,
    /// `draft`, `upcoming`, `ongoing`, `completed` or `cancelled`.
    status: &'static str,
    currency: &'static str,
    price_from: Amount,
    seats_total: u32,
    seats_available: u32,
}

/// An event.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    #[serde(flatten)]
    summary: EventSummary,
    description: String,
    layout_url: String,
    sales: SalesWindow,
    max_seats_per_booking: u32,
    max_seats_held: u32,
    refunds: RefundTerms,
    price_categories: Vec<PriceCategoryBody>,
}

/// When an event can be booked.
#[derive(Serialize, ToSchema)]
pub struct SalesWindow {
    #[schema(value_type = String, format = DateTime)]
    opens_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    closes_at: Timestamp,
}

/// What seats cost.
#[derive(Serialize, ToSchema)]
pub struct PriceCategoryBody {
    #[schema(value_type = Uuid)]
    id: PriceCategoryId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<String>,
    price: Amount,
}

/// An event as it is at `at`, with its seats counted.
pub(super) async fn summary(app: &App, view: &EventView, at: Timestamp) -> Result<EventSummary, Error> {
    let event = &view.event;
    let counts = app.events.seat_map(event.id).await?.counts();
    let price_from = event.categories.iter().map(|category| category.price).min().unwrap_or_default();
    Ok(EventSummary {
        id: event.id,
        name: event.details.name.clone(),
        venue: (&view.venue).into(),
        start_time: event.details.start_time,
        end_time: event.details.end_time,
        status: event.status(at).name(),
        currency: event.currency.code(),
        price_from: event.money(price_from).into(),
        seats_total: counts.total,
        seats_available: counts.available,
    })
}

/// An event with everything.
/// An event as it is at `at`.
pub(super) async fn body(app: &App, view: &EventView, at: Timestamp) -> Result<EventBody, Error> {
    let event = &view.event;
    let colors = view.layout.layout.categories.iter().map(|category| category.color.clone());
    let price_categories = event.categories.iter().zip(colors).map(|(category, color)| PriceCategoryBody {
        id: category.id,
        name: category.name.clone(),
        color,
        price: event.money(category.price).into(),
    });
    Ok(EventBody {
        summary: summary(app, view, at).await?,
        description: event.details.description.clone(),
        layout_url: format!("/api/v1/events/{}/layout", event.id),
        sales: SalesWindow { opens_at: event.details.on_sale.opens_at, closes_at: event.details.on_sale.closes_at },
        max_seats_per_booking: event.details.max_seats_per_booking,
        max_seats_held: event.details.max_seats_held,
        refunds: event.details.refunds.into(),
        price_categories: price_categories.collect(),
    })
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `upcoming`, `ongoing`, `completed` or `cancelled`.
    status: Option<String>,
    /// A part of the name of the event or the venue.
    q: Option<String>,
    /// Those that begin then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Those that begin before then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    #[param(value_type = Option<Uuid>)]
    venue_id: Option<VenueId>,
    /// How many, 1 to 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

impl Wanted {
    pub(super) fn filter(&self, app: &App) -> Result<EventFilter, Problem> {
        Ok(EventFilter {
            status: named(&EventStatus::NAMES, "status", self.status.as_deref())?,
            now: app.clock.now(),
            text: self.q.clone().filter(|text| !text.is_empty()),
            from: self.from,
            to: self.to,
            venue_id: self.venue_id,
            organizer_id: None,
            drafts: false,
        })
    }

    pub(super) async fn list(&self, app: &App, views: Vec<Arc<EventView>>) -> Result<List<EventSummary>, Problem> {
        let mut read = Vec::with_capacity(views.len());
        for view in views {
            let key = (view.event.details.start_time, view.event.id);
            read.push((key, summary(app, &view, app.clock.now()).await?));
        }
        Ok(List::of(read, self.limit, |(key, _)| *key, |(_, body)| body))
    }

    pub(super) fn page(&self) -> Result<evently_core::ports::Page<(Timestamp, EventId)>, Problem> {
        self.limit.page(self.cursor.as_ref())
    }
}

/// Events, the next one first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Wanted),
    responses((status = 200, body = super::openapi::Listed<EventSummary>), (status = 304)))]
pub async fn list(State(app): State<Arc<App>>, Query(wanted): Query<Wanted>, known: IfNoneMatch) -> Result<Response, Problem> {
    let views = app.events.list_public(wanted.filter(&app)?, wanted.page()?).await?;
    let list = serde_json::to_vec(&wanted.list(&app, views).await?).expect("a list is JSON");
    let json = [(http::header::CONTENT_TYPE, "application/json")];
    Ok(Etag::of(&list).answer(&known, "public, max-age=5", || (json, list).into_response()))
}

/// One event.
#[utoipa::path(get, path = "/api/v1/events/{event_id}", tag = "events", params(("event_id" = Uuid, Path)),
    responses((status = 200, body = EventBody), (status = 304)))]
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<EventId>, known: IfNoneMatch) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    // Seats may change in between: better an old tag than an old body.
    let seq = app.events.seat_map(id).await?.seq();
    let body = body(&app, &view, app.clock.now()).await?;
    let etag = Etag::new(format_args!("{}-{seq}-{}", view.event.version, body.summary.status));
    Ok(etag.answer(&known, ASK, || Json(body)))
}

/// How an event's seats are drawn. It never changes.
#[derive(Serialize, ToSchema)]
pub struct LayoutBody<'a> {
    #[schema(value_type = Uuid)]
    version: LayoutId,
    sections: Vec<SectionBody<'a>>,
    #[schema(value_type = Vec<Object>)]
    areas: &'a [Area],
}

/// A section.
#[derive(Serialize, ToSchema)]
pub struct SectionBody<'a> {
    #[schema(value_type = Uuid)]
    id: PlaceId,
    name: &'a str,
    rows: Vec<RowBody<'a>>,
}

/// A row.
#[derive(Serialize, ToSchema)]
pub struct RowBody<'a> {
    #[schema(value_type = Uuid)]
    id: PlaceId,
    label: &'a str,
    seats: Vec<LayoutSeatBody<'a>>,
}

/// A seat as it is drawn.
#[derive(Serialize, ToSchema)]
pub struct LayoutSeatBody<'a> {
    #[schema(value_type = Uuid)]
    id: SeatId,
    label: &'a str,
    x: f64,
    y: f64,
    #[schema(value_type = Uuid)]
    price_category_id: PriceCategoryId,
    /// `accessible`, `companion`, `restricted_view`, `aisle`.
    #[schema(value_type = Vec<String>)]
    attributes: &'a [Attribute],
}

impl<'a> LayoutBody<'a> {
    fn new(layout: &'a Layout, view: &EventView) -> Self {
        let categories = &view.event.categories;
        let sections = layout.sections.iter().map(|section| SectionBody {
            id: section.id,
            name: &section.name,
            rows: section
                .rows
                .iter()
                .map(|row| RowBody {
                    id: row.id,
                    label: &row.label,
                    seats: row
                        .seats
                        .iter()
                        .map(|seat| LayoutSeatBody {
                            id: seat.id,
                            label: &seat.label,
                            x: seat.x,
                            y: seat.y,
                            price_category_id: categories[usize::from(seat.category)].id,
                            attributes: &seat.attributes,
                        })
                        .collect(),
                })
                .collect(),
        });
        Self { version: layout.id, sections: sections.collect(), areas: &layout.areas }
    }
}

/// How an event's seats are drawn.
#[utoipa::path(get, path = "/api/v1/events/{event_id}/layout", tag = "events", params(("event_id" = Uuid, Path)),
    responses((status = 200, body = LayoutBody), (status = 304)))]
pub async fn layout(State(app): State<Arc<App>>, Path(id): Path<EventId>, known: IfNoneMatch) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    Ok(Etag::new(view.event.layout_id).answer(&known, PUBLIC, || Json(LayoutBody::new(&view.layout.layout, &view))))
}
