//! Whether what a store holds can be: the invariants, checked over its rows and its journal.
//!
//! The check knows the rules a second time, in another form than [`decide`](crate::domain::decide): as what must be true of rows that
//! stand, whatever led to them. It needs no quiet moment, because what must be true together is committed together. A hold that
//! has run out and still stands is no fault, it only waits for whoever ends it; [`Report::overdue_holds`] counts those.
//!
//! What can not be read from one store is left out: durability of what was answered, answers kept for keys, and whether the gateway
//! agrees.

mod ends;
mod figures;
mod holds;
mod journal;
mod limits;
mod money;
mod rows;
mod seats;
mod tickets;

#[cfg(test)]
mod planted;

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use rustc_hash::{FxHashMap, FxHashSet};

use self::rows::Rows;
pub use self::{figures::audit_figures, journal::Follower};
use crate::{
    domain::{Booking, BookingCode, EventId, HoldTerms, Layout, LayoutId, TicketCode, Timestamp},
    ports::{Audit, Catalog, Clock, EventRecords, Store, StoreError, StoreErrorKind},
};

/// Whether what happened at `at` may have been decided before a change that was made at `changed`, though it stands behind it.
fn may_come_before(at: Timestamp, changed: Option<Timestamp>, decided_beside: Option<Duration>) -> bool {
    changed.zip(decided_beside).is_some_and(|(changed, beside)| at <= changed + beside)
}

/// What must be true of every store at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// A seat has at most one live booking, and both say so.
    Exclusivity,
    /// A confirmed booking has one good ticket for each of its seats, and no other has any.
    Tickets,
    /// What came in less what goes back is the price of a confirmed booking, and nothing for any other that did not agree to pay more.
    Money,
    /// No hold lasts longer than it may.
    Expiry,
    /// Folding the journal gives exactly the rows that stand.
    Journal,
    /// The figures of sales are what the journal says.
    Figures,
    /// Every seat of the layout is there, once.
    Conservation,
    /// Seats were held while the event was on sale, and no more of them than it allows.
    Limits,
    /// The store's own check of itself.
    Integrity,
}

impl Invariant {
    /// Its number and name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exclusivity => "I1 exclusivity",
            Self::Tickets => "I1 tickets",
            Self::Money => "I3 money",
            Self::Expiry => "I5 expiry",
            Self::Journal => "I6 journal",
            Self::Figures => "I6 figures",
            Self::Conservation => "I10 conservation",
            Self::Limits => "I10 limits",
            Self::Integrity => "I6 integrity",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that must never happen, and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is broken.
    pub invariant: Invariant,
    /// Where.
    pub subject: String,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.invariant, self.subject, self.what)
    }
}

/// Checks everything of one event. `layout` is the one its seats were made from, where it is at hand.
pub fn check(records: &EventRecords, layout: Option<&Layout>, now: Timestamp) -> Vec<Violation> {
    let rows = Rows::new(records);
    let mut found = Findings::default();
    seats::check(&rows, layout, &mut found);
    tickets::check(&rows, &mut found);
    money::check(&rows, &mut found);
    holds::check(&rows, now, &mut found);
    limits::check(&rows, &mut found);
    journal::check(&rows, &mut found);
    found.0
}

/// Checks that no pending booking of the event keeps its seats for longer than `terms` allow. For a store whose holds were all made
/// on the same terms.
pub fn check_terms(records: &EventRecords, terms: &HoldTerms) -> Vec<Violation> {
    let mut found = Findings::default();
    holds::check_terms(&Rows::new(records), terms, &mut found);
    found.0
}

/// What a check of a whole store has seen and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many events there are.
    pub events: u64,
    /// How many seats they have.
    pub seats: u64,
    /// How many bookings there are, whatever their state.
    pub bookings: u64,
    /// How many of them have seats.
    pub live_bookings: u64,
    /// How many of those are on hold although their time has run out.
    pub overdue_holds: u64,
    /// How many attempts to pay there are.
    pub payments: u64,
    /// How many refunds there are.
    pub refunds: u64,
    /// How many tickets there are, void ones included.
    pub tickets: u64,
    /// How many entries the journal has.
    pub journal_entries: u64,
    /// What must not be.
    pub violations: Vec<Violation>,
}

