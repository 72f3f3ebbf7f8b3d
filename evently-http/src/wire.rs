//! What goes over the wire in more than one route.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{
        Booking, BookingId, BookingStatus, EventId, Money, Payment, PaymentState, Refund, RefundPolicy, RefundState, SeatId,
        Timestamp, UserId,
    },
    services::{Answered, EventView},
};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// An amount of money.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Amount {
    /// In the currency's minor unit: 4500 is 45.00 EUR.
    pub amount: i64,
    /// Three letters of ISO 4217.
    #[schema(example = "EUR")]
    pub currency: &'static str,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.amount, currency: money.currency.code() }
    }
}

/// What comes back when a buyer cancels.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundTerms {
    /// From then on a buyer can no longer cancel.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// How much of the price comes back, 0 to 100.
    percent: u8,
}

impl From<RefundPolicy> for RefundTerms {
    fn from(RefundPolicy { until, percent }: RefundPolicy) -> Self {
        Self { until, percent }
    }
}

/// A seat of a booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookedSeatBody {
    #[schema(value_type = Uuid)]
    id: SeatId,
    section: String,
    row: String,
    label: String,
    price: Amount,
}

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingBody {
    #[schema(value_type = Uuid)]
    id: BookingId,
    #[schema(value_type = Uuid)]
    event_id: EventId,
    /// What the event is called.
    event_name: String,
    /// Whether the event is `upcoming`, `ongoing`, `completed` or `cancelled`.
    event_status: &'static str,
    /// Where it stands: `pending`, `confirmed`, `expired`, `cancelled` or `refunded`.
    status: &'static str,
    seats: Vec<BookedSeatBody>,
    total: Amount,
    /// Until when the seats are held; of a pending booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How many seconds that is away; of a pending booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    /// Eight characters for people; of a booking that has been confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What the event said of refunds when the seats were held. What it says when the booking is given up counts where it gives more
    /// back, and alone where this is missing: of a booking that was made before it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_terms: Option<RefundTerms>,
    /// Whether the seats sit side by side in one row.
    next_to_each_other: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl BookingBody {
    /// The booking as it is at `at`.
    pub fn new(view: &EventView, booking: &Booking, at: Timestamp) -> Self {
        let currency = booking.total.currency;
        let seats = booking.seats.iter().filter_map(|booked| {
            let (section, row, seat) = view.layout.seat(booked.number)?;
            Some(BookedSeatBody {
                id: seat.id,
                section: section.name.clone(),
                row: row.label.clone(),
                label: seat.label.clone(),
                price: Money { amount: booked.price, currency }.into(),
            })
        });
        let numbers = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        let expires_at = booking.hold().map(evently_core::domain::Hold::expires_at);
        Self {
            id: booking.id,
            event_id: booking.event_id,
            event_name: view.event.details.name.clone(),
            event_status: view.event.status(at).name(),
            status: booking.status().name(),
            seats: seats.collect(),
            total: booking.total.into(),
            expires_at,
            expires_in: expires_at.map(|until| until.since(at).as_secs()),
            code: booking.code.map(|code| code.to_string()),
            refund_terms: booking.refunds.map(Into::into),
            next_to_each_other: view.layout.adjacent(&numbers),
            created_at: booking.created_at,
        }
    }
}

/// A booking as those see it who manage its event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ManagedBookingBody {
    #[serde(flatten)]
    booking: BookingBody,
    #[schema(value_type = Uuid)]
    user_id: UserId,
}

impl ManagedBookingBody {
    /// The booking as it is at `at`.
    pub fn new(view: &EventView, booking: &Booking, at: Timestamp) -> Self {
        Self { booking: BookingBody::new(view, booking, at), user_id: booking.user_id }
    }
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentBody {
    #[schema(value_type = Uuid)]
    id: evently_core::domain::PaymentId,
    /// `requires_action`, `processing`, `succeeded`, `failed`, `refunded` or `partially_refunded`.
    status: &'static str,
    amount: Amount,
    /// The gateway.
    provider: String,
    /// What the buyer's browser shows to the gateway; while it requires action.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// The gateway's reason; of a payment that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl PaymentBody {
    /// The payment as others than its buyer see it.
    pub fn for_others(payment: &Payment) -> Self {
        Self { client_secret: None, ..payment.into() }
    }
}

impl From<&Payment> for PaymentBody {
    fn from(payment: &Payment) -> Self {
        let (client_secret, failure) = match &payment.state {
            PaymentState::RequiresAction { client_secret } => (Some(client_secret.clone()), None),
            PaymentState::Failed { reason } => (None, Some(reason.clone())),
            PaymentState::Processing | PaymentState::Succeeded { .. } => (None, None),
        };
        Self {
            id: payment.id,
            status: payment.status(),
            amount: payment.amount.into(),
            provider: payment.provider.clone(),
            client_secret,
            failure,
            created_at: payment.created_at,
        }
    }
}

/// Money on its way back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundBody {
    #[schema(value_type = Uuid)]
    id: evently_core::domain::RefundId,
    /// `pending` or `succeeded`.
    status: &'static str,
    amount: Amount,
    reason: String,
}

impl From<&Refund> for RefundBody {
    fn from(refund: &Refund) -> Self {
        let status = match refund.state {
            RefundState::Pending => "pending",
            RefundState::Succeeded { .. } => "succeeded",
        };
        Self { id: refund.id, status, amount: refund.amount.into(), reason: refund.reason.clone() }
    }
}

/// Reads one of a list of names.
pub fn named<T: Copy>(
    names: &[(&'static str, T)],
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, crate::problem::Problem> {
    let Some(text) = text else { return Ok(None) };
    let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.map(Some).ok_or_else(|| {
        let names = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        crate::problem::Problem::field(field, "invalid", format!("must be one of {names}"))
    })
}

/// The statuses of bookings in a query.
pub fn booking_status(text: Option<&str>) -> Result<Option<BookingStatus>, crate::problem::Problem> {
    named(&BookingStatus::NAMES, "status", text)
}

/// An answer that says so if it had been given before.
pub fn answer<T>(status: StatusCode, answered: &Answered<T>, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if answered.replayed {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}
