//! A private `PostgreSQL`, and a replica of one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::Certificates;
use crate::folder::Folder;
use crate::port::Port;
use crate::processes::wait_until;
use crate::server::Server;
use crate::tool::{postgres_program, psql};

/// How long a replica may take to follow or to be promoted on a machine that is busy with many tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// The user of every server, and the database that it begins with.
const NAME: &str = "evently";

/// How a [`Postgres`] is to run.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    durable: bool,
    settings: Vec<(String, String)>,
    admits: Option<String>,
    tls: Option<(String, String, String)>,
}

impl PostgresOptions {
    /// Whether what is committed is still there after [`Postgres::kill`], as in production. Otherwise the server is only fast.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Whom else the server admits and how, in lines as of `pg_hba.conf`, instead of everybody. The user `evently` is always admitted.
    #[must_use]
    pub fn admits(mut self, lines: &str) -> Self {
        self.admits = Some(lines.to_owned());
        self
    }

    /// Lets it speak TLS with these certificates.
    #[must_use]
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.of_server());
        self
    }

    /// A setting of the server, as in `postgresql.conf`; the last of a name counts.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a server with the database `evently`.
    pub fn start(self) -> Result<Postgres, String> {
        let mut folder = Folder::create(STOP_SIGNAL)?;
        let options =
            format!("--pgdata={} --username={NAME} --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync", data(&folder));
        folder.run(&postgres_program("initdb")?, &words(&options))?;
        let postgres = Postgres::new(folder, self)?;
        postgres.restart()?;
        postgres.create_database(NAME)?;
        Ok(postgres)
    }

    /// All settings, the caller's last.
    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        const FAST: &[(&str, &str)] = &[("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
        let speed = if self.durable { &[] } else { FAST };
        // By default a killed server leaves its shared memory to the machine.
        let ours = [("max_connections", "300"), ("dynamic_shared_memory_type", "mmap")].into_iter().chain(speed.iter().copied());
        ours.chain(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// A server on a port and in a folder of its own. Its user `evently` may do everything and needs no password.
///
/// Dropping it stops it at once and removes its folder.
pub struct Postgres {
    server: Server,
    options: PostgresOptions,
    port: Port,
}

impl Postgres {
    /// A fast server that may forget what was committed when it is killed.
    pub fn start() -> Result<Self, String> {
        Self::options().start()
    }

    /// Settings to start a server with.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// A streaming replica of this server as it is now, with the same settings. It reads on when this one is killed.
    pub fn replica(&self) -> Result<Self, String> {
        let mut folder = Folder::create(STOP_SIGNAL)?;
        // Named after its folder, which is the only one of its name.
        let slot = folder.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase().replace('-', "_");
        let source = format!("--host=127.0.0.1 --port={} --username={NAME}", self.port());
        let copy = format!("--pgdata={} --write-recovery-conf --checkpoint=fast --no-sync", data(&folder));
        let stream = format!("--wal-method=stream --create-slot --slot={slot}");
        folder.run(&postgres_program("pg_basebackup")?, &words(&format!("{source} {copy} {stream}")))?;
        let replica = Self::new(folder, self.options.clone())?;
        replica.restart()?;
        Ok(replica)
    }

    /// Has no commit be acknowledged any more before a replica has it on disk. Waits until one follows.
    pub fn wait_for_replica(&self) -> Result<(), String> {
        // Only from now on, because without a replica not even a database could be made.
        self.query(NAME, &["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"])?;
        let synchronous = "select count(*) from pg_stat_replication where sync_state = 'sync'";
        let follows = wait_until(PATIENCE, || self.query(NAME, &[synchronous]).is_ok_and(|count| count == "1"));
        if follows { Ok(()) } else { Err("no replica follows".to_owned()) }
    }

    /// Makes this replica a server of its own, which can be written to.
    pub fn promote(&self) -> Result<(), String> {
        // A query that waits for it may be what it waits for: the rows that it sees are not to be cleaned up meanwhile.
        self.query(NAME, &["select pg_promote(false)"])?;
        let promoted = || self.query(NAME, &["select pg_is_in_recovery()"]).is_ok_and(|in_recovery| in_recovery == "f");
        wait_until(PATIENCE, promoted).then_some(()).ok_or_else(|| "the replica is not promoted".to_owned())
    }

    /// Over a folder with data; not yet started.
    fn new(folder: Folder, options: PostgresOptions) -> Result<Self, String> {
        let port = Port::claim()?;
        let place = format!("-D {} -k {} -h 127.0.0.1 -p {}", data(&folder), folder.path().display(), port.number);
        let files = files(&folder, &options)?;
        let files = files.iter().map(|(name, value)| (*name, value.as_str()));
        let settings = options.all().chain(files).flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
        let arguments = words(&place).into_iter().chain(settings).collect();
        Ok(Self { server: Server::new(folder, postgres_program("postgres")?, arguments), options, port })
    }

    /// Where the database `evently` is.
    pub fn url(&self) -> String {
        self.admin_url(NAME)
    }

    /// Where a database is, for a user who may do everything. The database `postgres` is always there.
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://{NAME}@127.0.0.1:{}/{database}", self.port())
    }

    /// The port on 127.0.0.1; it stays the same.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The folder with the server's socket.
    pub fn socket_folder(&self) -> &Path {
        self.server.path()
    }

    /// What the server says.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Creates an empty database and says where it is.
    pub fn create_database(&self, name: &str) -> Result<String, String> {
        psql(&self.admin_url("postgres"), &[&format!("create database \"{name}\"")])?;
        Ok(self.admin_url(name))
    }

    /// Runs statements in a database by `psql`, each on its own; the rows of their results, columns parted by `|`.
    pub fn query(&self, database: &str, statements: &[&str]) -> Result<String, String> {
        psql(&self.admin_url(database), statements)
    }

    /// Ends all connections and stops it in good order; its data stay until [`restart`](Self::restart).
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop(Signal::INT)
    }

    /// Stops it in good order, if it runs, and starts it again on the same data and port.
    pub fn restart(&self) -> Result<(), String> {
        self.stop()?;
        let status = data_path(self.server.path()).join("postmaster.pid");
        self.server.start(|id| is_ready(&status, id))
    }

    /// Kills it, as a crash would. What was committed is only kept for certain by a server that is [durable](PostgresOptions::durable).
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Makes it stand still: connections stay open and new ones are taken, but nobody answers.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.server.resume();
    }
}

