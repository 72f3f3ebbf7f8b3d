//! Clients of NGINX, who speak TLS and believe in its certificate alone.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use evently_cli::http1::{Connection, Target};
use evently_testservers::Nginx;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longer than anything here should take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody at an address of their own.
#[derive(Clone)]
pub struct Client {
    nginx: SocketAddr,
    from: Ipv4Addr,
    tls: TlsConnector,
}

impl Client {
    /// A client at 127.0.0.`host`.
    pub fn of(nginx: &Nginx, host: u8) -> Self {
        Self::speaking(nginx, host, &[])
    }

    /// The same, who offers these protocols.
    pub fn speaking(nginx: &Nginx, host: u8, protocols: &[&[u8]]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(nginx.certificate().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self {
            nginx: (Ipv4Addr::LOCALHOST, nginx.https_port()).into(),
            from: Ipv4Addr::new(127, 0, 0, host),
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    pub async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        let stream = socket.connect(self.nginx).await?;
        stream.set_nodelay(true)?;
        self.tls.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Asks for something, with these lines besides.
    pub async fn get(&self, path: &str, lines: &[&str]) -> Said {
        self.ask("GET", path, lines, "").await
    }

    pub async fn post(&self, path: &str, lines: &[&str], body: &str) -> Said {
        self.ask("POST", path, &[lines, &["content-type: application/json"]].concat(), body).await
    }

    async fn ask(&self, method: &str, path: &str, lines: &[&str], body: &str) -> Said {
        let lines = lines.iter().flat_map(|line| [*line, "\r\n"]).collect::<String>();
        let length = body.len();
        // The older version, whose answers end with the connection.
        let text = format!("{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n{lines}\r\n{body}");
        let exchange = async {
            let mut stream = self.connect().await.unwrap();
            // Who sends too much may be cut off, and has its answer all the same.
            let _ = stream.write_all(text.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        };
        Said::from(timeout(PATIENCE, exchange).await.expect("an answer"))
    }

    /// A way to NGINX for clients who speak no TLS.
    pub async fn tunnel(self) -> Tunnel {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut ways = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let client = self.clone();
                ways.spawn(async move {
                    // What goes wrong shows at the near end, which is closed then.
                    if let Ok(mut far) = client.connect().await {
                        let _ = near.set_nodelay(true);
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Tunnel { address, _carrying: carrying }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    head: String,
    pub body: String,
}

impl From<Vec<u8>> for Said {
    fn from(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or_else(|| panic!("no status: {head}")), head: head.to_owned(), body: body.to_owned() }
    }
}

impl Said {
    /// Every value of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The value of a header that comes once or not at all.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers(name);
        assert!(values.len() <= 1, "{name} comes more than once: {}", self.head);
        values.first().copied()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Closed when this is dropped.
pub struct Tunnel {
    pub address: SocketAddr,
    _carrying: JoinSet<()>,
}

impl Tunnel {
    pub fn connection(&self) -> Connection {
        Connection::new(Target::parse(&format!("http://{}", self.address)).unwrap(), PATIENCE)
    }
}
