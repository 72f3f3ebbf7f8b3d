//! Follows the live feed of an event: `live_feed http://127.0.0.1:8080/api/v1/events/EVENT/live`.
//!
//! The state is kept by its number, `seq`: after a broken connection it asks for what came since, and only if the service cannot catch
//! it up does it begin anew. With `--self-test` it starts a service of its own, sees a hold and its end, loses the connection in
//! between, and ends.

use std::{error::Error, time::Duration};

use evently_core::{
    domain::{Currency, EventId, PriceDraft, Principal, Role, SeatId, SessionId, UserId},
    import::{self, Format},
    services::{EventDraft, VenueDraft},
};
use evently_http::{
    compose::{self, App},
    config::{Config, Sources},
    serve::serve,
};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::{sync::oneshot, time::sleep};
use tokio_tungstenite::{connect_async, tungstenite::Message};

type Failure = Box<dyn Error + Send + Sync>;

const PAUSE: Duration = Duration::from_secs(1);

/// A place in the feed of an event.
struct Feed {
    url: String,
    /// The number of the state that is known.
    seq: Option<u64>,
}

impl Feed {
    fn new(url: &str) -> Self {
        Self { url: url.replacen("http", "ws", 1), seq: None }
    }

    /// Follows the feed over one connection until it breaks, or until `enough` says so of a frame.
    async fn follow(&mut self, enough: &mut (dyn FnMut(&Value) -> bool + Send)) -> Result<bool, Failure> {
        let since = self.seq.map(|seq| format!("?since={seq}")).unwrap_or_default();
        let (mut socket, _) = connect_async(format!("{}{since}", self.url)).await?;
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message? else { continue };
            let frame: Value = serde_json::from_str(&text)?;
            self.take_in(&frame)?;
            if enough(&frame) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes the state that a frame leads to. Deltas come without a gap; whoever finds one has lost their place.
    fn take_in(&mut self, frame: &Value) -> Result<(), Failure> {
        let seq = frame["seq"].as_u64();
        match frame["type"].as_str() {
            Some("snapshot") => self.seq = seq,
            Some("delta") if self.seq.map(|seq| seq + 1) == seq => self.seq = seq,
            Some("resync") => self.seq = None,
            _ => {
                self.seq = None;
                return Err(format!("unexpected frame {frame}").into());
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let argument = std::env::args().nth(1).ok_or("usage: live_feed URL | --self-test")?;
    if argument == "--self-test" {
        return self_test().await;
    }
    let mut feed = Feed::new(&argument);
    loop {
        match feed.follow(&mut |frame| show(frame)).await {
            Ok(_) => eprintln!("the connection is over"),
            Err(error) => eprintln!("the connection is lost: {error}"),
        }
        sleep(PAUSE).await;
    }
}

/// Prints what changed; never has enough.
fn show(frame: &Value) -> bool {
    match frame["type"].as_str() {
        Some("delta") => frame["seats"].as_array().into_iter().flatten().for_each(|seat| {
            println!("{} seat {} is {}", frame["seq"], seat["id"], seat["status"]);
        }),
        _ => println!("{} at {}", frame["type"], frame["seq"]),
    }
    false
}

async fn self_test() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_str().ok_or("the folder's name is no text")?;
    let flags = vec![("--data", "data.dir", data.to_owned()), ("--listen", "http.listen", "127.0.0.1:0".to_owned())];
    let config = Config::load(&Sources { flags, ..Sources::default() })?;
    // A second pair of hands on the same store, as the command line is beside a service.
    let app = compose::open(config.clone()).await?;
    let (event, seat) = evening(&app).await?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(serve(config, move |_, address| {
        // Nobody waits for it only if the test has failed already.
        let _ = tell.send(address);
    }));
    let address = told.await?;
    let mut feed = Feed::new(&format!("http://{address}/api/v1/events/{event}/live"));
    let buyer = somebody(&app, Role::Customer);
    let test = async {
        feed.follow(&mut |frame| show(frame) || frame["type"] == "snapshot").await?;
        let booking = app.bookings.hold(&buyer, event, vec![seat], None).await?.value;
        feed.follow(&mut |frame| show(frame) || shows(frame, seat, "reserved")).await?;
        app.bookings.cancel(&buyer, booking.id, None, None, None).await?;
        feed.follow(&mut |frame| show(frame) || shows(frame, seat, "available")).await
    };
    let seen: Result<bool, Failure> = tokio::time::timeout(Duration::from_secs(20), test).await?;
    if seen? { Ok(()) } else { Err("the feed ended too early".into()) }
}

fn shows(frame: &Value, seat: SeatId, status: &str) -> bool {
    let seats = frame["seats"].as_array().into_iter().flatten();
    frame["type"] == "delta" && seats.into_iter().any(|found| found["id"] == seat.to_string() && found["status"] == status)
}

/// An evening with two seats, on sale.
async fn evening(app: &App) -> Result<(EventId, SeatId), Failure> {
    let house = somebody(app, Role::Organizer);
    let table = "section,row,seat,category\nFloor,A,1,Stalls\nFloor,A,2,Stalls\n";
    let plan = import::read(Format::Csv, table.as_bytes(), app.events.new_layout_id())?;
    let seat = plan.layout.id.seat(1);
    let venue = app.events.create_venue(&house, VenueDraft { name: "Odeon".into(), layout: plan.layout }, None).await?.value;
    let times = ("2099-05-01T19:30:00Z".parse()?, "2099-05-01T22:00:00Z".parse()?);
    let prices = vec![PriceDraft { name: "Stalls".into(), price: 4500 }];
    let draft = EventDraft::new("Gala", venue.id, times, Currency::EUR, prices);
    let event = app.events.create_event(&house, draft, None).await?.value;
    app.events.publish(&house, event.id, None).await?;
    Ok((event.id, seat))
}

fn somebody(app: &App, role: Role) -> Principal {
    let new_id = || app.ids.uuid(app.clock.now());
    Principal { user_id: UserId::from_uuid(new_id()), role, session_id: SessionId::from_uuid(new_id()) }
}
