//! The store and the secrets beside it, looked at without opening the store.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use evently_core::ports::Clock as _;
use evently_http::{
    clock::SystemClock,
    compose,
    config::{Config, Profile, StoreUrl},
    database::{self, Durability, Inspection, Problem},
};

use super::{Finding, with_cause};

/// The header of a SQLite file; <https://sqlite.org/fileformat2.html#the_database_header>.
struct Header([u8; 100]);

impl Header {
    const MAGIC: &[u8] = b"SQLite format 3\0";

    fn read(path: &Path) -> std::io::Result<Self> {
        let mut bytes = [0; 100];
        File::open(path)?.read_exact(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn is_sqlite(&self) -> bool {
        self.0.starts_with(Self::MAGIC)
    }

    fn is_ours(&self) -> bool {
        self.0[68..72] == *b"EVLY"
    }

    fn has_wal(&self) -> bool {
        self.0[18] == 2 && self.0[19] == 2
    }

    fn schema(&self) -> usize {
        u32::from_be_bytes([self.0[60], self.0[61], self.0[62], self.0[63]]) as usize
    }
}

pub async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = match (config.store_file(), &config.store.url) {
        (Some(path), _) => file(&path),
        (None, StoreUrl::Postgres(url)) => server(&url.to_string(), database::inspect(config).await),
        (None, StoreUrl::InData | StoreUrl::Sqlite(_)) => Vec::new(),
    };
    findings.push(secrets(config));
    findings.push(mails(config));
    findings
}

/// Whether buyers get their mails is up to somebody else, who has to know.
fn mails(config: &Config) -> Finding {
    const WHAT: &str = "mails";
    let found = format!("written into files, with this --data in {}", config.mail_folder().display());
    if config.profile == Profile::Production {
        Finding::warn(WHAT, found, "nothing here delivers them: hand them to a mail server, as docs/operations.md shows (Mails)")
    } else {
        Finding::ok(WHAT, found)
    }
}

/// What a server says of itself.
fn server(url: &str, inspected: Result<Inspection, impl std::error::Error>) -> Vec<Finding> {
    const WHAT: &str = "store";
    let found = match inspected {
        Ok(found) => found,
        Err(error) => {
            return vec![Finding::fail(WHAT, with_cause(&error), "look at store.url, and whether the server runs")];
        }
    };
    let place = format!("{} on PostgreSQL {} ({url})", found.database, found.server);
    let store = match &found.problem {
        // The next line says so.
        None | Some(Problem::Newer) => Finding::ok(WHAT, place),
        Some(Problem::Replica) => Finding::fail(
            WHAT,
            format!("{place} is a replica"),
            "store.url must name the primary; a replica goes to store.replica_url",
        ),
        Some(problem) => Finding::fail(WHAT, format!("{place}: {problem}"), "the service does not start with it"),
    };
    let schema = match (found.schema_is_newer, found.schema) {
        (true, schema) => version(schema.max(database::SCHEMA_VERSION + 1), database::SCHEMA_VERSION),
        (false, schema) => version(schema, database::SCHEMA_VERSION),
    };
    vec![store, schema, durability(&found), clock(&found)]
}

/// The service goes by the server's clock; what else runs on this machine does not.
fn clock(found: &Inspection) -> Finding {
    const WHAT: &str = "store clock";
    let (time, then) = found.time;
    let server = (time + then.elapsed()).as_micros();
    let ahead = server - SystemClock::new().now().as_micros();
    let said = format!(
        "the server's is {}.{:03} s {}",
        ahead.abs() / 1_000_000,
        ahead.abs() / 1000 % 1000,
        if ahead < 0 { "behind" } else { "ahead" }
    );
    if ahead.abs() < 1_000_000 {
        Finding::ok(WHAT, said)
    } else {
        Finding::warn(WHAT, said, "the service goes by the server's clock, and its log by this machine's; have NTP set both")
    }
}

fn durability(found: &Inspection) -> Finding {
    const WHAT: &str = "durability";
    match (found.durability, found.replicas) {
        (Durability::Nothing, _) => {
            Finding::fail(WHAT, "a crash of the server loses sales", "set fsync and synchronous_commit to on")
        }
        (Durability::Failover, _) => {
            Finding::ok(WHAT, "each commit is on the disk of the primary and of a replica before it is answered")
        }
        (Durability::Crash, 0) => Finding::ok(WHAT, "each commit is on the disk before it is answered"),
        (Durability::Crash, _) => {
            let hint = "set synchronous_standby_names, or the last sales are lost when a replica takes over";
            Finding::warn(WHAT, "commits do not wait for a replica", hint)
        }
    }
}

fn file(path: &Path) -> Vec<Finding> {
    const WHAT: &str = "store";
    if !path.exists() {
        return vec![Finding::ok(WHAT, format!("{} is not there yet; the first command makes it", path.display()))];
    }
    let header = match Header::read(path) {
        Ok(header) => header,
        Err(error) => {
            return vec![Finding::fail(WHAT, format!("{}: {error}", path.display()), "it is not a store; name another folder")];
        }
    };
    if !header.is_sqlite() || !header.is_ours() {
        let found = format!("{} is not an Evently store", path.display());
        return vec![Finding::fail(WHAT, found, "name another folder with --data, or another file with store.url")];
    }
    let bytes = fs::metadata(path).map_or(0, |file| file.len());
    let version = version(header.schema(), compose::STORE_VERSION);
    let durability = if header.has_wal() {
        Finding::ok("durability", "write-ahead log; each commit is on the disk before it is answered (synchronous=full)")
    } else {
        let hint = "something else has changed the file; it is put right when the store is opened next";
        Finding::warn("durability", "no write-ahead log", hint)
    };
    vec![
        Finding::ok(WHAT, format!("{} ({} KiB)", path.display(), bytes / 1024)),
        version,
        durability,
        owner(path, "store access"),
    ]
}

fn version(found: usize, known: usize) -> Finding {
    const WHAT: &str = "store version";
    match found.cmp(&known) {
        Ordering::Equal => Finding::ok(WHAT, format!("schema {found}")),
        Ordering::Less => Finding::ok(WHAT, format!("schema {found}; brought to {known} when it is opened next")),
        Ordering::Greater => {
            let hint = "upgrade Evently, or restore a backup from before the upgrade (docs/operations.md, Backups)";
            Finding::fail(WHAT, format!("schema {found}, and this version of Evently knows {known}"), hint)
        }
    }
}

/// Whoever may read the store has every address and every ticket in it.
fn owner(path: &Path, what: &'static str) -> Finding {
    let mode = |path: &Path| fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
    // Nobody gets at what is in a folder that they may not enter.
    let shut = path.parent().is_some_and(|folder| mode(folder).is_ok_and(|mode| mode & 0o001 == 0));
    match mode(path) {
        Ok(mode) if shut => Finding::ok(what, format!("mode {mode:o}, in a folder that is closed to others")),
        Ok(mode) if mode & 0o007 != 0 => {
            let hint = format!("`chmod o-rwx {}` keeps other users of this machine out", path.display());
            Finding::warn(what, format!("every user of this machine may open it (mode {mode:o})"), hint)
        }
        Ok(mode) => Finding::ok(what, format!("mode {mode:o}")),
        Err(error) => Finding::warn(what, format!("{}: {error}", path.display()), "look at the file's permissions"),
    }
}

fn secrets(config: &Config) -> Finding {
    const WHAT: &str = "secrets";
    let kept = [(config.auth.secret.is_empty(), "auth.secret"), (config.payment.webhook_secret.is_empty(), "webhook.secret")];
    let kept = kept.into_iter().filter(|(kept, _)| *kept).map(|(_, name)| config.data.dir.join(name)).collect::<Vec<_>>();
    let mode = |path: &Path| fs::metadata(path).map(|file| file.permissions().mode() & 0o777).ok();
    if let Some(path) = kept.iter().find(|path| mode(path).is_some_and(|mode| mode & 0o077 != 0)) {
        let path = path.display();
        let hint =
            format!("`chmod 600 {path}`; whoever has read it can log in as anybody, so remove it to get a new one if in doubt");
        return Finding::fail(WHAT, format!("others may read {path}"), hint);
    }
    match kept.iter().filter(|path| mode(path).is_none()).count() {
        _ if kept.is_empty() => Finding::ok(WHAT, "configured"),
        0 => Finding::ok(WHAT, "kept in the data folder, for their owner alone"),
        _ => Finding::ok(WHAT, "are made in the data folder when the service starts"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};
    use crate::commands::db::inspected;

    /// The states of what is said of the store, its version, its durability and its clock.
    fn states(found: Inspection) -> Vec<State> {
        let inspected: Result<_, std::io::Error> = Ok(found);
        server("postgres://localhost", inspected).into_iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn a_server_on_which_sales_would_be_lost_or_refused_will_not_do() {
        use State::{Fail, Ok, Warn};

        assert_eq!(states(inspected()), [Ok, Ok, Ok, Ok]);
        assert_eq!(states(Inspection { problem: Some(Problem::TooOld("14.11".to_owned())), ..inspected() }), [Fail, Ok, Ok, Ok]);
        assert_eq!(states(Inspection { problem: Some(Problem::Replica), ..inspected() }), [Fail, Ok, Ok, Ok]);
        assert_eq!(states(Inspection { schema: 0, ..inspected() }), [Ok, Ok, Ok, Ok], "it is brought to ours");
        assert_eq!(
            states(Inspection { schema_is_newer: true, problem: Some(Problem::Newer), ..inspected() }),
            [Ok, Fail, Ok, Ok]
        );
        for replicas in [0, 1] {
            let nothing = Inspection { durability: Durability::Nothing, replicas, ..inspected() };
            assert_eq!(states(nothing), [Ok, Ok, Fail, Ok], "{replicas}");
        }
        assert_eq!(states(Inspection { replicas: 1, ..inspected() }), [Ok, Ok, Warn, Ok]);
        assert_eq!(states(Inspection { durability: Durability::Failover, replicas: 1, ..inspected() }), [Ok, Ok, Ok, Ok]);
        let (now, then) = inspected().time;
        let ahead = Inspection { time: (now + std::time::Duration::from_mins(1), then), ..inspected() };
        assert_eq!(states(ahead), [Ok, Ok, Ok, Warn]);
    }
}
