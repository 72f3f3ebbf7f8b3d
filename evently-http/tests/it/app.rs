//! The application of one test, in a folder of its own, with a clock that the test moves.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body};
use evently_core::{
    domain::{Event, EventId, Layout, LayoutId, Role, SeatId, SeatMap, Timestamp, Venue, VenueId},
    memory::{ManualClock, MemorySeatFeed},
    ports::{Catalog, Clock, Elsewhere, EventFilter, Page, SeatFeed, StoreError, StoreErrorKind},
    services::{BoxOffice, EventService, OfficeSize},
};
use evently_http::{
    compose::{self, App},
    config::{Config, Sources},
    serve,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::stack;

/// The password of everybody in tests.
pub const PASSWORD: &str = "correct horse";

/// For tests that move the clock beyond what a seat lock lasts: the time of Redis is its own.
pub const WITHOUT_REDIS: (&str, &str) = ("redis.url", "");

pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub router: Router,
    place: Arc<Place>,
}

/// Where everything is kept.
struct Place {
    folder: tempfile::TempDir,
    store: stack::Store,
}

/// A catalogue that cannot be read.
pub struct Away;

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Unavailable, "catalogue", "it is away"))
}

#[async_trait]
impl Catalog for Away {
    async fn venues(&self, _: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        away()
    }

    async fn venue(&self, _: VenueId) -> Result<Option<Venue>, StoreError> {
        away()
    }

    async fn layout(&self, _: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        away()
    }

    async fn event(&self, _: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        away()
    }

    async fn events(&self, _: &EventFilter, _: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        away()
    }

    async fn seat_map(&self, _: EventId) -> Result<Option<SeatMap>, StoreError> {
        away()
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        away()
    }
}

