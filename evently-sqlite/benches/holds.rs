//! Holds of two seats: one transaction for each against batches of 64, on the same file in the same run, in turns.
//!
//! `cargo bench -p evently-sqlite` prints holds per second: the median of the rounds, the least and the most. `-- DIRECTORY` measures on another
//! disk than that of temporary files.

#![expect(clippy::disallowed_methods, reason = "a bench measures durations")]

#[path = "../tests/it/support.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use std::{sync::Arc, time::Instant};

use evently_core::{
    domain::{Actor, Command, Event, EventDetails, EventId, HoldTerms, Request, RequestKey},
    ports::{Bookings, Ids},
};
use evently_sqlite::{Options, SqliteStore};
use support::{CountedIds, NOW};

const ROUNDS: usize = 5;
const BATCH: usize = 64;
const SINGLES: usize = 256;
const BATCHED: usize = 64 * BATCH;
const SEATS: u32 = 20_000;

#[tokio::main]
async fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let place = if directory.is_empty() { tempfile::tempdir() } else { tempfile::tempdir_in(directory) }.unwrap();
    let ids = CountedIds::new(1);
    let store = SqliteStore::open(place.path().join("bench.db"), ids.clone(), &Options::default()).unwrap();
    let sale = Sale { first: support::put_on_sale(&store, SEATS).await, ids, store };

    let (mut singles, mut batched) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let event = sale.next_event().await;
        let pairs = shuffled_pairs(round as u64);
        let (first, rest) = pairs.split_at(SINGLES);
        singles.push(sale.rate(&event, first, 1).await);
        batched.push(sale.rate(&event, &rest[..BATCHED], BATCH).await);
    }
    let single = report("one transaction each", &mut singles);
    let batch = report("batches of 64", &mut batched);
    println!("{:<22} {:>9.1}", "ratio of medians", batch / single);
}

struct Sale {
    first: Arc<Event>,
    ids: Arc<CountedIds>,
    store: SqliteStore,
}

impl Sale {
    /// Another event like the first, with all seats available.
    async fn next_event(&self) -> Arc<Event> {
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

    /// A hold by a customer of its own, with a key, as the service asks for it.
    fn hold(&self, event: &Event, seat: u32) -> Request {
        let booking_id = evently_core::domain::BookingId::from_uuid(self.ids.uuid(NOW));
        let command = Command::Hold {
            booking_id,
            event_id: event.id,
            user_id: support::user(self.ids.secret()),
            seats: vec![event.layout_id.seat(seat), event.layout_id.seat(seat + 1)],
            terms: HoldTerms::default(),
        };
        Request::new(Actor::System, command).with_key(Some(RequestKey::new(&["hold"], &booking_id.to_string(), b"")))
    }

    /// Holds per second.
    async fn rate(&self, event: &Event, pairs: &[u32], batch: usize) -> f64 {
        let requests = pairs.iter().map(|&seat| self.hold(event, seat)).collect::<Vec<_>>();
        let begun = Instant::now();
        for some in requests.chunks(batch) {
            let applied = self.store.apply(NOW, some).await.unwrap();
            assert!(applied.answers.iter().all(|answer| answer.result.is_ok()));
        }
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let holds = pairs.len() as f64;
        holds / begun.elapsed().as_secs_f64()
    }
}

/// The first seats of pairs all over the house, in an order that jumps.
fn shuffled_pairs(seed: u64) -> Vec<u32> {
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

fn report(what: &str, rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    println!("{what:<22} {median:>9.0} holds/s   ({:.0} to {:.0})", rates[0], rates[rates.len() - 1]);
    median
}
