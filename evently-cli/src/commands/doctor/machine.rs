//! The machine: its clock, its limits, its disk, its port.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use evently_core::domain::Timestamp;
use evently_http::{clock::SystemClock, config::Config, open_files};
use rustix::{fs::statvfs, process::Resource};

use super::Finding;
use crate::http1::{Connection, Request, Target};

const GIB: u64 = 1 << 30;
/// When this was written; no clock is right that shows less.
const EARLIEST: &str = "2026-11-01T00:00:00Z";
const PATIENCE: Duration = Duration::from_secs(2);

pub fn look(config: &Config) -> Vec<Finding> {
    vec![
        clock(evently_core::ports::Clock::now(&SystemClock::new())),
        open_files(config),
        folder(&config.data.dir),
        room(&config.data.dir),
        port(config.http.listen),
    ]
}

fn clock(now: Timestamp) -> Finding {
    let earliest: Timestamp = EARLIEST.parse().expect("the time is written right");
    if now < earliest || now > earliest + Duration::from_hours(20 * 365 * 24) {
        let hint = "holds and tokens live by the clock; have it set by NTP";
        return Finding::fail("clock", format!("it shows {now}"), hint);
    }
    Finding::ok("clock", now.to_string())
}

fn open_files(config: &Config) -> Finding {
    // The service raises the soft limit to the hard one itself.
    let limit = rustix::process::getrlimit(Resource::Nofile).maximum;
    let wanted = config.http.connections_max as u64 + open_files::RESERVE;
    match limit {
        Some(limit) if limit < wanted => {
            let found = format!("{limit}, and http.connections_max wants {wanted}");
            Finding::warn(
                "open files",
                found,
                format!("raise it with `ulimit -Hn {wanted}` (LimitNOFILE in systemd), or lower http.connections_max"),
            )
        }
        Some(limit) => Finding::ok("open files", limit.to_string()),
        None => Finding::ok("open files", "unlimited"),
    }
}

/// The folder, or the nearest one above it that exists: that is where it would be made.
fn existing(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    absolute.ancestors().find(|dir| dir.exists()).map_or(absolute.clone(), Path::to_owned)
}

fn folder(dir: &Path) -> Finding {
    const WHAT: &str = "data folder";
    let place = existing(dir);
    let hint = "make it writable for the user that runs the service, or name another with --data";
    if !place.is_dir() {
        return Finding::fail(WHAT, format!("{} is not a folder", place.display()), hint);
    }
    match can_write(&place) {
        Ok(()) if dir.exists() => Finding::ok(WHAT, format!("{} can be written", dir.display())),
        Ok(()) => Finding::ok(WHAT, format!("{} is not there yet, and can be made", dir.display())),
        Err(error) => Finding::fail(WHAT, format!("{}: {error}", place.display()), hint),
    }
}

/// Permissions tell only half of it: a file system may be mounted read-only, or full.
fn can_write(dir: &Path) -> io::Result<()> {
    let path = dir.join(format!(".evently-doctor-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
        file.write_all(b"ok")?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

fn room(dir: &Path) -> Finding {
    const WHAT: &str = "disk space";
    let place = existing(dir);
    match statvfs(&place) {
        Ok(disk) => enough(WHAT, disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Finding::warn(WHAT, format!("{}: {error}", place.display()), "nobody can tell how much room there is"),
    }
}

/// Whether so many free bytes are enough.
fn enough(what: &'static str, free: u64) -> Finding {
    let found = format!("{}.{} GiB free", free / GIB, free % GIB * 10 / GIB);
    let hint = "a full disk stops all sales; make room";
    if free < GIB / 8 {
        Finding::fail(what, found, hint)
    } else if free < 2 * GIB {
        Finding::warn(what, found, hint)
    } else {
        Finding::ok(what, found)
    }
}

fn port(listen: SocketAddr) -> Finding {
    const WHAT: &str = "port";
    let hint = "end the other program, or listen elsewhere with --listen or http.listen";
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(WHAT, format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match answers(listen) {
            Some(200) => Finding::ok(WHAT, format!("a service answers at {listen}")),
            Some(status) => Finding::warn(WHAT, format!("something at {listen} answers {status} to /health/live"), hint),
            None => Finding::fail(WHAT, format!("{listen} is taken by something that does not answer"), hint),
        },
        Err(error) => Finding::fail(WHAT, format!("{listen}: {error}"), hint),
    }
}

/// The status with which the service that listens there says that it is alive.
fn answers(listen: SocketAddr) -> Option<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let target = Target::parse(&format!("http://{listen}")).ok()?;
    runtime.block_on(async {
        let mut connection = Connection::new(target, PATIENCE);
        connection.send(&Request::get("/health/live")).await.ok().map(|answer| answer.status)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_clock_is_wrong_that_shows_a_time_before_this_was_written_or_decades_later() {
        for (now, state) in [
            ("1970-01-01T00:00:00Z", State::Fail),
            ("2026-10-31T23:59:59Z", State::Fail),
            ("2026-11-01T00:00:00Z", State::Ok),
            ("2046-10-01T00:00:00Z", State::Ok),
            ("2047-01-01T00:00:00Z", State::Fail),
        ] {
            assert_eq!(clock(now.parse().unwrap()).state, state, "{now}");
        }
    }

    #[test]
    fn a_disk_that_is_nearly_full_is_told_before_it_is() {
        let states = [0, GIB / 8 - 1, GIB / 8, 2 * GIB - 1, 2 * GIB].map(|free| enough("disk space", free).state);
        assert_eq!(states, [State::Fail, State::Fail, State::Warn, State::Warn, State::Ok]);
    }
}
