//! A batch in memory: the rows that were read for it, and what the core's decisions make of them.
//!
//! Which rows a decision needs shows only while it decides. So a batch is decided over what has been read so far; where a row is
//! missing the decision stops, the row is noted as wanted, all wanted rows are read in bulk, and the whole batch is decided
//! anew. What can be foreseen is wanted from the start, and with a booking come its seats, so that a batch of holds is decided at the first go.

use std::sync::Arc;

use evently_core::domain::{
    Answer, Booking, BookingCode, BookingId, Command, Event, EventId, Layout, LayoutId, Ledger, Payment, PaymentId, Refund,
    RefundId, Request, RequestKey, Seat, SeatChange, SeatId, SeatState, Ticket, TicketCode, TicketId, Timestamp, Transition,
    UserId, Venue, VenueId,
};
use rustc_hash::{FxHashMap, FxHashSet};

pub(crate) type Kept = ([u8; 32], Answer);

/// Rows that have been read. What is known not to be there is there as `None`.
#[derive(Default)]
pub(crate) struct Rows {
    /// The server's time when the first of them were read.
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) venues: FxHashMap<VenueId, Option<Venue>>,
    pub(crate) layouts: FxHashMap<LayoutId, Option<Arc<Layout>>>,
    pub(crate) events: FxHashMap<EventId, Option<Arc<Event>>>,
    pub(crate) seats: FxHashMap<(EventId, u32), Option<Seat>>,
    /// Where the row of a seat stood then (`ctid`).
    pub(crate) places: FxHashMap<(EventId, u32), String>,
    pub(crate) bookings: FxHashMap<BookingId, Option<Booking>>,
    /// The pending bookings of a customer at an event.
    pub(crate) pending: FxHashMap<(EventId, UserId), Vec<BookingId>>,
    pub(crate) payments: FxHashMap<PaymentId, Option<Payment>>,
    pub(crate) refunds: FxHashMap<RefundId, Option<Refund>>,
    pub(crate) tickets_of: FxHashMap<BookingId, Vec<Ticket>>,
    pub(crate) tickets: FxHashMap<TicketCode, Option<Ticket>>,
    /// Whether a gateway's message has been taken in.
    pub(crate) messages: FxHashMap<(String, String), bool>,
    pub(crate) answers: FxHashMap<[u8; 32], Option<Kept>>,
}

/// Rows to be read.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) venues: FxHashSet<VenueId>,
    pub(crate) layouts: FxHashSet<LayoutId>,
    pub(crate) events: FxHashSet<EventId>,
    pub(crate) seats: FxHashSet<(EventId, u32)>,
    pub(crate) bookings: FxHashSet<BookingId>,
    pub(crate) pending: FxHashSet<(EventId, UserId)>,
    pub(crate) payments: FxHashSet<PaymentId>,
    pub(crate) refunds: FxHashSet<RefundId>,
    pub(crate) tickets_of: FxHashSet<BookingId>,
    pub(crate) tickets: FxHashSet<TicketCode>,
    pub(crate) messages: FxHashSet<(String, String)>,
    pub(crate) answers: FxHashSet<[u8; 32]>,
}

impl Wanted {
    /// What the decisions on these requests are sure to ask for, and has not been read.
    pub(crate) fn foreseen(requests: &[Request], rows: &Rows) -> Self {
        let mut wanted = Self::default();
        for request in requests {
            wanted.answers.extend(request.key.map(|key| key.id));
            wanted.foresee(&request.command, rows);
        }
        // With a booking come its event and its seats, unless it was only read to count what its customer holds.
        let counted = rows.pending.values().flatten().filter(|id| !wanted.bookings.contains(id)).copied();
        let counted = counted.collect::<FxHashSet<_>>();
        for booking in rows.bookings.values().flatten().filter(|booking| !counted.contains(&booking.id)) {
            wanted.events.insert(booking.event_id);
            wanted.seats.extend(booking.seats.iter().map(|seat| (booking.event_id, seat.number)));
        }
        wanted.without(rows)
    }

