//! What an error looks like on its way out.

use axum::response::{IntoResponse, Response};
use evently_core::domain::{InvalidField, SeatId};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{Code, Problem, With, whole_secs};
use crate::context;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    booking_status: Option<&'static str>,
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
        let booking_status = if let With::Booking(status) = &self.with { Some(status.name()) } else { None };
        let document = Document {
            r#type: format!("urn:evently:problem:{}", self.code.word()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.word(),
            trace_id: context::trace_id().map(|id| id.to_string()),
            errors: self.errors(),
            seats: seats.iter().map(|(id, status)| SeatInTheWay { id: *id, status: status.name() }).collect(),
            booking_status,
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
            With::Nothing | With::Fields(_) | With::Seats(_) | With::Booking(_) => {}
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
    use std::time::Duration;

    use evently_core::domain::{BookingStatus, SeatStatus};
    use http_body_util::BodyExt;

    use super::*;

    async fn answer(problem: Problem) -> (Response<()>, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap())
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
    async fn a_booking_that_has_changed_is_told_as_it_is() {
        let (answer, body) = answer(Problem::booking_changed("it is paid", BookingStatus::Confirmed)).await;
        assert_eq!(answer.status(), 409);
        assert_eq!((&body["code"], &body["booking_status"]), (&"booking_changed".into(), &"confirmed".into()));
    }

    /// As RFC 6750 has it: a client need not read the body to know that it has to refresh its token.
    #[tokio::test]
    async fn whose_token_was_good_once_is_told_so() {
        let (expired, _) = answer(evently_core::ports::TokenError::Expired.into()).await;
        let challenge = r#"Bearer error="invalid_token", error_description="expired""#;
        assert_eq!((expired.status().as_u16(), expired.headers()["www-authenticate"].to_str().unwrap()), (401, challenge));
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
