//! Processes that stand still in the middle of what they do, longer than others wait for them, and go on as if nothing had happened.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    fleet::INSTANCES,
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::knobs::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_holds_nobody_up_and_does_nothing_twice_afterwards() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let front = sale.front.clone();
    for round in 0..rounds() {
        let paused = usize::try_from(round).unwrap() % INSTANCES;
        sale.through(&servers.postgres, &format!("instance {paused} stood still"), async |fleet| {
            fleet.service(paused).process.pause();
            let began = Instant::now();
            for other in (0..INSTANCES).filter(|other| *other != paused) {
                until("the others sell on", began, async || front.serves(other, began)).await;
            }
            sleep(lasting(Duration::from_secs(4))).await;
            fleet.service(paused).process.resume();
        })
        .await;
        sale.through(&servers.postgres, "the worker stood still", async |fleet| {
            fleet.worker().pause();
            sleep(lasting(Duration::from_secs(4))).await;
            fleet.worker().resume();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}
