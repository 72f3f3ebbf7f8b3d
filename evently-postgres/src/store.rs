//! The store, and the transactions that everything runs in.

use std::sync::Arc;

use evently_core::ports::{Ids, StoreError};
use sqlx::{
    PgPool,
    postgres::{PgArguments, PgRow},
};
use sqlx_core::migrate::MigrateError;

pub(crate) use crate::pool::{During, Tx, values};
use crate::{
    elsewhere::Writer,
    error::Fault,
    inspect::{SERVER_MIN, inspect},
    options::{Guards, Options, Pooler},
    pool::Pool,
    replica::{Replica, ReplicaHealth},
    schema,
};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error("the URL of the store is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    Url(#[source] sqlx::Error),
    /// The direct URL is none.
    #[error("the direct URL of the store is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    DirectUrl(#[source] sqlx::Error),
    /// The replica's URL is none.
    #[error("the URL of the replica is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    ReplicaUrl(#[source] sqlx::Error),
    /// The server is away, or does not let us in.
    #[error("the PostgreSQL server cannot be reached; check the host, the port, the user and the database of the store's URL")]
    Unreachable(#[source] sqlx::Error),
    /// The server is too old.
    #[error("the server is PostgreSQL {0}; 15 or newer is needed")]
    TooOld(String),
    /// The database was made by a newer version of Evently.
    #[error("the database has been written by a newer version of Evently; use that version")]
    Newer,
    /// The schema could not be brought to this version.
    #[error(
        "the database could not be brought to this version's schema; the user must own it, and it must be no other program's"
    )]
    Migration(#[source] MigrateError),
    /// The schema is not of this version, and could not be brought to it through a pooler.
    #[error(
        "the database has {found} of {known} migrations, and the rest cannot be made through a pooler; \
         give a direct URL as well, or migrate the database beforehand"
    )]
    NotMigrated {
        /// Migrations that it has had.
        found: usize,
        /// Those there are.
        known: usize,
    },
    /// It is no store.
    #[error("the database cannot be read as a store")]
    Unreadable(#[source] StoreError),
}

/// Begins a transaction whose statements are planned once and find their rows by indexes, however small a table still is: one that is
/// read as a whole is also locked as a whole against every other batch.
macro_rules! begin_by_keys {
    ($level:literal) => {
        concat!(
            "begin isolation level ",
            $level,
            "; set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off",
            // A scan of the one row of a table counts as so dear then that the server would compile the statement.
            "; set local jit = off"
        )
    };
}

/// The store in a PostgreSQL database. A handle: clones share the pool.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) writer: Arc<Writer>,
    pool: Pool,
    replica: Option<Replica>,
    guards: Guards,
}

impl PgStore {
    /// Connects, and brings the database to this version's schema.
    pub async fn open(ids: Arc<dyn Ids>, options: &Options) -> Result<Self, OpenError> {
        let pool = migrated_pool(options).await?;
        let mut store = Self { ids, writer: Arc::default(), pool, replica: None, guards: options.guards };
        store.writer = Arc::new(Writer::new(&store).await.during("open").map_err(OpenError::Unreadable)?);
        if let Some(url) = &options.replica_url {
            let options = Options { url: url.clone(), ..options.clone() };
            store.replica = Some(Replica::open(options, store.pool.clone()).map_err(OpenError::ReplicaUrl)?);
        }
        Ok(store)
    }

    /// A transaction that reads, all of it as of one moment.
    pub(crate) async fn read(&self) -> Result<Tx, Fault> {
        self.begin("begin isolation level repeatable read read only").await
    }

    /// A transaction that writes rows by their keys.
    pub(crate) async fn write(&self) -> Result<Tx, Fault> {
        self.begin(begin_by_keys!("read committed")).await
    }

    /// How a batch begins.
    pub(crate) const fn batch(&self) -> &'static str {
        if self.guards.serializable { begin_by_keys!("serializable") } else { begin_by_keys!("read committed") }
    }

    pub(crate) const fn checks_versions(&self) -> bool {
        self.guards.versions
    }

    /// A transaction that begins with this statement.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Tx, Fault> {
        self.pool.begin(statement).await
    }

    /// All rows that the statement finds, in a transaction of its own.
    pub(crate) async fn rows(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        self.pool.rows(sql, values).await
    }

    /// The row that the statement finds, if it finds one, in a transaction of its own.
    pub(crate) async fn row(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The same for those who only look, and decide nothing: the replica may answer.
    pub(crate) async fn browse(&self, sql: &'static str, values: PgArguments) -> Result<Vec<PgRow>, Fault> {
        match &self.replica {
            Some(replica) => replica.rows(&self.pool, sql, values).await,
            None => self.rows(sql, values).await,
        }
    }

    /// The same of one row.
    pub(crate) async fn browse_one(&self, sql: &'static str, values: PgArguments) -> Result<Option<PgRow>, Fault> {
        match &self.replica {
            Some(replica) => replica.row(&self.pool, sql, values).await,
            None => self.row(sql, values).await,
        }
    }

    /// Whoever looks from now on sees what has been committed by now.
    pub(crate) fn fence(&self) {
        if let Some(replica) = &self.replica {
            replica.fence();
        }
    }

    /// How it is with the replica, where there is one.
    pub fn replica(&self) -> Option<ReplicaHealth> {
        self.replica.as_ref().map(Replica::health)
    }
}

/// A pool of connections to a database that has this version's schema.
pub(crate) async fn migrated_pool(options: &Options) -> Result<Pool, OpenError> {
    let pool = Pool::lazily(options).map_err(OpenError::Url)?;
    check_version(pool.bare()).await?;
    match (options.pooler, &options.direct_url) {
        (Pooler::None, _) => migrate(pool.bare()).await?,
        (Pooler::Transaction, Some(url)) => {
            let direct = Options { url: url.clone(), pooler: Pooler::None, connections: 1, ..options.clone() };
            migrate(&Pool::lazily(&direct).map_err(OpenError::DirectUrl)?.bare()).await?;
        }
        // The lock that keeps two processes from migrating at the same time does not go through a pooler.
        (Pooler::Transaction, None) => {
            let found = inspect(options).await?;
            if found.schema_is_newer {
                return Err(OpenError::Newer);
            }
            if found.schema != schema::VERSION {
                return Err(OpenError::NotMigrated { found: found.schema, known: schema::VERSION });
            }
        }
    }
    Ok(pool)
}

async fn migrate(pool: &PgPool) -> Result<(), OpenError> {
    schema::migrator().run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer,
        other => OpenError::Migration(other),
    })
}

async fn check_version(pool: &PgPool) -> Result<(), OpenError> {
    let mut tx = pool.begin().await.map_err(OpenError::Unreachable)?;
    let (number, name): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::integer, current_setting('server_version')")
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(OpenError::Unreachable)?;
    if number < SERVER_MIN { Err(OpenError::TooOld(name)) } else { Ok(()) }
}
