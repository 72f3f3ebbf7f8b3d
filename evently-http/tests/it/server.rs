//! The server over real sockets, with clients that do not behave.

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Extension,
    routing::{get, post},
};
use evently_http::{
    clock::SystemClock,
    config::{Config, Sources},
    extract::Json,
    ids::SystemIds,
    middleware::{Stack, wrap},
    server::{self, Closing, Limits, Stopped},
    tokens::JwtAccessTokens,
    websocket::Handshake,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::{Notify, Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
    time::{self, Instant},
};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::log::Log;

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than the buffers of both sides hold.
const LARGE: usize = 64 << 20;

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
    /// Tells that a request waits at `/waiting`.
    waiting: Arc<Notify>,
    /// Lets it answer.
    gate: Arc<Semaphore>,
}

fn config(settings: &[(&'static str, &str)]) -> Config {
    let flags = settings.iter().map(|(key, value)| ("flag", *key, (*value).to_owned())).collect();
    Config::load(&Sources { flags, ..Sources::default() }).unwrap()
}

fn served(settings: &[(&'static str, &str)]) -> Served {
    let config = config(settings);
    let (waiting, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let wait = {
        let (waiting, gate) = (Arc::clone(&waiting), Arc::clone(&gate));
        move || async move {
            waiting.notify_one();
            let _ = gate.acquire().await.unwrap();
            "waited"
        }
    };
    let feed = |Extension(mut closing): Extension<Closing>| async move {
        closing.begun().await;
        "closed"
    };
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/waiting", get(wait))
        .route("/feed", get(feed))
        .route("/live", get(|asked: Handshake| async { asked.accept(WebSocketConfig::default(), async |_| {}) }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
        .route("/json", post(|Json(body): Json<Value>| async move { body.to_string() }));
    let tokens = Arc::new(JwtAccessTokens::new(&["0123456789abcdef0123456789abcdef"]));
    let stack = Stack::new(&config, Arc::new(SystemClock::new()), Arc::new(SystemIds::new()), tokens);
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(server::serve(listener, wrap(router, &stack), Limits::from(&config.http), stopped));
    Served { address, stop, ended, waiting, gate }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        time::timeout(PATIENCE, self.ended).await.expect("it stops").unwrap()
    }

    /// Whether somebody who behaves gets an answer.
    async fn answers(&self) -> bool {
        let mut stream = self.connect().await;
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        rest(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n")
    }
}

/// What comes until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    // A reset is an end like any other.
    let _ = read;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a short body.
pub async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let complete = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
        (body.len() >= length).then_some(())
    };
    loop {
        let read = time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await.expect("an answer").unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if read == 0 || complete(&text).is_some() {
            return text.into_owned();
        }
    }
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let served = served(&[("http.header_timeout", "300ms")]);
    let began = Instant::now();
    let mut streams = Vec::new();
    for start in ["", "GET", "GET /hello HTTP/1.1\r\n", "GET /hello HTTP/1.1\r\nhost: x\r\nx-a: b\r\n"] {
        let mut stream = served.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        rest(stream).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(served.answers().await);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off_too() {
    let served = served(&[("http.header_timeout", "300ms")]);
    let (mut read, mut write) = served.connect().await.into_split();
    let trickle = async move {
        // As long as the other side listens.
        while write.write_all(b"x-a: b\r\n").await.is_ok() {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    let trickle = tokio::spawn(trickle);
    let mut bytes = Vec::new();
    let _ = time::timeout(PATIENCE, read.read_to_end(&mut bytes)).await.expect("it is cut off");
    trickle.abort();
}

#[tokio::test]
async fn a_body_that_trickles_in_is_cut_off() {
    let served = served(&[("http.request_timeout", "300ms")]);
    let mut stream = served.connect().await;
    stream
        .write_all(b"POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[1,")
        .await
        .unwrap();
    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("request_timeout"));
}

#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    let served = served(&[("http.request_timeout", "300ms"), ("http.header_timeout", "1h")]);
    let mut stream = served.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let closed = async {
        // Answered by a reset when the other side is closed.
        while stream.write_all(b" ").await.is_ok() {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, closed).await.expect("it is cut off");
    assert!(rest(&mut stream).await.len() < LARGE);
}

#[tokio::test]
async fn who_reads_gets_all_of_a_large_answer() {
    let served = served(&[]);
    let mut reads = served.connect().await;
    reads.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut reads).await.len() > LARGE);
}

/// What counts is how long nothing is taken, not how long all of it takes.
#[tokio::test]
async fn who_reads_slowly_gets_all_of_a_large_answer_too() {
    let served = served(&[("http.request_timeout", "3s")]);
    let mut stream = served.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let (began, mut some, mut got) = (Instant::now(), vec![0; 1 << 20], 0);
    loop {
        let read = stream.read(&mut some).await.expect("it is not cut off");
        if read == 0 {
            break;
        }
        // A tenth of a second for each MiB.
        time::sleep(Duration::from_nanos(100 * u64::try_from(read).unwrap())).await;
        got += read;
    }
    assert!(got > LARGE && began.elapsed() > Duration::from_secs(6), "{got} bytes in {:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_forgotten() {
    let served = served(&[]);
    let mut headers = String::new();
    for n in 0..2000 {
        write!(headers, "x-{n}: {n}\r\n").unwrap();
    }
    for (sent, expected) in [
        ("NONSENSE\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("GET /hello HTTP/1.1\r\nhost : x\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("GET /hello HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("GET /hello HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(), ""),
        (format!("GET /hello HTTP/1.1\r\n{headers}\r\n"), "HTTP/1.1 431 "),
        (format!("GET /hello HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000)), "HTTP/1.1 431 "),
        (
            "POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"
                .to_owned(),
            "HTTP/1.1 4",
        ),
    ] {
        let mut stream = served.connect().await;
        let _ = stream.write_all(sent.as_bytes()).await;
        let _ = stream.shutdown().await;
        let text = rest(&mut stream).await;
        assert!(text.starts_with(expected), "{text:?} to {:?}", &sent[..sent.len().min(60)]);
        assert_eq!(text.matches("HTTP/1.1 200").count(), 0, "nothing is smuggled");
    }
    let mut truncated = served.connect().await;
    truncated
        .write_all(b"POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[1")
        .await
        .unwrap();
    drop(truncated);
    assert!(served.answers().await);
}

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_has_come() {
    let served = served(&[]);
    for head in ["content-length: 104857600\r\n", "transfer-encoding: chunked\r\n"] {
        let (mut read, mut write) = served.connect().await.into_split();
        let head = format!("POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{head}\r\n");
        let sends = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await?;
            let chunk = [&b"10000\r\n"[..], &vec![b' '; 0x1_0000], b"\r\n"].concat();
            let mut sent = 0;
            while sent < 100 << 20 {
                write.write_all(&chunk).await?;
                sent += chunk.len();
            }
            Ok::<_, std::io::Error>(sent)
        });
        let mut bytes = vec![0; 12];
        time::timeout(PATIENCE, read.read_exact(&mut bytes)).await.expect("an answer while it is still coming").unwrap();
        assert_eq!(bytes, b"HTTP/1.1 413");
        sends.abort();
    }
}

#[tokio::test]
async fn idle_connections_take_nobody_elses_place() {
    let served = served(&[("http.connections_max", "300")]);
    let mut idle = Vec::new();
    for _ in 0..299 {
        idle.push(served.connect().await);
    }
    assert!(served.answers().await);
    let _last = served.connect().await;
    // Those before were taken in order, so from here on there is no room.
    let mut refused = served.connect().await;
    assert_eq!(rest(&mut refused).await, "");
    drop(idle);
    let mut tries = 0;
    while !served.answers().await {
        tries += 1;
        assert!(tries < 1000, "places are free again");
    }
}

#[tokio::test]
async fn one_address_takes_only_its_own_places() {
    let served = served(&[("http.connections_per_client", "2")]);
    let (mut first, _second) = (served.connect().await, served.connect().await);
    assert_eq!(rest(&mut served.connect().await).await, "");
    first.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut first).await.ends_with("hello"));
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = elsewhere.connect(served.address).await.unwrap();
    elsewhere.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut elsewhere).await.ends_with("hello"), "somebody else");
}

#[tokio::test]
async fn a_trusted_proxy_is_many_clients() {
    let served = served(&[("http.connections_per_client", "2"), ("http.trusted_proxies", "127.0.0.0/8")]);
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(served.connect().await);
    }
    for stream in &mut streams {
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(answer(stream).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let served = served(&[]);
    let mut stream = served.connect().await;
    for _ in 0..100 {
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(answer(&mut stream).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish() {
    let served = served(&[]);
    let mut busy = served.connect().await;
    busy.write_all(b"GET /waiting HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut feed = served.connect().await;
    feed.write_all(b"GET /feed HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut idle = served.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut idle).await;
    served.waiting.notified().await;
    let (address, gate) = (served.address, Arc::clone(&served.gate));
    let stopping = tokio::spawn(served.stop());
    assert!(rest(&mut feed).await.ends_with("closed"), "live feeds are told");
    assert_eq!(rest(&mut idle).await, "", "who asks for nothing is let go");
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is taken");
    gate.add_permits(1);
    assert!(rest(&mut busy).await.ends_with("waited"));
    assert_eq!(stopping.await.unwrap(), Stopped::Finished);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let served = served(&[("http.shutdown_grace", "200ms")]);
    let mut busy = served.connect().await;
    busy.write_all(b"GET /waiting HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    served.waiting.notified().await;
    assert_eq!(served.stop().await, Stopped::CutOff);
    assert_eq!(rest(&mut busy).await, "");
}

/// What comes of asking on a connection of one's own.
#[derive(Debug, PartialEq, Eq)]
enum Tried {
    Answered,
    Refused,
    Lost,
}

async fn try_once(address: SocketAddr) -> Tried {
    let Ok(mut stream) = TcpStream::connect(address).await else { return Tried::Refused };
    // A write to a connection that was reset fails, or the read after it.
    let _ = stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    if rest(&mut stream).await.ends_with("hello") { Tried::Answered } else { Tried::Lost }
}

#[tokio::test]
async fn whoever_asks_while_it_drains_is_served_for_the_last_time() {
    let served = served(&[("http.drain", "1h")]);
    let mut idle = served.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(!answer(&mut idle).await.contains("connection: close"));
    served.stop.send(()).unwrap();
    let last = async {
        loop {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let text = answer(&mut stream).await;
            if text.contains("connection: close\r\n") {
                return text + &rest(&mut stream).await;
            }
        }
    };
    assert!(time::timeout(PATIENCE, last).await.expect("it drains").ends_with("hello"));
    idle.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let text = rest(&mut idle).await;
    assert!(text.contains("connection: close\r\n") && text.ends_with("hello"), "{text}");
}

/// What is a WebSocket from now on is not closed after its answer, and whoever is told so has none.
#[tokio::test]
async fn who_begins_to_follow_while_it_drains_may() {
    let served = served(&[("http.drain", "1h")]);
    served.stop.send(()).unwrap();
    let drains = async {
        loop {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            if answer(&mut stream).await.contains("connection: close\r\n") {
                break;
            }
        }
    };
    time::timeout(PATIENCE, drains).await.expect("it drains");
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let asked = "GET /live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.unwrap();
    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("connection: upgrade\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_at_the_last_moment_is_answered_or_refused() {
    for _ in 0..10 {
        let served = served(&[("http.drain", "20ms")]);
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let address = served.address;
            clients.spawn(async move {
                let mut answered = 0;
                loop {
                    match try_once(address).await {
                        Tried::Answered => answered += 1,
                        over => return (over, answered),
                    }
                }
            });
        }
        assert_eq!(served.stop().await, Stopped::Finished);
        for (over, answered) in clients.join_all().await {
            assert_eq!(over, Tried::Refused, "after {answered}");
        }
    }
}

#[tokio::test]
async fn who_has_just_connected_may_still_ask() {
    let served = served(&[]);
    let mut fresh = served.connect().await;
    let mut feed = served.connect().await;
    feed.write_all(b"GET /feed HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Taken in order, so that the fresh one is inside.
    let stopping = tokio::spawn(served.stop());
    assert!(rest(&mut feed).await.ends_with("closed"));
    fresh.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut fresh).await.ends_with("hello"));
    assert_eq!(stopping.await.unwrap(), Stopped::Finished);
}

/// There is an alert for each of these.
#[tokio::test]
async fn connections_that_are_open_and_those_that_were_refused_are_counted() {
    // Of this test alone, which runs on one thread.
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let says = |figure: &str| figures.render().lines().any(|line| line == figure);
    let served = served(&[("http.connections_per_client", "1")]);
    let mut first = served.connect().await;
    first.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut first).await;
    assert!(says("http_connections 1") && says("http_connections_refused_total 0"), "{}", figures.render());
    assert_eq!(rest(&mut served.connect().await).await, "");
    assert!(says("http_connections 1") && says("http_connections_refused_total 1"), "{}", figures.render());
    drop(first);
    let closed = async {
        while !says("http_connections 0") {
            time::sleep(Duration::from_millis(10)).await;
        }
    };
    time::timeout(PATIENCE, closed).await.expect("one that has gone is counted no more");
}

/// Or a service that runs for months keeps something of each connection that it ever had.
#[tokio::test]
async fn connections_that_have_ended_are_forgotten() {
    let log = Log::begin();
    let served = served(&[]);
    for _ in 0..200 {
        assert!(served.answers().await);
    }
    served.stop().await;
    let (text, _) = log.read();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let kept = lines.filter(|line| line["message"] == "stopping").map(|line| line["connections"].as_u64().unwrap());
    let kept = kept.collect::<Vec<_>>();
    // The last one may have ended a moment ago.
    assert!(matches!(kept[..], [..100]), "{kept:?}");
}
