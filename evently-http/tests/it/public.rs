use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    audit,
    domain::{BookingStatus, Role, Sales, SeatChange, SeatStatus},
    ports::{Figures, SalesFilter, StoreError},
};
use evently_http::routes;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{app::TestApp, taken::Taken};

/// An id that nothing has.
const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test]
async fn an_entity_tag_is_never_of_a_later_state_than_what_comes_with_it() {
    let house = TestApp::new().await;
    let (_, event) = house.on_sale(1).await;
    let catalog = house.app.store.catalog.clone();
    let taken = SeatChange { event_id: event, number: 0, status: SeatStatus::Reserved, version: 1 };
    let feed = Taken::after_a_look(catalog.clone(), taken);
    let app = house.beside_showing(catalog, Arc::new(feed)).await;
    let path = format!("/api/v1/events/{event}");
    let first = app.get(&path, None).await;
    let known = [("if-none-match", first.headers["etag"].to_str().unwrap())];
    let now = app.call_with(Method::GET, &path, None, None, &known).await;
    let shown = if now.status == 304 { first } else { now };
    assert_eq!(shown.expect(200)["seats_available"], 9);
}

#[tokio::test]
async fn seat_states_come_in_order_and_in_three_forms() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(2).await;
    let path = format!("/api/v1/events/{event}/seats");
    let ada = app.customer("ada").await;
    app.hold(&ada, event, &[0, 19]).await;
    let json = app.get(&path, None).await;
    let etag = json.headers["etag"].to_str().unwrap().to_owned();
    let vary = "accept, accept-encoding";
    assert_eq!(json.headers["vary"], vary, "or a cache gives what it has to those who take nothing of the kind");
    let states = json.expect(200);
    let labels = states["seats"].as_array().unwrap().iter().map(|seat| seat["label"].as_str().unwrap());
    assert_eq!(labels.take(11).collect::<Vec<_>>(), ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "1"]);
    assert_eq!(states["seats"][0]["status"], "reserved");
    let known = app.call_with(Method::GET, &path, None, None, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.bytes.len(), &known.headers["vary"]), (304, 0, &vary.parse().unwrap()));
    let compact = [("accept", "application/vnd.evently.seatmap")];
    let compact = app.call_with(Method::GET, &path, None, None, &compact).await;
    assert_eq!(&compact.bytes[..4], b"EVSM");
    assert_eq!(compact.bytes[8..16], states["seq"].as_u64().unwrap().to_le_bytes());
    assert_eq!((compact.bytes[20], compact.bytes[24]), (0b01, 0b0100_0000));
    let packed = app.call_with(Method::GET, &path, None, None, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert_eq!([&compact.headers["vary"], &packed.headers["vary"]], [vary, vary]);
    let section = app.get(&format!("{path}?section=Stalls&status=reserved"), None).await.expect(200);
    assert_eq!(section["seats"].as_array().unwrap().len(), 2);
    app.get(&format!("{path}?section=Roof"), None).await.refused(422, "validation_failed");
    app.get(&format!("{path}?status=free"), None).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_layout_is_kept_for_long_and_named_by_its_version() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let layout = app.get(&format!("/api/v1/events/{event}/layout"), None).await;
    assert_eq!(layout.headers["cache-control"], "public, max-age=300");
    let body = layout.expect(200);
    let seat = &body["sections"][0]["rows"][0]["seats"][9];
    assert_eq!((&seat["label"], &seat["x"], &seat["attributes"]), (&json!("10"), &json!(10.0), &json!([])));
    let shown = app.get(&format!("/api/v1/events/{event}"), None).await.expect(200);
    assert_eq!(seat["price_category_id"], shown["price_categories"][0]["id"]);
}

