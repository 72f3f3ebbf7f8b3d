//! An adapter of one's own: a decorator of the `Bookings` port that counts what goes through it, and the suites of the test kit that
//! say whether it still keeps the port's contract.
//!
//! `cargo run --bin own_adapter` counts a rush of buyers and checks some clauses; `cargo test -p evently-examples` checks them all.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use evently_core::{
    domain::{Booking, BookingCode, BookingId, Payment, PaymentId, Request, Ticket, TicketId, Timestamp},
    memory::MemoryStore,
    ports::{Applied, BookingFilter, BookingRecords, Bookings, Ids, Page, Store, StoreError},
};
use evently_testkit::{StorePlace, World, conformance::holds};

/// Counts the requests that a store decides, and the transactions that it takes for them.
struct Counting {
    store: Arc<dyn Bookings>,
    counts: Arc<Counts>,
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Counts {
    transactions: AtomicU64,
    requests: AtomicU64,
}

#[async_trait]
impl Bookings for Counting {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        self.counts.transactions.fetch_add(1, Ordering::Relaxed);
        self.counts.requests.fetch_add(requests.len() as u64, Ordering::Relaxed);
        self.store.apply(now, requests).await
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        self.store.booking(id).await
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.store.booking_by_code(code).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        self.store.bookings(filter, page).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.store.records(id).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.store.payment(id).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.store.ticket(id).await
    }
}

/// Where the test kit finds our adapter: over the store in memory, so that every test gets an empty one.
#[derive(Default)]
struct CountingPlace {
    counts: Arc<Counts>,
}

#[async_trait]
impl StorePlace for CountingPlace {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        let store = Store::new(Arc::new(MemoryStore::new(ids)));
        let counting = Counting { store: store.bookings.clone(), counts: self.counts.clone() };
        Store { bookings: Arc::new(counting), ..store }
    }
}

fn main() {
    let place = CountingPlace::default();
    let counts = place.counts.clone();
    evently_testkit::run(async move { holds::an_overlapping_hold_is_refused_whole(World::new(place).await).await });
    println!("an overlapping hold is refused whole");
    evently_testkit::run(async {
        holds::a_hold_lasts_to_its_last_instant_and_no_longer(World::new(CountingPlace::default()).await).await;
    });
    println!("a hold lasts to its last instant and no longer");
    println!("the first clause took {counts:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every clause of every store port, a test each.
    evently_testkit::store_conformance!(CountingPlace::default());
}
