//! The rules, told plainly.

#![expect(clippy::unnecessary_wraps, reason = "each rule gives an answer, also one that never refuses")]

mod money;

use std::collections::{BTreeMap, BTreeSet};

use evently_core::domain::{
    Actor, Admission, BookedSeat, Booking, BookingId, BookingState, BookingStatus, Event, Hold, HoldTerms, NotOnSale, Payment,
    PaymentId, Rejection, Role, Seat, SeatId, SeatLimit, SeatState, SeatStatus, Stage, Thing, TicketState, Timestamp, UserId,
};

pub(super) use self::money::Report;
use super::view::{Said, View, invalid};

/// One event and all that has happened at it.
pub(super) struct Model {
    pub now: Timestamp,
    pub terms: HoldTerms,
    pub event: Event,
    pub seats: Vec<Seat>,
    pub bookings: BTreeMap<BookingId, Booking>,
    pub payments: BTreeMap<PaymentId, Payment>,
    /// What goes back of a payment, and whether it was sent.
    pub refunds: BTreeMap<PaymentId, (i64, bool)>,
    pub tickets: BTreeMap<(BookingId, u32), TicketState>,
    /// The messages of each gateway.
    pub messages: BTreeSet<(String, u8)>,
}

type Refusable<T> = Result<T, Rejection>;

impl Model {
    pub fn new(now: Timestamp, terms: HoldTerms, event: Event, categories: impl IntoIterator<Item = u16>) -> Self {
        let seats =
            (0..).zip(categories).map(|(number, category)| Seat { number, category, state: SeatState::Available, version: 0 });
        Self {
            now,
            terms,
            event,
            seats: seats.collect(),
            bookings: BTreeMap::new(),
            payments: BTreeMap::new(),
            refunds: BTreeMap::new(),
            tickets: BTreeMap::new(),
            messages: BTreeSet::new(),
        }
    }

    pub fn hold(&mut self, id: BookingId, user_id: UserId, wanted: &[u32]) -> Said {
        if let Some(known) = self.bookings.get(&id) {
            let seats = known.seats.iter().map(|seat| seat.number).collect::<BTreeSet<_>>();
            let same = seats.len() == wanted.len() && seats == wanted.iter().copied().collect() && known.user_id == user_id;
            return if same { self.shown(id) } else { Err(invalid()) };
        }
        let sales = self.event.details.on_sale;
        match self.event.stage {
            Stage::Draft => return Err(Rejection::NotOnSale(NotOnSale::Draft)),
            Stage::Cancelled => return Err(Rejection::NotOnSale(NotOnSale::Cancelled)),
            Stage::Published if self.now < sales.opens_at => return Err(Rejection::NotOnSale(NotOnSale::NotYet(sales.opens_at))),
            Stage::Published if self.now >= sales.closes_at => {
                return Err(Rejection::NotOnSale(NotOnSale::Over(sales.closes_at)));
            }
            Stage::Published => {}
        }
        let max = self.event.details.max_seats_per_booking;
        if wanted.len() > max as usize {
            return Err(Rejection::TooManySeats(SeatLimit::PerBooking { max }));
        }
        let wanted = self.existing(wanted)?;
        let ours = self.bookings.values().filter(|booking| booking.user_id == user_id && self.on_hold(booking));
        let held = ours.map(|booking| u32::try_from(booking.seats.len()).expect("a few")).sum::<u32>();
        let max = self.event.details.max_seats_held;
        if held + u32::try_from(wanted.len()).expect("a few") > max {
            return Err(Rejection::TooManySeats(SeatLimit::Held { max, held }));
        }
        self.none_in_the_way(&wanted, |seat| self.to_be_had(seat))?;
        self.take_over(&wanted);

        let seats = wanted.iter().map(|&number| BookedSeat { number, price: self.price(number) }).collect::<Vec<_>>();
        let total = self.event.money(seats.iter().map(|seat| seat.price).sum());
        let state = BookingState::Pending(Hold { until: self.now + self.terms.ttl, payment: None });
        let (event_id, created_at) = (self.event.id, self.now);
        let refunds = Some(self.event.details.refunds);
        let booking = Booking { id, event_id, user_id, seats, total, refunds, code: None, state, created_at, version: 1 };
        self.bookings.insert(id, booking.clone());
        for number in wanted {
            self.set_seat(number, SeatState::Reserved(id));
        }
        Ok(View::Booking(booking))
    }

    pub fn extend(&mut self, id: BookingId, by: Actor) -> Said {
        self.visible(id, by)?;
        let hold = self.on_hold_still(id)?;
        let cap = self.bookings[&id].created_at + self.terms.cap;
        let until = (self.now + self.terms.ttl).min(cap);
        if hold.until >= cap {
            return Err(Rejection::ExtensionLimit(cap));
        }
        if until > hold.until {
            self.set_state(id, BookingState::Pending(Hold { until, ..hold }));
        }
        self.shown(id)
    }

