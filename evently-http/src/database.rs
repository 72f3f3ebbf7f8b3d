//! The store's database, where it is on a server: for whoever looks after it.

use std::sync::Arc;

use evently_core::ports::Ids;
pub use evently_postgres::{
    Durability, Inspection, MONTHS_AHEAD, Partition, PgStore, Plan, Problem, ReplicaHealth, SCHEMA_VERSION,
};
use evently_postgres::{Options, Time};

use crate::{
    compose::StartError,
    config::{Config, Pooler, StoreUrl},
};

/// Opens the store, and brings its schema up to date where it can.
pub async fn open(config: &Config, ids: Arc<dyn Ids>) -> Result<PgStore, StartError> {
    open_by(Time::Server, config, ids).await
}

/// The same, deciding by this time.
pub(crate) async fn open_by(time: Time, config: &Config, ids: Arc<dyn Ids>) -> Result<PgStore, StartError> {
    Ok(PgStore::open(ids, &Options { time, ..options(config) }).await?)
}

/// What there is to know of the server and the database; nothing is opened, and nothing changed.
pub async fn inspect(config: &Config) -> Result<Inspection, StartError> {
    Ok(evently_postgres::inspect(&options(config)).await?)
}

/// Brings the database to this version's schema. How many migrations it took.
pub async fn migrate(config: &Config) -> Result<usize, StartError> {
    Ok(evently_postgres::migrate(&options(config)).await?)
}

fn options(config: &Config) -> Options {
    let store = &config.store;
    let url = match &store.url {
        StoreUrl::Postgres(url) => url.reveal(),
        // Refused as no URL of a server.
        StoreUrl::InData | StoreUrl::Sqlite(_) => "",
    };
    Options {
        direct_url: store.direct_url.0.as_ref().map(|url| url.reveal().to_owned()),
        replica_url: store.replica_url.0.as_ref().map(|url| url.reveal().to_owned()),
        pooler: match store.pooler {
            Pooler::None => evently_postgres::Pooler::None,
            Pooler::Transaction => evently_postgres::Pooler::Transaction,
        },
        connections: store.connections,
        patience: store.patience,
        statement_timeout: store.statement_timeout,
        ..Options::new(url)
    }
}
