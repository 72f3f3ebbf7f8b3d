//! The whole engine in memory: one seat, and two buyers who want it at the same moment.
#![cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "so that the program is no longer than what it does"))]
use std::sync::Arc;

use evently_core::{domain::*, import, memory::*, ports::Ids, services::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, ids) = (Arc::new(ManualClock::new("2027-01-01T12:00:00Z".parse()?)), Arc::new(SeededIds::new(7)));
    let store = Arc::new(MemoryStore::new(ids.clone()));
    let feed = Arc::new(MemorySeatFeed::new(store.clone()));
    let (office, work) = BoxOffice::open(store.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    let events = Arc::new(EventService::new(office.clone(), store.clone(), feed, clock.clone(), ids.clone()));
    let bookings = BookingService::new(office.clone(), store, events.clone(), clock, ids.clone(), HoldTerms::default());

    let id = || ids.uuid(Timestamp::default());
    let somebody = |role| Principal { user_id: UserId::from_uuid(id()), role, session_id: SessionId::from_uuid(id()) };
    let (house, ada, bob) = (somebody(Role::Organizer), somebody(Role::Customer), somebody(Role::Customer));
    let plan = import::read(import::Format::Csv, b"section,row,seat,category\nFloor,A,1,Stalls\n", events.new_layout_id())?;
    let seats = vec![plan.layout.id.seat(0)];
    let venue = events.create_venue(&house, VenueDraft { name: "Odeon".into(), layout: plan.layout }, None).await?.value;
    let times = ("2027-05-01T19:30:00Z".parse()?, "2027-05-01T22:00:00Z".parse()?);
    let prices = vec![PriceDraft { name: "Stalls".into(), price: 4500 }];
    let event = events.create_event(&house, EventDraft::new("Gala", venue.id, times, Currency::EUR, prices), None).await?.value;
    events.publish(&house, event.id, None).await?;

    let race = tokio::join!(bookings.hold(&ada, event.id, seats.clone(), None), bookings.hold(&bob, event.id, seats, None));
    let (winner, held, refusal) = match race {
        (Ok(held), Err(refusal)) => ("Ada", held.value, refusal),
        (Err(refusal), Ok(held)) => ("Bob", held.value, refusal),
        _ => return Err("exactly one of them gets the seat".into()),
    };
    let cash = Command::Confirm { booking_id: held.id, payment_id: PaymentId::from_uuid(id()), reference: Some("cash".into()) };
    office.submit(Request::new(Actor::System, cash)).await?.result?;
    println!("{winner} has paid {} for the seat; the other one was told: {refusal}", held.total);
    Ok(())
}
