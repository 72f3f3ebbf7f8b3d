//! The store as one instance reaches it: away, slow, contended, and silent at the worst moment. Behind it is the store in memory, whose
//! calls are transactions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{
        Booking, BookingCode, BookingId, Entry, Event, EventId, Layout, LayoutId, Payment, PaymentId, Refund, RefundId, Request,
        Sales, SeatMap, Ticket, TicketId, Timestamp, Venue, VenueId,
    },
    ports::{
        Applied, BookingFilter, BookingRecords, Bookings, Catalog, Chores, Claim, Due, Elsewhere, EventFilter, Figures, Inbox,
        Outbox, Page, SalesFilter, StoreError, StoreErrorKind, Taken,
    },
};
use uuid::Uuid;

use super::{faults::Fault, office::Office, rare::Rare, world::World};

/// What has waited for longer is decided as of when the store gets to it, by whatever clock.
const AT_ONCE: Duration = Duration::from_millis(500);
const USUAL: Duration = Duration::from_millis(3);
const SLOW: Duration = Duration::from_secs(3);

/// The store as an instance reaches it.
pub(super) struct ReachedStore {
    world: Arc<World>,
    office: Arc<Office>,
    /// As far as this instance has been told that others have written.
    seen: AtomicU64,
}

fn failed(kind: StoreErrorKind, operation: &'static str) -> StoreError {
    StoreError::new(kind, operation, "the simulation says so")
}

impl ReachedStore {
    pub fn new(world: Arc<World>, office: Arc<Office>) -> Self {
        Self { world, office, seen: AtomicU64::new(0) }
    }

    /// Before a call is carried out.
    async fn reach(&self, operation: &'static str) -> Result<(), StoreError> {
        let world = &self.world;
        world.takes(Fault::StoreSlow, USUAL, SLOW).await;
        if world.strikes(Fault::StoreAway) { Err(failed(StoreErrorKind::Unavailable, operation)) } else { Ok(()) }
    }

    /// Before a call that only reads. Reads are many, and not each of them has to be interesting.
    async fn read(&self, operation: &'static str) -> Result<(), StoreError> {
        if self.world.faults.draw(Fault::StoreSlow, 4) == 0 { self.reach(operation).await } else { Ok(()) }
    }

    /// After a call that has changed something.
    fn told<T>(&self, operation: &'static str, answer: T) -> Result<T, StoreError> {
        if self.world.strikes(Fault::CommitLost) { Err(failed(StoreErrorKind::InDoubt, operation)) } else { Ok(answer) }
    }
}

#[async_trait]
impl Bookings for ReachedStore {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let world = &self.world;
        let began = world.now();
        self.office.asks_store(requests);
        self.reach("apply").await?;
        if world.strikes(Fault::StoreContended) {
            if requests.len() > 1 {
                world.met(Rare::BatchSplit);
            }
            return Err(failed(StoreErrorKind::Contended, "apply"));
        }
        if world.strikes(Fault::CommitBroken) {
            world.met(Rare::BrokenInDoubt);
            return Err(failed(StoreErrorKind::InDoubt, "apply"));
        }
        let waited = world.now().since(began);
        let now = match (world.plan.store_time, waited < AT_ONCE) {
            (true, _) => world.now(),
            (false, true) => now,
            (false, false) => now + waited,
        };
        let applied = world.store.apply(now, requests).await?;
        world.oracle.decided(world, requests, &applied.answers);
        let told = self.told("apply", applied);
        if told.is_err() {
            world.met(Rare::CommittedInDoubt);
        }
        world.takes(Fault::NetworkSlow, USUAL, SLOW).await;
        told
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        self.read("booking").await?;
        self.world.store.booking(id).await
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.read("booking_by_code").await?;
        self.world.store.booking_by_code(code).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        self.read("bookings").await?;
        self.world.store.bookings(filter, page).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.read("records").await?;
        self.world.store.records(id).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read("payment").await?;
        Bookings::payment(&*self.world.store, id).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.read("ticket").await?;
        Bookings::ticket(&*self.world.store, id).await
    }
}

#[async_trait]
impl Chores for ReachedStore {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.read("due_holds").await?;
        self.world.store.due_holds(now, limit).await
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.read("called_off").await?;
        self.world.store.called_off(limit).await
    }

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        self.read("undecided_payments").await?;
        self.world.store.undecided_payments(provider, before, page).await
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        self.read("owed_refunds").await?;
        self.world.store.owed_refunds(provider, page).await
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        self.read("pending_total").await?;
        self.world.store.pending_total().await
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.reach("forget_answers").await?;
        self.world.store.forget_answers(before, limit).await
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.reach("forget_sessions").await?;
        self.world.store.forget_sessions(before, limit).await
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.reach("forget_messages").await?;
        self.world.store.forget_messages(before, limit).await
    }
}

#[async_trait]
impl Catalog for ReachedStore {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.read("venues").await?;
        self.world.store.venues(page).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        self.read("venue").await?;
        Catalog::venue(&*self.world.store, id).await
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.read("layout").await?;
        self.world.store.layout(id).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.read("event").await?;
        Catalog::event(&*self.world.store, id).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        self.read("events").await?;
        self.world.store.events(filter, page).await
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.read("seat_map").await?;
        self.world.store.seat_map(event).await
    }

    /// The store in memory has one process; here several share it.
    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.read("changed_elsewhere").await?;
        let written = self.world.oracle.journal_len();
        Ok(if self.seen.swap(written, Relaxed) < written { Elsewhere::Anything } else { Elsewhere::Unchanged })
    }
}

#[async_trait]
impl Outbox for ReachedStore {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read("after").await?;
        self.world.store.after(position, limit).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.read("position").await?;
        Outbox::position(&*self.world.store, consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.reach("claim").await?;
        let claimed = self.world.store.claim(consumer, claim).await?;
        self.told("claim", claimed)
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.reach("advance").await?;
        let ours = self.world.store.advance(consumer, position, claim).await?;
        if !ours {
            self.world.met(Rare::PausedRelayTakenOver);
        }
        self.told("advance", ours)
    }
}

#[async_trait]
impl Inbox for ReachedStore {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        self.reach("take").await?;
        let taken = self.world.store.take(consumer, message, claim).await?;
        if taken == Taken::Others {
            self.world.met(Rare::MailElsewhere);
        }
        self.told("take", taken)
    }

    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError> {
        self.reach("done").await?;
        let ours = self.world.store.done(consumer, message, owner).await?;
        self.told("done", ours)
    }

    async fn let_go(&self, consumer: &str, message: u64, owner: Uuid) -> Result<(), StoreError> {
        self.reach("let_go").await?;
        self.world.store.let_go(consumer, message, owner).await
    }
}

#[async_trait]
impl Figures for ReachedStore {
    async fn position(&self) -> Result<u64, StoreError> {
        self.read("position").await?;
        Figures::position(&*self.world.store).await
    }

    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError> {
        self.reach("add").await?;
        let ours = self.world.store.add(from, to, sales).await?;
        self.told("add", ours)
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.reach("reset").await?;
        self.world.store.reset().await
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        self.read("sales").await?;
        self.world.store.sales(filter).await
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        self.read("all").await?;
        self.world.store.all().await
    }
}
