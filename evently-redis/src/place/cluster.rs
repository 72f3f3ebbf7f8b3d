//! A cluster: several servers, each with a part of the keys.

use std::{collections::BTreeMap, time::Duration};

use redis::{
    Client, ConnectionAddr, RedisError,
    aio::PubSub,
    cluster::{ClusterClient, ClusterClientBuilder},
};

use super::{in_time, replication, run_of};
use crate::{connection::Connection, error::Away, options::OpenError};

/// A cluster, known by some of its servers.
pub(crate) struct Cluster {
    seeds: Vec<Client>,
    client: ClusterClient,
}

impl Cluster {
    /// Reads what follows the scheme: `user:password@host:port,host:port`. A cluster has one database, of number 0.
    pub(super) fn parse(scheme: &str, rest: &str) -> Result<Self, OpenError> {
        let wrong = |error| OpenError::Url(Some(error));
        let (user, hosts) = rest.rsplit_once('@').map_or(("", rest), |(user, hosts)| (user, hosts));
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let hosts = hosts.strip_suffix("/0").or_else(|| hosts.strip_suffix('/')).unwrap_or(hosts);
        if hosts.contains('/') {
            return Err(OpenError::Url(None));
        }
        let urls = hosts.split(',').map(|host| format!("{scheme}{user}{host}")).collect::<Vec<_>>();
        let seeds = urls.iter().map(|url| Client::open(url.as_str()).map_err(wrong)).collect::<Result<_, _>>()?;
        // What is tried again and again is tried by whoever asked for it.
        let client = ClusterClientBuilder::new(urls).retries(2).build().map_err(wrong)?;
        Ok(Self { seeds, client })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.seeds.iter().any(|seed| matches!(seed.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }))
    }

    pub(super) async fn connect(&self, patience: Duration) -> Result<Connection, Away> {
        in_time(patience, self.client.get_async_connection()).await.map(Connection::Cluster)
    }

    /// A connection to whichever server is there: what is said on a channel is told to all of them.
    pub(super) async fn listener(&self, patience: Duration) -> Result<PubSub, Away> {
        let mut failure = Away::Known;
        for seed in &self.seeds {
            match in_time(patience, seed.get_async_pubsub()).await {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// What all masters call their histories.
pub(super) async fn runs(mut connection: Connection) -> Result<String, RedisError> {
    let about: BTreeMap<String, String> = replication().query_async(&mut connection).await?;
    let mut runs = about.values().map(|about| run_of(about)).collect::<Vec<_>>();
    runs.sort_unstable();
    Ok(runs.join(" "))
}
