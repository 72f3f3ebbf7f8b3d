//! Bodies.

use axum::extract::{
    FromRequest, Request,
    rejection::{BytesRejection, FailedToBufferBody},
};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::wrong;
use crate::problem::{Code, Problem};

/// A body of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
        check_kind(content_type.as_ref())?;
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        read(&bytes).map(Self)
    }
}

/// Reads a body that may be left out where nothing has to be said.
pub fn read_json<T: DeserializeOwned>(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<T, Problem> {
    // Many a client says what it would send also where it sends nothing.
    if body.is_empty() && content_type.is_none_or(|kind| is_json(Some(kind))) {
        return read(b"{}");
    }
    check_kind(content_type)?;
    read(body)
}

fn check_kind(content_type: Option<&HeaderValue>) -> Result<(), Problem> {
    if is_json(content_type) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send application/json, and say so in Content-Type"))
}

/// A body as it came, within the limit of its route.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Problem::new(Code::BodyTooLarge, "send less, or in parts")
            }
            _ => Problem::new(Code::MalformedJson, "the body ended before all of it had come"),
        })
    }
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let essence = |value: &HeaderValue| Some(value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase());
    content_type.and_then(essence).is_some_and(|essence| essence == "application/json")
}

/// Reads JSON: what is none is malformed, and what is the wrong JSON names the field. Nesting beyond 128 levels is malformed.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| match error.inner().classify() {
        Category::Data => wrong::field(error.path(), &error.inner().to_string()),
        Category::Io | Category::Syntax | Category::Eof => malformed(error.inner()),
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson, error.to_string())
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::DefaultBodyLimit, routing::post};
    use http_body_util::BodyExt;
    use serde::Deserialize;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Wanted {
        event_id: evently_core::domain::EventId,
        seats: Vec<Seat>,
        password: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Seat {
        number: u32,
    }

    async fn answer(content_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let route = post(|Json(_): Json<Wanted>| async { "{}" }).layer(DefaultBodyLimit::max(4096));
        let router: Router = Router::new().route("/", route);
        let request = Request::post("/").header("content-type", content_type).body(body.into()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
    }

    async fn wrong(body: Value) -> Value {
        let (status, answer) = answer("application/json", body.to_string()).await;
        assert_eq!((status, &answer["code"]), (422, &json!("validation_failed")), "{answer}");
        answer["errors"].clone()
    }

    #[test]
    fn where_nothing_has_to_be_said_nothing_is_a_body() {
        let read = |kind: Option<&'static str>, body: &str| {
            read_json::<Value>(kind.map(HeaderValue::from_static).as_ref(), body.as_bytes()).map_err(|problem| problem.code())
        };
        for kind in [None, Some("application/json"), Some("application/json; charset=utf-8")] {
            assert_eq!(read(kind, "").unwrap(), json!({}), "{kind:?}");
        }
        assert_eq!(read(Some("text/plain"), "").unwrap_err(), Code::UnsupportedMediaType);
        assert_eq!(read(None, "{}").unwrap_err(), Code::UnsupportedMediaType);
        assert_eq!(read(Some("application/json"), " ").unwrap_err(), Code::MalformedJson);
    }

    const EVENT: &str = "0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001";

    #[tokio::test]
    async fn a_wrong_field_is_named_by_its_path() {
        let errors = wrong(json!({"event_id": EVENT, "seats": [{"number": 1}, {"number": "2"}]})).await;
        let message = "must be a whole number, not negative";
        assert_eq!(errors, json!([{"field": "seats[1].number", "code": "invalid_type", "message": message}]));
        let errors = wrong(json!({"event_id": 7, "seats": []})).await;
        assert_eq!(errors[0]["field"], "event_id");
        let errors = wrong(json!({"seats": []})).await;
        assert_eq!(errors, json!([{"field": "event_id", "code": "required", "message": "this field is needed"}]));
        let errors = wrong(json!({"event_id": EVENT, "seats": [{}]})).await;
        assert_eq!(errors[0]["field"], "seats[0].number");
        for body in [json!([]), json!("text"), json!(null)] {
            let errors = wrong(body).await;
            assert_eq!(errors, json!([{"field": "body", "code": "invalid_type", "message": "must be an object"}]));
        }
    }

    #[tokio::test]
    async fn an_unknown_field_is_refused_and_known_ones_are_named() {
        let errors = wrong(json!({"event_id": EVENT, "seats": [{"number": 1, "price": 0}]})).await;
        let message = "there is no such field; known are `number`";
        assert_eq!(errors, json!([{"field": "seats[0].price", "code": "unknown_field", "message": message}]));
        let errors = wrong(json!({"event_id": EVENT, "seats": [], "role": "admin"})).await;
        assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!("role"), &json!("unknown_field")));
        let errors = wrong(json!({"event_id": EVENT, "seats": [], "": "admin"})).await;
        assert_eq!(errors[0]["field"], r#""""#);
        let errors = wrong(json!({"event_id": EVENT, "seats": [{"number": 1, "": 0}]})).await;
        assert_eq!(errors[0]["field"], r#"seats[0]."""#);
    }

    #[tokio::test]
    async fn what_was_sent_is_not_sent_back() {
        let errors = wrong(json!({"event_id": EVENT, "seats": [], "password": 12_345_678})).await;
        assert_eq!(errors[0]["message"], "must be a string");
    }

    #[tokio::test]
    async fn what_is_no_json_is_malformed() {
        for body in [&b"{"[..], b"", b"{\"seats\":[],}", b"\xff"] {
            let (status, answer) = answer("application/json", body).await;
            assert_eq!((status, &answer["code"]), (400, &json!("malformed_json")), "{answer}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(read::<Value>(deep.as_bytes()).unwrap_err().code(), Code::MalformedJson);
        let (status, answer) = answer("application/json", format!("{{\"event_id\":\"{EVENT}\",\"seats\":[]}} x")).await;
        assert_eq!((status, &answer["code"]), (400, &json!("malformed_json")));
        assert!(answer["detail"].as_str().unwrap().contains("line 1 column"));
    }

    #[tokio::test]
    async fn only_json_is_taken_and_not_too_much() {
        assert_eq!(answer("text/plain", "{}").await.0, 415);
        assert_eq!(answer("application/json; charset=utf-8", "{").await.0, 400);
        let (status, answer) = answer("application/json", vec![b' '; 5000]).await;
        assert_eq!((status, &answer["code"]), (413, &json!("body_too_large")));
    }
}
