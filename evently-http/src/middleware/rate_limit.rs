//! Too often is refused.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{Timestamp, UserId},
    ports::{AccessTokens, Clock},
    rate::{Buckets, Verdict},
};
use http::{HeaderMap, Method, header};

use super::{ClientAddress, Stack};
use crate::{
    config::Rate,
    problem::{Problem, whole_secs},
};

/// Clients that are remembered for each kind of request; a few megabytes.
const KEYS_MAX: usize = 100_000;

/// Kinds of requests that have a rate of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Bookings,
    Admin,
    Auth,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    User(UserId),
    Network(IpAddr),
}

/// Counts, unless there is no limit.
#[derive(Clone)]
pub(super) struct Limiter(Option<Arc<Counting>>);

struct Counting {
    events: Buckets<Key>,
    bookings: Buckets<Key>,
    admin: Buckets<Key>,
    auth: Buckets<Key>,
    tokens: Arc<dyn AccessTokens>,
    clock: Arc<dyn Clock>,
}

impl Limiter {
    pub(super) fn new(stack: &Stack) -> Self {
        let rates = &stack.rate_limit;
        let buckets = |rate: &Rate| Buckets::new(rate.permits, rate.per, KEYS_MAX);
        let counting = || Counting {
            events: buckets(&rates.events),
            bookings: buckets(&rates.bookings),
            admin: buckets(&rates.admin),
            auth: buckets(&rates.auth),
            tokens: Arc::clone(&stack.tokens),
            clock: Arc::clone(&stack.clock),
        };
        Self(rates.enabled.then(|| Arc::new(counting())))
    }
}

pub(super) async fn limit(State(Limiter(counting)): State<Limiter>, request: Request, next: Next) -> Response {
    let Some(verdict) = counting.and_then(|counting| counting.verdict(&request)) else {
        return next.run(request).await;
    };
    let mut response =
        if verdict.allowed { next.run(request).await } else { Problem::rate_limited(verdict.retry_after).into_response() };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", verdict.limit.into());
    headers.insert("ratelimit-remaining", verdict.remaining.into());
    headers.insert("ratelimit-reset", whole_secs(verdict.reset).into());
    response
}

impl Counting {
    /// `None` where there is no limit.
    fn verdict(&self, request: &Request) -> Option<Verdict> {
        let kind = kind(request.method(), request.extensions().get().map_or("", MatchedPath::as_str))?;
        let now = self.clock.now();
        let network = || request.extensions().get().map(|address: &ClientAddress| Key::Network(address.network()));
        let key = match kind {
            // Whoever tries passwords has no account yet, or many.
            Kind::Auth => network()?,
            Kind::Events | Kind::Bookings | Kind::Admin => match self.user(request.headers(), now) {
                Some(user) => Key::User(user),
                None => network()?,
            },
        };
        let buckets = match kind {
            Kind::Events => &self.events,
            Kind::Bookings => &self.bookings,
            Kind::Admin => &self.admin,
            Kind::Auth => &self.auth,
        };
        Some(buckets.take(key, now))
    }

    fn user(&self, headers: &HeaderMap, now: Timestamp) -> Option<UserId> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        self.tokens.read(token, now).ok().map(|claims| claims.user_id)
    }
}

/// By the route as it was declared, which no way of writing a path gets around.
fn kind(method: &Method, route: &str) -> Option<Kind> {
    let below = |prefix: &str| route.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below("/auth") {
        Some(Kind::Auth)
    } else if below("/api/v1/admin") {
        Some(Kind::Admin)
    } else if route == "/api/v1/bookings" || below("/api/v1/bookings") && !method.is_safe() {
        Some(Kind::Bookings)
    } else if below("/api/v1") {
        // Looking at one's own booking while its payment goes through is no way to get more seats.
        Some(Kind::Events)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_rate() {
        for (method, route, expected) in [
            (Method::GET, "/api/v1/events", Some(Kind::Events)),
            (Method::GET, "/api/v1/events/{event_id}/seats", Some(Kind::Events)),
            (Method::GET, "/api/v1/me", Some(Kind::Events)),
            (Method::POST, "/api/v1/bookings", Some(Kind::Bookings)),
            (Method::GET, "/api/v1/bookings", Some(Kind::Bookings)),
            (Method::POST, "/api/v1/bookings/{id}/payment", Some(Kind::Bookings)),
            (Method::GET, "/api/v1/bookings/{id}", Some(Kind::Events)),
            (Method::POST, "/api/v1/admin/events", Some(Kind::Admin)),
            (Method::POST, "/auth/login", Some(Kind::Auth)),
            (Method::POST, "/webhooks/payments/{provider}", None),
            (Method::GET, "/health/live", None),
            (Method::GET, "/", None),
        ] {
            assert_eq!(kind(&method, route), expected, "{method} {route}");
        }
    }
}
