//! Faults planted in sound records: each must be found, and named for what it is.

mod faults;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use self::faults::{
    AS_PUBLISHED, HELD, HOLDS_AND_TICKETS, JOURNAL, MONEY, NOBODY, PAID, PAYING, SEATS, SOUND, ends, never_edited,
};
use super::{Follower, Invariant, Violation, audit_all, audit_figures, audit_store, check, check_terms};
use crate::{
    domain::{
        Booking, BookingState,
        BookingStatus::{Cancelled, Refunded},
        Entry, Event, EventId, Fact, GatewayReport, HoldTerms, Layout, LayoutId, PaymentState, RefundPolicy, Sales, SeatMap,
        SeatState, Stage, TicketCode, Timestamp, Venue, VenueId,
    },
    memory::{ManualClock, MemoryStore},
    ports::{Audit, Catalog, Elsewhere, EventFilter, EventRecords, Figures, Outbox, Page, Store, StoreError, StoreErrorKind},
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
fn what_an_event_says_that_nobody_has_edited_is_kept_to() {
    let story = Story::tell();
    let records = never_edited(&story.records);
    assert_eq!(story.check(&records), []);
    for (fault, invariant, says, plant) in AS_PUBLISHED {
        let mut records = records.clone();
        plant(&mut records);
        let found = story.check(&records);
        let named = |violation: &Violation| violation.invariant == *invariant && violation.what.contains(says);
        assert!(found.iter().any(named), "{fault}: expected {invariant}: … {says} …, found {found:#?}");
    }
    let mut just = records;
    let details = &mut just.event.details;
    (details.max_seats_per_booking, details.max_seats_held) = (2, 2);
    details.on_sale.opens_at = just.bookings[PAID].created_at;
    details.on_sale.closes_at = just.bookings[PAYING].created_at + Duration::from_micros(1);
    let at = just.payments[3].created_at + Duration::from_micros(1);
    ends(&mut just, at);
    assert_eq!(story.check(&just), []);
}

/// When a hold ran out is not in the journal. It was live for as long as something was done with it, and is until what it says itself.
#[test]
fn seats_count_as_held_as_long_as_their_hold_is_known_to_last() {
    let mut story = Story::begin();
    let first = story.hold(0);
    let beside_the_first = story.hold(1);
    story.wait(story.terms.ttl);
    story.expire(first);
    let paid = story.hold(2);
    let beside_what_is_paid_later = story.hold(3);
    story.pay(paid);
    story.wait(story.terms.ttl);
    let waits = story.hold(4);
    let beside_what_waits = story.hold(5);
    // It goes on for longer, and another one of its customer ends.
    story.wait(Duration::from_mins(1));
    story.extend(waits);
    story.cancel(beside_what_waits);
    let beside_what_still_waits = story.hold(6);
    let mut records = never_edited(&story.read());
    records.event.details.max_seats_held = 1;
    let found = story.check(&records);
    let subjects = found.iter().filter(|violation| violation.invariant == Invariant::Limits).map(|violation| &violation.subject);
    let expected = [beside_what_is_paid_later, beside_what_waits, beside_what_still_waits].map(|id| format!("booking {id}"));
    assert_eq!(subjects.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "{beside_the_first}: not known any more");
}

/// Where many write at once, what stands behind a hold may have been decided before it.
#[test]
fn what_was_done_before_does_not_say_that_a_hold_lasted_wherever_it_stands() {
    let mut story = Story::begin();
    let ended = story.hold(0);
    story.wait(Duration::from_mins(1));
    story.extend(ended);
    story.wait(Duration::from_mins(1));
    story.hold(1);
    story.wait(story.terms.ttl);
    story.expire(ended);
    let mut records = never_edited(&story.read());
    records.event.details.max_seats_held = 1;
    let [.., extended, held, _] = &mut records.journal[..] else { unreachable!("all three are there") };
    std::mem::swap(&mut extended.transition, &mut held.transition);
    let found = story.check(&records);
    assert!(found.iter().all(|violation| violation.invariant != Invariant::Limits), "{found:#?}");
}

/// Where many write at once it may have been decided before.
#[test]
fn what_stands_behind_the_calling_off_is_a_fault_unless_it_may_have_been_decided_before_it() {
    const BESIDE: Duration = Duration::from_mins(1);
    let mut story = Story::begin();
    story.wait(2 * BESIDE);
    story.hold(0);
    story.call_off();
    let mut records = story.read();
    let [.., hold, end] = &mut records.journal[..] else { unreachable!("both are there") };
    std::mem::swap(&mut hold.transition, &mut end.transition);
    let (held, called_off) = (end.transition.at, records.journal.len() - 2);
    let late = Duration::from_micros(1);
    for (decided_beside, at, is_sound) in [
        (None, held, false),
        (Some(Duration::ZERO), held, true),
        (Some(BESIDE), held - BESIDE, true),
        (Some(BESIDE), held - BESIDE - late, false),
    ] {
        records.journal[called_off].transition.at = at;
        let found = story.check(&EventRecords { decided_beside, ..records.clone() });
        // What follows from an entry that counts for nothing is named as well.
        let named = found.iter().any(|violation| violation.what.ends_with("becomes pending of an event that is cancelled"));
        assert_eq!((found.is_empty(), named), (is_sound, !is_sound), "{decided_beside:?}: {found:#?}");
    }
}

/// Whoever gives up behind the calling-off gets everything back, unless it was decided before: then what was promised.
#[test]
fn what_a_customer_gives_up_behind_a_change_is_measured_by_it_unless_it_may_have_been_decided_before_it() {
    let mut story = Story::begin();
    // It was published and edited long before.
    story.wait(Duration::from_hours(1));
    let booking = story.hold(0);
    story.pay(booking);
    story.call_off();
    story.cancel(booking);
    let mut records = story.read();
    assert_eq!(story.check(&records), []);
    let promised = i64::from(records.bookings[0].refunds.expect("it has terms").percent) * records.bookings[0].total.amount / 100;
    records.refunds[0].amount.amount = promised;
    records.payments[0].refunded = promised;
    for entry in &mut records.journal {
        if let Fact::RefundDue { amount, .. } = &mut entry.transition.fact {
            *amount = promised;
        }
    }
    for (decided_beside, is_sound) in [(None, false), (Some(Duration::ZERO), false), (Some(Duration::from_mins(1)), true)] {
        let found = story.check(&EventRecords { decided_beside, ..records.clone() });
        let named = found.iter().any(|violation| violation.invariant == Invariant::Money);
        assert_eq!((found.is_empty(), named), (is_sound, !is_sound), "{decided_beside:?}: {found:#?}");
    }
}

/// What was promised ends with the event, as its end was by then, wherever it has been moved since.
#[test]
fn who_gave_up_before_the_event_was_over_got_what_was_promised() {
    let mut story = Story::begin();
    let [in_time, late] = [0, 1].map(|seat| story.hold(seat));
    story.pay(in_time);
    story.pay(late);
    let end = story.now + Duration::from_secs(1);
    story.end_at(end);
    story.cancel(in_time);
    story.now = end - Duration::from_millis(1);
    story.cancel(late);
    story.end_at(end + Duration::from_hours(1));
    let mut records = story.read();
    assert_eq!(records.bookings.iter().map(Booking::status).collect::<Vec<_>>(), [Refunded, Cancelled]);
    assert_eq!(story.check(&records), []);
    // By a moment later, and it would have been in time.
    let moved = records.journal.iter_mut().filter(|entry| entry.transition.reason.as_deref() == Some("edited")).nth(1).unwrap();
    let Fact::Event { end_time, .. } = &mut moved.transition.fact else { unreachable!("an event is edited") };
    *end_time = Some(end + Duration::from_micros(1));
    let found = story.check(&records);
    let says = |violation: &Violation| violation.invariant == Invariant::Money && violation.subject == format!("booking {late}");
    assert!(found.iter().any(says), "{found:#?}");
}

/// An earlier version did not write down when an event ends, and sold also when it was over.
#[test]
fn where_the_journal_does_not_say_when_an_event_ends_it_ended_as_it_says_itself_unless_it_was_edited_since() {
    let given_up_before = |then: fn(&mut Story)| {
        let mut story = Story::begin();
        let booking = story.hold(0);
        story.pay(booking);
        story.end_at(story.now + Duration::from_secs(1));
        story.cancel(booking);
        then(&mut story);
        let mut records = story.read();
        for entry in &mut records.journal {
            if let Fact::Event { end_time, .. } = &mut entry.transition.fact {
                *end_time = None;
            }
        }
        assert_eq!(story.check(&records), []);
        (story, records)
    };
    let promised = |records: &EventRecords, percent| {
        let mut records = records.clone();
        records.bookings[0].refunds = records.bookings[0].refunds.map(|terms| RefundPolicy { percent, ..terms });
        records
    };
    let (story, records) = given_up_before(Story::call_off);
    let found = story.check(&promised(&records, 51));
    assert!(found.iter().any(|violation| violation.invariant == Invariant::Money), "{found:#?}");
    let mut over = records;
    over.event.details.end_time = Timestamp::default();
    let found = story.check(&over);
    assert!(found.iter().all(|violation| violation.invariant == Invariant::Money), "what was sold is no fault: {found:#?}");

    let (story, records) = given_up_before(|story| story.end_at(story.now + Duration::from_secs(1)));
    assert_eq!(story.check(&promised(&records, 51)), []);
}

#[test]
fn what_was_sold_when_the_event_was_over_is_named_wherever_its_end_has_been_moved_since() {
    let mut story = Story::begin();
    let booking = story.hold(0);
    story.pay(booking);
    story.end_at(story.now + Duration::from_hours(1));
    let told = story.read();
    assert_eq!(story.check(&told), []);
    let paid_at = story.now - Duration::from_millis(1);
    for (status, ended_at) in [("confirmed", paid_at), ("pending", paid_at - Duration::from_millis(1))] {
        let mut records = told.clone();
        for entry in &mut records.journal[..3] {
            let Fact::Event { end_time, .. } = &mut entry.transition.fact else {
                unreachable!("it is made, published and edited")
            };
            *end_time = Some(ended_at);
        }
        let found = story.check(&records);
        let says =
            |violation: &Violation| violation.what == format!("it becomes {status} at {ended_at}, when its event was over");
        assert!(found.iter().any(says), "{found:#?}");
    }
}

#[test]
fn what_is_only_close_to_a_fault_is_none() {
    let story = Story::tell();
    for (what, change) in SOUND {
        let mut records = story.records.clone();
        change(&mut records);
        assert_eq!(story.check(&records), [], "{what}");
    }
}

#[test]
fn a_fault_is_named_with_what_it_is_a_fault_of() {
    let story = Story::tell();
    let mut records = story.records.clone();
    if let BookingState::Pending(hold) = &mut records.bookings[HELD].state {
        hold.until = Timestamp::default();
    }
    let found = story.check(&records);
    let expected = format!("booking {}", records.bookings[HELD].id);
    assert!(found.iter().any(|violation| violation.subject == expected), "{found:#?}");
}

#[test]
fn money_of_a_confirmed_booking_that_goes_back_is_named_whatever_the_sums_say() {
    let story = Story::tell();
    let mut records = story.records.clone();
    records.payments[0].refunded = 1;
    let says = format!("its payment {} goes back", records.payments[0].id);
    let found = story.check(&records);
    assert!(found.iter().any(|violation| violation.what == says), "{found:#?}");
}

/// It is left to be ended, and has nothing to wait for.
#[test]
fn a_hold_that_has_run_out_may_have_waited_for_a_payment_that_failed() {
    let story = Story::tell();
    let mut records = story.records.clone();
    records.payments[3].state = PaymentState::Failed { reason: "card_declined".into() };
    let waits = |found: &[Violation]| found.iter().any(|violation| violation.what.contains("which has failed"));
    assert!(waits(&story.check(&records)));
    let until = records.bookings[PAYING].hold().unwrap().expires_at();
    assert!(!waits(&check(&records, Some(&story.layout), until)));
}

#[test]
fn whoever_follows_the_journal_is_told_of_an_entry_that_cannot_be_next() {
    let story = Story::tell();
    let mut follower = Follower::new(story.event);
    let found = story.records.journal.iter().flat_map(|entry| follower.take_in(entry)).collect::<Vec<_>>();
    assert_eq!(found, []);
    let again = follower.take_in(story.records.journal.last().unwrap());
    assert!(again.iter().any(|violation| violation.invariant == Invariant::Journal), "{again:#?}");
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

/// A store that has its event twice, lists one that it does not have, and says that its chain is broken.
struct Ailing(Arc<MemoryStore>);

const COPY: EventId = EventId::from_uuid(NOBODY);

#[async_trait]
impl Audit for Ailing {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        let lost = EventId::from_uuid(uuid::Uuid::nil());
        Ok(self.0.event_ids().await?.into_iter().chain([COPY, lost]).collect())
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        if id != COPY {
            return self.0.event_records(id).await;
        }
        let mut copied = self.0.event_records(self.0.event_ids().await?[0]).await?;
        if let Some(EventRecords { event, .. }) = &mut copied {
            (event.id, event.layout_id) = (COPY, LayoutId::from_uuid(NOBODY));
        }
        Ok(copied)
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec!["its chain is broken".to_owned()])
    }
}

