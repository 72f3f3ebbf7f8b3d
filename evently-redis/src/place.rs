//! Where the server is: at an address, wherever its Sentinels say, or in a cluster.

#[cfg(feature = "cluster")]
mod cluster;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, RedisError, Value,
    aio::{MultiplexedConnection, PubSub},
    cmd,
};
use tokio::time::timeout;

use crate::{connection::Connection, error::Away, options::OpenError};

/// Where the server is.
pub(crate) enum Place {
    /// At an address.
    Fixed(Client),
    /// At the address that the Sentinels tell.
    Watched(Watched),
    /// At several addresses, each with a part of the keys.
    #[cfg(feature = "cluster")]
    Cluster(Box<cluster::Cluster>),
}

/// A service with its Sentinels.
pub(crate) struct Watched {
    sentinels: Vec<Client>,
    service: String,
    /// User, password and database of the server, as a URL without the address.
    user: String,
    database: String,
    /// Which Sentinel is asked first: the one that has answered last.
    first: AtomicUsize,
}

const SENTINEL: &str = "redis+sentinel://";
/// The schemes of a cluster, and of each of its servers.
const CLUSTER: [(&str, &str); 2] = [("redis-cluster://", "redis://"), ("rediss-cluster://", "rediss://")];

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let client = |url: &str| Client::open(url).map_err(|error| OpenError::Url(Some(error)));
        for (scheme, each) in CLUSTER {
            if let Some(rest) = url.strip_prefix(scheme) {
                return cluster(each, rest);
            }
        }
        let Some(rest) = url.strip_prefix(SENTINEL) else { return client(url).map(Self::Fixed) };
        let (authority, path) = rest.split_once('/').ok_or(OpenError::Url(None))?;
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let (service, database) = path.split_once('/').unwrap_or((path, "0"));
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        // What goes wrong with the server's own address is found here rather than at the first failover.
        client(&format!("redis://{user}host/{database}"))?;
        let sentinels = hosts.split(',').map(|host| client(&format!("redis://{host}"))).collect::<Result<Vec<_>, _>>()?;
        if service.is_empty() {
            return Err(OpenError::Url(None));
        }
        let (service, database) = (service.to_owned(), database.to_owned());
        Ok(Self::Watched(Watched { sentinels, service, user, database, first: AtomicUsize::new(0) }))
    }

    /// Whether the connection is to be encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        match self {
            Self::Fixed(client) => matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }),
            Self::Watched(_) => false,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.is_encrypted(),
        }
    }

    /// Whether a script may have keys of any kind: a cluster keeps them on different servers.
    pub(crate) const fn keeps_all_together(&self) -> bool {
        match self {
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => false,
            _ => true,
        }
    }

    /// A connection to the server, which is a master.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<Connection, Away> {
        match self {
            Self::Fixed(client) => connect(client, patience).await.map(Connection::One),
            Self::Watched(watched) => {
                let mut connection = connect(&watched.master(patience).await?, patience).await?;
                // A Sentinel may be the last to learn of a failover.
                let role: Vec<Value> = in_time(patience, cmd("ROLE").query_async(&mut connection)).await?;
                if !matches!(role.first(), Some(Value::BulkString(name)) if name == b"master") {
                    return Err(Away::Failed(RedisError::from((ErrorKind::Io, "the server is no master any more"))));
                }
                Ok(Connection::One(connection))
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.connect(patience).await,
        }
    }

    /// A connection that can listen.
    pub(crate) async fn listener(&self, patience: Duration) -> Result<PubSub, Away> {
        match self {
            Self::Fixed(client) => in_time(patience, client.get_async_pubsub()).await,
            Self::Watched(watched) => in_time(patience, watched.master(patience).await?.get_async_pubsub()).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.listener(patience).await,
        }
    }

    /// The name of the time for which the server has been the master; in a cluster those of all masters.
    pub(crate) async fn run(&self, mut connection: Connection) -> Result<String, RedisError> {
        match self {
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => cluster::runs(connection).await,
            _ => {
                let about: String = replication().query_async(&mut connection).await?;
                Ok(run_of(&about).to_owned())
            }
        }
    }
}

#[cfg(feature = "cluster")]
fn cluster(scheme: &str, rest: &str) -> Result<Place, OpenError> {
    cluster::Cluster::parse(scheme, rest).map(|cluster| Place::Cluster(Box::new(cluster)))
}

#[cfg(not(feature = "cluster"))]
const fn cluster(_: &str, _: &str) -> Result<Place, OpenError> {
    Err(OpenError::NoCluster)
}

fn replication() -> Cmd {
    let mut info = cmd("INFO");
    info.arg("replication");
    info
}

/// What a server calls its history of writes: it begins another whenever it starts, whenever it is made a master, and when it gets its first
/// replica or has had none for `repl-backlog-ttl`. The last two are no failover, and are taken for one.
fn run_of(about: &str) -> &str {
    about.lines().find_map(|line| line.strip_prefix("master_replid:")).unwrap_or_default().trim()
}

impl Watched {
    /// Asks one Sentinel after the other, so that one that stands still costs one timeout.
    async fn master(&self, patience: Duration) -> Result<Client, Away> {
        let first = self.first.load(Ordering::Relaxed);
        let mut failure = Away::Known;
        for at in (first..first + self.sentinels.len()).map(|at| at % self.sentinels.len()) {
            match self.ask(&self.sentinels[at], patience).await {
                Ok(client) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(client);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn ask(&self, sentinel: &Client, patience: Duration) -> Result<Client, Away> {
        let mut connection = connect(sentinel, patience).await?;
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let (host, port): (String, u16) = in_time(patience, question.query_async(&mut connection)).await?;
        self.server(&host, port).map_err(Away::Failed)
    }

    /// The server at an address.
    fn server(&self, host: &str, port: u16) -> Result<Client, RedisError> {
        // An IPv6 address has colons of its own.
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Client::open(format!("redis://{}{host}:{port}/{}", self.user, self.database))
    }
}

async fn connect(client: &Client, patience: Duration) -> Result<MultiplexedConnection, Away> {
    // Each call has a timeout of its own.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    in_time(patience, client.get_multiplexed_async_connection_with_config(&config)).await
}

/// The answer, if it comes in time.
pub(crate) async fn in_time<T>(patience: Duration, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Away> {
    timeout(patience, call).await.map_err(|_| Away::Late)?.map_err(Away::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else it is asked as somebody else, or for what others have in another database.
    #[test]
    fn a_server_that_sentinels_name_is_used_as_the_url_says() {
        for (url, user, password, database) in [
            ("redis+sentinel://host:1/s", None, None, 0),
            ("redis+sentinel://host:1/s/7", None, None, 7),
            ("redis+sentinel://:p@host:1,host:2/s", None, Some("p"), 0),
            ("redis+sentinel://ada:p@host:1,host:2/s/7", Some("ada"), Some("p"), 7),
        ] {
            let Ok(Place::Watched(watched)) = Place::parse(url) else { panic!("{url}") };
            for host in ["10.0.0.1", "fd00::1"] {
                let server = watched.server(host, 6379).unwrap();
                let (info, address) = (server.get_connection_info(), ConnectionAddr::Tcp(host.to_owned(), 6379));
                let settings = info.redis_settings();
                assert_eq!(*info.addr(), address, "{url}");
                assert_eq!((settings.username(), settings.password(), settings.db()), (user, password, database), "{url}");
            }
        }
    }
}
