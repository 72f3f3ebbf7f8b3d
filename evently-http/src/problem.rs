//! Every answer that says no: RFC 9457 `application/problem+json`. The one place that knows status codes of errors.

mod domain;
mod services;

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use evently_core::domain::{Invalid, InvalidField, SeatId, SeatStatus};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::context;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $status:ident $word:literal $title:literal)+) => {
        /// A stable word for what went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)+ }
            }

            /// The status that the answer has.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// The same for every such error.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or nested too deeply.
    MalformedJson = BAD_REQUEST "malformed_json" "The body cannot be read"
    /// A header that is needed cannot be read.
    MalformedHeader = BAD_REQUEST "malformed_header" "A header cannot be read"
    /// A message that a gateway did not sign, or too long ago.
    SignatureInvalid = BAD_REQUEST "signature_invalid" "The signature is not right"
    /// The e-mail address or the password is wrong.
    InvalidCredentials = UNAUTHORIZED "invalid_credentials" "The e-mail address or the password is wrong"
    /// The access token was good once.
    TokenExpired = UNAUTHORIZED "token_expired" "The access token has expired"
    /// The token is missing or none of ours.
    TokenInvalid = UNAUTHORIZED "token_invalid" "A valid token is needed"
    /// A refresh token came a second time; its login is over.
    RefreshTokenReused = UNAUTHORIZED "refresh_token_reused" "The refresh token had been used"
    /// The money was refused.
    PaymentDeclined = PAYMENT_REQUIRED "payment_declined" "The payment was declined"
    /// The account may not do this.
    Forbidden = FORBIDDEN "forbidden" "This account may not do that"
    /// There is no such thing, or the caller may not know of it.
    NotFound = NOT_FOUND "not_found" "There is no such thing"
    /// The path is there, for other methods.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "This path has no such method"
    /// Nothing that the client takes can be made.
    NotAcceptable = NOT_ACCEPTABLE "not_acceptable" "There is no such representation"
    /// The client took too long to send its request.
    RequestTimeout = REQUEST_TIMEOUT "request_timeout" "The request took too long to arrive"
    /// Somebody else has some of the seats.
    SeatsUnavailable = CONFLICT "seats_unavailable" "Some seats are not available"
    /// The booking is past the state that this needs.
    BookingNotPending = CONFLICT "booking_not_pending" "The booking is not pending"
    /// The hold has run out.
    BookingExpired = CONFLICT "booking_expired" "The booking has expired"
    /// The event cannot be booked now.
    EventNotOnSale = CONFLICT "event_not_on_sale" "The event is not on sale"
    /// The event has been called off.
    EventCancelled = CONFLICT "event_cancelled" "The event has been cancelled"
    /// The hold cannot be made longer.
    ExtensionLimit = CONFLICT "extension_limit" "The hold cannot be extended further"
    /// The same request, or a payment, is still under way.
    RequestInFlight = CONFLICT "request_in_flight" "An earlier request is still being processed"
    /// The address has an account.
    EmailTaken = CONFLICT "email_taken" "There is an account with this e-mail address"
    /// It is too late to cancel.
    CancellationClosed = CONFLICT "cancellation_closed" "It is too late to cancel"
    /// Somebody is in with one of the tickets.
    TicketUsed = CONFLICT "ticket_used" "A ticket has been used"
    /// More bytes than are taken.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large" "The body is too large"
    /// A body of a kind that is not taken.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" "The body is of the wrong kind"
    /// Some fields are not what they must be.
    ValidationFailed = UNPROCESSABLE_ENTITY "validation_failed" "Something in the request is not right"
    /// The key was used for another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency_key_reused" "The idempotency key was used for another request"
    /// More seats than the event allows.
    TooManySeats = UNPROCESSABLE_ENTITY "too_many_seats" "Too many seats"
    /// The client has asked too often.
    RateLimited = TOO_MANY_REQUESTS "rate_limited" "Too many requests"
    /// A bug, or a store that holds what cannot be.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side"
    /// Too much to do; nothing was done.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "The service is busy"
    /// The store is away; nothing was done.
    StoreUnavailable = SERVICE_UNAVAILABLE "store_unavailable" "The store is unavailable"
    /// The payment gateway does not answer.
    GatewayUnavailable = SERVICE_UNAVAILABLE "gateway_unavailable" "The payment gateway does not answer"
}

/// How long to wait after a 503.
const BUSY: Duration = Duration::from_secs(1);

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    with: With,
    replayed: bool,
}

/// What goes with an error beside its code and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum With {
    Nothing,
    /// The fields that are wrong.
    Fields(Vec<InvalidField>),
    /// The seats that are in the way.
    Seats(Vec<(SeatId, SeatStatus)>),
    /// How long to wait.
    RetryAfter(Duration),
    /// The methods that there are.
    Allow(HeaderValue),
}

impl Problem {
    /// An error with what is to be said about this one, a sentence for people. Nothing internal may be in it.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let busy = code.status() == StatusCode::SERVICE_UNAVAILABLE;
        Self { code, detail: detail.into(), with: if busy { With::RetryAfter(BUSY) } else { With::Nothing }, replayed: false }
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(thing: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no such {thing}"))
    }

