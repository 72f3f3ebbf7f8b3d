//! What every request goes through, whatever it asks for.
//!
//! From the outside in: the trace, the line in the log and the figures; headers that keep browsers safe; compression; other
//! origins' pages; answers in our own form where a library or a panic gave none; too much at once; too often; too long or too
//! slow. A route adds nothing of this itself.

mod answers;
mod client;
mod compress;
mod cors;
mod deadline;
mod headers;
mod observe;
mod rate_limit;
mod shed;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use evently_core::{
    ports::{AccessTokens, Clock, Ids, RateLimits},
    rate::{LocalRateLimits, Verdict},
};
use tower::ServiceBuilder;

pub use self::client::{ClientAddress, Peer};
use self::observe::Observed;
use crate::{
    config::{Config, Cors, Http, Profile, RateLimit},
    metrics,
    problem::Problem,
};

/// What the middleware needs to know.
#[derive(Clone)]
pub struct Stack {
    /// The time by which rates are limited.
    pub clock: Arc<dyn Clock>,
    /// Where ids of requests and traces come from.
    pub ids: Arc<dyn Ids>,
    /// Who can tell whose a token is.
    pub tokens: Arc<dyn AccessTokens>,
    /// Limits and trusted proxies.
    pub http: Http,
    /// The origins whose pages may call.
    pub cors: Cors,
    /// How often somebody may ask.
    pub rate_limit: RateLimit,
    /// Where that is counted.
    pub limits: Arc<dyn RateLimits>,
    /// Whether browsers are told to come by TLS only.
    pub tls_only: bool,
    /// The routes, as they were declared, that take a file: they get `http.import_limit` bytes and six times the time.
    pub uploads: &'static [&'static str],
}

impl Stack {
    /// As the configuration says; rates are counted in this process.
    pub fn new(config: &Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, tokens: Arc<dyn AccessTokens>) -> Self {
        Self {
            clock,
            ids,
            tokens,
            http: config.http.clone(),
            cors: config.cors.clone(),
            rate_limit: config.rate_limit.clone(),
            limits: Arc::new(LocalRateLimits),
            tls_only: config.profile == Profile::Production,
            uploads: &[],
        }
    }
}

/// The routes with everything around them.
pub fn wrap(router: Router, stack: &Stack) -> Router {
    metrics::install();
    let around = Arc::new(Around {
        room: shed::Room::new(stack.http.in_flight_max),
        limiter: rate_limit::Limiter::new(stack),
        stack: stack.clone(),
    });
    // As one layer: each that the router is given by itself puts every route, as it is by then, into a box of its own, and a request
    // copies all of them, one within the other. For the same reason our own steps are two functions, one on each side of the library's.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&around), outside))
        .layer(cors::layer(&stack.cors))
        .layer(from_fn_with_state(around, inside));
    router.layer(layers)
}

/// What our own steps need.
struct Around {
    stack: Stack,
    room: shed::Room,
    limiter: rate_limit::Limiter,
}

async fn outside(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    let stack = &around.stack;
    let observed = Observed::new(stack, &mut request);
    let accepted = compress::accepted(&request);
    let answer = async move {
        let response = compress::compress(accepted, next.run(request).await).await;
        headers::protect(stack, response)
    };
    observed.until_answered(answer).await
}

async fn inside(State(around): State<Arc<Around>>, request: Request, next: Next) -> Response {
    answers::answer(around.admit(request, next)).await
}

impl Around {
    async fn admit(&self, mut request: Request, next: Next) -> Response {
        let Ok(_place) = self.room.place(&request) else { return Problem::overloaded().into_response() };
        let verdict = self.limiter.count(&mut request).await;
        let mut response = match &verdict {
            Some(Verdict { allowed: false, retry_after, .. }) => Problem::rate_limited(*retry_after).into_response(),
            _ => deadline::in_time(&self.stack, request, next).await,
        };
        if let Some(verdict) = verdict {
            rate_limit::tell(verdict, response.headers_mut());
        }
        response
    }
}

#[cfg(test)]
mod tests;
