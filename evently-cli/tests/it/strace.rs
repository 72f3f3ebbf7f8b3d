//! `strace`, which ends a process at one of its system calls, or lets one fail.
//!
//! It takes the right to look into the process: root has it, and its owner where the machine allows that (`kernel.yama.ptrace_scope` is 0,
//! and a container has not forbidden it). Where it is missing, whoever asks for it is told so; nothing is left out.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

/// What is done to system calls.
#[derive(Debug, Clone)]
pub struct Injection {
    /// Their names, with commas between them.
    calls: &'static str,
    what: &'static str,
    /// From which of them on, and whether to those after it too. Each thread has its own.
    nth: u64,
    all: bool,
    /// Only those about one of these files, if there are any.
    files: Vec<PathBuf>,
}

impl Injection {
    /// The process is killed before its so manyth call of this name.
    pub fn kill(call: &'static str, nth: u64) -> Self {
        Self { calls: call, what: "signal=KILL", nth, all: false, files: Vec::new() }
    }

    /// All calls of these names fail with this error, and nothing is done.
    pub fn fail(calls: &'static str, error: &'static str) -> Self {
        Self { calls, what: error, nth: 1, all: true, files: Vec::new() }
    }

    /// Only calls about these files.
    pub fn on(self, files: Vec<PathBuf>) -> Self {
        Self { files, ..self }
    }

    /// How a program is started that this is done to, by the arguments behind it. Its calls are written to `trace`.
    ///
    /// The program is the process that is started, and `strace` a grandchild, which ends with it.
    pub fn since_the_start(&self, trace: &Path) -> Command {
        let mut strace = self.strace(trace);
        strace.arg("-D");
        strace
    }

    /// Does this to processes that run already, and to all that they start from now on.
    pub fn attached(&self, processes: &[u32], trace: PathBuf) -> Strace {
        let mut strace = self.strace(&trace);
        for process in processes {
            strace.args(["-p", &process.to_string()]);
        }
        let started = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("strace cannot be run, which is in the package strace: {error}"));
        let stderr = child.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let said = lines.by_ref().take(processes.len()).collect::<Vec<_>>();
        // One of several may just have ended.
        let attached = said.iter().any(|line| line.contains(" attached"));
        assert!(attached, "strace may not look into processes, which takes root, or that the machine allows it: {said:?}");
        // Whoever writes to a pipe that nobody reads is ended.
        thread::spawn(move || lines.for_each(drop));
        Strace { child, injection: self.clone(), trace }
    }

    fn strace(&self, trace: &Path) -> Command {
        let mut command = Command::new("strace");
        let Self { calls, what, nth, all, files } = self;
        let all = if *all { "+" } else { "" };
        // With the names of files, and without what is written to them.
        command.args(["-f", "-y", "-s", "0", "-o"]).arg(trace);
        command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:{what}:when={nth}{all}")]);
        for file in files {
            command.arg("-P").arg(file);
        }
        command
    }

    /// The call to which it was done, without its arguments but the name of a file; nothing if it was not.
    pub fn found_in(&self, trace: &Path) -> Option<String> {
        let trace = fs::read_to_string(trace).unwrap_or_default();
        let mut made = HashMap::new();
        for line in trace.lines() {
            let (thread, call) = line.split_once(' ')?;
            let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
            if self.calls.split(',').any(|call| call == name) {
                let made = made.entry(thread).or_insert(0);
                *made += 1;
                if *made == self.nth {
                    return Some(format!("{name} {}", file(arguments)).trim_end().to_owned());
                }
            }
        }
        None
    }
}

/// The file that a call is about, if it is about one: `11</tmp/evently.db-wal>, …`.
fn file(arguments: &str) -> &str {
    let Some((number, name)) = arguments.split_once('<') else { return "" };
    let name = name.split('>').next().unwrap_or_default();
    match name.split_once(':') {
        // There are other things between such brackets.
        _ if number.parse::<u32>().is_err() => "",
        // A socket, or something that is no file at all, has a number.
        Some(("anon_inode", what)) => what,
        Some((kind, _)) => kind,
        // Each has a name of its own.
        None if name.contains("/mail") => "mail",
        None => name.rsplit('/').next().unwrap_or_default(),
    }
}

/// An `strace` that runs beside those it looks into. It lets go of them when this is dropped.
pub struct Strace {
    child: Child,
    injection: Injection,
    trace: PathBuf,
}

impl Strace {
    /// Whether it has done something yet, and to which call first.
    pub fn has_struck(&self) -> Option<String> {
        self.injection.found_in(&self.trace)
    }

    /// Whether all have ended into whom it looks.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_some()
    }

    /// Waits until those into whom it looks have ended; to which call it was done, if it was.
    pub fn ends(mut self) -> Option<String> {
        self.child.wait().expect("it is ours");
        self.has_struck()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // Told to stop, it lets go of them first.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}
