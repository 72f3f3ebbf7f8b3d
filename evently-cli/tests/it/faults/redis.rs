//! What the instances share is lost: all of it, or the latest of it.

use std::time::Duration;

use evently_testservers::RedisSentinels;
use tokio::time::{Instant, sleep};

use super::{
    fleet::{INSTANCES, Urls},
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::knobs::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_sale_goes_on_and_nothing_in_it_is_missed() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let (postgres, redis, front) = (&servers.postgres, &servers.redis, sale.front.clone());
    for _ in 0..rounds() {
        sale.through(postgres, "killed Redis", async |_| {
            redis.kill();
            let began = Instant::now();
            until("all sell without Redis", began, async || front.all_serve(began)).await;
            sleep(lasting(Duration::from_secs(1))).await;
            redis.restart().unwrap();
        })
        .await;
        sale.through(postgres, "emptied Redis", async |_| redis.flush().unwrap()).await;
        sale.through(postgres, "restarted Redis, empty", async |_| redis.restart().unwrap()).await;
        sale.through(postgres, "Redis stood still", async |_| {
            redis.pause();
            let began = Instant::now();
            until("all sell without Redis", began, async || front.all_serve(began)).await;
            sleep(lasting(Duration::from_secs(2))).await;
            redis.resume();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_of_redis_in_which_locks_are_lost_sells_nothing_twice() {
    let servers = Servers::start();
    let redis = RedisSentinels::start().unwrap();
    let mut sale = Sale::open(&Urls { redis: redis.url(), ..servers.urls() }).await;
    for _ in 0..rounds() {
        sale.through(&servers.postgres, "failed over Redis", async |_| {
            let killed = redis.master().unwrap();
            redis.fail_over().unwrap();
            killed.restart().unwrap();
        })
        .await;
        // It does not know yet that it is none any more, and goes on giving out locks.
        sale.through(&servers.postgres, "the master of Redis stood still and came back", async |fleet| {
            let paused = redis.master().unwrap();
            paused.pause();
            let began = Instant::now();
            until("another master is there", began, async || redis.master().is_ok_and(|now| now.port() != paused.port())).await;
            paused.resume();
            for instance in 0..INSTANCES {
                until("everybody finds it", began, async || fleet.is_well(instance).await).await;
            }
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}
