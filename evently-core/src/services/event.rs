//! Venues and events: making them, changing them, looking at them.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Answered, BoxOffice, Error, EventView, LayoutView};
use crate::{
    cache::{Caches, Far, Mark, Near, Told},
    domain::{
        Actor, Command, Currency, Event, EventChange, EventDetails, EventId, EventStatus, Invalid, Layout, LayoutId, OnSale,
        Outcome, PriceCategory, PriceCategoryId, PriceDraft, Principal, RefundPolicy, Request, RequestKey, Role, SeatCounts,
        SeatId, SeatMap, Stage, Thing, Timestamp, Venue, VenueId,
    },
    ports::{CacheKey, Catalog, Clock, Elsewhere, EventFilter, Forgotten, Ids, Page, SeatFeed, Subscription},
};

/// Makes venues and events, and shows them.
pub struct EventService {
    office: BoxOffice,
    catalog: Arc<dyn Catalog>,
    feed: Arc<dyn SeatFeed>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    views: Views,
    /// What others have written and has not been read again yet. The store says it only once.
    unread: Mutex<Elsewhere>,
}

/// What has been looked at. It decides nothing: every command is judged by the store's own rows.
struct Views {
    events: Near<EventId, Arc<EventView>, Error>,
    details: Far<Details>,
    layouts: Near<LayoutId, Arc<LayoutView>, Error>,
    told: Told,
}

/// What of an event all instances share.
#[derive(Serialize, Deserialize)]
struct Details {
    event: Arc<Event>,
    venue: Venue,
}

/// Names event details in the shared cache.
const EVENT: &str = "event";
/// For how long the details of an event are kept.
const DETAILS_KEPT: Duration = Duration::from_mins(5);
/// For how long a layout is kept. None ever changes.
const LAYOUTS_KEPT: Duration = Duration::from_hours(1);
/// How many events are the last ones.
const LAST: u32 = 100;
/// How many events are kept, and how many layouts.
const KEPT_MOST: (usize, usize) = (10_000, 1_000);

impl Views {
    fn new(caches: &Caches) -> Self {
        Self {
            events: caches.near(EVENT, DETAILS_KEPT, KEPT_MOST.0),
            details: caches.far(EVENT, DETAILS_KEPT),
            layouts: caches.near("layout", LAYOUTS_KEPT, KEPT_MOST.1),
            told: caches.told(),
        }
    }

    /// The events, without those that somebody has changed.
    fn events(&self) -> &Near<EventId, Arc<EventView>, Error> {
        let forget = |key: &CacheKey| match key.id().parse() {
            Ok(event) if key.cache() == EVENT => self.events.forget(&event),
            _ => {}
        };
        self.told.each(|forgotten| match forgotten {
            Forgotten::Key(key) => forget(key),
            Forgotten::Everything => self.events.forget_all(),
        });
        &self.events
    }
}

/// A venue to be made.
#[derive(Debug, Clone)]
pub struct VenueDraft {
    /// What people call it.
    pub name: String,
    /// How it is drawn.
    pub layout: Layout,
}

/// An event to be made. What is left out gets the usual.
#[derive(Debug, Clone)]
pub struct EventDraft {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Where it takes place.
    pub venue_id: VenueId,
    /// When it begins.
    pub start_time: Timestamp,
    /// When it is over.
    pub end_time: Timestamp,
    /// What it is paid in.
    pub currency: Currency,
    /// A price for each category of the venue's layout.
    pub prices: Vec<PriceDraft>,
    /// From when it can be booked; from now on if nothing is said.
    pub opens_at: Option<Timestamp>,
    /// Until when it can be booked; until it begins if nothing is said.
    pub closes_at: Option<Timestamp>,
    /// How many seats one booking may have; 10 if nothing is said.
    pub max_seats_per_booking: Option<u32>,
    /// How many seats a customer may have on hold; 10, or as many as one booking may have, if nothing is said.
    pub max_seats_held: Option<u32>,
    /// What comes back on cancelling; everything until it begins if nothing is said.
    pub refunds: Option<RefundPolicy>,
}

