//! Waiting for what has to come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::knobs::knob;

/// How long a house may take to recover by itself. It is usually there in seconds; what somebody who was killed had claimed waits for
/// half a minute, and a machine that runs many tests may need more.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until the condition holds; how long that took since then.
pub async fn until(what: &str, since: Instant, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let waiting = async {
        while !holds().await {
            // Looking costs the machine something, too.
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
    since.elapsed()
}

/// How long something lasts that is `short` unless somebody has the time.
pub fn lasting(short: Duration) -> Duration {
    Duration::from_secs(knob("EVENTLY_FAULTS_SECONDS", 0)).max(short)
}