    fn foresee(&mut self, command: &Command, rows: &Rows) {
        match command {
            Command::CreateVenue { venue, layout } => {
                self.venues.insert(venue.id);
                self.layouts.insert(layout.id);
            }
            Command::CreateEvent { event, .. } => {
                self.events.insert(event.id);
                self.venues.insert(event.venue_id);
                self.layouts.insert(event.layout_id);
            }
            Command::EditEvent { event_id, .. } | Command::PublishEvent { event_id } | Command::CancelEvent { event_id, .. } => {
                self.events.insert(*event_id);
            }
            Command::Hold { booking_id, event_id, user_id, seats, .. } => {
                self.events.insert(*event_id);
                self.bookings.insert(*booking_id);
                self.pending.insert((*event_id, *user_id));
                self.foresee_free(*event_id, seats, rows);
            }
            Command::Block { event_id, seats } => {
                self.events.insert(*event_id);
                self.foresee_free(*event_id, seats, rows);
            }
            Command::Unblock { event_id, seats } => {
                self.events.insert(*event_id);
                self.seats.extend(seats.iter().filter_map(|seat| Some((*event_id, seat.number()?))));
            }
            Command::Extend { booking_id, .. } | Command::Expire { booking_id } => {
                self.bookings.insert(*booking_id);
            }
            Command::Cancel { booking_id, .. } => {
                self.bookings.insert(*booking_id);
                self.tickets_of.insert(*booking_id);
            }
            Command::StartPayment { booking_id, payment_id, .. } | Command::Confirm { booking_id, payment_id, .. } => {
                self.bookings.insert(*booking_id);
                self.payments.insert(*payment_id);
            }
            Command::SettlePayment { payment_id, message, instead, answers, .. } => {
                self.answers.extend(answers.map(|key| key.id));
                self.payments.insert(*payment_id);
                if let Some(Some(payment)) = rows.payments.get(payment_id) {
                    self.bookings.insert(payment.booking_id);
                    self.seats.extend(instead.iter().map(|&number| (payment.event_id, number)));
                    self.messages.extend(message.as_ref().map(|message| (payment.provider.clone(), message.clone())));
                }
            }
            Command::SettleRefund { refund_id } => {
                self.refunds.insert(*refund_id);
            }
            Command::CheckIn { code, .. } => {
                self.tickets.insert(*code);
            }
        }
    }

    /// Seats that have to be free, and the holds that are in the way: they may have run out.
    fn foresee_free(&mut self, event: EventId, seats: &[SeatId], rows: &Rows) {
        for number in seats.iter().filter_map(|seat| seat.number()) {
            self.seats.insert((event, number));
            if let Some(Some(Seat { state: SeatState::Reserved(owner), .. })) = rows.seats.get(&(event, number)) {
                self.bookings.insert(*owner);
            }
        }
    }

    fn without(mut self, rows: &Rows) -> Self {
        self.venues.retain(|key| !rows.venues.contains_key(key));
        self.layouts.retain(|key| !rows.layouts.contains_key(key));
        self.events.retain(|key| !rows.events.contains_key(key));
        self.seats.retain(|key| !rows.seats.contains_key(key));
        self.bookings.retain(|key| !rows.bookings.contains_key(key));
        self.pending.retain(|key| !rows.pending.contains_key(key));
        self.payments.retain(|key| !rows.payments.contains_key(key));
        self.refunds.retain(|key| !rows.refunds.contains_key(key));
        self.tickets_of.retain(|key| !rows.tickets_of.contains_key(key));
        self.tickets.retain(|key| !rows.tickets.contains_key(key));
        self.messages.retain(|key| !rows.messages.contains_key(key));
        self.answers.retain(|key| !rows.answers.contains_key(key));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.venues.is_empty()
            && self.layouts.is_empty()
            && self.events.is_empty()
            && self.seats.is_empty()
            && self.bookings.is_empty()
            && self.pending.is_empty()
            && self.payments.is_empty()
            && self.refunds.is_empty()
            && self.tickets_of.is_empty()
            && self.tickets.is_empty()
            && self.messages.is_empty()
            && self.answers.is_empty()
    }
}

/// A row has not been read yet.
pub(crate) struct Missing;

/// The batch as it is being decided.
pub(crate) struct BatchLedger<'r> {
    rows: &'r Rows,
    pub(crate) wanted: Wanted,
    pub(crate) written: Written,
    /// Bookings that this batch began.
    begun: FxHashMap<(EventId, UserId), Vec<BookingId>>,
}