#[tokio::test]
async fn the_document_names_every_route_and_every_operation_once() {
    let document = serde_json::to_value(routes::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/auth/register",
        "/auth/login",
        "/auth/refresh",
        "/auth/logout",
        "/api/v1/me",
        "/api/v1/events",
        "/api/v1/events/{event_id}",
        "/api/v1/events/{event_id}/layout",
        "/api/v1/events/{event_id}/seats",
        "/api/v1/events/{event_id}/availability",
        "/api/v1/events/{event_id}/live",
        "/api/v1/bookings",
        "/api/v1/bookings/{booking_id}",
        "/api/v1/bookings/{booking_id}/extend",
        "/api/v1/bookings/{booking_id}/payment",
        "/api/v1/bookings/{booking_id}/cancel",
        "/api/v1/bookings/{booking_id}/tickets",
        "/api/v1/bookings/{booking_id}/tickets.pdf",
        "/api/v1/bookings/{booking_id}/history",
        "/api/v1/bookings/{booking_id}/calendar.ics",
        "/webhooks/payments/{provider}",
        "/api/v1/admin/venues",
        "/api/v1/admin/events",
        "/api/v1/admin/events/{event_id}",
        "/api/v1/admin/events/{event_id}/publish",
        "/api/v1/admin/events/{event_id}/cancel",
        "/api/v1/admin/events/{event_id}/seats/block",
        "/api/v1/admin/events/{event_id}/seats/unblock",
        "/api/v1/admin/events/{event_id}/bookings",
        "/api/v1/admin/bookings",
        "/api/v1/admin/check-ins",
        "/api/v1/admin/events/{event_id}/analytics",
        "/api/v1/admin/analytics/overview",
        "/api/v1/admin/users",
        "/api/v1/admin/users/{user_id}",
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/metrics",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let pages = &paths["/api/v1/bookings/{booking_id}/tickets.pdf"]["get"]["responses"]["200"]["content"];
    let schema = pages["application/pdf"]["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
    assert_eq!(document.pointer(schema).unwrap()["format"], "binary");
    let schemas = &document["components"]["schemas"];
    let given_up = BookingStatus::NAMES.into_iter().filter(|(_, status)| status.may_become(BookingStatus::Cancelled));
    let names = given_up.map(|(name, _)| name).collect::<Vec<_>>().join("|");
    assert_eq!(schemas["Cancellation"]["properties"]["expected_status"]["pattern"], format!("^({names})$"));
    assert!(schemas["CallingOff"]["properties"]["expected_status"].is_null(), "an event is called off whatever it is");
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let mut ids = operations.filter_map(|operation| operation["operationId"].as_str()).collect::<Vec<_>>();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// A typo would otherwise be passed over: who misspells what they take a booking for gives it up whatever it is.
#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_wherever_there_are_any() {
    let app = TestApp::new().await;
    let admin = app.person("admin", Role::Admin).await;
    let document = serde_json::to_value(routes::document()).unwrap();
    let (mut queries, mut bodies, mut passed_over) = (0, 0, Vec::new());
    let mut try_one = async |method: &Method, path: &str, body: Option<Value>, field: &str| {
        let answer = app.call(method.clone(), path, Some(&admin), body).await;
        let error = serde_json::from_slice::<Value>(&answer.bytes).unwrap_or_default()["errors"].take();
        let error = error.get(0).unwrap_or(&Value::Null);
        if answer.status != 422 || error["field"] != field || error["code"] != "unknown_field" {
            passed_over.push(format!("{field} of {method} {path}: {} {error}", answer.status));
        }
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.split('/').map(|part| if part.starts_with('{') { NOBODYS } else { part }).collect::<Vec<_>>().join("/");
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse::<Method>().unwrap();
            let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            if parameters.iter().any(|parameter| parameter["in"] == "query") {
                queries += 1;
                try_one(&method, &format!("{path}?colour=red"), None, "colour").await;
            }
            // A gateway says what it likes, and a plan has many formats.
            if !method.is_safe() && !path.starts_with("/webhooks/") && path != "/api/v1/admin/venues" {
                bodies += 1;
                try_one(&method, &path, Some(json!({"colour": "red"})), "colour").await;
            }
        }
    }
    assert!(queries >= 10 && bodies >= 15, "{queries} {bodies}");
    let (events, event) = ("/api/v1/admin/events", format!("/api/v1/admin/events/{NOBODYS}"));
    for (within, unknown) in [
        ("sales", json!({"colour": "red"})),
        ("refunds", json!({"colour": "red"})),
        ("price_categories[0]", json!([{"colour": "red"}])),
    ] {
        let body = json!({within.trim_end_matches("[0]"): unknown});
        for (method, path) in [(Method::POST, events), (Method::PATCH, &*event)] {
            try_one(&method, path, Some(body.clone()), &format!("{within}.colour")).await;
        }
    }
    let payment = format!("/api/v1/bookings/{NOBODYS}/payment");
    try_one(&Method::POST, &payment, Some(json!({"method": {"colour": "red"}})), "method.colour").await;
    assert!(passed_over.is_empty(), "{passed_over:#?}");
}

#[tokio::test]
async fn health_metrics_docs_and_pages_are_there() {
    let app = TestApp::new().await;
    for path in ["/health/live", "/health/startup"] {
        assert_eq!(app.get(path, None).await.expect(200)["status"], "ok");
    }
    // What it can do without may not have been found yet.
    let all_is_there = async {
        while app.get("/health/ready", None).await.expect(200)["status"] != "ok" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all_is_there).await.expect("it is ready");
    let metrics = app.get("/metrics", None).await;
    assert!(String::from_utf8_lossy(&metrics.bytes).contains("api_requests_total"));
    let docs = app.get("/docs/", None).await;
    assert_eq!(docs.status, 200);
    let policy = docs.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self';"), "{policy}");
    let page = app.get("/", None).await;
    let html = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(!html.contains("{{"), "{html}");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    // Of these the first one says nothing.
    for closed in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|directive| directive == closed), "{closed}: {policy}");
    }
    let script = html.split('"').find(|part| part.ends_with("/main.js")).unwrap();
    let script = app.get(script, None).await;
    assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
    app.get("/nowhere", None).await.refused(404, "not_found");
    let typed = app.call_with(Method::GET, "/nowhere", None, None, &[("accept", "text/html,*/*")]).await;
    assert_eq!((typed.status.as_u16(), &typed.bytes), (404, &page.bytes));
    app.call(Method::DELETE, "/api/v1/events", None, None).await.refused(405, "method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_feed_tells_each_change_and_catches_up() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = app.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let connect = |query: String| async move {
        let url = format!("ws://{address}/api/v1/events/{event}/live{query}");
        tokio_tungstenite::connect_async(url).await.unwrap().0
    };
    let mut socket = connect(String::new()).await;
    let snapshot = frame(&mut socket).await;
    assert_eq!((&snapshot["type"], &snapshot["seats"]), (&json!("snapshot"), &json!([])));
    let mut seq = snapshot["seq"].as_u64().unwrap();
    let since = seq;
    let booking = app.hold(&ada, event, &[3, 4]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    for status in ["reserved", "booked"] {
        let delta = frame(&mut socket).await;
        seq += 1;
        assert_eq!((&delta["type"], &delta["seq"]), (&json!("delta"), &json!(seq)));
        assert_eq!((&delta["seats"][0]["status"], delta["seats"].as_array().unwrap().len()), (&json!(status), 2));
    }
    socket.send(Message::Text("{\"anything\":1}".into())).await.unwrap();
    let mut late = connect(format!("?since={since}")).await;
    assert_eq!(frame(&mut late).await["seq"], json!(since + 1));
    assert_eq!(frame(&mut late).await["seq"], json!(since + 2));
    let mut lost = connect("?since=999999".to_owned()).await;
    assert_eq!(frame(&mut lost).await["type"], "resync");
    let snapshot = frame(&mut lost).await;
    assert_eq!((&snapshot["seq"], snapshot["seats"].as_array().unwrap().len()), (&json!(seq), 2));
    server.abort();
}

