//! What every answer has to be.

use evently_http::problem::Code;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Nothing of this is anybody's business.
const INTERNAL: [&str; 7] = [".rs:", "panicked", "evently_core", "evently_http", "MemoryStore", "RUST_BACKTRACE", "PoisonError"];

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, if it is JSON and not compressed.
    pub fn json(&self) -> Option<Value> {
        let kind = self.header("content-type")?;
        let is_json = kind == "application/json" || kind == "application/problem+json";
        (is_json && self.is_plain() && !self.body.is_empty())
            .then(|| serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{kind} that is none, {error}: {self:?}")))
    }

    /// Panics if the answer to `asked` is not what an answer has to be.
    pub fn check(&self, asked: &[u8]) {
        let status = StatusCode::from_u16(self.status).expect("it is one");
        let words = String::from_utf8_lossy(&self.body);
        assert!(!status.is_server_error() || self.is_of_the_gateway(), "{status} {words}");
        if status.is_client_error() {
            self.check_problem(status);
        }
        // The page to try the service on has scripts in it that are not ours.
        if self.json().is_some() {
            let asked = String::from_utf8_lossy(asked);
            for internal in INTERNAL {
                assert!(!words.contains(internal) || asked.contains(internal), "{internal} is told: {words}");
            }
        }
    }

    fn is_plain(&self) -> bool {
        self.header("content-encoding").is_none()
    }

    /// The sandbox has a card whose payments are never answered.
    fn is_of_the_gateway(&self) -> bool {
        self.json().is_some_and(|problem| problem["code"] == Code::GatewayUnavailable.word())
    }

    fn check_problem(&self, status: StatusCode) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let Some(problem) = self.json() else {
            // An answer to HEAD has no body.
            return assert!(self.body.is_empty() || !self.is_plain(), "{self:?}");
        };
        let code =
            Code::ALL.iter().find(|code| problem["code"] == code.word()).unwrap_or_else(|| panic!("no such code: {problem}"));
        assert_eq!((code.status(), &problem["status"]), (status, &status.as_u16().into()));
        assert_eq!(
            (&problem["title"], &problem["type"]),
            (&code.title().into(), &format!("urn:evently:problem:{}", code.word()).into())
        );
        let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        assert!(said(&problem["detail"]), "{problem}");
        assert!(problem["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{problem}");
        if *code == Code::ValidationFailed {
            let errors = problem["errors"].as_array().expect("it names fields");
            assert!(!errors.is_empty(), "{problem}");
            assert!(
                errors.iter().all(|error| said(&error["field"]) && said(&error["code"]) && said(&error["message"])),
                "{problem}"
            );
        }
        if *code == Code::SeatsUnavailable {
            assert!(problem["seats"].as_array().is_some_and(|seats| !seats.is_empty()), "{problem}");
        }
        let header = match status.as_u16() {
            401 => "www-authenticate",
            405 => "allow",
            429 => "retry-after",
            _ => return,
        };
        assert!(self.header(header).is_some(), "without {header}: {problem}");
    }
}
