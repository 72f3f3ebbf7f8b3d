//! Bookings and tickets.

use evently_core::domain::{
    BookedSeat, Booking, BookingCode, BookingId, BookingState, EventId, Hold, Money, PaymentId, RefundPolicy, Ticket, TicketCode,
    TicketId, TicketState, UserId,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{FromRow, get, time, time_or_none, to_sql, unsigned};
use crate::error::Fault;

/// Selects bookings `b`.
macro_rules! booking_sql {
    (from $($rest:literal),* $(,)?) => {
        concat!(
            "select b.id, b.event_id, b.user_id, b.status, b.seats, b.prices, b.amount, b.currency, b.code, b.hold_until, \
             b.payment_id, b.payment_until, b.confirmed_at, b.created_at, b.version, b.refund_until, b.refund_percent from ",
            $($rest),*
        )
    };
    ($($rest:literal),* $(,)?) => { $crate::rows::booking_sql!(from "bookings b ", $($rest),*) };
}
pub(crate) use booking_sql;

impl FromRow for Booking {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let numbers = get::<Vec<i32>>(row, 4)?;
        let prices = get::<Vec<i64>>(row, 5)?;
        let seats = numbers.into_iter().zip(prices);
        let seats = seats.map(|(number, price)| Ok(BookedSeat { number: unsigned("bookings", number)?, price }));
        let currency = get::<&str>(row, 7)?.parse().map_err(|error| Fault::row("bookings", error))?;
        let code = get::<Option<&str>>(row, 8)?;
        let code = code.map(|code| BookingCode::parse(code).ok_or_else(|| Fault::row("bookings", "the code is none")));
        Ok(Self {
            id: BookingId::from_uuid(get(row, 0)?),
            event_id: EventId::from_uuid(get(row, 1)?),
            user_id: UserId::from_uuid(get(row, 2)?),
            seats: seats.collect::<Result<_, Fault>>()?,
            total: Money { amount: get(row, 6)?, currency },
            refunds: refunds(row)?,
            code: code.transpose()?,
            state: booking_state(row)?,
            created_at: time(row, 13)?,
            version: unsigned("bookings", get(row, 14)?)?,
        })
    }
}

fn refunds(row: &PgRow) -> Result<Option<RefundPolicy>, Fault> {
    match (time_or_none(row, 15)?, get::<Option<i16>>(row, 16)?) {
        (Some(until), Some(percent)) => {
            let percent = u8::try_from(percent).map_err(|error| Fault::row("bookings", error))?;
            Ok(Some(RefundPolicy { until, percent }))
        }
        (None, None) => Ok(None),
        _ => Err(Fault::row("bookings", "it keeps a half of the terms of refunds")),
    }
}

fn booking_state(row: &PgRow) -> Result<BookingState, Fault> {
    let payment = get::<Option<Uuid>>(row, 10)?.map(PaymentId::from_uuid);
    let (hold_until, payment_until, confirmed_at) = (time_or_none(row, 9)?, time_or_none(row, 11)?, time_or_none(row, 12)?);
    Ok(match (get::<&str>(row, 3)?, hold_until, payment_until, confirmed_at) {
        ("pending", Some(until), payment_until, None) => {
            BookingState::Pending(Hold { until, payment: payment.zip(payment_until) })
        }
        ("confirmed", None, None, Some(at)) => BookingState::Confirmed { payment, at },
        ("expired", None, None, None) => BookingState::Expired,
        ("cancelled", None, None, None) => BookingState::Cancelled,
        ("refunded", None, None, None) => BookingState::Refunded,
        (status, ..) => return Err(Fault::row("bookings", format!("{status} does not go with the other columns"))),
    })
}

/// The columns that a booking's state is kept in.
#[derive(Default)]
pub(crate) struct StateColumns {
    pub(crate) hold_until: Option<jiff_sqlx::Timestamp>,
    pub(crate) payment_id: Option<Uuid>,
    pub(crate) payment_until: Option<jiff_sqlx::Timestamp>,
    pub(crate) expires_at: Option<jiff_sqlx::Timestamp>,
    pub(crate) confirmed_at: Option<jiff_sqlx::Timestamp>,
}

impl From<&BookingState> for StateColumns {
    fn from(state: &BookingState) -> Self {
        match state {
            BookingState::Pending(hold) => Self {
                hold_until: Some(to_sql(hold.until)),
                payment_id: hold.payment.map(|(payment, _)| *payment.as_uuid()),
                payment_until: hold.payment.map(|(_, until)| to_sql(until)),
                expires_at: Some(to_sql(hold.expires_at())),
                confirmed_at: None,
            },
            BookingState::Confirmed { payment, at } => {
                Self { payment_id: payment.map(|payment| *payment.as_uuid()), confirmed_at: Some(to_sql(*at)), ..Self::default() }
            }
            BookingState::Expired | BookingState::Cancelled | BookingState::Refunded => Self::default(),
        }
    }
}

/// Selects tickets `t`.
macro_rules! ticket_sql {
    ($($rest:literal),* $(,)?) => {
        concat!("select t.id, t.booking_id, t.event_id, t.seat, t.code, t.status, t.used_at, t.used_by from tickets t ", $($rest),*)
    };
}
pub(crate) use ticket_sql;

impl FromRow for Ticket {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let used_by = get::<Option<Uuid>>(row, 7)?.map(UserId::from_uuid);
        let state = match (get::<&str>(row, 5)?, time_or_none(row, 6)?, used_by) {
            ("valid", None, None) => TicketState::Valid,
            ("checked_in", Some(at), Some(by)) => TicketState::CheckedIn { at, by },
            ("void", None, None) => TicketState::Void,
            (status, ..) => return Err(Fault::row("tickets", format!("{status} does not go with the other columns"))),
        };
        Ok(Self {
            id: TicketId::from_uuid(get(row, 0)?),
            booking_id: BookingId::from_uuid(get(row, 1)?),
            event_id: EventId::from_uuid(get(row, 2)?),
            seat: unsigned("tickets", get(row, 3)?)?,
            code: TicketCode::parse(get(row, 4)?).ok_or_else(|| Fault::row("tickets", "the code is none"))?,
            state,
        })
    }
}
