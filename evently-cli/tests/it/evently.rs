//! The binary, its data folder, and the service that it runs.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use evently_cli::http1::{Answer, Connection, Request, Target};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::recorder;

const PATIENCE: Duration = Duration::from_secs(20);

/// A data folder of its own, and the binary working on it.
pub struct Evently {
    pub data: TempDir,
    /// Settings that every call gets.
    settings: Vec<(&'static str, String)>,
}

impl Evently {
    pub fn new() -> Self {
        let settings = vec![
            ("EVENTLY__RATE_LIMIT__ENABLED", "false".to_owned()),
            ("EVENTLY__AUTH__BCRYPT_COST", "4".to_owned()),
            ("EVENTLY__LOG__LEVEL", "error".to_owned()),
        ];
        Self { data: tempfile::tempdir().expect("there is room for a folder"), settings }
    }

    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    /// Sets something for every call from now on; the last of a name counts.
    pub fn set(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, value.to_owned()));
    }

    /// The binary with these arguments and the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare();
        command.envs(self.settings.iter().map(|(key, value)| (*key, value.as_str())));
        command.args(args).arg("--data").arg(self.data.path());
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().expect("the binary can be run"))
    }

    /// Runs it with something on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Said {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever does not read its stdin need not.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Said::from(child.wait_with_output().unwrap())
    }

    /// What a command that has to work says in JSON.
    pub fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        let said = self.run(&args);
        assert!(said.code == 0 && said.stdout.ends_with("}\n"), "{args:?}: {said:?}");
        said.json()
    }

    /// Starts the service on a free port, and waits until it listens.
    pub fn serve(&self) -> Service {
        Service::start(self.command(SERVE))
    }

    /// The same with more flags.
    pub fn serve_with(&self, flags: &[&str]) -> Service {
        Service::start(self.command(&[SERVE, flags].concat()))
    }

    /// The same at an address of its own.
    pub fn serve_at(&self, address: &str) -> Service {
        Service::start(self.command(&["serve", "--listen", address]))
    }

    /// Starts what works beside the services, and waits until it does.
    pub fn work(&self) -> Process {
        self.work_until("working")
    }

    /// The same, and waits until it says this.
    pub fn work_until(&self, sign: &'static str) -> Process {
        Process::start(self.command(&["worker"]), sign).0
    }

    /// The same from a shell that has first run this.
    pub fn serve_after(&self, shell: &str) -> Service {
        Service::start(self.command_after(shell, SERVE))
    }

    /// The binary with these arguments and the folder, from a shell that has first run this.
    pub fn command_after(&self, shell: &str, args: &[&str]) -> Command {
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]);
        self.command_by(sh, args)
    }

    /// The binary with these arguments and the folder, as another program's last arguments.
    pub fn command_by(&self, mut program: Command, args: &[&str]) -> Command {
        let direct = self.command(args);
        program.arg(direct.get_program()).args(direct.get_args());
        for (name, value) in direct.get_envs() {
            match value {
                Some(value) => program.env(name, value),
                None => program.env_remove(name),
            };
        }
        program
    }

    /// Starts the service by another program, which may end it before it listens; then how it ended.
    pub fn serve_by(&self, program: Command) -> Result<Service, ExitStatus> {
        Service::try_start(self.command_by(program, SERVE)).map_err(|(status, _)| status)
    }

    /// An account; its id.
    pub fn account(&self, email: &str, role: &str) -> String {
        let args = ["user", "create", "--email", email, "--name", "Somebody", "--role", role, "--password-stdin", "--json"];
        let said = self.run_with(&args, &format!("{PASSWORD}\n"));
        assert_eq!(said.code, 0, "{said:?}");
        said.json()["id"].as_str().unwrap().to_owned()
    }

    /// A published event with a seat for each in a row of `seats`; its id.
    pub fn event(&self, seats: u32) -> String {
        let plan = self.data.path().join("plan.csv");
        let lines = (1..=seats).map(|seat| format!("Floor,A,{seat},Stalls,{seat},1\n")).collect::<Vec<_>>();
        std::fs::write(&plan, format!("section,row,seat,category,x,y\n{}", lines.concat())).unwrap();
        let venue = self.json(&["venue", "import", plan.to_str().unwrap(), "--name", "Odeon"]);
        let venue = venue["id"].as_str().unwrap();
        let args = ["event", "create", "--venue", venue, "--name", "Gala", "--start", "2099-05-01T19:30:00Z", "--end"];
        let event = self
            .json(&[&args[..], &["2099-05-01T22:00:00Z", "--price", "Stalls=45.00", "--max-held", "100", "--publish"]].concat());
        event["id"].as_str().unwrap().to_owned()
    }
}

