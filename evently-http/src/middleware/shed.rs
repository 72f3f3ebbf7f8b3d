//! Too much at once is answered at once.

use axum::extract::{MatchedPath, Request};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};

/// Room for so many requests at a time. A live feed takes up none once it has begun.
pub(super) struct Room(Semaphore);

impl Room {
    pub(super) fn new(requests_max: usize) -> Self {
        Self(Semaphore::new(requests_max))
    }

    /// A place until it is dropped, which whoever watches over the service does not need.
    pub(super) fn place(&self, request: &Request) -> Result<Option<SemaphorePermit<'_>>, TryAcquireError> {
        if is_watched(request) { Ok(None) } else { self.0.try_acquire().map(Some) }
    }
}

/// Whoever watches over the service must get an answer above all when it is busy.
fn is_watched(request: &Request) -> bool {
    let route = request.extensions().get().map_or("", MatchedPath::as_str);
    route.starts_with("/health/") || route == "/metrics"
}
