//! The connection to the broker: kept up, and made again whenever it is gone.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use evently_core::{domain::Timestamp, ports::Clock};
use futures_util::{StreamExt as _, stream::select};
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Event,
    options::ConfirmSelectOptions,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::{AMQPScheme, AMQPUri},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    counted,
    topology::{Inspection, Topology, TopologyError},
};

/// How long the broker may take to answer before it counts as away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How often each side shows that it is there, in seconds, unless the URL says otherwise. Two in a row may be missing.
const HEARTBEAT: u16 = 10;
/// The pause before a connection is tried again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often is looked whether the connection is still there, should nobody say that it is not.
const LOOK: Duration = Duration::from_secs(1);

/// How to reach a broker.
#[derive(Clone)]
pub struct Options {
    /// Where it is: `amqp://user:password@host:5672/%2f`.
    pub url: String,
    /// What its exchange and queues are called.
    pub topology: Topology,
    /// How often acting on a message may fail before it is parked.
    pub attempts: u32,
    /// How long a message waits after it has failed; five times as long with each further failure.
    pub retry_after: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults for a broker at `url`: a message that has failed comes again after 5 seconds, 25, 2 minutes and 10, and is parked then.
    pub fn new(url: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { url: url.into(), topology: Topology::default(), attempts: 5, retry_after: Duration::from_secs(5), clock }
    }

    /// How long a message waits that has failed so often, once at least; none if it is parked.
    pub(crate) fn again_after(&self, attempts: u32) -> Option<Duration> {
        (attempts < self.attempts).then(|| self.retry_after.saturating_mul(5_u32.saturating_pow(attempts - 1)))
    }
}

/// Without the password that the URL may have.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("topology", &self.topology).finish_non_exhaustive()
    }
}

/// Why the broker cannot be used, and will not be by itself. A broker that is merely away is no error.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error("the URL of the broker cannot be read ({0}); right would be amqp://user:password@host:5672/%2f")]
    Url(String),
    /// This build does not speak TLS. The feature is `tls` here, and `amqps` in the programs.
    #[error("the URL of the broker is amqps://, and this build has no TLS; build it with `--features amqps`")]
    NoTls,
    /// The broker does not know the user, the password or the virtual host.
    #[error("the broker does not let us in ({0}); check the user, the password and the virtual host of its URL")]
    Refused(String),
    /// The exchange or a queue is not as it must be.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}

/// Whether the broker is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is.
    Up {
        /// Since when.
        since: Timestamp,
    },
    /// It is not; what happened waits in the store.
    Away {
        /// Since when.
        since: Timestamp,
        /// What went wrong last.
        why: String,
    },
}