/// Waits until something is so; false if it is not after a minute.
pub fn within_a_minute(is_so: impl Fn() -> bool) -> bool {
    let began = recorder::now();
    while recorder::now() - began < 60_000_000 {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// The password of every account here.
pub const PASSWORD: &str = "correct horse";

/// The binary without anything that the machine may have set.
pub fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evently"));
    let set = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EVENTLY_"));
    set.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// What a process has said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON document: {error}: {self:?}"))
    }
}

/// The service while it runs. It is killed when this is dropped.
pub struct Service {
    pub target: Target,
    pub process: Process,
}

impl Service {
    fn start(command: Command) -> Self {
        Self::try_start(command).unwrap_or_else(|(_, said)| panic!("it did not start: {said}"))
    }

    fn try_start(command: Command) -> Result<Self, (ExitStatus, String)> {
        let (process, url) = Process::try_start(command, "listening on ")?;
        Ok(Self { target: Target::parse(&url).unwrap(), process })
    }

    pub fn connection(&self) -> Connection {
        Connection::new(self.target.clone(), PATIENCE)
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// An access token of the account.
    pub async fn log_in(&self, email: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": PASSWORD }).to_string();
        let answer = self.connection().send(&Request::post("/auth/login", body.as_bytes())).await.unwrap();
        body_of(&answer)["access_token"].as_str().expect("the account exists").to_owned()
    }

    /// Ends it at once, wherever it is, as a power cut would.
    pub fn kill(self) {
        self.process.kill();
    }
}

/// A process of the binary that runs until it is told to end. It is killed when this is dropped.
pub struct Process {
    child: Option<Child>,
    reader: Option<thread::JoinHandle<String>>,
}

impl Process {
    /// Starts it, and waits until it says so; the rest of the line in which it does.
    fn start(command: Command, sign: &'static str) -> (Self, String) {
        Self::try_start(command, sign).unwrap_or_else(|(_, said)| panic!("it did not start: {said}"))
    }

    /// The same; how it ended if it did before that, and what it had said.
    fn try_start(mut command: Command, sign: &'static str) -> Result<(Self, String), (ExitStatus, String)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = mpsc::channel();
        // Reads on after that, so that the process never waits for somebody to read what it says.
        let reader = thread::spawn(move || {
            let mut said = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once(sign) {
                    let _ = tell.send(rest.trim().to_owned());
                }
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let Ok(rest) = told.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            return Err((child.wait().unwrap(), reader.join().unwrap()));
        };
        Ok((Self { child: Some(child), reader: Some(reader) }, rest))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Ends it at once, wherever it is, as a power cut would.
    pub fn kill(mut self) {
        self.end();
    }

    /// Tells it to stop, as an operator does.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end after that; what it has said.
    pub fn ended(mut self) -> String {
        let mut child = self.child.take().expect("it runs");
        let status = child.wait().expect("it is ours");
        let said = self.reader.take().expect("it runs").join().expect("reading does not fail");
        assert!(status.success() && !said.contains("panicked"), "{status}: {said}");
        said
    }

    /// Waits until somebody else has ended it; how they did.
    pub fn was_ended(mut self) -> ExitStatus {
        let status = self.child.as_mut().expect("it runs").wait().expect("it is ours");
        self.end();
        status
    }

    /// Makes it stand still: its connections stay open, and it does nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("it runs")), signal).expect("it is ours");
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
        if let Some(reader) = self.reader.take() {
            let said = reader.join().expect("reading does not fail");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        } else if let Some(mut child) = self.child.take() {
            let _ = child.kill();
        }
    }
}

/// The JSON document of an answer.
pub fn body_of(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(answer.body())))
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
