//! A store for unit tests, in which a little of everything has happened, by the rules.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        Actor, BookingId, Category, Command, Currency, Event, EventChange, EventDetails, EventId, GatewayReport, HoldTerms,
        Layout, LayoutId, LayoutSeat, OnSale, Outcome, PaymentId, PlaceId, PriceCategory, PriceCategoryId, RefundPolicy, Request,
        Role, Row, Section, Stage, Timestamp, UserId, Venue, VenueId,
    },
    memory::{MemoryStore, SeededIds},
    ports::{Audit, Bookings, EventRecords, Ids},
    sync::ready,
};

const CUSTOMER: Actor = Actor::User(UserId::from_uuid(uuid::Uuid::from_u128(7)), Role::Customer);
const ORGANIZER: Actor = Actor::User(UserId::from_uuid(uuid::Uuid::from_u128(8)), Role::Organizer);

pub(crate) struct Story {
    pub store: Arc<MemoryStore>,
    ids: Arc<SeededIds>,
    pub layout: Arc<Layout>,
    pub event: EventId,
    pub terms: HoldTerms,
    pub now: Timestamp,
    /// What the store holds when the story is over.
    pub records: EventRecords,
}

impl Story {
    /// Eight seats: two sold, one on hold, one expired, one called in by the house and one given up by its buyer (half the price back),
    /// one being paid for, one never touched but by the house.
    pub fn tell() -> Self {
        let mut story = Self::begin();
        story.bookings();
        story.records = story.read();
        story
    }

    /// Eight seats, and nothing has happened yet.
    pub fn begin() -> Self {
        let ids = Arc::new(SeededIds::new(1));
        let store = Arc::new(MemoryStore::new(ids.clone()));
        let now = Timestamp::from_secs(1_800_000_000);
        let layout = Arc::new(layout(&*ids, now));
        let event = event(&*ids, now, &layout);
        let seats = layout.places().map(|place| place.seat.category).collect();
        let (id, records) = (
            event.id,
            EventRecords {
                event: event.clone(),
                seats: vec![],
                bookings: vec![],
                payments: vec![],
                refunds: vec![],
                tickets: vec![],
                journal: vec![],
                decided_beside: None,
            },
        );
        let venue = Venue { id: event.venue_id, name: "Hall".into(), layout_id: layout.id };
        let mut story = Self { store, ids, layout: layout.clone(), event: id, terms: HoldTerms::default(), now, records };
        story.ask(ORGANIZER, Command::CreateVenue { venue, layout });
        story.ask(ORGANIZER, Command::CreateEvent { event: Arc::new(event.clone()), seats });
        story.ask(ORGANIZER, Command::PublishEvent { event_id: id });
        story.ask(ORGANIZER, Command::EditEvent { event_id: id, change: EventChange::default() });
        story
    }

    fn bookings(&mut self) {
        let paid = self.hold_all(&[0, 1]);
        self.pay(paid);
        self.check_in(0);
        let expired = self.hold(3);
        self.wait(self.terms.ttl);
        self.hold(2);
        self.expire(expired);
        let called_in = self.hold(4);
        self.pay(called_in);
        self.ask(ORGANIZER, Command::Cancel { booking_id: called_in, expected: None, reason: None });
        let refund_id = self.read().refunds[0].id;
        self.ask(Actor::System, Command::SettleRefund { refund_id });
        let given_up = self.hold(5);
        self.pay(given_up);
        self.cancel(given_up);
        let paying = self.hold(6);
        self.start_payment(paying);
        let seats = vec![self.layout.id.seat(7)];
        self.ask(ORGANIZER, Command::Block { event_id: self.event, seats: seats.clone() });
        self.ask(ORGANIZER, Command::Unblock { event_id: self.event, seats });
    }

    pub fn read(&self) -> EventRecords {
        let mut records = ready(self.store.event_records(self.event)).expect("nothing in memory fails").expect("it was made");
        // In the order in which they were made; times of making differ where ids alone would not tell.
        let began = |id: BookingId| {
            records.journal.iter().position(|entry| entry.transition.booking_id() == Some(id)).expect("the journal knows all")
        };
        records.bookings.sort_by_key(|booking| began(booking.id));
        records.payments.sort_by_key(|payment| began(payment.booking_id));
        records.refunds.sort_by_key(|refund| began(refund.booking_id));
        records.tickets.sort_by_key(|ticket| (began(ticket.booking_id), ticket.seat));
        records
    }

