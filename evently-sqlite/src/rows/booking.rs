//! Bookings and their tickets.

use evently_core::domain::{
    BookedSeat, Booking, BookingCode, BookingId, BookingState, EventId, Hold, Money, PaymentId, RefundPolicy, Ticket, TicketCode,
    TicketId, TicketState, Timestamp, UserId,
};
use rusqlite::Row;
use uuid::Uuid;

use super::{FromRow, Stored, from_json, to_json};
use crate::error::Fault;

/// Selects bookings `b`.
macro_rules! booking_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select b.id, e.id, b.user_id, b.status, b.seats, b.amount, b.currency, b.code, b.hold_until, b.payment_id, \
             b.payment_until, b.confirmed_at, b.created_at, b.version, b.refund_until, b.refund_percent \
             from bookings b join events e on e.event_key = b.event_key ",
            $($rest),*
        )
    };
}
pub(crate) use booking_sql;

pub(crate) struct BookingRow {
    id: Uuid,
    event_id: Uuid,
    user_id: Uuid,
    status: String,
    seats: String,
    amount: i64,
    currency: String,
    code: Option<String>,
    hold_until: Option<i64>,
    payment_id: Option<Uuid>,
    payment_until: Option<i64>,
    confirmed_at: Option<i64>,
    created_at: i64,
    version: u32,
    refund_until: Option<i64>,
    refund_percent: Option<u8>,
}

impl FromRow for BookingRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            event_id: row.get(1)?,
            user_id: row.get(2)?,
            status: row.get(3)?,
            seats: row.get(4)?,
            amount: row.get(5)?,
            currency: row.get(6)?,
            code: row.get(7)?,
            hold_until: row.get(8)?,
            payment_id: row.get(9)?,
            payment_until: row.get(10)?,
            confirmed_at: row.get(11)?,
            created_at: row.get(12)?,
            version: row.get(13)?,
            refund_until: row.get(14)?,
            refund_percent: row.get(15)?,
        })
    }
}

impl BookingRow {
    fn state(&self) -> Result<BookingState, Fault> {
        let payment = self.payment_id.map(PaymentId::from_uuid);
        let at = Timestamp::from_micros;
        Ok(match (self.status.as_str(), self.hold_until, self.payment_until, self.confirmed_at) {
            ("pending", Some(until), payment_until, None) => {
                BookingState::Pending(Hold { until: at(until), payment: payment.zip(payment_until.map(at)) })
            }
            ("confirmed", None, None, Some(confirmed_at)) => BookingState::Confirmed { payment, at: at(confirmed_at) },
            ("expired", None, None, None) => BookingState::Expired,
            ("cancelled", None, None, None) => BookingState::Cancelled,
            ("refunded", None, None, None) => BookingState::Refunded,
            (status, ..) => return Err(Fault::row("bookings", format!("{status} does not go with the other columns"))),
        })
    }

    fn refunds(&self) -> Result<Option<RefundPolicy>, Fault> {
        match (self.refund_until, self.refund_percent) {
            (Some(until), Some(percent)) => Ok(Some(RefundPolicy { until: Timestamp::from_micros(until), percent })),
            (None, None) => Ok(None),
            _ => Err(Fault::row("bookings", "it keeps a half of the terms of refunds")),
        }
    }

    fn code(&self) -> Result<Option<BookingCode>, Fault> {
        let parse = |code| BookingCode::parse(code).ok_or_else(|| Fault::row("bookings", "the code is none"));
        self.code.as_deref().map(parse).transpose()
    }
}

impl Stored for Booking {
    type Row = BookingRow;
}

impl TryFrom<BookingRow> for Booking {
    type Error = Fault;

    fn try_from(row: BookingRow) -> Result<Self, Fault> {
        let seats = from_json::<Vec<(u32, i64)>>("bookings", &row.seats)?;
        let currency = row.currency.parse().map_err(|error| Fault::row("bookings", error))?;
        Ok(Self {
            id: BookingId::from_uuid(row.id),
            event_id: EventId::from_uuid(row.event_id),
            user_id: UserId::from_uuid(row.user_id),
            seats: seats.into_iter().map(|(number, price)| BookedSeat { number, price }).collect(),
            total: Money { amount: row.amount, currency },
            refunds: row.refunds()?,
            code: row.code()?,
            state: row.state()?,
            created_at: Timestamp::from_micros(row.created_at),
            version: row.version,
        })
    }
}

/// The column `seats` of a booking.
pub(crate) fn seats_text(seats: &[BookedSeat]) -> String {
    to_json(&seats.iter().map(|seat| (seat.number, seat.price)).collect::<Vec<_>>())
}

/// The columns that a booking's state is kept in.
#[derive(Default)]
pub(crate) struct StateColumns {
    pub(crate) hold_until: Option<i64>,
    pub(crate) payment_id: Option<Uuid>,
    pub(crate) payment_until: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) confirmed_at: Option<i64>,
}

impl From<&BookingState> for StateColumns {
    fn from(state: &BookingState) -> Self {
        match state {
            BookingState::Pending(hold) => Self {
                hold_until: Some(hold.until.as_micros()),
                payment_id: hold.payment.map(|(payment, _)| *payment.as_uuid()),
                payment_until: hold.payment.map(|(_, until)| until.as_micros()),
                expires_at: Some(hold.expires_at().as_micros()),
                confirmed_at: None,
            },
            BookingState::Confirmed { payment, at } => Self {
                payment_id: payment.map(|payment| *payment.as_uuid()),
                confirmed_at: Some(at.as_micros()),
                ..Self::default()
            },
            BookingState::Expired | BookingState::Cancelled | BookingState::Refunded => Self::default(),
        }
    }
}

/// Selects tickets `t`.
macro_rules! ticket_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select t.id, t.booking_id, e.id, t.seat, t.code, t.status, t.used_at, t.used_by \
             from tickets t join events e on e.event_key = t.event_key ",
            $($rest),*
        )
    };
}
pub(crate) use ticket_sql;

pub(crate) struct TicketRow {
    id: Uuid,
    booking_id: Uuid,
    event_id: Uuid,
    seat: u32,
    code: String,
    status: String,
    used_at: Option<i64>,
    used_by: Option<Uuid>,
}

impl FromRow for TicketRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            booking_id: row.get(1)?,
            event_id: row.get(2)?,
            seat: row.get(3)?,
            code: row.get(4)?,
            status: row.get(5)?,
            used_at: row.get(6)?,
            used_by: row.get(7)?,
        })
    }
}

impl Stored for Ticket {
    type Row = TicketRow;
}

impl TryFrom<TicketRow> for Ticket {
    type Error = Fault;

    fn try_from(row: TicketRow) -> Result<Self, Fault> {
        let state = match (row.status.as_str(), row.used_at, row.used_by) {
            ("valid", None, None) => TicketState::Valid,
            ("checked_in", Some(at), Some(by)) => {
                TicketState::CheckedIn { at: Timestamp::from_micros(at), by: UserId::from_uuid(by) }
            }
            ("void", None, None) => TicketState::Void,
            (status, ..) => return Err(Fault::row("tickets", format!("{status} does not go with the other columns"))),
        };
        Ok(Self {
            id: TicketId::from_uuid(row.id),
            booking_id: BookingId::from_uuid(row.booking_id),
            event_id: EventId::from_uuid(row.event_id),
            seat: row.seat,
            code: TicketCode::parse(&row.code).ok_or_else(|| Fault::row("tickets", "the code is none"))?,
            state,
        })
    }
}
