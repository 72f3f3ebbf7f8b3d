//! A way to a server that can be cut, closed, slowed down, stopped, and made to lose messages.

mod messages;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use messages::{Language, Message, Messages, Speaker};

/// How the address of a server begins in its URL.
const HOST: &str = "127.0.0.1:";

/// Between clients and a server of this machine; at first everything gets through, messages of PostgreSQL and of AMQP as wholes. Gone when it is
/// dropped, and with it all connections.
pub struct Proxy {
    url: String,
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    server: u16,
    language: Language,
    state: Mutex<State>,
    changed: Condvar,
    sent: AtomicU64,
    made: AtomicUsize,
    ending: AtomicBool,
}

struct State {
    way: Way,
    links: Vec<Arc<Link>>,
    /// The next messages of this kind are lost, so many of them.
    losing: Option<(Message, u32)>,
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
            language: Language::of(url),
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

    /// The next commit of a transaction that may have written something does not get to the server, and its connection is cut: it is not made.
    pub fn lose_commit(&self) {
        self.lose(Message::Commit, 1);
    }

    /// The next answer that says that a commit was made is lost on its way, and its connection is cut. The server has sent it: it is made.
    pub fn lose_answer_to_commit(&self) {
        self.lose_answers_to_commits(1);
    }

    /// The same for so many of them.
    pub fn lose_answers_to_commits(&self, times: u32) {
        self.lose(Message::Committed, times);
    }

    /// The same, and from then on nobody is let through until it is opened.
    pub fn lose_answer_to_commit_and_close(&self) {
        self.shared.state().closing = true;
        self.lose_answer_to_commit();
    }

    /// The next time that the broker says to have taken something is not heard. Everything else is, and the connection goes on.
    pub fn lose_confirm(&self) {
        self.lose(Message::Confirm, 1);
    }

    fn lose(&self, message: Message, times: u32) {
        self.shared.state().losing = Some((message, times));
    }

    /// Whether all that was to be lost has been.
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
        let mut messages = Messages::of(self.language, Speaker::Client);
        let mut bytes = vec![0; 65_536];
        loop {
            let read = (&link.client).read(&mut bytes).unwrap_or(0);
            if self.way_of(link).is_none() {
                return;
            }
            messages.hear(&bytes[..read]);
            let (passed, is_over) = self.pass(&mut messages);
            if (&link.server).write_all(&passed).is_err() || is_over {
                return self.end(link);
            }
            self.sent.fetch_add(passed.len() as u64, Ordering::SeqCst);
            if read == 0 {
                _ = link.server.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    fn carry_answers(&self, link: &Link) {
        let mut messages = Messages::of(self.language, Speaker::Server);
        let mut bytes = vec![0; 65_536];
        loop {
            let read = (&link.server).read(&mut bytes).unwrap_or(0);
            let Some(way) = self.way_of(link) else { return };
            self.wait_if_late(link, way);
            // It may be another way by now.
            let Some(way) = self.way_of(link) else { return };
            messages.hear(&bytes[..read]);
            let (passed, is_over) = self.pass(&mut messages);
            if (way != Way::Deaf && (&link.client).write_all(&passed).is_err()) || is_over || read == 0 {
                return self.end(link);
            }
        }
    }

    /// What goes on of the messages that are whole, and whether the connection is over with that.
    fn pass(&self, messages: &mut Messages) -> (Vec<u8>, bool) {
        let mut passed = Vec::new();
        while let Some((message, bytes)) = messages.next() {
            match message.filter(|message| self.loses(*message)) {
                None => passed.extend_from_slice(bytes),
                Some(Message::Confirm) => {}
                Some(Message::Commit | Message::Committed) => return (passed, true),
            }
        }
        (passed, false)
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

    /// Whether this message is one to be lost. It is, then.
    fn loses(&self, message: Message) -> bool {
        let mut state = self.state();
        let lost = state.losing.take_if(|(losing, _)| *losing == message);
        let is_lost = lost.is_some();
        if let Some((message, times)) = lost {
            state.losing = (times > 1).then(|| (message, times - 1));
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
