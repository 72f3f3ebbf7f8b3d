//! Answers in our own form, where a library or a panic gave none.

use std::panic::AssertUnwindSafe;

use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{StatusCode, header};

use crate::problem::Problem;

pub(super) async fn answer(answer: impl Future<Output = Response>) -> Response {
    // The hook has logged the panic already. What was being done is thrown away, and nothing outlives it half done.
    let Ok(response) = AssertUnwindSafe(answer).catch_unwind().await else {
        return Problem::internal().into_response();
    };
    if response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Problem::not_found("path").into_response(),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::method_not_allowed(response.headers().get(header::ALLOW).cloned()).into_response()
        }
        _ => response,
    }
}
