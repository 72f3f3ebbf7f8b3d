//! Too much at once is answered at once.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Room for so many requests at a time. A live feed takes up none once it has begun.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new(requests_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests_max)))
    }
}

pub(super) async fn shed(State(room): State<Room>, request: Request, next: Next) -> Response {
    if is_watched(&request) {
        return next.run(request).await;
    }
    match room.0.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::overloaded().into_response(),
    }
}

/// Whoever watches over the service must get an answer above all when it is busy.
fn is_watched(request: &Request) -> bool {
    let route = request.extensions().get().map_or("", MatchedPath::as_str);
    route.starts_with("/health/") || route == "/metrics"
}
