//! A store with events on sale, and holds to measure it with.

#![expect(clippy::disallowed_methods, reason = "a bench measures durations")]

#[path = "../../tests/it/support.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod support;

use std::{path::PathBuf, sync::Arc, time::Instant};

use evently_core::{
    domain::{Actor, BookingId, Command, Event, EventDetails, EventId, HoldTerms, Request, RequestKey},
    ports::{Bookings, Ids},
};
use evently_sqlite::{Options, SqliteStore};
use support::CountedIds;
pub use support::NOW;
use tempfile::TempDir;

pub const SEATS: u32 = 20_000;

pub struct Sale {
    first: Arc<Event>,
    pub ids: Arc<CountedIds>,
    pub store: SqliteStore,
    _place: TempDir,
}

impl Sale {
    /// In a temporary directory, or within the directory that the command line names.
    pub async fn new() -> Self {
        let directory =
            std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map_or_else(std::env::temp_dir, PathBuf::from);
        let place = tempfile::tempdir_in(directory).unwrap();
        let ids = CountedIds::new(1);
        let store = SqliteStore::open(place.path().join("bench.db"), ids.clone(), &Options::default()).unwrap();
        Self { first: support::put_on_sale(&store, SEATS).await, ids, store, _place: place }
    }

    /// Another event like the first, with all seats available.
    pub async fn next_event(&self) -> Arc<Event> {
        let details = EventDetails { max_seats_held: 10_000, ..self.first.details.clone() };
        let event = Event { id: EventId::from_uuid(self.ids.uuid(NOW)), details, ..(*self.first).clone() };
        let event = Arc::new(event);
        let create = Command::CreateEvent { event: Arc::clone(&event), seats: vec![0; SEATS as usize].into() };
        let publish = Command::PublishEvent { event_id: event.id };
        for command in [create, publish] {
            support::apply(&self.store, NOW, Request::new(Actor::System, command)).await.unwrap();
        }
        event
    }

    /// A hold of two seats by a customer of its own, with a key, as the service asks for it.
    pub fn hold(&self, event: &Event, seat: u32) -> Request {
        let booking_id = BookingId::from_uuid(self.ids.uuid(NOW));
        let command = Command::Hold {
            booking_id,
            event_id: event.id,
            user_id: support::user(self.ids.secret()),
            seats: vec![event.layout_id.seat(seat), event.layout_id.seat(seat + 1)],
            terms: HoldTerms::default(),
        };
        Request::new(Actor::System, command).with_key(Some(RequestKey::new(&["hold"], &booking_id.to_string(), b"")))
    }

    pub async fn apply(&self, requests: &[Request]) {
        let applied = self.store.apply(NOW, requests).await.unwrap();
        assert!(applied.answers.iter().all(|answer| answer.result.is_ok()));
    }

    /// Holds per second.
    pub async fn rate(&self, event: &Event, pairs: &[u32], batch: usize) -> f64 {
        let requests = pairs.iter().map(|&seat| self.hold(event, seat)).collect::<Vec<_>>();
        let begun = Instant::now();
        for some in requests.chunks(batch) {
            self.apply(some).await;
        }
        per_second(pairs.len(), begun)
    }
}

pub fn per_second(done: usize, begun: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let done = done as f64;
    done / begun.elapsed().as_secs_f64()
}

/// The first seats of pairs all over the house, in an order that jumps.
pub fn shuffled_pairs(seed: u64) -> Vec<u32> {
    let mut pairs = (0..SEATS).step_by(2).collect::<Vec<_>>();
    // A linear congruential generator is random enough for where people sit: Knuth's MMIX constants.
    let mut state = seed;
    for i in (1..pairs.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let j = (state >> 33) % (i as u64 + 1);
        pairs.swap(i, usize::try_from(j).expect("it is below i"));
    }
    pairs
}

/// Prints the median, the least and the most, and gives the median.
pub fn report(what: &str, rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    println!("{what:<32} {median:>9.0} holds/s   ({:.0} to {:.0})", rates[0], rates[rates.len() - 1]);
    median
}
