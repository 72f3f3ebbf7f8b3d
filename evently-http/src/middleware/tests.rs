use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use evently_core::{
    domain::{SessionId, Timestamp, UserId},
    ports::{AccessTokens, Claims, Clock, RateLimit, RateLimits},
    rate::LocalRateLimits,
};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tower::ServiceExt;
use uuid::Uuid;

use super::{Peer, Stack, wrap};
use crate::{
    config::{Config, Sources},
    context,
    extract::Json,
    ids::SystemIds,
    login_limit::LoginLimit,
    metrics,
    tokens::JwtAccessTokens,
};

struct HandClock(AtomicI64);

impl HandClock {
    fn advance(&self, secs: i64) {
        self.0.fetch_add(secs, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::Relaxed))
    }
}

struct App {
    router: Router,
    clock: Arc<HandClock>,
    tokens: Arc<JwtAccessTokens>,
    /// Lets `/api/v1/waiting` answer.
    gate: Arc<Semaphore>,
    /// Tells that a request waits there.
    waiting: Arc<Notify>,
}

fn app(settings: &[(&'static str, &str)]) -> App {
    let flags = settings.iter().map(|(key, value)| ("flag", *key, (*value).to_owned())).collect();
    app_of(&Sources { flags, ..Sources::default() })
}

fn app_of(sources: &Sources) -> App {
    let config = Config::load(sources).unwrap();
    let clock = Arc::new(HandClock(AtomicI64::new(1_800_000_000)));
    let tokens = Arc::new(JwtAccessTokens::new(&["0123456789abcdef0123456789abcdef"]));
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let wait = {
        let (gate, waiting) = (Arc::clone(&gate), Arc::clone(&waiting));
        move || async move {
            waiting.notify_one();
            let _ = gate.acquire().await.unwrap();
        }
    };
    let router = Router::new()
        .route("/health/live", get(|| async { "ok" }))
        .route("/metrics", get(|| async { "figures" }))
        .route("/api/v1/events", get(|| async { "events" }))
        .route("/api/v1/long", get(|| async { "long ".repeat(1000) }))
        .route("/api/v1/waiting", get(wait.clone()).post(wait.clone()))
        .route("/api/v1/read", post(|Json(_): Json<Value>| wait()))
        .route("/api/v1/panic", get(|| async { panic!("a test panics") as () }))
        .route("/api/v1/bookings", post(|Json(body): Json<Value>| async move { body.to_string() }))
        .route("/api/v1/admin/venues", post(|Json(body): Json<Value>| async move { body.to_string() }))
        .route("/auth/login", post(|| async {}))
        .route("/api/v1/noted", get(noted));
    let stack = Stack {
        uploads: &["/api/v1/admin/venues"],
        ..Stack::new(&config, clock.clone(), Arc::new(SystemIds::new()), tokens.clone())
    };
    App { router: wrap(router, &stack), clock, tokens, gate, waiting }
}

async fn noted() -> String {
    context::note_action("tried");
    context::trace_id().unwrap().to_string()
}

impl App {
    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Response<Body> {
        let mut request = request.body(body.into()).unwrap();
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer("203.0.113.9:1234".parse().unwrap()));
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path), Body::empty()).await
    }

    fn token(&self, user: u128) -> String {
        let claims = Claims {
            user_id: UserId::from_uuid(Uuid::from_u128(user)),
            session_id: SessionId::from_uuid(Uuid::from_u128(1)),
            issued_at: self.clock.now(),
            expires_at: Timestamp::from_secs(self.clock.now().as_secs() + 1800),
        };
        format!("Bearer {}", self.tokens.issue(&claims))
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn code(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers[name].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_safe_headers() {
    let app = app(&[]);
    for path in ["/api/v1/events", "/nowhere", "/api/v1/panic"] {
        let response = app.get(path).await;
        let headers = response.headers();
        assert_eq!(headers["x-request-id"].len(), 36, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key("strict-transport-security"), "not without TLS");
    }
}

#[tokio::test]
async fn in_production_browsers_are_told_to_come_by_tls_only() {
    let environment = [
        ("EVENTLY_PROFILE", "production"),
        ("EVENTLY__AUTH__SECRET", "0123456789abcdef0123456789abcdef"),
        ("EVENTLY__PAYMENT__GATEWAY", "sandbox"),
        ("EVENTLY__PAYMENT__WEBHOOK_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let app = app_of(&Sources { environment, ..Sources::default() });
    let response = app.get("/nowhere").await;
    assert_eq!(response.headers()["strict-transport-security"], "max-age=63072000; includeSubDomains");
}

#[tokio::test]
async fn ids_that_came_with_the_request_are_kept_if_they_are_reasonable() {
    let app = app(&[]);
    let sent = Request::get("/api/v1/noted")
        .header("x-request-id", "abc-1.2_3")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let response = app.send(sent, Body::empty()).await;
    assert_eq!(response.headers()["x-request-id"], "abc-1.2_3");
    assert_eq!(text(response).await, "4bf92f3577b34da6a3ce929d0e0e4736");
    for id in ["", "a b", "<script>", &"x".repeat(129)] {
        let response = app.send(Request::get("/api/v1/noted").header("x-request-id", id), Body::empty()).await;
        assert_eq!(response.headers()["x-request-id"].len(), 36, "{id:?}");
        assert_eq!(text(response).await.len(), 32);
    }
}

#[tokio::test]
async fn what_a_library_or_a_panic_answers_is_a_problem_too() {
    let app = app(&[]);
    assert_eq!(code(app.get("/nowhere").await).await, (404, "not_found".to_owned()));
    let response = app.send(Request::delete("/api/v1/events"), Body::empty()).await;
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(code(response).await, (405, "method_not_allowed".to_owned()));
    let response = app.get("/api/v1/panic").await;
    let trace: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((&trace["code"], trace["trace_id"].as_str().unwrap().len()), (&json!("internal"), 32));
    assert!(!trace.to_string().contains("a test panics"), "what went wrong is for the log");
}

#[tokio::test]
async fn more_at_once_than_there_is_room_for_is_refused_at_once() {
    let app = app(&[("http.in_flight_max", "1")]);
    let crowd = async {
        app.waiting.notified().await;
        let refused = app.get("/api/v1/events").await;
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(code(refused).await, (503, "overloaded".to_owned()));
        for path in ["/health/live", "/metrics"] {
            assert_eq!(app.get(path).await.status(), 200, "watching is always possible");
        }
        app.gate.add_permits(1);
    };
    let (waited, ()) = tokio::join!(app.get("/api/v1/waiting"), crowd);
    assert_eq!(waited.status(), 200);
    assert_eq!(app.get("/api/v1/events").await.status(), 200, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_cut_off() {
    let app = app(&[("http.request_timeout", "2s")]);
    let of_a_read = app.get("/api/v1/waiting").await;
    assert_eq!(of_a_read.status(), 503);
    assert!(text(of_a_read).await.contains("nothing was done"));
    // One has no body, and of the other all has come.
    for (path, body) in [("/api/v1/waiting", Body::empty()), ("/api/v1/read", Body::from("{}"))] {
        let of_a_change = app.send(Request::post(path).header("content-type", "application/json"), body).await;
        assert_eq!(of_a_change.status(), 503, "{path}");
        let told = text(of_a_change).await;
        assert!(told.contains("it is not known whether it was done") && told.contains(r#""code":"overloaded""#), "{told}");
    }
    let endless = || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let sent = Request::post("/api/v1/bookings").header("content-type", "application/json");
    assert_eq!(code(app.send(sent, endless()).await).await, (408, "request_timeout".to_owned()));
    let sent = Request::post("/api/v1/admin/venues").header("content-type", "application/json");
    let began = tokio::time::Instant::now();
    assert_eq!(app.send(sent, endless()).await.status(), 408);
    assert_eq!(began.elapsed().as_secs(), 12, "a file may take longer");
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_file_another_one() {
    let app = app(&[("http.body_limit", "1KiB"), ("http.import_limit", "4KiB")]);
    let body = |bytes: usize| json!("x".repeat(bytes)).to_string();
    let post = |path| Request::post(path).header("content-type", "application/json");
    assert_eq!(app.send(post("/api/v1/bookings"), body(1000)).await.status(), 200);
    assert_eq!(code(app.send(post("/api/v1/bookings"), body(1100)).await).await, (413, "body_too_large".to_owned()));
    let announced = post("/api/v1/bookings").header("content-length", "100000000");
    assert_eq!(app.send(announced, "{").await.status(), 413, "before anything is read");
    assert_eq!(app.send(post("/api/v1/admin/venues"), body(3000)).await.status(), 200);
    assert_eq!(app.send(post("/api/v1/admin/venues"), body(5000)).await.status(), 413);
}

#[tokio::test]
async fn a_user_may_ask_so_often_wherever_they_are() {
    let app = app(&[("rate_limit.bookings", "3/minute")]);
    let (ada, ben) = (app.token(1), app.token(2));
    let book = async |token: &str, peer: &str| {
        let peer = Peer(peer.parse().unwrap());
        let sent = Request::post("/api/v1/bookings").header("content-type", "application/json").header("authorization", token);
        app.send(sent.extension(peer), "{}").await
    };
    for left in [2, 1, 0] {
        let response = book(&ada, "203.0.113.9:1").await;
        assert_eq!(response.status(), 200);
        assert_eq!((number(response.headers(), "ratelimit-limit"), number(response.headers(), "ratelimit-remaining")), (3, left));
    }
    let refused = book(&ada, "198.51.100.1:1").await;
    assert_eq!((number(refused.headers(), "retry-after"), number(refused.headers(), "ratelimit-reset")), (20, 60));
    assert_eq!(code(refused).await, (429, "rate_limited".to_owned()));
    let written_otherwise = ada.replace("Bearer ", "bearer  ");
    assert_eq!(book(&written_otherwise, "203.0.113.9:1").await.status(), 429, "it is the same token");
    assert_eq!(book(&ben, "203.0.113.9:1").await.status(), 200, "somebody else at the same place may");
    app.clock.advance(20);
    assert_eq!(book(&ada, "203.0.113.9:1").await.status(), 200);
    assert_eq!(book(&ada, "203.0.113.9:1").await.status(), 429);
}

#[tokio::test]
async fn who_is_not_known_is_counted_by_address() {
    let app = app(&[("rate_limit.events", "1/minute")]);
    let read = async |peer: &str, token: &str| {
        let sent = Request::get("/api/v1/events").extension(Peer(peer.parse().unwrap())).header("x-forwarded-for", "1.2.3.4");
        app.send(sent.header("authorization", token), Body::empty()).await.status().as_u16()
    };
    assert_eq!(read("203.0.113.9:1", "").await, 200);
    assert_eq!(read("203.0.113.9:2", "Bearer forged").await, 429);
    assert_eq!(read("[2001:db8::1]:1", "").await, 200);
    assert_eq!(read("[2001:db8::2]:1", "").await, 429, "one subscriber");
    assert_eq!(app.get("/health/live").await.headers().get("ratelimit-limit"), None);
}

#[tokio::test]
async fn each_kind_of_request_has_its_own_rate() {
    let rates = [("rate_limit.events", "2/minute"), ("rate_limit.bookings", "3/minute"), ("rate_limit.admin", "4/minute")];
    let app = app(&[&rates[..], &[("rate_limit.auth", "5/minute")]].concat());
    let rate = async |request: http::request::Builder| {
        let request = request.header("content-type", "application/json").header("authorization", app.token(1));
        number(app.send(request, "{}").await.headers(), "ratelimit-limit")
    };
    assert_eq!(rate(Request::get("/api/v1/events")).await, 2);
    assert_eq!(rate(Request::post("/api/v1/bookings")).await, 3);
    assert_eq!(rate(Request::post("/api/v1/admin/venues")).await, 4);
    assert_eq!(rate(Request::post("/auth/login")).await, 5);
}

/// The names of limits.
#[derive(Default)]
struct Named(Mutex<Vec<&'static str>>);

impl RateLimits for Named {
    fn limit(&self, name: &'static str, permits: u32, per: Duration) -> Arc<dyn RateLimit> {
        self.0.lock().unwrap().push(name);
        LocalRateLimits.limit(name, permits, per)
    }
}

/// Instances share what is counted under one name: where two rates had the same, who renews a login would use up tries of a password.
#[test]
fn each_rate_has_a_name_of_its_own() {
    let config = Config::load(&Sources::default()).unwrap();
    let (limits, clock) = (Arc::new(Named::default()), Arc::new(HandClock(AtomicI64::new(0))));
    let tokens = Arc::new(JwtAccessTokens::new(&["0123456789abcdef0123456789abcdef"]));
    let stack = Stack::new(&config, clock.clone(), Arc::new(SystemIds::new()), tokens);
    let _ = wrap(Router::new(), &Stack { limits: limits.clone(), ..stack });
    let _ = LoginLimit::counted_by(&*limits, &config.rate_limit, clock);
    let names = limits.0.lock().unwrap();
    assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (7, 7), "{names:?}");
}

#[tokio::test]
async fn nobody_is_counted_where_limits_are_off() {
    let app = app(&[("rate_limit.events", "1/minute"), ("rate_limit.enabled", "false")]);
    for _ in 0..3 {
        let response = app.get("/api/v1/events").await;
        assert_eq!((response.status().as_u16(), response.headers().get("ratelimit-limit")), (200, None));
    }
}

#[tokio::test]
async fn only_pages_of_known_origins_may_call() {
    let app = app(&[]);
    for (origin, expected) in [
        ("https://evently.com", Some("https://evently.com")),
        ("https://app.evently.com", Some("https://app.evently.com")),
        ("http://evently.com", None),
        ("https://evently.com.evil.example", None),
        ("https://evilevently.com", None),
        ("https://evently.com:8443", None),
        ("null", None),
    ] {
        let response = app.send(Request::get("/api/v1/events").header("origin", origin), Body::empty()).await;
        let allowed = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, expected, "{origin}");
        let vary: Vec<_> = response.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.join(",").to_lowercase().contains("origin"), "{vary:?}");
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }
    let response = app.send(Request::get("/api/v1/events").header("origin", "https://evently.com"), Body::empty()).await;
    let shown = response.headers()["access-control-expose-headers"].to_str().unwrap();
    let mut shown = shown.split(',').map(str::trim).collect::<Vec<_>>();
    shown.sort_unstable();
    let rates = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    assert_eq!(shown, [&["etag", "idempotent-replayed", "location"][..], &rates, &["retry-after", "x-request-id"]].concat());
    let asks = Request::options("/api/v1/bookings")
        .header("origin", "https://evently.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,idempotency-key");
    let response = app.send(asks, Body::empty()).await;
    assert_eq!(response.status(), 200);
    assert!(response.headers()["access-control-allow-headers"].to_str().unwrap().contains("idempotency-key"));
}

/// Or a browser keeps back the whole request: without the first of them nobody is logged in.
#[tokio::test]
async fn a_page_of_a_known_origin_may_send_every_header_that_is_read() {
    let app = app(&[]);
    let asks = Request::options("/api/v1/bookings").header("origin", "https://evently.com");
    let response = app.send(asks.header("access-control-request-method", "POST"), Body::empty()).await;
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
    let allowed = allowed.split(',').map(str::trim).collect::<Vec<_>>();
    for name in ["authorization", "content-type", "if-none-match", "idempotency-key", "traceparent", "x-request-id"] {
        assert!(allowed.contains(&name), "{name}: {allowed:?}");
    }
}

/// Or its script would see nothing but a broken network, and not when to come again.
#[tokio::test]
async fn a_page_of_a_known_origin_is_told_why_it_is_refused() {
    let app = app(&[("http.in_flight_max", "1"), ("rate_limit.bookings", "1/minute")]);
    let ask = async |method: &str, path: &str| {
        let asked = Request::builder().method(method).uri(path).header("origin", "https://evently.com");
        let response = app.send(asked, Body::empty()).await;
        let allowed = response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, Some("https://evently.com"), "{} to {path}", response.status());
        response.status().as_u16()
    };
    let crowd = async {
        app.waiting.notified().await;
        let refused = ask("GET", "/api/v1/events").await;
        app.gate.add_permits(1);
        refused
    };
    assert_eq!(tokio::join!(app.get("/api/v1/waiting"), crowd).1, 503);
    assert_eq!([ask("POST", "/api/v1/bookings").await, ask("POST", "/api/v1/bookings").await], [415, 429]);
    assert_eq!(ask("GET", "/api/v1/panic").await, 500);
}

#[tokio::test]
async fn what_a_browser_asks_beforehand_is_not_counted() {
    let app = app(&[("rate_limit.bookings", "1/minute")]);
    for _ in 0..3 {
        let asks = Request::options("/api/v1/bookings").header("origin", "https://evently.com");
        let response = app.send(asks.header("access-control-request-method", "POST"), Body::empty()).await;
        assert_eq!((response.status().as_u16(), response.headers().get("ratelimit-limit")), (200, None));
    }
    let sent = Request::post("/api/v1/bookings").header("content-type", "application/json");
    assert_eq!(app.send(sent, "{}").await.status(), 200);
}

#[tokio::test]
async fn long_text_is_compressed_for_whoever_can_read_it() {
    let app = app(&[]);
    for (accepted, expected) in
        [("br, gzip", Some("br")), ("gzip", Some("gzip")), ("identity", None), ("", None), ("*;q=0", None)]
    {
        let response = app.send(Request::get("/api/v1/long").header("accept-encoding", accepted), Body::empty()).await;
        let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), encoding), (200, expected), "{accepted}");
    }
    let short = app.send(Request::get("/api/v1/events").header("accept-encoding", "br"), Body::empty()).await;
    assert_eq!(short.headers().get("content-encoding"), None);
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    metrics::install();
    let app = app(&[]);
    app.get("/api/v1/noted").await;
    app.get("/some/path/7").await;
    app.send(Request::builder().method("BREW").uri("/api/v1/noted"), Body::empty()).await;
    let text = metrics::metrics_text();
    for line in [
        r#"api_requests_total{method="GET",route="/api/v1/noted",status="200"}"#,
        r#"api_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"api_requests_total{method="OTHER",route="/api/v1/noted",status="405"}"#,
        r#"api_request_duration_seconds_bucket{method="GET",route="/api/v1/noted",le="10"}"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("some/path"), "what clients make up is no name for a figure");
}

#[tokio::test]
async fn a_request_whose_client_does_not_wait_is_counted_as_unanswered() {
    metrics::install();
    let app = app(&[]);
    let mut asked = Box::pin(app.get("/api/v1/waiting"));
    tokio::select! {
        _ = &mut asked => panic!("nobody lets it answer"),
        () = app.waiting.notified() => {}
    }
    drop(asked);
    let text = metrics::metrics_text();
    assert!(text.contains(r#"api_requests_total{method="GET",route="/api/v1/waiting",status="499"}"#), "{text}");
}
