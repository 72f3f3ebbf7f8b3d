//! The program `evently-server`, and what it makes of its flags.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use evently_http::{
    config::{Config, Sources},
    serve::{serve, serve_app, work},
    server::Stopped,
};
use rustix::process::{Signal, getpid, kill_process};
use tokio::{io::AsyncWriteExt, sync::oneshot};

use crate::{app::TestApp, broker::until, server::answer};

/// It runs on a data folder of its own, and is killed in the end.
pub struct Program {
    child: Child,
    address: String,
    /// What it says before it listens.
    pub said: String,
    data: tempfile::TempDir,
}

impl Program {
    /// Starts it after these commands of a shell.
    pub fn start(first: &str, flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{first} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_evently-server")]);
        command.args(flags).arg("--data").arg(data.path()).env("NO_COLOR", "1");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not start: {said}"));
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
            said += &line;
        };
        // What it says after that, once there is something to say.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, said, data }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let (mut stream, mut answer) = (self.connect(), String::new());
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Whether somebody has taken in figures of sales.
    fn has_figures(&self) -> bool {
        let store = rusqlite::Connection::open(self.data.path().join("evently.db")).unwrap();
        store.busy_timeout(Duration::from_secs(30)).unwrap();
        store.query_one("select max(position) > 0 from sales_position", [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_listens_where_it_is_told_and_has_demo_data_only_where_they_are_wanted() {
    let demo = Program::start(":", &["--listen", "127.0.0.2:0", "--demo"]);
    assert!(demo.address.starts_with("127.0.0.2:") && !demo.address.ends_with(":8080"), "{}", demo.address);
    assert!(demo.data.path().join("evently.db").exists());
    let plain = Program::start(":", &["--listen", "127.0.0.1:0"]);
    for (program, has_some) in [(&demo, true), (&plain, false)] {
        let events = program.get("/api/v1/events");
        assert!(events.starts_with("HTTP/1.1 200") && events.contains("\"start_time\"") == has_some, "{events}");
    }
}

#[test]
fn it_leaves_the_work_beside_the_requests_to_others_where_it_is_told_to() {
    let works = Program::start(":", &["--listen", "127.0.0.1:0", "--demo"]);
    let leaves_it = Program::start(":", &["--listen", "127.0.0.1:0", "--demo", "--no-workers"]);
    let done = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        works.has_figures()
    });
    assert!(done, "by itself it does it");
    assert!(!leaves_it.has_figures());
}

#[test]
fn it_reads_the_settings_that_are_in_the_file_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    std::fs::write(&file, "http:\n  listen: 127.0.0.3:0\n").unwrap();
    let program = Program::start(":", &["--config", file.to_str().unwrap()]);
    assert!(program.address.starts_with("127.0.0.3:"), "{}", program.address);
}

/// Whoever starts it again and again can tell what is theirs to mend.
#[test]
fn it_ends_with_two_where_it_is_told_what_is_wrong_and_with_three_where_something_is_not_to_be_had() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, code, said) in [("nowhere", 2, "http.listen (--listen): must be"), (&taken, 3, "cannot listen on")] {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evently-server"));
        let ended = command.args(["--listen", address, "--data"]).arg(data.path()).output().unwrap();
        let said_is = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(code) && said_is.contains(said), "{address}: {} {said_is}", ended.status);
    }
}

const CHILD: &str = "EVENTLY_TEST_IS_TOLD_TO_STOP";

/// Starts the test itself a second time, and waits for that: a signal is for a whole process. True in the second one.
fn is_alone(test: &str) -> bool {
    if env::var_os(CHILD).is_some() {
        return true;
    }
    let ended = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("program::{test}"), "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success() && said.contains("1 passed"), "{}: {said}", ended.status);
    false
}

fn config(data: &Path) -> Config {
    let settings = [("data.dir", data.to_str().unwrap()), ("http.listen", "127.0.0.1:0")];
    let flags = settings.map(|(key, value)| ("flag", key, value.to_owned())).into();
    Config::load(&Sources { flags, ..Sources::default() }).unwrap()
}

/// Tells this process to stop.
fn stop() {
    kill_process(getpid(), Signal::TERM).unwrap();
}

#[tokio::test]
async fn whoever_is_told_to_stop_as_soon_as_it_runs_stops() {
    if !is_alone("whoever_is_told_to_stop_as_soon_as_it_runs_stops") {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let stopped = serve(config(data.path()), |_, _| stop()).await.unwrap();
    assert!(matches!(stopped, Stopped::Finished));
    work(config(data.path()), |_| stop()).await.unwrap();
}

/// Or what it had claimed would be left to nobody for a while, and a mail might go out twice.
#[tokio::test]
async fn whoever_works_for_others_finishes_what_it_has_begun_when_it_is_told_to_stop() {
    if !is_alone("whoever_works_for_others_finishes_what_it_has_begun_when_it_is_told_to_stop") {
        return;
    }
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    let waiting = app.app.relay.waiting().await.unwrap();
    // Each worker has begun with a round by the time the signal is noticed.
    work(config(&app.app.config.data.dir), |_| stop()).await.unwrap();
    assert!(app.app.relay.waiting().await.unwrap() < waiting, "what was handed on is noted");
}

/// Or what is being done would be torn in two each time that the service is started anew. Here it takes its time, because somebody else writes.
#[tokio::test]
async fn a_service_that_is_told_to_stop_waits_for_the_work_beside_the_requests() {
    if !is_alone("a_service_that_is_told_to_stop_waits_for_the_work_beside_the_requests") {
        return;
    }
    let app = TestApp::with(&[("http.listen", "127.0.0.1:0")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    let store = rusqlite::Connection::open(app.app.config.store_file().unwrap()).unwrap();
    store.busy_timeout(Duration::from_secs(30)).unwrap();
    store.execute_batch("begin immediate").unwrap();
    let mut served = tokio::spawn(serve_app(app.app.clone(), |_, _| stop()));
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut served).await.is_err(), "its workers are at it");
    store.execute_batch("rollback").unwrap();
    let stopped = tokio::time::timeout(Duration::from_mins(1), served).await.expect("it stops").unwrap();
    assert!(matches!(stopped, Ok(Stopped::Finished)));
}

/// A drain may take minutes, and what is paid meanwhile is not to wait for the next process.
#[tokio::test]
async fn the_work_beside_the_requests_goes_on_until_the_last_of_them() {
    if !is_alone("the_work_beside_the_requests_goes_on_until_the_last_of_them") {
        return;
    }
    let app = TestApp::with(&[("http.listen", "127.0.0.1:0"), ("http.drain", "1h")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let (listens, address) = oneshot::channel();
    let served = tokio::spawn(serve_app(app.app.clone(), |_, address| listens.send(address).unwrap()));
    let address = address.await.unwrap();
    stop();
    until("it drains", async || {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        answer(&mut stream).await.contains("connection: close\r\n")
    })
    .await;
    // A round that was under way may have caught the first one.
    for seat in 0..2 {
        app.hold(&ada, event, &[seat]).await;
        app.advance(300);
        until("the hold is ended", async || app.app.store.chores.pending_total().await.unwrap() == 0).await;
    }
    served.abort();
}
