//! A private `PgBouncer`.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::Port;
use crate::postgres::Postgres;
use crate::server::Server;
use crate::shipped::Shipped;
use crate::tool::psql;

/// What an operator puts into `/etc/pgbouncer`.
const SHIPPED: &str = include_str!("../../deploy/pgbouncer/pgbouncer.ini");

/// Pools the connections to a [`Postgres`] by transaction, as `deploy/pgbouncer/pgbouncer.ini` says but for ports, paths and passwords:
/// 1000 clients, and for each database and user 25 connections and 5 in reserve.
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
        folder.write("users.txt", "\"evently\" \"\"\n")?;
        let configuration = folder.write("pgbouncer.ini", &configuration(server, port.number, folder.path())?)?;
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

/// The shipped file, for every database, and without passwords.
fn configuration(server: u16, port: u16, folder: &Path) -> Result<String, String> {
    let mut text = Shipped::new("deploy/pgbouncer/pgbouncer.ini", SHIPPED);
    text.replace("evently = host=127.0.0.1 port=5432 dbname=evently", &format!("* = host=127.0.0.1 port={server}"))?;
    text.replace("listen_port = 6432", &format!("listen_port = {port}"))?;
    text.replace("auth_type = scram-sha-256", "auth_type = trust")?;
    let folder = folder.display();
    text.replace("/etc/pgbouncer/userlist.txt", &format!("{folder}/users.txt"))?;
    text.replace("unix_socket_dir = /run/postgresql", "unix_socket_dir =")?;
    text.replace("/run/postgresql", &folder.to_string())?;
    // To what its server says anyway.
    text.replace("logfile = /var/log/postgresql/pgbouncer.log", "")?;
    Ok(text.text())
}
