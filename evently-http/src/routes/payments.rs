//! Paying, and what gateways tell.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use evently_core::{
    domain::{Booking, BookingId, BookingStatus, Payment, PaymentState, Timestamp},
    services::Error,
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Submitted,
    compose::App,
    context,
    extract::{Path, RawBody},
    problem::{Code, Problem},
    routes::seen_through,
    wire::{BookingBody, PaymentBody, answer},
};

/// What to pay with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    method: Method,
}

/// A means of payment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Method {
    r#type: MethodType,
    /// What stands for the card, as the gateway gave it to the buyer's browser.
    #[schema(example = "tok_visa")]
    token: String,
}

/// The kinds of means.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MethodType {
    /// A card.
    Card,
}

/// A payment and its booking.
#[derive(Serialize, ToSchema)]
pub struct PaidBody {
    payment: PaymentBody,
    booking: BookingBody,
}

/// Pay for a booking. A payment that succeeds at once has confirmed the booking; one that is still `processing` or `requires_action`
/// confirms it when it succeeds. After 402 `payment_declined` the hold stays, unless its time or its
/// event is over. A payment that its gateway did not
/// answer in time has failed, too (`no_answer`); if its money comes all the same, it buys the booking, or goes back.
#[utoipa::path(post, path = "/api/v1/bookings/{booking_id}/payment", tag = "bookings", security(("bearer" = [])),
    params(("booking_id" = Uuid, Path), ("idempotency-key" = Option<String>, Header)), request_body = NewPayment,
    responses((status = 200, body = PaidBody)))]
pub async fn pay(
    State(app): State<Arc<App>>,
    Path(id): Path<BookingId>,
    submitted: Submitted<NewPayment>,
) -> Result<Response, Problem> {
    let Submitted { by, key, body: NewPayment { method: Method { r#type: MethodType::Card, token } } } = submitted;
    // A buyer who hangs up must not tear a payment in two.
    let payments = Arc::clone(&app.payments);
    let paid = seen_through(async move { payments.pay(&by, id, token, key).await }).await?;
    context::note_action("payment_made");
    let (payment, booking) = &paid.value;
    context::note_event(booking.event_id);
    if let PaymentState::Failed { reason } = &payment.state {
        let detail = refusal(reason, payment, booking, paid.at);
        return Err(Problem::new(Code::PaymentDeclined, detail).replayed(paid.replayed));
    }
    let view = app.events.view(booking.event_id).await.map_err(Error::after_a_change)?;
    let body = PaidBody { payment: payment.into(), booking: BookingBody::new(&view, booking, paid.at) };
    Ok(answer(StatusCode::OK, &paid, body))
}

/// Why a payment has failed, what is to be done about it, and what becomes of money that comes all the same.
fn refusal(reason: &str, payment: &Payment, booking: &Booking, at: Timestamp) -> String {
    let why = match reason {
        "card_declined" => "the card was declined".to_owned(),
        "no_answer" => "the gateway has not answered".to_owned(),
        "superseded" => "it was given up".to_owned(),
        reason => reason.replace('_', " "),
    };
    let then = match booking.hold() {
        Some(hold) if hold.is_live(at) && hold.payment.is_some() => "another payment is under way".to_owned(),
        Some(hold) if hold.is_live(at) => "the seats stay on hold, try another card".to_owned(),
        Some(_) => "the hold has run out".to_owned(),
        None => format!("the booking is {}", booking.status().name()),
    };
    let late = match booking.status() {
        _ if !payment.is_given_up() => "",
        BookingStatus::Pending | BookingStatus::Expired => "; money that comes all the same buys the booking, or goes back",
        BookingStatus::Confirmed | BookingStatus::Cancelled | BookingStatus::Refunded => {
            "; money that comes all the same goes back"
        }
    };
    format!("{why}; {then}{late}")
}

/// Take in a message from a payment gateway. It is verified by its signature; the same message is applied once.
#[utoipa::path(post, path = "/webhooks/payments/{provider}", tag = "payments", params(("provider" = String, Path)),
    request_body(content = String, content_type = "application/json"), responses((status = 204)))]
pub async fn webhook(
    State(app): State<Arc<App>>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    if provider != app.payments.provider() {
        return Err(Problem::not_found("payment gateway"));
    }
    let signature = headers.get("evently-signature").and_then(|value| value.to_str().ok());
    app.payments.webhook(&body, signature).await?;
    Ok(StatusCode::NO_CONTENT)
}
