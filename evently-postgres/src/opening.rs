//! What has to be so before a store is opened, and what to do where it is not.

use std::{error::Error, io, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use sqlx_core::migrate::MigrateError;

use crate::{
    elsewhere::server_run,
    options::{Options, Pooler},
    place::Place,
    schema::{self, Schema},
};

/// The first version of the server that will do, as `server_version_num` says it.
const SERVER_MIN: i32 = 150_000;

const SERVER: &str = "select current_setting('server_version_num')::integer, current_setting('server_version'), \
    current_setting('transaction_read_only')::boolean, current_setting('server_encoding'), pg_is_in_recovery()";

/// Tables of these on which one of the rights is missing. A list of rights would ask for any of them. The names are in the text: a statement
/// with values takes two journeys, and outside a transaction a pooler may send the second to another server process.
fn shut(tables: &[&str]) -> String {
    let names = tables.iter().map(|name| format!("('{name}')")).collect::<Vec<_>>().join(", ");
    format!(
        "select coalesce(string_agg(name, ', ' order by name), '') from (values {names}) tables (name) \
            where to_regclass(name) is not null \
                and not (has_table_privilege(name, 'select') and has_table_privilege(name, 'insert') \
                    and has_table_privilege(name, 'update') and has_table_privilege(name, 'delete'))"
    )
}

/// When the server was started, and which of its databases it is: of all that there are only one has both.
const WHICH: &str = concat!("select ", server_run!(), ", oid::bigint from pg_database where datname = current_database()");

/// Which URL a problem is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// That of the store.
    Url,
    /// The one around the pooler.
    DirectUrl,
    /// That of the replica.
    ReplicaUrl,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct OpenError {
    /// With which URL.
    pub way: Way,
    /// What is wrong, and what would be right.
    pub problem: Problem,
    /// What the server or the driver says.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The URL is none.
    #[error("the URL is not one of PostgreSQL; right would be postgres://user:password@host:5432/database")]
    Url,
    /// The URL has a parameter that nobody knows.
    #[error("its parameter `{0}` is none that is known here")]
    Parameter(String),
    /// The URL wants a server that cannot be written to.
    #[error("target_session_attrs must be read-write: the store needs the server that can be written to")]
    Wanted,
    /// The host's name leads nowhere.
    #[error("the host's name cannot be resolved; check how it is spelled, and the DNS")]
    UnknownHost,
    /// Nobody listens there.
    #[error("nobody listens at that host and port; check both, and that PostgreSQL runs there")]
    Refused,
    /// Somebody listens and says nothing.
    #[error("the server does not answer; check the host, the port and the firewall, and that it is PostgreSQL")]
    Silent,
    /// The server is on its way up or down.
    #[error("the server is starting, recovering or shutting down; try again when it is up")]
    NotYet,
    /// The server is full.
    #[error("the server takes no more connections; raise its max_connections, or lower store.connections")]
    Full,
    /// The server does not know us.
    #[error("the server does not take this user with this password; check both, and the server's pg_hba.conf")]
    Credentials,
    /// There is no such database.
    #[error("the server has no database of that name; create it, with the user as its owner, or name another")]
    NoDatabase,
    /// TLS does not come about.
    #[error("no TLS connection can be made; check sslmode, sslrootcert, and the server's certificate and its host name")]
    Tls,
    /// Anything else that is in the way.
    #[error("the server cannot be reached; check the host, the port, the user and the database")]
    Unreachable,
    /// The server is too old.
    #[error("the server is PostgreSQL {0}; 15 or newer is needed")]
    TooOld(String),
    /// The database does not keep all texts.
    #[error("the database is encoded in {0}; create it anew with encoding 'UTF8'")]
    Encoding(String),
    /// The server follows another one.
    #[error("the server is a replica and takes no writes; name the primary here, and the replica as the replica's URL")]
    Replica,
    /// The server was told not to be written to.
    #[error("the server takes no writes; set default_transaction_read_only to off")]
    ReadOnly,
    /// The database was made by a newer version of Evently.
    #[error("the database has been written by a newer version of Evently; use that version")]
    Newer,
    /// A migration was begun and not ended, by hand or by another tool.
    #[error("migration {0} was not finished; restore the database, or finish it by hand and mark it in _sqlx_migrations")]
    HalfMigrated(i64),
    /// The user may not change the schema.
    #[error("the user may not change the schema; run `evently db migrate` as the database's owner first")]
    MayNotMigrate,
    /// The schema could not be brought to this version.
    #[error("the database could not be brought to this version's schema; it must be no other program's")]
    Migration,
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
    /// The direct URL leads to another database.
    #[error("it leads to another database than the store's URL; name the same one, without the pooler")]
    AnotherDatabase,
    /// The user may not use some tables.
    #[error("the user may not read and write the tables {0}; grant select, insert, update and delete on all of them")]
    MayNotUse(String),
    /// It is no store.
    #[error("the database cannot be read as a store")]
    Unreadable,
}

impl Problem {
    /// With this URL, and nothing more is known.
    pub(crate) const fn of(self, way: Way) -> OpenError {
        OpenError { way, problem: self, source: None }
    }

    /// With this URL, because of this.
    pub(crate) fn because(self, way: Way, source: impl Into<Box<dyn Error + Send + Sync>>) -> OpenError {
        OpenError { way, problem: self, source: Some(source.into()) }
    }

    /// What a failure to connect is about; <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
    fn of_connecting(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::Configuration(_) => Self::Url,
            sqlx::Error::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut => Self::Silent,
                io::ErrorKind::ConnectionRefused => Self::Refused,
                io::ErrorKind::InvalidData => Self::Tls,
                _ => Self::Unreachable,
            },
            sqlx::Error::Database(error) => match &*error.code().unwrap_or_default() {
                "28P01" | "28000" => Self::Credentials,
                "3D000" => Self::NoDatabase,
                "53300" => Self::Full,
                code if code.starts_with("57P") => Self::NotYet,
                _ => Self::Unreachable,
            },
            _ => Self::Unreachable,
        }
    }
}

