//! Health and metrics.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{compose::App, database::PgStore, metrics, server::Closing};

/// How long a dependency may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the service is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `degraded`, `unavailable` or `stopping`.
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
}

/// How something is that the service needs.
#[derive(Serialize, ToSchema)]
pub struct Dependency {
    name: &'static str,
    /// `up` or `down`.
    status: &'static str,
    /// How long it took to answer when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
}

impl Dependency {
    fn new(name: &'static str, up: bool, latency: Option<Duration>) -> Self {
        let latency_ms = latency.map(|latency| latency.as_secs_f64() * 1000.0);
        Self { name, status: if up { "up" } else { "down" }, latency_ms }
    }
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "status", responses((status = 200, body = Health)))]
pub async fn live() -> Response {
    const BODY: &str = r#"{"status":"ok"}"#;
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], BODY).into_response()
}

/// The service can do its work. 503 when the store is away, or the service is about to stop; 200 and `degraded` when something is
/// away that it can do without.
#[utoipa::path(get, path = "/health/ready", tag = "status", responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn ready(State(app): State<Arc<App>>, closing: Option<Extension<Closing>>) -> Response {
    if closing.is_some_and(|Extension(closing)| closing.is_near()) {
        return unready(Health { status: "stopping", dependencies: Vec::new() });
    }
    #[expect(clippy::disallowed_methods, reason = "how long an answer takes is measured, never decided by")]
    let asked = Instant::now();
    // A question that no replica answers.
    let answer = tokio::time::timeout(PATIENCE, app.store.figures.position()).await;
    let up = matches!(answer, Ok(Ok(_)));
    let mut dependencies = vec![Dependency::new("store", up, Some(asked.elapsed()))];
    let replica = app.database.as_ref().and_then(PgStore::replica);
    dependencies.extend(replica.map(|replica| Dependency::new("replica", replica.up, None)));
    dependencies.extend(app.shared.redis.as_ref().map(|redis| {
        let health = redis.health();
        Dependency::new("redis", health.up, health.latency)
    }));
    dependencies.extend(app.shared.broker.as_ref().map(|broker| Dependency::new("rabbitmq", broker.state().is_up(), None)));
    match (up, dependencies.iter().all(|dependency| dependency.status == "up")) {
        (true, true) => Json(Health { status: "ok", dependencies }).into_response(),
        (true, false) => Json(Health { status: "degraded", dependencies }).into_response(),
        (false, _) => unready(Health { status: "unavailable", dependencies }),
    }
}

fn unready(health: Health) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Json(health)).into_response()
}

/// The service has started: the store is open and its schema is up to date, or there would be nobody to answer.
#[utoipa::path(get, path = "/health/startup", tag = "status", responses((status = 200, body = Health)))]
pub async fn startup() -> Response {
    live().await
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "status", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    metrics::count_caches(&app.caches.counts());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::metrics_text()).into_response()
}
