//! The store in memory: what stands in a database elsewhere stands in maps here, behind one lock.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use crate::{
    domain::{
        Answer, Booking, BookingCode, BookingId, Email, Event, EventId, Layout, LayoutId, Payment, PaymentId, Refund, RefundId,
        Sales, Seat, SeatChange, SessionId, Ticket, TicketCode, TicketId, Timestamp, Transition, User, UserId, Venue, VenueId,
    },
    ports::{Begun, Ids, PasswordHash, Session, TokenDigest},
    sync::{Mutex, MutexGuard, lock},
};

/// A store that forgets everything when it is dropped. All store ports are implemented on it.
pub struct MemoryStore {
    pub(super) ids: std::sync::Arc<dyn Ids>,
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store. Ids of tickets and refunds come from `ids`.
    pub fn new(ids: std::sync::Arc<dyn Ids>) -> Self {
        Self { ids, state: Mutex::new(State::default()) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub venues: BTreeMap<VenueId, Venue>,
    pub layouts: FxHashMap<LayoutId, std::sync::Arc<Layout>>,
    pub events: FxHashMap<EventId, EventRows>,
    /// Boxed, so that finding and adding one moves keys alone.
    pub bookings: BTreeMap<BookingId, Box<BookingRows>>,
    pub codes: FxHashMap<BookingCode, BookingId>,
    /// Pending bookings of one customer at one event.
    pub pending: FxHashMap<(EventId, UserId), Vec<BookingId>>,
    /// Pending bookings in the order in which their holds run out.
    pub deadlines: BTreeSet<(Timestamp, BookingId)>,
    /// Boxed, so that a growing table moves keys alone.
    pub payments: FxHashMap<PaymentId, Box<Payment>>,
    /// Payments that their gateway may still decide, oldest first.
    pub undecided_payments: BTreeSet<(Timestamp, PaymentId)>,
    pub refunds: BTreeMap<RefundId, Refund>,
    pub owed_refunds: BTreeSet<RefundId>,
    pub messages: FxHashSet<(String, String)>,
    pub tickets: FxHashMap<TicketCode, Ticket>,
    pub ticket_codes: FxHashMap<TicketId, TicketCode>,
    pub answers: FxHashMap<[u8; 32], ([u8; 32], Answer)>,
    pub journal: Vec<Transition>,
    pub consumers: FxHashMap<String, ConsumerRow>,
    pub inbox: BTreeMap<(String, u64), Begun>,
    pub sales: Sales,
    pub sales_position: u64,
    pub users: BTreeMap<UserId, (User, PasswordHash)>,
    pub emails: FxHashMap<Email, UserId>,
    pub sessions: FxHashMap<SessionId, SessionRow>,
    pub tokens: FxHashMap<TokenDigest, TokenRow>,
    /// Everything that was ever taken back.
    pub taken_back: Vec<TakenBackRow>,
    /// The seats that the transaction under way has changed.
    pub changes: Vec<SeatChange>,
}

pub(super) struct EventRows {
    pub event: std::sync::Arc<Event>,
    pub seats: Vec<Seat>,
}

/// A booking with the keys of what belongs to it.
pub(super) struct BookingRows {
    pub booking: Booking,
    pub payments: Vec<PaymentId>,
    pub refunds: Vec<RefundId>,
    pub tickets: Vec<TicketCode>,
    /// Positions in the journal.
    pub history: Vec<u64>,
}

pub(super) struct SessionRow {
    pub session: Session,
    pub revoked: bool,
}

pub(super) struct TokenRow {
    pub session_id: SessionId,
    pub spent: bool,
}

pub(super) enum TakenBackRow {
    Session(SessionId),
    User(UserId),
}

#[derive(Default)]
pub(super) struct ConsumerRow {
    pub position: u64,
    /// The latest owner, and when its claim ends.
    pub claim: Option<(Uuid, Timestamp)>,
}
