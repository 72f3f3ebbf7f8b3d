//! The service behind NGINX, which is set up by the file that is shipped.

mod once;
pub mod tls;

use evently_cli::http1::Request;
use evently_testservers::{Nginx, Redis};
use serde_json::{Value, json};

use self::tls::{Client, Said};
use crate::evently::{Evently, PASSWORD, Service};

/// One service that stands for three instances, as it is in production, and NGINX before it.
struct House {
    evently: Evently,
    service: Service,
    nginx: Nginx,
    event: String,
}

impl House {
    fn open() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&'static str, &str)]) -> Self {
        let evently = settings.iter().fold(production(Evently::new()), |evently, (key, value)| evently.with(key, value));
        let event = evently.event(10);
        let service = evently.serve();
        let port = service.target.to_string().rsplit_once(':').unwrap().1.parse().unwrap();
        Self { evently, service, nginx: Nginx::before([port; 3]).unwrap(), event }
    }

    fn client(&self) -> Client {
        Client::of(&self.nginx, 1)
    }

    /// A customer, who is logged in; the header that says so.
    async fn customer(&self, email: &str) -> String {
        self.evently.account(email, "customer");
        format!("authorization: Bearer {}", self.service.log_in(email).await)
    }

    /// Where the last answers to requests for this path came from: empty unless they may come out of the cache.
    fn cached(&self, path: &str) -> Vec<String> {
        let requests = self.nginx.requests().unwrap();
        let requests = requests.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        requests.filter(|request| request["path"] == path).map(|request| request["cache"].as_str().unwrap().to_owned()).collect()
    }
}

