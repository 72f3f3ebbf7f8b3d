//! This service, as it is started from a configuration.

use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use evently_core::{
    domain::{Event, PriceDraft, Principal, Role, SessionId, UserId},
    import::{self, Format},
    ports::{Clock as _, Ids as _},
    services::{EventDraft, VenueDraft},
};
use evently_http::{
    clock::SystemClock,
    compose::{self, App},
    config::{Config, Sources},
    ids::SystemIds,
    serve::serve_app,
};
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::client::{self, Load};

/// Of the event that everybody wants.
pub const SEATS: u32 = 60_000;

/// Nobody may have more than ten seats on hold.
const HOLDS_OF_A_BUYER: u32 = 5;

pub struct Evently {
    pub address: SocketAddr,
    app: Arc<App>,
    buyers: AtomicU32,
    _folder: tempfile::TempDir,
}

impl Evently {
    /// With these settings.
    pub async fn with(settings: impl IntoIterator<Item = (&'static str, &str)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("its name is text");
        let always = [
            ("data.dir", data),
            ("http.listen", "127.0.0.1:0"),
            ("http.connections_per_client", "16000"),
            ("http.live_per_client", "16000"),
            ("auth.bcrypt_cost", "4"),
            // On, and lifted: each request is counted.
            ("rate_limit.events", "1000000/second"),
            ("rate_limit.bookings", "1000000/minute"),
            ("rate_limit.auth", "1000000/minute"),
        ];
        let owned = |(key, value): (&'static str, &str)| ("bench", key, value.to_owned());
        let flags = always.map(owned).into_iter().chain(settings.into_iter().map(owned)).collect();
        let config = Config::load(&Sources { flags, ..Sources::default() }).expect("the settings are right");
        let app = Arc::new(compose::open(config).await.expect("the server takes us"));
        let (tell, told) = oneshot::channel();
        tokio::spawn(serve_app(Arc::clone(&app), move |_, address| tell.send(address).expect("somebody waits for it")));
        let address = told.await.expect("it starts");
        Self { address, app, buyers: AtomicU32::new(0), _folder: folder }
    }

    /// Holds of all different seats of a new event, all over the house, by buyers who have logged in and looked around.
    pub async fn one_event(&self, holds: u32) -> Vec<String> {
        let event = self.event(SEATS).await;
        let tokens = self.tokens(holds).await;
        (0..).zip(pairs(holds)).map(|(hold, pair)| post(&event, &tokens, hold, &pair_of(pair))).collect()
    }

    /// Somebody has two seats on hold, and so many others want them.
    pub async fn losers(&self, count: u32) -> (Vec<String>, Vec<String>) {
        let event = self.event(SEATS).await;
        let tokens = self.tokens(count).await;
        let wish = |hold| post(&event, &tokens, hold, &pair_of(0));
        (vec![wish(0)], (1..count).map(wish).collect())
    }

    /// A new event that is on sale.
    pub async fn event(&self, seats: u32) -> Event {
        let organizer = Principal {
            user_id: UserId::from_uuid(Uuid::nil()),
            role: Role::Admin,
            session_id: SessionId::from_uuid(Uuid::nil()),
        };
        let read = import::read(Format::Own, &plan(seats), self.app.events.new_layout_id()).expect("the plan is right");
        let venue = VenueDraft { name: "Hall".to_owned(), layout: read.layout };
        let venue = self.app.events.create_venue(&organizer, venue, None).await.expect("a new venue").value;
        let start = self.app.clock.now() + Duration::from_hours(24);
        let prices = vec![PriceDraft { name: "Seats".to_owned(), price: 4500 }];
        let times = (start, start + Duration::from_hours(2));
        let event = EventDraft::new("On sale", venue.id, times, "EUR".parse().expect("a currency"), prices);
        let event = self.app.events.create_event(&organizer, event, None).await.expect("a new event").value;
        self.app.events.publish(&organizer, event.id, None).await.expect("it can be sold");
        Event::clone(&event)
    }

    /// Of buyers who are new: nobody has something on hold at another event.
    pub async fn tokens(&self, holds: u32) -> Vec<String> {
        let mut tokens = Vec::new();
        for _ in 0..holds.div_ceil(HOLDS_OF_A_BUYER) {
            let email = format!("buyer{}@example.org", self.buyers.fetch_add(1, Relaxed));
            self.app.auth.register(&email, "correct horse", "Buyer", Role::Customer).await.expect("a new account");
            tokens.push(self.app.auth.login(&email, "correct horse").await.expect("its password").access_token);
        }
        let look = |token| client::get("/api/v1/bookings", &format!("authorization: Bearer {token}\r\n"));
        Load { address: self.address, connections: 8 }.run(tokens.iter().map(look).collect()).await;
        tokens
    }
}

/// Prime, so that steps of it meet each seat before they meet one again.
pub const STRIDE: u32 = 7_919;

/// Pairs of neighbours, each once, as people take them: now here, now there.
pub fn pairs(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| n * STRIDE % (SEATS / 2))
}

pub const fn pair_of(pair: u32) -> [u32; 2] {
    [pair * 2, pair * 2 + 1]
}

/// One of those who have logged in wants seats.
pub fn post(event: &Event, tokens: &[String], hold: u32, seats: &[u32]) -> String {
    let seats = seats.iter().map(|number| event.layout_id.seat(*number)).collect::<Vec<_>>();
    let token = &tokens[hold as usize % tokens.len()];
    let headers = format!("authorization: Bearer {token}\r\nidempotency-key: {}\r\n", new_id().simple());
    client::post("/api/v1/bookings", &headers, &json!({"event_id": event.id, "seat_ids": seats}).to_string())
}

/// An id as the service makes them, in the order of time.
pub fn new_id() -> Uuid {
    static MADE: LazyLock<(SystemIds, SystemClock)> = LazyLock::new(|| (SystemIds::new(), SystemClock::new()));
    MADE.0.uuid(MADE.1.now())
}

/// Rows of a hundred seats, if there are as many.
fn plan(seats: u32) -> Vec<u8> {
    let seat = |row: u32, n: u32| json!({"label": n.to_string(), "x": n, "y": row, "category": "Seats"});
    let row = |row: u32| {
        let seats = (1..=seats.min(100)).map(|n| seat(row, n)).collect::<Vec<_>>();
        json!({"label": row.to_string(), "seats": seats})
    };
    let rows = (1..=seats.div_ceil(100)).map(row).collect::<Vec<_>>();
    json!({"name": "Hall", "sections": [{"name": "Stalls", "rows": rows}]}).to_string().into_bytes()
}
