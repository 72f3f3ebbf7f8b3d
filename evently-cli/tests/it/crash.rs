//! SIGKILL at random moments under load: nothing that was acknowledged is lost, nothing is sold twice.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    evently::{Evently, Service, copy_folder},
    knobs::{keep, knob, rounds, seed},
    load::{Customer, Hall, rush},
    recorder::{self, Judged, judged},
    witness::{Scope, contradictions, resolve},
};

pub const CUSTOMERS: usize = 12;
const SEATS: u32 = 600;
/// How often the service is killed in each of the rounds that [`rounds`] says.
const CRASHES: u64 = 25;

/// So many customers ask at the same time where the history is judged, and until so many calls are recorded, or `EVENTLY_FAULTS_CALLS` of them.
const CROWD: usize = 48;
const CALLS: usize = 100_000;

/// A folder with an event on sale and customers who are logged in, and the service that it was made with.
pub async fn opening_day(crowd: usize) -> (Evently, Service, Vec<Customer>, Arc<Hall>) {
    // Holds run out while the service is down, too.
    let evently = Evently::new().with("EVENTLY__BOOKING__HOLD_TTL", "2s").with("EVENTLY__BOOKING__PAYMENT_WINDOW", "5s");
    // However long it is told to go on.
    let evently = evently.with("EVENTLY__AUTH__ACCESS_TTL", "1d");
    let event = evently.event(SEATS);
    for number in 0..crowd {
        evently.account(&email(number), "customer");
    }
    let service = evently.serve();
    let mut customers = Vec::new();
    for number in 0..crowd {
        customers.push(Customer::new(number, seed(), service.log_in(&email(number)).await));
    }
    let hall = Hall::of(event, service.connection()).await;
    (evently, service, customers, Arc::new(hall))
}

fn email(number: usize) -> String {
    format!("customer{number}@example.org")
}

/// What one service shows is as of the moment in which it is asked.
fn at_once(_: usize, _: RangeInclusive<u64>) -> Duration {
    Duration::ZERO
}

/// How long the service is left alone before the crash.
fn moment(crash: u64) -> Duration {
    let mixed = (seed() ^ crash).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Duration::from_millis(60 + mixed % 400)
}

/// Lets the customers loose, and kills the service under them.
async fn crash(service: Service, customers: Vec<Customer>, hall: &Arc<Hall>, after: Duration) -> Vec<Customer> {
    let running = rush(&service, customers, hall);
    // The moment at which the power goes is nobody's to choose; it is not waited for anything here.
    tokio::time::sleep(after).await;
    service.kill();
    running.join_all().await
}