async fn frame(socket: &mut (impl StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin)) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn rates_are_limited_per_user_where_the_contract_says() {
    let app = TestApp::with(&[("rate_limit.enabled", "true"), ("rate_limit.auth", "1000/minute")]).await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 2).await;
    let event = app.draft(&organizer, &venue, json!({"max_seats_held": 20})).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/publish"), Some(&organizer), None).await.expect(200);
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    for seat in 0..10 {
        app.hold(&ada, event, &[seat]).await;
    }
    let body = app.hold_of(event, &[15]).await;
    let limited = app.post("/api/v1/bookings", Some(&ada), body.clone()).await;
    assert_eq!(
        (&limited.headers["ratelimit-limit"], &limited.headers["ratelimit-remaining"]),
        (&"10".parse().unwrap(), &"0".parse().unwrap())
    );
    assert!(limited.headers.contains_key("retry-after"));
    limited.refused(429, "rate_limited");
    app.post("/api/v1/bookings", Some(&bob), body.clone()).await.expect(201);
    app.advance(60);
    app.post("/api/v1/bookings", Some(&ada), body).await.refused(409, "seats_unavailable");
}

#[tokio::test]
async fn after_everything_the_store_has_no_fault() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(2).await;
    let ada = app.customer("ada").await;
    for (seat, card) in [(0, "tok_visa"), (1, "tok_declined"), (2, "tok_3ds"), (3, "tok_late")] {
        let id = app.hold(&ada, event, &[seat]).await;
        app.pay(&ada, &id, card).await;
    }
    app.advance(1900);
    app.app.upkeep.expire_holds().await.unwrap();
    app.deliver_webhooks().await;
    app.app.payments.send_refunds().await.unwrap();
    let report = audit::audit_store(&*app.app.store.audit, &*app.app.store.catalog, &*app.app.clock).await.unwrap();
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

