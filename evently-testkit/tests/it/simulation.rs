//! Whole on-sales: nothing that must never happen happens, the same seed is the same run, and what seldom happens does.

use evently_testkit::simulation::{Fault, Many, Plan, Rare, cores, run, run_many, shrunk, tell};

/// How many runs. `EVENTLY_SEEDS` says another number, for those who look further.
fn seeds() -> u64 {
    std::env::var("EVENTLY_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(5_000)
}

#[test]
fn nothing_that_must_never_happen_happens_in_thousands_of_on_sales() {
    let many = run_many(0..seeds(), cores(), Plan::of, || true);
    let Many { steps, steps_min, entries, .. } = many;
    println!("{} seeds, {steps} steps, {steps_min} in the shortest run, {entries} journal entries", many.seeds);
    if let Some((seed, breach)) = many.broken.first_key_value() {
        let story = tell(&shrunk(&Plan::of(*seed))).story.join("\n");
        panic!("{} seeds broke an invariant. Seed {seed}: {breach}\n{story}", many.broken.len());
    }
    let never = Rare::ALL.iter().filter(|rare| many.met.times(**rare) == 0).map(|rare| rare.name()).collect::<Vec<_>>();
    assert_eq!(never, [""; 0], "what seldom happens was never met");
    assert!(steps_min >= 500, "a run of {steps_min} steps proves little");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..100 {
        let plan = Plan::of(seed);
        assert_eq!(tell(&plan), tell(&plan), "seed {seed}");
        assert_eq!(run(&plan).fingerprint, tell(&plan).fingerprint, "whoever listens changes nothing");
    }
}

/// What never goes wrong proves nothing, and no rare state tells of each fault.
#[test]
fn whatever_may_go_wrong_goes_wrong() {
    let stories = (0..200).map(|seed| tell(&Plan::of(seed)).story).collect::<Vec<_>>();
    // The first line has what may.
    let told = || stories.iter().flat_map(|story| &story[1..]);
    let spared = Fault::ALL.iter().map(|fault| fault.name()).filter(|name| !told().any(|line| line.ends_with(name)));
    assert_eq!(spared.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_run_can_be_left_where_it_stands() {
    let outcome = run(&Plan::of(7).steps(300));
    assert_eq!((outcome.steps, outcome.breaches), (300, vec![]));
}

/// Of a million seeds one had the store away for most of thirty tries, which were all that there were.
#[test]
fn a_webhook_is_sent_for_as_long_as_things_go_wrong() {
    assert_eq!(run(&Plan::of(620_331)).breaches, vec![]);
}

#[test]
fn what_does_not_fail_is_not_made_smaller() {
    let plan = Plan::of(3);
    assert_eq!(shrunk(&plan), plan);
}
