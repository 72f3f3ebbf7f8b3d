//! Processes that stand still in the middle of what they do, longer than others wait for them, and go on as if nothing had happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evently_testservers::Proxy;
use tokio::time::{Instant, sleep};

use super::{
    fleet::{INSTANCES, Urls},
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::knobs::rounds;

/// How late PostgreSQL answers, so that there is time between what is done and its being written down. Holds can still be paid.
const LATE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_holds_nobody_up_and_does_nothing_twice_afterwards() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let front = sale.front.clone();
    for round in 0..rounds() {
        let paused = usize::try_from(round).unwrap() % INSTANCES;
        sale.through(&servers.postgres, &format!("instance {paused} stood still"), async |fleet| {
            fleet.pause(paused);
            let began = Instant::now();
            for other in (0..INSTANCES).filter(|other| *other != paused) {
                until("the others sell on", began, async || front.serves(other, began)).await;
            }
            sleep(lasting(Duration::from_secs(4))).await;
            fleet.resume(paused);
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

/// Whoever has charged a card stands still before it can be written down, until the payment is given up and its customer has been told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_of_a_payment_that_was_given_up_meanwhile_buys_its_booking_or_goes_back() {
    let servers = Servers::start();
    let postgres = &servers.postgres;
    let to_postgres = Proxy::before(&postgres.url()).unwrap();
    let mut sale = Sale::open(&Urls { store: to_postgres.url(), ..servers.urls() }).await;
    let (front, paused) = (sale.front.clone(), 0);
    let payments = |which: &str| -> BTreeSet<String> {
        let ids = postgres.query("evently", &[&format!("select id from payments where {which}")]).unwrap();
        ids.lines().map(str::to_owned).collect()
    };
    for _ in 0..rounds() {
        let mut given_up = BTreeSet::new();
        sale.through(postgres, "a payment was given up whose card had been charged", async |fleet| {
            (1..INSTANCES).for_each(|other| fleet.kill(other));
            to_postgres.delay(LATE);
            let mut begun = BTreeMap::new();
            until("a card is charged and it is not written down", Instant::now(), async || {
                let open = payments("status = 'processing'");
                begun.retain(|id, _| open.contains(id));
                for id in open {
                    begun.entry(id).or_insert_with(Instant::now);
                }
                let charged = begun.iter().filter(|(_, since)| since.elapsed() > LATE).map(|(id, _)| id.clone());
                let charged = charged.collect::<BTreeSet<_>>();
                if charged.is_empty() {
                    return false;
                }
                fleet.pause(paused);
                // What PostgreSQL had been told before is done.
                sleep(LATE * 2).await;
                let written_down = charged.is_disjoint(&payments("status = 'processing'"));
                if written_down {
                    fleet.resume(paused);
                }
                !written_down
            })
            .await;
            to_postgres.open();
            let began = Instant::now();
            until("what is not decided is given up", began, async || payments("status = 'processing'").is_empty()).await;
            given_up = payments("detail = 'no_answer'");
            (1..INSTANCES).for_each(|other| fleet.start_again(other));
            until("the others sell on", began, async || (1..INSTANCES).all(|other| front.serves(other, began))).await;
            fleet.resume(paused);
        })
        .await;
        // It does not come where PostgreSQL has ended what the instance had begun. A gateway would know of it.
        let came = given_up.intersection(&payments("status = 'succeeded'")).count();
        eprintln!("{} payments were given up, and of {came} the money came", given_up.len());
    }
    sale.ends_well(postgres).await;
}
