//! A crowd that follows an event over `WebSocket`s.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    millis,
    shared::{
        client,
        evently::{Evently, post},
    },
};

const FOLLOWERS: usize = 5_000;
/// One of so many looks how long each change was on its way; all look whether they get every one.
const WATCHFUL: usize = 10;
const SEATS: u32 = 10_000;
const CHANGES: u32 = 7_500;
/// Who changes something, in turn.
const BUYERS: u32 = 50;
const A_SECOND: u32 = 500;
/// Followers who come when most seats have changed.
const LATE: usize = 1_000;
/// How long the last change may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);

/// When each seat was asked for.
type Asked = Arc<Mutex<HashMap<String, Instant>>>;

pub async fn feed(service: &Evently) {
    println!("\n{FOLLOWERS} WebSockets follow an event of {SEATS} seats, of which {A_SECOND} change in a second");
    let event = service.event(SEATS).await;
    let tokens = service.tokens(CHANGES).await;
    let asked = Asked::default();
    let before = resident();
    let (mut followers, few) = (JoinSet::new(), Arc::new(Semaphore::new(64)));
    let begun = Arc::new(Semaphore::new(0));
    for number in 0..FOLLOWERS {
        let (few, begun, asked) = (Arc::clone(&few), Arc::clone(&begun), Arc::clone(&asked));
        let path = format!("/api/v1/events/{}/live", event.id);
        let address = service.address;
        followers.spawn(async move {
            let turn = few.acquire().await;
            let mut follower = Follower::connect(address, &path, (number % WATCHFUL == 0).then_some(asked)).await;
            follower.snapshot().await;
            drop(turn);
            begun.add_permits(1);
            follower.follow().await
        });
    }
    let all = u32::try_from(FOLLOWERS).expect("there are few");
    begun.acquire_many(all).await.expect("it is open").forget();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_rest = resident();
    change(service.address, &event, &tokens, &asked).await;
    let gone = asked.lock().expect("nobody panics").len();
    let (mut times, mut got) = (Vec::new(), 0);
    for followed in followers.join_all().await {
        got += followed.changes;
        times.extend(followed.times.into_iter().map(millis));
    }
    let in_use = resident();
    times.sort_by(f64::total_cmp);
    let of_a_hundred = |share: usize| times[times.len() * share / 100];
    println!("{gone} changes, {got} of {} told, in order and without a gap", u64::from(CHANGES) * FOLLOWERS as u64);
    println!(
        "from the request to the follower: median {:.0} ms, p99 {:.0} ms, longest {:.0} ms",
        of_a_hundred(50),
        of_a_hundred(99),
        times[times.len() - 1]
    );
    let a_socket = |bytes: u64| (bytes - before) / 1024 / FOLLOWERS as u64;
    println!(
        "memory: {} KiB a socket at rest, {} KiB in use, those of the followers included",
        a_socket(at_rest),
        a_socket(in_use)
    );
}

/// What a follower costs whose first frame is long.
pub async fn late(service: &Evently) {
    println!("\n{LATE} WebSockets come to an event of {SEATS} seats, of which {CHANGES} have changed");
    let event = service.event(SEATS).await;
    let tokens = service.tokens(CHANGES).await;
    change(service.address, &event, &tokens, &Asked::default()).await;
    let path = format!("/api/v1/events/{}/live", event.id);
    let before = resident();
    let mut followers = Vec::new();
    // One after another: what a client has while it reads all that is not what a follower costs.
    for _ in 0..LATE {
        let mut follower = Follower::connect(service.address, &path, None).await;
        follower.snapshot().await;
        followers.push(follower);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("memory: {} KiB a socket, that of the followers included", resident().saturating_sub(before) / 1024 / LATE as u64);
}

/// Everybody who buys takes a seat in turn, so many in a second.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn change(address: SocketAddr, event: &evently_core::domain::Event, tokens: &[String], asked: &Asked) {
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let requests = (buyer..CHANGES)
            .step_by(BUYERS as usize)
            .map(|seat| (event.layout_id.seat(seat).to_string(), post(event, tokens, seat, &[seat])));
        let (requests, asked) = (requests.collect::<Vec<_>>(), Arc::clone(asked));
        buyers.spawn(async move {
            tokio::time::sleep(Duration::from_secs(1) * buyer / A_SECOND).await;
            let mut turn = interval(Duration::from_secs(1) * BUYERS / A_SECOND);
            turn.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut connection = client::Connection::open(address).await;
            for (seat, request) in requests {
                turn.tick().await;
                asked.lock().expect("nobody panics").insert(seat, Instant::now());
                let answer = connection.ask(&request).await;
                assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(answer));
            }
        });
    }
    buyers.join_all().await;
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says how much");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
}

