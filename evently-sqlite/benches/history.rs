//! What a hold of two seats costs when much has been sold before: `cargo bench -p evently-sqlite --bench history`.
//!
//! Bookings are held and confirmed until there are a million of them, event after event. In between holds are measured, in
//! batches of 64 on events of their own. `-- DIRECTORY` measures on another disk than that of temporary files.

mod sale;

use evently_core::{
    domain::{Actor, Command, PaymentId, Request, RequestKey},
    ports::Ids,
};
use sale::{NOW, Sale, report, shuffled_pairs};

const PAST: [usize; 4] = [0, 10_000, 100_000, 1_000_000];
const ROUNDS: usize = 5;
const BATCH: usize = 64;
const MEASURED: usize = 64 * BATCH;

#[tokio::main]
async fn main() {
    let sale = Sale::new().await;
    let mut past = 0;
    for target in PAST {
        while past < target {
            past += sell(&sale, target - past).await;
        }
        let mut rates = Vec::new();
        for round in 0..ROUNDS {
            let event = sale.next_event().await;
            rates.push(sale.rate(&event, &shuffled_pairs(round as u64)[..MEASURED], BATCH).await);
        }
        report(&format!("with {past} past bookings"), &mut rates);
    }
}

/// Sells seats of another event, in so many bookings at most; says how many there were.
async fn sell(sale: &Sale, most: usize) -> usize {
    let event = sale.next_event().await;
    let mut pairs = shuffled_pairs(1);
    pairs.truncate(most);
    for some in pairs.chunks(256) {
        let holds = some.iter().map(|&seat| sale.hold(&event, seat)).collect::<Vec<_>>();
        let confirms = holds.iter().map(|hold| confirm(sale, hold)).collect::<Vec<_>>();
        sale.apply(&holds).await;
        sale.apply(&confirms).await;
    }
    pairs.len()
}

/// The confirmation of a hold, with a key of its own.
fn confirm(sale: &Sale, hold: &Request) -> Request {
    let Command::Hold { booking_id, .. } = hold.command else { unreachable!("only holds are confirmed") };
    let payment_id = PaymentId::from_uuid(sale.ids.uuid(NOW));
    let key = RequestKey::new(&["confirm"], &booking_id.to_string(), b"");
    Request::new(Actor::System, Command::Confirm { booking_id, payment_id, reference: None }).with_key(Some(key))
}
