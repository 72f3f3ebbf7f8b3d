//! Looking bookings up.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use evently_core::{
    domain::{BookingCode, BookingId, EventId},
    ports::BookingFilter,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::{Caller, Submitted},
    compose::App,
    context,
    extract::{Cursor, Limit, List, Path, Query},
    problem::Problem,
    routes::{
        bookings::{Cancellation, TransitionBody, booking_answer, transitions, with_views},
        openapi::Listed,
        tickets::TicketBody,
    },
    wire::{ManagedBookingBody, PaymentBody, RefundBody, booking_status},
};

/// Which bookings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `pending`, `confirmed`, `expired`, `cancelled` or `refunded`.
    status: Option<String>,
    /// How many, 1 to 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The bookings of an event that one manages, newest first.
#[utoipa::path(get, path = "/api/v1/admin/events/{event_id}/bookings", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), Wanted), responses((status = 200, body = Listed<ManagedBookingBody>)))]
pub async fn of_event(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(event_id): Path<EventId>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<ManagedBookingBody>>, Problem> {
    context::note_event(event_id);
    let filter = BookingFilter { status: booking_status(wanted.status.as_deref())?, ..BookingFilter::default() };
    let page = wanted.limit.page(wanted.cursor.as_ref())?;
    let bookings = app.bookings.list_managed(&by, event_id, filter, page).await?;
    let read = with_views(&app, bookings).await?;
    let now = app.clock.now();
    let body = |(booking, view): (_, Arc<_>)| ManagedBookingBody::new(&view, &booking, now);
    Ok(Json(List::of(read, wanted.limit, |(booking, _)| booking.id, body)))
}

/// A booking's code.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ByCode {
    /// Eight characters; case, spaces and dashes do not matter.
    code: String,
}

/// The booking with this code: a list of one, or of none.
#[utoipa::path(get, path = "/api/v1/admin/bookings", tag = "administration", security(("bearer" = [])), params(ByCode),
    responses((status = 200, body = Listed<ManagedBookingBody>)))]
pub async fn by_code(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(ByCode { code }): Query<ByCode>,
) -> Result<Json<List<ManagedBookingBody>>, Problem> {
    let code = BookingCode::parse(&code)
        .ok_or_else(|| Problem::field("code", "invalid", "eight characters, as the buyer's confirmation has them"))?;
    let items = match app.bookings.by_code(&by, code).await {
        Ok(booking) => {
            let view = app.events.view(booking.event_id).await?;
            vec![ManagedBookingBody::new(&view, &booking, app.clock.now())]
        }
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(List { items, next_cursor: None }))
}

/// A booking with all that belongs to it.
#[derive(Serialize, ToSchema)]
pub struct BookingFile {
    #[serde(flatten)]
    booking: ManagedBookingBody,
    payments: Vec<PaymentBody>,
    refunds: Vec<RefundBody>,
    tickets: Vec<TicketBody>,
    history: Vec<TransitionBody>,
}

/// One booking of an event that one manages.
#[utoipa::path(get, path = "/api/v1/admin/bookings/{booking_id}", tag = "administration", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = BookingFile)))]
pub async fn show(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<BookingId>,
) -> Result<Json<BookingFile>, Problem> {
    let records = app.bookings.managed(&by, id).await?;
    let view = app.events.view(records.booking.event_id).await?;
    Ok(Json(BookingFile {
        booking: ManagedBookingBody::new(&view, &records.booking, app.clock.now()),
        payments: records.payments.iter().map(PaymentBody::for_others).collect(),
        refunds: records.refunds.iter().map(Into::into).collect(),
        tickets: records.tickets.iter().filter_map(|ticket| TicketBody::new(&view, ticket)).collect(),
        history: transitions(records),
    }))
}

/// Give a customer's booking up, for the house: all money goes back.
#[utoipa::path(post, path = "/api/v1/admin/bookings/{booking_id}/cancel", tag = "administration", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = Cancellation,
    responses((status = 200, body = crate::wire::BookingBody)))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<BookingId>,
    submitted: Submitted<Cancellation>,
) -> Result<Response, Problem> {
    let Submitted { by, key, body } = submitted;
    let (expected, reason) = body.read()?;
    let cancelled = app.bookings.cancel_for(&by, id, expected, reason, app.key_or_new(key)).await?;
    context::note_action("booking_cancelled");
    booking_answer(&app, cancelled).await
}
