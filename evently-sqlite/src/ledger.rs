//! The rows of one write transaction, as the core's rules see them.

mod sql;

use std::{collections::HashMap, sync::Arc};

use evently_core::domain::{
    Answer, Booking, BookingCode, BookingId, ChainHash, Event, EventId, Layout, LayoutId, Ledger, Payment, PaymentId, Refund,
    RefundId, RefundState, RequestKey, Seat, SeatChange, SeatState, Ticket, TicketCode, TicketState, Timestamp, Transition,
    UserId, Venue, VenueId, decided_as_of,
};
use rusqlite::{OptionalExtension, Row, Transaction, params};

#[cfg(test)]
pub(crate) use self::sql::STATEMENTS;
use self::sql::{
    ANSWER, BOOKING, CODE_TAKEN, EVENT, HEAD, HELD_SEATS, INSERT_BOOKING, INSERT_EVENT, INSERT_LAYOUT, INSERT_SEAT, INSERT_VENUE,
    KEEP_ANSWER, LAYOUT_KNOWN, NOTE_MESSAGE, PAYMENT, PUT_PAYMENT, PUT_REFUND, PUT_TICKET, RECORD, REFUND, SEAT, TICKET_BY_CODE,
    TICKETS, UPDATE_BOOKING, UPDATE_EVENT, UPDATE_SEAT, VENUE,
};
use crate::{
    error::Fault,
    kept::KeptAnswers,
    rows::{PaymentColumns, StateColumns, StoredEvent, execute, find, find_all, from_json, seats_text, to_json, value},
};

/// The rows of one write transaction. Remembered is what the rules ask for again and again: the event, which most requests of
/// a batch share, and seats, which they look at before and after they have checked them. The write lock is ours, so that both
/// are what stands in the file.
pub(crate) struct SqliteLedger<'t> {
    tx: &'t Transaction<'t>,
    events: HashMap<EventId, StoredEvent>,
    seats: HashMap<i64, Seat>,
    head: Option<Head>,
    /// Where the answers of earlier transactions stand, and those of this one.
    kept: &'t KeptAnswers,
    kept_now: HashMap<[u8; 32], i64>,
    changes: Vec<SeatChange>,
}

/// The end of the journal. Nobody else appends to it before the transaction ends.
struct Head {
    position: i64,
    hash: ChainHash,
    /// When the last entry was written; the beginning of time where there is none, or none that can be read.
    at: Timestamp,
}

impl<'t> SqliteLedger<'t> {
    pub(crate) fn new(tx: &'t Transaction<'t>, kept: &'t KeptAnswers) -> Self {
        Self {
            tx,
            events: HashMap::new(),
            seats: HashMap::new(),
            head: None,
            kept,
            kept_now: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// The seats that were changed, in the order of their changes.
    pub(crate) fn into_changes(self) -> Vec<SeatChange> {
        self.changes
    }

    fn stored_event(&mut self, id: EventId) -> Result<Option<&StoredEvent>, Fault> {
        if !self.events.contains_key(&id)
            && let Some(event) = find::<StoredEvent>(self.tx, EVENT, [id.as_uuid()])?
        {
            self.events.insert(id, event);
        }
        Ok(self.events.get(&id))
    }

    /// The key that the event's rows are kept under.
    fn key(&mut self, id: EventId) -> Result<i64, Fault> {
        let event = self.stored_event(id)?.ok_or_else(|| Fault::row("events", format!("there is no event {id}")))?;
        Ok(event.key)
    }

    fn head(&mut self) -> Result<Head, Fault> {
        if let Some(head) = self.head.take() {
            return Ok(head);
        }
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?));
        let (position, hash, at) = self.tx.prepare_cached(HEAD)?.query_row([], read).optional()?.unwrap_or_default();
        let at = at.and_then(|at| at.parse().ok()).unwrap_or_default();
        Ok(Head { position, hash: ChainHash(hash), at })
    }

    /// As of when is decided what was asked at `now`: others may have asked later, and been decided before.
    pub(crate) fn as_of(&mut self, now: Timestamp) -> Result<Timestamp, Fault> {
        let head = self.head()?;
        let as_of = decided_as_of(now, head.at);
        self.head = Some(head);
        Ok(as_of)
    }

    fn insert_booking(&mut self, booking: &Booking) -> Result<(), Fault> {
        let key = self.key(booking.event_id)?;
        let state = StateColumns::from(&booking.state);
        let values = params![
            booking.id.as_uuid(),
            key,
            booking.user_id.as_uuid(),
            booking.status().name(),
            seats_text(&booking.seats),
            seat_count(booking),
            booking.total.amount,
            booking.total.currency.code(),
            booking.code.as_ref().map(BookingCode::as_str),
            state.hold_until,
            state.payment_id,
            state.payment_until,
            state.expires_at,
            state.confirmed_at,
            booking.created_at.as_micros(),
            booking.refunds.map(|terms| terms.until.as_micros()),
            booking.refunds.map(|terms| terms.percent),
        ];
        execute(self.tx, INSERT_BOOKING, values).map(drop)
    }

