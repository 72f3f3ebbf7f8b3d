//! Made-up data to look at: accounts, venues, events on sale, and a few weeks of past sales.

mod plans;

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{
        Actor, BookingId, Command, Currency, Email, Event, EventId, GatewayReport, HoldTerms, LayoutId, PaymentId, PriceDraft,
        Principal, Request, Role, SessionId, Timestamp, User, UserId, VenueId,
    },
    import::{self, Format},
    ports::{Page, PasswordHash, PasswordHasher},
    services::{EventDraft, VenueDraft},
};

use crate::compose::{App, StartError};

/// The password of all demo accounts.
pub const PASSWORD: &str = "evently-demo";
/// The demo accounts with their names and roles.
const ACCOUNTS: [(&str, &str, Role); 5] = [
    ("admin@demo.evently", "Demo Admin", Role::Admin),
    ("organizer@demo.evently", "Demo Organizer", Role::Organizer),
    ("staff@demo.evently", "Demo Staff", Role::Staff),
    ("buyer1@demo.evently", "Demo Buyer One", Role::Customer),
    ("buyer2@demo.evently", "Demo Buyer Two", Role::Customer),
];
/// Who bought in the past. Nobody can log in as them.
const GUESTS: u32 = 40;
const DAY: Duration = Duration::from_hours(24);
/// How many past bookings are made in one transaction.
const BATCH: usize = 200;

/// Makes the demo data, if there is nothing yet. Whether it was made.
pub async fn seed(app: &App, passwords: &dyn PasswordHasher) -> Result<bool, StartError> {
    let page = Page { after: None, limit: 1 };
    if !app.store.accounts.users(page).await.map_err(failed)?.is_empty() {
        return Ok(false);
    }
    let organizer = accounts(app, passwords).await?;
    let guests = guests(app).await?;
    let hall = venue(app, &organizer, &plans::concert_hall()).await?;
    let club = venue(app, &organizer, &plans::club()).await?;
    let arena = venue(app, &organizer, &plans::arena()).await?;

    let now = app.clock.now();
    let evening = Timestamp::from_secs(now.as_secs().div_euclid(86_400) * 86_400) + Duration::from_mins(19 * 60 + 30);
    past(app, &organizer, &guests, hall, "Winter Songs", evening - 24 * DAY, 70).await?;
    past(app, &organizer, &guests, club, "Open Stage", evening - 17 * DAY, 85).await?;
    past(app, &organizer, &guests, hall, "Two Pianos", evening - 9 * DAY, 45).await?;
    upcoming(app, &organizer, hall, "Symphony Night", "Mahler's First, and a surprise.", evening + 21 * DAY).await?;
    upcoming(app, &organizer, club, "Late Jazz", "A quartet at arm's length.", evening + 7 * DAY).await?;
    upcoming(app, &organizer, arena, "The Big Show", "Twenty thousand seats, one stage.", evening + 60 * DAY).await?;
    forget_mails(app).await?;
    Ok(true)
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Demo(error.to_string())
}

async fn accounts(app: &App, passwords: &dyn PasswordHasher) -> Result<Principal, StartError> {
    let hash = passwords.hash(PASSWORD).await.map_err(failed)?;
    let mut organizer = None;
    for (email, name, role) in ACCOUNTS {
        let user_id = account(app, email, name, role, &hash).await?;
        if role == Role::Organizer {
            organizer = Some(Principal { user_id, role, session_id: SessionId::from_uuid(uuid::Uuid::nil()) });
        }
    }
    Ok(organizer.expect("there is one in the list"))
}

async fn account(app: &App, email: &str, name: &str, role: Role, password: &PasswordHash) -> Result<UserId, StartError> {
    let now = app.clock.now();
    let id = UserId::from_uuid(app.ids.uuid(now));
    let user = User { id, email: Email::parse(email).map_err(failed)?, name: name.to_owned(), role, created_at: now };
    app.store.accounts.add(&user, password).await.map_err(failed)?;
    Ok(id)
}

async fn guests(app: &App) -> Result<Vec<UserId>, StartError> {
    // No password has this hash.
    let none = PasswordHash("!".to_owned());
    let mut guests = Vec::new();
    for number in 1..=GUESTS {
        let email = format!("guest{number}@demo.evently");
        guests.push(account(app, &email, &format!("Guest {number}"), Role::Customer, &none).await?);
    }
    Ok(guests)
}

async fn venue(app: &App, by: &Principal, plan: &[u8]) -> Result<VenueId, StartError> {
    let read = import::read(Format::Own, plan, app.events.new_layout_id()).map_err(failed)?;
    let draft = VenueDraft { name: read.name.unwrap_or_else(|| "Venue".to_owned()), layout: read.layout };
    Ok(app.events.create_venue(by, draft, app.key_or_new(None)).await.map_err(failed)?.value.id)
}

