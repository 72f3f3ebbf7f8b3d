//! A private `PgBouncer`.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::Port;
use crate::postgres::Postgres;
use crate::server::Server;
use crate::tool::psql;

/// Pools the connections to a [`Postgres`] by transaction, with the figures that are recommended for production: 1000 clients, and
/// for each database and user 25 connections and 5 in reserve.
///
/// Every database of the server is to be had, for the user `evently`. Dropping it stops it at once.
pub struct PgBouncer {
    server: Server,
    port: Port,
}

impl PgBouncer {
    /// Starts one; the server behind it may stop and start again meanwhile.
    pub fn start(postgres: &Postgres) -> Result<Self, String> {
        Self::before(postgres.port())
    }

    /// Starts one before the server at this port of the machine.
    pub fn before(server: u16) -> Result<Self, String> {
        let program = PathBuf::from("/usr/sbin/pgbouncer");
        if !program.exists() {
            return Err(format!("there is no {}; install the package pgbouncer", program.display()));
        }
        let port = Port::claim()?;
        // It keeps nothing, so nothing is lost when it is killed.
        let folder = Folder::create("KILL")?;
        let users = folder.write("users.txt", "\"evently\" \"\"\n")?;
        let configuration = folder.write("pgbouncer.ini", &configuration(server, port.number, &users))?;
        let bouncer = Self { server: Server::new(folder, program, vec![configuration.display().to_string()]), port };
        bouncer.restart()?;
        Ok(bouncer)
    }

    /// Where a database is through the pool. `pgbouncer` is its own, for `show pools` and the like.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://evently@127.0.0.1:{}/{database}", self.port.number)
    }

    /// What it says.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Runs statements through the pool, as [`Postgres::query`] does.
    pub fn query(&self, database: &str, statements: &[&str]) -> Result<String, String> {
        psql(&self.url(database), statements)
    }

    /// Ends all connections at once.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Kills it, if it runs, and starts it again on the same port.
    pub fn restart(&self) -> Result<(), String> {
        self.kill();
        // Its own database answers also when the server behind it is down.
        self.server.start(|_| self.query("pgbouncer", &["show version"]).is_ok())
    }

    /// Makes it stand still, as [`Postgres::pause`] does.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.server.resume();
    }

    /// Waits for clients to end and stops it.
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop(Signal::INT)
    }
}

fn configuration(server: u16, port: u16, users: &Path) -> String {
    format!(
        "[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {}
admin_users = evently
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 25
reserve_pool_size = 5
; Drivers send it in every startup, and it says how numbers are written, not what they are.
ignore_startup_parameters = extra_float_digits
",
        users.display()
    )
}
