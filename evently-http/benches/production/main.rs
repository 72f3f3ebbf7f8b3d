//! Holds of two seats over HTTP on PostgreSQL, beside what one would write first and beside the bare server, in the same window:
//!
//! - this service: authenticated, with idempotency keys, counted rates, seat locks in Redis, durable, journal and all;
//! - a plain service (`plain.rs`): axum and sqlx, one SERIALIZABLE transaction for each request, nobody asked who they are;
//! - `pgbench`: the same transaction without any HTTP, and a hundred of them in one, set by set.
//!
//! All share one private server with `fsync` on, one event of [`SEATS`] seats each, and the machine with the load generator. It
//! prints figures; nothing fails for being slow. Numbers are taken as connections; `alone` leaves the others out, for a profiler;
//! `crowds` compares the crowd of one event with one at a thousand, with those who come too late, and with Redis away; `rush` sends
//! [`RUSH`] customers at once to ten thousand seats; `drain` sells for a minute without RabbitMQ, and then looks how fast it is told.

mod cpu;
mod crowd;
mod pgbench;
mod plain;
#[path = "../shared/mod.rs"]
mod shared;

use std::time::{Duration, Instant};

use evently_testservers::{Postgres, RabbitMq, Redis};
use tokio::time::sleep;

use cpu::Used;
use shared::{
    client::{Load, Measured, per_second},
    evently::{Evently, SEATS},
};

/// Holds in one run.
const HOLDS: u32 = 10_000;
const RUNS: usize = 5;
/// How long `pgbench` runs.
const BARE: Duration = Duration::from_secs(3);
/// Connections of the other crowds.
const CROWD: usize = 64;
/// How long RabbitMQ is away.
const AWAY: Duration = Duration::from_mins(1);
/// Who comes at once, on how many connections, and for how many seats.
const RUSH: u32 = 100_000;
const RUSH_CONNECTIONS: usize = 1_000;
const RUSH_SEATS: u32 = 10_000;
/// How often: to make their accounts takes much longer than the sale.
const RUSHES: usize = 3;
/// Events that are on sale at once.
const EVENTS: u32 = 1_000;

/// What the server has spent most time on.
const DEAREST: &str = "select round(total_exec_time) as ms, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 110) \
    from pg_stat_statements order by total_exec_time desc limit 25";

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let connections: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let connections = if connections.is_empty() { vec![64, 256] } else { connections };
    let asked_for = |word: &str| arguments.iter().any(|argument| argument == word);
    let runtime = tokio::runtime::Runtime::new().expect("threads to run on");
    let server = Postgres::options().durable(true).set("max_wal_size", "4GB").set("shared_buffers", "512MB");
    let server = server.set("shared_preload_libraries", "pg_stat_statements").start().expect("a private PostgreSQL");
    if asked_for("crowds") {
        runtime.block_on(crowds(&server));
    } else if asked_for("rush") {
        runtime.block_on(rush(&server));
    } else if asked_for("drain") {
        runtime.block_on(drain(&server));
    } else {
        runtime.block_on(run(&server, &connections, asked_for("alone")));
    }
}

async fn run(server: &Postgres, connections: &[usize], alone: bool) {
    let database = |name| server.create_database(name).expect("a database");
    let redis = Redis::start().expect("a private Redis");
    let servers = [server.socket_folder(), redis.log().parent().expect("a folder")];
    let plain = plain::Plain::start(&database("plain")).await;
    server.query("evently", &["create extension pg_stat_statements"]).expect("it comes with the server");
    let ours = Evently::start(&database("service"), &redis.url(), None).await;
    let holds = if alone { SEATS / 2 } else { HOLDS };
    for &connections in connections {
        println!("\n{connections} connections, {RUNS} runs of {holds} holds, medians (lowest to highest)");
        let (mut with_us, mut used, mut with_plain) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bare, mut batches) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let requests = ours.one_event(holds).await;
            let before = Used::so_far(&servers);
            with_us.push(Load { address: ours.address, connections }.run(requests).await);
            used.push(Used::so_far(&servers).since(before).for_each(holds));
            if alone {
                continue;
            }
            with_plain.push(Load { address: plain.address, connections }.run(plain.requests(HOLDS).await).await);
            bare.push(pgbench::run(plain.url(), pgbench::EACH, connections, BARE));
            // More of them at a time are only in each other's way.
            batches.push(100.0 * pgbench::run(plain.url(), pgbench::HUNDRED, 2, BARE));
        }
        let us = report("this service", &with_us);
        report_cpu(&used);
        if alone {
            println!("{}", server.query("evently", &[DEAREST]).expect("the extension is there"));
            continue;
        }
        let plain = report("plain axum + sqlx", &with_plain);
        let bare = figures("pgbench, one transaction each", &mut bare);
        let batches = figures("pgbench, batches of 100", &mut batches);
        let [of_plain, of_bare, of_batches] = [plain, bare, batches].map(|other| us / other);
        println!(
            "ratios of medians: {of_plain:.2} of the plain service, {of_bare:.2} of pgbench, {of_batches:.2} of its batches"
        );
    }
}

