//! The listening socket and its connections.
//!
//! An accept loop of our own, because the ready-made one waits for ever for a client that sends half a request. Every wait here
//! has an end: for the head of a request, for the whole of it (that is the middleware's), for a shutdown.

mod linger;
mod refusing;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse};
use http::{HeaderValue, Request, StatusCode, Version, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    signal,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time,
};
use tower::Service;

use self::linger::Linger;
use crate::{
    config::{Http, Network},
    metrics::keep_up,
    middleware::{ClientAddress, Peer},
    places::{Place, Places},
    problem::{Code, Problem},
};

/// Connections that the system may hold until we take them; a crowd comes at once.
const BACKLOG: u32 = 4096;

/// How long to wait where no connection can be taken, for lack of file descriptors for instance.
const RECOVERY: Duration = Duration::from_millis(100);

/// Bytes that are read ahead on one connection, which also bounds the head of a request: what is longer gets 431.
const BUFFER: usize = 64 << 10;

/// How long a connection on which nothing has been asked may still ask something when the service stops. Whoever has just
/// connected is about to, and would not know whether a request that gets no answer was carried out.
const UNASKED: Duration = Duration::from_secs(2);

/// How connections are treated.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a client may take to send the head of a request, and to begin the next one.
    pub header_timeout: Duration,
    /// How long a client may take nothing of an answer that is being sent to it.
    pub write_timeout: Duration,
    /// Connections at a time; what comes beyond is closed at once.
    pub connections_max: usize,
    /// Connections at a time of one address; what comes beyond is closed at once.
    pub connections_per_client: usize,
    /// Whose connections are those of many clients, and are not counted as one's.
    pub trusted_proxies: Vec<Network>,
    /// How long a shutdown goes on taking connections before it refuses them.
    pub drain: Duration,
    /// How long a shutdown then waits for what is under way.
    pub shutdown_grace: Duration,
}

impl From<&Http> for Limits {
    fn from(http: &Http) -> Self {
        Self {
            header_timeout: http.header_timeout,
            write_timeout: http.request_timeout,
            connections_max: http.connections_max,
            connections_per_client: http.connections_per_client,
            trusted_proxies: http.trusted_proxies.clone(),
            drain: http.drain,
            shutdown_grace: http.shutdown_grace,
        }
    }
}

/// Room for live feeds: three quarters of all connections, so that whoever watches leaves some to those who buy or look after the service.
/// It is in the extensions of each request.
#[derive(Debug, Clone)]
pub struct LiveRoom(Arc<Semaphore>);

impl LiveRoom {
    fn new(connections_max: usize) -> Self {
        Self(Arc::new(Semaphore::new((connections_max - connections_max.div_ceil(4)).max(1))))
    }

    /// A place for a live feed until it is dropped, if there is one.
    pub fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// How far a shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nobody has asked for one.
    Open,
    /// Everything is served, but no connection is kept for another request.
    Draining,
    /// Nothing new is taken.
    Closing,
}

/// Tells whoever holds a connection open, a live feed for instance, that the service is about to stop. It is in the extensions of
/// each request. The shutdown waits until all of them are dropped, and the connection's place is free then: keep one for as long as there is
/// something to finish.
#[derive(Debug, Clone)]
pub struct Closing {
    stages: watch::Receiver<Stage>,
    _occupied: Arc<Occupied>,
}

impl Closing {
    /// Returns when the service takes nothing new any more.
    pub async fn begun(&mut self) {
        // An error is the sender's end, and then it is over anyway.
        let _ = self.stages.wait_for(|stage| *stage == Stage::Closing).await;
    }

    /// Whether new requests had better go elsewhere.
    pub fn is_near(&self) -> bool {
        *self.stages.borrow() > Stage::Open
    }
}

/// How a server came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Everything that was under way was finished.
    Finished,
    /// The grace period ran out, and what was still under way was cut off.
    CutOff,
}

/// Opens the listening socket.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns at the first SIGTERM or SIGINT since it was made: from then on they no longer end the process by themselves.
#[cfg(unix)]
pub fn asked_to_stop() -> impl Future<Output = ()> {
    use signal::unix::{SignalKind, signal};

    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let [mut interrupted, mut terminated] = kinds.map(|kind| signal(kind).expect("signals can be waited for"));
    async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    }
}

/// Returns when it is interrupted.
#[cfg(not(unix))]
pub async fn asked_to_stop() {
    signal::ctrl_c().await.expect("signals can be waited for");
}

/// Serves until `stop` returns, and then lets what is under way come to its end.
///
/// A proxy in front learns of that only by what happens to its requests, and may not send one twice. So for a while everything is
/// served as before, but for the last time on its connection; then newcomers are refused, of which a proxy knows that nothing was
/// asked; and only then idle connections are closed, which the proxy has given up by itself meanwhile.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) -> Stopped {
    // There from the start, so that the first one counts as a change.
    metrics::counter!("http_connections_refused_total").increment(0);
    // Ends when it is dropped.
    let mut figures = JoinSet::new();
    figures.spawn(keep_up());
    let (stage, stages) = watch::channel(Stage::Open);
    let live = LiveRoom::new(limits.connections_max);
    let mut door = Door { room: Room::new(&limits), live, router, limits: &limits, stages, connections: JoinSet::new() };
    door.let_in(&listener, stop).await;
    if limits.drain > Duration::ZERO {
        tracing::info!(drain = ?limits.drain, "about to stop");
        stage.send_replace(Stage::Draining);
        door.let_in(&listener, time::sleep(limits.drain)).await;
        door.shut(listener).await;
    } else {
        drop(listener);
    }
    let mut connections = door.close();
    tracing::info!(connections = connections.len(), "stopping");
    stage.send_replace(Stage::Closing);
    if time::timeout(limits.shutdown_grace, stage.closed()).await.is_ok() {
        return Stopped::Finished;
    }
    tracing::warn!("the grace period ran out; what was still under way is cut off");
    connections.shutdown().await;
    Stopped::CutOff
}

