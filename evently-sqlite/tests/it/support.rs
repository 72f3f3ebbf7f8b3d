//! A store with something to sell.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use evently_core::{
    domain::{
        Actor, Booking, BookingId, Category, Command, Event, EventDetails, EventId, HoldTerms, Layout, LayoutId, LayoutSeat,
        OnSale, Outcome, PaymentId, PlaceId, PriceCategory, PriceCategoryId, RefundPolicy, Rejection, Request, RequestKey, Row,
        Section, Stage, Timestamp, UserId, Venue, VenueId,
    },
    ports::{Bookings, Ids},
};
use evently_sqlite::{Options, SqliteStore};
use tempfile::TempDir;
use uuid::Uuid;

/// When the tests begin.
pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Ids that count. Of two with different streams none are the same.
#[derive(Default)]
pub struct CountedIds {
    stream: u64,
    next: AtomicU64,
}

impl CountedIds {
    pub fn new(stream: u64) -> Arc<Self> {
        Arc::new(Self { stream, next: AtomicU64::new(1) })
    }
}

impl Ids for CountedIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let millis = u128::from(now.as_secs().unsigned_abs()) * 1000;
        let bits = millis << 80 | 7 << 76 | 0b10 << 62 | u128::from(self.stream) << 40 | u128::from(count);
        Uuid::from_u128(bits)
    }

    fn secret(&self) -> u128 {
        let count = u128::from(self.next.fetch_add(1, Ordering::Relaxed));
        (u128::from(self.stream) << 64 | count).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }
}

/// A file for a store; gone when this is dropped.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("evently.db")
    }

    pub fn other(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn open(&self) -> SqliteStore {
        self.open_with(1, &Options::default())
    }

    /// A handle of its own, as another process has it.
    pub fn open_with(&self, stream: u64, options: &Options) -> SqliteStore {
        SqliteStore::open(self.path(), CountedIds::new(stream), options).unwrap()
    }

    /// A plain connection, as some other tool has it.
    pub fn tool(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

pub fn booking_id(n: u128) -> BookingId {
    BookingId::from_uuid(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8000_0000_0000_0000 + n))
}

/// One row of seats in one category.
pub fn layout(seats: u32) -> Arc<Layout> {
    let id = LayoutId::new(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_0000_0000));
    let seat = |number: u32| LayoutSeat {
        id: id.seat(number),
        label: (number + 1).to_string(),
        x: f64::from(number) * 0.1,
        y: 1.0 / 3.0,
        category: 0,
        attributes: Vec::new(),
    };
    let row = Row { id: PlaceId::from_uuid(Uuid::from_u128(2)), label: "A".into(), seats: (0..seats).map(seat).collect() };
    let section = Section { id: PlaceId::from_uuid(Uuid::from_u128(3)), name: "Stalls".into(), rows: vec![row] };
    let categories = vec![Category { name: "Standard".into(), color: None }];
    Arc::new(Layout { id, categories, sections: vec![section], areas: Vec::new() })
}

pub fn venue(layout: &Layout) -> Venue {
    Venue { id: VenueId::from_uuid(Uuid::from_u128(4)), name: "Grand Théâtre".into(), layout_id: layout.id }
}

pub fn event(layout: &Layout) -> Arc<Event> {
    let hours = |n: i64| Timestamp::from_secs(NOW.as_secs() + 3600 * n);
    let details = EventDetails {
        name: "Così fan tutte".into(),
        description: String::new(),
        start_time: hours(48),
        end_time: hours(51),
        on_sale: OnSale { opens_at: hours(-1), closes_at: hours(47) },
        max_seats_per_booking: 10,
        max_seats_held: 100,
        refunds: RefundPolicy { until: hours(24), percent: 50 },
    };
    let price = PriceCategory { id: PriceCategoryId::from_uuid(Uuid::from_u128(5)), name: "Standard".into(), price: 4500 };
    Arc::new(Event {
        id: EventId::from_uuid(Uuid::from_u128(6)),
        venue_id: venue(layout).id,
        layout_id: layout.id,
        organizer_id: user(7),
        stage: Stage::Draft,
        details,
        currency: evently_core::domain::Currency::EUR,
        categories: vec![price],
        seats_total: layout.seats_total(),
        created_at: NOW,
        version: 1,
        withdrawn: false,
    })
}

fn system(command: Command) -> Request {
    Request::new(Actor::System, command)
}

/// Puts an event with so many seats on sale.
pub async fn put_on_sale(store: &SqliteStore, seats: u32) -> Arc<Event> {
    let layout = layout(seats);
    let event = event(&layout);
    let requests = [
        system(Command::CreateVenue { venue: venue(&layout), layout }),
        system(Command::CreateEvent { event: Arc::clone(&event), seats: vec![0; seats as usize].into() }),
        system(Command::PublishEvent { event_id: event.id }),
    ];
    let applied = store.apply(NOW, &requests).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    event
}

/// A hold whose booking, user and key are numbered `n`.
pub fn hold(event: &Event, n: u128, seats: &[u32]) -> Request {
    let command = Command::Hold {
        booking_id: booking_id(n),
        event_id: event.id,
        user_id: user(n),
        seats: seats.iter().map(|&number| event.layout_id.seat(number)).collect(),
        terms: HoldTerms::default(),
    };
    let key = RequestKey::new(&["hold"], &n.to_string(), b"");
    system(command).with_key(Some(key))
}

/// The confirmation of a booking that was paid at the counter.
pub fn confirm(n: u128) -> Request {
    let payment_id = PaymentId::from_uuid(Uuid::from_u128(0x1000 + n));
    system(Command::Confirm { booking_id: booking_id(n), payment_id, reference: Some("till 1".into()) })
}

pub fn cancel(n: u128) -> Request {
    system(Command::Cancel { booking_id: booking_id(n), expected: None, reason: None })
}

/// Applies one request.
pub async fn apply(store: &SqliteStore, now: Timestamp, request: Request) -> Result<Outcome, Rejection> {
    store.apply(now, &[request]).await.unwrap().answers.remove(0).result
}

/// The booking in an outcome that has one.
pub fn booking(outcome: &Outcome) -> &Booking {
    match outcome {
        Outcome::Booking(booking) | Outcome::Payment(_, booking) | Outcome::PaymentStarted(_, booking) => booking,
        other => panic!("{other:?} has no booking"),
    }
}

/// Each seat is in at most one booking that is pending or confirmed, and those that are know it; the journal is whole.
pub async fn assert_sound(store: &SqliteStore, event: EventId) {
    use evently_core::ports::Audit;
    let records = store.event_records(event).await.unwrap().unwrap();
    let mut claimed = BTreeSet::new();
    for booking in records.bookings.iter().filter(|booking| booking.status().is_live()) {
        for seat in &booking.seats {
            assert!(claimed.insert((seat.number, booking.id)), "{seat:?} twice");
        }
    }
    let owned = records.seats.iter().filter_map(|seat| seat.owner().map(|owner| (seat.number, owner))).collect::<BTreeSet<_>>();
    assert_eq!(claimed, owned);
    assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());
}