impl Report {
    fn count(&mut self, records: &EventRecords, now: Timestamp) {
        let overdue = |booking: &&Booking| booking.hold().is_some_and(|hold| !hold.is_live(now));
        self.events += 1;
        self.seats += records.seats.len() as u64;
        self.bookings += records.bookings.len() as u64;
        self.live_bookings += records.bookings.iter().filter(|booking| booking.status().is_live()).count() as u64;
        self.overdue_holds += records.bookings.iter().filter(overdue).count() as u64;
        self.payments += records.payments.len() as u64;
        self.refunds += records.refunds.len() as u64;
        self.tickets += records.tickets.len() as u64;
        self.journal_entries += records.journal.len() as u64;
    }
}

/// What was read; or that it cannot be, which must not be either, and keeps nothing else from being checked.
fn readable<T>(read: Result<T, StoreError>, subject: impl FnOnce() -> String) -> Result<Result<T, Violation>, StoreError> {
    match read {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Ok(Err(Violation { invariant: Invariant::Integrity, subject: subject(), what: format!("it cannot be read: {why}") }))
        }
        read => read.map(Ok),
    }
}

/// Checks all events of a store, one after another, each as of when it was read, and lets the store check itself. The service may go on
/// meanwhile.
pub async fn audit_store(audit: &dyn Audit, catalog: &dyn Catalog, clock: &dyn Clock) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut codes = Codes::default();
    let mut layouts = FxHashMap::<LayoutId, Option<Arc<Layout>>>::default();
    for id in audit.event_ids().await? {
        let subject = || format!("event {id}");
        let records = match readable(audit.event_records(id).await, subject)? {
            Ok(Some(records)) => records,
            Ok(None) => {
                let what = "it is listed and cannot be read".to_owned();
                report.violations.push(Violation { invariant: Invariant::Integrity, subject: subject(), what });
                continue;
            }
            Err(violation) => {
                report.violations.push(violation);
                continue;
            }
        };
        let now = clock.now();
        let layout_id = records.event.layout_id;
        if let std::collections::hash_map::Entry::Vacant(vacant) = layouts.entry(layout_id) {
            let layout = readable(catalog.layout(layout_id).await, || format!("layout {layout_id}"))?;
            vacant.insert(layout.unwrap_or_else(|violation| {
                report.violations.push(violation);
                None
            }));
        }
        let layout = layouts[&layout_id].as_deref();
        report.count(&records, now);
        report.violations.extend(check(&records, layout, now));
        let mut found = Findings::default();
        if layout.is_none() {
            found.add(Invariant::Conservation, subject(), format!("its layout {layout_id} is missing, or cannot be read"));
        }
        codes.check(&records, &mut found);
        report.violations.extend(found.0);
    }
    let subject = || "the store".to_owned();
    match readable(audit.self_check().await, subject)? {
        Ok(found) => {
            let violation = |what| Violation { invariant: Invariant::Integrity, subject: subject(), what };
            report.violations.extend(found.into_iter().map(violation));
        }
        Err(violation) => report.violations.push(violation),
    }
    Ok(report)
}

/// The same, and the figures of sales: everything that can be read from a store.
pub async fn audit_all(store: &Store, clock: &dyn Clock) -> Result<Report, StoreError> {
    let mut report = audit_store(&*store.audit, &*store.catalog, clock).await?;
    let figures = audit_figures(&*store.figures, &*store.outbox, &*store.catalog).await;
    match readable(figures, || "the figures of sales, or the journal".to_owned())? {
        Ok(found) => report.violations.extend(found),
        Err(violation) => report.violations.push(violation),
    }
    Ok(report)
}

/// Codes are unique in the whole store, not only in their event.
#[derive(Default)]
struct Codes {
    bookings: FxHashMap<BookingCode, EventId>,
    tickets: FxHashSet<TicketCode>,
}

impl Codes {
    fn check(&mut self, records: &EventRecords, found: &mut Findings) {
        let event = records.event.id;
        for booking in &records.bookings {
            if let Some(code) = booking.code
                && let Some(other) = self.bookings.insert(code, event).filter(|other| *other != event)
            {
                let what = format!("its code {code} is also one of event {other}");
                found.add(Invariant::Tickets, format!("booking {}", booking.id), what);
            }
        }
        // Within one event `check` has looked already.
        for ticket in records.tickets.iter().filter(|ticket| self.tickets.contains(&ticket.code)) {
            found.add(Invariant::Tickets, format!("ticket {}", ticket.id), "its code is also one of another event");
        }
        self.tickets.extend(records.tickets.iter().map(|ticket| ticket.code));
    }
}

/// What a check has found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, invariant: Invariant, subject: impl Into<String>, what: impl Into<String>) {
        self.0.push(Violation { invariant, subject: subject.into(), what: what.into() });
    }
}
