//! What a booking costs in memory, on one thread: `cargo bench -p evently-core`.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use evently_core::{
    domain::{
        Actor, BookingId, Command, Currency, Event, EventDetails, EventId, HoldTerms, LayoutId, OnSale, PaymentId, PriceCategory,
        PriceCategoryId, RefundPolicy, Request, Stage, Timestamp, UserId, Venue, VenueId,
    },
    memory::{MemoryStore, SeededIds},
    ports::{Bookings, Ids},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// As many as a busy box office finds waiting.
const BATCH: u32 = 64;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct Shop {
    ids: Arc<SeededIds>,
    store: MemoryStore,
    event: EventId,
    layout: LayoutId,
}

/// Nothing in memory ever waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("there is nothing to wait for"),
    }
}

impl Shop {
    fn new(seats_total: u32) -> Self {
        let ids = Arc::new(SeededIds::new(7));
        let store = MemoryStore::new(ids.clone());
        let layout = LayoutId::new(ids.uuid(NOW));
        let venue_id = VenueId::from_uuid(ids.uuid(NOW));
        let later = NOW + std::time::Duration::from_hours(24);
        let event = Event {
            id: EventId::from_uuid(ids.uuid(NOW)),
            venue_id,
            layout_id: layout,
            organizer_id: UserId::from_uuid(ids.uuid(NOW)),
            stage: Stage::Published,
            details: EventDetails {
                name: "Bench".into(),
                description: String::new(),
                start_time: later,
                end_time: later + std::time::Duration::from_secs(1),
                on_sale: OnSale { opens_at: NOW, closes_at: later },
                max_seats_per_booking: 10,
                max_seats_held: 10,
                refunds: RefundPolicy { until: later, percent: 100 },
            },
            currency: Currency::EUR,
            categories: vec![PriceCategory { id: PriceCategoryId::from_uuid(ids.uuid(NOW)), name: "Seats".into(), price: 4500 }],
            seats_total,
            created_at: NOW,
            version: 1,
            withdrawn: false,
        };
        let venue = Venue { id: venue_id, name: "Bench".into(), layout_id: layout };
        let plan = evently_core::domain::Layout { id: layout, categories: vec![], sections: vec![], areas: vec![] };
        let shop = Self { ids, store, event: event.id, layout };
        shop.apply(&[
            Request::new(Actor::System, Command::CreateVenue { venue, layout: Arc::new(plan) }),
            Request::new(
                Actor::System,
                Command::CreateEvent { event: Arc::new(event), seats: vec![0; seats_total as usize].into() },
            ),
        ]);
        shop
    }

    fn apply(&self, requests: &[Request]) {
        let applied = ready(self.store.apply(NOW, requests)).expect("memory does not fail");
        assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{:?}", applied.answers.first());
    }

    /// Sells seats from `first` on, `seats` to a booking, a batch of bookings.
    fn sell(&self, first: u32, seats: u32) {
        let ids = &self.ids;
        let bookings = (0..BATCH).map(|_| BookingId::from_uuid(ids.uuid(NOW))).collect::<Vec<_>>();
        let holds = (0..).zip(&bookings).map(|(n, &booking_id)| {
            let start = first + n * seats;
            let seats = (start..start + seats).map(|number| self.layout.seat(number)).collect();
            let user_id = UserId::from_uuid(ids.uuid(NOW));
            let terms = HoldTerms::default();
            Request::new(Actor::System, Command::Hold { booking_id, event_id: self.event, user_id, seats, terms })
        });
        self.apply(&holds.collect::<Vec<_>>());
        let confirms = bookings.iter().map(|&booking_id| {
            let payment_id = PaymentId::from_uuid(ids.uuid(NOW));
            Request::new(Actor::System, Command::Confirm { booking_id, payment_id, reference: None })
        });
        self.apply(&confirms.collect::<Vec<_>>());
    }
}

/// Holds and confirms an event of 50,000 seats out, one or two seats to a booking.
#[divan::bench(args = [1, 2], sample_count = 9, sample_size = 1)]
fn hold_and_confirm(bencher: Bencher, seats: u32) {
    const SEATS: u32 = 50_000;
    let batches = SEATS / (BATCH * seats);
    bencher
        .counter(ItemsCount::new(batches * BATCH))
        .with_inputs(|| Shop::new(SEATS))
        .bench_local_refs(|shop| (0..batches).for_each(|batch| shop.sell(batch * BATCH * seats, seats)));
}

/// The same few bookings in a small hall and in a large one.
#[divan::bench(args = [1_000, 20_000, 200_000], sample_count = 99, sample_size = 1)]
fn in_a_hall_of(bencher: Bencher, seats: u32) {
    bencher.counter(ItemsCount::new(4 * BATCH)).with_inputs(|| Shop::new(seats)).bench_local_refs(|shop| {
        (0..4).for_each(|batch| shop.sell(batch * BATCH * 2, 2));
    });
}