/// The files that the options ask for, and the settings that name them.
fn files(folder: &Folder, options: &PostgresOptions) -> Result<Vec<(&'static str, String)>, String> {
    let mut settings = Vec::new();
    let mut write = |setting, name, content: &str| {
        let path = folder.write(name, content)?;
        // Of a key the server wants to be the only reader.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(|error| error.to_string())?;
        settings.push((setting, path.display().to_string()));
        Ok::<_, String>(())
    };
    if let Some(lines) = &options.admits {
        let ours = format!("local all all trust\nhost all,replication {NAME} 127.0.0.1/32 trust\n{lines}\n");
        write("hba_file", "hba.conf", &ours)?;
    }
    if let Some((authority, certificate, key)) = &options.tls {
        write("ssl_ca_file", "authority.crt", authority)?;
        write("ssl_cert_file", "server.crt", certificate)?;
        write("ssl_key_file", "server.key", key)?;
        settings.push(("ssl", "on".to_owned()));
    }
    Ok(settings)
}

/// Immediate shutdown: nothing is written any more.
const STOP_SIGNAL: &str = "QUIT";

fn data(folder: &Folder) -> String {
    data_path(folder.path()).display().to_string()
}

fn data_path(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The server writes its process id into the first line of the file, and in the eighth how far it is.
fn is_ready(status: &Path, id: u32) -> bool {
    let text = fs::read_to_string(status).unwrap_or_default();
    let mut lines = text.lines();
    let ours = lines.next().is_some_and(|line| line.trim() == id.to_string());
    ours && lines.nth(6).is_some_and(|line| line.trim() == "ready")
}
