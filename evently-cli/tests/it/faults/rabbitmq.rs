//! Nobody carries what has happened for a while.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::knobs::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rabbitmq_is_away_the_sale_goes_on_and_the_mails_follow() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let (rabbitmq, front) = (&servers.rabbitmq, sale.front.clone());
    for _ in 0..rounds() {
        sale.through(&servers.postgres, "killed RabbitMQ", async |_| {
            rabbitmq.kill();
            let began = Instant::now();
            until("all sell without RabbitMQ", began, async || front.all_serve(began)).await;
            sleep(lasting(Duration::from_secs(2))).await;
            rabbitmq.restart().unwrap();
        })
        .await;
        sale.through(&servers.postgres, "RabbitMQ stood still", async |_| {
            rabbitmq.pause();
            let began = Instant::now();
            until("all sell without RabbitMQ", began, async || front.all_serve(began)).await;
            sleep(lasting(Duration::from_secs(4))).await;
            rabbitmq.resume();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}
