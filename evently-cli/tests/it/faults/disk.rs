//! The disk under PostgreSQL is full, or fails: its server's system calls are answered as a disk would have them answered that is.

use std::{fs, path::PathBuf, time::Duration};

use evently_cli::http1::Request;
use evently_testservers::Postgres;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    fleet::INSTANCES,
    sale::{Sale, Servers},
    soon::{lasting, until},
};
use crate::{
    evently::{Evently, body_of},
    knobs::rounds,
    load::Hall,
    strace::{Injection, Strace},
};

/// How many are turned away while there is no room.
const MANY: u64 = 100;

/// No table and no index gets another page from now on, whoever asks for it. What has its place is still written, as on a full disk.
fn no_room(postgres: &Postgres) -> Strace {
    let data = postgres.socket_folder().join("data");
    let files = "select pg_relation_filepath(oid) from pg_class \
        where relkind in ('r', 'i', 't') and relnamespace in ('public'::regnamespace, 'pg_toast'::regnamespace)";
    let files = postgres.query("evently", &[files]).unwrap();
    let files = files.lines().map(|file| data.join(file)).collect();
    // The first one starts the others.
    let server = fs::read_to_string(data.join("postmaster.pid")).unwrap().lines().next().unwrap().parse().unwrap();
    let mut all = processes(postgres, "client backend");
    all.push(server);
    // Pages that were there before are written by other processes than these, as long as there is memory for all of them.
    Injection::fail("pwrite64,pwritev,fallocate", "error=ENOSPC").on(files).attached(&all, trace(postgres))
}

/// The processes of the server that are of this kind.
fn processes(postgres: &Postgres, kind: &str) -> Vec<u32> {
    let found = format!("select pid from pg_stat_activity where backend_type = '{kind}' and pid <> pg_backend_pid()");
    let found = postgres.query("evently", &[&found]).unwrap();
    found.lines().map(|id| id.parse().unwrap()).collect()
}

fn trace(postgres: &Postgres) -> PathBuf {
    postgres.socket_folder().join("trace")
}

/// How often the server has said this.
fn said(postgres: &Postgres, what: &str) -> usize {
    fs::read_to_string(postgres.log()).unwrap().matches(what).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_has_no_room_refuses_what_it_cannot_keep_and_goes_on_when_there_is_some() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let (postgres, front) = (&servers.postgres, sale.front.clone());
    for _ in 0..rounds() {
        sale.through(postgres, "PostgreSQL had no room", async |fleet| {
            let before = said(postgres, "No space left on device");
            let full = no_room(postgres);
            let refused = front.turned_away() + MANY;
            until("many are refused", Instant::now(), async || front.turned_away() > refused).await;
            sleep(lasting(Duration::from_secs(1))).await;
            for instance in 0..INSTANCES {
                let alive = fleet.connection(instance).send(&Request::get("/health/live")).await.unwrap();
                assert_eq!(alive.status, 200);
            }
            assert!(said(postgres, "No space left on device") > before, "they were refused for another reason");
            drop(full);
        })
        .await;
    }
    sale.ends_well(postgres).await;
}

/// What fails is what a commit is kept by, on its way to the disk, and what makes room in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_under_the_store_costs_nothing_that_was_acknowledged() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let postgres = &servers.postgres;
    let fails = [
        ("PostgreSQL could not flush its log", "fdatasync", "client backend"),
        ("PostgreSQL could not write its log", "pwrite64", "client backend"),
        ("PostgreSQL could not flush its tables", "fsync", "checkpointer"),
    ];
    for (what, call, who) in (0..rounds()).flat_map(|_| fails) {
        sale.through(postgres, what, async |_| {
            let panics = said(postgres, "PANIC:");
            // Those that it starts after that have a disk that works.
            let broken = Injection::fail(call, "error=EIO").attached(&processes(postgres, who), trace(postgres));
            if who == "checkpointer" {
                // Whoever asks for it is told, or cut off with all others.
                let _ = postgres.query("evently", &["checkpoint"]);
            }
            let began = Instant::now();
            until("a call has failed", began, async || broken.has_struck().is_some()).await;
            until("the server has given up", began, async || said(postgres, "PANIC:") > panics).await;
            until("it is back by itself", began, async || postgres.query("evently", &["select"]).is_ok()).await;
        })
        .await;
    }
    sale.ends_well(postgres).await;
}

/// The server says of such a commit that it has failed, gives up, and finds it in its log when it recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_seats_while_the_log_cannot_be_flushed_is_not_told_that_nothing_was_done() {
    let postgres = Postgres::options().durable(true).start().unwrap();
    let evently = Evently::new().with("EVENTLY__STORE__URL", &postgres.url());
    let event = evently.event(2);
    evently.account("ada@example.org", "customer");
    // So that nobody else commits.
    let service = evently.serve_with(&["--no-workers"]);
    let token = service.log_in("ada@example.org").await;
    let hall = Hall::of(event, service.connection()).await;
    let hold = json!({ "event_id": hall.event, "seat_ids": hall.seats }).to_string();
    let request = || Request::post("/api/v1/bookings", hold.as_bytes()).by(&token).keyed("once");
    let mut connection = service.connection();
    let broken = Injection::fail("fdatasync", "error=EIO").attached(&processes(&postgres, "client backend"), trace(&postgres));
    let mut told = Vec::new();
    until("she has her seats", Instant::now(), async || {
        let answer = connection.send(&request()).await.unwrap();
        let body = body_of(&answer);
        told.push(format!("{} {} {:?}", answer.status, body["detail"], answer.header("idempotent-replayed")));
        answer.status == 201
    })
    .await;
    assert!(broken.has_struck().is_some() && said(&postgres, "PANIC:") == 1, "{told:?}");
    let (last, before) = told.split_last().unwrap();
    let was_done = last.contains("true");
    assert!(!was_done || before.iter().any(|told| !told.contains("nothing was done")), "{told:?}");
    eprintln!("{told:?}");
}
