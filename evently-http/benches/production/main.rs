//! Holds of two seats over HTTP on PostgreSQL, beside what one would write first and beside the bare server, in the same window:
//!
//! - this service: authenticated, with idempotency keys, durable, journal and all;
//! - a plain service (`plain.rs`): axum and sqlx, one SERIALIZABLE transaction for each request, nobody asked who they are;
//! - `pgbench`: the same transaction without any HTTP.
//!
//! All share one private server with `fsync` on, one event of [`SEATS`] seats each, and the machine with the load generator. It
//! prints figures; nothing fails for being slow. Numbers are taken as connections; `alone` leaves the others out, for a profiler.

mod client;
mod cpu;
mod evently;
mod pgbench;
mod plain;

use std::{sync::LazyLock, time::Duration};

use evently_core::ports::{Clock, Ids};
use evently_http::{clock::SystemClock, ids::SystemIds};
use evently_testservers::Postgres;
use uuid::Uuid;

use crate::{
    client::{Load, Measured},
    cpu::Used,
};

/// Of the event that everybody wants.
const SEATS: u32 = 60_000;
/// Holds in one run.
const HOLDS: u32 = 10_000;
const RUNS: usize = 5;

/// What the server has spent most time on.
const DEAREST: &str = "select round(total_exec_time) as ms, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 110) \
    from pg_stat_statements order by total_exec_time desc limit 25";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let connections: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let connections = if connections.is_empty() { vec![64, 256] } else { connections };
    let alone = arguments.iter().any(|argument| argument == "alone");
    let runtime = tokio::runtime::Runtime::new().expect("threads to run on");
    let mut server = Postgres::options().durable(true).set("max_wal_size", "4GB").set("shared_buffers", "512MB");
    if alone {
        server = server.set("shared_preload_libraries", "pg_stat_statements");
    }
    let server = server.start().expect("a private PostgreSQL");
    runtime.block_on(run(&server, &connections, alone));
}

async fn run(server: &Postgres, connections: &[usize], alone: bool) {
    let plain = plain::Plain::start(&server.create_database("plain").expect("a database")).await;
    if alone {
        server.query("evently", &["create extension pg_stat_statements"]).expect("it comes with the server");
    }
    let ours = evently::Evently::start(&server.create_database("service").expect("a database")).await;
    let holds = if alone { SEATS / 2 } else { HOLDS };
    for &connections in connections {
        println!("\n{connections} connections, {RUNS} runs of {holds} holds, medians (lowest to highest)");
        let (mut with_us, mut used, mut with_plain, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let requests = ours.requests(holds).await;
            let before = Used::so_far(server.socket_folder());
            with_us.push(Load { address: ours.address, connections }.run(requests).await);
            used.push(Used::so_far(server.socket_folder()).since(before).for_each(holds));
            if alone {
                continue;
            }
            with_plain.push(Load { address: plain.address, connections }.run(plain.requests(HOLDS).await).await);
            bare.push(pgbench::run(plain.url(), connections, Duration::from_secs(3)));
        }
        let us = report("this service", &with_us);
        report_cpu(&used);
        if alone {
            println!("{}", server.query("evently", &[DEAREST]).expect("the extension is there"));
            continue;
        }
        let plain = report("plain axum + sqlx", &with_plain);
        let bare = figures("pgbench, one transaction each", &mut bare);
        println!("ratios of medians: {:.1} of the plain service, {:.1} of pgbench", us / plain, us / bare);
    }
}

/// An id as the service makes them, in the order of time.
fn new_id() -> Uuid {
    static MADE: LazyLock<(SystemIds, SystemClock)> = LazyLock::new(|| (SystemIds::new(), SystemClock::new()));
    MADE.0.uuid(MADE.1.now())
}

/// The median of the rates.
fn report(name: &str, runs: &[Measured]) -> f64 {
    let mut slowest = runs.iter().map(|run| run.p99.as_secs_f64() * 1000.0).collect::<Vec<_>>();
    slowest.sort_by(f64::total_cmp);
    let median = figures(name, &mut runs.iter().map(|run| run.rate).collect::<Vec<_>>());
    let refused = runs.iter().map(|run| run.refused).sum::<usize>();
    println!("{:32} p99 {:.0} ms ({:.0} to {:.0}), {refused} refused", "", slowest[RUNS / 2], slowest[0], slowest[RUNS - 1]);
    median
}

/// Microseconds on a core for each hold.
fn report_cpu(runs: &[Used]) {
    let median = |of: fn(&Used) -> f64| {
        let mut all = runs.iter().map(of).collect::<Vec<_>>();
        all.sort_by(f64::total_cmp);
        all[RUNS / 2] * 1e6
    };
    let (ours, servers) = (median(|used| used.ours), median(|used| used.servers));
    println!("{:32} a hold takes {ours:.0} us of this process with its load generator, {servers:.0} us of the server", "");
}

fn figures(name: &str, rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    println!("{name:32} {:7.0} holds/s   ({:.0} to {:.0})", rates[RUNS / 2], rates[0], rates[RUNS - 1]);
    rates[RUNS / 2]
}