#[test]
fn what_only_the_whole_store_shows_is_in_the_report() {
    let story = Story::tell();
    let audit = || {
        let store = Store { audit: Arc::new(Ailing(story.store.clone())), ..Store::new(story.store.clone()) };
        ready(audit_all(&store, &ManualClock::new(story.now))).unwrap().violations
    };
    let of_figures = |found: &[Violation]| found.iter().any(|violation| violation.invariant == Invariant::Figures);
    let found = audit();
    for (invariant, says) in [
        (Invariant::Integrity, "it is listed and cannot be read"),
        (Invariant::Integrity, "its chain is broken"),
        (Invariant::Conservation, "is missing"),
        (Invariant::Tickets, "is also one of event"),
        (Invariant::Tickets, "its code is also one of another event"),
    ] {
        let named = |violation: &Violation| violation.invariant == invariant && violation.what.contains(says);
        assert!(found.iter().any(named), "{invariant}: … {says} …: {found:#?}");
    }
    assert!(!of_figures(&found));
    let entries = ready(story.store.after(0, u32::MAX)).unwrap();
    assert!(ready(story.store.add(0, entries.len() as u64, &Sales::default())).unwrap());
    assert!(of_figures(&audit()), "the figures say that nothing was sold");
}

/// A store in which rows cannot be read that somebody has spoilt.
struct Spoilt(Arc<MemoryStore>);

