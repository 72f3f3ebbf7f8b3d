//! `evently event`: what is sold.

mod draft;

use clap::Subcommand;
use evently_core::{
    domain::{EventId, EventStatus, Timestamp},
    ports::EventFilter,
    services::{Availability, Error, EventView},
};
use evently_http::compose::App;
use serde_json::{Value, json};

use self::draft::Create;
use crate::{
    args::Global,
    failure::Failure,
    names,
    reply::Reply,
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Make an event with the seats of a venue; a draft, unless it is published at once
    Create(Box<Create>),
    /// Put an event where everybody sees it, and on sale as its times say
    Publish {
        /// The event: its id, or its name if no other has it
        event: String,
    },
    /// Call an event off: all bookings are cancelled and all money goes back, in the time that follows
    Cancel {
        /// The event: its id, or its name if no other has it
        event: String,
        /// Why, for the journal
        #[arg(long)]
        reason: Option<String>,
    },
    /// List events by when they begin, drafts included
    List {
        /// Only those that are draft, upcoming, ongoing, completed or cancelled
        #[arg(long, value_parser = status)]
        status: Option<EventStatus>,
        /// Only those whose name or venue contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show an event with its prices and what is left
    Show {
        /// The event: its id, or its name if no other has it
        event: String,
    },
}

fn status(text: &str) -> Result<EventStatus, String> {
    let found = EventStatus::NAMES.iter().find(|(name, _)| *name == text).map(|(_, status)| *status);
    found.ok_or_else(|| format!("there are {}", EventStatus::NAMES.map(|(name, _)| name).join(", ")))
}

pub async fn run(global: &Global, command: EventCommand) -> Result<Reply, Failure> {
    let by = shop::administrator();
    match command {
        EventCommand::Create(new) => {
            let app = shop::open_existing(global).await?;
            let id = new.create(&app).await?;
            Ok(Reply::after(format_args!("the event {id} is made"), id, show(&app, id).await))
        }
        EventCommand::Publish { event } => {
            let app = shop::open_existing(global).await?;
            let id = names::event(&app, &event).await?.event.id;
            app.events.publish(&by, id, app.key_or_new(None)).await?;
            Ok(Reply::after(format_args!("the event {id} is published"), id, show(&app, id).await))
        }
        EventCommand::Cancel { event, reason } => {
            let app = shop::open_existing(global).await?;
            let id = names::event(&app, &event).await?.event.id;
            app.events.cancel(&by, id, reason, app.key_or_new(None)).await?;
            // The service would do this too, but it may not be running.
            let bookings = async {
                while app.upkeep.cancel_called_off().await? > 0 {}
                Ok(())
            };
            bookings.await.map_err(|error: Error| {
                let off = format_args!("the event {id} is called off, but cancelling its bookings failed");
                Failure::from(error).after(off)
            })?;
            Ok(Reply::after(format_args!("the event {id} is called off"), id, show(&app, id).await))
        }
        EventCommand::List { status, search } => {
            let app = shop::open_existing(global).await?;
            let filter = EventFilter { status, text: search, drafts: true, now: app.clock.now(), ..EventFilter::default() };
            list(&app, &filter).await
        }
        EventCommand::Show { event } => {
            let app = shop::open_existing(global).await?;
            let id = names::event(&app, &event).await?.event.id;
            show(&app, id).await
        }
    }
}

async fn list(app: &App, filter: &EventFilter) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let mut table = Table::new(["ID", "BEGINS", "STATUS", "#LEFT", "#SEATS", "NAME"]);
    let mut items = Vec::new();
    for view in names::events(app, filter).await? {
        // Of the store: whoever follows the seats of an event keeps them, and here nobody does.
        let left = app.store.catalog.seat_map(view.event.id).await?.map_or(0, |map| map.counts().available);
        let event = &view.event;
        table.row([
            event.id.to_string(),
            to_the_minute(event.details.start_time),
            event.status(now).name().to_owned(),
            left.to_string(),
            event.seats_total.to_string(),
            event.details.name.clone(),
        ]);
        items.push(json!({
            "id": event.id,
            "name": event.details.name,
            "venue": { "id": view.venue.id, "name": view.venue.name },
            "start_time": event.details.start_time,
            "end_time": event.details.end_time,
            "status": event.status(now).name(),
            "currency": event.currency,
            "seats_total": event.seats_total,
            "seats_available": left,
        }));
    }
    Ok(Reply::new(table.or_none("events"), json!({ "items": items })))
}

async fn show(app: &App, id: EventId) -> Result<Reply, Failure> {
    let view = app.events.view(id).await?;
    let left = app.events.availability(&view).await?;
    let now = app.clock.now();
    Ok(Reply::new(in_words(&view, &left, now), in_json(&view, &left, now)))
}

fn in_words(view: &EventView, left: &Availability, now: Timestamp) -> String {
    let (event, details) = (&view.event, &view.event.details);
    let text = facts([
        ("id", event.id.to_string()),
        ("name", details.name.clone()),
        ("status", event.status(now).name().to_owned()),
        ("venue", view.venue.name.clone()),
        ("begins", details.start_time.to_string()),
        ("ends", details.end_time.to_string()),
        ("on sale", format!("{} to {}", details.on_sale.opens_at, details.on_sale.closes_at)),
        ("seats", format!("{} in a booking, {} on hold for one customer", details.max_seats_per_booking, details.max_seats_held)),
        ("refunds", format!("{} % until {}", details.refunds.percent, details.refunds.until)),
    ]);
    let mut table = Table::new(["CATEGORY", "#PRICE", "#SEATS", "#LEFT", "#ON HOLD", "#SOLD", "#BLOCKED"]);
    for (category, seats) in event.categories.iter().zip(&left.by_price_category) {
        let counts = [seats.total, seats.available, seats.reserved, seats.booked, seats.blocked].map(|count| count.to_string());
        let [total, available, reserved, booked, blocked] = counts;
        table.row([category.name.clone(), event.money(category.price).to_string(), total, available, reserved, booked, blocked]);
    }
    format!("{text}\n{}", table.text())
}

fn in_json(view: &EventView, left: &Availability, now: Timestamp) -> Value {
    let (event, details) = (&view.event, &view.event.details);
    let categories = event.categories.iter().zip(&left.by_price_category).map(|(category, seats)| {
        json!({ "id": category.id, "name": category.name, "price": event.money(category.price), "seats": seats })
    });
    json!({
        "id": event.id,
        "name": details.name,
        "description": details.description,
        "venue": { "id": view.venue.id, "name": view.venue.name },
        "organizer_id": event.organizer_id,
        "start_time": details.start_time,
        "end_time": details.end_time,
        "status": event.status(now).name(),
        "currency": event.currency,
        "sales": details.on_sale,
        "max_seats_per_booking": details.max_seats_per_booking,
        "max_seats_held": details.max_seats_held,
        "refunds": details.refunds,
        "price_categories": categories.collect::<Vec<_>>(),
        "seats_total": event.seats_total,
        "availability": left.total,
    })
}

/// A time as it fits into a table.
fn to_the_minute(at: Timestamp) -> String {
    let minute =
        at.to_string().chars().take("2027-05-01T19:30".len()).map(|c| if c == 'T' { ' ' } else { c }).collect::<String>();
    minute + "Z"
}
