//! Made-up data to look at: accounts, venues, events on sale, and a few weeks of past sales.

mod plans;

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{
        Actor, BookingId, Command, Currency, Email, Event, EventId, GatewayReport, HoldTerms, LayoutId, PaymentId, PriceDraft,
        Principal, Request, Role, SessionId, Timestamp, User, UserId, VenueId,
    },
    import::{self, Format},
    ports::{BookingFilter, Bookings, CLAIM_LASTS, Claim, EventFilter, Page, PasswordHash, PasswordHasher, Taken},
    services::{Error, EventDraft, VenueDraft},
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
/// Names the claim of whoever makes the demo data.
const CLAIM: &str = "demo";
/// How often it is looked whether a claim is over.
const PAUSE: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_hours(24);
/// How many past bookings are made in one transaction.
const BATCH: usize = 200;

/// Makes the demo data, if there is nothing yet, or what is missing of it, if it was interrupted at that. Whether there was any to make.
///
/// One at a time makes it. Whoever comes meanwhile waits until it is there, or until the claim of one that was killed is over.
pub async fn seed(app: &App, passwords: &dyn PasswordHasher) -> Result<bool, StartError> {
    let [first, .., last] = ACCOUNTS;
    let page = Page { after: None, limit: 1 };
    let somebody = !app.store.accounts.users(page).await.map_err(failed)?.is_empty();
    // Asked after that: who is there may be the first account, which another process has just made.
    let begun = with_address(app, first.0).await?.is_some();
    if with_address(app, last.0).await?.is_some() || somebody && !begun {
        return Ok(false);
    }
    let claim = Claim::new(&*app.ids, &*app.clock);
    let mut told = false;
    loop {
        match take(app, claim).await? {
            Taken::Done => return Ok(false),
            Taken::Others => {
                if !told {
                    tracing::info!("another process makes the demo data, or was killed at it; this one waits");
                }
                told = true;
                tokio::time::sleep(PAUSE).await;
            }
            Taken::Ours | Taken::TakenOver => tokio::select! {
                made = make(app, passwords) => {
                    let inbox = &app.store.inbox;
                    match made {
                        Ok(()) => drop(inbox.done(CLAIM, 0, claim.owner).await.map_err(failed)?),
                        // Otherwise it is over by itself.
                        Err(_) => drop(inbox.let_go(CLAIM, 0, claim.owner).await),
                    }
                    return made.map(|()| true);
                }
                // It goes on with what is missing when it is its turn again.
                lost = lost(app, claim) => lost?,
            },
        }
    }
}

/// Claims the making of the demo data, which is like a message to be acted on once.
async fn take(app: &App, claim: Claim) -> Result<Taken, StartError> {
    app.store.inbox.take(CLAIM, 0, &claim.prolonged(app.clock.now())).await.map_err(failed)
}

/// Prolongs the claim for as long as it is ours.
async fn lost(app: &App, claim: Claim) -> Result<(), StartError> {
    loop {
        tokio::time::sleep(CLAIM_LASTS / 3).await;
        if !take(app, claim).await?.is_ours() {
            return Ok(());
        }
    }
}

/// Makes what is not there yet.
///
/// Each thing is looked for before it is made. The last account is made when all else is there, and says so: what is changed or renamed
/// later is not made again.
async fn make(app: &App, passwords: &dyn PasswordHasher) -> Result<(), StartError> {
    let [.., last] = ACCOUNTS;
    let hash = passwords.hash(PASSWORD).await.map_err(failed)?;
    let organizer = accounts(app, &hash).await?;
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
    account(app, last, &hash).await.map(drop)
}

/// More than there are while the demo data is made.
const fn all<K>() -> Page<K> {
    Page { after: None, limit: 1000 }
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Demo(error.to_string())
}

/// The account with this address.
async fn with_address(app: &App, email: &str) -> Result<Option<UserId>, StartError> {
    let found = app.store.accounts.credentials(&Email::parse(email).map_err(failed)?).await.map_err(failed)?;
    Ok(found.map(|found| found.user.id))
}

