//! What people call things, and the things themselves.

use std::sync::Arc;

use evently_core::{
    domain::{Booking, BookingCode, Email, EventId, SeatId, Thing, User, UserId, Venue, VenueId},
    ports::{EventFilter, Page},
    services::{Error, EventView},
};
use evently_http::compose::App;

use crate::{failure::Failure, shop};

/// How many are read at a time where all of them are wanted.
const PAGE: u32 = 500;

/// The venue with this id, or the only one with this name.
pub async fn venue(app: &App, text: &str) -> Result<Venue, Failure> {
    if let Ok(id) = text.parse::<VenueId>() {
        return Ok(app.events.venue(id).await?.0);
    }
    let found = venues(app).await?.into_iter().filter(|venue| venue.name == text).collect();
    only_one(found, "venue", text, "`evently venue list` lists all venues with their ids")
}

/// All venues.
pub async fn venues(app: &App) -> Result<Vec<Venue>, Failure> {
    let mut venues: Vec<Venue> = Vec::new();
    loop {
        let page = app.events.venues(Page { after: venues.last().map(|venue| venue.id), limit: PAGE }).await?;
        if page.is_empty() {
            return Ok(venues);
        }
        venues.extend(page);
    }
}

/// The event with this id, or the only one with this name.
pub async fn event(app: &App, text: &str) -> Result<Arc<EventView>, Failure> {
    if let Ok(id) = text.parse::<EventId>() {
        return Ok(app.events.managed(&shop::administrator(), id).await?);
    }
    let filter = EventFilter { text: Some(text.to_owned()), drafts: true, now: app.clock.now(), ..EventFilter::default() };
    let found = events(app, &filter).await?.into_iter().filter(|view| view.event.details.name == text).collect();
    only_one(found, "event", text, "`evently event list` lists all events with their ids")
}

/// All events that the filter asks for.
pub async fn events(app: &App, filter: &EventFilter) -> Result<Vec<Arc<EventView>>, Failure> {
    let mut events: Vec<Arc<EventView>> = Vec::new();
    loop {
        let after = events.last().map(|view| (view.event.details.start_time, view.event.id));
        let page = app.events.list(filter, Page { after, limit: PAGE }).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// The account with this id or address.
pub async fn user(app: &App, text: &str) -> Result<User, Failure> {
    let found = if let Ok(id) = text.parse::<UserId>() {
        app.store.accounts.user(id).await?
    } else {
        let email = Email::parse(text).map_err(|error| Failure::usage(format_args!("`{text}` is neither an id nor {error}")))?;
        app.store.accounts.credentials(&email).await?.map(|credentials| credentials.user)
    };
    found.ok_or_else(|| Failure::from(Error::not_found(Thing::User)).hint("`evently user list` lists all accounts"))
}

/// The booking with this id or code.
pub async fn booking(app: &App, text: &str) -> Result<Booking, Failure> {
    let by = shop::administrator();
    if let Ok(id) = text.parse() {
        return Ok(app.bookings.managed(&by, id).await?.booking);
    }
    let code = BookingCode::parse(text).ok_or_else(|| {
        Failure::usage(format_args!("`{text}` is neither an id nor a booking's code of eight characters such as 7KXR4MQD"))
    })?;
    Ok(app.bookings.by_code(&by, code).await?)
}

/// The seats with these ids or places, such as `Stalls/C/12`.
pub fn seats(view: &EventView, texts: &[String]) -> Result<Vec<SeatId>, Failure> {
    texts.iter().map(|text| seat(view, text)).collect()
}

fn seat(view: &EventView, text: &str) -> Result<SeatId, Failure> {
    if let Ok(id) = text.parse::<SeatId>() {
        return Ok(id);
    }
    let layout = &view.layout.layout;
    let found = layout.places().filter(|place| {
        // Names may have slashes in them, so that what was typed is not taken apart.
        let rest = text.strip_prefix(place.section.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let rest = rest.and_then(|rest| rest.strip_prefix(place.row.label.as_str())).and_then(|rest| rest.strip_prefix('/'));
        rest == Some(place.seat.label.as_str())
    });
    match &found.collect::<Vec<_>>()[..] {
        [one] => Ok(one.seat.id),
        [] => {
            let example = place(view, 0).unwrap_or_default();
            let failure = Failure::no(format_args!("there is no seat `{text}` at {}", view.event.details.name));
            Err(failure.hint(format!("name a seat by its id or as Section/Row/Seat, such as {example}")))
        }
        several => {
            let each = several.iter().map(|place| {
                format!("{} (section {}, row {}, seat {})", place.seat.id, place.section.name, place.row.label, place.seat.label)
            });
            let each = each.collect::<Vec<_>>().join(" or ");
            Err(Failure::usage(format_args!("`{text}` may be {each}")).hint("name the seat by its id"))
        }
    }
}

/// Where a seat is, as [`seats`] reads it.
pub fn place(view: &EventView, number: u32) -> Option<String> {
    let (section, row, seat) = view.layout.seat(number)?;
    Some(format!("{}/{}/{}", section.name, row.label, seat.label))
}

fn only_one<T>(mut found: Vec<T>, what: &str, text: &str, hint: &str) -> Result<T, Failure> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Failure::no(format_args!("there is no {what} `{text}`")).hint(hint)),
        (Some(_), more) => {
            Err(Failure::usage(format_args!("there are {} of the name `{text}`; name the {what} by its id", more + 1)).hint(hint))
        }
    }
}
