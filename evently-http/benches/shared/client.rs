//! The crowd: so many connections, each of which asks again as soon as it has been answered.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::JoinSet,
};

pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
}

pub struct Measured {
    /// Good answers in a second.
    pub rate: f64,
    /// What 99 of 100 answers were faster than.
    pub p99: Duration,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Answers that were neither 200 nor 201.
    pub refused: usize,
    /// Answers that were 409.
    pub conflicts: usize,
}

impl Load {
    /// Sends all of the requests. Everybody is connected before the first one is sent.
    pub async fn run(&self, requests: Vec<String>) -> Measured {
        let count = requests.len();
        let requests = Arc::new(Mutex::new(requests));
        let together = Arc::new(Barrier::new(self.connections));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(ask(self.address, Arc::clone(&requests), Arc::clone(&together)));
        }
        let asked = connections.join_all().await;
        let began = asked.iter().map(|asked| asked.began).min().expect("somebody asks");
        let took = asked.iter().map(|asked| asked.ended).max().expect("somebody asks") - began;
        let sum = |of: fn(&Asked) -> usize| asked.iter().map(of).sum::<usize>();
        let (refused, conflicts) = (sum(|asked| asked.refused), sum(|asked| asked.conflicts));
        let mut times = asked.into_iter().flat_map(|asked| asked.times).collect::<Vec<_>>();
        times.sort_unstable();
        Measured { rate: per_second(count - refused, took), p99: times[times.len() * 99 / 100], took, refused, conflicts }
    }
}

/// How many of so many come in a second.
pub fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("there are few")) / took.as_secs_f64()
}

/// What one connection has met.
struct Asked {
    began: Instant,
    ended: Instant,
    times: Vec<Duration>,
    refused: usize,
    conflicts: usize,
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn ask(address: SocketAddr, requests: Arc<Mutex<Vec<String>>>, together: Arc<Barrier>) -> Asked {
    let mut connection = Connection::open(address).await;
    together.wait().await;
    let began = Instant::now();
    let mut asked = Asked { began, ended: began, times: Vec::new(), refused: 0, conflicts: 0 };
    loop {
        let Some(request) = requests.lock().expect("nobody panics").pop() else { return asked };
        let began = Instant::now();
        let answer = connection.ask(&request).await;
        let status = answer.get(9..12).expect("an answer begins with its status");
        asked.refused += usize::from(!matches!(status, b"200" | b"201"));
        asked.conflicts += usize::from(status == b"409");
        asked.ended = Instant::now();
        asked.times.push(asked.ended - began);
    }
}

/// One that stays open.
pub struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("the service listens");
        socket.set_nodelay(true).expect("a socket takes it");
        Self { socket, answer: Vec::new() }
    }

    /// The answer, whose length is said in its head.
    pub async fn ask(&mut self, request: &str) -> &[u8] {
        self.socket.write_all(request.as_bytes()).await.expect("the service reads");
        self.answer.clear();
        loop {
            assert_ne!(self.socket.read_buf(&mut self.answer).await.expect("the service answers"), 0, "it has hung up");
            let Some(head) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&self.answer[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).expect("it says how long it is");
            if self.answer.len() >= head + 4 + length.trim().parse::<usize>().expect("it is a number") {
                return &self.answer;
            }
        }
    }
}

/// A request with a body in JSON.
pub fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A request without one.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n")
}