/// What the decisions have written.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) venues: Vec<(Venue, Arc<Layout>)>,
    pub(crate) created: Vec<(Arc<Event>, Vec<u16>)>,
    pub(crate) events: FxHashMap<EventId, Arc<Event>>,
    pub(crate) seats: FxHashMap<(EventId, u32), Seat>,
    pub(crate) bookings: FxHashMap<BookingId, Booking>,
    pub(crate) payments: FxHashMap<PaymentId, Payment>,
    pub(crate) refunds: FxHashMap<RefundId, Refund>,
    pub(crate) tickets: FxHashMap<TicketId, Ticket>,
    pub(crate) messages: FxHashMap<(String, String), Timestamp>,
    pub(crate) journal: Vec<Transition>,
    pub(crate) answers: FxHashMap<[u8; 32], Kept>,
    pub(crate) changes: Vec<SeatChange>,
}

impl<'r> BatchLedger<'r> {
    pub(crate) fn new(rows: &'r Rows) -> Self {
        Self { rows, wanted: Wanted::default(), written: Written::default(), begun: FxHashMap::default() }
    }
}

/// What was written, else what was read, else the row is wanted.
macro_rules! look_up {
    ($self:ident, $table:ident, $key:expr) => {{
        let key = $key;
        match ($self.written.$table.get(&key), $self.rows.$table.get(&key)) {
            (Some(written), _) => Ok(Some(written.clone())),
            (None, Some(read)) => Ok(read.clone()),
            (None, None) => {
                $self.wanted.$table.insert(key);
                Err(Missing)
            }
        }
    }};
}

