//! The folder of a server, and the watchdog that clears it away.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::tool::{self, User};

/// A socket's path may have 107 bytes; this leaves room for its name.
const LONGEST_PATH: usize = 80;

/// A folder with at most one running program; dropping it stops the program and removes the folder.
pub struct Folder {
    path: PathBuf,
    user: Option<User>,
    watchdog: Child,
    /// Closes when this process ends, however it does.
    pipe: Option<ChildStdin>,
}

impl Folder {
    /// `stop_signal` ends the program at once.
    pub fn create(stop_signal: &str) -> Result<Self, String> {
        Self::try_create(stop_signal).map_err(|error| format!("cannot make the folder of a server: {error}"))
    }

    fn try_create(stop_signal: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let user = User::for_servers()?;
        let folder = tempfile::Builder::new().prefix("evently-").tempdir()?;
        // As the kernel tells it when asked where a process works.
        let path = folder.path().canonicalize()?;
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(format!("{} is too long for the path of a socket; set TMPDIR", path.display()).into());
        }
        if let Some(user) = user {
            chown(&path, Some(user.uid), Some(user.gid))?;
        }
        let mut watchdog = watchdog(&path, stop_signal).spawn()?;
        // The watchdog removes it.
        _ = TempDir::keep(folder);
        let pipe = watchdog.stdin.take();
        Ok(Self { path, user, watchdog, pipe })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, which is the server's own.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        let owner = |user: User| chown(&path, Some(user.uid), Some(user.gid));
        let written = fs::write(&path, content).and_then(|()| self.user.map_or(Ok(()), owner));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    /// Starts a program that writes to `log`.
    pub fn spawn(&mut self, program: &Path, arguments: &[String], log: &Path) -> Result<Child, String> {
        let open = || File::options().append(true).create(true).open(log);
        let start = |log: File| {
            let mut command = tool::command(program.to_owned(), self.user);
            command.args(arguments).current_dir(&self.path).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            // Ctrl-C at a terminal is for us; what it means for the servers, the watchdog knows.
            command.process_group(0).spawn()
        };
        let mut child = open().and_then(start).map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let mut pipe = self.pipe.as_ref().expect("it is there until the drop");
        if let Err(error) = writeln!(pipe, "{}", child.id()) {
            _ = child.kill();
            _ = child.wait();
            return Err(format!("the watchdog of {} is gone: {error}", self.path.display()));
        }
        Ok(child)
    }

    /// Runs a program to its end.
    pub fn run(&mut self, program: &Path, arguments: &[String]) -> Result<(), String> {
        let log = self.path.join("setup.log");
        let status = self.spawn(program, arguments, &log)?.wait();
        if status.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(format!("{} failed: {}", program.display(), end_of(&log)))
    }

    /// Runs a program to its end beside the one that runs already. The watchdog need not know of it.
    pub fn run_beside(&self, program: &Path, arguments: &[String]) -> Result<String, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{} failed: {why}", program.display());
        let mut command = tool::command(program.to_owned(), self.user);
        let said =
            command.args(arguments).current_dir(&self.path).stdin(Stdio::null()).output().map_err(|error| failed(&error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if said.status.success() { Ok(text(&said.stdout)) } else { Err(failed(&text(&said.stderr))) }
    }

    /// Stops the program and removes the folder.
    pub fn clear_away(&mut self) {
        drop(self.pipe.take());
        _ = self.watchdog.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.clear_away();
    }
}

fn watchdog(folder: &Path, stop_signal: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", include_str!("watchdog.sh"), "watchdog"]).arg(folder).arg(stop_signal);
    // In its own group it outlives a Ctrl-C; without our output, nobody who reads that waits for it.
    command.current_dir("/").process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The last lines of a log, for an error.
pub fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
