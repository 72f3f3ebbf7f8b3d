//! A house with an event on sale, and everybody who has something to do with it.

use std::{cell::RefCell, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use evently_core::{
    audit::audit_all,
    domain::{EventId, HoldTerms, Role, Timestamp},
    memory::{ManualClock, MemoryMailer, MemoryStore, PlainPasswords, SandboxGateway, SandboxTimes, SeededIds},
    ports::{AccessTokens, Clock, Ids, PasswordHasher, PaymentGateway, Store},
    services::{
        AnalyticsService, AuthParts, AuthService, AuthTerms, BookingService, BoxOffice, EventService, InProcess, Jobs,
        NotificationParts, NotificationService, OfficeSize, PaymentParts, PaymentService, Relay, RelayParts, Upkeep,
    },
};
use evently_http::{
    compose::App,
    config::{Config, Sources},
    gateway::InTime,
    login_limit::LoginLimit,
    places::Places,
    seat_bodies::SeatBodies,
    serve,
    shared::Shared,
    tokens::JwtAccessTokens,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{
    Answer,
    script::{Request, Words},
};
use crate::{now, signed};

/// Those who can ask, and what they may do.
const PEOPLE: [(&str, Role); 5] = [
    ("customer", Role::Customer),
    ("other", Role::Customer),
    ("organizer", Role::Organizer),
    ("staff", Role::Staff),
    ("admin", Role::Admin),
];
const PASSWORD: &str = "correct horse";
const SEATS: u32 = 12;

/// The application, which takes much longer to build than to ask.
#[derive(Clone)]
struct Built {
    app: Arc<App>,
    router: Router,
    clock: Arc<ManualClock>,
    /// How many houses have been opened in it.
    houses: u32,
}

/// So many inputs share an application. Each has people and an event of its own, and what it leaves behind must not matter to the next.
const HOUSES_MAX: u32 = 50;

thread_local! {
    static BUILT: RefCell<Option<Built>> = const { RefCell::new(None) };
}

impl Built {
    async fn get() -> Self {
        let built = BUILT.take().filter(|built| built.houses < HOUSES_MAX);
        let built = match built {
            Some(built) => Self { houses: built.houses + 1, ..built },
            None => Self::new().await,
        };
        BUILT.set(Some(built.clone()));
        built
    }

    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(now()));
        let app = Arc::new(app(clock.clone()).await);
        Self { router: serve::router(&app), app, clock, houses: 1 }
    }
}

pub struct House {
    app: Arc<App>,
    pub router: Router,
    pub clock: Arc<ManualClock>,
    pub words: Words,
    pub event: EventId,
    number: u32,
    tokens: Vec<(&'static str, String)>,
}

impl House {
    pub async fn open() -> Self {
        let Built { app, router, clock, houses } = Built::get().await;
        let event = EventId::from_uuid(uuid::Uuid::nil());
        let mut house = Self { app, router, clock, words: Words::default(), event, number: houses, tokens: Vec::new() };
        for (name, role) in PEOPLE {
            house.admit(name, role).await;
        }
        house.put_on_sale().await;
        house
    }

    /// The time of the house.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn admit(&mut self, name: &'static str, role: Role) {
        let email = format!("{name}{}@example.org", self.number);
        self.app.auth.register(&email, PASSWORD, name, role).await.expect("nobody has this address yet");
        let login = self.app.auth.login(&email, PASSWORD).await.expect("the password is right");
        self.tokens.push((name, login.access_token));
    }

    async fn put_on_sale(&mut self) {
        let seat = |n: u32| json!({"label": n.to_string(), "x": n, "y": 0, "category": "Seats"});
        let row = json!({"label": "A", "seats": (1..=SEATS).map(seat).collect::<Vec<_>>()});
        let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [row]}]});
        let venue = self.made("/api/v1/admin/venues", plan).await;
        let (start, end) = (self.now() + Duration::from_hours(24), self.now() + Duration::from_hours(26));
        let event = json!({
            "name": "A night out", "venue_id": venue["id"], "start_time": start, "end_time": end, "currency": "EUR",
            "price_categories": [{"name": "Seats", "price": 4500}],
        });
        let event = self.made("/api/v1/admin/events", event).await;
        self.event = event["id"].as_str().and_then(|id| id.parse().ok()).expect("an event has an id");
        self.made(&format!("/api/v1/admin/events/{}/publish", self.event), json!({})).await;
        self.words.set("$VENUE", &venue["id"].as_str().expect("a venue has an id"));
        self.words.set("$EVENT", &self.event);
        let layout = self.app.events.view(self.event).await.expect("it is there").event.layout_id;
        for (name, number) in [("$SEAT0", 0), ("$SEAT1", 1), ("$SEAT2", 2), ("$SEAT3", 3)] {
            self.words.set(name, &layout.seat(number));
        }
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token("organizer").expect("they are in")))
            .body(Body::from(body.to_string()));
        let answer = self.send(request.expect("it is a request")).await;
        assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        answer.json().expect("what was made is shown")
    }

    /// The token of one of the people.
    pub fn token(&self, name: &str) -> Option<&str> {
        self.tokens.iter().find(|(known, _)| *known == name).map(|(_, token)| token.as_str())
    }

    pub async fn ask(&self, asked: &Request) -> Answer {
        let mut request = http::Request::new(Body::from(asked.body.clone()));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.uri.clone();
        *request.headers_mut() = asked.headers.clone();
        self.send(request).await
    }

    async fn send(&self, request: http::Request<Body>) -> Answer {
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("it is in memory").to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Delivers what the gateway has to say by now.
    pub async fn deliver(&self) {
        for delivery in self.app.sandbox.deliveries(self.clock.now()) {
            let taken = self.app.payments.webhook(&delivery.body, Some(&delivery.signature)).await;
            taken.expect("what the gateway says is taken");
        }
    }

    /// Panics if what the store holds contradicts itself.
    pub async fn check(&self) {
        let report = audit_all(&self.app.store, &*self.clock).await.expect("the store is there");
        assert!(report.violations.is_empty(), "{:?}", report.violations);
    }
}

