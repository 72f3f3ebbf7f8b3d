//! SIGKILL before a system call: at whichever the service dies, nothing that was acknowledged is lost, and nothing is sold twice.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, sync::Arc, time::Duration};

use fastrand::Rng;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    crash::{CUSTOMERS, ends_well, opening_day, verified},
    evently::{Evently, Service},
    knobs::{keep, rounds, seed},
    load::{Customer, Hall, rush},
    strace::Injection,
    witness::{Scope, contradictions, resolve},
};

/// How often the service is killed under its customers' hands in each of the rounds that [`rounds`] says.
const KILLS: u64 = 24;
/// After every so many of them it is killed once more while it starts again.
const TWICE: u64 = 3;
/// How long it may take until a call is made.
const PATIENCE: Duration = Duration::from_mins(1);

/// The system calls before which it is killed, and which of a thread at the latest: of what it does to files, hears from customers and
/// says to them, and of what goes on between its threads.
const AT_WORK: [(&str, u64); 8] = [
    ("pwrite64", 300),
    ("pwrite64", 20),
    ("fsync", 25),
    ("fcntl", 100),
    ("recvfrom", 40),
    ("writev", 40),
    ("write", 40),
    ("futex", 200),
];
const STARTING: [(&str, u64); 5] = [("pread64", 35), ("pwrite64", 8), ("fcntl", 60), ("openat", 80), ("mmap", 25)];

/// Lets the customers loose on the service until it dies; they come back, and it is said where it died.
async fn killed_at_work(
    evently: &Evently,
    service: Service,
    customers: Vec<Customer>,
    hall: &Arc<Hall>,
    kill: &Injection,
) -> (Vec<Customer>, String) {
    let strace = kill.attached(&[service.id()], evently.data.path().join("trace"));
    let running = rush(&service, customers, hall);
    let customers = timeout(PATIENCE, running.join_all()).await.unwrap_or_else(|_| panic!("{kill:?} was not reached"));
    assert_eq!(service.process.was_ended().signal(), Some(Signal::KILL.as_raw()));
    let at = strace.ends();
    (customers, at.unwrap_or_else(|| panic!("it has died, and not by {kill:?}")))
}

/// Starts the service to be killed before it listens; where it died, if it made so many calls.
fn killed_at_the_start(evently: &Evently, kill: &Injection) -> Option<String> {
    let trace = evently.data.path().join("trace");
    match evently.serve_by(kill.since_the_start(&trace)) {
        Ok(service) => {
            service.kill();
            None
        }
        Err(status) => {
            assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{kill:?}");
            Some(kill.found_in(&trace).unwrap_or_else(|| panic!("it has died, and not by {kill:?}")))
        }
    }
}

fn draw(random: &mut Rng, from: &[(&'static str, u64)]) -> Injection {
    let (call, latest) = from[random.usize(..from.len())];
    Injection::kill(call, random.u64(1..=latest))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whichever_system_call_the_service_dies_nothing_is_lost_or_doubled() {
    let (evently, mut service, mut customers, hall) = opening_day(CUSTOMERS).await;
    let mut random = Rng::with_seed(seed());
    let (mut unknown, mut at_work, mut at_the_start) = (0, BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    for number in 0..rounds() * KILLS {
        let at;
        (customers, at) = killed_at_work(&evently, service, customers, &hall, &draw(&mut random, &AT_WORK)).await;
        *at_work.entry(at).or_default() += 1;
        if number % TWICE == 0
            && let Some(at) = killed_at_the_start(&evently, &draw(&mut random, &STARTING))
        {
            *at_the_start.entry(at).or_default() += 1;
        }
        verified(&evently);
        service = evently.serve();
        unknown += resolve(&service, &mut customers).await;
        let scope = Scope::Lately { turn: usize::try_from(number).unwrap(), turns: 10 };
        let found = contradictions(service.connection(), &customers, scope, Duration::ZERO).await;
        assert_eq!(found, Vec::<String>::new(), "after kill {number} of seed {}", seed());
    }
    eprintln!("killed at work before {at_work:?}, while it started before {at_the_start:?}");
    assert!(at_the_start.values().sum::<u64>() * 2 >= rounds() * KILLS / TWICE, "it has started too often");
    let calls = ends_well(&evently, service, &customers, unknown).await.calls;
    keep(json!({
        "seed": seed(),
        "kills": rounds() * KILLS,
        "before": at_work,
        "while_it_started": at_the_start,
        "lost_and_resolved": unknown,
        "calls_judged": calls,
    }));
}
