//! A way to a server that can be cut, closed, slowed down, stopped, and made to lose answers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How the address of a server begins in its URL.
const HOST: &str = "127.0.0.1:";

/// Between clients and a server of this machine; at first everything gets through. Gone when it is dropped, and with it all connections.
pub struct Proxy {
    url: String,
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    server: u16,
    state: Mutex<State>,
    changed: Condvar,
    sent: AtomicU64,
    made: AtomicUsize,
    ending: AtomicBool,
}

struct State {
    way: Way,
    links: Vec<Arc<Link>>,
    /// The next answers with these bytes are lost, so many of them, and their connections with them.
    losing: Option<(Vec<u8>, u32)>,
    /// And then nobody is let through.
    closing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Closed,
    /// The server hears its clients, and they do not hear it.
    Deaf,
    /// Nothing moves in either direction.
    Still,
    /// Each answer comes so much later.
    Late(Duration),
}

/// A connection, in both its parts.
struct Link {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
    stranded: AtomicBool,
}

impl Link {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // One that has ended by itself cannot be shut down.
        _ = self.client.shutdown(Shutdown::Both);
        _ = self.server.shutdown(Shutdown::Both);
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

impl Proxy {
    /// Before the server of this URL, which names it by `127.0.0.1` and its port.
    pub fn before(url: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("a proxy cannot listen: {error}");
        let server = port_in(url).ok_or_else(|| format!("there is no {HOST} with a port in {url}"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let state = State { way: Way::Open, links: Vec::new(), losing: None, closing: false };
        let shared = Arc::new(Shared {
            server,
            state: Mutex::new(state),
            changed: Condvar::new(),
            sent: AtomicU64::new(0),
            made: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.listen(&listener))
        };
        let url = url.replacen(&format!("{HOST}{server}"), &format!("{HOST}{port}"), 1);
        Ok(Self { url, port, shared, listening: Some(listening) })
    }

    /// The server's URL by this way.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Lets everything through again. What was held goes on; what is stranded stays so.
    pub fn open(&self) {
        self.shared.set(Way::Open);
    }

    /// Cuts all connections, and lets nobody through until it is opened.
    pub fn close(&self) {
        self.shared.set(Way::Closed);
        self.cut();
    }

    /// Cuts all connections; new ones come through.
    pub fn cut(&self) {
        self.shared.state().links.drain(..).for_each(|link| link.cut());
        self.shared.changed.notify_all();
    }

    /// Cuts one connection: of those there are now, the one that was made `nth`, from 0.
    pub fn cut_one(&self, nth: usize) {
        self.shared.state().links.remove(nth).cut();
        self.shared.changed.notify_all();
    }

    /// From now on nothing comes back from the server, though it hears everything. What it said meanwhile is lost for good.
    pub fn swallow_answers(&self) {
        self.shared.set(Way::Deaf);
    }

    /// Nothing moves any more, and nobody is told, as when a cable is out. New connections are taken.
    pub fn hold(&self) {
        self.shared.set(Way::Still);
    }

    /// All connections there are stand still until they are cut, as when somebody on the way has forgotten them. New ones come through.
    pub fn strand(&self) {
        self.shared.state().links.iter().for_each(|link| link.stranded.store(true, Ordering::SeqCst));
    }

    /// Each answer comes so much later.
    pub fn delay(&self, by: Duration) {
        self.shared.set(Way::Late(by));
    }

    /// Clients hear that the server has nothing more to say, which itself has not noticed and hears them still.
    pub fn half_close(&self) {
        for link in &self.shared.state().links {
            _ = link.client.shutdown(Shutdown::Write);
        }
    }

    /// The next answer that has these bytes in it is lost on its way, and its connection is cut. The server has sent it: what it
    /// answers is done.
    pub fn lose_answer_with(&self, bytes: &[u8]) {
        self.lose_answers_with(bytes, 1);
    }

    /// The same for so many of them.
    pub fn lose_answers_with(&self, bytes: &[u8], times: u32) {
        self.shared.state().losing = Some((bytes.to_owned(), times));
    }

    /// The same, and from then on nobody is let through until it is opened.
    pub fn lose_answer_and_close(&self, bytes: &[u8]) {
        self.shared.state().closing = true;
        self.lose_answer_with(bytes);
    }

    /// Whether all such answers have been lost.
    pub fn has_lost_it(&self) -> bool {
        self.shared.state().losing.is_none()
    }

    /// How many bytes have gone to the server.
    pub fn sent_bytes(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// How many connections have been made.
    pub fn connections(&self) -> usize {
        self.shared.made.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        self.close();
        // Wakes whoever listens.
        _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(listening) = self.listening.take() {
            _ = listening.join();
        }
    }
}

fn port_in(url: &str) -> Option<u16> {
    let (_, rest) = url.split_once(HOST)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

impl Shared {
    /// A test that failed while it held this says so itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, way: Way) {
        self.state().way = way;
        self.changed.notify_all();
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if self.ending.load(Ordering::SeqCst) {
                return;
            }
            // Where the server is away, the client learns it by this end.
            if let Some(link) = self.link(client) {
                self.made.fetch_add(1, Ordering::SeqCst);
                let (shared, there) = (Arc::clone(self), Arc::clone(&link));
                thread::spawn(move || shared.carry_requests(&there));
                let shared = Arc::clone(self);
                thread::spawn(move || shared.carry_answers(&link));
            }
        }
    }

    fn link(&self, client: TcpStream) -> Option<Arc<Link>> {
        if self.state().way == Way::Closed {
            return None;
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)).ok()?;
        // What is small is not to wait for more.
        _ = (client.set_nodelay(true), server.set_nodelay(true));
        let link = Arc::new(Link { client, server, cut: AtomicBool::new(false), stranded: AtomicBool::new(false) });
        let mut state = self.state();
        // It may have been closed meanwhile.
        (state.way != Way::Closed).then(|| state.links.push(Arc::clone(&link)))?;
        Some(link)
    }

    fn carry_requests(&self, link: &Link) {
        let mut bytes = vec![0; 65_536];
        loop {
            let read = (&link.client).read(&mut bytes).unwrap_or(0);
            if self.way_of(link).is_none() {
                return;
            }
            if read == 0 {
                _ = link.server.shutdown(Shutdown::Write);
                return;
            }
            if (&link.server).write_all(&bytes[..read]).is_err() {
                return self.end(link);
            }
            self.sent.fetch_add(read as u64, Ordering::SeqCst);
        }
    }

    fn carry_answers(&self, link: &Link) {
        let mut bytes = vec![0; 65_536];
        loop {
            let read = (&link.server).read(&mut bytes).unwrap_or(0);
            let answer = &bytes[..read];
            let Some(way) = self.way_of(link) else { return };
            self.wait_if_late(link, way);
            // It may be another way by now.
            let Some(way) = self.way_of(link) else { return };
            if read == 0 || self.loses(answer) || (way != Way::Deaf && (&link.client).write_all(answer).is_err()) {
                return self.end(link);
            }
        }
    }

    /// Waits while nothing moves; none if the connection has been cut.
    fn way_of(&self, link: &Link) -> Option<Way> {
        let waits = |state: &mut State| !link.is_cut() && (state.way == Way::Still || link.stranded.load(Ordering::SeqCst));
        let state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        (!link.is_cut()).then_some(state.way)
    }

    /// Waits as long as an answer is to take.
    fn wait_if_late(&self, link: &Link, way: Way) {
        let Way::Late(by) = way else { return };
        let late = |state: &mut State| !link.is_cut() && matches!(state.way, Way::Late(_));
        drop(self.changed.wait_timeout_while(self.state(), by, late));
    }

    /// Whether this answer is the one to be lost. It is, with everything after it.
    fn loses(&self, answer: &[u8]) -> bool {
        let mut state = self.state();
        let lost = state.losing.take_if(|(bytes, _)| answer.windows(bytes.len()).any(|part| part == bytes));
        let is_lost = lost.is_some();
        if let Some((bytes, times)) = lost {
            state.losing = (times > 1).then(|| (bytes, times - 1));
            if std::mem::take(&mut state.closing) {
                state.way = Way::Closed;
                state.links.drain(..).for_each(|link| link.cut());
            }
        }
        drop(state);
        self.changed.notify_all();
        is_lost
    }

    fn end(&self, link: &Link) {
        link.cut();
        self.state().links.retain(|other| !other.is_cut());
    }
}