impl EventDraft {
    /// An event of which nothing is said that can be left out.
    pub fn new(
        name: impl Into<String>,
        venue_id: VenueId,
        (start_time, end_time): (Timestamp, Timestamp),
        currency: Currency,
        prices: Vec<PriceDraft>,
    ) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            venue_id,
            start_time,
            end_time,
            currency,
            prices,
            opens_at: None,
            closes_at: None,
            max_seats_per_booking: None,
            max_seats_held: None,
            refunds: None,
        }
    }
}

/// How many seats there are of each status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Availability {
    /// The state of the seats that was counted.
    pub seq: u64,
    /// In the whole event.
    pub total: SeatCounts,
    /// By section, in the order of the layout.
    pub by_section: Vec<SeatCounts>,
    /// By price category, in the order of the event.
    pub by_price_category: Vec<SeatCounts>,
}

impl EventService {
    /// The service over these ports.
    pub fn new(
        office: BoxOffice,
        catalog: Arc<dyn Catalog>,
        feed: Arc<dyn SeatFeed>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let views = Views::new(&Caches::local(Arc::clone(&clock)));
        Self { office, catalog, feed, clock, ids, views, unread: Mutex::default() }
    }

    /// The same with what it has looked at in these caches.
    #[must_use]
    pub fn with_caches(self, caches: &Caches) -> Self {
        Self { views: Views::new(caches), ..self }
    }

    /// An id for a layout that is about to be read from a file.
    pub fn new_layout_id(&self) -> LayoutId {
        LayoutId::new(self.ids.uuid(self.clock.now()))
    }

    /// Adds a venue.
    pub async fn create_venue(
        &self,
        by: &Principal,
        draft: VenueDraft,
        key: Option<RequestKey>,
    ) -> Result<Answered<Venue>, Error> {
        may_organize(by)?;
        let id = VenueId::from_uuid(self.ids.uuid(self.clock.now()));
        let name = draft.name.trim();
        let named = (1..=200).contains(&name.chars().count()) && !name.contains(char::is_control);
        if !named {
            return Err(Invalid::field("name", "invalid_name", "1 to 200 characters without line breaks").into());
        }
        let venue = Venue { id, name: name.to_owned(), layout_id: draft.layout.id };
        let command = Command::CreateVenue { venue, layout: Arc::new(draft.layout) };
        self.submit(by, command, key, |outcome| match outcome {
            Outcome::Venue(venue) => Some(venue),
            _ => None,
        })
        .await
    }

    /// Adds an event, a draft, with the seats of its venue.
    pub async fn create_event(
        &self,
        by: &Principal,
        draft: EventDraft,
        key: Option<RequestKey>,
    ) -> Result<Answered<Arc<Event>>, Error> {
        may_organize(by)?;
        let venue = self
            .catalog
            .venue(draft.venue_id)
            .await?
            .ok_or_else(|| Error::from(Invalid::field("venue_id", "unknown_venue", "there is no such venue")))?;
        let layout = self.layout(venue.layout_id).await?;
        let now = self.clock.now();
        let categories = self.price_categories(&layout.layout, &draft.prices, now)?;
        let max_seats_per_booking = draft.max_seats_per_booking.unwrap_or(10);
        let details = EventDetails {
            name: draft.name,
            description: draft.description,
            start_time: draft.start_time,
            end_time: draft.end_time,
            on_sale: OnSale { opens_at: draft.opens_at.unwrap_or(now), closes_at: draft.closes_at.unwrap_or(draft.start_time) },
            max_seats_per_booking,
            max_seats_held: draft.max_seats_held.unwrap_or(max_seats_per_booking.max(10)),
            refunds: draft.refunds.unwrap_or(RefundPolicy { until: draft.start_time, percent: 100 }),
        };
        let event = Event {
            id: EventId::from_uuid(self.ids.uuid(now)),
            venue_id: venue.id,
            layout_id: venue.layout_id,
            organizer_id: by.user_id,
            stage: Stage::Draft,
            details,
            currency: draft.currency,
            categories,
            seats_total: layout.layout.seats_total(),
            created_at: now,
            version: 1,
            withdrawn: false,
        };
        let seats = layout.layout.places().map(|place| place.seat.category).collect();
        let command = Command::CreateEvent { event: Arc::new(event), seats };
        self.submit_event(by, command, key).await
    }