async fn event(
    app: &App,
    by: &Principal,
    venue_id: VenueId,
    name: &str,
    text: &str,
    start: Timestamp,
) -> Result<Arc<Event>, StartError> {
    let (_, layout) = app.events.venue(venue_id).await.map_err(failed)?;
    let categories = layout.layout.categories.iter().rev();
    let prices = (0..).zip(categories).map(|(i, category)| PriceDraft { name: category.name.clone(), price: 1900 + 1500 * i });
    let draft = EventDraft {
        name: name.to_owned(),
        description: text.to_owned(),
        venue_id,
        start_time: start,
        end_time: start + Duration::from_hours(3),
        currency: Currency::EUR,
        prices: prices.collect(),
        opens_at: Some(start - 90 * DAY),
        closes_at: None,
        max_seats_per_booking: None,
        max_seats_held: None,
        refunds: None,
    };
    let created = app.events.create_event(by, draft, app.key_or_new(None)).await.map_err(failed)?;
    Ok(app.events.publish(by, created.value.id, app.key_or_new(None)).await.map_err(failed)?.value)
}

async fn upcoming(app: &App, by: &Principal, venue: VenueId, name: &str, text: &str, start: Timestamp) -> Result<(), StartError> {
    event(app, by, venue, name, text, start).await.map(drop)
}

/// An event that is over, with that many of a hundred of its seats sold over the weeks before it, by the rules that sell any seat.
async fn past(
    app: &App,
    by: &Principal,
    guests: &[UserId],
    venue: VenueId,
    name: &str,
    start: Timestamp,
    percent: u32,
) -> Result<(), StartError> {
    let event = event(app, by, venue, name, "It was good.", start).await?;
    let mut sales = Sales { app, guests, event: event.id, layout: event.layout_id, dice: Dice(event.seats_total) };
    let groups = sales.groups(event.seats_total, percent);
    let count = u32::try_from(groups.len()).unwrap_or(u32::MAX);
    // More and more towards the day itself.
    let at = |i: u32| start - (20 * DAY) / count.max(1) * (count - i);
    for (i, batch) in (0..).step_by(BATCH).zip(groups.chunks(BATCH)) {
        sales.sell(at(i), batch).await?;
    }
    Ok(())
}

struct Sales<'a> {
    app: &'a App,
    guests: &'a [UserId],
    event: EventId,
    layout: LayoutId,
    dice: Dice,
}

impl Sales<'_> {
    /// Neighbours who come together, up to the percentage.
    fn groups(&mut self, seats: u32, percent: u32) -> Vec<Vec<u32>> {
        let mut groups = Vec::new();
        let mut next = 0;
        while next < seats {
            let end = (next + 1 + self.dice.below(4)).min(seats);
            if self.dice.below(100) < percent {
                groups.push((next..end).collect());
            }
            next = end;
        }
        groups
    }

    async fn sell(&mut self, at: Timestamp, groups: &[Vec<u32>]) -> Result<(), StartError> {
        let mut holds = Vec::new();
        let mut payments = Vec::new();
        let mut settled = Vec::new();
        let terms = HoldTerms::default();
        for group in groups {
            let user_id = self.guests[self.dice.below(u32::try_from(self.guests.len()).unwrap_or(1)) as usize];
            let actor = Actor::User(user_id, Role::Customer);
            let booking_id = BookingId::from_uuid(self.app.ids.uuid(at));
            let payment_id = PaymentId::from_uuid(self.app.ids.uuid(at));
            let seats = group.iter().map(|number| self.layout.seat(*number)).collect();
            holds.push(Request::new(actor, Command::Hold { booking_id, event_id: self.event, user_id, seats, terms }));
            let provider = "sandbox".to_owned();
            payments.push(Request::new(actor, Command::StartPayment { payment_id, booking_id, provider, terms }));
            let reference = Some(format!("sandbox:tok_visa:{}", at.as_micros()));
            let report = GatewayReport::Succeeded;
            settled.push(Request::new(
                Actor::Gateway,
                Command::SettlePayment {
                    payment_id,
                    report,
                    reference,
                    message: None,
                    instead: Vec::new(),
                    terms,
                    answers: None,
                },
            ));
        }
        for requests in [holds, payments, settled] {
            // Whoever has too many seats on hold is refused here as anywhere; the rest of their group stays away with them.
            self.app.store.bookings.apply(at, &requests).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Those who bought in the past had their mails then.
async fn forget_mails(app: &App) -> Result<(), StartError> {
    app.relay.pass_over().await.map_err(failed)
}

/// Throws the same numbers each time (xorshift, Marsaglia 2003).
struct Dice(u32);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % end
    }
}