/// All accounts but the last. Who organizes.
async fn accounts(app: &App, hash: &PasswordHash) -> Result<Principal, StartError> {
    let mut organizer = None;
    for one @ (.., role) in &ACCOUNTS[..ACCOUNTS.len() - 1] {
        let user_id = account(app, *one, hash).await?;
        if *role == Role::Organizer {
            organizer = Some(Principal { user_id, role: *role, session_id: SessionId::from_uuid(uuid::Uuid::nil()) });
        }
    }
    Ok(organizer.expect("there is one in the list"))
}

async fn account(app: &App, (email, name, role): (&str, &str, Role), password: &PasswordHash) -> Result<UserId, StartError> {
    let now = app.clock.now();
    let id = UserId::from_uuid(app.ids.uuid(now));
    let user = User { id, email: Email::parse(email).map_err(failed)?, name: name.to_owned(), role, created_at: now };
    if app.store.accounts.add(&user, password).await.map_err(failed)? {
        return Ok(id);
    }
    with_address(app, email).await?.ok_or_else(|| failed(format_args!("{email} is nobody's and cannot be had")))
}

async fn guests(app: &App) -> Result<Vec<UserId>, StartError> {
    // No password has this hash.
    let none = PasswordHash("!".to_owned());
    let mut guests = Vec::new();
    for number in 1..=GUESTS {
        let (email, name) = (format!("guest{number}@demo.evently"), format!("Guest {number}"));
        guests.push(account(app, (&email, &name, Role::Customer), &none).await?);
    }
    Ok(guests)
}

async fn venue(app: &App, by: &Principal, plan: &[u8]) -> Result<VenueId, StartError> {
    let read = import::read(Format::Own, plan, app.events.new_layout_id()).map_err(failed)?;
    let draft = VenueDraft { name: read.name.unwrap_or_else(|| "Venue".to_owned()), layout: read.layout };
    let venues = app.store.catalog.venues(all()).await.map_err(failed)?;
    if let Some(made) = venues.into_iter().find(|venue| venue.name == draft.name) {
        return Ok(made.id);
    }
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
    let filter = EventFilter { organizer_id: Some(by.user_id), now: app.clock.now(), ..EventFilter::default() };
    let events = app.store.catalog.events(&filter, all()).await.map_err(failed)?;
    if let Some(made) = events.into_iter().find(|event| event.details.name == name) {
        return publish(app, by, made.id).await;
    }
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
    publish(app, by, created.value.id).await
}

async fn publish(app: &App, by: &Principal, event: EventId) -> Result<Arc<Event>, StartError> {
    Ok(app.events.publish(by, event, app.key_or_new(None)).await.map_err(failed)?.value)
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
    // More and more towards the day itself. It may have been made on an earlier day.
    let at = |i: u32| event.details.start_time - (20 * DAY) / count.max(1) * (count - i);
    let sold = BookingFilter { event_id: Some(event.id), ..BookingFilter::default() };
    let sold = app.store.bookings.bookings(&sold, Page { after: None, limit: 1 }).await.map_err(failed)?;
    let sold_until = sold.first().map(|newest| newest.created_at);
    let bookings: Arc<dyn Bookings> = match &app.database {
        Some(database) => Arc::new(database.by_callers_time()),
        None => app.store.bookings.clone(),
    };
    for (i, batch) in (0..).step_by(BATCH).zip(groups.chunks(BATCH)) {
        let requests = sales.requests(at(i), batch);
        if sold_until < Some(at(i)) {
            // Whoever has too many seats on hold is refused here as anywhere; the rest of their group stays away with them.
            bookings.apply(at(i), &requests).await.map_err(failed)?;
        }
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

    /// What is asked in one transaction, so that there is all of it or nothing.
    fn requests(&mut self, at: Timestamp, groups: &[Vec<u32>]) -> Vec<Request> {
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
        [holds, payments, settled].concat()
    }
}

/// Those who bought in the past had their mails then. Whoever was killed at this has a claim, which is over by itself: that is waited for.
async fn forget_mails(app: &App) -> Result<(), StartError> {
    let mut waited = Duration::ZERO;
    loop {
        match app.relay.pass_over().await {
            Err(Error::InFlight) if waited < 2 * CLAIM_LASTS => tokio::time::sleep(PAUSE).await,
            done => return done.map_err(failed),
        }
        waited += PAUSE;
    }
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
