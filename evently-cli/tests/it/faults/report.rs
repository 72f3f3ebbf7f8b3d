//! What a house has gone through, for whoever wants to read it later.

use std::{fs, path::Path, thread, time::Duration};

use serde_json::{Value, json};

use super::soon::{rounds, seed};

/// Where to write reports, each in a file that is named for its test.
const FOLDER: &str = "EVENTLY_FAULTS_REPORTS";

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

    /// Writes all of it where somebody wants it. Whoever gets here has found nothing wrong.
    pub fn write(&self, judged: &Value) {
        let Some(folder) = std::env::var_os(FOLDER) else { return };
        let test = thread::current().name().expect("a test has a thread that is named for it").to_owned();
        let report = json!({ "test": test, "seed": seed(), "rounds": rounds(), "faults": self.0, "judged": judged });
        let file = Path::new(&folder).join(format!("{}.json", test.replace("::", "-")));
        fs::create_dir_all(&folder).unwrap();
        fs::write(file, format!("{report:#}\n")).unwrap();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
