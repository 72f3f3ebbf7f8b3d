//! Clock.

use std::sync::Arc;

use evently_core::ports::Clock;

use super::race;

pub async fn time_never_goes_back(clock: Arc<dyn Clock>) {
    let readings = race(move |_| {
        let clock = clock.clone();
        async move { (0..1_000).map(|_| clock.now()).collect::<Vec<_>>() }
    });
    assert!(readings.await.iter().all(|readings| readings.is_sorted()));
}
