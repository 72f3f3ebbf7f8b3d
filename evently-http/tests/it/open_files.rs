//! The program where the system lets it open few files.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The service under these limits of a shell, and killed in the end.
struct Limited {
    child: Child,
    address: String,
    said: String,
    _data: tempfile::TempDir,
}

impl Limited {
    fn start(limits: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_evently-server")]);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path()).env("NO_COLOR", "1");
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
        Self { child, address, said, _data: data }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answers(stream: &mut TcpStream) -> bool {
    let mut status = [0; 12];
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").is_ok()
        && stream.read_exact(&mut status).is_ok()
        && status == *b"HTTP/1.1 200"
}

#[test]
fn it_takes_all_that_the_system_allows() {
    let service = Limited::start("ulimit -Sn 64");
    let mut streams = (0..200).map(|_| service.connect()).collect::<Vec<_>>();
    assert!(streams.iter_mut().all(answers));
}

#[test]
fn where_that_is_too_little_it_says_so_and_goes_on_with_fewer_connections() {
    let service = Limited::start("ulimit -n 150");
    assert!(service.said.contains("there is room for 50 connections"), "{}", service.said);
    let mut streams = (0..200).map(|_| service.connect()).collect::<Vec<_>>();
    let answered = streams.iter_mut().filter_map(|stream| answers(stream).then_some(())).count();
    assert_eq!(answered, 50);
    drop(streams);
    // It notices in its own time that they have gone.
    assert!((0..10_000).any(|_| answers(&mut service.connect())));
}
