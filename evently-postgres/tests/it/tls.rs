//! TLS to the server, with certificates of an authority of our own.

use std::{sync::Arc, time::Duration};

use evently_core::memory::SeededIds;
use evently_postgres::{OpenError, Options, PgStore, Problem};
use evently_testservers::{Certificates, Postgres};

/// A server that takes the user `app` by TLS only, and who must show a certificate there.
struct Guarded {
    server: Postgres,
    certificates: Certificates,
}

impl Guarded {
    fn start(how: &str) -> Self {
        let certificates = Certificates::make().unwrap();
        let server =
            Postgres::options().admits(&format!("hostssl all app 127.0.0.1/32 {how}")).tls(&certificates).start().unwrap();
        let own = ["create role app login", "alter database evently owner to app", "grant all on schema public to app"];
        server.query("evently", &own).unwrap();
        Self { server, certificates }
    }

    async fn open(&self, host: &str, parameters: &str) -> Result<PgStore, OpenError> {
        let url = format!("postgres://app@{host}:{}/evently?{parameters}", self.server.port());
        let options = Options { patience: Duration::from_secs(20), ..Options::new(url) };
        PgStore::open(Arc::new(SeededIds::new(1)), &options).await
    }

    async fn refused(&self, host: &str, parameters: &str) -> (Problem, String) {
        let error = self.open(host, parameters).await.err().unwrap_or_else(|| panic!("{host} {parameters} opens"));
        (error.problem, error.source.map(|source| source.to_string()).unwrap_or_default())
    }
}

#[tokio::test]
async fn the_server_is_who_it_says_or_is_refused() {
    let guarded = Guarded::start("trust");
    let ours = format!("sslrootcert={}", guarded.certificates.path("authority.crt").display());
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&{ours}")),
        ("localhost", format!("sslmode=verify-full&{ours}")),
    ] {
        guarded.open(host, &parameters).await.unwrap_or_else(|error| panic!("{host} {parameters}: {error:?}"));
    }
    let others = Certificates::make().unwrap();
    let others = format!("sslrootcert={}", others.path("authority.crt").display());
    for (host, parameters, said) in [
        ("localhost", format!("sslmode=verify-ca&{others}"), "certificate"),
        ("localhost", format!("sslmode=verify-full&{others}"), "certificate"),
        ("localhost", "sslmode=verify-full".to_owned(), "certificate"),
        ("127.0.0.1", format!("sslmode=verify-full&{ours}"), "certificate"),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere.crt".to_owned(), "No such file"),
    ] {
        let (problem, source) = guarded.refused(host, &parameters).await;
        assert_eq!(problem, Problem::Tls, "{host} {parameters}: {source}");
        assert!(source.contains(said), "{host} {parameters}: {source}");
    }
    let (problem, source) = guarded.refused("127.0.0.1", "sslmode=disable").await;
    assert_eq!(problem, Problem::Credentials, "{source}");
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate() {
    let guarded = Guarded::start("cert");
    let path = |name| guarded.certificates.path(name).display().to_string();
    let server = format!("sslmode=verify-full&sslrootcert={}", path("authority.crt"));
    let client = format!("sslcert={}&sslkey={}", path("client.crt"), path("client.key"));
    guarded.open("localhost", &format!("{server}&{client}")).await.unwrap();
    let (problem, source) = guarded.refused("localhost", &server).await;
    assert_eq!(problem, Problem::Credentials, "{source}");
}
