//! The suites have teeth: stores that break the contract in the ways that stores do are found out.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use evently_core::{
    domain::{Booking, BookingCode, BookingId, Command, Payment, PaymentId, Request, Ticket, TicketId, Timestamp},
    memory::MemoryStore,
    ports::{Applied, BookingFilter, BookingRecords, Bookings, Ids, Page, Store, StoreError},
};
use evently_testkit::{
    StorePlace, World,
    conformance::{RACERS, answers, batches, outbox, races},
};

/// How a store is broken.
#[derive(Clone, Copy)]
enum Fault {
    /// Two servers each think that they are the one.
    SplitBrain,
    /// Each request is a transaction of its own. Of large calls that race all have begun before any goes on.
    Piecemeal,
    /// Answers are not kept for keys.
    Forgetful,
    /// A call that has been decided is decided once more, as by a retry after a commit that went well.
    Twice,
    /// What is refused holds up what comes after it.
    Halting,
}

/// More requests than those calls have that make something ready for a race.
const LARGE: usize = 50;

struct Broken {
    fault: Fault,
    stores: [Arc<MemoryStore>; 2],
    calls: AtomicUsize,
}

#[async_trait]
impl StorePlace for Fault {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        let stores = [(); 2].map(|()| Arc::new(MemoryStore::new(ids.clone())));
        let sound = Store::new(stores[0].clone());
        Store { bookings: Arc::new(Broken { fault: *self, stores, calls: AtomicUsize::new(0) }), ..sound }
    }
}

impl Broken {
    fn store(&self) -> &MemoryStore {
        &self.stores[0]
    }
}

#[async_trait]
impl Bookings for Broken {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        match self.fault {
            Fault::SplitBrain => {
                let made = |request: &Request| {
                    matches!(
                        request.command,
                        Command::CreateVenue { .. } | Command::CreateEvent { .. } | Command::PublishEvent { .. }
                    )
                };
                if requests.iter().any(made) {
                    self.stores[1].apply(now, requests).await?;
                    return self.store().apply(now, requests).await;
                }
                self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % 2].apply(now, requests).await
            }
            Fault::Piecemeal => {
                let mut applied = Applied::default();
                let races = requests.len() >= LARGE;
                self.calls.fetch_add(usize::from(races), Ordering::Relaxed);
                for request in requests {
                    let one = self.store().apply(now, std::slice::from_ref(request)).await?;
                    applied.answers.extend(one.answers);
                    applied.changes.extend(one.changes);
                    while races && self.calls.load(Ordering::Relaxed) < RACERS as usize {
                        tokio::task::yield_now().await;
                    }
                }
                Ok(applied)
            }
            Fault::Forgetful => {
                let keyless = requests.iter().map(|request| request.clone().with_key(None)).collect::<Vec<_>>();
                self.store().apply(now, &keyless).await
            }
            Fault::Twice => {
                self.store().apply(now, requests).await?;
                let again = requests.iter().map(|request| request.clone().with_key(None)).collect::<Vec<_>>();
                self.store().apply(now, &again).await
            }
            Fault::Halting => {
                let mut applied = Applied::default();
                for request in requests {
                    if applied.answers.last().is_some_and(|answer| answer.result.is_err()) {
                        applied.answers.push(applied.answers[applied.answers.len() - 1].clone());
                        continue;
                    }
                    let one = self.store().apply(now, std::slice::from_ref(request)).await?;
                    applied.answers.extend(one.answers);
                    applied.changes.extend(one.changes);
                }
                Ok(applied)
            }
        }
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        self.store().booking(id).await
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.store().booking_by_code(code).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        self.store().bookings(filter, page).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.store().records(id).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.store().payment(id).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.store().ticket(id).await
    }
}

/// Whether the clause fails on such a store.
pub(crate) fn finds<F>(place: impl StorePlace + 'static, clause: fn(World) -> F) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    evently_testkit::run(async move { tokio::spawn(async move { clause(World::new(place).await).await }).await.is_err() })
}

#[test]
fn two_servers_that_each_think_they_are_the_one_are_found_out() {
    assert!(finds(Fault::SplitBrain, races::of_many_buyers_of_one_seat_one_gets_it));
    assert!(finds(Fault::SplitBrain, races::overlapping_holds_never_share_a_seat));
    assert!(finds(Fault::SplitBrain, races::a_limit_holds_when_one_customer_asks_many_times));
    assert!(finds(Fault::SplitBrain, races::a_seat_is_not_blocked_and_held_at_once));
}

#[test]
fn a_call_that_is_no_transaction_is_found_out() {
    assert!(finds(Fault::Piecemeal, races::large_calls_that_race_are_whole));
}

#[test]
fn answers_that_are_not_kept_are_found_out() {
    assert!(finds(Fault::Forgetful, answers::a_repeated_request_gets_the_first_answer));
    assert!(finds(Fault::Forgetful, answers::a_refusal_is_kept_too));
    assert!(finds(Fault::Forgetful, answers::a_key_used_for_another_request_is_refused));
    assert!(finds(Fault::Forgetful, answers::racing_repetitions_have_one_effect));
}

#[test]
fn a_call_that_is_decided_twice_is_found_out() {
    assert!(finds(Fault::Twice, batches::a_request_sees_what_those_before_it_did));
    assert!(finds(Fault::Twice, races::of_many_buyers_of_one_seat_one_gets_it));
}

#[test]
fn a_refusal_that_holds_others_up_is_found_out() {
    assert!(finds(Fault::Halting, batches::a_refused_request_does_not_hold_others_up));
}

#[test]
fn a_sound_clause_stays_quiet() {
    assert!(!finds(Fault::Piecemeal, outbox::each_consumer_has_a_place_of_its_own));
    assert!(!finds(Fault::Forgetful, races::of_many_buyers_of_one_seat_one_gets_it));
}
