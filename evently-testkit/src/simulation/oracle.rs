//! Judges a run: after each transaction whether it may have been made, whenever somebody is told something whether it is true, and when
//! everything is healed whether everything has come to its end.
//!
//! It knows the rules in a form of its own: what must be true of what stands, not how it comes about.

use std::{
    collections::BTreeSet,
    fmt,
    hash::Hasher,
    sync::{Arc, Mutex},
};

use evently_core::{
    audit::{self, Follower, Violation},
    domain::{
        Actor, Admission, Answer, Booking, BookingId, BookingState, BookingStatus, Command, Entry, EventId, Fact, GatewayReport,
        Outcome, PaymentState, RefundState, Rejection, Request, Role, SeatId, SeatLimit, SeatStatus, Stage, TicketId, Timestamp,
        UserId,
    },
    ports::{Audit, Bookings, EventRecords, Outbox},
};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::{
    executor::{at_once, lock},
    rare::Rare,
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
    /// The first answer to each key.
    answers: FxHashMap<[u8; 32], ([u8; 32], Answer)>,
    admitted: FxHashMap<TicketId, u32>,
    event_stage: Stage,
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

/// What is remembered of a booking.
struct Shadow {
    user: UserId,
    seats: u32,
    status: BookingStatus,
    deadline: Option<Timestamp>,
    paying: bool,
    /// In the middle of a transaction that goes on with it: when its hold ends is not known.
    moving: bool,
}

impl Shadow {
    fn of(booking: &Booking) -> Self {
        Self {
            user: booking.user_id,
            seats: u32::try_from(booking.seats.len()).expect("a booking is small"),
            status: booking.status(),
            deadline: booking.hold().map(evently_core::domain::Hold::expires_at),
            paying: booking.hold().is_some_and(|hold| hold.payment.is_some()),
            moving: false,
        }
    }

    fn is_live(&self, at: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| at < deadline)
    }
}

