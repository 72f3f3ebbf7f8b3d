//! What a house has gone through, for whoever wants to read it later.

use std::time::Duration;

use serde_json::{Value, json};

use crate::knobs::{self, rounds, seed};

/// The faults of one test.
#[derive(Debug, Default)]
pub struct Report(Vec<Value>);

/// What came of one fault.
#[derive(Debug)]
pub struct Survived<'a> {
    pub what: &'a str,
    /// Answers that never came.
    pub lost: u64,
    /// Answers that said to come again.
    pub turned_away: u64,
    /// How long after it was mended every instance had served somebody.
    pub served: Duration,
    /// How long after it was mended nothing was left to do.
    pub settled: Duration,
}

impl Report {
    pub fn note(&mut self, survived: &Survived<'_>) {
        let Survived { what, lost, turned_away, served, settled } = survived;
        eprintln!(
            "{what}: {lost} answers lost, {turned_away} to come again; all serve after {served:.1?}, all is settled after {settled:.1?}"
        );
        self.0.push(json!({
            "fault": what,
            "answers_lost": lost,
            "answers_to_come_again": turned_away,
            "all_serve_after_ms": millis(*served),
            "all_settled_after_ms": millis(*settled),
        }));
    }

    /// Writes all of it where somebody wants it.
    pub fn write(&self, judged: &Value) {
        knobs::keep(json!({ "seed": seed(), "rounds": rounds(), "faults": self.0, "judged": judged }));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