impl State {
    /// Whether the broker is there.
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// The broker is away.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// There is no connection.
    #[error("the message broker is away")]
    NotConnected,
    /// The connection broke, or a channel of it was closed.
    #[error("the message broker did not do as it was asked")]
    Failed(#[from] lapin::Error),
    /// It did not answer in time.
    #[error("the message broker did not answer in {} seconds", PATIENCE.as_secs())]
    Silent(#[from] tokio::time::error::Elapsed),
    /// It did not take what was published.
    #[error("the message broker did not take a message: {0}")]
    NotTaken(String),
}

/// A broker, whether it is there or not. A handle: clones share the connection, which ends with the last of them.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

/// What is sent and what is received have a connection each. A broker that is short of memory or disk stops reading from those who send, and
/// then has to hear from those who receive that messages are done.
struct Connections {
    sending: Connection,
    receiving: Connection,
}

/// What the keeper of the connections writes, and everybody reads.
struct Shared {
    options: Options,
    state: RwLock<State>,
    connections: watch::Sender<Option<Arc<Connections>>>,
    /// Whether there has been one.
    was_up: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Broker {
    /// Connects, and declares what is missing. Where the broker is away this succeeds as well, and connecting goes on.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let uri = uri(&options.url)?;
        counted::describe();
        let since = options.clock.now();
        let state = RwLock::new(State::Away { since, why: "not connected yet".to_owned() });
        let shared = Arc::new(Shared { options, state, connections: watch::Sender::new(None), was_up: AtomicBool::new(false) });
        let first = match connect(&uri, &shared.options.topology).await {
            Ok(connections) => Some(shared.is_up(connections)),
            Err(ConnectError::Away(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the message broker is away");
                shared.is_away(&error);
                None
            }
            Err(ConnectError::Unusable(error)) => return Err(error),
        };
        let keeper = tokio::spawn(keep(Arc::clone(&shared), uri, first));
        Ok(Self { inner: Arc::new(Inner { shared, keeper }) })
    }

    /// Whether it is there, and since when.
    pub fn state(&self) -> State {
        self.inner.shared.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its exchange and queues are called.
    pub fn topology(&self) -> &Topology {
        &self.inner.shared.options.topology
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.shared.options
    }

    /// Whether it has ever been there.
    pub(crate) fn was_up(&self) -> bool {
        self.inner.shared.was_up.load(Ordering::Acquire)
    }

    /// Returns once it is there.
    pub async fn up(&self) {
        let mut connections = self.inner.shared.connections.subscribe();
        // The sender is ours.
        let _ = connections.wait_for(Option::is_some).await;
    }

    /// Returns once it is away.
    pub(crate) async fn away(&self) {
        let mut connections = self.inner.shared.connections.subscribe();
        // The sender is ours.
        let _ = connections.wait_for(Option::is_none).await;
    }

    /// A channel to send on, that confirms what is published.
    pub(crate) async fn channel(&self) -> Result<Channel, Away> {
        let channel = self.channel_of(|connections| &connections.sending).await?;
        self.ask(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(channel)
    }

    /// A channel to receive on. Whatever is sent on it keeps the broker from hearing what is done, as soon as it is short of something.
    pub(crate) async fn receiving_channel(&self) -> Result<Channel, Away> {
        self.channel_of(|connections| &connections.receiving).await
    }

    async fn channel_of(&self, which: fn(&Connections) -> &Connection) -> Result<Channel, Away> {
        let connections = self.inner.shared.connections.borrow().clone().ok_or(Away::NotConnected)?;
        self.ask(which(&connections).create_channel()).await
    }

    /// The broker's answer. On a connection that is gone some things are never answered; nobody waits for them longer than it takes to
    /// notice that.
    pub(crate) async fn ask<T>(&self, question: impl Future<Output = lapin::Result<T>>) -> Result<T, Away> {
        tokio::select! {
            biased;
            answer = timeout(PATIENCE, question) => Ok(answer??),
            () = self.away() => Err(Away::NotConnected),
        }
    }

    /// Makes again what somebody has deleted.
    pub(crate) async fn declare(&self) -> Result<(), TopologyError> {
        let topology = self.topology();
        let away = |error: Away| match error {
            Away::Failed(source) => TopologyError::Away { name: topology.exchange(), source },
            other => TopologyError::Away { name: topology.exchange(), source: std::io::Error::other(other).into() },
        };
        let channel = self.channel().await.map_err(away)?;
        tokio::select! {
            biased;
            declared = timeout(PATIENCE, topology.declare(&channel)) => declared.unwrap_or_else(|silent| Err(away(silent.into()))),
            () = self.away() => Err(away(Away::NotConnected)),
        }
    }
}

impl Shared {
    fn is_up(&self, connections: Connections) -> Arc<Connections> {
        let connections = Arc::new(connections);
        self.was_up.store(true, Ordering::Release);
        self.set(State::Up { since: self.options.clock.now() });
        counted::is_up(true);
        self.connections.send_replace(Some(Arc::clone(&connections)));
        connections
    }

    /// Since it went, whatever has gone wrong again meanwhile.
    fn is_away(&self, error: &(dyn std::error::Error + 'static)) {
        self.connections.send_replace(None);
        counted::is_up(false);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let since = match *state {
            State::Up { .. } => self.options.clock.now(),
            State::Away { since, .. } => since,
        };
        *state = State::Away { since, why: crate::with_sources(error) };
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Waits until a connection ends and makes both anew, for ever.
async fn keep(shared: Arc<Shared>, uri: AMQPUri, mut current: Option<Arc<Connections>>) {
    let mut pause = PAUSES.0;
    loop {
        if let Some(connections) = current.take() {
            let error = ended(&connections).await;
            tracing::warn!(error = &error as &dyn std::error::Error, "the message broker is away");
            shared.is_away(&error);
            pause = PAUSES.0;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
        match connect(&uri, &shared.options.topology).await {
            Ok(connections) => {
                tracing::info!("the message broker is there");
                current = Some(shared.is_up(connections));
            }
            Err(ConnectError::Away(error)) => shared.is_away(&error),
            Err(ConnectError::Unusable(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the message broker is of no use as it is");
                shared.is_away(&error);
            }
        }
    }
}

/// Why one of the connections has ended, once it has.
async fn ended(Connections { sending, receiving }: &Connections) -> lapin::Error {
    let mut events = Box::pin(select(sending.events_listener(), receiving.events_listener()));
    while sending.status().connected() && receiving.status().connected() {
        if let Ok(Some(Event::Error(error))) = timeout(LOOK, events.next()).await {
            // A channel that was closed is the business of its owner.
            if !error.is_amqp_soft_error() {
                return error;
            }
        }
    }
    ErrorKind::InvalidConnectionState(lapin::ConnectionState::Closed).into()
}

/// Why there is no connection to a broker.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is away, and may come back by itself.
    #[error(transparent)]
    Away(Away),
    /// It cannot be used as it is.
    #[error(transparent)]
    Unusable(OpenError),
}

impl From<OpenError> for ConnectError {
    fn from(error: OpenError) -> Self {
        Self::Unusable(error)
    }
}

impl From<lapin::Error> for ConnectError {
    fn from(error: lapin::Error) -> Self {
        if let ErrorKind::ProtocolError(said) = error.kind()
            && matches!(
                said.kind(),
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            )
        {
            return Self::Unusable(OpenError::Refused(said.get_message().to_string()));
        }
        Self::Away(error.into())
    }
}

impl From<tokio::time::error::Elapsed> for ConnectError {
    fn from(silent: tokio::time::error::Elapsed) -> Self {
        Self::Away(silent.into())
    }
}

impl From<TopologyError> for ConnectError {
    fn from(error: TopologyError) -> Self {
        match error {
            TopologyError::Away { source, .. } => source.into(),
            other => Self::Unusable(other.into()),
        }
    }
}

async fn connect(uri: &AMQPUri, topology: &Topology) -> Result<Connections, ConnectError> {
    let sending = connect_as("evently, sending", uri).await?;
    let channel = timeout(PATIENCE, sending.create_channel()).await??;
    timeout(PATIENCE, topology.declare(&channel)).await??;
    let receiving = connect_as("evently, receiving", uri).await?;
    Ok(Connections { sending, receiving })
}

async fn connect_as(name: &str, uri: &AMQPUri) -> Result<Connection, ConnectError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Ok(timeout(PATIENCE, Connection::connect_uri(uri.clone(), properties)).await??)
}

/// What there is to know of the broker at `url`; nothing is made there, and nothing changed.
pub async fn inspect(url: &str, topology: &Topology) -> Result<Inspection, ConnectError> {
    let connection = connect_as("evently, looking", &uri(url)?).await?;
    Ok(timeout(PATIENCE, topology.look(&connection)).await??)
}

fn uri(url: &str) -> Result<AMQPUri, OpenError> {
    // What the parser says may repeat the URL, and with it a password.
    let says = |what: String| if what.contains(url) { "it has no host".to_owned() } else { what };
    let mut uri = url.parse::<AMQPUri>().map_err(|what| OpenError::Url(says(what)))?;
    if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "tls") {
        return Err(OpenError::NoTls);
    }
    // The parser takes no address of version 6 for a host, and would go to this machine.
    if let Some(address) = address_of_version_6(url) {
        address.clone_into(&mut uri.authority.host);
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    Ok(uri)
}

/// The address between brackets that stands where the host does.
fn address_of_version_6(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.strip_prefix('[')?.split_once(']')?.0)
}

#[cfg(test)]
mod tests {
    use evently_core::memory::ManualClock;

    use super::*;

    /// Where mails go may be away for a while, as a folder on another machine that is started anew, and nobody should have to look at each.
    #[test]
    fn what_goes_well_within_ten_minutes_is_not_parked() {
        let options = Options::new("amqp://host", Arc::new(ManualClock::new(Timestamp::from_secs(0))));
        let waits = (1..).map_while(|attempts| options.again_after(attempts)).collect::<Vec<_>>();
        assert!(waits.iter().sum::<Duration>() >= Duration::from_mins(10), "{waits:?}");
    }

    #[test]
    fn a_url_leads_where_it_says() {
        for (url, host) in [
            ("amqp://a:b@host/%2f", "host"),
            ("amqp://a:b@10.0.0.1:5672", "10.0.0.1"),
            ("amqp://[fd00::1]:5672/%2f", "fd00::1"),
            ("amqp://a:b@[fd00::1]", "fd00::1"),
        ] {
            assert_eq!(uri(url).unwrap().authority.host, host, "{url}");
        }
    }

    /// Some networks want to hear of a connection more often than we would say anything.
    #[test]
    fn each_side_shows_that_it_is_there_as_often_as_the_url_says() {
        let seconds = |url| uri(url).unwrap().query.heartbeat;
        assert_eq!((seconds("amqp://host"), seconds("amqp://host/%2f?heartbeat=3")), (Some(HEARTBEAT), Some(3)));
    }

    #[test]
    fn what_is_said_of_a_wrong_url_does_not_repeat_it() {
        for url in [
            "",
            "host",
            "amqp:guest:secret@host",
            "http://guest:secret@host",
            "amqp://guest:secret@host:port",
            "amqp://a:secret@b?heartbeat=x",
        ] {
            let said = uri(url).unwrap_err().to_string();
            assert!(said.contains("right would be amqp://") && !said.contains("secret"), "{url}: {said}");
        }
    }
}