/// They may share an address with whoever tries passwords.
#[tokio::test]
async fn who_is_logged_in_stays_so_and_logs_out_however_often_passwords_are_tried() {
    let app =
        TestApp::with(&[("rate_limit.enabled", "true"), ("rate_limit.auth", "4/minute"), ("rate_limit.sessions", "2/minute")])
            .await;
    let ada = app.customer("ada").await;
    while app.post("/auth/login", None, json!({"email": "eve@example.org", "password": "a guess"})).await.status != 429 {}
    let tokens = app.post("/auth/refresh", None, json!({"refresh_token": ada.refresh_token})).await.expect(200);
    let refresh_token = json!({"refresh_token": tokens["refresh_token"]});
    assert_eq!(app.post("/auth/logout", None, refresh_token.clone()).await.status, 204);
    app.post("/auth/refresh", None, refresh_token).await.refused(429, "rate_limited");
}

/// Whoever tries passwords has one account to show, or a hundred; it is all one network.
#[tokio::test]
async fn a_token_gives_nobody_a_rate_of_their_own_for_passwords() {
    let app = TestApp::with(&[("rate_limit.enabled", "true"), ("rate_limit.auth", "4/minute")]).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let login = async |by| app.post("/auth/login", by, json!({"email": "eve@example.org", "password": "a guess at it"})).await;
    login(Some(&ada)).await.refused(401, "invalid_credentials");
    login(Some(&bob)).await.refused(401, "invalid_credentials");
    login(Some(&ada)).await.refused(429, "rate_limited");
    login(None).await.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_state_that_is_late_replaces_none_that_was_shown() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let view = app.app.events.view(event).await.unwrap();
    let before = app.app.events.seat_map(event).await.unwrap();
    app.hold(&app.customer("ada").await, event, &[0]).await;
    let after = app.app.events.seat_map(event).await.unwrap();
    assert_ne!(before.seq(), after.seq());
    let bodies = &app.app.seat_bodies;
    for (given, shown) in [(&before, &before), (&after, &after), (&before, &after)] {
        assert_eq!(bodies.of(&view, given.clone()).seq(), shown.seq());
    }
    // After a failover there may be less than was shown, and it is numbered anew.
    let anew = std::sync::Arc::new(evently_core::domain::SeatMap::clone(&before).numbered_apart(7 << 33));
    assert_eq!(bodies.of(&view, anew.clone()).seq(), anew.seq());
    let kept = bodies.of(&view, anew.clone());
    bodies.let_go();
    assert!(std::sync::Arc::ptr_eq(&kept, &bodies.of(&view, anew.clone())), "somebody asks for it");
    bodies.let_go();
    bodies.let_go();
    assert!(!std::sync::Arc::ptr_eq(&kept, &bodies.of(&view, anew)), "nobody did");
}

/// A store that is there and says nothing.
struct Silent;

#[async_trait]
impl Figures for Silent {
    async fn position(&self) -> Result<u64, StoreError> {
        std::future::pending().await
    }

    async fn add(&self, _: u64, _: u64, _: &Sales) -> Result<bool, StoreError> {
        std::future::pending().await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn sales(&self, _: &SalesFilter) -> Result<Sales, StoreError> {
        std::future::pending().await
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_store_that_says_nothing_counts_as_away() {
    let app = TestApp::new().await.altered(|app| app.store.figures = Arc::new(Silent));
    // Nobody has to wait for what is never said.
    tokio::time::pause();
    let answer = app.get("/health/ready", None).await;
    assert_eq!(answer.headers["retry-after"], "1");
    let health = answer.expect(503);
    assert_eq!((&health["status"], &health["dependencies"][0]["status"]), (&json!("unavailable"), &json!("down")));
}

#[tokio::test]
async fn lists_that_have_not_changed_are_not_sent_again() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for path in ["/api/v1/events".to_owned(), format!("/api/v1/events/{event}/seats?status=available")] {
        let first = app.get(&path, None).await;
        let etag = first.headers["etag"].to_str().unwrap().to_owned();
        let again = async || app.call_with(Method::GET, &path, None, None, &[("if-none-match", &etag)]).await;
        let known = again().await;
        assert_eq!(
            (known.status.as_u16(), known.bytes.len(), &known.headers["etag"]),
            (304, 0, &first.headers["etag"]),
            "{path}"
        );
        assert_eq!(known.headers["cache-control"], first.headers["cache-control"]);
        let held = app.hold(&ada, event, &[0]).await;
        assert_ne!(again().await.expect(200), first.json(), "{path}");
        app.post(&format!("/api/v1/bookings/{held}/cancel"), Some(&ada), json!({})).await.expect(200);
    }
}
