//! Whatever Evently reads from outside, as functions of bytes that a fuzzer can feed.
//!
//! A function panics when something is not as it must be. That a hostile input is refused is right; that it is taken and means something
//! else when it is read again is not.

mod plans;

/// Something that reads bytes of anybody.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it reads, and what is checked.
    pub reads: &'static str,
    /// Reads some, and panics if something is wrong.
    pub run: fn(&[u8]),
}

/// All there are.
pub const TARGETS: [Target; 3] = [
    Target { name: "plan_own", reads: "hall plans in our own JSON", run: plans::own },
    Target { name: "plan_pretix", reads: "hall plans in the open seating-plan JSON", run: plans::seating_plan },
    Target { name: "plan_csv", reads: "hall plans as tables", run: plans::csv },
];