    /// A price category for each category of the layout, in its order.
    fn price_categories(&self, layout: &Layout, prices: &[PriceDraft], now: Timestamp) -> Result<Vec<PriceCategory>, Invalid> {
        let mut invalid = Invalid::default();
        for (i, draft) in prices.iter().enumerate() {
            let names = || layout.categories.iter().map(|category| category.name.as_str()).collect::<Vec<_>>().join(", ");
            let field = format!("price_categories[{i}].name");
            if !layout.categories.iter().any(|category| category.name == draft.name) {
                invalid.add(&field, "unknown_category", format!("the venue's categories are {}", names()));
            } else if prices[..i].iter().any(|other| other.name == draft.name) {
                invalid.add(&field, "duplicate_category", "name each category once");
            }
        }
        let mut categories = Vec::with_capacity(layout.categories.len());
        for category in &layout.categories {
            if let Some(PriceDraft { name, price }) = prices.iter().find(|draft| draft.name == category.name) {
                let id = PriceCategoryId::from_uuid(self.ids.uuid(now));
                categories.push(PriceCategory { id, name: name.clone(), price: *price });
            } else {
                let message = format!("say what seats of the category {} cost", category.name);
                invalid.add("price_categories", "missing_category", message);
            }
        }
        invalid.into_result()?;
        Ok(categories)
    }

    /// Changes an event.
    pub async fn edit_event(
        &self,
        by: &Principal,
        id: EventId,
        change: EventChange,
        key: Option<RequestKey>,
    ) -> Result<Answered<Arc<Event>>, Error> {
        self.managed(by, id).await?;
        self.submit_event(by, Command::EditEvent { event_id: id, change }, key).await
    }

    /// Puts an event where everybody sees it.
    pub async fn publish(&self, by: &Principal, id: EventId, key: Option<RequestKey>) -> Result<Answered<Arc<Event>>, Error> {
        self.managed(by, id).await?;
        self.submit_event(by, Command::PublishEvent { event_id: id }, key).await
    }

    /// Calls an event off. Its bookings are cancelled, and their money sent back, in the time that follows. A draft is shown to nobody for it.
    pub async fn cancel(
        &self,
        by: &Principal,
        id: EventId,
        reason: Option<String>,
        key: Option<RequestKey>,
    ) -> Result<Answered<Arc<Event>>, Error> {
        self.managed(by, id).await?;
        self.submit_event(by, Command::CancelEvent { event_id: id, reason }, key).await
    }

    /// Blocks seats, or unblocks them; all or none. The seats that changed.
    pub async fn house(
        &self,
        by: &Principal,
        event_id: EventId,
        seats: Vec<SeatId>,
        block: bool,
        key: Option<RequestKey>,
    ) -> Result<Answered<Vec<SeatId>>, Error> {
        self.managed(by, event_id).await?;
        let command = if block { Command::Block { event_id, seats } } else { Command::Unblock { event_id, seats } };
        self.submit(by, command, key, |outcome| match outcome {
            Outcome::Seats(_, seats, _) => Some(seats),
            _ => None,
        })
        .await
    }

    /// Who changes an event must see this through to its end, or this process may go on showing what it has kept of it.
    async fn submit_event(
        &self,
        by: &Principal,
        command: Command,
        key: Option<RequestKey>,
    ) -> Result<Answered<Arc<Event>>, Error> {
        let answered = self.submit(by, command, key, |outcome| match outcome {
            Outcome::Event(event) => Some(event),
            _ => None,
        });
        let answered = answered.await?;
        self.forget(answered.value.id).await;
        Ok(answered)
    }

