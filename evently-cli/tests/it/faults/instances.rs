//! Processes of the service that die, one after the other.

use std::collections::BTreeMap;

use fastrand::Rng;
use tokio::time::Instant;

use super::{
    fleet::INSTANCES,
    sale::{Sale, Servers},
    soon::until,
};
use crate::{
    knobs::{rounds, seed},
    strace::Injection,
};

/// The system calls before which a process is killed, and which of a thread at the latest: of what it says to servers and hears from them,
/// in which a customer's answer is one of many, and of what goes on between its threads.
const CALLS: [(&str, u64); 6] =
    [("sendto", 20), ("sendto", 100), ("recvfrom", 200), ("writev", 30), ("write", 30), ("futex", 200)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_are_killed_one_after_the_other_lose_nothing() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    for _ in 0..rounds() {
        for instance in 0..INSTANCES {
            sale.through(&servers.postgres, &format!("killed instance {instance}"), async |fleet| {
                fleet.kill(instance);
                fleet.start_again(instance);
            })
            .await;
        }
        sale.through(&servers.postgres, "killed the worker", async |fleet| {
            fleet.kill_worker();
            fleet.start_worker_again();
        })
        .await;
    }
    sale.ends_well(&servers.postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_whichever_system_call_an_instance_dies_nothing_is_lost_or_doubled() {
    let servers = Servers::start();
    let mut sale = Sale::open(&servers.urls()).await;
    let (mut random, mut before) = (Rng::with_seed(seed()), BTreeMap::<_, u64>::new());
    let folder = tempfile::tempdir().unwrap();
    for instance in (0..rounds()).flat_map(|_| 0..=INSTANCES) {
        // The worker has no customers.
        let calls = if instance < INSTANCES { &CALLS[..] } else { &CALLS[..3] };
        let (call, latest) = calls[random.usize(..calls.len())];
        let kill = Injection::kill(call, random.u64(1..=latest));
        let what = if instance < INSTANCES { format!("killed instance {instance}") } else { "killed the worker".to_owned() };
        sale.through(&servers.postgres, &format!("{what} before a {call}"), async |fleet| {
            let id = if instance < INSTANCES { fleet.service(instance).id() } else { fleet.worker().id() };
            let mut strace = kill.attached(&[id], folder.path().join("trace"));
            until(&format!("{kill:?} is reached"), Instant::now(), async || strace.has_ended()).await;
            *before.entry(strace.has_struck().expect("it has died of this")).or_default() += 1;
            if instance < INSTANCES {
                fleet.kill(instance);
                fleet.start_again(instance);
            } else {
                fleet.kill_worker();
                fleet.start_worker_again();
            }
        })
        .await;
    }
    eprintln!("killed before {before:?}");
    sale.ends_well(&servers.postgres).await;
}