pub fn verified(evently: &Evently) -> Value {
    let said = evently.run(&["verify", "--json"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    said.json()
}

/// The end: the load was one, with sales, cancellations and races, and crashes that swallowed answers; and everything that was ever said
/// still holds.
pub async fn ends_well(evently: &Evently, service: Service, customers: &[Customer], unknown: usize) -> Judged {
    assert_eq!(contradictions(service.connection(), customers, Scope::Everything, Duration::ZERO).await, Vec::<String>::new());
    let report = verified(evently);
    let told = || customers.iter().flat_map(|customer| customer.bookings.values());
    let answered = customers.iter().map(|customer| customer.answered.len()).sum::<usize>();
    eprintln!("{answered} answers, {unknown} lost and resolved, {}", report["checked"]);
    assert!(told().filter(|told| told.paid).count() > 100);
    assert!(told().filter(|told| told.cancelled).count() > 20);
    assert!(unknown > 25, "{unknown} lost answers");
    assert_eq!(report["violations"], Value::Array(Vec::new()));
    drop(service);
    let judged = judged(customers, &journal(evently), at_once);
    eprintln!("{} calls and {} looks judged", judged.calls, judged.looks);
    assert_eq!(judged.found, Vec::<String>::new());
    judged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_a_crash() {
    let (evently, mut service, mut customers, hall) = opening_day(CUSTOMERS).await;
    let mut unknown = 0;
    for number in 0..rounds() * CRASHES {
        customers = crash(service, customers, &hall, moment(number)).await;
        verified(&evently);
        service = evently.serve();
        unknown += resolve(&service, &mut customers).await;
        let scope = Scope::Lately { turn: usize::try_from(number).unwrap(), turns: 10 };
        let found = contradictions(service.connection(), &customers, scope, Duration::ZERO).await;
        assert_eq!(found, Vec::<String>::new(), "after crash {number} of seed {}", seed());
    }
    let Judged { calls, looks, .. } = ends_well(&evently, service, &customers, unknown).await;
    let crashes = rounds() * CRASHES;
    keep(
        json!({ "seed": seed(), "crashes": crashes, "lost_and_resolved": unknown, "calls_judged": calls, "looks_judged": looks }),
    );
}

/// What real clients were told, while the service was killed under them, has an order in which each seat was one seat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_calls_of_a_crowd_have_an_order() {
    let (evently, mut service, mut customers, hall) = opening_day(CROWD).await;
    let (mut crashes, mut unknown) = (0, 0);
    let wanted = knob("EVENTLY_FAULTS_CALLS", CALLS);
    while customers.iter().map(|customer| customer.recorder.calls()).sum::<usize>() < wanted {
        customers = crash(service, customers, &hall, moment(crashes) * 8).await;
        service = evently.serve();
        unknown += resolve(&service, &mut customers).await;
        crashes += 1;
    }
    verified(&evently);
    drop(service);
    let journal = journal(&evently);
    let began = recorder::now();
    let Judged { calls, looks, found } = judged(&customers, &journal, at_once);
    let took = Duration::from_micros(recorder::now() - began);
    eprintln!("{calls} calls and {looks} looks judged in {took:.1?}, {crashes} crashes, {unknown} answers lost and resolved");
    assert_eq!(found, Vec::<String>::new());
    assert!(calls >= wanted && unknown > 100, "{calls} calls, {unknown} lost");
    keep(json!({
        "seed": seed(),
        "crashes": crashes,
        "lost_and_resolved": unknown,
        "calls_judged": calls,
        "looks_judged": looks,
        "judged_in_ms": took.as_millis(),
    }));
    // And a single answer that cannot be true is found among them, and a single seat that was shown as it had been before.
    customers[0].recorder.tell_a_lie();
    let found = judged(&customers, &journal, at_once).found;
    assert!(found.iter().any(|found| found.starts_with("seat ") && found.contains(" was ")), "{found:?}");
    customers[0].recorder.tell_an_old_story();
    let found = judged(&customers, &journal, at_once).found;
    assert!(found.iter().any(|found| found.ends_with("and the last before the first")), "{found:?}");
}

/// The journal as the store keeps it.
fn journal(evently: &Evently) -> Vec<Value> {
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let mut entries = store.prepare("select content from journal order by position").unwrap();
    let entries = entries.query_map([], |row| row.get::<_, String>(0)).unwrap();
    entries.map(|entry| serde_json::from_str(&entry.unwrap()).unwrap()).collect()
}

/// The test above is worth something only if it can fail: here a store forgets what it had acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_forgets_is_found_out() {
    let (evently, service, customers, hall) = opening_day(CUSTOMERS).await;
    service.kill();
    let before = tempfile::tempdir().unwrap();
    copy_folder(evently.data.path(), before.path());
    // Nobody knows of the unknown ones, and so they are no acknowledgements.
    let customers = crash(evently.serve(), customers, &hall, Duration::from_secs(3)).await;
    let bookings = customers.iter().map(|customer| customer.bookings.len()).sum::<usize>();
    assert!(bookings > 0, "there was something to forget");
    for name in ["evently.db", "evently.db-wal", "evently.db-shm"] {
        let _ = std::fs::remove_file(evently.data.path().join(name));
    }
    copy_folder(before.path(), evently.data.path());
    let service = evently.serve();
    let found = contradictions(service.connection(), &customers, Scope::Everything, Duration::ZERO).await;
    let gone = found.iter().filter(|found| found.ends_with("is gone")).count();
    assert_eq!(gone, bookings, "{found:?}");
}
