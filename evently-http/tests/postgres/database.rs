//! The service before a server of its own, which is stopped under it; its time is the server's.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use evently_core::{
    domain::{Role, Timestamp},
    ports::{Clock, EventFilter, Page},
};
use evently_http::{
    clock::StoreClock,
    compose::{self, App},
    config::{Config, Sources, StoreUrl},
    demo, serve,
};
use evently_testservers::{PgBouncer, Postgres, Proxy, fresh_database, shared_postgres};
use http::{Method, Request, Response};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tower::ServiceExt;

use crate::app::TestApp;

struct Service {
    app: Arc<App>,
    router: Router,
    _folder: tempfile::TempDir,
}

impl Service {
    /// With so much time for each statement, and for each connection.
    async fn before(server: &Postgres, patience: &str) -> Self {
        Self::beside(server, "", patience).await
    }

    /// The same beside a replica.
    async fn beside(server: &Postgres, replica_url: &str, patience: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("data.dir", folder.path().to_str().unwrap()),
            ("store.url", &server.url()),
            ("store.replica_url", replica_url),
            ("store.connections", "4"),
            ("store.patience", patience),
            ("store.statement_timeout", patience),
            ("rate_limit.enabled", "false"),
        ];
        let flags = settings.map(|(key, value)| ("test", key, value.to_owned())).into();
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let app = Arc::new(compose::open(config).await.unwrap());
        Self { router: serve::router(&app), app, _folder: folder }
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_the_service_says_so_and_afterwards_it_goes_on() {
    let server = Postgres::options().durable(true).start().unwrap();
    let service = Service::before(&server, "2s").await;
    assert_eq!(service.get("/api/v1/events").await.status(), 200);
    for away in [Postgres::kill, Postgres::pause] {
        away(&server);
        let refused = service.get("/api/v1/events").await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(service.get("/health/live").await.status(), 200);
        assert_eq!(service.get("/health/ready").await.status(), 503);
        server.resume();
        server.restart().unwrap();
        let back = async {
            while service.get("/api/v1/events").await.status() != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), back).await.expect("it goes on");
        assert_eq!(service.get("/health/ready").await.status(), 200);
    }
}

/// What was sold in the past was decided then, whatever the server's time is.
/// A replica still shows what there is, but nobody can buy it here.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_replica_alone_is_not_ready() {
    let server = Postgres::options().set("synchronous_commit", "local").start().unwrap();
    let replica = server.replica().unwrap();
    let service = Service::beside(&server, &replica.url(), "2s").await;
    let in_use = async {
        while !service.app.database.as_ref().unwrap().replica().unwrap().in_use {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), in_use).await.expect("it is found");
    assert_eq!(service.get("/health/ready").await.status(), 200);
    server.kill();
    assert_eq!(service.get("/health/ready").await.status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_sold_seats_of_past_events() {
    let server = Postgres::start().unwrap();
    let app = Service::before(&server, "30s").await.app;
    assert!(demo::seed(&app, &*app.passwords).await.unwrap());
    let past = EventFilter { to: Some(app.clock.now()), now: app.clock.now(), ..EventFilter::default() };
    let past = app.store.catalog.events(&past, Page { after: None, limit: 100 }).await.unwrap();
    assert_eq!(past.len(), 3);
    for event in past {
        let seats = app.store.catalog.seat_map(event.id).await.unwrap().unwrap().counts();
        assert!(seats.booked > seats.total / 4, "{}: {seats:?}", event.details.name);
    }
}

/// As on two machines whose clocks are ten minutes apart either way.
#[tokio::test(flavor = "multi_thread")]
async fn instances_have_the_time_of_the_server_whatever_their_machines_say() {
    let server = Postgres::start().unwrap();
    let service = Service::before(&server, "2s").await;
    let store = service.app.database.clone().unwrap();
    let running = tokio::time::Instant::now();
    let server_time = async || store.time(&|| running.elapsed()).await.unwrap().time;
    let first = server_time().await;
    for off in [-600_000_000, 600_000_000] {
        let wrong = Timestamp::from_micros(first.as_micros() + off);
        let clock = StoreClock::beginning_at(wrong, move || running.elapsed());
        let began = running.elapsed();
        clock.sample(&store).await;
        // It cannot be further off than the question took.
        let error = running.elapsed().saturating_sub(began);
        let before = server_time().await;
        let now = clock.now();
        let after = server_time().await;
        assert!(before <= now + error && now <= after + error, "{now} is not from {before} to {after}");
    }
    let (before, now, after) = (server_time().await, service.app.clock.now(), server_time().await);
    let second = Duration::from_secs(1);
    assert!(before <= now + second && now <= after + second, "{now} is not from {before} to {after}");
}

/// Whoever asks needs no key for it: the guest of a lost answer would be sent away as somebody who is in already.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_served_by_a_commit_whose_answer_was_lost_is_told_so() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{booking}/tickets"), Some(&ada)).await.expect(200);
    let code = &tickets[0]["code"];

    let StoreUrl::Postgres(url) = &app.app.config.store.url else { unreachable!("these tests are of PostgreSQL") };
    let proxy = Proxy::before(url.reveal()).unwrap();
    let behind = app.beside(&[("store.url", &proxy.url())]).await;
    let held = app.hold(&ada, event, &[1]).await;
    let lost_times = async |times, by, path: &str, body| {
        proxy.lose_answers_to_commits(times);
        let answer = behind.post(path, Some(by), body).await;
        assert!(proxy.has_lost_it());
        assert!(!answer.headers.contains_key("idempotent-replayed"), "nobody has been told before");
        answer
    };
    let lost = async |by, path: &str, body| lost_times(1, by, path, body).await;
    let admitted = lost(&organizer, "/api/v1/admin/check-ins", json!({"code": code, "event_id": event})).await.expect(200);
    assert_eq!(admitted["result"], "admitted");
    let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [{"label": "1", "seats": [
        {"label": "1", "x": 1, "y": 1, "category": "Seats"}]}]}]});
    lost(&organizer, "/api/v1/admin/venues", plan).await.expect(201);
    let seats = json!({"seat_ids": [app.seat(event, 5).await]});
    let blocked = lost(&organizer, &format!("/api/v1/admin/events/{event}/seats/block"), seats).await;
    assert_eq!(blocked.expect(200)["seat_ids"].as_array().unwrap().len(), 1);
    // Done a second time each would be refused: the hold lasts as long already, and is none any more.
    app.advance(60);
    lost(&ada, &format!("/api/v1/bookings/{held}/extend"), json!({})).await.expect(200);
    lost(&ada, &format!("/api/v1/bookings/{held}/cancel"), json!({"expected_status": "pending"})).await.expect(200);
    // The house reads first what there is: that the end of this is lost says nothing about what was done.
    let bought = app.hold(&ada, event, &[2]).await;
    app.pay(&ada, &bought, "tok_visa").await.expect(200);
    app.get(&format!("/api/v1/admin/bookings/{bought}"), Some(&organizer)).await.expect(200);
    let (path, body) = (format!("/api/v1/admin/bookings/{bought}/cancel"), json!({"expected_status": "confirmed"}));
    let cancelled = lost_times(2, &organizer, &path, body).await.expect(200);
    assert_eq!(cancelled["status"], "refunded");
    // Published, edited or called off a second time it would be as it is; made a second time it would have an id that is taken.
    let start = app.now() + Duration::from_hours(24);
    let new = json!({
        "name": "Another", "venue_id": app.venue(&organizer, 1).await, "start_time": start,
        "end_time": start + Duration::from_hours(2), "currency": "EUR", "price_categories": [{"name": "Seats", "price": 4500}],
    });
    lost(&organizer, "/api/v1/admin/events", new).await.expect(201);
}