/// A server as it was found.
pub(crate) struct Server {
    version: i32,
    version_name: String,
    read_only: bool,
    encoding: String,
    is_replica: bool,
}

impl Server {
    async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::raw_sql(SERVER).fetch_one(connection).await?;
        Ok(Self {
            version: row.try_get(0)?,
            version_name: row.try_get(1)?,
            read_only: row.try_get(2)?,
            encoding: row.try_get(3)?,
            is_replica: row.try_get(4)?,
        })
    }

    /// Whether a store can be kept there.
    fn will_do(&self) -> Result<(), Problem> {
        if self.version < SERVER_MIN {
            Err(Problem::TooOld(self.version_name.clone()))
        } else if self.encoding != "UTF8" {
            Err(Problem::Encoding(self.encoding.clone()))
        } else if self.is_replica {
            Err(Problem::Replica)
        } else if self.read_only {
            Err(Problem::ReadOnly)
        } else {
            Ok(())
        }
    }
}

/// The host that was found, and a connection to it.
pub(crate) struct Found {
    pub(crate) host: usize,
    pub(crate) connection: PgConnection,
    server: Server,
}

/// The first host that can be written to; the first that answers, where all of them do.
pub(crate) async fn find(place: &Place, way: Way, patience: Duration) -> Result<Found, OpenError> {
    find_from(place, 0, way, patience).await.map_err(|(_, error)| error)
}

/// The same, but that this host comes before the others; or what is wrong with which of them.
pub(crate) async fn find_from(place: &Place, first: usize, way: Way, patience: Duration) -> Result<Found, (usize, OpenError)> {
    let (mut second_best, mut refused) = (None, None);
    for host in std::iter::once(first).chain(place.hosts().filter(|host| *host != first)) {
        match reach(place, host, patience).await {
            Ok(found) if !found.server.read_only => return Ok(found),
            Ok(found) => second_best = second_best.or(Some(found)),
            Err(error) => refused = refused.or(Some((host, error))),
        }
    }
    match (second_best, refused) {
        // One that takes no writes is not what is looked for; one that lets nobody in may be.
        (_, Some((host, error))) => Err((host, why_not(place, host, &error).await.because(way, error))),
        (Some(found), None) => Ok(found),
        (None, None) => unreachable!("a place has a host"),
    }
}

async fn why_not(place: &Place, host: usize, error: &sqlx::Error) -> Problem {
    let no_file = matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::NotFound);
    match Problem::of_connecting(error) {
        Problem::Unreachable if no_file && !place.is_socket(host) => Problem::Tls,
        // What a name server says has no kind of its own.
        Problem::Unreachable if !place.resolves(host).await => Problem::UnknownHost,
        problem => problem,
    }
}

/// One host, once it answers. One that is starting is waited for.
pub(crate) async fn reach(place: &Place, host: usize, patience: Duration) -> Result<Found, sqlx::Error> {
    let until = tokio::time::Instant::now() + patience;
    let mut starting = None;
    loop {
        let connected = place.connect(host, until.saturating_duration_since(tokio::time::Instant::now())).await;
        let asked = async {
            let mut connection = connected?;
            let server = Server::of(&mut connection).await?;
            Ok(Found { host, connection, server })
        };
        let late = |_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
        match tokio::time::timeout_at(until, asked).await.unwrap_or_else(late) {
            Err(error) if is_starting(&error) && tokio::time::Instant::now() + REST < until => {
                starting = Some(error);
                tokio::time::sleep(REST).await;
            }
            // It has said why, and there was no time left to hear it again.
            Err(sqlx::Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(starting.unwrap_or(sqlx::Error::Io(error)));
            }
            found => return found,
        }
    }
}

/// How long to rest before a server that is starting is asked again.
const REST: Duration = Duration::from_millis(50);

fn is_starting(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "57P03"))
}

impl Found {
    /// Whether it takes writes.
    pub(crate) const fn is_writable(&self) -> bool {
        !self.server.read_only
    }
}

