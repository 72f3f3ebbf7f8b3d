//! How often memory is allocated for a request, and how much: the whole process, with its share of the load generator, which is counted by itself
//! as well. It has a program of its own because counting takes time. Medians of [`RUNS`]; other threads' work is in it.

#[path = "../shared/mod.rs"]
#[expect(dead_code, reason = "the other benches measure times")]
mod shared;

use std::{alloc::System, net::SocketAddr};

use axum::{Router, routing::post};
use evently_testservers::{Postgres, Redis};
use shared::{
    client::{self, Load},
    evently::{Evently, SEATS},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

const RUNS: usize = 5;
const HOLDS: u32 = 10_000;
const CONNECTIONS: usize = 64;

/// Not the program's, but it is asked as often and for as much.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads to run on");
    let server = Postgres::options().durable(true).start().expect("a private PostgreSQL");
    let redis = Redis::start().expect("a private Redis");
    println!(
        "{CONNECTIONS} connections, {RUNS} runs of {HOLDS}; allocations and bytes of each request, medians (lowest to highest)"
    );
    runtime.block_on(async {
        let plain = plain().await;
        count("axum that answers nothing", plain, async || vec![client::post("/", "", "{}"); HOLDS as usize]).await;
        let embedded = Evently::with([]).await;
        measure("embedded store", &embedded).await;
        let url = server.create_database("service").expect("a database");
        measure("PostgreSQL and Redis", &Evently::with([("store.url", &*url), ("redis.url", &*redis.url())]).await).await;
    });
}

async fn measure(on: &str, service: &Evently) {
    count(&format!("hold, {on}"), service.address, async || service.one_event(HOLDS).await).await;
    count(&format!("refused hold, {on}"), service.address, async || {
        let (winner, losers) = service.losers(HOLDS).await;
        Load { address: service.address, connections: 1 }.run(winner).await;
        losers
    })
    .await;
    let event = service.event(SEATS).await;
    let path = format!("/api/v1/events/{}/seats", event.id);
    let ask = client::get(&path, "accept: application/vnd.evently.seatmap\r\n");
    count(&format!("states of {SEATS} seats, {on}"), service.address, async || vec![ask.clone(); HOLDS as usize]).await;
}

async fn count(what: &str, address: SocketAddr, requests: impl AsyncFn() -> Vec<String>) {
    let (mut allocations, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let requests = requests().await;
        let many = requests.len();
        let each = |sum: usize| per_request(sum, many);
        let region = Region::new(ALLOCATOR);
        Load { address, connections: CONNECTIONS }.run(requests).await;
        let used = region.change();
        allocations.push(each(used.allocations + used.reallocations));
        bytes.push(each(used.bytes_allocated));
    }
    let [allocations, bytes] = [allocations, bytes].map(|mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        (figures[RUNS / 2], figures[0], figures[RUNS - 1])
    });
    println!(
        "{what:36} {:6.1} ({:.1} to {:.1}), {:7.0} bytes ({:.0} to {:.0})",
        allocations.0, allocations.1, allocations.2, bytes.0, bytes.1, bytes.2
    );
}

#[expect(clippy::cast_precision_loss, reason = "the sums are far from 2^52")]
fn per_request(sum: usize, requests: usize) -> f64 {
    sum as f64 / requests as f64
}

/// What the load generator and HTTP take.
async fn plain() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let router = Router::new().route("/", post(async |_: String| "{}"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
