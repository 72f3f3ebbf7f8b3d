//! Figures for whoever watches over the service, in the text that Prometheus reads.

use std::{sync::OnceLock, time::Duration};

use evently_core::cache::CacheCounts;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// From a millisecond to ten seconds: the upper ends, in seconds, of the classes that durations are counted in.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to collect. Only the first call in a process does anything; where somebody else collects already, they go on and
/// [`metrics_text`] stays empty.
pub fn install() {
    handle();
}

/// All figures as they are now. Its media type is [`CONTENT_TYPE`].
pub fn metrics_text() -> String {
    handle().render()
}

/// Takes over what the caches have counted.
pub fn count_caches(counts: &[CacheCounts]) {
    for CacheCounts { cache, level, hits, misses, loads, unreadable } in counts.iter().copied() {
        for (outcome, count) in [("hit", hits), ("miss", misses)] {
            metrics::counter!("cache_requests_total", "cache" => cache, "level" => level, "outcome" => outcome).absolute(count);
        }
        metrics::counter!("cache_loads_total", "cache" => cache, "level" => level).absolute(loads);
        metrics::counter!("cache_unreadable_total", "cache" => cache, "level" => level).absolute(unreadable);
    }
}

/// The media type of [`metrics_text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sums up what was collected, every few seconds for ever, so that it takes no memory where nobody reads it.
pub async fn keep_up() {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        handle().run_upkeep();
    }
}

fn handle() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
        let recorder = builder.expect("the classes are in order").build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::debug!("figures are collected by somebody else");
        }
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!("api_requests_total", "Requests that were answered, by method, route and status.");
    metrics::describe_histogram!("api_request_duration_seconds", "How long the answers took, in seconds.");
    metrics::describe_gauge!(
        "evently_invariant_violations",
        "Things in the store that must never be, as of the last audit (`workers.audit`)."
    );
    metrics::describe_gauge!("active_bookings_total", "Bookings that are pending.");
    metrics::describe_counter!(
        "cache_requests_total",
        "How often a cache was asked, by what is cached, where, and whether it was there."
    );
    metrics::describe_counter!(
        "cache_loads_total",
        "What had to be got from behind a cache, once for all who asked at the same time."
    );
    metrics::describe_counter!(
        "cache_unreadable_total",
        "Cached values that were none of ours: garbage, forged, or of another version."
    );
    metrics::describe_gauge!("http_connections", "Connections that are open.");
    metrics::describe_counter!("http_connections_refused_total", "Connections for which there was no room.");
    metrics::describe_gauge!(
        "evently_outbox_waiting",
        "Entries of the journal that wait to be handed on to those who act on them."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_in_classes() {
        install();
        install();
        metrics::histogram!("test_duration_seconds", "route" => "/").record(0.003);
        let text = metrics_text();
        assert!(text.contains(r#"test_duration_seconds_bucket{route="/",le="0.005"} 1"#), "{text}");
        assert!(text.contains(r#"test_duration_seconds_bucket{route="/",le="0.0025"} 0"#), "{text}");
    }
}
