//! Tickets, and what goes with them.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{BookingId, Principal, SeatId, Ticket, TicketId, TicketState},
    services::{EventView, calendar},
};
use fast_qr::convert::svg::SvgBuilder;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller::Caller, compose::App, extract::Path, problem::Problem, ticket_pages};

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct TicketBody {
    #[schema(value_type = Uuid)]
    id: TicketId,
    seat: TicketSeat,
    /// What the door reads.
    code: String,
    /// The code as a picture.
    qr_svg_url: String,
    /// The ticket as a page to print; nothing where it admits nobody any more.
    pdf_url: Option<String>,
    /// `valid`, `checked_in` or `void`.
    status: &'static str,
}

/// The seat of a ticket.
#[derive(Serialize, ToSchema)]
pub struct TicketSeat {
    #[schema(value_type = Uuid)]
    id: SeatId,
    section: String,
    row: String,
    label: String,
}

/// A document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is there for the OpenAPI document alone")]
struct Pdf(Vec<u8>);

impl TicketBody {
    pub(super) fn new(view: &EventView, ticket: &Ticket) -> Option<Self> {
        let (section, row, seat) = view.layout.seat(ticket.seat)?;
        Some(Self {
            id: ticket.id,
            seat: TicketSeat { id: seat.id, section: section.name.clone(), row: row.label.clone(), label: seat.label.clone() },
            code: ticket.code.to_string(),
            qr_svg_url: format!("/api/v1/tickets/{}/qr.svg", ticket.id),
            pdf_url: (ticket.state != TicketState::Void).then(|| format!("/api/v1/tickets/{}/ticket.pdf", ticket.id)),
            status: ticket.state.name(),
        })
    }
}

/// The tickets of a booking of one's own: one for each seat once it is confirmed.
#[utoipa::path(get, path = "/api/v1/bookings/{booking_id}/tickets", tag = "tickets", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = Vec<TicketBody>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<BookingId>,
) -> Result<Json<Vec<TicketBody>>, Problem> {
    let records = app.bookings.own_records(&by, id).await?;
    let view = app.events.view(records.booking.event_id).await?;
    let live = records.booking.status().is_live();
    let shown = records.tickets.iter().filter(|ticket| !live || ticket.state != TicketState::Void);
    Ok(Json(shown.filter_map(|ticket| TicketBody::new(&view, ticket)).collect()))
}

/// A ticket's code as a picture.
#[utoipa::path(get, path = "/api/v1/tickets/{ticket_id}/qr.svg", tag = "tickets", security(("bearer" = [])),
    params(("ticket_id" = Uuid, Path)), responses((status = 200, body = String, content_type = "image/svg+xml")))]
pub async fn qr(State(app): State<Arc<App>>, Caller(by): Caller, Path(id): Path<TicketId>) -> Result<Response, Problem> {
    let ticket = app.bookings.own_ticket(&by, id).await?;
    let svg = SvgBuilder::default().to_str(&ticket_pages::qr_code(ticket.code));
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "private, no-store")], svg).into_response())
}

/// The tickets of a confirmed booking of one's own to print, a page each.
#[utoipa::path(get, path = "/api/v1/bookings/{booking_id}/tickets.pdf", tag = "tickets", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = Pdf, content_type = "application/pdf")))]
pub async fn pages(State(app): State<Arc<App>>, Caller(by): Caller, Path(id): Path<BookingId>) -> Result<Response, Problem> {
    printed(&app, &by, id, |_| true).await
}

/// One ticket to print.
#[utoipa::path(get, path = "/api/v1/tickets/{ticket_id}/ticket.pdf", tag = "tickets", security(("bearer" = [])),
    params(("ticket_id" = Uuid, Path)), responses((status = 200, body = Pdf, content_type = "application/pdf")))]
pub async fn page(State(app): State<Arc<App>>, Caller(by): Caller, Path(id): Path<TicketId>) -> Result<Response, Problem> {
    let ticket = app.bookings.own_ticket(&by, id).await?;
    printed(&app, &by, ticket.booking_id, |printed| printed.id == id).await
}

/// Those of a booking's tickets that admit somebody, or have. Paper is believed, so there is none of what has become void.
async fn printed(app: &App, by: &Principal, id: BookingId, wanted: impl Fn(&Ticket) -> bool) -> Result<Response, Problem> {
    let records = app.bookings.own_records(by, id).await?;
    let tickets = records.tickets.iter().filter(|ticket| ticket.state != TicketState::Void && wanted(ticket)).collect::<Vec<_>>();
    if tickets.is_empty() {
        return Err(Problem::not_found("ticket"));
    }
    let view = app.events.view(records.booking.event_id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"tickets.pdf\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, ticket_pages::document(&view, &records.booking, &tickets)).into_response())
}

/// A booking as a calendar entry.
#[utoipa::path(get, path = "/api/v1/bookings/{booking_id}/calendar.ics", tag = "tickets", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = String, content_type = "text/calendar")))]
pub async fn calendar_file(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<BookingId>,
) -> Result<Response, Problem> {
    let booking = app.bookings.own(&by, id).await?;
    let view = app.events.view(booking.event_id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"booking.ics\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, calendar(&view, &booking, app.clock.now())).into_response())
}
