//! What the journal says has happened: whether it may have.

use std::hash::Hasher;

use evently_core::{
    domain::{
        Actor, Booking, BookingCode, BookingId, BookingStatus, Entry, Fact, RefundPolicy, Role, SeatStatus, Stage, Timestamp,
        UserId,
    },
    ports::Bookings,
};

use super::{Breach, Seen};
use crate::simulation::{executor::at_once, rare::Rare, world::World};

/// What is remembered of a booking.
pub(super) struct Shadow {
    pub user: UserId,
    pub seats: u32,
    pub status: BookingStatus,
    pub deadline: Option<Timestamp>,
    pub paying: bool,
    pub code: Option<BookingCode>,
    /// In the middle of a transaction that goes on with it: when its hold ends is not known.
    pub moving: bool,
}

impl Shadow {
    fn of(booking: &Booking) -> Self {
        Self {
            user: booking.user_id,
            seats: u32::try_from(booking.seats.len()).expect("a booking is small"),
            status: booking.status(),
            deadline: booking.hold().map(evently_core::domain::Hold::expires_at),
            paying: booking.hold().is_some_and(|hold| hold.payment.is_some()),
            code: booking.code,
            moving: false,
        }
    }

    pub fn is_live(&self, at: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| at < deadline)
    }
}

impl Seen {
    pub(super) fn entry(&mut self, world: &World, entry: &Entry) {
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
                Some("paid_after_cancelling") => world.met(Rare::PaidAfterCancelling),
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
        let by_customer = matches!(entry.transition.actor, Actor::User(_, Role::Customer));
        match from {
            None => self.promised.extend(self.terms.map(|terms| (id, terms))),
            Some(BookingStatus::Confirmed) if by_customer && self.event_stage == Stage::Published => {
                self.came_back(world, id, entry.transition.at);
            }
            Some(_) => {}
        }
        if self.bookings.get(&id).is_none_or(|before| !before.moving) {
            self.step(world, entry, id, (from, to));
        }
        // Of several steps in one transaction only the last one's row stands.
        if let Some(row) = at_once(world.store.booking(id)).expect("nothing in memory fails") {
            let now = Shadow { status: to, moving: row.version > version, ..Shadow::of(&row) };
            let code = now.code;
            if let Some(before) = self.bookings.insert(id, now).and_then(|before| before.code)
                && code != Some(before)
            {
                self.find("I2", format!("booking {id} had the code {before} and has another"));
            }
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
        if (from.is_none() || to == Confirmed) && self.event_stage != Stage::Published {
            self.find("I10", format!("booking {id} becomes {} of an event that is {}", to.name(), self.event_stage.name()));
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
}

impl Seen {
    /// Nobody gets less back than they were promised when they held their seats.
    fn came_back(&mut self, world: &World, id: BookingId, at: Timestamp) {
        let records = at_once(world.store.records(id)).expect("nothing in memory fails").expect("it has just been changed");
        let share = |terms: &RefundPolicy| {
            if at < terms.until { records.booking.total.amount * i64::from(terms.percent) / 100 } else { 0 }
        };
        let for_that = records.refunds.iter().filter(|refund| refund.reason == "booking_cancelled");
        let back = for_that.map(|refund| refund.amount.amount).sum::<i64>();
        if self.terms.as_ref().is_some_and(|terms| share(terms) < back) {
            world.met(Rare::GivenUpOnKeptTerms);
        }
        let Some(promised) = self.promised.get(&id).map(share) else { return };
        if promised < back {
            world.met(Rare::GivenUpOnBetterTerms);
        }
        if back < promised {
            self.find("I3", format!("booking {id} is given up, {back} goes back, and {promised} was promised"));
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
        Fact::Event { stage, version, .. } => format!("the event is {}, version {version}{why}, by {who}", stage.name()),
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