/// Other crowds than that of one event, and a Redis that is away.
async fn crowds(server: &Postgres) {
    let database = |name| server.create_database(name).expect("a database");
    let (redis, gone) = (Redis::start().expect("a private Redis"), Redis::start().expect("another"));
    server.query("evently", &["create extension pg_stat_statements"]).expect("it comes with the server");
    let ours = Evently::start(&database("service"), &redis.url(), None).await;
    let bereft = Evently::start(&database("bereft"), &gone.url(), None).await;
    gone.kill();
    println!("\n{CROWD} connections, {RUNS} runs each in turn of {HOLDS} holds, medians (lowest to highest)");
    let (mut one, mut many, mut without, mut lost, mut asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0);
    let crowd = |service: &Evently| Load { address: service.address, connections: CROWD };
    for _ in 0..RUNS {
        one.push(crowd(&ours).run(ours.one_event(HOLDS).await).await);
        many.push(crowd(&ours).run(ours.many_events(EVENTS, HOLDS).await).await);
        without.push(crowd(&bereft).run(bereft.one_event(HOLDS).await).await);
        let (winner, losers) = ours.losers(HOLDS).await;
        crowd(&ours).run(winner).await;
        let before = batches(server);
        let refused = crowd(&ours).run(losers).await;
        lost.push(per_second(refused.conflicts, refused.took));
        asked += batches(server) - before;
    }
    let one = report("one event", &one);
    let many = report(&format!("{EVENTS} events"), &many);
    let without = report("one event, Redis is away", &without);
    figures("who wants what is on hold (409)", &mut lost);
    println!("{:32} {asked} batches of all of these reached the server", "");
    println!("ratios of medians: {EVENTS} events {:.2} of one, without Redis {:.2} of with it", many / one, without / one);
}

/// Many more than there are seats come at once, each for one seat.
async fn rush(server: &Postgres) {
    let redis = Redis::start().expect("a private Redis");
    let url = server.create_database("service").expect("a database");
    let ours = Evently::start(&url, &redis.url(), None).await;
    println!("\n{RUSH} customers on {RUSH_CONNECTIONS} connections want one of {RUSH_SEATS} seats each, {RUSHES} runs");
    let mut took = Vec::new();
    for _ in 0..RUSHES {
        let requests = ours.rush(RUSH_SEATS, RUSH / RUSH_SEATS).await;
        let rushed = Load { address: ours.address, connections: RUSH_CONNECTIONS }.run(requests).await;
        let sold = RUSH as usize - rushed.refused;
        println!("{sold} sold, {} told 409 in {:.2?}; p99 {:.0?}", rushed.conflicts, rushed.took, rushed.p99);
        assert_eq!((sold, rushed.conflicts), (RUSH_SEATS as usize, (RUSH - RUSH_SEATS) as usize), "each seat is sold, and once");
        took.push(rushed.took);
    }
    took.sort_unstable();
    println!("median {:.2?} ({:.2?} to {:.2?})", took[RUSHES / 2], took[0], took[RUSHES - 1]);
}

/// How fast what has piled up while RabbitMQ was away is handed on.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn drain(server: &Postgres) {
    let (redis, rabbitmq) = (Redis::start().expect("a private Redis"), RabbitMq::start().expect("a private RabbitMQ"));
    let url = server.create_database("service").expect("a database");
    let ours = Evently::start(&url, &redis.url(), Some(&rabbitmq.url())).await;
    let left = || {
        let left = server.query("service", &[WAITING]).expect("the tables are there");
        left.parse::<f64>().expect("it is a number")
    };
    rabbitmq.kill();
    let (mut sold, mut took) = (0.0, Duration::ZERO);
    while took < AWAY {
        let requests = ours.one_event(SEATS / 2).await;
        let began = Instant::now();
        Load { address: ours.address, connections: CROWD }.run(requests).await;
        took += began.elapsed();
        sold += f64::from(SEATS / 2);
    }
    let waiting = left();
    let rate = sold / took.as_secs_f64();
    println!("RabbitMQ was away for {took:.0?} of sale, {rate:.0} holds/s; {waiting:.0} entries wait");
    rabbitmq.restart().expect("it comes back");
    while left() >= waiting {
        sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    while left() > 0.0 {
        sleep(Duration::from_millis(20)).await;
    }
    let handed_on = waiting / began.elapsed().as_secs_f64();
    println!("handed on within {:.1?}: {handed_on:.0} entries/s, {:.1} times as fast", began.elapsed(), handed_on / rate);
}

/// Entries that RabbitMQ has not confirmed.
const WAITING: &str = "select h.position - coalesce((select position from consumers where name = 'relay'), 0) \
    + (select coalesce(sum(entries), 0) from journal where position is null) from journal_head h";

/// How many batches the server has read rows for.
fn batches(server: &Postgres) -> u64 {
    const READ: &str = "select coalesce(sum(calls), 0) from pg_stat_statements where query like '%kind (name)%'";
    server.query("evently", &[READ]).expect("the extension is there").parse().expect("it is a number")
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
    println!("{:32} a hold takes {ours:.0} us of this process with its load generator, {servers:.0} us of the servers", "");
}

fn figures(name: &str, rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    println!("{name:32} {:7.0} holds/s   ({:.0} to {:.0})", rates[RUNS / 2], rates[0], rates[RUNS - 1]);
    rates[RUNS / 2]
}