fn spoilt<T>(operation: &'static str, rows: &str) -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Corrupt, operation, format!("a row of {rows} is not what it must be")))
}

#[async_trait]
impl Audit for Spoilt {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        let lost = EventId::from_uuid(uuid::Uuid::nil());
        Ok([COPY].into_iter().chain(self.0.event_ids().await?).chain([lost]).collect())
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        if id == COPY { spoilt("event_records", "payments") } else { self.0.event_records(id).await }
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        spoilt("self_check", "journal")
    }
}

#[test]
fn what_cannot_be_read_is_named_and_keeps_nothing_from_being_checked() {
    let story = Story::tell();
    let store = Store { audit: Arc::new(Spoilt(story.store.clone())), ..Store::new(story.store.clone()) };
    let report = ready(audit_all(&store, &ManualClock::new(story.now))).unwrap();
    assert_eq!(report.events, 1, "the one in between");
    let found = report.violations.iter().map(ToString::to_string).collect::<Vec<_>>();
    let says = |subject: &str, what: &str| found.iter().any(|found| found.contains(subject) && found.contains(what));
    assert!(says(&format!("event {COPY}"), "it cannot be read: a row of payments is not what it must be"), "{found:#?}");
    assert!(says("event 00000000-", "it is listed and cannot be read"), "{found:#?}");
    assert!(says("the store", "a row of journal is not"), "{found:#?}");
    assert_eq!(found.len(), 3, "{found:#?}");
}

