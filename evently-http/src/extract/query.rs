//! Query strings.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::wrong;
use crate::problem::Problem;

/// What stands after the question mark.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| wrong::field(error.path(), &error.inner().to_string()))
}

#[cfg(test)]
mod tests {
    use evently_core::domain::{EventId, Timestamp};
    use serde::Deserialize;
    use serde_json::json;

    use super::{super::Limit, *};
    use crate::extract::Cursor;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        event_id: Option<EventId>,
        from: Option<Timestamp>,
        #[serde(default)]
        limit: Limit,
        cursor: Option<Cursor>,
    }

    fn wrong(query: &str) -> (String, String) {
        let problem = read::<Wanted>(query).expect_err(query);
        let [field] = problem.errors() else { panic!("one field: {problem:?}") };
        (field.field.clone(), field.code.clone())
    }

    #[test]
    fn parameters_are_read() {
        let query = "event_id=0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001&from=2026-11-22T19%3A30%3A00Z&limit=7";
        let wanted: Wanted = read(query).unwrap();
        assert_eq!(json!(wanted.event_id), "0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001");
        assert_eq!(json!(wanted.from), "2026-11-22T19:30:00Z");
        assert_eq!((wanted.limit.get(), wanted.cursor.is_none()), (7, true));
        assert_eq!(read::<Wanted>("").unwrap().limit.get(), 20);
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, field, code) in [
            ("limit=0", "limit", "invalid"),
            ("limit=101", "limit", "invalid"),
            ("limit=1000000000000000000000", "limit", "invalid"),
            ("limit=", "limit", "invalid"),
            ("from=tomorrow", "from", "invalid"),
            ("event_id=7", "event_id", "invalid"),
            ("cursor=%20", "cursor", "invalid"),
            ("staus=available", "staus", "unknown_field"),
            ("limit=1&limit=2", "limit", "duplicate"),
        ] {
            assert_eq!(wrong(query), (field.to_owned(), code.to_owned()), "{query}");
        }
    }
}
