//! The programs of the packages, and who runs them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

use rustix::process::geteuid;

/// The oldest `PostgreSQL` that Evently works with.
const OLDEST: u32 = 15;

/// A program of the newest `PostgreSQL` of the machine. Not the one in the path, which is a slow wrapper that knows the machine's own
/// clusters.
pub fn postgres_program(name: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let programs = versions.map(|version| (version, PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/{name}"))));
    let newest = programs.filter(|(version, program)| *version >= OLDEST && program.exists()).max();
    newest.map(|(_, program)| program).ok_or_else(|| {
        format!("there is no {name} of PostgreSQL {OLDEST} or later in /usr/lib/postgresql; install the package postgresql")
    })
}

/// A user of the system.
#[derive(Clone, Copy)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// Whom a server has to run as: another user if we are root, because these servers refuse to run as root.
    pub fn for_servers() -> Result<Option<Self>, String> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("cannot read /etc/passwd: {error}"))?;
        let user = ["postgres", "nobody"].into_iter().find_map(|name| Self::in_file(&users, name));
        user.map(Some).ok_or_else(|| "there is neither a user postgres nor nobody to run a server as".to_owned())
    }

    fn in_file(users: &str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
            [found, _, uid, gid, ..] if found == name => Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }),
            _ => None,
        })
    }
}

/// The program as a command, without the settings of whoever runs the tests.
pub fn command(program: PathBuf, user: Option<User>) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            // Becomes the program, so the process id is the server's.
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).args(["--clear-groups", "--"]);
            command.arg(program);
            command
        }
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// What the program wrote; an error if it failed.
pub fn written(program: &str, output: &Output) -> Result<String, String> {
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
    }
}

/// Runs statements by `psql`, one after the other and each on its own; the rows of their results, columns parted by `|`.
pub fn psql(url: &str, statements: &[&str]) -> Result<String, String> {
    let mut psql = command(postgres_program("psql")?, None);
    // Verbose, so that an error begins with its code.
    psql.args(["-XqAtw", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", url]);
    for statement in statements {
        psql.args(["-c", statement]);
    }
    written("psql", &psql.output().map_err(|error| format!("cannot run psql: {error}"))?)
}

/// The URL with another database.
pub fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(address, parameters)| (address, Some(parameters)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{}/{database}{parameters}", &address[..end])
}
