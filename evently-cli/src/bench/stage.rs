//! The event that the buyers rush for, made through the service like any other.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::OnSale;
use crate::{
    failure::Failure,
    http1::{Answer, Connection, Lost, Request, Target},
};

/// The event, and what its seats are called.
#[derive(Debug)]
pub struct Stage {
    /// The event.
    pub event_id: String,
    /// Its seats.
    pub seat_ids: Vec<String>,
}

/// What has an id.
#[derive(Debug, Deserialize)]
pub struct Identified {
    pub id: String,
}

/// A seat and its state.
#[derive(Debug, Deserialize)]
pub struct SeatState {
    pub id: String,
    pub status: String,
}

/// All seats of an event.
#[derive(Debug, Deserialize)]
pub struct Seats {
    pub seats: Vec<SeatState>,
}

/// What a login gives, and each refresh of it.
#[derive(Debug, Deserialize)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
    /// In seconds.
    pub expires_in: u64,
}

/// An answer that says no.
#[derive(Debug, Default, Deserialize)]
pub struct Problem {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    pub seats: Vec<SeatState>,
}

impl Problem {
    /// What an answer says; its status alone if that is all there is.
    pub fn of(answer: &Answer) -> Self {
        let read = serde_json::from_slice(answer.body()).ok().filter(|problem: &Self| !problem.code.is_empty());
        read.unwrap_or_else(|| Self { code: format!("status_{}", answer.status), ..Self::default() })
    }
}

impl Stage {
    /// Makes the event and puts it on sale.
    pub async fn set(options: &OnSale) -> Result<Self, Failure> {
        let mut connection = options.connection();
        let organizer = log_in(&mut connection, &options.url, &options.email, &options.password).await?;
        let mut organize = Organizer { connection, url: &options.url, token: &organizer.access_token };
        let venue: Identified = organize.post("/api/v1/admin/venues", &plan(options.seats)).await?;
        let event: Identified = organize.post("/api/v1/admin/events", &event(&venue.id, options)).await?;
        let published: Identified = organize.post(&format!("/api/v1/admin/events/{}/publish", event.id), &json!({})).await?;
        let event_id = published.id;
        let seats: Seats = organize.get(&format!("/api/v1/events/{event_id}/seats")).await?;
        let mut seat_ids = seats.seats.into_iter().map(|seat| seat.id).collect::<Vec<_>>();
        // Ids of a layout are in the order in which people sit.
        seat_ids.sort_unstable();
        Ok(Self { event_id, seat_ids })
    }
}

/// Logs in.
pub async fn log_in(connection: &mut Connection, url: &Target, email: &str, password: &str) -> Result<Tokens, Failure> {
    let body = json!({ "email": email, "password": password }).to_string();
    let request = Request::post("/auth/login", body.as_bytes());
    let answer = patiently(connection, url, &request).await?;
    wanted(&answer, "POST /auth/login").map_err(|failure| {
        let hint = "name an organizer with --email and --password; `evently serve --demo` has the one that is the default";
        if answer.status == 401 { failure.hint(hint) } else { failure }
    })
}

/// Sends a request, again if the service says that it is too busy at the moment.
pub async fn patiently(connection: &mut Connection, url: &Target, request: &Request<'_>) -> Result<Answer, Failure> {
    const TRIES: u32 = 30;
    for _ in 1..TRIES {
        let answer = connection.send(request).await.map_err(|lost| unreachable(url, &lost))?;
        if answer.status != 503 {
            return Ok(answer);
        }
        tokio::time::sleep(answer.retry_after().unwrap_or(Duration::from_secs(1))).await;
    }
    connection.send(request).await.map_err(|lost| unreachable(url, &lost))
}

/// The body of an answer that was wanted.
pub fn wanted<T: DeserializeOwned>(answer: &Answer, call: &str) -> Result<T, Failure> {
    if answer.status / 100 != 2 {
        let Problem { code, detail, .. } = Problem::of(answer);
        let failure = Failure::no(format_args!("{call} was answered {} {code}: {detail}", answer.status));
        return Err(match answer.status {
            429 => failure.hint("start the service with EVENTLY__RATE_LIMIT__ENABLED=false"),
            _ => failure,
        });
    }
    serde_json::from_slice(answer.body()).map_err(|error| Failure::no(format_args!("{call} was answered strangely: {error}")))
}

/// The service is not there.
pub fn unreachable(url: &Target, lost: &Lost) -> Failure {
    Failure::away(format_args!("{url}: {lost}")).hint("is the service running there? `evently serve` starts it")
}

struct Organizer<'a> {
    connection: Connection,
    url: &'a Target,
    token: &'a str,
}

impl Organizer<'_> {
    async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &Value) -> Result<T, Failure> {
        let body = body.to_string();
        let request = Request::post(path, body.as_bytes()).by(self.token);
        wanted(&patiently(&mut self.connection, self.url, &request).await?, &format!("POST {path}"))
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        let answer = patiently(&mut self.connection, self.url, &Request::get(path).by(self.token)).await?;
        wanted(&answer, &format!("GET {path}"))
    }
}

const SEATS_PER_ROW: u32 = 50;
const ROWS_PER_SECTION: u32 = 40;

/// A plain hall of so many seats.
fn plan(seats: u32) -> Value {
    let rows = (0..seats.div_ceil(SEATS_PER_ROW)).map(|row| {
        let in_row = SEATS_PER_ROW.min(seats - row * SEATS_PER_ROW);
        let seats = (0..in_row).map(|seat| json!({ "label": (seat + 1).to_string(), "x": seat, "y": row, "category": "Seat" }));
        json!({ "label": (row % ROWS_PER_SECTION + 1).to_string(), "seats": seats.collect::<Vec<_>>() })
    });
    let rows = rows.collect::<Vec<_>>();
    let sections = rows.chunks(ROWS_PER_SECTION as usize).zip(1..);
    let sections = sections.map(|(rows, n)| json!({ "name": format!("Block {n}"), "rows": rows })).collect::<Vec<_>>();
    json!({ "name": "Load hall", "categories": [{ "name": "Seat" }], "sections": sections })
}

fn event(venue_id: &str, options: &OnSale) -> Value {
    json!({
        "name": format!("On-sale of {} seats", options.seats),
        "venue_id": venue_id,
        "start_time": "2099-12-31T19:00:00Z",
        "end_time": "2099-12-31T22:00:00Z",
        "currency": "EUR",
        "price_categories": [{ "name": "Seat", "price": { "amount": 4500, "currency": "EUR" } }],
        "max_seats_per_booking": options.seats_per_buyer,
        // An account stands for many buyers here.
        "max_seats_held": u32::MAX,
    })
}

#[cfg(test)]
mod tests {
    use evently_core::{
        domain::LayoutId,
        import::{Format, read},
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_hall_can_be_imported_in_any_size() {
        for seats in [1, 49, 50, 51, 2000, 2001, 20_000] {
            let import = read(Format::Own, plan(seats).to_string().as_bytes(), LayoutId::new(Uuid::nil())).unwrap();
            assert_eq!(import.layout.seats_total(), seats);
        }
    }
}