    /// One field is wrong.
    pub fn field(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Invalid::field(field, code, message).into()
    }

    /// Some of the seats are in other hands.
    pub fn seats_unavailable(detail: impl Into<String>, seats: Vec<(SeatId, SeatStatus)>) -> Self {
        Self { with: With::Seats(seats), ..Self::new(Code::SeatsUnavailable, detail) }
    }

    /// No token came with the request.
    pub fn token_missing() -> Self {
        Self::new(Code::TokenInvalid, "send an access token: `Authorization: Bearer …`")
    }

    /// The account's role is not enough.
    pub fn forbidden() -> Self {
        Self::new(Code::Forbidden, "the account's role does not allow this")
    }

    /// The path is there for other methods, named as in `GET, HEAD`.
    pub fn method_not_allowed(allow: Option<HeaderValue>) -> Self {
        let with = allow.map_or(With::Nothing, With::Allow);
        Self { with, ..Self::new(Code::MethodNotAllowed, "use one of the methods in the Allow header") }
    }

    /// The client may ask again after a while.
    pub fn rate_limited(after: Duration) -> Self {
        let detail = format!("try again in {} s", whole_secs(after));
        Self { with: With::RetryAfter(after), ..Self::new(Code::RateLimited, detail) }
    }

    /// Too much to do; nothing was done.
    pub fn overloaded() -> Self {
        Self::new(Code::Overloaded, "there is more to do than can be done; nothing was done, try again in a moment")
    }

    /// A bug. What it is stands in the log.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "this was not your fault; please tell us the trace_id if it happens again")
    }

    /// The same error; said again to a request that came before with the same key, if `replayed`.
    #[must_use]
    pub fn replayed(self, replayed: bool) -> Self {
        Self { replayed, ..self }
    }

    /// The fields that are wrong, where the request was not valid.
    pub fn errors(&self) -> &[InvalidField] {
        if let With::Fields(fields) = &self.with { fields } else { &[] }
    }

    /// The error's code.
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        Self { with: With::Fields(invalid.fields), ..Self::new(Code::ValidationFailed, detail) }
    }
}

/// Whole seconds, rounded up, so that whoever waits so long has waited long enough.
pub(crate) fn whole_secs(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// The body of the answer.
#[derive(Debug, Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [InvalidField],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seats: Vec<SeatInTheWay>,
}

/// A seat that cannot be had.
#[derive(Debug, Serialize)]
struct SeatInTheWay {
    id: SeatId,
    status: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let seats: &[_] = if let With::Seats(seats) = &self.with { seats } else { &[] };
        let document = Document {
            r#type: format!("urn:evently:problem:{}", self.code.word()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.word(),
            trace_id: context::trace_id().map(|id| id.to_string()),
            errors: self.errors(),
            seats: seats.iter().map(|(id, status)| SeatInTheWay { id: *id, status: status.name() }).collect(),
        };
        let body = serde_json::to_vec(&document).expect("text and numbers can be written");
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge(self.code) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        match self.with {
            With::RetryAfter(after) => {
                headers.insert(header::RETRY_AFTER, whole_secs(after).into());
            }
            With::Allow(allow) => {
                headers.insert(header::ALLOW, allow);
            }
            With::Nothing | With::Fields(_) | With::Seats(_) => {}
        }
        response
    }
}

/// What a 401 asks for (RFC 6750).
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::TokenExpired => Some(r#"Bearer error="invalid_token", error_description="expired""#),
        code if code.status() == StatusCode::UNAUTHORIZED => Some("Bearer"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http_body_util::BodyExt;

    use super::*;

    async fn answer(problem: Problem) -> (Response<()>, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn every_code_is_its_own_word() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[tokio::test]
    async fn an_invalid_request_names_its_fields() {
        let (answer, body) = answer(Problem::field("seat_ids[2]", "unknown_seat", "this event has no such seat")).await;
        assert_eq!(answer.status(), 422);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let expected = serde_json::json!({
            "type": "urn:evently:problem:validation_failed",
            "title": "Something in the request is not right",
            "status": 422,
            "detail": "seat_ids[2]: this event has no such seat",
            "code": "validation_failed",
            "trace_id": null,
            "errors": [{"field": "seat_ids[2]", "code": "unknown_seat", "message": "this event has no such seat"}],
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn seats_in_the_way_are_named() {
        let seat = SeatId::from_uuid(uuid::Uuid::from_u128(7));
        let (answer, body) = answer(Problem::seats_unavailable("taken", vec![(seat, SeatStatus::Booked)])).await;
        assert_eq!(answer.status(), 409);
        assert_eq!(body["seats"], serde_json::json!([{"id": seat, "status": "booked"}]));
    }

    #[tokio::test]
    async fn who_may_come_back_is_told_when() {
        let (limited, _) = answer(Problem::rate_limited(Duration::from_millis(1200))).await;
        assert_eq!(limited.headers()["retry-after"], "2", "rounded up");
        let (busy, _) = answer(Problem::overloaded()).await;
        assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
        let (unknown, _) = answer(Problem::token_missing()).await;
        assert_eq!(unknown.headers()["www-authenticate"], "Bearer");
    }
}
