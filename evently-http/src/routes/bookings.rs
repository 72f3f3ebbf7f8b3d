//! A customer's own bookings.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{Booking, BookingId, BookingStatus, EventId, Fact, SeatId, Timestamp},
    ports::{BookingFilter, BookingRecords},
    services::{Answered, Error, EventView},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::{Caller, Submitted},
    compose::App,
    context,
    extract::{Cursor, Limit, List, Path, Query},
    problem::Problem,
    wire::{BookingBody, PaymentBody, RefundBody, answer, booking_status, named},
};

/// Which seats to hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBooking {
    #[schema(value_type = Uuid)]
    event_id: EventId,
    #[schema(value_type = Vec<Uuid>, min_items = 1)]
    seat_ids: Vec<SeatId>,
}

/// A new booking.
#[derive(Serialize, ToSchema)]
pub struct HoldBody {
    #[serde(flatten)]
    booking: BookingBody,
    /// What says that a seat is held for this booking.
    lock_tokens: Vec<LockToken>,
}

/// What says that a seat is held for a booking.
#[derive(Serialize, ToSchema)]
pub struct LockToken {
    #[schema(value_type = Uuid)]
    seat_id: SeatId,
    token: String,
}

/// A booking with its payments.
#[derive(Serialize, ToSchema)]
pub struct BookingDetail {
    #[serde(flatten)]
    booking: BookingBody,
    /// Oldest first.
    payments: Vec<PaymentBody>,
    /// Oldest first.
    refunds: Vec<RefundBody>,
}

/// Nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Why a booking is given up, and as what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    #[schema(max_length = 500, pattern = r"^[^\x00-\x09\x0B-\x1F\x7F-\x9F]*$")]
    reason: Option<String>,
    /// What you take the booking for. If it is something else by now, nothing is done and the answer is 409 `booking_changed`; without it,
    /// the booking is given up in any case.
    #[schema(pattern = "^(pending|confirmed|expired)$")]
    expected_status: Option<String>,
}

impl Cancellation {
    /// What the booking is taken for, and why it is given up.
    pub(super) fn read(self) -> Result<(Option<BookingStatus>, Option<String>), Problem> {
        let given_up = BookingStatus::NAMES.into_iter().filter(|(_, status)| status.may_become(BookingStatus::Cancelled));
        let expected = named(&given_up.collect::<Vec<_>>(), "expected_status", self.expected_status.as_deref())?;
        Ok((expected, plain_text(self.reason)?))
    }
}

/// A reason that people are shown.
pub(super) fn plain_text(reason: Option<String>) -> Result<Option<String>, Problem> {
    match reason {
        Some(reason) if reason.chars().count() > 500 || reason.contains(|c: char| c.is_control() && c != '\n') => {
            Err(Problem::field("reason", "invalid", "at most 500 characters of plain text"))
        }
        reason => Ok(reason),
    }
}

/// Hold seats, all or none, for a while.
#[utoipa::path(post, path = "/api/v1/bookings", tag = "bookings", security(("bearer" = [])), request_body = NewBooking,
    params(("idempotency-key" = Option<String>, Header)), responses((status = 201, body = HoldBody)))]
pub async fn hold(State(app): State<Arc<App>>, submitted: Submitted<NewBooking>) -> Result<Response, Problem> {
    let Submitted { by, key, body: NewBooking { event_id, seat_ids } } = submitted;
    context::note_event(event_id);
    let view = app.events.public(event_id).await?;
    let held = app.bookings.hold(&by, event_id, seat_ids, key).await?;
    context::note_action("booking_created");
    let lock_tokens = view.seat_ids(&held.value).into_iter().map(|seat_id| LockToken {
        seat_id,
        token: format!("{}.{}", held.value.id.as_uuid().simple(), seat_id.number().unwrap_or_default()),
    });
    let booking = BookingBody::new(&view, &held.value, held.at);
    let body = HoldBody { booking, lock_tokens: lock_tokens.collect() };
    Ok(answer(StatusCode::CREATED, &held, body))
}

/// Which bookings.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `pending`, `confirmed`, `expired`, `cancelled` or `refunded`.
    status: Option<String>,
    #[param(value_type = Option<Uuid>)]
    event_id: Option<EventId>,
    /// How many, 1 to 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// One's own bookings, newest first.