    pub fn wait(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    pub fn hold(&mut self, seat: u32) -> BookingId {
        self.hold_all(&[seat])
    }

    fn hold_all(&mut self, seats: &[u32]) -> BookingId {
        let booking_id = BookingId::from_uuid(self.ids.uuid(self.now));
        let seats = seats.iter().map(|number| self.layout.id.seat(*number)).collect();
        let Actor::User(user_id, _) = CUSTOMER else { unreachable!("the customer has an account") };
        self.ask(CUSTOMER, Command::Hold { booking_id, event_id: self.event, user_id, seats, terms: self.terms });
        booking_id
    }

    pub fn start_payment(&mut self, booking_id: BookingId) -> PaymentId {
        let payment_id = PaymentId::from_uuid(self.ids.uuid(self.now));
        let provider = "sandbox".to_owned();
        self.ask(CUSTOMER, Command::StartPayment { payment_id, booking_id, provider, terms: self.terms });
        payment_id
    }

    pub fn report(&mut self, payment_id: PaymentId, report: GatewayReport) {
        let command = Command::SettlePayment {
            payment_id,
            report,
            reference: None,
            message: None,
            instead: vec![],
            terms: self.terms,
            answers: None,
        };
        self.ask(Actor::Gateway, command);
    }

    pub fn expire(&mut self, booking_id: BookingId) {
        self.ask(Actor::System, Command::Expire { booking_id });
    }

    pub fn cancel(&mut self, booking_id: BookingId) {
        self.ask(CUSTOMER, Command::Cancel { booking_id, expected: None, reason: None });
    }

    pub fn extend(&mut self, booking_id: BookingId) {
        self.ask(CUSTOMER, Command::Extend { booking_id, terms: self.terms });
    }

    /// Whoever has this seat comes in.
    pub fn check_in(&mut self, seat: u32) {
        let ticket = self.read().tickets.into_iter().find(|ticket| ticket.seat == seat).expect("it has just been sold");
        let (event_id, code) = (Some(self.event), ticket.code);
        self.ask(ORGANIZER, Command::CheckIn { code, event_id });
    }

    pub fn call_off(&mut self) {
        self.ask(ORGANIZER, Command::CancelEvent { event_id: self.event, reason: None });
    }

    /// The event is edited: it ends then, sells until it does, and gives nothing back for what was not promised.
    pub fn end_at(&mut self, end: Timestamp) {
        let change = EventChange {
            start_time: Some(end - Duration::from_micros(1)),
            end_time: Some(end),
            closes_at: Some(end),
            refund_percent: Some(0),
            refunds_until: Some(end + Duration::from_hours(24)),
            ..EventChange::default()
        };
        self.ask(ORGANIZER, Command::EditEvent { event_id: self.event, change });
    }

    pub fn pay(&mut self, booking: BookingId) {
        let payment = self.start_payment(booking);
        self.report(payment, GatewayReport::Succeeded);
    }

    fn ask(&mut self, actor: Actor, command: Command) -> Outcome {
        self.wait(Duration::from_millis(1));
        let applied = ready(self.store.apply(self.now, &[Request::new(actor, command)])).expect("nothing in memory fails");
        let [answer] = <[_; 1]>::try_from(applied.answers).expect("one request has one answer");
        answer.result.expect("the story keeps to the rules")
    }
}

fn layout(ids: &dyn Ids, now: Timestamp) -> Layout {
    let id = LayoutId::new(ids.uuid(now));
    let seat = |number: u32| LayoutSeat {
        id: id.seat(number),
        label: (number + 1).to_string(),
        x: f64::from(number),
        y: 0.0,
        category: 0,
        attributes: vec![],
    };
    let row = Row { id: PlaceId::from_uuid(ids.uuid(now)), label: "A".into(), seats: (0..8).map(seat).collect() };
    let section = Section { id: PlaceId::from_uuid(ids.uuid(now)), name: "Stalls".into(), rows: vec![row] };
    let category = |name: &str| Category { name: name.into(), color: None };
    Layout { id, categories: vec![category("A"), category("B")], sections: vec![section], areas: vec![] }
}

fn event(ids: &dyn Ids, now: Timestamp, layout: &Layout) -> Event {
    let week = Duration::from_hours(7 * 24);
    let price = |name: &str| PriceCategory { id: PriceCategoryId::from_uuid(ids.uuid(now)), name: name.into(), price: 4500 };
    Event {
        id: EventId::from_uuid(ids.uuid(now)),
        venue_id: VenueId::from_uuid(ids.uuid(now)),
        layout_id: layout.id,
        organizer_id: UserId::from_uuid(ids.uuid(now)),
        stage: Stage::Draft,
        details: EventDetails {
            name: "Concert".into(),
            description: String::new(),
            start_time: now + week,
            end_time: now + week * 2,
            on_sale: OnSale { opens_at: now, closes_at: now + week },
            max_seats_per_booking: 8,
            max_seats_held: 8,
            refunds: RefundPolicy { until: now + week, percent: 50 },
        },
        currency: Currency::EUR,
        categories: vec![price("A"), price("B")],
        seats_total: layout.seats_total(),
        created_at: now,
        version: 1,
        withdrawn: false,
    }
}