/// As operators are told to set it up.
pub fn production(evently: Evently) -> Evently {
    let settings = [
        ("EVENTLY_PROFILE", "production"),
        ("EVENTLY__AUTH__SECRET", "a secret that all instances have in common"),
        ("EVENTLY__AUTH__BCRYPT_COST", "10"),
        ("EVENTLY__PAYMENT__WEBHOOK_SECRET", "another secret that all of them have"),
        ("EVENTLY__PAYMENT__GATEWAY", "sandbox"),
        ("EVENTLY__HTTP__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    settings.into_iter().fold(evently, |evently, (key, value)| evently.with(key, value))
}

fn log_in(email: &str) -> String {
    json!({ "email": email, "password": PASSWORD }).to_string()
}

fn code(said: &Said) -> Value {
    said.json()["code"].clone()
}

#[tokio::test]
async fn without_tls_there_is_only_a_way_to_tls() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let house = House::open();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", house.nginx.http_port())).await.unwrap();
    stream.write_all(b"POST /auth/login?x=1 HTTP/1.0\r\nhost: tickets.example.org\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let said = Said::from(answer);
    assert_eq!((said.status, said.header("location")), (308, Some("https://tickets.example.org/auth/login?x=1")));
}

#[tokio::test]
async fn browsers_are_offered_http_2() {
    let house = House::open();
    let stream = Client::speaking(&house.nginx, 1, &[b"h2", b"http/1.1"]).connect().await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn rates_are_those_of_the_clients_real_address() {
    let house = House::with(&[("EVENTLY__RATE_LIMIT__ENABLED", "true"), ("EVENTLY__RATE_LIMIT__AUTH", "3/60m")]);
    let try_from = async |host: u8, forged: u8| {
        let forged = format!("x-forwarded-for: 203.0.113.{forged}, 127.0.0.1");
        let said = Client::of(&house.nginx, host).post("/auth/login", &[&forged], &log_in("nobody@example.org")).await;
        said.status
    };
    for forged in 0..3 {
        assert_eq!(try_from(2, forged).await, 401);
    }
    assert_eq!(try_from(2, 9).await, 429, "whatever it claims to be");
    assert_eq!(try_from(3, 9).await, 401, "somebody else");
}

#[tokio::test]
async fn a_request_keeps_its_id_and_its_trace() {
    let house = House::open();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
    let said = house.client().get("/api/v1/me", &["x-request-id: mine-1", &parent]).await;
    assert_eq!((said.status, said.header("x-request-id")), (401, Some("mine-1")));
    assert_eq!(said.json()["trace_id"], trace);
    let said = house.client().get("/api/v1/me", &["x-request-id: not {a} reasonable one"]).await;
    let made = said.header("x-request-id").unwrap();
    assert!(made.len() == 32 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
    assert!(house.nginx.requests().unwrap().contains(made), "it is the one in the log");
}

#[tokio::test]
async fn headers_that_keep_browsers_safe_come_once() {
    let house = House::open();
    for path in ["/", "/api/v1/events", "/api/v1/me", "/nowhere"] {
        let said = house.client().get(path, &["accept: text/html"]).await;
        for name in [
            "strict-transport-security",
            "content-security-policy",
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "cache-control",
            "x-request-id",
            "server",
        ] {
            assert!(said.header(name).is_some(), "{path} has no {name}: {said:?}");
        }
        assert_eq!(said.header("server"), Some("nginx"), "no version");
    }
}

#[tokio::test]
async fn bodies_may_be_as_large_as_the_service_takes_them() {
    let house = House::open();
    let large = " ".repeat((1 << 20) + 1);
    let said = house.client().post("/api/v1/bookings", &["idempotency-key: k"], &large).await;
    assert_eq!((said.status, said.header("content-type")), (413, Some("application/problem+json")));
    assert_eq!((code(&said), &said.json()["status"]), (json!("body_too_large"), &json!(413)));
    let said = house.client().post("/api/v1/bookings", &[], &large[1..]).await;
    assert_eq!(said.status, 401, "the service has seen it: {said:?}");
    let said = house.client().post("/api/v1/admin/venues", &[], &large).await;
    assert_eq!(said.status, 401, "plans of venues are larger: {said:?}");
}

#[tokio::test]
async fn what_never_changes_is_kept_and_nothing_else() {
    let house = House::open();
    let client = house.client();
    let page = client.get("/", &["accept: text/html"]).await;
    let at = page.body.find("/assets/").expect("the page has scripts");
    let asset = page.body[at..].split('"').next().unwrap();
    let event = format!("/api/v1/events/{}", house.event);
    let layout = format!("{event}/layout");
    let ada = house.customer("ada@example.org").await;
    for (path, cache_control, kept) in [
        (asset, "public, max-age=31536000, immutable", &["MISS", "HIT", "BYPASS"]),
        (&layout, "public, max-age=300", &["MISS", "HIT", "BYPASS"]),
        (&event, "public, no-cache", &["", "", ""]),
        (&format!("{event}/seats"), "public, no-cache", &["", "", ""]),
        (&format!("{event}/availability"), "public, no-cache", &["", "", ""]),
        ("/api/v1/events", "public, max-age=5", &["", "", ""]),
    ] {
        let mut bodies = Vec::new();
        for lines in [&[][..], &[], &[ada.as_str()]] {
            let said = client.get(path, lines).await;
            assert_eq!((said.status, said.header("cache-control")), (200, Some(cache_control)), "{path}");
            bodies.push(said.body);
        }
        assert_eq!(house.cached(path), kept, "{path}");
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
    }
    let kept = client.get(&layout, &["x-request-id: mine-2"]).await;
    assert_eq!(kept.header("x-request-id"), Some("mine-2"), "not that of whoever asked first");
    assert_eq!(kept.header("ratelimit-remaining"), None);
    let compressed = client.get(&layout, &["accept-encoding: gzip"]).await;
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(client.get(&layout, &[]).await.header("content-encoding"), None);
    let elsewhere = client.get(&layout, &["origin: https://app.evently.com"]).await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), Some("https://app.evently.com"));
    assert_eq!(client.get(&layout, &[]).await.header("access-control-allow-origin"), None);
    let known = client.get(&layout, &[&format!("if-none-match: {}", kept.header("etag").unwrap())]).await;
    assert_eq!(known.status, 304);
}

#[tokio::test]
async fn nobody_sees_what_is_somebody_elses() {
    let house = House::open();
    let client = house.client();
    let ada = house.customer("ada@example.org").await;
    let bob = house.customer("bob@example.org").await;
    let seats = client.get(&format!("/api/v1/events/{}/seats", house.event), &[]).await.json();
    let wanted = json!({ "event_id": house.event, "seat_ids": [seats["seats"][0]["id"]] }).to_string();
    let said = client.post("/api/v1/bookings", &[&ada], &wanted).await;
    assert_eq!(said.status, 201, "{said:?}");
    let booking = said.json()["id"].as_str().unwrap().to_owned();
    let own = format!("/api/v1/bookings/{booking}");
    let tricks = [
        "/api/v1/me".to_owned(),
        "/api/v1/bookings".to_owned(),
        own.clone(),
        format!("{own}/history"),
        // Ways to make a cache believe that this is for everybody.
        format!("{own}/x.css"),
        format!("{own}?/assets/x.css"),
        format!("{own}/../../../assets/x.css"),
        "/assets/../api/v1/me".to_owned(),
        "/assets/..%2fapi/v1/me".to_owned(),
        "/api/v1/events/../me/layout".to_owned(),
        "/api/v1/me/layout".to_owned(),
    ];
    for path in &tricks {
        let hers = client.get(path, &[&ada]).await;
        let his = client.get(path, &[&bob]).await;
        let nobodys = client.get(path, &[]).await;
        for (who, said) in [("bob", &his), ("nobody", &nobodys)] {
            assert!(!said.body.contains("ada@") && !said.body.contains(&booking), "{who} at {path}: {said:?}");
        }
        for said in [&hers, &his, &nobodys] {
            let cache_control = said.header("cache-control").unwrap_or_default();
            assert!(cache_control.contains("no-store") || said.status == 400, "{path}: {said:?}");
        }
    }
    let hers = client.get(&own, &[&ada]).await;
    assert_eq!((hers.status, hers.json()["id"].as_str()), (200, Some(booking.as_str())), "there was something to see");
    assert!(!house.nginx.requests().unwrap().contains(r#""cache":"HIT""#));
}

#[tokio::test]
async fn figures_are_for_those_inside() {
    let redis = Redis::start().unwrap();
    let house = House::with(&[("EVENTLY__REDIS__URL", &redis.url())]);
    assert_eq!(house.client().get("/health/ready", &[]).await.json()["status"], "ok");
    let outside = house.client().get("/metrics", &[]).await;
    assert_eq!(outside.status, 404);
    let inside = house.service.connection().send(&Request::get("/metrics")).await.unwrap();
    let inside = String::from_utf8_lossy(inside.body());
    assert!(inside.contains("\nredis_up 1\n"), "{inside}");
    for figure in figures(include_str!("../../../deploy/prometheus/alerts.yml")) {
        assert!(
            inside.contains(&format!("\n# TYPE {} ", figure.trim_end_matches("_bucket"))),
            "{figure} is in no alert's reach: {inside}"
        );
        assert!(!outside.body.contains(figure));
    }
}

/// The figures that rules for alerts ask for.
fn figures(rules: &str) -> Vec<&str> {
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let figures = words.filter(|word| ["api_", "http_", "redis_"].iter().any(|ours| word.starts_with(ours))).collect::<Vec<_>>();
    assert!(figures.contains(&"api_requests_total"));
    figures
}
