//! The service on its embedded store, beside what the machine could do at best, in the same window; the disk is that of temporary files:
//!
//! - `holds`: holds of two seats over HTTP, beside batches of 100 put into bare SQLite;
//! - `racers`: 200 customers who want one seat at the same moment;
//! - `states`: the states of 20,000 seats from memory, beside an axum handler that reads and writes a little JSON;
//! - `feed`: 5,000 `WebSocket`s that follow an event of which 500 seats change in a second;
//! - `late`: what each of 1,000 `WebSocket`s takes of memory that come when most seats have changed.
//!
//! All of them, or those that are named. It prints figures; nothing fails for being slow.

mod bare;
mod feed;
#[path = "../shared/mod.rs"]
mod shared;

use std::time::Duration;

use shared::{
    client::{self, Load, Measured},
    evently::Evently,
};

const RUNS: usize = 5;
const HOLDS: u32 = 10_000;
const CONNECTIONS: usize = 64;
const RACERS: u32 = 200;
/// Seats of the hall whose states are asked for, and how often.
const HALL: u32 = 20_000;
const ASKED: usize = 40_000;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let asked_for = |word: &str| named.is_empty() || named.iter().any(|name| name == word);
    let runtime = tokio::runtime::Runtime::new().expect("threads to run on");
    runtime.block_on(async {
        let service = Evently::with([]).await;
        if asked_for("holds") {
            holds(&service).await;
        }
        if asked_for("racers") {
            racers(&service).await;
        }
        if asked_for("states") {
            states(&service).await;
        }
        if asked_for("feed") {
            feed::feed(&service).await;
        }
        if asked_for("late") {
            feed::late(&service).await;
        }
    });
}

async fn holds(service: &Evently) {
    println!("\nholds of two seats, {CONNECTIONS} connections, {RUNS} runs of {HOLDS}, medians (lowest to highest)");
    let (mut over_http, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let load = Load { address: service.address, connections: CONNECTIONS };
        over_http.push(load.run(service.one_event(HOLDS).await).await);
        bare.push(tokio::task::spawn_blocking(bare::sqlite).await.expect("it does not panic"));
    }
    let rate = report("over HTTP", &over_http);
    let (bare, lowest, highest) = median(bare);
    println!("{:28} {bare:8.0}/s   ({lowest:.0} to {highest:.0})", "bare SQLite, batches of 100");
    println!("ratio of medians: {:.2} of bare SQLite", rate / bare);
}

async fn racers(service: &Evently) {
    println!("\n{RACERS} customers want one seat at once, {RUNS} runs");
    let mut last = Vec::new();
    for _ in 0..RUNS {
        let (winner, mut losers) = service.losers(RACERS).await;
        losers.extend(winner);
        let raced = Load { address: service.address, connections: RACERS as usize }.run(losers).await;
        assert_eq!((raced.refused, raced.conflicts), (RACERS as usize - 1, RACERS as usize - 1), "one gets it");
        last.push(millis(raced.took));
    }
    let (median, lowest, highest) = median(last);
    println!("{:28} {median:8.1} ms  ({lowest:.1} to {highest:.1})", "first request to last answer");
}

async fn states(service: &Evently) {
    println!("\nstates of {HALL} seats, compact, {CONNECTIONS} connections, {RUNS} runs of {ASKED}");
    let event = service.event(HALL).await;
    let path = format!("/api/v1/events/{}/seats", event.id);
    let ask = client::get(&path, "accept: application/vnd.evently.seatmap\r\n");
    let plain = bare::axum().await;
    let body = r#"{"event_id":"0198a5e2-0000-7000-8000-000000000000","seats":[1,2]}"#;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let load = |address| Load { address, connections: CONNECTIONS };
        ours.push(load(service.address).run(vec![ask.clone(); ASKED]).await);
        bare.push(load(plain).run(vec![client::post("/", "", body); ASKED]).await);
    }
    let (ours, bare) = (report("seat states", &ours), report("bare axum, JSON in and out", &bare));
    println!("ratio of medians: {:.2} of bare axum", ours / bare);
}

/// The median of the rates.
fn report(name: &str, runs: &[Measured]) -> f64 {
    let (rate, lowest, highest) = median(runs.iter().map(|run| run.rate).collect());
    println!("{name:28} {rate:8.0}/s   ({lowest:.0} to {highest:.0})");
    let refused = runs.iter().map(|run| run.refused).sum::<usize>();
    let (p99, lowest, highest) = median(runs.iter().map(|run| millis(run.p99)).collect());
    println!("{:28} p99 {p99:.1} ms ({lowest:.1} to {highest:.1}), {refused} refused", "");
    rate
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The median, the lowest and the highest.
fn median(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
