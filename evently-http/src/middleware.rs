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

use axum::{Router, middleware};
use evently_core::{
    ports::{AccessTokens, Clock, Ids, RateLimits},
    rate::LocalRateLimits,
};
use tower::ServiceBuilder;

pub use self::client::{ClientAddress, Peer};
use crate::{
    config::{Config, Cors, Http, Profile, RateLimit},
    metrics,
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
    let stack = Arc::new(stack.clone());
    // As one layer: each that the router is given by itself puts every route, as it is by then, into a box of its own, and a request
    // copies all of them, one within the other.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(Arc::clone(&stack), observe::observe))
        .layer(middleware::from_fn_with_state(Arc::clone(&stack), headers::protect))
        .layer(compress::layer())
        .layer(cors::layer(&stack.cors))
        .layer(middleware::from_fn(answers::answer))
        .layer(middleware::from_fn_with_state(shed::Room::new(stack.http.in_flight_max), shed::shed))
        .layer(middleware::from_fn_with_state(rate_limit::Limiter::new(&stack), rate_limit::limit))
        .layer(middleware::from_fn_with_state(stack, deadline::deadline));
    router.layer(layers)
}

#[cfg(test)]
mod tests;
