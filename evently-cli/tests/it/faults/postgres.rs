//! The server of the store goes down, and another takes its place.

use std::time::Duration;

use evently_testservers::Postgres;
use tokio::time::sleep;

use super::{
    sale::{Sale, Servers},
    soon::lasting,
};
use crate::knobs::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_restarted_killed_and_stands_still_loses_nothing() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let postgres = &servers.postgres;
    for _ in 0..rounds() {
        sale.through(postgres, "restarted PostgreSQL", async |_| postgres.restart().unwrap()).await;
        for _ in 0..2 {
            sale.through(postgres, "killed PostgreSQL", async |_| {
                postgres.kill();
                postgres.restart().unwrap();
            })
            .await;
        }
        sale.through(postgres, "PostgreSQL stood still", async |_| {
            postgres.pause();
            sleep(lasting(Duration::from_secs(4))).await;
            postgres.resume();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_promoted_has_everything_that_was_acknowledged() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let mut primary = servers.postgres;
    for _ in 0..rounds() {
        let replica = primary.replica().unwrap();
        primary.wait_for_replica().unwrap();
        sale.through(&replica, "promoted the replica", async |fleet| {
            lose_sight(&primary, &replica).await;
            replica.promote().unwrap();
            fleet.stop();
            fleet.start_on(&replica.url());
        })
        .await;
        primary = replica;
    }
    sale.ends_well(&primary).await;
}

/// The replica hears nothing for a while, and when it can hear again there is nobody.
async fn lose_sight(primary: &Postgres, replica: &Postgres) {
    replica.pause();
    sleep(Duration::from_millis(500)).await;
    primary.kill();
    replica.resume();
}
