//! What lies between the service and its servers: connections that break, are slow, stand still, end on one side, or lose a message.

use std::time::Duration;

use evently_testservers::Proxy;
use tokio::time::{Instant, sleep};

use super::{
    fleet::Urls,
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::knobs::rounds;

/// How long something stays broken.
const BROKEN: Duration = Duration::from_secs(4);

/// Waits until it is lost.
async fn lost(proxy: &Proxy, what: &str) {
    until(&format!("{what} is lost"), Instant::now(), async || proxy.has_lost_it()).await;
}

/// What every connection has to stand.
async fn stands(sale: &mut Sale, servers: &Servers, proxy: &Proxy, whose: &str) {
    let postgres = &servers.postgres;
    sale.through(postgres, &format!("cut off {whose}, three times"), async |_| {
        for _ in 0..3 {
            proxy.cut();
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
    sale.through(postgres, &format!("half closed to {whose}"), async |_| proxy.half_close()).await;
    sale.through(postgres, &format!("each answer of {whose} 5 s late"), async |_| {
        proxy.delay(Duration::from_secs(5));
        // Some have to come through.
        sleep(lasting(BROKEN * 3 / 2)).await;
        proxy.open();
    })
    .await;
    sale.through(postgres, &format!("nothing gets to {whose}"), async |_| {
        proxy.hold();
        sleep(lasting(BROKEN)).await;
        proxy.open();
    })
    .await;
    sale.through(postgres, &format!("nothing comes from {whose}"), async |_| {
        proxy.swallow_answers();
        sleep(lasting(BROKEN)).await;
        proxy.cut();
        proxy.open();
    })
    .await;
    sale.through(postgres, &format!("connections to {whose} are forgotten on the way"), async |_| proxy.strand()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_postgres_break_in_every_way_and_nothing_is_lost_or_doubled() {
    let servers = Servers::start();
    let proxy = Proxy::before(&servers.postgres.url()).unwrap();
    let mut sale = Sale::open(&Urls { store: proxy.url(), ..servers.urls() }).await;
    for _ in 0..rounds() {
        for _ in 0..2 {
            sale.through(&servers.postgres, "lost the answer to a commit", async |_| {
                proxy.lose_answer_to_commit();
                lost(&proxy, "the answer to a commit").await;
            })
            .await;
            sale.through(&servers.postgres, "cut before a commit got there", async |_| {
                proxy.lose_commit();
                lost(&proxy, "a commit").await;
            })
            .await;
        }
        stands(&mut sale, &servers, &proxy, "PostgreSQL").await;
    }
    sale.ends_well(&servers.postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_redis_break_in_every_way_and_nobody_misses_it() {
    let servers = Servers::start();
    let proxy = Proxy::before(&servers.redis.url()).unwrap();
    let mut sale = Sale::open(&Urls { redis: proxy.url(), ..servers.urls() }).await;
    for _ in 0..rounds() {
        stands(&mut sale, &servers, &proxy, "Redis").await;
    }
    sale.ends_well(&servers.postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_rabbitmq_break_in_every_way_and_every_mail_is_sent() {
    let servers = Servers::start();
    let proxy = Proxy::before(&servers.rabbitmq.url()).unwrap();
    let mut sale = Sale::open(&Urls { rabbitmq: proxy.url(), ..servers.urls() }).await;
    for _ in 0..rounds() {
        stands(&mut sale, &servers, &proxy, "RabbitMQ").await;
        sale.through(&servers.postgres, "a confirmation of RabbitMQ is lost, and nothing else", async |_| {
            proxy.lose_confirm();
            lost(&proxy, "a confirmation").await;
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}