/// The application over a store in memory, with ids that are the same each time.
async fn app(clock: Arc<dyn Clock>) -> App {
    let flags = [
        ("auth.secret", signed::webhook_secret()),
        ("rate_limit.enabled", "false"),
        ("payment.gateway_timeout", "10ms"),
        ("auth.access_ttl", "1d"),
    ];
    let flags = flags.map(|(key, value)| ("fuzz", key, value.to_owned())).to_vec();
    let config = Config::load(&Sources { flags, ..Sources::default() }).expect("the settings are right");
    let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(7));
    let store = Store::new(Arc::new(MemoryStore::new(ids.clone())));
    let shared = Shared::open(&config, &clock).await.expect("it is not on any server");
    let (feed, limits) = (shared.feed(store.catalog.clone(), None), shared.limits());
    let caches = shared.caches(&clock, signed::webhook_secret());
    let (office, work) = BoxOffice::open(store.bookings.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    let sandbox = Arc::new(SandboxGateway::new(signed::webhook_secret(), SandboxTimes::default(), clock.clone()));
    let gateway: Arc<dyn PaymentGateway> = Arc::new(InTime::new(sandbox.clone(), config.payment.gateway_timeout));
    let passwords: Arc<dyn PasswordHasher> = Arc::new(PlainPasswords);
    let tokens: Arc<dyn AccessTokens> = Arc::new(JwtAccessTokens::new(&[signed::webhook_secret()]));
    let auth = AuthService::new(AuthParts {
        accounts: store.accounts.clone(),
        sessions: store.sessions.clone(),
        passwords: passwords.clone(),
        tokens: tokens.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        caches: caches.clone(),
        terms: AuthTerms { access_ttl: config.auth.access_ttl, refresh_ttl: config.auth.refresh_ttl },
    });
    let events = EventService::new(office.clone(), store.catalog.clone(), feed, clock.clone(), ids.clone());
    let events = Arc::new(events.with_caches(&caches));
    let terms = HoldTerms::default();
    let payments = Arc::new(PaymentService::new(PaymentParts {
        office: office.clone(),
        store: store.bookings.clone(),
        chores: store.chores.clone(),
        events: events.clone(),
        gateway,
        clock: clock.clone(),
        ids: ids.clone(),
        terms,
    }));
    let analytics = AnalyticsService::new(store.outbox.clone(), store.figures.clone(), events.clone());
    let upkeep = Arc::new(Upkeep::new(office.clone(), store.chores.clone(), clock.clone()));
    let notifications = Arc::new(NotificationService::new(NotificationParts {
        inbox: store.inbox.clone(),
        store: store.bookings.clone(),
        accounts: store.accounts.clone(),
        events: events.clone(),
        mailer: Arc::new(MemoryMailer::default()),
        clock: clock.clone(),
        ids: ids.clone(),
    }));
    let carrier = Arc::new(InProcess::new(vec![notifications.clone()]));
    let relay = Relay::new(RelayParts { outbox: store.outbox.clone(), carrier, clock: clock.clone(), ids: ids.clone() });
    App {
        logins: LoginLimit::counted_by(&*limits, &config.rate_limit, clock.clone()),
        bookings: BookingService::new(office, store.bookings.clone(), events.clone(), clock.clone(), ids.clone(), terms),
        analytics: Arc::new(analytics.with_caches(&caches)),
        jobs: Arc::new(Jobs::new(payments.clone(), upkeep.clone())),
        live_places: Places::new(config.http.live_per_client),
        seat_bodies: SeatBodies::default(),
        stopping: watch::Sender::new(false),
        database: None,
        passwords,
        tokens,
        auth,
        payments,
        notifications,
        relay,
        upkeep,
        shared,
        caches,
        limits,
        events,
        sandbox,
        config,
        store,
        clock,
        ids,
    }
}