impl Oracle {
    pub fn new(event: EventId) -> Self {
        Self(Mutex::new(Seen {
            follower: Follower::new(event),
            journal: 0,
            transactions: 0,
            bookings: FxHashMap::default(),
            answers: FxHashMap::default(),
            admitted: FxHashMap::default(),
            event_stage: Stage::Draft,
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
        for entry in &entries {
            seen.entry(world, entry);
        }
        for (request, answer) in requests.iter().zip(answers) {
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

    /// What can be said of a request while its booking is remembered as it was before.
    fn before(&mut self, world: &World, request: &Request, answer: &Answer) {
        let (Command::Extend { booking_id: id, .. }
        | Command::Cancel { booking_id: id, .. }
        | Command::StartPayment { booking_id: id, .. }
        | Command::Expire { booking_id: id }) = request.command
        else {
            return;
        };
        let Some(booking) = self.bookings.get(&id) else { return };
        if matches!(request.actor, Actor::User(user, Role::Customer) if user != booking.user) {
            match &answer.result {
                Err(Rejection::NotFound(_)) => world.met(Rare::StrangerTurnedAway),
                Err(Rejection::KeyReused) => {}
                told => self.find("I11", format!("a stranger asks {:?}, and is told {told:?}", request.command)),
            }
            return;
        }
        if answer.replayed {
            return;
        }
        match (&request.command, &answer.result) {
            (Command::Expire { .. }, Ok(_)) if booking.status == BookingStatus::Expired => world.met(Rare::ExpiredTwice),
            (Command::Cancel { .. }, Ok(_)) if booking.status == BookingStatus::Pending && booking.paying => {
                world.met(Rare::CancelWhilePaying);
            }
            (Command::Cancel { .. }, Err(Rejection::TicketUsed)) => world.met(Rare::CancelledAfterAdmission),
            (Command::Extend { .. }, Err(Rejection::ExtensionLimit(_))) => world.met(Rare::ExtendedToCap),
            (Command::Extend { .. }, Err(Rejection::HoldExpired)) => world.met(Rare::ExtendedTooLate),
            (Command::StartPayment { .. }, Err(Rejection::HoldExpired)) => world.met(Rare::PaidTooLateToBegin),
            _ => {}
        }
    }

    fn entry(&mut self, world: &World, entry: &Entry) {
        self.journal = entry.position;
        for violation in self.follower.take_in(entry) {
            self.breaches.push(Breach::from(violation));
        }
        let transition = &entry.transition;
        self.hash.write_u64(entry.position);
        self.hash.write_i64(transition.at.as_micros());
        for step in &transition.seats {
            self.hash.write_u64(u64::from(step.number) << 32 | u64::from(step.version));
            self.seats.insert(step.number, step.status);
            self.touched.0.push(step.number);
            match (step.status, transition.booking_id()) {
                (SeatStatus::Reserved | SeatStatus::Booked, Some(booking)) => drop(self.owners.insert(step.number, booking)),
                _ => drop(self.owners.remove(&step.number)),
            }
        }
        self.touched.1.extend(transition.booking_id());
        world.say("store", || told(entry));
        match transition.fact {
            Fact::Booking { .. } => self.booking(world, entry),
            Fact::Event { stage, .. } => self.event(world, stage),
            Fact::CheckedIn { booking_id, .. } => drop(self.used.insert(booking_id)),
            Fact::House { .. } | Fact::RefundSent { .. } | Fact::Captured { .. } => {}
            Fact::RefundDue { .. } => match transition.reason.as_deref() {
                Some("paid_too_late") => world.met(Rare::LateMoneyGoesBack),
                Some("already_paid") => world.met(Rare::PaidTwice),
                Some("booking_cancelled") if transition.actor == Actor::Gateway => world.met(Rare::PaidAfterCancelling),
                _ => {}
            },
        }
        let all = world.fixture.event.seats_total as usize;
        let sold_out = self.seats.len() == all && self.seats.values().all(|status| *status == SeatStatus::Booked);
        match (std::mem::replace(&mut self.sold_out, sold_out), sold_out) {
            (false, true) => world.met(Rare::SoldOut),
            (true, false) => world.met(Rare::BackOnSale),
            _ => {}
        }
    }

    fn event(&mut self, world: &World, stage: Stage) {
        let before = std::mem::replace(&mut self.event_stage, stage);
        let any = |status| self.bookings.values().any(|booking| booking.status == status);
        if stage == Stage::Cancelled && before != Stage::Cancelled {
            if self.bookings.values().any(|booking| booking.paying) {
                world.met(Rare::EventCancelledWhilePaying);
            }
            if any(BookingStatus::Confirmed) {
                world.met(Rare::EventCancelledWithSold);
            }
        } else if stage == Stage::Published && any(BookingStatus::Pending) {
            world.met(Rare::PriceChangedUnderHold);
        }
    }

    fn booking(&mut self, world: &World, entry: &Entry) {
        let Fact::Booking { id, from, to, version, .. } = entry.transition.fact else { unreachable!("only those come here") };
        if self.bookings.get(&id).is_none_or(|before| !before.moving) {
            self.step(world, entry, id, (from, to));
        }
        // Of several steps in one transaction only the last one's row stands.
        if let Some(row) = at_once(world.store.booking(id)).expect("nothing in memory fails") {
            self.bookings.insert(id, Shadow { status: to, moving: row.version > version, ..Shadow::of(&row) });
        }
    }

    fn step(&mut self, world: &World, entry: &Entry, id: BookingId, (from, to): (Option<BookingStatus>, BookingStatus)) {
        use BookingStatus::{Confirmed, Expired, Pending};
        let (at, actor, reason) = (entry.transition.at, entry.transition.actor, entry.transition.reason.as_deref());
        let before = self.bookings.get(&id);
        let was_live = before.is_some_and(|booking| booking.is_live(at));
        if to == Expired && before.is_some_and(|booking| booking.deadline == Some(at)) {
            world.met(Rare::ExpiredAtOnce);
        }
        if from.is_none() && self.event_stage != Stage::Published {
            self.find("I10", format!("booking {id} is made for an event that is {}", self.event_stage.name()));
        }
        let by_customer = matches!(actor, Actor::User(_, Role::Customer));
        match (from, to) {
            (Some(Confirmed), _) if by_customer && self.event_stage == Stage::Published && self.used.contains(&id) => {
                self.find("I1", format!("booking {id} is given up after one of its tickets was used"));
            }
            (Some(Pending), Expired) if was_live => self.find("I5", format!("booking {id} is ended before its hold has run out")),
            (Some(Pending), Expired) if reason == Some("taken_over") => world.met(Rare::HoldTakenOver),
            (Some(Pending), Pending) if !was_live && matches!(reason, Some("extended" | "payment_started")) => {
                self.find("I5", format!("booking {id} goes on after its hold has run out ({})", reason.unwrap_or_default()));
            }
            (Some(Pending), Confirmed) if !was_live && actor != Actor::Gateway => {
                self.find(
                    "I5",
                    format!("booking {id} is confirmed after its hold has run out, and not for money that came late"),
                );
            }
            (Some(Pending | Expired), Confirmed) if !was_live => world.met(match reason {
                Some("paid_late_other_seats") => Rare::LateMoneyOtherSeats,
                _ => Rare::LateMoneyRevives,
            }),
            _ => {}
        }
    }

    fn answer(&mut self, world: &World, request: &Request, answer: &Answer) {
        self.key(world, request, answer);
        if answer.replayed {
            return;
        }
        match (&request.command, &answer.result) {
            (Command::Hold { user_id, seats, .. }, Ok(Outcome::Booking(booking))) => {
                self.all_seats(world, booking, seats.len());
                self.limit(world, *user_id, answer.at);
            }
            (Command::Hold { .. }, Err(Rejection::TooManySeats(SeatLimit::Held { .. }))) => world.met(Rare::LimitRefuses),
            (Command::Hold { .. }, Err(Rejection::NotOnSale(_))) => world.met(Rare::HoldAtCancelledEvent),
            (Command::Hold { .. }, Err(Rejection::SeatsUnavailable(taken))) => self.refused(world, taken, answer.at),
            (Command::Block { .. }, Err(Rejection::SeatsUnavailable(_))) => world.met(Rare::HouseMeetsHold),
            (Command::SettlePayment { report: GatewayReport::Failed { reason }, .. }, Ok(Outcome::Payment(payment, booking))) => {
                let refused = matches!(&payment.state, PaymentState::Failed { reason: ours } if ours == reason);
                if refused && booking.hold().is_some_and(|hold| hold.is_live(answer.at)) {
                    world.met(Rare::PaymentRefused);
                }
            }
            (Command::SettlePayment { report: GatewayReport::Succeeded, .. }, Ok(Outcome::Payment(payment, booking))) => {
                let names = matches!(booking.state, BookingState::Confirmed { payment: Some(id), .. } if id == payment.id);
                if booking.status() == BookingStatus::Confirmed && !names {
                    world.met(Rare::GivenUpPaymentCaptured);
                }
            }
            (Command::StartPayment { .. }, Ok(Outcome::Payment(payment, _))) if payment.amount.amount == 0 => {
                world.met(Rare::PaidForNothing);
            }
            (Command::CheckIn { .. }, Ok(Outcome::CheckIn(Admission::AlreadyAdmitted { .. }, _))) => {
                world.met(Rare::TicketShownTwice);
            }
            (Command::CheckIn { .. }, Ok(Outcome::CheckIn(Admission::Cancelled, _))) => world.met(Rare::DeadTicketShown),
            _ => {}
        }
    }

    fn all_seats(&mut self, world: &World, booking: &Booking, wanted: usize) {
        if booking.seats.len() != wanted {
            self.find("I1", format!("booking {} has {} seats, and {wanted} were wanted", booking.id, booking.seats.len()));
        }
        if booking.seats.len() > world.fixture.event.details.max_seats_per_booking as usize {
            self.find("I10", format!("booking {} has {} seats, more than it may", booking.id, booking.seats.len()));
        }
    }

    /// Whoever is refused seats is so because somebody has them.
    fn refused(&mut self, world: &World, taken: &[(SeatId, SeatStatus)], at: Timestamp) {
        if world.plan.locks {
            world.met(Rare::LockLostStoreRefuses);
        }
        let free = |seat: &SeatId| {
            // What was the case in the middle of the transaction is not known any more.
            let number = seat.number().filter(|number| !self.touched.0.contains(number))?;
            if self.owners.get(&number).is_some_and(|owner| self.touched.1.contains(owner)) {
                return None;
            }
            let over = match self.owners.get(&number).and_then(|owner| self.bookings.get(owner)) {
                Some(booking) => booking.status == BookingStatus::Pending && !booking.is_live(at),
                None => self.seats.get(&number).is_none_or(|status| *status == SeatStatus::Available),
            };
            over.then_some(number)
        };
        if let Some(seat) = taken.iter().find_map(|(seat, _)| free(seat)) {
            self.find("I5", format!("seat {seat} is refused, and nobody has it any more"));
        }
    }

    /// One key has one effect, and one answer.
    fn key(&mut self, world: &World, request: &Request, answer: &Answer) {
        if let Command::SettlePayment { answers: Some(key), .. } = &request.command
            && let Some((_, first)) = self.answers.get_mut(&key.id)
            && matches!(first.result, Ok(Outcome::PaymentStarted(..)))
        {
            first.clone_from(answer);
            return;
        }
        let Some(key) = &request.key else { return };
        let Some((fingerprint, first)) = self.answers.get(&key.id) else {
            self.answers.insert(key.id, (key.fingerprint, answer.clone()));
            return;
        };
        let wrong = match (*fingerprint == key.fingerprint, &answer.result) {
            (false, Err(Rejection::KeyReused)) => {
                world.met(Rare::KeyReused);
                return;
            }
            (false, _) => "a key is good for two requests",
            (true, _) if !answer.replayed => "a request is carried out a second time under its key",
            (true, result) if *result != first.result || answer.at != first.at => "a key is given another answer than before",
            (true, _) => {
                world.met(Rare::AnsweredElsewhere);
                return;
            }
        };
        let what = format!("{wrong}: {:?}: first {first:?}, then {answer:?}", request.command);
        self.find("I7", what);
    }

    fn limit(&mut self, world: &World, user: UserId, at: Timestamp) {
        let theirs = self.bookings.values().filter(|booking| booking.user == user && booking.is_live(at));
        let held = theirs.map(|booking| booking.seats).sum::<u32>();
        let max = world.fixture.event.details.max_seats_held;
        match held.cmp(&max) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => world.met(Rare::LimitReached),
            std::cmp::Ordering::Greater => {
                self.find("I10", format!("customer {user} has {held} seats on hold where {max} may be"));
            }
        }
    }

    /// Checks everything that stands.
    fn look_through(&mut self, world: &World) -> EventRecords {
        let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
        let records = records.expect("the event is there");
        let layout = &world.fixture.layout;
        // By the clock that is furthest ahead.
        let now = world.now() + world.plan.skew;
        let mut found = audit::check(&records, Some(layout), now);
        found.extend(audit::check_terms(&records, &world.plan.terms));
        self.breaches.extend(found.into_iter().map(Breach::from));
        records
    }

    fn came_to_its_end(&mut self, world: &World, records: &EventRecords) {
        let called_off = records.event.stage == Stage::Cancelled;
        for booking in &records.bookings {
            let left = match booking.status() {
                BookingStatus::Pending => true,
                BookingStatus::Confirmed => called_off,
                _ => false,
            };
            if left {
                self.find("I12", format!("booking {} is {} for ever", booking.id, booking.status().name()));
            }
        }
        // One that was given up is still asked about; whether the gateway has captured it is looked at below.
        for payment in records.payments.iter().filter(|payment| payment.is_open()) {
            self.find("I12", format!("payment {} is undecided for ever", payment.id));
        }
        for refund in records.refunds.iter().filter(|refund| refund.state == RefundState::Pending) {
            self.find("I12", format!("refund {} is owed for ever", refund.id));
        }
        if !world.broker.is_empty() {
            self.find("I12", "messages wait for ever");
        }
        let figures =
            at_once(audit::audit_figures(&*world.store, &*world.store, &*world.store)).expect("nothing in memory fails");
        self.breaches.extend(figures.into_iter().map(Breach::from));
    }

    /// What came in and went out at the gateway is what is written down.
    fn agrees_with_the_gateway(&mut self, world: &World, records: &EventRecords) {
        let charges = lock(&world.gateway.charges).clone();
        for (id, charge) in &charges {
            let captured = if charge.state == GatewayReport::Succeeded { charge.amount.amount } else { 0 };
            let ours =
                records.payments.iter().find(|payment| payment.id == *id).map_or(0, evently_core::domain::Payment::captured);
            if captured != ours {
                self.find("I3", format!("the gateway has captured {captured} for payment {id}, and {ours} is written down"));
            }
        }
        for payment in records.payments.iter().filter(|payment| payment.captured() > 0 && !charges.contains_key(&payment.id)) {
            self.find("I3", format!("payment {} was never charged", payment.id));
        }
        let sent = lock(&world.gateway.refunds).clone();
        for (id, (payment, amount)) in &sent {
            let ours = records.refunds.iter().find(|refund| refund.id == *id);
            if ours.is_none_or(|refund| refund.payment_id != *payment || refund.amount.amount != *amount) {
                self.find("I3", format!("the gateway has sent {amount} of payment {payment} back, which nobody owes"));
            }
        }
        for refund in records.refunds.iter().filter(|refund| !sent.contains_key(&refund.id)) {
            self.find("I3", format!("refund {} was never sent", refund.id));
        }
    }

    /// Each reason for a mail has led to one mail, and nothing else has.
    fn all_were_told(&mut self, world: &World) {
        let entries = at_once(world.store.after(0, u32::MAX)).expect("nothing in memory fails");
        let expected = entries.iter().filter_map(|entry| {
            let booking = match entry.transition.fact {
                Fact::Booking { id, from: Some(from), to, .. } if from != to => {
                    [from, to].contains(&BookingStatus::Confirmed).then_some(id)
                }
                Fact::RefundDue { booking_id, .. } => {
                    matches!(entry.transition.reason.as_deref(), Some("paid_too_late" | "already_paid")).then_some(booking_id)
                }
                _ => None,
            };
            booking.map(|booking| format!("{:012}-{booking}", entry.position))
        });
        let expected = expected.collect::<BTreeSet<_>>();
        let sent = lock(&world.mailer.sent).keys().cloned().collect::<BTreeSet<_>>();
        for mail in expected.difference(&sent) {
            self.find("I4", format!("mail {mail} was never sent"));
        }
        for mail in sent.difference(&expected) {
            self.find("I4", format!("mail {mail} was sent without a reason"));
        }
        let handed_on =
            at_once(Outbox::position(&*world.store, evently_core::services::Relay::CONSUMER)).expect("nothing in memory fails");
        if handed_on != self.journal {
            self.find("I12", format!("{handed_on} of {} entries were handed on", self.journal));
        }
    }
}

/// An entry as people read it.
fn told(entry: &Entry) -> String {
    let transition = &entry.transition;
    let seats = transition.seats.iter().map(|step| step.number.to_string()).collect::<Vec<_>>().join(", ");
    let seats = if seats.is_empty() { String::new() } else { format!(", seats {seats}") };
    let why = transition.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let who = transition.actor.name();
    match transition.fact {
        Fact::Event { stage, version } => format!("the event is {}, version {version}{why}, by {who}", stage.name()),
        Fact::House { to } => format!("the house makes seats {}{seats}", to.name()),
        Fact::Booking { id, from, to, .. } => {
            let from = from.map_or("new", BookingStatus::name);
            format!("booking {id}: {from} -> {}{seats}{why}, by {who}", to.name())
        }
        Fact::Captured { payment_id, booking_id, amount } => {
            format!("payment {payment_id} of {amount} for booking {booking_id} is captured")
        }
        Fact::RefundDue { payment_id, amount, .. } => format!("{amount} of payment {payment_id} is owed back{why}"),
        Fact::RefundSent { refund_id, .. } => format!("refund {refund_id} has been sent"),
        Fact::CheckedIn { ticket_id, seat, .. } => format!("ticket {ticket_id} is used, seat {seat}"),
    }
}
