//! The trace that a request belongs to, its line in the log, and its part in the figures.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method};

use super::{ClientAddress, Stack};
use crate::context::{self, Context, Notes, TraceId};

const REQUEST_ID: &str = "x-request-id";

/// The status of a request whose client did not wait for the answer, as nginx calls it.
const GONE: u16 = 499;

/// A request that is about to be answered.
pub(super) struct Observed {
    trace_id: TraceId,
    request_id: HeaderValue,
    line: Line,
}

impl Observed {
    /// Finds out where the request comes from and what it belongs to.
    pub(super) fn new(stack: &Stack, request: &mut Request) -> Self {
        let client = ClientAddress::of(request.extensions(), request.headers(), &stack.http.trusted_proxies);
        request.extensions_mut().insert(client);
        Self {
            trace_id: trace_id(request.headers(), stack),
            request_id: request_id(request.headers(), stack),
            line: Line::new(request),
        }
    }

    /// Answers it, and writes its line.
    pub(super) async fn until_answered(self, answer: impl Future<Output = Response>) -> Response {
        let Self { trace_id, request_id, line } = self;
        let answer = async move {
            // All of it moves in here, to be dropped where its notes are.
            let mut line = line;
            let mut response = answer.await;
            response.headers_mut().insert(REQUEST_ID, request_id);
            line.status = response.status().as_u16();
            response
        };
        Context::new(trace_id).scope(answer).await
    }
}

/// The id that came with the request, if it is a reasonable one.
fn request_id(headers: &HeaderMap, stack: &Stack) -> HeaderValue {
    let reasonable = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    let made = || stack.ids.uuid(stack.clock.now()).to_string().parse().expect("a UUID is visible ASCII");
    headers.get(REQUEST_ID).filter(reasonable).cloned().unwrap_or_else(made)
}

fn trace_id(headers: &HeaderMap, stack: &Stack) -> TraceId {
    let came = headers.get("traceparent").and_then(|value| TraceId::from_traceparent(value.to_str().ok()?));
    came.unwrap_or_else(|| TraceId::from_bits(stack.ids.secret() | 1).expect("it is not zero"))
}

/// A request on its way to its line in the log. The line is written when this is dropped, so that a request whose client went
/// away has one too.
struct Line {
    method: &'static str,
    route: Option<MatchedPath>,
    began: Instant,
    status: u16,
}

impl Line {
    #[expect(clippy::disallowed_methods, reason = "this measures how long an answer takes")]
    fn new(request: &Request) -> Self {
        let route = request.extensions().get().cloned();
        Self { method: method(request.method()), route, began: Instant::now(), status: GONE }
    }

    /// The route as it was declared: a path with ids in it would be a new one every time.
    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    fn log(&self, took: Duration) {
        let Notes { user_id, event_id, action } = context::notes();
        let (method, route, status) = (self.method, self.route(), self.status);
        let user_id = user_id.map(tracing::field::display);
        let event_id = event_id.map(tracing::field::display);
        let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: "evently_http::access", method, route, status, duration_ms, action, user_id, event_id, "request")
            };
        }
        match status {
            500.. => line!(warn),
            // Asked for every few seconds by machines.
            _ if route.starts_with("/health/") || route == "/metrics" => line!(debug),
            _ => line!(info),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.log(took);
        let (method, route) = (self.method, self.route().to_owned());
        metrics::counter!("api_requests_total", "method" => method, "route" => route.clone(), "status" => self.status.to_string())
            .increment(1);
        metrics::histogram!("api_request_duration_seconds", "method" => method, "route" => route).record(took.as_secs_f64());
    }
}

/// A method that clients have made up is no name for a figure.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}
