//! Many runs at once.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Breach, Met, Plan, executor::lock, run};

/// What became of many runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Many {
    /// How many were run.
    pub seeds: u64,
    /// How many steps they took.
    pub steps: u64,
    /// How many the shortest of them took.
    pub steps_min: u64,
    /// How many entries their journals have.
    pub entries: u64,
    /// Which rare states they were in, and how often.
    pub met: Met,
    /// The seeds of those that broke something, with the first thing they broke.
    pub broken: BTreeMap<u64, Breach>,
    /// Of all runs: the same runs have the same.
    pub fingerprint: u64,
}

/// As many threads as this machine has cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs what `plan` makes of each seed on so many threads, for as long as `go_on` says so.
pub fn run_many(seeds: Range<u64>, threads: usize, plan: impl Fn(u64) -> Plan + Sync, go_on: impl Fn() -> bool + Sync) -> Many {
    let next = AtomicU64::new(seeds.start);
    let many = Mutex::new(Many { steps_min: u64::MAX, ..Many::default() });
    let work = || {
        let mut ours = Many { steps_min: u64::MAX, ..Many::default() };
        while go_on() {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= seeds.end {
                break;
            }
            let outcome = run(&plan(seed));
            ours.seeds += 1;
            ours.steps += outcome.steps;
            ours.steps_min = ours.steps_min.min(outcome.steps);
            ours.entries += outcome.entries;
            ours.met.add(&outcome.met);
            // In whatever order they are run.
            ours.fingerprint = ours.fingerprint.wrapping_add(outcome.fingerprint);
            ours.broken.extend(outcome.breaches.into_iter().next().map(|breach| (seed, breach)));
        }
        lock(&many).add(ours);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    many.into_inner().expect("nobody panics with it")
}

impl Many {
    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.steps_min = self.steps_min.min(other.steps_min);
        self.entries += other.entries;
        self.met.add(&other.met);
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
        self.broken.extend(other.broken);
    }
}