/// Where the store is, which has this version's schema and may be used.
pub(crate) async fn prepared(options: &Options) -> Result<(Place, usize), OpenError> {
    let way = Way::Url;
    let place = Place::parse(&options.url, options).map_err(|problem| problem.of(way))?;
    let mut found = find(&place, way, options.patience).await?;
    found.server.will_do().map_err(|problem| problem.of(way))?;
    if !is_up_to_date(&mut found.connection, way).await? {
        migrate_by(options, &mut found.connection).await?;
    }
    may_use(&mut found.connection, way).await?;
    Ok((place, found.host))
}

/// Whether it could be [`prepared`], as far as that can be told without doing it.
pub(crate) async fn could_be_prepared(options: &Options, found: &mut Found, way: Way) -> Result<(), OpenError> {
    found.server.will_do().map_err(|problem| problem.of(way))?;
    if !is_up_to_date(&mut found.connection, way).await? && options.pooler == Pooler::Transaction && options.direct_url.is_none()
    {
        return Err(not_migrated(&mut found.connection).await);
    }
    may_use(&mut found.connection, way).await
}

async fn may_use(connection: &mut PgConnection, way: Way) -> Result<(), OpenError> {
    let row = sqlx::raw_sql(AssertSqlSafe(shut(&schema::tables()))).fetch_one(connection);
    let shut: String = row.await.and_then(|row| row.try_get(0)).map_err(|error| Problem::Unreadable.because(way, error))?;
    if shut.is_empty() { Ok(()) } else { Err(Problem::MayNotUse(shut).of(way)) }
}

async fn is_up_to_date(connection: &mut PgConnection, way: Way) -> Result<bool, OpenError> {
    let schema = Schema::of(connection).await.map_err(|error| Problem::Unreadable.because(way, error))?;
    match (schema.is_newer(), schema.unfinished) {
        (true, _) => Err(Problem::Newer.of(way)),
        (false, Some(version)) => Err(Problem::HalfMigrated(version).of(way)),
        (false, None) => Ok(schema.applied.len() == schema::VERSION),
    }
}

/// Makes the migrations that are missing.
async fn migrate_by(options: &Options, connection: &mut PgConnection) -> Result<(), OpenError> {
    match (options.pooler, &options.direct_url) {
        (Pooler::None, _) => migrate(connection, Way::Url).await,
        (Pooler::Transaction, Some(url)) => {
            let way = Way::DirectUrl;
            let place = Place::parse(url, options).map_err(|problem| problem.of(way))?;
            let mut found = find(&place, way, options.patience).await?;
            found.server.will_do().map_err(|problem| problem.of(way))?;
            if which(&mut found.connection, way).await? != which(connection, Way::Url).await? {
                return Err(Problem::AnotherDatabase.of(way));
            }
            migrate(&mut found.connection, way).await
        }
        // The lock that keeps two processes from migrating at the same time does not go through a pooler.
        (Pooler::Transaction, None) => Err(not_migrated(connection).await),
    }
}

async fn not_migrated(connection: &mut PgConnection) -> OpenError {
    match Schema::of(connection).await {
        Ok(found) => Problem::NotMigrated { found: found.applied.len(), known: schema::VERSION }.of(Way::Url),
        Err(error) => Problem::Unreadable.because(Way::Url, error),
    }
}

async fn which(connection: &mut PgConnection, way: Way) -> Result<(i64, i64), OpenError> {
    let row = sqlx::raw_sql(WHICH).fetch_one(connection).await;
    let which = row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    which.map_err(|error| Problem::Unreadable.because(way, error))
}

async fn migrate(connection: &mut PgConnection, way: Way) -> Result<(), OpenError> {
    // Without the limits of a request: a table may be large, and another process may be at it.
    schema::migrator().run_direct(None, connection, false).await.map_err(|error| {
        let problem = match &error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Problem::Newer,
            MigrateError::Dirty(version) => Problem::HalfMigrated(*version),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if is_denied(error) => Problem::MayNotMigrate,
            _ => Problem::Migration,
        };
        problem.because(way, error)
    })
}

fn is_denied(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "42501"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_will_not_do_is_told_why() {
        let right = || Server {
            version: 150_014,
            version_name: "15.14".to_owned(),
            read_only: false,
            encoding: "UTF8".to_owned(),
            is_replica: false,
        };
        assert_eq!(right().will_do(), Ok(()));
        let old = Server { version: 140_011, version_name: "14.11".to_owned(), ..right() };
        assert_eq!(old.will_do(), Err(Problem::TooOld("14.11".to_owned())));
        let latin = Server { encoding: "LATIN1".to_owned(), ..right() };
        assert_eq!(latin.will_do(), Err(Problem::Encoding("LATIN1".to_owned())));
        assert_eq!(Server { read_only: true, ..right() }.will_do(), Err(Problem::ReadOnly));
        assert_eq!(Server { read_only: true, is_replica: true, ..right() }.will_do(), Err(Problem::Replica));
    }
}
