//! Compression of what is worth it: text of more than a kilobyte.

use http::{HeaderMap, StatusCode, Version, header};
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{And, SizeAbove},
};

type IsText = fn(StatusCode, Version, &HeaderMap, &http::Extensions) -> bool;

pub(super) fn layer() -> CompressionLayer<And<SizeAbove, IsText>> {
    let is_text: IsText = |_, _, headers, _| is_text(headers);
    CompressionLayer::new().compress_when(SizeAbove::new(1024).and(is_text))
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
