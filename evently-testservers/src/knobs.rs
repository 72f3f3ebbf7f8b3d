//! How long the tests with faults go on, and where they leave what they have met.

use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::{fs, thread};

use serde_json::Value;

/// Where to write reports, each in a file that is named for its test.
const REPORTS: &str = "EVENTLY_FAULTS_REPORTS";

/// What somebody has set, or what it is otherwise.
pub fn knob<T: FromStr>(name: &str, otherwise: T) -> T {
    let Ok(text) = std::env::var(name) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{name} is {text}, and should be a number"))
}

/// How often each fault is done.
pub fn rounds() -> u64 {
    knob("EVENTLY_FAULTS_ROUNDS", 1)
}

/// Where all that is random comes from.
pub fn seed() -> u64 {
    knob("EVENTLY_FAULTS_SEED", 20_261_126)
}

/// Writes what the test on this thread has come to, where somebody wants it. Whoever gets here has found nothing wrong.
pub fn keep(mut report: Value) {
    let Some(folder) = std::env::var_os(REPORTS) else { return };
    let test = thread::current().name().expect("a test has a thread that is named for it").to_owned();
    let file = Path::new(&folder).join(format!("{}.json", test.replace("::", "-")));
    report["test"] = test.into();
    report["commit"] = commit().into();
    report["load"] = fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().into();
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, format!("{report:#}\n")));
    written.unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
}

/// What was tested, as far as it is known here.
fn commit() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    described.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
