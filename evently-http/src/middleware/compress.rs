//! Compression of what is worth it: text of more than a kilobyte.

use std::{convert::Infallible, future::ready};

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, header};
use tower::{ServiceExt, service_fn};
use tower_http::compression::{
    Compression,
    predicate::{Predicate, SizeAbove},
};

/// What the client says it can read.
pub(super) fn accepted(request: &Request) -> Vec<HeaderValue> {
    request.headers().get_all(header::ACCEPT_ENCODING).iter().cloned().collect()
}

/// An answer, as small as it is worth to make it.
pub(super) async fn compress(accepted: Vec<HeaderValue>, response: Response) -> Response {
    if !SizeAbove::new(1024).should_compress(&response) || !is_text(response.headers()) {
        return response;
    }
    // Whatever comes of it, a body of the library's is as large as its largest compressor, which is 6 kB.
    Box::pin(compressed(accepted, response)).await
}

async fn compressed(accepted: Vec<HeaderValue>, response: Response) -> Response {
    let status = response.status();
    let mut answered = http::Request::new(response);
    answered.headers_mut().extend(accepted.into_iter().map(|value| (header::ACCEPT_ENCODING, value)));
    let answer = |answered: http::Request<Response>| ready(Ok::<_, Infallible>(answered.into_body()));
    let Ok(response) = Compression::new(service_fn(answer)).oneshot(answered).await;
    let mut response = response.map(Body::new);
    // To whoever can read nothing at all the library says 406, though what was asked is done.
    *response.status_mut() = status;
    response
}

/// Whether it is text, by its type. The answer to a WebSocket handshake has none.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim_end();
    essence.starts_with("text/")
        || matches!(
            essence,
            "application/json"
                | "application/problem+json"
                | "application/javascript"
                | "application/manifest+json"
                | "application/vnd.evently.seatmap"
                | "image/svg+xml"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_compressed() {
        for (content_type, expected) in [
            ("application/json", true),
            ("text/html; charset=utf-8", true),
            ("image/svg+xml", true),
            ("text/javascript; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/vnd.evently.seatmap", true),
            ("application/pdf", false),
            ("image/png", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(is_text(&headers), expected, "{content_type}");
        }
        assert!(!is_text(&HeaderMap::new()));
    }
}
