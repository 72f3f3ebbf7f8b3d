//! Making events and changing them.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use evently_core::{
    domain::{
        Currency, Event, EventChange, EventId, Money, PriceDraft, RefundPolicy, Role, SeatId, SeatStatus, Timestamp, VenueId,
    },
    ports::EventFilter,
    services::{Answered, Error, EventDraft},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::{Caller, Submitted},
    compose::App,
    context,
    extract::{List, Path, Query},
    problem::Problem,
    routes::{
        bookings::{Nothing, plain_text},
        events::{EventBody, EventSummary, Wanted, body},
        openapi::Listed,
        seen_through,
    },
    wire::answer,
};

/// A price: a number of minor units of the event's currency, or an amount of money in it.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be a whole number of minor units, or {\"amount\", \"currency\"}")]
pub enum Price {
    /// In minor units.
    Minor(i64),
    /// With its currency.
    #[schema(value_type = crate::wire::Amount)]
    Money(Money),
}

/// What seats of a category of the venue cost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceCategory {
    /// The category's name in the venue's plan.
    name: String,
    price: Price,
}

/// When an event can be booked.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Sales {
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: Option<Timestamp>,
}

/// What comes back when a buyer cancels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refunds {
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
}

impl From<Refunds> for RefundPolicy {
    fn from(Refunds { until, percent }: Refunds) -> Self {
        Self { until, percent }
    }
}

/// A new event.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    name: String,
    #[serde(default)]
    description: String,
    #[schema(value_type = Uuid)]
    venue_id: VenueId,
    #[schema(value_type = String, format = DateTime)]
    start_time: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end_time: Timestamp,
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    price_categories: Vec<PriceCategory>,
    #[serde(default)]
    sales: Sales,
    #[schema(minimum = 1, maximum = 100)]
    max_seats_per_booking: Option<u32>,
    #[schema(minimum = 1)]
    max_seats_held: Option<u32>,
    refunds: Option<Refunds>,
}

/// Changes to an event; what is left out stays. Where the event is moved, the end of its sale and of refunds moves along if it is the
/// event's start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventEdit {
    name: Option<String>,
    description: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    start_time: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    end_time: Option<Timestamp>,
    #[serde(default)]
    sales: Sales,
    max_seats_per_booking: Option<u32>,
    max_seats_held: Option<u32>,
    #[serde(default)]
    refunds: RefundsEdit,
    #[serde(default)]
    price_categories: Vec<PriceCategory>,
}

/// Changes to what comes back when a buyer cancels.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundsEdit {
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<u8>,
}

fn prices(currency: Currency, categories: Vec<PriceCategory>) -> Result<Vec<PriceDraft>, Problem> {
    let read = categories.into_iter().enumerate().map(|(i, PriceCategory { name, price })| match price {
        Price::Minor(price) => Ok(PriceDraft { name, price }),
        Price::Money(money) if money.currency == currency => Ok(PriceDraft { name, price: money.amount }),
        Price::Money(_) => {
            let field = format!("price_categories[{i}].price.currency");
            Err(Problem::field(field, "other_currency", format!("must be the event's currency, {currency}")))
        }
    });
    read.collect()
}

/// Make an event, a draft. It gets a seat for each seat of the venue.
#[utoipa::path(post, path = "/api/v1/admin/events", tag = "administration", security(("bearer" = [])), request_body = NewEvent,
    params(("idempotency-key" = Option<String>, Header)), responses((status = 201, body = EventBody)))]
pub async fn create(State(app): State<Arc<App>>, submitted: Submitted<NewEvent>) -> Result<Response, Problem> {
    let Submitted { by, key, body: new } = submitted;
    let draft = EventDraft {
        name: new.name,
        description: new.description,
        venue_id: new.venue_id,
        start_time: new.start_time,
        end_time: new.end_time,
        currency: new.currency,
        prices: prices(new.currency, new.price_categories)?,
        opens_at: new.sales.opens_at,
        closes_at: new.sales.closes_at,
        max_seats_per_booking: new.max_seats_per_booking,
        max_seats_held: new.max_seats_held,
        refunds: new.refunds.map(Into::into),
    };
    let created = app.events.create_event(&by, draft, app.key_or_new(key)).await?;
    context::note_action("event_created");
    event_answer(&app, StatusCode::CREATED, &created).await
}

async fn event_answer(app: &App, status: StatusCode, answered: &Answered<Arc<Event>>) -> Result<Response, Problem> {
    context::note_event(answered.value.id);
    let view = app.events.view_then(Arc::clone(&answered.value)).await.map_err(Error::after_a_change)?;
    Ok(answer(status, answered, body(app, &view, answered.at).await.map_err(Error::after_a_change)?))
}

