//! One server for many tests, and a database, or a namespace, for each.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use crate::postgres::Postgres;
use crate::redis::{Redis, RedisCluster, RedisSentinels, redis_cli};
use crate::tool::{psql, with_database};

/// The environment variable that names the server to share: the URL of any of its databases, for a user who may create others.
pub const SHARED_POSTGRES: &str = "EVENTLY_TEST_POSTGRES";

/// The environment variable that names the Redis to share: its URL.
pub const SHARED_REDIS: &str = "EVENTLY_TEST_REDIS";

/// The environment variable that names the Redis to share that has Sentinels: its URL.
pub const SHARED_REDIS_SENTINELS: &str = "EVENTLY_TEST_REDIS_SENTINELS";

/// The environment variable that names the cluster of Redis to share: its URL.
pub const SHARED_REDIS_CLUSTER: &str = "EVENTLY_TEST_REDIS_CLUSTER";

/// The URL of the Redis that [`SHARED_REDIS`] names, or else of one that this process starts and keeps to its end. Nobody may stop or flush
/// it; whoever writes to it does so in a [`fresh_namespace`].
pub fn shared_redis() -> Result<&'static str, String> {
    static SHARED: Shared<Redis> = OnceLock::new();
    shared(&SHARED, SHARED_REDIS, Redis::start, Redis::url)
}

/// The same with Sentinels: the Redis that [`SHARED_REDIS_SENTINELS`] names, or else one of this process.
pub fn shared_redis_sentinels() -> Result<&'static str, String> {
    static SHARED: Shared<RedisSentinels> = OnceLock::new();
    shared(&SHARED, SHARED_REDIS_SENTINELS, RedisSentinels::start, RedisSentinels::url)
}

/// The same as a cluster: the one that [`SHARED_REDIS_CLUSTER`] names, or else one of this process.
pub fn shared_redis_cluster() -> Result<&'static str, String> {
    static SHARED: Shared<RedisCluster> = OnceLock::new();
    shared(&SHARED, SHARED_REDIS_CLUSTER, RedisCluster::start, RedisCluster::url)
}

/// A URL, and the server where it is our own.
type Shared<T> = OnceLock<Result<(String, Option<T>), String>>;

fn shared<T>(
    shared: &'static Shared<T>,
    variable: &str,
    start: impl FnOnce() -> Result<T, String>,
    url: impl FnOnce(&T) -> String,
) -> Result<&'static str, String> {
    let find = || match env::var(variable) {
        Ok(url) => Ok((url, None)),
        Err(_) => start().map(|own| (url(&own), Some(own))),
    };
    shared.get_or_init(find).as_ref().map(|(url, _)| url.as_str()).map_err(Clone::clone)
}

/// The URL of a database of [`shared_redis`] that nobody else uses. Channels are not kept apart by it.
pub fn fresh_redis_database() -> Result<String, String> {
    let url = shared_redis()?;
    let (server, _) = url.rsplit_once('/').ok_or_else(|| format!("no database in {url}"))?;
    // The first one counts the others.
    Ok(format!("{server}/{}", redis_cli(url, &["incr", "evently_test_databases"])?))
}

/// What the keys of one test begin with.
pub fn fresh_namespace() -> String {
    unique_name()
}

/// The server that [`SHARED_POSTGRES`] names, or else one that this process starts and keeps to its end.
///
/// Whoever runs every test in a process of its own sets the variable, because starting a server takes longer than most tests.
pub fn shared_postgres() -> Result<&'static SharedPostgres, String> {
    static SHARED: OnceLock<Result<SharedPostgres, String>> = OnceLock::new();
    SHARED.get_or_init(SharedPostgres::find).as_ref().map_err(Clone::clone)
}

/// An empty database of [`shared_postgres`] that nobody else uses.
pub fn fresh_database() -> Result<Database, String> {
    shared_postgres()?.fresh_database()
}

/// A server that nobody may stop, with databases that have one owner each.
pub struct SharedPostgres {
    admin_url: String,
    /// Not there if somebody else runs it.
    _own: Option<Postgres>,
}

impl SharedPostgres {
    fn find() -> Result<Self, String> {
        if let Ok(url) = env::var(SHARED_POSTGRES) {
            return Ok(Self { admin_url: with_database(&url, "postgres"), _own: None });
        }
        let own = Postgres::start()?;
        Ok(Self { admin_url: own.admin_url("postgres"), _own: Some(own) })
    }