impl Ledger for BatchLedger<'_> {
    type Error = Missing;

    fn create_venue(&mut self, venue: &Venue, layout: &Arc<Layout>) -> Result<(), Missing> {
        self.written.venues.push((venue.clone(), Arc::clone(layout)));
        Ok(())
    }

    fn venue(&mut self, id: VenueId) -> Result<Option<Venue>, Missing> {
        if let Some((venue, _)) = self.written.venues.iter().find(|(venue, _)| venue.id == id) {
            return Ok(Some(venue.clone()));
        }
        self.rows.venues.get(&id).cloned().ok_or_else(|| {
            self.wanted.venues.insert(id);
            Missing
        })
    }

    fn layout_known(&mut self, id: LayoutId) -> Result<bool, Missing> {
        if self.written.venues.iter().any(|(_, layout)| layout.id == id) {
            return Ok(true);
        }
        self.rows.layouts.get(&id).map(Option::is_some).ok_or_else(|| {
            self.wanted.layouts.insert(id);
            Missing
        })
    }

    fn create_event(&mut self, event: &Arc<Event>, seats: &[u16]) -> Result<(), Missing> {
        // The seats are written with the labels of the layout's rows.
        self.layout_known(event.layout_id)?;
        self.written.created.push((Arc::clone(event), seats.to_vec()));
        self.written.events.insert(event.id, Arc::clone(event));
        Ok(())
    }

    fn event(&mut self, id: EventId) -> Result<Option<Arc<Event>>, Missing> {
        look_up!(self, events, id)
    }

    fn put_event(&mut self, event: &Arc<Event>) -> Result<(), Missing> {
        self.written.events.insert(event.id, Arc::clone(event));
        Ok(())
    }

    fn seat(&mut self, event: EventId, number: u32) -> Result<Option<Seat>, Missing> {
        if !self.written.seats.contains_key(&(event, number))
            && let Some((_, seats)) = self.written.created.iter().find(|(created, _)| created.id == event)
        {
            let seat = |&category| Seat { number, category, state: SeatState::Available, version: 0 };
            return Ok(seats.get(number as usize).map(seat));
        }
        look_up!(self, seats, (event, number))
    }

    fn put_seat(&mut self, event: EventId, seat: &Seat) -> Result<(), Missing> {
        self.written.seats.insert((event, seat.number), *seat);
        let Seat { number, version, .. } = *seat;
        self.written.changes.push(SeatChange { event_id: event, number, status: seat.status(), version });
        Ok(())
    }

    fn booking(&mut self, id: BookingId) -> Result<Option<Booking>, Missing> {
        look_up!(self, bookings, id)
    }

    fn put_booking(&mut self, booking: &Booking) -> Result<(), Missing> {
        if booking.version == 1 {
            self.begun.entry((booking.event_id, booking.user_id)).or_default().push(booking.id);
        }
        self.written.bookings.insert(booking.id, booking.clone());
        Ok(())
    }

    /// Taken by another booking of this batch; that no earlier one has it the key of `booking_codes` makes sure.
    fn code_taken(&mut self, code: BookingCode) -> Result<bool, Missing> {
        Ok(self.written.bookings.values().any(|booking| booking.code == Some(code)))
    }

    fn held_seats(&mut self, event: EventId, user: UserId, now: Timestamp) -> Result<u32, Missing> {
        let key = (event, user);
        let Some(pending) = self.rows.pending.get(&key) else {
            self.wanted.pending.insert(key);
            return Err(Missing);
        };
        let begun = self.begun.get(&key).map_or(&[][..], Vec::as_slice);
        let mut held = 0;
        for id in pending.iter().chain(begun) {
            let booking = self.written.bookings.get(id).or_else(|| self.rows.bookings.get(id)?.as_ref());
            if let Some(booking) = booking.filter(|booking| booking.hold().is_some_and(|hold| hold.is_live(now))) {
                held += u32::try_from(booking.seats.len()).expect("a booking has few seats");
            }
        }
        Ok(held)
    }

    fn payment(&mut self, id: PaymentId) -> Result<Option<Payment>, Missing> {
        look_up!(self, payments, id)
    }

    fn put_payment(&mut self, payment: &Payment) -> Result<(), Missing> {
        self.written.payments.insert(payment.id, payment.clone());
        Ok(())
    }

    fn refund(&mut self, id: RefundId) -> Result<Option<Refund>, Missing> {
        look_up!(self, refunds, id)
    }

    fn put_refund(&mut self, refund: &Refund) -> Result<(), Missing> {
        self.written.refunds.insert(refund.id, refund.clone());
        Ok(())
    }

    fn note_message(&mut self, provider: &str, message: &str, now: Timestamp) -> Result<bool, Missing> {
        let key = (provider.to_owned(), message.to_owned());
        match self.rows.messages.get(&key) {
            Some(taken_in) if *taken_in || self.written.messages.contains_key(&key) => Ok(false),
            Some(_) => {
                self.written.messages.insert(key, now);
                Ok(true)
            }
            None => {
                self.wanted.messages.insert(key);
                Err(Missing)
            }
        }
    }

    fn tickets(&mut self, booking: BookingId) -> Result<Vec<Ticket>, Missing> {
        // A booking that this batch began has none but what it wrote.
        let begun = self.written.bookings.contains_key(&booking) && matches!(self.rows.bookings.get(&booking), None | Some(None));
        let read = match self.rows.tickets_of.get(&booking) {
            Some(read) => &read[..],
            None if begun => &[],
            None => {
                self.wanted.tickets_of.insert(booking);
                return Err(Missing);
            }
        };
        let written = &self.written.tickets;
        let mut tickets = read.iter().filter(|ticket| !written.contains_key(&ticket.id)).cloned().collect::<Vec<_>>();
        tickets.extend(written.values().filter(|ticket| ticket.booking_id == booking).cloned());
        tickets.sort_unstable_by_key(|ticket| (ticket.seat, ticket.id));
        Ok(tickets)
    }

    fn ticket(&mut self, code: TicketCode) -> Result<Option<Ticket>, Missing> {
        if let Some(ticket) = self.written.tickets.values().find(|ticket| ticket.code == code) {
            return Ok(Some(ticket.clone()));
        }
        self.rows.tickets.get(&code).cloned().ok_or_else(|| {
            self.wanted.tickets.insert(code);
            Missing
        })
    }

    fn put_ticket(&mut self, ticket: &Ticket) -> Result<(), Missing> {
        self.written.tickets.insert(ticket.id, ticket.clone());
        Ok(())
    }

    fn record(&mut self, transition: Transition) -> Result<(), Missing> {
        self.written.journal.push(transition);
        Ok(())
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<Kept>, Missing> {
        look_up!(self, answers, *key)
    }

    fn keep_answer(&mut self, key: &RequestKey, answer: &Answer) -> Result<(), Missing> {
        self.written.answers.insert(key.id, (key.fingerprint, answer.clone()));
        Ok(())
    }
}
