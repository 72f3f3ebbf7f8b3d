//! The journal, folded from its start, allows every step on the way and ends at exactly the rows that stand.

mod compare;
mod step;

use std::{collections::BTreeMap, time::Duration};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Findings, Invariant, Violation, rows::Rows};
use crate::domain::{
    BookingId, BookingStatus, Entry, EventId, Fact, PaymentId, RefundId, SeatStatus, Stage, TicketId, Timestamp, Transition,
    UserId,
};

pub(super) fn check(rows: &Rows<'_>, found: &mut Findings) {
    let mut fold = Fold::new(rows.records.event.id, rows.records.decided_beside);
    for entry in &rows.records.journal {
        fold.take_in(entry, found);
    }
    compare::check(&fold, rows, found);
}

/// Follows the journal of one event as it is written, and finds fault with each entry that cannot follow those before it.
pub struct Follower(Fold);

impl Follower {
    /// One that has seen nothing yet of a journal in which everything stands in the order in which it was decided.
    pub fn new(event_id: EventId) -> Self {
        Self(Fold::new(event_id, None))
    }

    /// What is wrong with the entry that is next.
    pub fn take_in(&mut self, entry: &Entry) -> Vec<Violation> {
        let mut found = Findings::default();
        self.0.take_in(entry, &mut found);
        found.0
    }
}

/// What the journal says so far.
struct Fold {
    event_id: EventId,
    decided_beside: Option<Duration>,
    position: u64,
    event: Option<(Stage, u32)>,
    /// When the event ends, where the journal says it.
    ends: Option<Timestamp>,
    /// When the event was called off.
    called_off: Option<Timestamp>,
    seats: BTreeMap<u32, FoldedSeat>,
    bookings: FxHashMap<BookingId, FoldedBooking>,
    captured: FxHashMap<PaymentId, (BookingId, i64)>,
    due: FxHashMap<RefundId, (PaymentId, i64)>,
    sent: FxHashSet<RefundId>,
    used: FxHashMap<TicketId, Timestamp>,
    /// Bookings with whose tickets somebody has come in.
    admitted: FxHashSet<BookingId>,
}

struct FoldedSeat {
    status: SeatStatus,
    owner: Option<BookingId>,
    version: u32,
    price: i64,
}

struct FoldedBooking {
    user_id: UserId,
    status: BookingStatus,
    version: u32,
    began: Timestamp,
    /// When it got to where it is.
    at: Timestamp,
    /// When anything last happened to it.
    last: Timestamp,
    /// How many seats it has.
    seats: usize,
}

impl Fold {
    fn new(event_id: EventId, decided_beside: Option<Duration>) -> Self {
        Self {
            event_id,
            decided_beside,
            position: 0,
            event: None,
            ends: None,
            called_off: None,
            seats: BTreeMap::new(),
            bookings: FxHashMap::default(),
            captured: FxHashMap::default(),
            due: FxHashMap::default(),
            sent: FxHashSet::default(),
            used: FxHashMap::default(),
            admitted: FxHashSet::default(),
        }
    }

    fn take_in(&mut self, Entry { position, transition }: &Entry, found: &mut Findings) {
        let mut wrong = |what: String| found.add(Invariant::Journal, format!("entry {position}"), what);
        if *position <= self.position {
            wrong(format!("it comes after entry {}", self.position));
        }
        self.position = *position;
        if transition.event_id != self.event_id {
            wrong(format!("it is of event {}", transition.event_id));
        }
        self.not_before(transition, &mut wrong);
        let taken_in = match transition.fact {
            Fact::Event { stage, version, end_time } => {
                self.ends = end_time;
                self.event(stage, version, transition.at)
            }
            Fact::House { to } => self.house(to, transition),
            Fact::Booking { .. } => self.booking(transition),
            Fact::Captured { payment_id, booking_id, amount } => self.captured(payment_id, booking_id, amount),
            Fact::RefundDue { refund_id, payment_id, amount, .. } => self.refund_due(refund_id, payment_id, amount),
            Fact::RefundSent { refund_id, .. } => self.refund_sent(refund_id),
            Fact::CheckedIn { ticket_id, booking_id, .. } => self.checked_in(ticket_id, booking_id, transition.at),
        };
        if let Err(what) = taken_in {
            wrong(what);
        }
        let moves_seats = matches!(transition.fact, Fact::House { .. } | Fact::Booking { .. });
        if !moves_seats && !transition.seats.is_empty() {
            wrong("it moves seats, which such an entry does not".to_owned());
        }
    }

    /// Time does not go back for one booking.
    fn not_before(&mut self, transition: &Transition, wrong: &mut dyn FnMut(String)) {
        let Some(id) = transition.booking_id() else { return };
        if let Some(booking) = self.bookings.get_mut(&id) {
            if transition.at < booking.last {
                wrong(format!("time goes back for booking {id}, from {} to {}", booking.last, transition.at));
            }
            booking.last = transition.at;
        } else if !matches!(transition.fact, Fact::Booking { from: None, .. }) {
            wrong(format!("booking {id} has not begun by then"));
        }
    }
}
