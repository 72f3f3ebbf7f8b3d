//! Runs the target that `EVENTLY_FUZZ` names under libFuzzer, whose arguments these are.

#![no_main]

use std::sync::LazyLock;

use evently_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("EVENTLY_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| {
        let names = TARGETS.map(|target| target.name).join(", ");
        panic!("EVENTLY_FUZZ names a target, one of {names}")
    })
});

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&TARGET); }, |bytes: &[u8]| (TARGET.run)(bytes));