    async fn submit<T>(
        &self,
        by: &Principal,
        command: Command,
        key: Option<RequestKey>,
        value: impl Fn(Outcome) -> Option<T>,
    ) -> Result<Answered<T>, Error> {
        let request = Request::new(Actor::User(by.user_id, by.role), command).with_key(key);
        Answered::read(self.office.submit(request).await?, value)
    }

    /// One event, whoever looks.
    pub async fn view(&self, id: EventId) -> Result<Arc<EventView>, Error> {
        self.views.events().get(&id, || self.load(id)).await
    }

    async fn load(&self, id: EventId) -> Result<Arc<EventView>, Error> {
        let details = self.views.details.get(id, || async {
            let event = self.catalog.event(id).await?.ok_or(Error::not_found(Thing::Event))?;
            let venue = self.catalog.venue(event.venue_id).await?.ok_or(Error::not_found(Thing::Venue))?;
            Ok::<_, Error>(Details { event, venue })
        });
        let Details { event, venue } = details.await?;
        let layout = self.layout(event.layout_id).await?;
        Ok(Arc::new(EventView::new(event, venue, layout)))
    }

    /// The view of an event as it was when something was decided about it, which it need not be any more.
    pub async fn view_then(&self, event: Arc<Event>) -> Result<EventView, Error> {
        let venue = self.catalog.venue(event.venue_id).await?.ok_or(Error::not_found(Thing::Venue))?;
        let layout = self.layout(event.layout_id).await?;
        Ok(EventView::new(event, venue, layout))
    }

    /// The view of an event that was read after the mark.
    async fn view_of(&self, event: Arc<Event>, mark: Mark) -> Result<Arc<EventView>, Error> {
        // Neither an earlier one nor a later one: whoever lists events goes on after the last of them, where it stood in the list.
        let known = self.views.events.peek(&event.id);
        let known_version = known.as_ref().map(|view| view.event.version);
        if let Some(view) = known.filter(|view| view.event.version == event.version) {
            return Ok(view);
        }
        let view = Arc::new(self.view_then(event).await?);
        if known_version.is_none_or(|version| version < view.event.version) {
            self.views.events.keep(mark, view.event.id, Arc::clone(&view));
        }
        Ok(view)
    }

    async fn layout(&self, id: LayoutId) -> Result<Arc<LayoutView>, Error> {
        let load = || async {
            let layout = self.catalog.layout(id).await?.ok_or(Error::not_found(Thing::Venue))?;
            Ok(Arc::new(LayoutView::new(layout)))
        };
        self.views.layouts.get(&id, load).await
    }

    /// Lets go of an event that was changed: first where others find it, so that it does not come back from there.
    pub(super) async fn forget(&self, id: EventId) {
        self.views.details.forget(id).await;
        self.views.events.forget(&id);
    }

    /// One event as everybody may see it: a draft is not there, nor one that was called off as a draft.
    pub async fn public(&self, id: EventId) -> Result<Arc<EventView>, Error> {
        let view = self.view(id).await?;
        if view.event.is_public() { Ok(view) } else { Err(Error::not_found(Thing::Event)) }
    }

    /// One event that `by` may manage; a stranger's is not there.
    pub async fn managed(&self, by: &Principal, id: EventId) -> Result<Arc<EventView>, Error> {
        may_organize(by)?;
        let view = self.view(id).await?;
        let own = by.role == Role::Admin || view.event.organizer_id == by.user_id;
        if own { Ok(view) } else { Err(Error::not_found(Thing::Event)) }
    }