impl Story {
    fn check(&self, records: &EventRecords) -> Vec<Violation> {
        check(records, Some(&self.layout), self.now)
    }
}

#[test]
fn what_had_run_out_is_given_up_without_its_seats() {
    let mut story = Story::tell();
    let booking = story.hold(7);
    story.wait(story.terms.ttl);
    story.expire(booking);
    story.cancel(booking);
    let mut records = story.read();
    assert_eq!(story.check(&records), []);
    let of_booking = |entry: &&mut Entry| entry.transition.booking_id() == Some(booking);
    let mut entries = records.journal.iter_mut().filter(of_booking);
    let freed = entries.nth(1).unwrap().transition.seats.clone();
    entries.next().unwrap().transition.seats = freed;
    let found = story.check(&records);
    assert!(found.iter().any(|violation| violation.what.contains("has no seats any more, and some move")), "{found:#?}");
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

/// When it is called off everything comes back, whoever was in.
#[test]
fn a_customer_gives_up_what_somebody_came_in_with_only_of_an_event_that_was_called_off() {
    let mut story = Story::begin();
    let booking = story.hold(0);
    story.pay(booking);
    story.check_in(0);
    story.call_off();
    story.cancel(booking);
    let mut records = story.read();
    assert_eq!(story.check(&records), []);
    records.journal.retain(|entry| !matches!(entry.transition.fact, Fact::Event { stage: Stage::Cancelled, .. }));
    let mut follower = Follower::new(story.event);
    let found = records.journal.iter().flat_map(|entry| follower.take_in(entry)).map(|violation| violation.what);
    let expected = format!("a customer gives booking {booking} up, and somebody has come in with it");
    assert_eq!(found.collect::<Vec<_>>(), [expected], "nothing is said of what was done before somebody came in");
}

/// A store of which nothing can be read but which events there are.
struct Away(Arc<MemoryStore>, StoreErrorKind);

impl Away {
    fn refuse<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::new(self.1, "test", "it cannot be read"))
    }
}

