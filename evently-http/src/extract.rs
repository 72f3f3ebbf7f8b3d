//! What comes with a request, parsed once, with errors that say which part of it is wrong.

mod cursor;
mod etag;
mod headers;
mod json;
mod query;
mod wrong;

use axum::extract::{FromRequestParts, path::FailedToDeserializePathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

pub use self::{
    cursor::{Cursor, CursorKey, Limit, List, Part},
    etag::{Etag, IfNoneMatch},
    headers::IdempotencyKey,
    json::{Json, RawBody, read_json},
    query::Query,
};
use crate::problem::Problem;

/// The parts of the path that the route names. What cannot be an id is the id of nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(axum::extract::rejection::PathRejection::FailedToDeserializePathParams(error)) => Err(not_found(&error)),
            Err(error) => {
                tracing::error!(%error, "a route takes parts of its path that it does not have");
                Err(Problem::internal())
            }
        }
    }
}

fn not_found(_: &FailedToDeserializePathParams) -> Problem {
    Problem::not_found("thing")
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use evently_core::domain::EventId;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_an_id_is_not_found() {
        let router: Router = Router::new().route("/events/{id}", get(|Path(id): Path<EventId>| async move { id.to_string() }));
        for (id, status) in [("0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001", 200), ("7", 404), ("%ff", 404), ("a%20b", 404)] {
            let request = Request::get(format!("/events/{id}")).body(Body::empty()).unwrap();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status, "{id}");
        }
    }
}