    /// Where a database of the server is, for a user who may do everything.
    pub fn admin_url(&self, database: &str) -> String {
        with_database(&self.admin_url, database)
    }

    /// The port of this machine that the server listens on.
    pub fn port(&self) -> Result<u16, String> {
        let address = self.admin_url.split_once('@').map_or(&*self.admin_url, |(_, address)| address);
        let port = address.split('/').next().and_then(|address| address.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
        port.ok_or_else(|| format!("no port in {}", self.admin_url))
    }

    /// An empty database that nobody else uses.
    pub fn fresh_database(&self) -> Result<Database, String> {
        let database = Database::new(&self.admin_url);
        self.run(&format!("create database {}", database.name))?;
        Ok(database)
    }

    /// A copy of the template that [`Database::into_template`] made; none if nobody has made it yet.
    ///
    /// A test that needs a schema asks for a copy first, and builds the template when there is none:
    ///
    /// ```no_run
    /// # use evently_testservers::{Database, SharedPostgres};
    /// # fn migrate(_: &str) -> Result<(), String> { Ok(()) }
    /// fn database(server: &SharedPostgres) -> Result<Database, String> {
    ///     if let Some(copy) = server.copy_of("schema")? {
    ///         return Ok(copy);
    ///     }
    ///     let draft = server.fresh_database()?;
    ///     migrate(draft.url())?;
    ///     draft.into_template("schema")?;
    ///     Ok(server.copy_of("schema")?.expect("it has just been made"))
    /// }
    /// ```
    pub fn copy_of(&self, template: &str) -> Result<Option<Database>, String> {
        let database = Database::new(&self.admin_url);
        match self.run(&format!("create database {} template {}", database.name, template_name(template))) {
            Ok(()) => Ok(Some(database)),
            Err(error) if error.contains(UNDEFINED_DATABASE) => {
                database.forget();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn run(&self, statement: &str) -> Result<(), String> {
        psql(&self.admin_url, &[statement]).map(drop)
    }
}

/// A database that is dropped with this, whoever is still connected to it.
pub struct Database {
    name: String,
    url: String,
    admin_url: String,
    /// Whether it is still ours to drop.
    ours: bool,
}

impl Database {
    fn new(admin_url: &str) -> Self {
        let name = unique_name();
        Self { url: with_database(admin_url, &name), name, admin_url: admin_url.to_owned(), ours: true }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, for a user who may do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements by `psql`, each on its own; the rows of their results, columns parted by `|`.
    pub fn query(&self, statements: &[&str]) -> Result<String, String> {
        psql(&self.url, statements)
    }

    /// Runs a statement whose result does not matter.
    pub fn execute(&self, statement: &str) -> Result<(), String> {
        self.query(&[statement]).map(drop)
    }

    /// Makes it the template of this name for [`SharedPostgres::copy_of`]. All connections to it must have ended.
    ///
    /// If another test was first, its template stays and this database is dropped; both must have prepared the same. So where the
    /// server outlives the tests, the name has to change with the content.
    pub fn into_template(self, name: &str) -> Result<(), String> {
        // One who connects to a template keeps all others from copying it.
        let close = format!("alter database {} allow_connections false", self.name);
        // In one step, so that there is never a template that is half prepared.
        let rename = format!("alter database {} rename to {}", self.name, template_name(name));
        match psql(&self.admin_url, &[&close, &rename]) {
            Ok(_) => self.forget(),
            Err(error) if [DUPLICATE_DATABASE, UNIQUE_VIOLATION].iter().any(|code| error.contains(code)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// There is no database of this name any more.
    fn forget(mut self) {
        self.ours = false;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.ours {
            // It may be gone, or the server; neither is a reason to fail.
            _ = psql(&self.admin_url, &[&format!("drop database if exists {} with (force)", self.name)]);
        }
    }
}

// As `psql` writes the codes of errors.
const DUPLICATE_DATABASE: &str = "ERROR:  42P04:";
const UNDEFINED_DATABASE: &str = "ERROR:  3D000:";
/// Instead of the above, for two at once.
const UNIQUE_VIOLATION: &str = "ERROR:  23505:";

/// A name that no other test has, of this process or another, now or earlier.
fn unique_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().build_hasher().finish();
    format!("evently_test_{}_{count}_{random:016x}", process::id())
}

fn template_name(name: &str) -> String {
    format!("\"evently_template_{name}\"")
}