#[async_trait]
impl Audit for Away {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        self.0.event_ids().await
    }

    async fn event_records(&self, _: EventId) -> Result<Option<EventRecords>, StoreError> {
        self.refuse()
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec![])
    }
}

#[async_trait]
impl Catalog for Away {
    async fn venues(&self, _: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.refuse()
    }

    async fn venue(&self, _: VenueId) -> Result<Option<Venue>, StoreError> {
        self.refuse()
    }

    async fn layout(&self, _: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.refuse()
    }

    async fn event(&self, _: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.refuse()
    }

    async fn events(&self, _: &EventFilter, _: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        self.refuse()
    }

    async fn seat_map(&self, _: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.refuse()
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.refuse()
    }
}

#[test]
fn a_store_that_is_away_is_no_violation() {
    let story = Story::tell();
    let entries = ready(story.store.after(0, u32::MAX)).unwrap();
    assert!(ready(story.store.add(0, entries.len() as u64, &Sales::default())).unwrap());
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Contended] {
        let away = Away(story.store.clone(), kind);
        let failed = ready(audit_store(&away, &*story.store, &ManualClock::new(story.now))).unwrap_err();
        assert_eq!(failed.kind(), kind);
        assert_eq!(ready(audit_figures(&*story.store, &*story.store, &away)).unwrap_err().kind(), kind);
    }
    let spoilt = Away(story.store.clone(), StoreErrorKind::Corrupt);
    let found = ready(audit_figures(&*story.store, &*story.store, &spoilt)).unwrap();
    assert!(found.iter().all(|violation| violation.subject.starts_with("section \"\" of event")), "{found:#?}");
    assert_ne!(found, [], "what was sold of an event that cannot be read was sold");
}
