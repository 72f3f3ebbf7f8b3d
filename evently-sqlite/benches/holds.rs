//! Holds of two seats: one transaction for each, batches of 64, and 64 callers of a box office, on the same file in the same run,
//! in turns.
//!
//! `cargo bench -p evently-sqlite --bench holds` prints holds per second: the median of the rounds, the least and the most.
//! `-- DIRECTORY` measures on another disk than that of temporary files.

#![expect(clippy::disallowed_methods, reason = "a bench measures durations")]

mod sale;

use std::{sync::Arc, time::Instant};

use evently_core::{
    domain::Event,
    memory::{ManualClock, MemorySeatFeed},
    services::{BoxOffice, OfficeSize},
};
use sale::{NOW, Sale, per_second, report, shuffled_pairs};

const ROUNDS: usize = 9;
const BATCH: usize = 64;
const SINGLES: usize = 256;
const BATCHED: usize = 64 * BATCH;

#[tokio::main]
async fn main() {
    let sale = Arc::new(Sale::new().await);
    let (mut singles, mut batched, mut callers) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let event = sale.next_event().await;
        let pairs = shuffled_pairs(round as u64);
        let (first, rest) = pairs.split_at(SINGLES);
        let (second, third) = rest.split_at(BATCHED);
        singles.push(sale.rate(&event, first, 1).await);
        // Now one first and now the other: in which of them the log is written back is no matter of chance.
        if round % 2 == 0 {
            batched.push(sale.rate(&event, second, BATCH).await);
        }
        callers.push(rate_of_callers(&sale, &event, &third[..BATCHED]).await);
        if round % 2 == 1 {
            batched.push(sale.rate(&event, second, BATCH).await);
        }
    }
    let single = report("one transaction each", &mut singles);
    let batch = report("batches of 64", &mut batched);
    let office = report("64 callers of a box office", &mut callers);
    println!("ratios of medians: {:.1} and {:.1}", batch / single, office / single);
}

/// Holds per second of 64 tasks, each of which asks for the next hold when it has the answer to the one before.
async fn rate_of_callers(sale: &Arc<Sale>, event: &Arc<Event>, pairs: &[u32]) -> f64 {
    let store = Arc::new(sale.store.clone());
    let (office, work) = BoxOffice::open(
        store.clone(),
        Arc::new(MemorySeatFeed::new(store)),
        Arc::new(ManualClock::new(NOW)),
        OfficeSize::default(),
    );
    let clerk = tokio::spawn(work);
    let begun = Instant::now();
    let callers = pairs.chunks(pairs.len() / 64).map(|share| {
        let (sale, office, event, share) = (Arc::clone(sale), office.clone(), Arc::clone(event), share.to_vec());
        tokio::spawn(async move {
            for seat in share {
                office.submit(sale.hold(&event, seat)).await.unwrap().result.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let rate = per_second(pairs.len(), begun);
    drop(office);
    clerk.await.unwrap();
    rate
}
