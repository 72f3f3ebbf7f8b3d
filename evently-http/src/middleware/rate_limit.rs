//! Too often is refused.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use evently_core::{
    domain::{Timestamp, UserId},
    ports::{AccessTokens, Clock, RateLimit},
    rate::Verdict,
};
use http::{HeaderMap, Method};

use super::{ClientAddress, Stack};
use crate::{
    caller::{Presented, bearer},
    config::Rate,
    problem::whole_secs,
};

/// Kinds of requests that have a rate of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Bookings,
    Admin,
    Auth,
    Sessions,
}

/// Counts, unless there is no limit.
pub(super) struct Limiter(Option<Counting>);

struct Counting {
    events: Arc<dyn RateLimit>,
    bookings: Arc<dyn RateLimit>,
    admin: Arc<dyn RateLimit>,
    auth: Arc<dyn RateLimit>,
    sessions: Arc<dyn RateLimit>,
    tokens: Arc<dyn AccessTokens>,
    clock: Arc<dyn Clock>,
}

impl Limiter {
    pub(super) fn new(stack: &Stack) -> Self {
        let rates = &stack.rate_limit;
        let limit = |name, rate: &Rate| stack.limits.limit(name, rate.permits, rate.per);
        let counting = || Counting {
            events: limit("events", &rates.events),
            bookings: limit("bookings", &rates.bookings),
            admin: limit("admin", &rates.admin),
            auth: limit("auth", &rates.auth),
            sessions: limit("sessions", &rates.sessions),
            tokens: Arc::clone(&stack.tokens),
            clock: Arc::clone(&stack.clock),
        };
        Self(rates.enabled.then(counting))
    }

    /// Counts a request; `None` where there is no limit.
    pub(super) async fn count(&self, request: &mut Request) -> Option<Verdict> {
        let (limit, key, now) = self.0.as_ref()?.counted(request)?;
        Some(limit.take(&key, now).await)
    }
}

/// Tells the client how much of its rate is left.
pub(super) fn tell(verdict: Verdict, headers: &mut HeaderMap) {
    headers.insert("ratelimit-limit", verdict.limit.into());
    headers.insert("ratelimit-remaining", verdict.remaining.into());
    headers.insert("ratelimit-reset", whole_secs(verdict.reset).into());
}

impl Counting {
    /// What a request counts for, and together with whose; `None` where there is no limit.
    fn counted(&self, request: &mut Request) -> Option<(&dyn RateLimit, String, Timestamp)> {
        let kind = kind(request.method(), request.extensions().get().map_or("", MatchedPath::as_str))?;
        let now = self.clock.now();
        let user = match kind {
            // Whoever tries passwords has no account yet, or many; whoever renews a login has nothing to show but the token in the body.
            Kind::Auth | Kind::Sessions => None,
            Kind::Events | Kind::Bookings | Kind::Admin => self.user(request, now),
        };
        let key = match user {
            Some(user) => format!("user:{user}"),
            None => format!("network:{}", request.extensions().get::<ClientAddress>()?.network()),
        };
        let limit = match kind {
            Kind::Events => &self.events,
            Kind::Bookings => &self.bookings,
            Kind::Admin => &self.admin,
            Kind::Auth => &self.auth,
            Kind::Sessions => &self.sessions,
        };
        Some((&**limit, key, now))
    }

    /// Who asks. The token is read once for a request: whoever wants to know what it says finds it there.
    fn user(&self, request: &mut Request, now: Timestamp) -> Option<UserId> {
        let claims = self.tokens.read(bearer(request.headers()).ok()??, now).ok()?;
        request.extensions_mut().insert(Presented(claims));
        Some(claims.user_id)
    }
}

/// By the route as it was declared, which no way of writing a path gets around.
fn kind(method: &Method, route: &str) -> Option<Kind> {
    let below = |prefix: &str| route.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if matches!(route, "/auth/refresh" | "/auth/logout") {
        // Nobody guesses a token, and whoever shares an address with somebody who guesses passwords must not lose their login by it.
        Some(Kind::Sessions)
    } else if below("/auth") {
        Some(Kind::Auth)
    } else if below("/api/v1/admin") {
        Some(Kind::Admin)
    } else if below("/api/v1/bookings") && !method.is_safe() {
        Some(Kind::Bookings)
    } else if below("/api/v1") {
        // Looking at one's own bookings is no way to get more seats, and the page does so after each hold that was refused.
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
            (Method::GET, "/api/v1/bookings", Some(Kind::Events)),
            (Method::POST, "/api/v1/bookings/{id}/payment", Some(Kind::Bookings)),
            (Method::GET, "/api/v1/bookings/{id}", Some(Kind::Events)),
            (Method::POST, "/api/v1/admin/events", Some(Kind::Admin)),
            (Method::POST, "/auth/login", Some(Kind::Auth)),
            (Method::POST, "/auth/register", Some(Kind::Auth)),
            (Method::POST, "/auth/refresh", Some(Kind::Sessions)),
            (Method::POST, "/auth/logout", Some(Kind::Sessions)),
            (Method::POST, "/webhooks/payments/{provider}", None),
            (Method::GET, "/health/live", None),
            (Method::GET, "/", None),
        ] {
            assert_eq!(kind(&method, route), expected, "{method} {route}");
        }
    }
}
