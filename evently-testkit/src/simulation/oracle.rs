//! Judges a run: after each transaction whether it may have been made, whenever somebody is told something whether it is true, and when
//! everything is healed whether everything has come to its end.
//!
//! It knows the rules in a form of its own: what must be true of what stands, not how it comes about.

mod answer;
mod end;
mod step;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    hash::Hasher,
    sync::{Arc, Mutex},
};

use evently_core::{
    audit::{Follower, Violation},
    domain::{Answer, Booking, BookingId, EventId, Fact, Payment, RefundPolicy, Request, SeatStatus, Stage, TicketId, Timestamp},
    ports::{Bookings, Catalog, Outbox},
};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use self::step::Shadow;
use super::{
    executor::{at_once, lock},
    world::World,
};

/// Everything of the event is looked through after so many transactions.
const LOOKED_THROUGH: u32 = 16;

/// Something that must never happen, and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The invariant's number, with its name where an audit has found it.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl From<Violation> for Breach {
    fn from(Violation { invariant, subject, what }: Violation) -> Self {
        Self { invariant: invariant.name(), what: format!("{subject}: {what}") }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What it has seen.
pub(super) struct Oracle(Mutex<Seen>);

struct Seen {
    follower: Follower,
    /// How many entries of the journal.
    journal: u64,
    transactions: u32,
    bookings: FxHashMap<BookingId, Shadow>,
    /// When the hold of a booking ends that was answered with, at the latest.
    holds: FxHashMap<BookingId, Timestamp>,
    /// The first answer to each key.
    answers: FxHashMap<[u8; 32], ([u8; 32], Answer)>,
    admitted: FxHashMap<TicketId, u32>,
    event_stage: Stage,
    /// What the event says of refunds; nothing while the transaction that is looked at has changed it.
    terms: Option<RefundPolicy>,
    /// What it said when a booking was held.
    promised: FxHashMap<BookingId, RefundPolicy>,
    sold_out: bool,
    seats: FxHashMap<u32, SeatStatus>,
    /// Which booking has a seat.
    owners: FxHashMap<u32, BookingId>,
    /// What the transaction that is looked at has changed.
    touched: (Vec<u32>, Vec<BookingId>),
    /// Bookings of which a ticket was used.
    used: FxHashSet<BookingId>,
    breaches: Vec<Breach>,
    hash: FxHasher,
}

impl Oracle {
    pub fn new(event: EventId) -> Self {
        Self(Mutex::new(Seen {
            follower: Follower::new(event),
            journal: 0,
            transactions: 0,
            bookings: FxHashMap::default(),
            holds: FxHashMap::default(),
            answers: FxHashMap::default(),
            admitted: FxHashMap::default(),
            event_stage: Stage::Draft,
            terms: None,
            promised: FxHashMap::default(),
            sold_out: false,
            seats: FxHashMap::default(),
            owners: FxHashMap::default(),
            touched: Default::default(),
            used: FxHashSet::default(),
            breaches: Vec::new(),
            hash: FxHasher::default(),
        }))
    }

    /// Writes down that something is wrong.
    pub fn breach(&self, world: &World, invariant: &'static str, what: impl FnOnce() -> String) {
        let breach = Breach { invariant, what: what() };
        world.say("!!!", || breach.to_string());
        lock(&self.0).breaches.push(breach);
    }

    pub fn breaches(&self) -> Vec<Breach> {
        lock(&self.0).breaches.clone()
    }

    /// Whether nothing has been found.
    pub fn is_content(&self) -> bool {
        lock(&self.0).breaches.is_empty()
    }

    pub fn journal_len(&self) -> u64 {
        lock(&self.0).journal
    }

    /// Takes something into the fingerprint of the run.
    pub fn mix(&self, number: u64) {
        lock(&self.0).hash.write_u64(number);
    }

    pub fn fingerprint(&self) -> u64 {
        lock(&self.0).hash.finish()
    }

    /// After each transaction: what was asked, and what was answered.
    pub fn decided(&self, world: &World, requests: &[Request], answers: &[Answer]) {
        let seen = &mut *lock(&self.0);
        let found = seen.breaches.len();
        for (request, answer) in requests.iter().zip(answers) {
            seen.before(world, request, answer);
        }
        let entries = at_once(world.store.after(seen.journal, u32::MAX)).expect("nothing in memory fails");
        seen.touched = (Vec::new(), Vec::new());
        let edits = entries.iter().any(|entry| matches!(entry.transition.fact, Fact::Event { .. }));
        if edits {
            seen.terms = None;
        }
        for entry in &entries {
            seen.entry(world, entry);
        }
        if edits {
            let event = at_once(Catalog::event(&*world.store, world.fixture.id())).expect("nothing in memory fails");
            seen.terms = event.map(|event| event.details.refunds);
        }
        for (request, answer) in requests.iter().zip(answers) {
            seen.held(answer);
            seen.answer(world, request, answer);
        }
        seen.transactions += 1;
        if seen.transactions.is_multiple_of(LOOKED_THROUGH) {
            seen.look_through(world);
        }
        for breach in &seen.breaches[found..] {
            world.say("!!!", || breach.to_string());
        }
    }

    /// Somebody was told that a booking stands like this.
    pub fn promised(&self, world: &World, told: &Booking) {
        let stands = at_once(world.store.booking(told.id)).expect("nothing in memory fails");
        let wrong = match stands {
            None => Some("is not there".to_owned()),
            Some(stands) => {
                let same = |now: &Booking| {
                    (now.user_id, now.event_id, now.total, now.created_at)
                        == (told.user_id, told.event_id, told.total, told.created_at)
                };
                let code_kept = told.code.is_none() || stands.code == told.code;
                let as_told = stands.version > told.version || stands == *told;
                (!same(&stands) || !code_kept || !as_told).then(|| format!("stands as {stands:?}"))
            }
        };
        if let Some(wrong) = wrong {
            self.breach(world, "I2", || format!("somebody was told of {told:?}, and it {wrong}"));
        }
    }

    /// Somebody was told of a payment, and that its booking stands like this.
    pub fn paid(&self, world: &World, payment: &Payment, told: &Booking) {
        self.promised(world, told);
        if payment.booking_id != told.id {
            self.breach(world, "I3", || format!("payment {} is for another booking", payment.id));
        }
    }

    /// When a booking's hold ends, or has ended, by the latest answer about it.
    pub fn hold_ended(&self, id: BookingId) -> Option<Timestamp> {
        lock(&self.0).holds.get(&id).copied()
    }

    /// Somebody was let in with a ticket.
    pub fn admitted(&self, world: &World, ticket: TicketId) {
        let times = {
            let seen = &mut *lock(&self.0);
            let times = seen.admitted.entry(ticket).or_default();
            *times += 1;
            *times
        };
        if times > 1 {
            self.breach(world, "I1", || format!("ticket {ticket} lets {times} in"));
        }
    }

    /// When everything is healed and everybody has gone.
    pub fn settled(&self, world: &Arc<World>) {
        let seen = &mut *lock(&self.0);
        let found = seen.breaches.len();
        let records = seen.look_through(world);
        seen.came_to_its_end(world, &records);
        seen.agrees_with_the_gateway(world, &records);
        seen.all_were_told(world);
        for breach in &seen.breaches[found..] {
            world.say("!!!", || breach.to_string());
        }
    }
}

impl Seen {
    fn find(&mut self, invariant: &'static str, what: impl Into<String>) {
        self.breaches.push(Breach { invariant, what: what.into() });
    }
}
