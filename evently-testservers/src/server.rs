//! A server that runs, stands still or is down.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::folder::{Folder, end_of};
use crate::processes::{self, signal, wait_until};

/// How long a server may take to start or to stop, on a machine that is busy with many tests. The slowest is RabbitMQ.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program with its folder, and how it is started.
pub struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    path: PathBuf,
    log: PathBuf,
    state: Mutex<State>,
}

struct State {
    folder: Folder,
    /// None while it is down.
    process: Option<Child>,
}

impl Server {
    /// Not yet started.
    pub fn new(folder: Folder, program: PathBuf, arguments: Vec<String>) -> Self {
        let path = folder.path().to_owned();
        let log = path.join("server.log");
        Self { program, arguments, path, log, state: Mutex::new(State { folder, process: None }) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it if it is down, and waits until it is `ready`, which is told its process id.
    pub fn start(&self, ready: impl Fn(u32) -> bool) -> Result<(), String> {
        let mut state = self.state();
        if state.process.is_some() {
            return Ok(());
        }
        let mut process = state.folder.spawn(&self.program, &self.arguments, &self.log)?;
        let mut ended = false;
        let up = wait_until(PATIENCE, || {
            ended = !matches!(process.try_wait(), Ok(None));
            ended || ready(process.id())
        });
        if up && !ended {
            state.process = Some(process);
            return Ok(());
        }
        _ = process.kill();
        _ = process.wait();
        let what = if ended { "ended at once" } else { "was not ready in time" };
        Err(format!("{} {what}: {}", self.program.display(), end_of(&self.log)))
    }

    /// Sends it `how`, if it runs, and waits for its end.
    pub fn stop(&self, how: Signal) -> Result<(), String> {
        let mut state = self.state();
        let Some(mut process) = state.process.take() else { return Ok(()) };
        self.wake();
        signal(Pid::from_child(&process), how);
        if wait_until(PATIENCE, || !matches!(process.try_wait(), Ok(None))) {
            return Ok(());
        }
        state.process = Some(process);
        Err(format!("{} does not stop: {}", self.program.display(), end_of(&self.log)))
    }

    /// Ends it without a warning.
    pub fn kill(&self) {
        let mut state = self.state();
        let Some(mut process) = state.process.take() else { return };
        _ = process.kill();
        _ = process.wait();
        // Its children notice that it is gone, but a stopped one never does, and a busy one late.
        self.wake();
        wait_until(Duration::from_secs(2), || self.processes().is_empty());
        wait_until(PATIENCE, || {
            let left = self.processes();
            for id in &left {
                signal(*id, Signal::KILL);
            }
            left.is_empty()
        });
    }

    /// Stops it in the middle of what it does: connections stay, and nobody answers.
    pub fn pause(&self) {
        let state = self.state();
        let Some(process) = &state.process else { return };
        // The parent first; then there are no new children.
        let parent = Pid::from_child(process);
        signal(parent, Signal::STOP);
        wait_until(PATIENCE, || processes::is_stopped(parent));
        // Looked for again each time, because some may just be ending.
        wait_until(PATIENCE, || {
            let busy = self.processes().into_iter().filter(|id| !processes::is_stopped(*id));
            busy.inspect(|id| signal(*id, Signal::STOP)).count() == 0
        });
    }

    /// Runs a program to its end that talks to it, and returns what that says.
    pub fn ask(&self, program: &Path, arguments: &[String]) -> Result<String, String> {
        self.state().folder.run_beside(program, arguments)
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let _state = self.state();
        self.wake();
    }

    fn wake(&self) {
        self.processes().into_iter().for_each(|id| signal(id, Signal::CONT));
    }

    fn processes(&self) -> Vec<Pid> {
        processes::in_folder(&self.path)
    }

    /// A test that failed while it held this says so itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.wake();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // The watchdog stops the process; it is ours to reap. Its folder goes next.
        if let Some(mut process) = self.process.take() {
            self.folder.clear_away();
            _ = process.wait();
        }
    }
}
