//! What NGINX sends to another instance when one gives no answer.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use evently_testservers::Nginx;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};

use super::tls::{Client, PATIENCE, Said};

const DONE: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const NOT_THERE: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// An instance that always gives the same answer, or none and hangs up.
struct Instance {
    port: u16,
    asked: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

impl Instance {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let mut running = JoinSet::new();
        running.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, asked, _running: running }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What becomes of a request that comes to an instance which hangs up.
struct Fate {
    said: Said,
    /// How many instances have seen it.
    seen: usize,
}

async fn fate(method: &str, path: &str, lines: &[&str]) -> Fate {
    fate_after("", method, path, lines).await
}

/// The same where the first instance says something.
async fn fate_after(answer: &'static str, method: &str, path: &str, lines: &[&str]) -> Fate {
    let instances = [Instance::start(answer).await, Instance::start(DONE).await, Instance::start(DONE).await];
    let nginx = Nginx::before(instances.each_ref().map(|instance| instance.port)).unwrap();
    let client = Client::of(&nginx, 1);
    let seen = || instances.iter().map(Instance::asked).sum::<usize>();
    let hung_up = async {
        loop {
            let before = seen();
            let said = if method == "GET" { client.get(path, lines).await } else { client.post(path, lines, "{}").await };
            if instances[0].asked() > 0 {
                return Fate { said, seen: seen() - before };
            }
        }
    };
    timeout(PATIENCE, hung_up).await.expect("its turn comes")
}

#[tokio::test]
async fn a_read_is_asked_again_elsewhere() {
    let fate = fate("GET", "/api/v1/events", &[]).await;
    assert_eq!((fate.said.status, fate.seen), (204, 2));
}

#[tokio::test]
async fn a_write_with_a_key_is_asked_again_elsewhere() {
    let fate = fate("POST", "/api/v1/bookings", &["idempotency-key: k"]).await;
    assert_eq!((fate.said.status, fate.seen), (204, 2));
}

#[tokio::test]
async fn a_write_without_one_is_asked_once() {
    let fate = fate("POST", "/api/v1/bookings", &["idempotency-key: "]).await;
    assert_eq!((fate.said.status, fate.seen), (502, 1));
    assert_eq!(fate.said.json()["code"], "no_answer");
    assert_eq!(fate.said.json()["status"], 502);
    assert!(fate.said.header("retry-after").is_some() && fate.said.header("x-request-id").is_some());
}

/// A refresh token that comes twice ends its login, and a key means nothing there.
#[tokio::test]
async fn a_login_is_asked_once_whatever_it_says() {
    let fate = fate("POST", "/auth/refresh", &["idempotency-key: k"]).await;
    assert_eq!((fate.said.status, fate.seen), (502, 1));
}

/// The page comes from one instance and its files from the others, which may be of the version before or after.
#[tokio::test]
async fn a_file_of_the_page_that_one_instance_does_not_have_is_asked_for_elsewhere() {
    let fate = fate_after(NOT_THERE, "GET", "/assets/0123456789abcdef/main.js", &[]).await;
    assert_eq!((fate.said.status, fate.seen), (204, 2));
}

#[tokio::test]
async fn what_an_instance_does_not_find_is_not_looked_for_elsewhere() {
    let fate = fate_after(NOT_THERE, "GET", "/api/v1/events/x", &[]).await;
    assert_eq!((fate.said.status, fate.seen), (404, 1));
}
