//! Versions of what is read, so that it is sent once.

use std::{
    convert::Infallible,
    fmt,
    hash::{DefaultHasher, Hasher},
};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};

/// A version of a representation. All are weak: the same version may be sent compressed in different ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// The version with this name: visible ASCII without quotes.
    pub fn new(version: impl fmt::Display) -> Self {
        let tag = format!("W/\"{version}\"");
        debug_assert!(tag[3..tag.len() - 1].bytes().all(|b| b.is_ascii_graphic() && b != b'"'), "{tag} is no entity tag");
        Self(tag)
    }

    /// The version of what has no name, by its bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Self::new(format_args!("{:016x}", hasher.finish()))
    }

    /// The answer, with this version and how it may be kept; 304 and nothing else if the client has this version.
    pub fn answer<R: IntoResponse>(
        &self,
        known: &IfNoneMatch,
        cache_control: &'static str,
        body: impl FnOnce() -> R,
    ) -> Response {
        let mut response = if known.has(self) { StatusCode::NOT_MODIFIED.into_response() } else { body().into_response() };
        let tag = HeaderValue::from_str(&self.0).expect("an entity tag is visible ASCII");
        response.headers_mut().insert(header::ETAG, tag);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        response
    }
}

/// The versions that the client has.
#[derive(Debug, Clone, Default)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Whether the client has this version. Compared weakly, as RFC 9110 asks for reads.
    pub fn has(&self, etag: &Etag) -> bool {
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        self.0.iter().any(|known| known == "*" || opaque(known) == opaque(&etag.0))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        Ok(Self(values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(tags: &[&str]) -> IfNoneMatch {
        IfNoneMatch(tags.iter().map(|tag| (*tag).to_owned()).collect())
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let etag = Etag::new(format_args!("{}-{}", 7, 9));
        for tags in [&["W/\"7-9\""][..], &["\"7-9\""], &["\"x\"", "W/\"7-9\""], &["*"]] {
            let response = etag.answer(&known(tags), "no-cache", || -> &str { panic!("not asked for") });
            assert_eq!(
                (response.status(), &response.headers()["etag"]),
                (StatusCode::NOT_MODIFIED, &HeaderValue::from_static("W/\"7-9\""))
            );
        }
    }

    #[test]
    fn what_it_does_not_have_is() {
        let response = Etag::new(8).answer(&known(&["W/\"7\"", "8"]), "public, max-age=300", || "body");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    }
}
