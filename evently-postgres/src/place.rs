//! Where a server is, as a URL says it: one host, or several of which one is the primary at a time.

use std::{io, str::FromStr, time::Duration};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    opening::Problem,
    options::{Options, Pooler},
};

/// What may stand behind the question mark. Of anything else the driver would only tell the log, value and all.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
/// Which of several hosts is wanted; whatever it says, the store takes the one that can be written to.
const WANTED: &str = "target_session_attrs";

/// What a statement's time limits: itself, its waiting for a lock, and how long the server waits for the next one in a transaction. Who
/// stands still in the middle of one would otherwise keep its locks for as long.
pub(crate) const LIMITS: [&str; 3] = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

/// Where a server is.
#[derive(Clone)]
pub(crate) struct Place {
    /// A URL for each host, in the order in which they are tried.
    hosts: Vec<String>,
    pooler: Pooler,
    statement_timeout: Duration,
}

impl Place {
    /// What `url` says, for connections as these options have them.
    pub(crate) fn parse(url: &str, options: &Options) -> Result<Self, Problem> {
        let (scheme, rest) = url.split_once("://").ok_or(Problem::Url)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, address) = address.rsplit_once('@').map_or(("", address), |(user, address)| (user, address));
        let (hosts, path) = address.split_once('/').unwrap_or((address, ""));
        let query = parameters(query)?;
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let url_of = |host: &str| format!("{scheme}://{user}{host}/{path}?{query}");
        let place = Self {
            hosts: hosts.split(',').map(url_of).collect(),
            pooler: options.pooler,
            statement_timeout: options.statement_timeout,
        };
        for host in place.hosts() {
            place.connect_options(host).map_err(|_| Problem::Url)?;
        }
        Ok(place)
    }

    /// Which hosts there are, by their place.
    pub(crate) fn hosts(&self) -> std::ops::Range<usize> {
        0..self.hosts.len()
    }

    /// How to connect to one of them. Read anew each time, because the password may stand in a file and change there.
    pub(crate) fn connect_options(&self, host: usize) -> Result<PgConnectOptions, sqlx::Error> {
        let connect = self.bare_options(host)?;
        if self.pooler == Pooler::Transaction {
            // It would refuse the settings.
            return Ok(connect.statement_cache_capacity(0));
        }
        let millis = self.statement_timeout.as_millis().to_string();
        Ok(connect.options(LIMITS.map(|limit| (limit, millis.as_str()))))
    }

    fn bare_options(&self, host: usize) -> Result<PgConnectOptions, sqlx::Error> {
        Ok(PgConnectOptions::from_str(&self.hosts[host])?.application_name("evently"))
    }

    /// A connection to one of them, for statements of any length.
    pub(crate) async fn connect(&self, host: usize, patience: Duration) -> Result<PgConnection, sqlx::Error> {
        let connect = self.bare_options(host)?.statement_cache_capacity(0);
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the server has not answered in time");
        tokio::time::timeout(patience, connect.connect()).await.unwrap_or_else(|_| Err(sqlx::Error::Io(late())))
    }
}

impl Place {
    /// Whether the host is a file of this machine.
    pub(crate) fn is_socket(&self, host: usize) -> bool {
        self.bare_options(host).is_ok_and(|options| options.get_socket().is_some())
    }

    /// Whether the name of a host leads anywhere.
    pub(crate) async fn resolves(&self, host: usize) -> bool {
        let Ok(options) = self.bare_options(host) else { return false };
        tokio::net::lookup_host((options.get_host().trim_matches(['[', ']']), options.get_port())).await.is_ok()
    }
}

/// The query without what is ours alone.
fn parameters(query: &str) -> Result<String, Problem> {
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(Problem::Url)?;
        match name {
            WANTED if ["any", "primary", "read-write"].contains(&value) => {}
            WANTED => return Err(Problem::Wanted),
            _ if PARAMETERS.contains(&name) || name.starts_with("options[") => kept.push(parameter),
            _ => {
                return Err(Problem::Parameter(
                    name.chars().filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect(),
                ));
            }
        }
    }
    Ok(kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, Problem> {
        Place::parse(url, &Options::new(""))
    }

    fn hosts(url: &str) -> Vec<(String, u16, Option<String>)> {
        let place = place(url).unwrap();
        let host = |host| {
            let options = place.connect_options(host).unwrap();
            (options.get_host().to_owned(), options.get_port(), options.get_database().map(str::to_owned))
        };
        place.hosts().map(host).collect()
    }

    #[test]
    fn several_hosts_share_the_rest_of_the_url() {
        let url = "postgres://me:hu%40sh@one:5433,two,[::1]:5434/evently?sslmode=require&target_session_attrs=read-write";
        let database = Some("evently".to_owned());
        let expected = [("one", 5433), ("two", 5432), ("[::1]", 5434)];
        assert_eq!(hosts(url), expected.map(|(host, port)| (host.to_owned(), port, database.clone())));
        assert_eq!(hosts("postgres://one").len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_refused_and_its_value_not_repeated() {
        for url in
            ["postgres", "postgres://one:port/evently", "postgres://one,:x/evently", "postgres://one/evently?sslmode=perhaps"]
        {
            assert!(matches!(place(url), Err(Problem::Url)), "{url}");
        }
        let url = "postgres://one/evently?my-pass_word%1f=hush";
        let Err(problem @ Problem::Parameter(_)) = place(url) else { panic!("it is taken") };
        assert_eq!(problem.to_string(), "its parameter `my-pass_word1f` is none that is known here");
        assert!(matches!(place("postgres://one/evently?target_session_attrs=standby"), Err(Problem::Wanted)));
    }
}
