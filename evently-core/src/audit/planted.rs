//! Faults planted in sound records: each must be found, and named for what it is.

mod faults;

use std::time::Duration;

use self::faults::{HOLDS_AND_TICKETS, JOURNAL, MONEY, NOBODY, PAID, SEATS};
use super::{Invariant, Violation, audit_figures, audit_store, check, check_terms};
use crate::{
    domain::{BookingState, EventId, GatewayReport, HoldTerms, Sales, SeatState, TicketCode},
    memory::ManualClock,
    ports::{EventRecords, Figures, Outbox},
    story::Story,
    sync::ready,
};

#[test]
fn a_sound_store_has_no_fault() {
    let story = Story::tell();
    assert_eq!(story.check(&story.records), []);
    let report = ready(audit_store(&*story.store, &*story.store, &ManualClock::new(story.now))).unwrap();
    assert_eq!(report.violations, []);
    assert_eq!((report.events, report.seats, report.bookings, report.live_bookings), (1, 8, 6, 3));
    assert_eq!((report.overdue_holds, report.payments, report.refunds, report.tickets), (0, 4, 2, 4));
    assert_eq!(report.journal_entries, story.records.journal.len() as u64);
}

#[test]
fn every_planted_fault_is_named() {
    let story = Story::tell();
    let mut missed = Vec::new();
    for (fault, invariant, says, plant) in SEATS.iter().chain(MONEY).chain(HOLDS_AND_TICKETS).chain(JOURNAL) {
        let mut records = story.records.clone();
        plant(&mut records);
        let found = story.check(&records);
        let named = |violation: &Violation| violation.invariant == *invariant && violation.what.contains(says);
        if !found.iter().any(named) {
            missed.push(format!("{fault}: expected {invariant}: … {says} …, found {found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_violation_reads_as_a_sentence() {
    let story = Story::tell();
    let mut records = story.records.clone();
    records.seats[0].state = SeatState::Available;
    let found = story.check(&records);
    let (event, booking) = (records.event.id, records.bookings[PAID].id);
    let expected =
        format!("I1 exclusivity: seat 0 of event {event}: booking {booking} is confirmed and has lost it: it is available");
    assert!(found.iter().any(|violation| violation.to_string() == expected), "{found:#?}");
}

#[test]
fn a_hold_that_lasts_too_long_is_named() {
    let story = Story::tell();
    assert_eq!(check_terms(&story.records, &story.terms), []);
    let shorter = HoldTerms { cap: Duration::from_secs(1), payment_window: Duration::from_secs(1), ..story.terms };
    let found = check_terms(&story.records, &shorter);
    assert!(found.iter().all(|violation| violation.invariant == Invariant::Expiry), "{found:#?}");
    let says = |text: &str| found.iter().filter(|violation| violation.what.contains(text)).count();
    let said = ["longer than the cap", "longer than the window", "beyond the cap and one window"].map(says);
    assert_eq!(said, [2, 1, 1], "{found:#?}");
}

#[test]
fn a_hold_that_has_run_out_is_counted_and_no_fault() {
    let story = Story::tell();
    let later = story.now + Duration::from_hours(24);
    let report = ready(audit_store(&*story.store, &*story.store, &ManualClock::new(later))).unwrap();
    assert_eq!((report.overdue_holds, report.violations), (2, vec![]));
}

#[test]
fn a_code_of_two_events_is_named() {
    let story = Story::tell();
    let mut codes = super::Codes::default();
    let mut found = super::Findings::default();
    codes.check(&story.records, &mut found);
    let mut other = story.records.clone();
    other.event.id = EventId::from_uuid(NOBODY);
    other.tickets.iter_mut().for_each(|ticket| ticket.code = TicketCode::new(ticket.seat.into()));
    codes.check(&other, &mut found);
    assert_eq!(found.0.len(), 3, "one for each booking that has a code: {:#?}", found.0);
}

#[test]
fn a_wrong_figure_is_named() {
    let story = Story::tell();
    let store = &*story.store;
    let audit = || ready(audit_figures(store, store, store)).unwrap();
    let entries = ready(store.after(0, u32::MAX)).unwrap();
    let mut sales = Sales::default();
    let section = |_, _| "Stalls".to_owned();
    let half = entries.len() / 2;
    entries[..half].iter().for_each(|entry| sales.fold(&entry.transition, &section));
    assert!(ready(store.add(0, half as u64, &sales)).unwrap());
    assert_eq!(audit(), [], "the figures may lag");

    let mut wrong = Sales::default();
    entries[half + 1..].iter().for_each(|entry| wrong.fold(&entry.transition, &section));
    assert!(ready(store.add(half as u64, entries.len() as u64, &wrong)).unwrap());
    let found = audit();
    assert!(found.iter().any(|violation| violation.invariant == Invariant::Figures), "an entry was passed over: {found:#?}");
}

impl Story {
    fn check(&self, records: &EventRecords) -> Vec<Violation> {
        check(records, Some(&self.layout), self.now)
    }
}

#[test]
fn late_money_leaves_no_gap_in_the_journal() {
    let mut story = Story::tell();
    let booking = story.hold(7);
    let payment = story.start_payment(booking);
    story.wait(Duration::from_hours(3));
    story.expire(booking);
    story.report(payment, GatewayReport::Succeeded);
    let records = story.read();
    assert!(records.bookings.iter().any(|row| row.id == booking && matches!(row.state, BookingState::Confirmed { .. })));
    assert_eq!(story.check(&records), []);
}