    /// Events by start time: those after `page.after`.
    pub async fn list(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<EventView>>, Error> {
        let mark = self.views.events().mark();
        self.views_of(self.catalog.events(filter, page).await?, mark).await
    }

    /// Of the events that the filter asks for the hundred that begin last, by start time.
    pub async fn list_last(&self, filter: &EventFilter) -> Result<Vec<Arc<EventView>>, Error> {
        let mark = self.views.events().mark();
        let (mut last, mut after) = (Vec::<Arc<Event>>::new(), None);
        loop {
            let page = self.catalog.events(filter, Page { after, limit: LAST }).await?;
            after = page.last().map(|event| (event.details.start_time, event.id));
            let is_full = page.len() == LAST as usize;
            // One that is moved meanwhile may come again.
            last.retain(|event| page.iter().all(|later| later.id != event.id));
            last.extend(page);
            last.drain(..last.len().saturating_sub(LAST as usize));
            if !is_full {
                return self.views_of(last, mark).await;
            }
        }
    }

    async fn views_of(&self, events: Vec<Arc<Event>>, mark: Mark) -> Result<Vec<Arc<EventView>>, Error> {
        let mut views = Vec::with_capacity(events.len());
        for event in events {
            views.push(self.view_of(event, mark).await?);
        }
        Ok(views)
    }

    /// Events as everybody may see them.
    pub async fn list_public(&self, filter: EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<EventView>>, Error> {
        if filter.status == Some(EventStatus::Draft) {
            return Ok(Vec::new());
        }
        self.list(&EventFilter { drafts: false, organizer_id: None, now: self.clock.now(), ..filter }, page).await
    }

    /// Venues in the order of their ids.
    pub async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, Error> {
        Ok(self.catalog.venues(page).await?)
    }

    /// One venue with its layout.
    pub async fn venue(&self, id: VenueId) -> Result<(Venue, Arc<LayoutView>), Error> {
        let venue = self.catalog.venue(id).await?.ok_or(Error::not_found(Thing::Venue))?;
        let layout = self.layout(venue.layout_id).await?;
        Ok((venue, layout))
    }

    /// The state of an event's seats.
    pub async fn seat_map(&self, id: EventId) -> Result<Arc<SeatMap>, Error> {
        self.feed.seat_map(id).await?.ok_or(Error::not_found(Thing::Event))
    }

    /// How many seats of an event there are of each status.
    pub async fn availability(&self, view: &EventView) -> Result<Availability, Error> {
        let map = self.seat_map(view.event.id).await?;
        let mut by_section = vec![SeatCounts::default(); view.layout.layout.sections.len()];
        let mut by_price_category = vec![SeatCounts::default(); view.event.categories.len()];
        for (number, &status) in (0..).zip(map.statuses()) {
            let (Some(section), Some((_, _, seat))) = (view.layout.section(number), view.layout.seat(number)) else { continue };
            by_section[section].add(status);
            by_price_category[usize::from(seat.category)].add(status);
        }
        Ok(Availability { seq: map.seq(), total: map.counts(), by_section, by_price_category })
    }

    /// Follows the seats of an event.
    pub async fn subscribe(&self, id: EventId, since: Option<u64>) -> Result<Subscription, Error> {
        self.feed.subscribe(id, since).await?.ok_or(Error::not_found(Thing::Event))
    }

    /// Lets go of what is out of date if somebody else has written to the store. Whether that was so.
    pub async fn refresh(&self) -> Result<bool, Error> {
        if planted!(NeverRefreshes) {
            return Ok(false);
        }
        let mut unread = self.unread.lock().await;
        let changed = self.catalog.changed_elsewhere().await?;
        *unread = std::mem::take(&mut *unread).then(changed);
        match &*unread {
            Elsewhere::Unchanged => return Ok(false),
            Elsewhere::Events(events) => events.iter().for_each(|event| self.views.events.forget(event)),
            Elsewhere::Anything | Elsewhere::AnotherRun => self.views.events.forget_all(),
        }
        self.feed.refresh(&unread).await?;
        *unread = Elsewhere::Unchanged;
        Ok(true)
    }

    /// Lets go of the states of seats that nobody looks at any more.
    pub fn let_go(&self) {
        self.feed.let_go();
    }
}

pub(super) fn may_organize(by: &Principal) -> Result<(), Error> {
    if matches!(by.role, Role::Organizer | Role::Admin) { Ok(()) } else { Err(Error::Forbidden) }
}
