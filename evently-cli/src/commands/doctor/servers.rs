//! Redis and RabbitMQ, where the service is to have them.

use std::error::Error;

use evently_http::{
    config::Config,
    messages::{ConnectError, Inspection},
    shared::{self, Health},
};

use super::{Finding, with_cause};

pub async fn look(config: &Config) -> Vec<Finding> {
    let (redis, rabbitmq) = tokio::join!(shared::inspect_redis(config), shared::inspect_rabbitmq(config));
    let redis = redis.map(|(url, found)| of_redis(&url.to_string(), found));
    let rabbitmq = rabbitmq.map(|(url, found)| of_rabbitmq(&url.to_string(), found));
    redis.into_iter().chain(rabbitmq).collect()
}

/// The service starts and sells without it, each instance for itself; whoever has configured it wants more than that.
fn of_redis(url: &str, found: Result<Health, impl Error>) -> Finding {
    const WHAT: &str = "redis";
    let hint = "look at redis.url, and whether the server runs";
    match found {
        Ok(Health { up: true, .. }) => Finding::ok(WHAT, format!("{url} does what is needed")),
        Ok(Health { problem: Some(problem), .. }) => Finding::fail(WHAT, format!("{url}: {}", problem.name()), problem.remedy()),
        Ok(Health { problem: None, .. }) => Finding::fail(WHAT, format!("{url} does not answer"), hint),
        Err(error) => Finding::fail(WHAT, with_cause(&error), hint),
    }
}

fn of_rabbitmq(url: &str, found: Result<Inspection, ConnectError>) -> Finding {
    const WHAT: &str = "rabbitmq";
    match found {
        Ok(Inspection { parked: parked @ 1.., .. }) => {
            let hint = "nobody could act on them; `evently queue list` says why, and `evently queue replay` has it tried anew";
            Finding::warn(WHAT, format!("{parked} parked messages at {url}"), hint)
        }
        Ok(Inspection { missing, .. }) if missing.is_empty() => {
            Finding::ok(WHAT, format!("{url} has the exchange and the queues"))
        }
        Ok(Inspection { missing, .. }) => {
            Finding::ok(WHAT, format!("{url}; the service makes what is missing ({})", missing.join(", ")))
        }
        Err(ConnectError::Unusable(error)) => Finding::fail(WHAT, error.to_string(), "the service does not start with it"),
        Err(ConnectError::Away(error)) => {
            Finding::fail(WHAT, format!("{url}: {}", with_cause(&error)), "look at rabbitmq.url, and whether the server runs")
        }
    }
}
