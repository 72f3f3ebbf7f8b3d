//! Time on the cores, which drifts less than throughput when others work on the machine as well.

use std::{fs, path::Path};

/// So many of them are a second, <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
const TICKS: f64 = 100.0;

/// What has been used so far, in seconds.
#[derive(Clone, Copy)]
pub struct Used {
    /// By this process: the service and the load generator.
    pub ours: f64,
    /// By the database server and Redis.
    pub servers: f64,
}

impl Used {
    /// Of this process, and of the servers with their data in these folders. Of a backend that has ended nothing is known.
    pub fn so_far(servers: &[&Path]) -> Self {
        let processes = fs::read_dir("/proc").expect("there is a /proc").flatten().map(|entry| entry.path());
        let is_theirs = |cwd: &Path| servers.iter().any(|server| cwd.starts_with(server));
        let of_servers = processes.filter(|process| process.join("cwd").read_link().is_ok_and(|cwd| is_theirs(&cwd)));
        Self { ours: seconds(Path::new("/proc/self")), servers: of_servers.map(|process| seconds(&process)).sum() }
    }

    /// What was used after `before`.
    pub fn since(self, before: Self) -> Self {
        Self { ours: self.ours - before.ours, servers: self.servers - before.servers }
    }

    /// For each of so many.
    pub fn for_each(self, count: u32) -> Self {
        Self { ours: self.ours / f64::from(count), servers: self.servers / f64::from(count) }
    }
}

/// In user and system mode.
fn seconds(process: &Path) -> f64 {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name before may have blanks.
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap_or_default()).sum::<f64>() / TICKS
}
