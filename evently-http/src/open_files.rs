//! How many files, and so how many connections, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the store, the mails and the log need beside the connections.
pub const RESERVE: u64 = 100;

/// Raises the limit as far as the system lets us, and says how many of the wanted connections there is room for. Many systems give
/// a process 1024 files unless it asks for more.
pub fn room_for(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = match raised {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            current
        }
    };
    let room = limit.map_or(connections, |files| connections_for(files).min(connections));
    if room < connections {
        tracing::warn!(
            open_files = limit,
            "there is room for {room} connections and not for the {connections} of http.connections_max: raise the limit of open \
             files (`ulimit -n`, LimitNOFILE in systemd) to {}, or lower the setting",
            connections as u64 + RESERVE,
        );
    }
    room
}

/// How many connections so many files are enough for; at least one, or nobody could ask what is wrong.
fn connections_for(files: u64) -> usize {
    usize::try_from(files.saturating_sub(RESERVE)).unwrap_or(usize::MAX).max(1)
}
