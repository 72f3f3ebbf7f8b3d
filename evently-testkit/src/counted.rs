//! A store that counts what it is asked.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use evently_core::{
    domain::{Booking, BookingCode, BookingId, Payment, PaymentId, Request, Ticket, TicketId, Timestamp},
    ports::{Applied, BookingFilter, BookingRecords, Bookings, Page, StoreError, StoreErrorKind},
};

/// Counts what reaches a store's [`Bookings`], and may be broken.
pub struct CountedBookings {
    store: RwLock<Arc<dyn Bookings>>,
    calls: AtomicUsize,
    requests: AtomicUsize,
    /// How often it decides until it is broken.
    left: AtomicUsize,
    is_blind: AtomicBool,
    is_spoiled: OnceLock<IsSpoiled>,
    meanwhile: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

type IsSpoiled = Box<dyn Fn(&Request) -> bool + Send + Sync>;

impl CountedBookings {
    /// Counts what reaches `store`.
    pub fn new(store: Arc<dyn Bookings>) -> Self {
        let (calls, requests, left) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let (is_blind, is_spoiled, meanwhile) = (AtomicBool::new(false), OnceLock::new(), Mutex::default());
        Self { store: RwLock::new(store), calls, requests, left, is_blind, is_spoiled, meanwhile }
    }

    /// That another store is in its place from now on, which may not have all that it had.
    pub fn fail_over(&self, to: Arc<dyn Bookings>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = to;
    }

    fn store(&self) -> Arc<dyn Bookings> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked to decide.
    pub fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    /// How many requests it was asked to decide.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Whether it says from now on that it is unavailable.
    pub fn set_broken(&self, broken: bool) {
        self.break_after(if broken { 0 } else { usize::MAX });
    }

    /// That it decides so many times more, and says then that it is unavailable.
    pub fn break_after(&self, calls: usize) {
        self.left.store(calls, SeqCst);
    }

    /// Whether it cannot be asked for a booking, alone or with what belongs to it, or a payment from now on, though it decides.
    pub fn set_blind(&self, is_blind: bool) {
        self.is_blind.store(is_blind, SeqCst);
    }

    /// For which requests it finds from now on, and for good, that it holds something that cannot be.
    ///
    /// # Panics
    /// Where that has been said before.
    pub fn spoil(&self, is_spoiled: impl Fn(&Request) -> bool + Send + Sync + 'static) {
        assert!(self.is_spoiled.set(Box::new(is_spoiled)).is_ok(), "it is said once");
    }

    fn look(&self, at: &'static str) -> Result<(), StoreError> {
        if self.is_blind.load(SeqCst) { Err(StoreError::new(StoreErrorKind::Unavailable, at, "no")) } else { Ok(()) }
    }

    /// What happens before it decides the next time, when that has been asked for already.
    pub fn meanwhile(&self, happens: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(happens));
    }
}

#[async_trait]
impl Bookings for CountedBookings {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.requests.fetch_add(requests.len(), SeqCst);
        if self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "apply", "no"));
        }
        if self.is_spoiled.get().is_some_and(|is_spoiled| requests.iter().any(is_spoiled)) {
            return Err(StoreError::new(StoreErrorKind::Corrupt, "apply", "no"));
        }
        let meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(happens) = meanwhile {
            happens.await;
        }
        self.store().apply(now, requests).await
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        self.look("booking")?;
        self.store().booking(id).await
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.store().booking_by_code(code).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        self.store().bookings(filter, page).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.look("records")?;
        self.store().records(id).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.look("payment")?;
        self.store().payment(id).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.store().ticket(id).await
    }
}