#[utoipa::path(get, path = "/api/v1/bookings", tag = "bookings", security(("bearer" = [])), params(Wanted),
    responses((status = 200, body = super::openapi::Listed<BookingBody>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<BookingBody>>, Problem> {
    let status = booking_status(wanted.status.as_deref())?;
    let filter = BookingFilter { user_id: None, event_id: wanted.event_id, status };
    let bookings = app.bookings.list_own(&by, filter, wanted.limit.page(wanted.cursor.as_ref())?).await?;
    let read = with_views(&app, bookings).await?;
    let now = app.clock.now();
    Ok(Json(List::of(read, wanted.limit, |(booking, _)| booking.id, |(booking, view)| BookingBody::new(&view, &booking, now))))
}

/// Bookings with their events.
pub(super) async fn with_views(app: &App, bookings: Vec<Booking>) -> Result<Vec<(Booking, Arc<EventView>)>, Problem> {
    let mut read = Vec::with_capacity(bookings.len());
    for booking in bookings {
        let view = app.events.view(booking.event_id).await?;
        read.push((booking, view));
    }
    Ok(read)
}

/// A booking of one's own.
#[utoipa::path(get, path = "/api/v1/bookings/{booking_id}", tag = "bookings", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = BookingDetail)))]
pub async fn show(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<BookingId>,
) -> Result<Json<BookingDetail>, Problem> {
    let records = app.bookings.own_records(&by, id).await?;
    let view = app.events.view(records.booking.event_id).await?;
    Ok(Json(BookingDetail {
        booking: BookingBody::new(&view, &records.booking, app.clock.now()),
        payments: records.payments.iter().map(Into::into).collect(),
        refunds: records.refunds.iter().map(Into::into).collect(),
    }))
}

/// Start the hold's time anew.
#[utoipa::path(post, path = "/api/v1/bookings/{booking_id}/extend", tag = "bookings", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)),
    responses((status = 200, body = BookingBody)))]
pub async fn extend(
    State(app): State<Arc<App>>,
    Path(id): Path<BookingId>,
    submitted: Submitted<Nothing>,
) -> Result<Response, Problem> {
    let extended = app.bookings.extend(&submitted.by, id, app.key_or_new(submitted.key)).await?;
    context::note_action("booking_extended");
    booking_answer(&app, extended).await
}

/// Give a booking up. Held seats are free again; a confirmed booking is refunded as its event said when it was held, or as the event says
/// now if that gives more back; one whose hold has run out buys nothing any more, should its money come after all.
#[utoipa::path(post, path = "/api/v1/bookings/{booking_id}/cancel", tag = "bookings", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = Cancellation,
    responses((status = 200, body = BookingBody)))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<BookingId>,
    submitted: Submitted<Cancellation>,
) -> Result<Response, Problem> {
    let Submitted { by, key, body } = submitted;
    let (expected, reason) = body.read()?;
    let cancelled = app.bookings.cancel(&by, id, expected, reason, app.key_or_new(key)).await?;
    context::note_action("booking_cancelled");
    booking_answer(&app, cancelled).await
}

pub(super) async fn booking_answer(app: &App, answered: Answered<Booking>) -> Result<Response, Problem> {
    context::note_event(answered.value.event_id);
    let view = app.events.view(answered.value.event_id).await.map_err(Error::after_a_change)?;
    let body = BookingBody::new(&view, &answered.value, answered.at);
    Ok(answer(StatusCode::OK, &answered, body).into_response())
}

/// One thing that happened to a booking.
#[derive(Serialize, ToSchema)]
pub struct TransitionBody {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What it was; nothing for a new one.
    from: Option<String>,
    /// What it became, or what happened: `payment_captured`, `refund_due`, `refund_sent`, `checked_in`.
    to: String,
    /// `customer`, `organizer`, `staff`, `admin`, `gateway` or `system`.
    actor: &'static str,
    reason: Option<String>,
}

/// What happened to a booking, oldest first.
pub(super) fn transitions(records: BookingRecords) -> Vec<TransitionBody> {
    let name = |status: BookingStatus| status.name().to_owned();
    let bodies = records.history.into_iter().filter_map(|entry| {
        let (from, to) = match entry.transition.fact {
            Fact::Booking { from, to, .. } => (from.map(name), name(to)),
            Fact::Captured { .. } => (None, "payment_captured".to_owned()),
            Fact::RefundDue { .. } => (None, "refund_due".to_owned()),
            Fact::RefundSent { .. } => (None, "refund_sent".to_owned()),
            Fact::CheckedIn { .. } => (None, "checked_in".to_owned()),
            Fact::Event { .. } | Fact::House { .. } => return None,
        };
        let actor = entry.transition.actor.name();
        Some(TransitionBody { at: entry.transition.at, from, to, actor, reason: entry.transition.reason })
    });
    bodies.collect()
}

/// What happened to a booking of one's own, oldest first.
#[utoipa::path(get, path = "/api/v1/bookings/{booking_id}/history", tag = "bookings", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path)), responses((status = 200, body = Vec<TransitionBody>)))]
pub async fn history(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<BookingId>,
) -> Result<Json<Vec<TransitionBody>>, Problem> {
    Ok(Json(transitions(app.bookings.own_records(&by, id).await?)))
}
