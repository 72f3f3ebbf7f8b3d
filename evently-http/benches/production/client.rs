//! The crowd: so many connections, each of which asks again as soon as it has been answered.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
}

pub struct Measured {
    /// Holds in a second.
    pub rate: f64,
    /// Answers in a second.
    pub answers: f64,
    /// What 99 of 100 answers were faster than.
    pub p99: Duration,
    /// Answers that were no 201.
    pub refused: usize,
}

impl Load {
    /// Sends all of the requests.
    #[expect(clippy::disallowed_methods, reason = "time is what is measured")]
    pub async fn run(&self, requests: Vec<String>) -> Measured {
        let count = requests.len();
        let requests = Arc::new(Mutex::new(requests));
        let mut connections = JoinSet::new();
        let began = Instant::now();
        for _ in 0..self.connections {
            connections.spawn(ask(self.address, Arc::clone(&requests)));
        }
        let (mut times, mut refused) = (Vec::with_capacity(count), 0);
        while let Some(asked) = connections.join_next().await {
            let (took, no) = asked.expect("nobody panics");
            times.extend(took);
            refused += no;
        }
        let took = began.elapsed().as_secs_f64();
        let per_second = |count: usize| f64::from(u32::try_from(count).expect("there are few")) / took;
        times.sort_unstable();
        Measured { rate: per_second(count - refused), answers: per_second(count), p99: times[times.len() * 99 / 100], refused }
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn ask(address: SocketAddr, requests: Arc<Mutex<Vec<String>>>) -> (Vec<Duration>, usize) {
    let mut connection = TcpStream::connect(address).await.expect("the service listens");
    connection.set_nodelay(true).expect("a socket takes it");
    let (mut times, mut refused, mut answer) = (Vec::new(), 0, Vec::new());
    loop {
        let Some(request) = requests.lock().expect("nobody panics").pop() else { return (times, refused) };
        let began = Instant::now();
        connection.write_all(request.as_bytes()).await.expect("the service reads");
        read(&mut connection, &mut answer).await;
        times.push(began.elapsed());
        refused += usize::from(!answer.starts_with(b"HTTP/1.1 201"));
    }
}

/// Reads one answer, whose length is said in its head.
async fn read(connection: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        assert_ne!(connection.read_buf(answer).await.expect("the service answers"), 0, "it has hung up");
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).expect("it says how long it is");
        if answer.len() >= head + 4 + length.trim().parse::<usize>().expect("it is a number") {
            return;
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