/// Each transaction gets one of a few connections, which has neither limits nor statements that somebody has prepared there before.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_the_service_makes_its_tables_and_sells() {
    let database = fresh_database().unwrap();
    let pooler = PgBouncer::before(shared_postgres().unwrap().port().unwrap()).unwrap();
    pooler.query("pgbouncer", &["set default_pool_size = 2", "set reserve_pool_size = 0"]).unwrap();
    let url = pooler.url(database.name());
    let app = TestApp::with(&[("store.url", &url), ("store.pooler", "transaction"), ("store.direct_url", database.url())]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let sales = (0..8).map(async |seat| {
        let booking = app.hold(&ada, event, &[seat]).await;
        app.pay(&ada, &booking, "tok_visa").await.expect(200)["booking"]["status"].take()
    });
    assert_eq!(futures_util::future::join_all(sales).await, ["confirmed"; 8]);
}

/// How long there is to wait for a connection says nothing about how long a statement may take.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_takes_no_longer_than_it_may_however_long_one_waits_for_a_connection() {
    let settings = [("store.patience", "1h"), ("http.request_timeout", "1h"), ("store.statement_timeout", "3s")];
    let app = TestApp::with(&settings).await;
    app.customer("ada").await;
    let StoreUrl::Postgres(url) = &app.app.config.store.url else { unreachable!("these tests are of PostgreSQL") };
    let mut other = PgConnection::connect(url.reveal()).await.unwrap();
    sqlx::raw_sql("begin; lock table users in access exclusive mode").execute(&mut other).await.unwrap();
    let login = json!({"email": "ada@example.org", "password": crate::app::PASSWORD});
    let refused = tokio::time::timeout(Duration::from_mins(1), app.post("/auth/login", None, login)).await;
    assert_eq!(refused.expect("it is given up").status, 503);
}

/// An instance goes on showing an event as it was until it has been told that it was changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_event_whose_client_hangs_up_is_shown_all_the_same() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let event = app.draft(&organizer, &venue, json!({})).await;
    let StoreUrl::Postgres(url) = &app.app.config.store.url else { unreachable!("these tests are of PostgreSQL") };
    let mut other = PgConnection::connect(url.reveal()).await.unwrap();
    let mut watcher = PgConnection::connect(url.reveal()).await.unwrap();
    let path = format!("/api/v1/admin/events/{event}");
    for (method, what, body, field, expected) in [
        (Method::POST, "/publish", None, "status", "upcoming"),
        (Method::PATCH, "", Some(json!({"name": "Another name"})), "name", "Another name"),
        (Method::POST, "/cancel", None, "status", "cancelled"),
    ] {
        let before = app.get(&path, Some(&organizer)).await.expect(200);
        assert_ne!(before[field], expected);
        sqlx::raw_sql("begin; select from events for update").execute(&mut other).await.unwrap();
        let changed_at = format!("{path}{what}");
        tokio::select! {
            answer = app.call(method, &changed_at, Some(&organizer), body) => panic!("the event is locked, but {}", answer.status),
            () = until_somebody_waits(&mut watcher) => {}
        }
        sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
        let shown = async {
            while app.get(&path, Some(&organizer)).await.expect(200)[field] != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), shown).await.unwrap_or_else(|_| panic!("{what} is not shown"));
    }
}

/// Waits until somebody waits for a lock in this database.
async fn until_somebody_waits(watcher: &mut PgConnection) {
    const ONE_WAITS: &str = "select count(*) > 0 from pg_stat_activity \
        where datname = current_database() and wait_event_type = 'Lock'";
    while !sqlx::query_scalar::<_, bool>(ONE_WAITS).fetch_one(&mut *watcher).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