    pub fn expire(&mut self, id: BookingId) -> Said {
        self.visible(id, Actor::System)?;
        let booking = &self.bookings[&id];
        if booking.status() == BookingStatus::Pending && !self.on_hold(booking) {
            self.end(id, BookingState::Expired);
        }
        self.shown(id)
    }

    pub fn cancel(&mut self, id: BookingId, expected: Option<BookingStatus>, by: Actor) -> Said {
        self.visible(id, by)?;
        let status = self.bookings[&id].status();
        if expected.is_some_and(|expected| expected != status) {
            return Err(Rejection::StatusChanged(status));
        }
        match self.bookings[&id].state {
            BookingState::Pending(_) => self.end(id, BookingState::Cancelled),
            BookingState::Confirmed { payment, .. } => self.cancel_sold(id, payment, by)?,
            BookingState::Expired => self.set_state(id, BookingState::Cancelled),
            BookingState::Cancelled | BookingState::Refunded => {}
        }
        self.shown(id)
    }

    fn cancel_sold(&mut self, id: BookingId, payment: Option<PaymentId>, by: Actor) -> Refusable<()> {
        let mut kept = self.bookings[&id].refunds;
        if let Some(kept) = &mut kept {
            kept.until = kept.until.min(self.event.details.end_time);
        }
        let mut terms = kept.into_iter().chain([self.event.details.refunds]).collect::<Vec<_>>();
        terms.sort_by_key(|terms| terms.until);
        let last = *terms.last().expect("those of the event");
        terms.retain(|terms| self.now < terms.until);
        let customer = matches!(by, Actor::User(_, Role::Customer));
        let used = self.tickets.iter().any(|((of, _), state)| *of == id && matches!(state, TicketState::CheckedIn { .. }));
        let percent = if self.event.stage == Stage::Cancelled || !customer {
            100
        } else if used {
            return Err(Rejection::TicketUsed);
        } else if terms.is_empty() {
            return Err(Rejection::CancellationClosed(last.until));
        } else {
            terms.iter().map(|terms| terms.percent).fold(0, u8::max)
        };
        let back = self.bookings[&id].total.amount * i64::from(percent) / 100;
        for ((of, _), state) in &mut self.tickets {
            if *of == id && *state == TicketState::Valid {
                *state = TicketState::Void;
            }
        }
        self.end(id, if back > 0 { BookingState::Refunded } else { BookingState::Cancelled });
        if back > 0 {
            self.send_back(payment.expect("what costs something was paid"), back);
        }
        Ok(())
    }

    /// Blocks seats, or unblocks them.
    pub fn house(&mut self, seats: &[u32], from: SeatState, to: SeatState) -> Said {
        let seats = self.existing(seats)?;
        let blocks = to == SeatState::Blocked;
        self.none_in_the_way(&seats, |seat| seat.state == from || blocks && self.to_be_had(seat))?;
        if blocks {
            self.take_over(&seats);
        }
        for number in &seats {
            self.set_seat(*number, to);
        }
        let status = if blocks { SeatStatus::Blocked } else { SeatStatus::Available };
        Ok(View::Seats(seats, status))
    }

    pub fn check_in(&mut self, ticket: (BookingId, u32), by: UserId, elsewhere: bool) -> Said {
        if elsewhere {
            return Ok(View::CheckIn(Admission::WrongEvent, None));
        }
        let state = self.tickets.get_mut(&ticket).expect("the driver asks for tickets that are there");
        let admission = match *state {
            TicketState::Void => Admission::Cancelled,
            TicketState::CheckedIn { at, .. } => Admission::AlreadyAdmitted { at },
            TicketState::Valid => {
                *state = TicketState::CheckedIn { at: self.now, by };
                Admission::Admitted
            }
        };
        Ok(View::CheckIn(admission, Some(*state)))
    }

    pub fn edit(&mut self, front: i64, percent: u8, until: Option<Timestamp>, moved: Option<(Timestamp, Timestamp)>) -> Said {
        if self.event.stage == Stage::Cancelled {
            return Err(Rejection::EventCancelled);
        }
        self.event.categories[0].price = front;
        self.event.details.refunds.percent = percent;
        self.event.details.refunds.until = until.unwrap_or(self.event.details.refunds.until);
        if let Some((start, end)) = moved {
            let details = &mut self.event.details;
            (details.start_time, details.end_time, details.on_sale.closes_at) = (start, end, end);
        }
        self.event.version += 1;
        Ok(View::Event(self.event.stage, self.event.version))
    }

