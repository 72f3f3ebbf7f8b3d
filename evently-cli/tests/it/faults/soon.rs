//! Waiting for what has to come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::knobs::knob;

/// How long a house may take to recover by itself. It is usually there in seconds; what somebody who was killed had claimed waits for
/// half a minute, and a machine that runs many tests may need more.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until the condition holds; how long that took since then.
pub async fn until(what: &str, since: Instant, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    until_nothing(what, since, async || (!holds().await).then(String::new)).await
}

/// Waits until there is nothing of which it is said what it is; how long that took since then.
pub async fn until_nothing(what: &str, since: Instant, mut left: impl AsyncFnMut() -> Option<String>) -> Duration {
    let mut last = String::new();
    let waiting = async {
        while let Some(left) = left().await {
            last = left;
            // Looking costs the machine something, too.
            sleep(Duration::from_millis(50)).await;
        }
    };
    let ended = timeout(PATIENCE, waiting).await;
    assert!(ended.is_ok(), "{what}: not within {PATIENCE:?} {last}");
    since.elapsed()
}

/// How long something lasts that is `short` unless somebody has the time.
pub fn lasting(short: Duration) -> Duration {
    Duration::from_secs(knob("EVENTLY_FAULTS_SECONDS", 0)).max(short)
}