/// What somebody was told.
#[derive(Default)]
struct Followed {
    changes: u64,
    times: Vec<Duration>,
}

/// A client with no more memory than it takes to have thousands.
struct Follower {
    socket: TcpStream,
    /// What has come and is not a whole frame yet.
    ahead: Vec<u8>,
    /// Where the times are, for whoever looks at them.
    asked: Option<Asked>,
    seq: u64,
}

impl Follower {
    async fn connect(address: SocketAddr, path: &str, asked: Option<Asked>) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("the service listens");
        let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        socket.write_all(client::get(path, upgrade).as_bytes()).await.expect("the service reads");
        let mut follower = Self { socket, ahead: Vec::new(), asked, seq: 0 };
        let head = loop {
            if let Some(end) = follower.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            follower.more().await;
        };
        assert!(follower.ahead.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&follower.ahead));
        follower.ahead.drain(..head);
        follower
    }

    /// Reads the first text.
    async fn snapshot(&mut self) {
        let frame = self.text().await;
        assert!(frame.starts_with(r#"{"type":"snapshot""#), "{frame}");
        self.seq = seq(&frame);
        self.ahead = Vec::new();
    }

    /// Reads until the last change.
    #[expect(clippy::disallowed_methods, reason = "time is what is measured")]
    async fn follow(mut self) -> Followed {
        let mut followed = Followed::default();
        while followed.changes < u64::from(CHANGES) {
            let Ok(frame) = timeout(PATIENCE, self.text()).await else { return followed };
            self.seq += 1;
            assert_eq!(seq(&frame), self.seq, "there is no gap");
            let now = Instant::now();
            for seat in frame.split(r#""id":""#).skip(1) {
                followed.changes += 1;
                if let Some(asked) = &self.asked {
                    let id = seat.split('"').next().expect("there is a first part");
                    followed.times.push(now - asked.lock().expect("nobody panics")[id]);
                }
            }
        }
        followed
    }

    /// The next text, of all its frames. What a service sends is not masked, RFC 6455, section 5.2.
    async fn text(&mut self) -> String {
        const CONTROL: u8 = 0x08;
        const LAST: u8 = 0x80;
        let mut text = Vec::new();
        loop {
            if let Some((head, length)) = frame_of(&self.ahead)
                && self.ahead.len() >= head + length
            {
                let kind = self.ahead[0];
                if kind & CONTROL == 0 {
                    text.extend_from_slice(&self.ahead[head..head + length]);
                }
                self.ahead.drain(..head + length);
                if kind & (CONTROL | LAST) == LAST {
                    return String::from_utf8(text).expect("it is text");
                }
            } else {
                self.more().await;
            }
        }
    }

    async fn more(&mut self) {
        assert_ne!(self.socket.read_buf(&mut self.ahead).await.expect("the service sends"), 0, "it has hung up");
    }
}

/// How long the head and the payload of the frame are that begins here.
fn frame_of(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    match bytes.get(1)? & 0x7f {
        126 => Some((4, number(bytes.get(2..4)?))),
        127 => Some((10, number(bytes.get(2..10)?))),
        length => Some((2, usize::from(length))),
    }
}

fn seq(frame: &str) -> u64 {
    let digits = frame.split(r#""seq":"#).nth(1).expect("it has a number");
    digits.split(|letter: char| !letter.is_ascii_digit()).next().expect("there is a first part").parse().expect("it is a number")
}
