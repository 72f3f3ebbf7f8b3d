//! Everything that is answered: a file for each family of routes.

mod accounts;
mod admin;
mod bookings;
mod events;
mod live;
mod openapi;
mod pages;
mod payments;
mod seats;
mod status;
mod tickets;

use std::sync::Arc;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::openapi::document;
use crate::{compose::App, context, problem::Problem};

/// The routes of the service.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = documented(app.config.http.import_limit.0).split_for_parts();
    let document = openapi::finish(document);
    router
        .merge(openapi::routes(&document))
        .merge(pages::routes(&app))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed(None) })
        .with_state(app)
}

/// Sees work through to its end on a task of its own, though whoever asked for it may hang up.
async fn seen_through<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
{
    let done = context::spawn(work).await.map_err(|error| {
        tracing::error!(%error, "a task failed");
        Problem::internal()
    })?;
    done.map_err(Into::into)
}

fn documented(import_limit: usize) -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::refresh))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::me))
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(events::layout))
        .routes(routes!(seats::states))
        .routes(routes!(seats::availability))
        .routes(routes!(live::follow))
        .routes(routes!(bookings::hold, bookings::list))
        .routes(routes!(bookings::show))
        .routes(routes!(bookings::extend))
        .routes(routes!(bookings::cancel))
        .routes(routes!(bookings::history))
        .routes(routes!(payments::pay))
        .routes(routes!(payments::webhook))
        .routes(routes!(tickets::list))
        .routes(routes!(tickets::pages))
        .routes(routes!(tickets::qr))
        .routes(routes!(tickets::page))
        .routes(routes!(tickets::calendar_file))
        .merge(admin::routes(import_limit))
        .routes(routes!(status::live))
        .routes(routes!(status::ready))
        .routes(routes!(status::startup))
        .routes(routes!(status::metrics))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, TraceId, trace_id};

    #[tokio::test]
    async fn what_is_seen_through_belongs_to_the_trace_of_its_request() {
        let trace = TraceId::from_bits(7);
        let seen = Context::new(trace.unwrap()).scope(seen_through(async { Ok::<_, Problem>(trace_id()) })).await;
        assert!(seen.is_ok_and(|seen| seen == trace));
    }
}
