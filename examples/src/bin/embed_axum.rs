//! The engine with the embedded store inside a web application of one's own: here two routes that sell the seats of one evening.
//!
//! It sells a seat to itself and ends, so that it can be run anywhere; with `--serve` it goes on until it is stopped.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use evently_core::{
    domain::{Currency, EventId, HoldTerms, PriceDraft, Principal, Role, SeatStatus, SessionId, UserId},
    import::{self, Format},
    memory::MemorySeatFeed,
    ports::{Clock, Ids},
    services::{BookingService, BoxOffice, Error, EventDraft, EventService, OfficeSize, VenueDraft},
};
// The clock and the ids of Evently's own service. They are ports like any other: a program may bring its own.
use evently_http::{clock::SystemClock, ids::SystemIds};
use evently_sqlite::{Options, SqliteStore};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the routes need.
struct Shop {
    events: Arc<EventService>,
    bookings: BookingService,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    event: EventId,
}

impl Shop {
    /// Opens the store in `folder` and puts an evening of three seats on sale.
    async fn open(folder: &std::path::Path) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ids: Arc<dyn Ids> = Arc::new(SystemIds::new());
        let store = Arc::new(SqliteStore::open(folder.join("evently.db"), ids.clone(), &Options::default())?);
        let feed = Arc::new(MemorySeatFeed::new(store.clone()));
        let (office, work) = BoxOffice::open(store.clone(), feed.clone(), clock.clone(), OfficeSize::default());
        tokio::spawn(work);
        let events = Arc::new(EventService::new(office.clone(), store.clone(), feed, clock.clone(), ids.clone()));
        let bookings = BookingService::new(office, store, events.clone(), clock.clone(), ids.clone(), HoldTerms::default());
        let event = evening(&events, &somebody(&*ids, &*clock, Role::Organizer)).await?;
        Ok(Self { events, bookings, ids, clock, event })
    }
}

async fn evening(events: &EventService, house: &Principal) -> Result<EventId, Failure> {
    let table = "section,row,seat,category\nFloor,A,1,Stalls\nFloor,A,2,Stalls\nFloor,A,3,Stalls\n";
    let plan = import::read(Format::Csv, table.as_bytes(), events.new_layout_id())?;
    let venue = events.create_venue(house, VenueDraft { name: "Odeon".into(), layout: plan.layout }, None).await?.value;
    let times = ("2099-05-01T19:30:00Z".parse()?, "2099-05-01T22:00:00Z".parse()?);
    let prices = vec![PriceDraft { name: "Stalls".into(), price: 4500 }];
    let draft = EventDraft::new("Gala", venue.id, times, Currency::EUR, prices);
    let event = events.create_event(house, draft, None).await?.value;
    events.publish(house, event.id, None).await?;
    Ok(event.id)
}

/// Who somebody is, is for the application to say: here everybody is a new customer.
fn somebody(ids: &dyn Ids, clock: &dyn Clock, role: Role) -> Principal {
    let new_id = || ids.uuid(clock.now());
    Principal { user_id: UserId::from_uuid(new_id()), role, session_id: SessionId::from_uuid(new_id()) }
}

fn router(shop: Arc<Shop>) -> Router {
    Router::new().route("/seats", get(seats)).route("/seats/{number}/hold", post(hold)).with_state(shop)
}

async fn seats(State(shop): State<Arc<Shop>>) -> Result<Json<Value>, (StatusCode, String)> {
    let map = shop.events.seat_map(shop.event).await.map_err(|error| refused(&error))?;
    Ok(Json(json!(map.statuses().iter().map(|status: &SeatStatus| status.name()).collect::<Vec<_>>())))
}

async fn hold(State(shop): State<Arc<Shop>>, Path(number): Path<u32>) -> Result<Json<Value>, (StatusCode, String)> {
    let view = shop.events.public(shop.event).await.map_err(|error| refused(&error))?;
    let seat = view.event.layout_id.seat(number);
    let buyer = somebody(&*shop.ids, &*shop.clock, Role::Customer);
    let held = shop.bookings.hold(&buyer, shop.event, vec![seat], None).await.map_err(|error| refused(&error))?;
    Ok(Json(json!({ "booking": held.value.id, "total": held.value.total })))
}

fn refused(error: &Error) -> (StatusCode, String) {
    let status = if matches!(error, Error::Rejected(_) | Error::RejectedBefore(_)) {
        StatusCode::CONFLICT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let serve = std::env::args().any(|argument| argument == "--serve");
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("selling at http://{address}/seats");
    let selling = axum::serve(listener, router(Arc::new(Shop::open(folder.path()).await?)));
    if serve {
        return Ok(selling.await?);
    }
    tokio::select! {
        ended = selling => Ok(ended?),
        bought = buy_one(address) => bought,
    }
}

/// Buys a seat, tries to buy it again, and looks at what is left.
async fn buy_one(address: SocketAddr) -> Result<(), Failure> {
    let first = ask(address, "POST", "/seats/1/hold").await?;
    let second = ask(address, "POST", "/seats/1/hold").await?;
    println!("first:  {first}\nsecond: {second}\nseats:  {}", ask(address, "GET", "/seats").await?);
    let right = first.starts_with("HTTP/1.1 200") && second.starts_with("HTTP/1.1 409");
    if right { Ok(()) } else { Err("the seat should have been sold once".into()) }
}

/// The status and the body of an answer.
async fn ask(address: SocketAddr, method: &str, path: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok(format!("{status} {body}"))
}
