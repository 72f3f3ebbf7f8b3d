//! Machines whose clocks are wrong: processes that see another time than their neighbours and the store, by `libfaketime`.

use std::{path::PathBuf, time::Duration};

use evently_cli::http1::Request;
use tokio::time::{Instant, sleep};

use super::{
    fleet::{Fleet, INSTANCES},
    sale::{Sale, Servers},
    shop::Front,
    soon::{lasting, until},
};
use crate::knobs::rounds;

const DAY: i64 = 24 * 60 * 60;

/// What a process gets to see another time: as `FAKETIME` says, on the clock of the wall. What counts on since the machine was started
/// goes right, as it does on a machine whose clock has been set wrong.
fn clock(time: &str) -> [(&'static str, &str); 3] {
    [("LD_PRELOAD", faketime()), ("FAKETIME", time), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
}

/// Where the library is.
fn faketime() -> &'static str {
    static FOUND: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    FOUND.get_or_init(|| {
        let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
        let mut places = folders.chain([PathBuf::from("/usr/lib")]).map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
        let found = places.find(|place| place.exists()).expect("there is no libfaketime, which is in the package faketime");
        found.display().to_string()
    })
}

/// By how many seconds the wall clock of an instance is ahead of that of the first, as its answers say.
async fn ahead(fleet: &Fleet, instance: usize) -> i64 {
    let (first, other) = (time_of_day(fleet, 0).await, time_of_day(fleet, instance).await);
    (other - first + DAY / 2).rem_euclid(DAY) - DAY / 2
}

async fn time_of_day(fleet: &Fleet, instance: usize) -> i64 {
    let answer = fleet.connection(instance).send(&Request::get("/health/live")).await.unwrap();
    // Such as `Mon, 30 Nov 2026 09:44:03 GMT`.
    let date = answer.header("date").expect("answers are dated");
    let time = date.split(' ').nth(4).unwrap().split(':').map(|part| part.parse::<i64>().unwrap());
    time.fold(0, |time, part| time * 60 + part)
}

/// Starts an instance anew on a machine with this clock.
fn set(fleet: &mut Fleet, instance: usize, time: &str) {
    fleet.kill(instance);
    fleet.start_again_with(instance, &clock(time));
}

fn set_worker(fleet: &mut Fleet, time: &str) {
    fleet.kill_worker();
    fleet.start_worker_again_with(&clock(time));
}

/// For longer than a hold lasts.
async fn all_sell(front: &Front, began: Instant) {
    until("all sell", began, async || front.all_serve(began)).await;
    sleep(lasting(Duration::from_secs(3))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_a_wrong_clock_sells_as_the_others_do() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let (postgres, front) = (&servers.postgres, sale.front.clone());
    for _ in 0..rounds() {
        sale.through_all(
            postgres,
            "instance 1 was ten minutes ahead, instance 2 too fast, the worker behind",
            3,
            async |fleet| {
                set(fleet, 1, "+600s");
                set(fleet, 2, "+0 x1.5");
                set_worker(fleet, "-600s");
                let began = Instant::now();
                until("one clock is ahead", began, async || (590..=610).contains(&ahead(fleet, 1).await)).await;
                until("one clock goes too fast", began, async || ahead(fleet, 2).await > 2).await;
                all_sell(&front, began).await;
            },
        )
        .await;
        sale.through_all(postgres, "instance 1 was ten minutes behind, the worker ahead", 2, async |fleet| {
            set(fleet, 1, "-600s");
            set_worker(fleet, "+600s");
            let began = Instant::now();
            until("one clock is behind", began, async || (-610..=-590).contains(&ahead(fleet, 1).await)).await;
            all_sell(&front, began).await;
        })
        .await;
        // Whoever is let in by one is known to all.
        for instance in 0..INSTANCES {
            let token = sale.fleet.service(instance).log_in("customer0@example.org").await;
            for other in 0..INSTANCES {
                let mine = sale.fleet.connection(other).send(&Request::get("/api/v1/bookings").by(&token)).await.unwrap();
                assert_eq!(mine.status, 200, "let in by instance {instance}, and not known to {other}");
            }
        }
    }
    sale.ends_well(postgres).await;
}