/// Where connections come in.
struct Door<'a> {
    room: Room<'a>,
    live: LiveRoom,
    router: Router,
    limits: &'a Limits,
    stages: watch::Receiver<Stage>,
    connections: JoinSet<()>,
}

impl Door<'_> {
    /// Takes connections until `end` returns.
    async fn let_in(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                (stream, peer) = accept(listener) => self.enter(stream, peer),
                () = &mut end => return,
            }
        }
    }

    /// Refuses newcomers, and takes those that the system has let in already.
    async fn shut(&mut self, listener: TcpListener) {
        refusing::newcomers(&listener);
        self.let_in(&listener, time::sleep(refusing::HANDSHAKE)).await;
        for (stream, peer) in refusing::last_ones(listener) {
            self.enter(stream, peer);
        }
    }

    fn enter(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Those that have ended meanwhile.
        while self.connections.try_join_next().is_some() {}
        let Some(occupied) = self.room.take(peer) else {
            metrics::counter!("http_connections_refused_total").increment(1);
            return;
        };
        let closing = Closing { stages: self.stages.clone(), _occupied: Arc::new(occupied) };
        self.connections.spawn(connection(stream, peer, self.router.clone(), self.limits, closing, self.live.clone()));
    }

    /// The connections that are still open.
    fn close(self) -> JoinSet<()> {
        self.connections
    }
}

/// Room for connections: of all together, and of each client.
struct Room<'a> {
    all: Arc<Semaphore>,
    clients: Places,
    trusted_proxies: &'a [Network],
}

impl<'a> Room<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections_max)),
            clients: Places::new(limits.connections_per_client),
            trusted_proxies: &limits.trusted_proxies,
        }
    }

    /// A place, until it is dropped.
    fn take(&self, peer: SocketAddr) -> Option<Occupied> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let address = peer.ip().to_canonical();
        let of_many_clients = self.trusted_proxies.iter().any(|proxies| proxies.contains(address));
        let of_client = if of_many_clients { None } else { Some(self.clients.take(ClientAddress(address).network())?) };
        metrics::gauge!("http_connections").increment(1);
        Some(Occupied { _of_all: of_all, _of_client: of_client })
    }
}

/// The place of a connection. One that has become a live feed keeps it, though it is over for those who serve requests.
#[derive(Debug)]
struct Occupied {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<Place>,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        metrics::gauge!("http_connections").decrement(1);
    }
}

/// The next connection, however long that takes.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "no connection can be taken");
                }
                told = true;
                time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Whether the client has gone already; the next one is none the worse for it.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &Limits,
    mut closing: Closing,
    live: LiveRoom,
) -> impl Future<Output = ()> + use<> {
    // Answers are small and complete: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let (requests, first) = (closing.clone(), Arc::clone(&asked));
    let service = service_fn(move |mut request: Request<Incoming>| {
        first.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(requests.clone());
        request.extensions_mut().insert(live.clone());
        let (mut router, closing) = (router.clone(), requests.clone());
        async move {
            if request.version() == Version::HTTP_11 && request.headers().get_all(header::HOST).iter().count() != 1 {
                // RFC 9112, section 3.2. Two servers that each believe another one can be played off against each other.
                return Ok(Problem::new(Code::MalformedHeader, "send one Host header").into_response());
            }
            poll_fn(|cx| <Router as Service<Request<Body>>>::poll_ready(&mut router, cx)).await?;
            let mut response = router.call(request.map(Body::new)).await?;
            if closing.is_near() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Linger::new(stream, limits.write_timeout)), service)
        .with_upgrades();
    let close = async move {
        closing.begun().await;
        if !asked.load(Ordering::Relaxed) {
            time::sleep(UNASKED).await;
        }
    };
    async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = close => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Shutdown, task::Poll};

    use super::*;
    use crate::config::{Config, Sources};

    /// Or a service without files to open would try nothing else, as fast as it can.
    #[tokio::test(start_paused = true)]
    async fn where_no_connection_can_be_taken_it_is_tried_again_after_a_while() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // From here on each try fails at once.
        socket2::SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
        let (mut accepting, mut polls) = (pin!(accept(&listener)), 0);
        let tries = poll_fn(|cx| {
            polls += 1;
            if polls > 1000 { Poll::Ready(()) } else { accepting.as_mut().poll(cx).map(drop) }
        });
        assert!(time::timeout(10 * RECOVERY, tries).await.is_err(), "it does not rest");
        assert!(polls > 5, "it is tried again: {polls}");
    }

    #[test]
    fn a_subscriber_has_so_many_connections_whatever_addresses_they_come_from() {
        let http = Config::load(&Sources::default()).unwrap().http;
        let limits = Limits { connections_per_client: 2, ..Limits::from(&http) };
        let room = Room::new(&limits);
        let take = |address: &str| room.take(SocketAddr::new(address.parse().unwrap(), 1));
        let mut places = [take("2001:db8:1:2::1"), take("2001:db8:1:2::2")];
        assert!(places.iter().all(Option::is_some) && take("2001:db8:1:2::3").is_none());
        assert!(take("2001:db8:1:3::1").is_some(), "somebody else");
        let v4 = [take("198.51.100.1"), take("::ffff:198.51.100.1")];
        assert!(v4.iter().all(Option::is_some) && take("198.51.100.1").is_none(), "one and the same");
        places[0] = None;
        assert!(take("2001:db8:1:2::3").is_some(), "one has left");
    }
}
