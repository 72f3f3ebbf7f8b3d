//! Headers.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::{Code, Problem};

/// The key under which the answer is kept, if the client has sent one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => {
                let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
                let key = key.filter(|key| key.bytes().all(|b| b.is_ascii_graphic()));
                key.map(|key| Self(Some(key.to_owned()))).ok_or_else(malformed)
            }
            (Some(_), Some(_)) => Err(malformed()),
        }
    }
}

fn malformed() -> Problem {
    Problem::new(Code::MalformedHeader, "Idempotency-Key must be one text of 1 to 255 visible ASCII characters")
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    async fn key(values: &[&[u8]]) -> Result<Option<String>, Problem> {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        }
        let (mut parts, ()) = request.into_parts();
        IdempotencyKey::from_request_parts(&mut parts, &()).await.map(|key| key.0)
    }

    #[tokio::test]
    async fn a_key_is_one_visible_text() {
        assert_eq!(key(&[]).await.unwrap(), None);
        assert_eq!(key(&[b"a-1"]).await.unwrap().unwrap(), "a-1");
        assert!(key(&[&[b'x'; 255]]).await.is_ok());
        for wrong in [&[&b""[..]][..], &[b"a b"], &["ä".as_bytes()], &[&[b'x'; 256]], &[b"a", b"b"]] {
            assert_eq!(key(wrong).await.unwrap_err().code(), Code::MalformedHeader, "{wrong:?}");
        }
    }
}
