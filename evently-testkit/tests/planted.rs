//! Each fault that can be put into the rules and services is found by the simulation. Built with `--cfg evently_planted` only.
#![cfg(evently_planted)]

use std::sync::Mutex;

use evently_core::planted::{Bug, plant};
use evently_testkit::simulation::{Plan, cores, run, run_many, shrunk, tell};

/// In so many runs each fault has to be found.
const SEEDS_MAX: u64 = 1_000;
/// So many tell how often it is.
const SAMPLE: u64 = 200;

/// There is one place for a fault.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn every_planted_bug_is_found() {
    let _turn = ONE_AT_A_TIME.lock();
    // What the faults make panic is found as a panic, and need not be told.
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    println!("| bug | first found by seed | found in, of {SAMPLE} seeds | as |\n| --- | ---: | ---: | --- |");
    for &bug in Bug::ALL {
        plant(Some(bug));
        let mut found = run_many(0..SAMPLE, cores(), Plan::of, || true).broken;
        let often = found.len();
        let mut from = SAMPLE;
        while found.is_empty() && from < SEEDS_MAX {
            found = run_many(from..from + SAMPLE, cores(), Plan::of, || true).broken;
            from += SAMPLE;
        }
        plant(None);
        if let Some((seed, breach)) = found.first_key_value() {
            let mut how = breach.to_string();
            how.truncate(how.char_indices().nth(90).map_or(how.len(), |(at, _)| at));
            println!("| `{bug:?}`: {} | {seed} | {often} | {how} |", bug.what());
        } else {
            println!("| `{bug:?}`: {} | none | 0 | |", bug.what());
            missed.push(bug);
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not found in {SEEDS_MAX} seeds: {missed:?}");
}

#[test]
fn what_fails_is_told_in_few_lines() {
    let _turn = ONE_AT_A_TIME.lock();
    plant(Some(Bug::LocksAlone));
    let plan = (0..SEEDS_MAX).map(Plan::of).find(|plan| !run(plan).breaches.is_empty()).expect("it is found");
    let (long, short) = (tell(&plan).story, tell(&shrunk(&plan)).story);
    plant(None);
    println!("{}", short.join("\n"));
    assert!(short.len() <= 16 && short.len() < long.len(), "{} lines of {}", short.len(), long.len());
    assert!(short.last().is_some_and(|line| line.contains("I6 journal")), "it ends with what is wrong");
}

/// And with none of them in, nothing is found; this other build runs the same as the usual one.
#[test]
fn without_a_bug_nothing_is_found_and_every_build_runs_the_same() {
    let _turn = ONE_AT_A_TIME.lock();
    let many = run_many(0..100, cores(), Plan::of, || true);
    assert!(many.broken.is_empty(), "{:?}", many.broken);
    let usual = std::env::var("EVENTLY_FINGERPRINT").expect("EVENTLY_FINGERPRINT is what `evently simulate --seeds 0..100` says");
    assert_eq!(format!("{:016x}", many.fingerprint), usual);
}