/// Somebody who has logged in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
    pub refresh_token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: bytes::Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The body, if the answer has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// The body of a refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// An application with settings of its own.
    pub async fn with(settings: &[(&'static str, &str)]) -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap(), store: stack::store() };
        Self::at(Arc::new(place), settings).await
    }

    /// Another process over the same data, for which the store is away whenever an event is to be shown.
    pub async fn beside_without_events(&self) -> Self {
        let catalog = Arc::new(Away);
        self.beside_showing(catalog.clone(), Arc::new(MemorySeatFeed::new(catalog))).await
    }

    /// Another process over the same data, which shows events as these say.
    pub async fn beside_showing(&self, catalog: Arc<dyn Catalog>, feed: Arc<dyn SeatFeed>) -> Self {
        let beside = self.beside(&[]).await;
        beside.clock.advance(self.now().since(beside.clock.now()));
        beside.altered(|app| {
            let (clock, ids, store) = (app.clock.clone(), app.ids.clone(), app.store.bookings.clone());
            let (office, work) = BoxOffice::open(store, feed.clone(), clock.clone(), OfficeSize::default());
            tokio::spawn(work);
            app.events = Arc::new(EventService::new(office, catalog, feed, clock, ids));
        })
    }

    /// The same with another part, before anybody has it.
    pub fn altered(self, alter: impl FnOnce(&mut App)) -> Self {
        let Self { app, clock, router, place } = self;
        drop(router);
        let mut app = Arc::into_inner(app).expect("nobody else has it yet");
        alter(&mut app);
        Self::over(app, clock, place)
    }

    /// Another process over the same data.
    pub async fn beside(&self, settings: &[(&'static str, &str)]) -> Self {
        Self::at(Arc::clone(&self.place), settings).await
    }

    async fn at(place: Arc<Place>, settings: &[(&'static str, &str)]) -> Self {
        let data = place.folder.path().to_str().unwrap();
        let usual = [("data.dir", data), ("auth.bcrypt_cost", "4"), ("rate_limit.enabled", "false"), ("auth.access_ttl", "1d")];
        let stack = stack::settings(&place.store);
        let settings = usual.iter().chain(&stack).chain(settings).copied();
        let flags = settings.map(|(key, value)| ("test", key, value.to_owned())).collect();
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let app = compose::open_at(config, clock.clone()).await.unwrap();
        Self::over(app, clock, place)
    }

    fn over(app: App, clock: Arc<ManualClock>, place: Arc<Place>) -> Self {
        let app = Arc::new(app);
        let router = serve::router(&app);
        Self { app, clock, router, place }
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub async fn call(&self, method: Method, path: &str, by: Option<&Person>, body: Option<Value>) -> Answer {
        self.call_with(method, path, by, body, &[]).await
    }

    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        by: Option<&Person>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(person) = by {
            request = request.header("authorization", format!("Bearer {}", person.token));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str, by: Option<&Person>) -> Answer {
        self.call(Method::GET, path, by, None).await
    }

    pub async fn post(&self, path: &str, by: Option<&Person>, body: Value) -> Answer {
        self.call(Method::POST, path, by, Some(body)).await
    }

    /// A new account, logged in.
    pub async fn person(&self, name: &str, role: Role) -> Person {
        let email = format!("{name}@example.org");
        let user = self.app.auth.register(&email, PASSWORD, name, role).await.unwrap();
        let login = json!({"email": email, "password": PASSWORD});
        let tokens = self.post("/auth/login", None, login).await.expect(200);
        Person {
            id: user.id.to_string(),
            token: tokens["access_token"].as_str().unwrap().to_owned(),
            refresh_token: tokens["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn customer(&self, name: &str) -> Person {
        self.person(name, Role::Customer).await
    }

    /// A venue of one section with rows of ten seats.
    pub async fn venue(&self, organizer: &Person, rows: usize) -> String {
        let seat = |row: usize, n: usize| json!({"label": n.to_string(), "x": n, "y": row, "category": "Seats"});
        let row = |row: usize| json!({"label": row.to_string(), "seats": (1..=10).map(|n| seat(row, n)).collect::<Vec<_>>()});
        let rows = (1..=rows).map(row).collect::<Vec<_>>();
        let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": rows}]});
        let venue = self.post("/api/v1/admin/venues", Some(organizer), plan).await.expect(201);
        venue["id"].as_str().unwrap().to_owned()
    }

    /// An event at that venue, a draft, in a day.
    pub async fn draft(&self, organizer: &Person, venue: &str, more: Value) -> EventId {
        let start = self.now() + Duration::from_hours(24);
        let mut event = json!({
            "name": "A night out", "venue_id": venue, "start_time": start, "end_time": start + Duration::from_hours(2),
            "currency": "EUR", "price_categories": [{"name": "Seats", "price": 4500}],
        });
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        let event = self.post("/api/v1/admin/events", Some(organizer), event).await.expect(201);
        event["id"].as_str().unwrap().parse().unwrap()
    }

    /// An event of `rows` rows of ten seats, on sale, and who organizes it.
    pub async fn on_sale(&self, rows: usize) -> (Person, EventId) {
        let organizer = self.person("organizer", Role::Organizer).await;
        let venue = self.venue(&organizer, rows).await;
        let event = self.draft(&organizer, &venue, json!({})).await;
        self.call(Method::POST, &format!("/api/v1/admin/events/{event}/publish"), Some(&organizer), None).await.expect(200);
        (organizer, event)
    }

    pub async fn seat(&self, event: EventId, number: u32) -> SeatId {
        self.app.events.view(event).await.unwrap().event.layout_id.seat(number)
    }

    pub async fn hold_of(&self, event: EventId, numbers: &[u32]) -> Value {
        let mut seats = Vec::new();
        for &number in numbers {
            seats.push(self.seat(event, number).await);
        }
        json!({"event_id": event, "seat_ids": seats})
    }

    /// A booking of these seats, held.
    pub async fn hold(&self, by: &Person, event: EventId, numbers: &[u32]) -> String {
        let body = self.hold_of(event, numbers).await;
        let booking = self.post("/api/v1/bookings", Some(by), body).await.expect(201);
        booking["id"].as_str().unwrap().to_owned()
    }

    pub async fn pay(&self, by: &Person, booking: &str, card: &str) -> Answer {
        let body = json!({"method": {"type": "card", "token": card}});
        self.post(&format!("/api/v1/bookings/{booking}/payment"), Some(by), body).await
    }

    pub async fn status_of(&self, by: &Person, booking: &str) -> String {
        let body = self.get(&format!("/api/v1/bookings/{booking}"), Some(by)).await.expect(200);
        body["status"].as_str().unwrap().to_owned()
    }

    /// Delivers what the sandbox has to say by now.
    pub async fn deliver_webhooks(&self) {
        for delivery in self.app.sandbox.deliveries(self.now()) {
            self.app.payments.webhook(&delivery.body, Some(&delivery.signature)).await.unwrap();
        }
    }
}