/// The events that one manages, drafts included.
#[utoipa::path(get, path = "/api/v1/admin/events", tag = "administration", security(("bearer" = [])), params(Wanted),
    responses((status = 200, body = Listed<EventSummary>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<EventSummary>>, Problem> {
    let organizer_id = match by.role {
        Role::Admin => None,
        Role::Organizer => Some(by.user_id),
        Role::Customer | Role::Staff => return Err(Problem::forbidden()),
    };
    let filter = EventFilter { organizer_id, drafts: true, ..wanted.filter(&app)? };
    let views = app.events.list(&filter, wanted.page()?).await?;
    Ok(Json(wanted.list(&app, views).await?))
}

/// One event that one manages.
#[utoipa::path(get, path = "/api/v1/admin/events/{event_id}", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path)), responses((status = 200, body = EventBody)))]
pub async fn show(State(app): State<Arc<App>>, Caller(by): Caller, Path(id): Path<EventId>) -> Result<Json<EventBody>, Problem> {
    let view = app.events.managed(&by, id).await?;
    Ok(Json(body(&app, &view, app.clock.now()).await?))
}

/// Change an event.
#[utoipa::path(patch, path = "/api/v1/admin/events/{event_id}", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path)), request_body = EventEdit, responses((status = 200, body = EventBody)))]
pub async fn edit(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    submitted: Submitted<EventEdit>,
) -> Result<Response, Problem> {
    let Submitted { by, key, body: edit } = submitted;
    let currency = app.events.managed(&by, id).await?.event.currency;
    let change = EventChange {
        name: edit.name,
        description: edit.description,
        start_time: edit.start_time,
        end_time: edit.end_time,
        opens_at: edit.sales.opens_at,
        closes_at: edit.sales.closes_at,
        max_seats_per_booking: edit.max_seats_per_booking,
        max_seats_held: edit.max_seats_held,
        refunds_until: edit.refunds.until,
        refund_percent: edit.refunds.percent,
        prices: prices(currency, edit.price_categories)?,
    };
    let (events, key) = (Arc::clone(&app.events), app.key_or_new(key));
    let edited = seen_through(async move { events.edit_event(&by, id, change, key).await }).await?;
    context::note_action("event_edited");
    event_answer(&app, StatusCode::OK, &edited).await
}

/// Put an event where everybody sees it. It can be booked while its on-sale lasts.
#[utoipa::path(post, path = "/api/v1/admin/events/{event_id}/publish", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), responses((status = 200, body = EventBody)))]
pub async fn publish(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    submitted: Submitted<Nothing>,
) -> Result<Response, Problem> {
    let (events, by, key) = (Arc::clone(&app.events), submitted.by, app.key_or_new(submitted.key));
    let published = seen_through(async move { events.publish(&by, id, key).await }).await?;
    context::note_action("event_published");
    event_answer(&app, StatusCode::OK, &published).await
}

/// Why an event is called off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallingOff {
    #[schema(max_length = 500, pattern = r"^[^\x00-\x09\x0B-\x1F\x7F-\x9F]*$")]
    reason: Option<String>,
}

/// Call an event off. All its bookings are cancelled and refunded.
#[utoipa::path(post, path = "/api/v1/admin/events/{event_id}/cancel", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = CallingOff,
    responses((status = 200, body = EventBody)))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    submitted: Submitted<CallingOff>,
) -> Result<Response, Problem> {
    let reason = plain_text(submitted.body.reason)?;
    let (events, by, key) = (Arc::clone(&app.events), submitted.by, app.key_or_new(submitted.key));
    let cancelled = seen_through(async move { events.cancel(&by, id, reason, key).await }).await?;
    context::note_action("event_cancelled");
    event_answer(&app, StatusCode::OK, &cancelled).await
}

/// Seats of an event.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seats {
    #[schema(value_type = Vec<Uuid>, min_items = 1)]
    seat_ids: Vec<SeatId>,
}

/// The seats that changed.
#[derive(Serialize, ToSchema)]
pub struct SeatsChanged {
    #[schema(value_type = Vec<Uuid>)]
    seat_ids: Vec<SeatId>,
    /// What they are now.
    status: &'static str,
}

/// Take seats out of sale, all or none.
#[utoipa::path(post, path = "/api/v1/admin/events/{event_id}/seats/block", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = Seats,
    responses((status = 200, body = SeatsChanged)))]
pub async fn block(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    submitted: Submitted<Seats>,
) -> Result<Response, Problem> {
    house(&app, id, submitted, true).await
}

/// Put blocked seats back on sale, all or none.
#[utoipa::path(post, path = "/api/v1/admin/events/{event_id}/seats/unblock", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = Seats,
    responses((status = 200, body = SeatsChanged)))]
pub async fn unblock(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    submitted: Submitted<Seats>,
) -> Result<Response, Problem> {
    house(&app, id, submitted, false).await
}

async fn house(app: &App, id: EventId, submitted: Submitted<Seats>, block: bool) -> Result<Response, Problem> {
    context::note_event(id);
    let Submitted { by, key, body: Seats { seat_ids } } = submitted;
    let changed = app.events.house(&by, id, seat_ids, block, app.key_or_new(key)).await?;
    context::note_action(if block { "seats_blocked" } else { "seats_unblocked" });
    let status = if block { SeatStatus::Blocked } else { SeatStatus::Available };
    let body = SeatsChanged { seat_ids: changed.value.clone(), status: status.name() };
    Ok(answer(StatusCode::OK, &changed, body))
}