    fn update_booking(&mut self, booking: &Booking) -> Result<(), Fault> {
        let state = StateColumns::from(&booking.state);
        let values = params![
            booking.id.as_uuid(),
            booking.version - 1,
            booking.status().name(),
            seats_text(&booking.seats),
            seat_count(booking),
            booking.code.as_ref().map(BookingCode::as_str),
            state.hold_until,
            state.payment_id,
            state.payment_until,
            state.expires_at,
            state.confirmed_at,
        ];
        one_row("bookings", execute(self.tx, UPDATE_BOOKING, values)?)
    }
}

/// The key of an event's seat.
fn seat_key(event: i64, number: u32) -> i64 {
    event << SEAT_BITS | i64::from(number)
}

/// So many seats an event may have, as the core numbers them.
const SEAT_BITS: u32 = 28;

/// Nothing else than the version that was read has been replaced.
fn one_row(table: &'static str, written: usize) -> Result<(), Fault> {
    if written == 1 { Ok(()) } else { Err(Fault::Stale(table)) }
}

fn seat_count(booking: &Booking) -> u32 {
    u32::try_from(booking.seats.len()).expect("a booking has few seats")
}

impl Ledger for SqliteLedger<'_> {
    type Error = Fault;

    fn create_venue(&mut self, venue: &Venue, layout: &Arc<Layout>) -> Result<(), Fault> {
        execute(self.tx, INSERT_LAYOUT, params![layout.id.as_uuid(), to_json(layout)])?;
        let values = params![venue.id.as_uuid(), venue.name, venue.name.to_lowercase(), venue.layout_id.as_uuid()];
        execute(self.tx, INSERT_VENUE, values).map(drop)
    }

    fn venue(&mut self, id: VenueId) -> Result<Option<Venue>, Fault> {
        find(self.tx, VENUE, [id.as_uuid()])
    }

    fn layout_known(&mut self, id: LayoutId) -> Result<bool, Fault> {
        Ok(value(self.tx, LAYOUT_KNOWN, [id.as_uuid()])? == Some(true))
    }

    fn create_event(&mut self, event: &Arc<Event>, seats: &[u16]) -> Result<(), Fault> {
        let values = params![
            event.id.as_uuid(),
            event.venue_id.as_uuid(),
            event.layout_id.as_uuid(),
            event.organizer_id.as_uuid(),
            event.stage.name(),
            event.details.start_time.as_micros(),
            event.details.end_time.as_micros(),
            event.details.name.to_lowercase(),
            event.version,
            to_json(event),
        ];
        execute(self.tx, INSERT_EVENT, values)?;
        let key = self.tx.last_insert_rowid();
        self.events.insert(event.id, StoredEvent { key, event: Arc::clone(event) });
        let mut insert = self.tx.prepare_cached(INSERT_SEAT)?;
        for (number, category) in (0_u32..).zip(seats) {
            insert.execute(params![seat_key(key, number), category])?;
        }
        Ok(())
    }

    fn event(&mut self, id: EventId) -> Result<Option<Arc<Event>>, Fault> {
        Ok(self.stored_event(id)?.map(|stored| Arc::clone(&stored.event)))
    }

    fn put_event(&mut self, event: &Arc<Event>) -> Result<(), Fault> {
        let key = self.key(event.id)?;
        let values = params![
            event.id.as_uuid(),
            event.version - 1,
            event.stage.name(),
            event.details.start_time.as_micros(),
            event.details.end_time.as_micros(),
            event.details.name.to_lowercase(),
            to_json(event),
        ];
        one_row("events", execute(self.tx, UPDATE_EVENT, values)?)?;
        self.events.insert(event.id, StoredEvent { key, event: Arc::clone(event) });
        Ok(())
    }

    fn seat(&mut self, event: EventId, number: u32) -> Result<Option<Seat>, Fault> {
        let Some(event) = self.stored_event(event)? else { return Ok(None) };
        let key = seat_key(event.key, number);
        if let Some(seat) = self.seats.get(&key) {
            return Ok(Some(*seat));
        }
        let seat = find(self.tx, SEAT, [key])?;
        self.seats.extend(seat.map(|seat| (key, seat)));
        Ok(seat)
    }

    fn put_seat(&mut self, event: EventId, seat: &Seat) -> Result<(), Fault> {
        let key = seat_key(self.key(event)?, seat.number);
        let owner = match &seat.state {
            SeatState::Reserved(booking) | SeatState::Booked(booking) => Some(booking.as_uuid()),
            SeatState::Available | SeatState::Blocked => None,
        };
        let values = params![key, seat.version - 1, seat.status() as u8, owner];
        one_row("seats", execute(self.tx, UPDATE_SEAT, values)?)?;
        self.seats.insert(key, *seat);
        let Seat { number, version, .. } = *seat;
        self.changes.push(SeatChange { event_id: event, number, status: seat.status(), version });
        Ok(())
    }

    fn booking(&mut self, id: BookingId) -> Result<Option<Booking>, Fault> {
        find(self.tx, BOOKING, [id.as_uuid()])
    }

    fn put_booking(&mut self, booking: &Booking) -> Result<(), Fault> {
        if booking.version == 1 { self.insert_booking(booking) } else { self.update_booking(booking) }
    }

    fn code_taken(&mut self, code: BookingCode) -> Result<bool, Fault> {
        Ok(value(self.tx, CODE_TAKEN, [code.as_str()])? == Some(true))
    }

    fn held_seats(&mut self, event: EventId, user: UserId, now: Timestamp) -> Result<u32, Fault> {
        let key = self.key(event)?;
        let held = value(self.tx, HELD_SEATS, params![user.as_uuid(), key, now.as_micros()])?;
        Ok(held.unwrap_or_default())
    }

    fn payment(&mut self, id: PaymentId) -> Result<Option<Payment>, Fault> {
        find(self.tx, PAYMENT, [id.as_uuid()])
    }

    fn put_payment(&mut self, payment: &Payment) -> Result<(), Fault> {
        let key = self.key(payment.event_id)?;
        let PaymentColumns { status, detail, succeeded_at } = PaymentColumns::from(&payment.state);
        let values = params![
            payment.id.as_uuid(),
            payment.booking_id.as_uuid(),
            key,
            payment.amount.amount,
            payment.amount.currency.code(),
            status,
            detail,
            succeeded_at,
            payment.provider,
            payment.reference,
            payment.refunded,
            payment.created_at.as_micros(),
        ];
        execute(self.tx, PUT_PAYMENT, values).map(drop)
    }

    fn refund(&mut self, id: RefundId) -> Result<Option<Refund>, Fault> {
        find(self.tx, REFUND, [id.as_uuid()])
    }

    fn put_refund(&mut self, refund: &Refund) -> Result<(), Fault> {
        let key = self.key(refund.event_id)?;
        let succeeded_at = match refund.state {
            RefundState::Pending => None,
            RefundState::Succeeded { at } => Some(at.as_micros()),
        };
        let values = params![
            refund.id.as_uuid(),
            refund.payment_id.as_uuid(),
            refund.booking_id.as_uuid(),
            key,
            refund.amount.amount,
            refund.amount.currency.code(),
            refund.reason,
            succeeded_at,
            refund.created_at.as_micros(),
        ];
        execute(self.tx, PUT_REFUND, values).map(drop)
    }

    fn note_message(&mut self, provider: &str, message: &str, now: Timestamp) -> Result<bool, Fault> {
        Ok(execute(self.tx, NOTE_MESSAGE, params![provider, message, now.as_micros()])? == 1)
    }

    fn tickets(&mut self, booking: BookingId) -> Result<Vec<Ticket>, Fault> {
        find_all(self.tx, TICKETS, [booking.as_uuid()])
    }

    fn ticket(&mut self, code: TicketCode) -> Result<Option<Ticket>, Fault> {
        find(self.tx, TICKET_BY_CODE, [code.to_string()])
    }

    fn put_ticket(&mut self, ticket: &Ticket) -> Result<(), Fault> {
        let key = self.key(ticket.event_id)?;
        let used = match &ticket.state {
            TicketState::CheckedIn { at, by } => Some((at.as_micros(), by.as_uuid())),
            TicketState::Valid | TicketState::Void => None,
        };
        let values = params![
            ticket.id.as_uuid(),
            ticket.booking_id.as_uuid(),
            key,
            ticket.seat,
            ticket.code.to_string(),
            ticket.state.name(),
            used.map(|(at, _)| at),
            used.map(|(_, by)| by),
        ];
        execute(self.tx, PUT_TICKET, values).map(drop)
    }

    fn record(&mut self, transition: Transition) -> Result<(), Fault> {
        let key = self.key(transition.event_id)?;
        let (Head { position, hash, .. }, at) = (self.head()?, transition.at);
        let content = to_json(&transition);
        let (position, hash) = (position + 1, hash.then(content.as_bytes()));
        let booking = transition.booking_id();
        let values = params![position, key, booking.as_ref().map(BookingId::as_uuid), content, hash.0];
        execute(self.tx, RECORD, values)?;
        self.head = Some(Head { position, hash, at });
        Ok(())
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<([u8; 32], Answer)>, Fault> {
        let Some(row) = self.kept_now.get(key).copied().or_else(|| self.kept.row(key)) else { return Ok(None) };
        let mut answer = self.tx.prepare_cached(ANSWER)?;
        let found = answer.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))).optional()?;
        found
            .filter(|(of, ..): &([u8; 32], [u8; 32], String)| of == key)
            .map(|(_, fingerprint, content)| Ok((fingerprint, from_json("answers", &content)?)))
            .transpose()
    }

    fn keep_answer(&mut self, key: &RequestKey, answer: &Answer) -> Result<(), Fault> {
        let values = params![key.id, key.fingerprint, answer.at.as_micros(), to_json(answer)];
        execute(self.tx, KEEP_ANSWER, values)?;
        self.kept_now.insert(key.id, self.tx.last_insert_rowid());
        Ok(())
    }
}
