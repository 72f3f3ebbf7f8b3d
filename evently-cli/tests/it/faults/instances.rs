//! Processes of the service that die, one after the other.

use super::{
    fleet::INSTANCES,
    sale::{Sale, Servers},
};
use crate::knobs::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_are_killed_one_after_the_other_lose_nothing() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    for _ in 0..rounds() {
        for instance in 0..INSTANCES {
            sale.through(&servers.postgres, &format!("killed instance {instance}"), async |fleet| {
                fleet.kill(instance);
                fleet.start_again(instance);
            })
            .await;
        }
        sale.through(&servers.postgres, "killed the worker", async |fleet| {
            fleet.kill_worker();
            fleet.start_worker_again();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}