    pub fn publish(&mut self) -> Said {
        match self.event.stage {
            Stage::Cancelled => return Err(Rejection::EventCancelled),
            Stage::Published => {}
            Stage::Draft => self.set_stage(Stage::Published),
        }
        Ok(View::Event(self.event.stage, self.event.version))
    }

    pub fn call_off(&mut self) -> Said {
        if self.event.stage != Stage::Cancelled {
            self.set_stage(Stage::Cancelled);
        }
        Ok(View::Event(self.event.stage, self.event.version))
    }

    fn set_stage(&mut self, stage: Stage) {
        self.event.stage = stage;
        self.event.version += 1;
    }

    /// The seats in order, if the event has them and each is named once.
    fn existing(&self, seats: &[u32]) -> Refusable<Vec<u32>> {
        let all_there = seats.iter().all(|number| (*number as usize) < self.seats.len());
        let once = seats.iter().collect::<BTreeSet<_>>();
        if seats.is_empty() || !all_there || once.len() < seats.len() {
            Err(invalid())
        } else {
            Ok(once.into_iter().copied().collect())
        }
    }

    fn none_in_the_way(&self, seats: &[u32], good: impl Fn(&Seat) -> bool) -> Refusable<()> {
        let taken = seats.iter().map(|number| &self.seats[*number as usize]).filter(|seat| !good(seat));
        let taken = taken.map(|seat| (self.seat_id(seat.number), seat.status())).collect::<Vec<_>>();
        if taken.is_empty() { Ok(()) } else { Err(Rejection::SeatsUnavailable(taken)) }
    }

    fn seat_id(&self, number: u32) -> SeatId {
        self.event.layout_id.seat(number)
    }

    fn price(&self, number: u32) -> i64 {
        self.event.categories[usize::from(self.seats[number as usize].category)].price
    }

    /// Whether a booking has its seats reserved, and time left.
    fn on_hold(&self, booking: &Booking) -> bool {
        let BookingState::Pending(hold) = &booking.state else { return false };
        self.now < hold.until || hold.payment.is_some_and(|(_, until)| self.now < until)
    }

    /// Whether a seat is available, or on hold for somebody whose time has run out.
    fn to_be_had(&self, seat: &Seat) -> bool {
        match seat.state {
            SeatState::Available => true,
            SeatState::Reserved(owner) => !self.on_hold(&self.bookings[&owner]),
            SeatState::Booked(_) | SeatState::Blocked => false,
        }
    }

    /// Ends the holds that have run out and stand in the way of seats that are to be had.
    fn take_over(&mut self, wanted: &[u32]) {
        let due = wanted.iter().filter_map(|number| self.seats[*number as usize].owner()).collect::<BTreeSet<_>>();
        for owner in due {
            self.end(owner, BookingState::Expired);
        }
    }

    fn on_hold_still(&self, id: BookingId) -> Refusable<Hold> {
        let booking = &self.bookings[&id];
        let details = &self.event.details;
        match &booking.state {
            BookingState::Pending(_) if self.on_hold(booking) && self.event.stage == Stage::Cancelled => {
                Err(Rejection::NotOnSale(NotOnSale::Cancelled))
            }
            BookingState::Pending(_) if self.on_hold(booking) && self.now >= details.end_time => {
                Err(Rejection::NotOnSale(NotOnSale::Over(details.on_sale.closes_at)))
            }
            BookingState::Pending(hold) if self.on_hold(booking) => Ok(*hold),
            BookingState::Pending(_) | BookingState::Expired => Err(Rejection::HoldExpired),
            _ => Err(Rejection::NotPending(booking.status())),
        }
    }

    fn visible(&self, id: BookingId, by: Actor) -> Refusable<()> {
        let theirs = |booking: &Booking| match by {
            Actor::User(user, Role::Customer) => booking.user_id == user,
            _ => true,
        };
        if self.bookings.get(&id).is_some_and(theirs) { Ok(()) } else { Err(Rejection::NotFound(Thing::Booking)) }
    }

    fn shown(&self, id: BookingId) -> Said {
        Ok(View::Booking(self.bookings[&id].clone()))
    }

    fn set_state(&mut self, id: BookingId, state: BookingState) {
        let booking = self.bookings.get_mut(&id).expect("it is there");
        booking.state = state;
        booking.version += 1;
    }

    fn set_seat(&mut self, number: u32, state: SeatState) {
        let seat = &mut self.seats[number as usize];
        seat.state = state;
        seat.version += 1;
    }

    /// Ends a booking, and frees what seats it has.
    fn end(&mut self, id: BookingId, state: BookingState) {
        for seat in self.seats.iter_mut().filter(|seat| [SeatState::Reserved(id), SeatState::Booked(id)].contains(&seat.state)) {
            seat.state = SeatState::Available;
            seat.version += 1;
        }
        self.set_state(id, state);
    }
}
