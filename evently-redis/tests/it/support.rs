//! What tests have in common.

use std::time::Duration;

use evently_redis::{Options, Redis};
use evently_testservers::{fresh_namespace, shared_redis};

/// How long something may take on a machine that is busy with many tests.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Patient with a busy machine, and looks often.
pub fn options(url: &str) -> Options {
    Options {
        namespace: fresh_namespace(),
        timeout: Duration::from_secs(2),
        probe: Duration::from_millis(20),
        ..Options::new(url)
    }
}

/// A connection that is up.
pub async fn connected(options: &Options) -> Redis {
    let redis = Redis::open(options).unwrap();
    assert!(redis.wait_until_up(true, PATIENCE).await, "{:?}", redis.health());
    redis
}

/// A connection to the shared server, in a namespace of its own.
pub async fn shared() -> Redis {
    connected(&options(shared_redis().unwrap())).await
}
