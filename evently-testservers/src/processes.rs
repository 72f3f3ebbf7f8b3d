//! The processes of a server, found by the folder in which they work: so no number that the kernel has given to another process
//! since is ever signalled, and neither is a server of the same name.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// How often is looked whether something has happened.
const STEP: Duration = Duration::from_millis(10);

/// All living processes whose working directory is in `folder`. One that has ended but is not yet reaped does not count.
pub fn in_folder(folder: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| works_in(*id, folder)).filter_map(Pid::from_raw).collect()
}

fn works_in(id: i32, folder: &Path) -> bool {
    fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|directory| directory.starts_with(folder))
}

/// Whether the process is stopped by a signal.
pub fn is_stopped(id: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name before it is in brackets and may hold anything.
    status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Signals a process that may have ended by itself.
pub fn signal(id: Pid, signal: Signal) {
    _ = kill_process(id, signal);
}

/// Waits until `done`; false if it took longer than `patience`.
pub fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..patience.as_millis() / STEP.as_millis() {
        if done() {
            return true;
        }
        thread::sleep(STEP);
    }
    done()
}
