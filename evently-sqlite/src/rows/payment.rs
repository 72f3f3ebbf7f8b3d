//! Payments and refunds.

use evently_core::domain::{
    BookingId, Currency, EventId, Money, Payment, PaymentId, PaymentState, Refund, RefundId, RefundState, Timestamp,
};
use rusqlite::Row;
use uuid::Uuid;

use super::{FromRow, Stored};
use crate::error::Fault;

/// Selects payments `p`.
macro_rules! payment_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select p.id, p.booking_id, e.id, p.amount, p.currency, p.status, p.detail, p.succeeded_at, p.provider, \
             p.reference, p.refunded, p.created_at \
             from payments p join events e on e.event_key = p.event_key ",
            $($rest),*
        )
    };
}
pub(crate) use payment_sql;

pub(crate) struct PaymentRow {
    id: Uuid,
    booking_id: Uuid,
    event_id: Uuid,
    amount: i64,
    currency: String,
    status: String,
    detail: Option<String>,
    succeeded_at: Option<i64>,
    provider: String,
    reference: Option<String>,
    refunded: i64,
    created_at: i64,
}

impl FromRow for PaymentRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            booking_id: row.get(1)?,
            event_id: row.get(2)?,
            amount: row.get(3)?,
            currency: row.get(4)?,
            status: row.get(5)?,
            detail: row.get(6)?,
            succeeded_at: row.get(7)?,
            provider: row.get(8)?,
            reference: row.get(9)?,
            refunded: row.get(10)?,
            created_at: row.get(11)?,
        })
    }
}

fn money(table: &'static str, amount: i64, currency: &str) -> Result<Money, Fault> {
    let currency = currency.parse::<Currency>().map_err(|error| Fault::row(table, error))?;
    Ok(Money { amount, currency })
}

impl Stored for Payment {
    type Row = PaymentRow;
}

impl TryFrom<PaymentRow> for Payment {
    type Error = Fault;

    fn try_from(row: PaymentRow) -> Result<Self, Fault> {
        let state = match (row.status.as_str(), row.detail, row.succeeded_at) {
            ("processing", None, None) => PaymentState::Processing,
            ("requires_action", Some(client_secret), None) => PaymentState::RequiresAction { client_secret },
            ("succeeded", None, Some(at)) => PaymentState::Succeeded { at: Timestamp::from_micros(at) },
            ("failed", Some(reason), None) => PaymentState::Failed { reason },
            (status, ..) => return Err(Fault::row("payments", format!("{status} does not go with the other columns"))),
        };
        Ok(Self {
            id: PaymentId::from_uuid(row.id),
            booking_id: BookingId::from_uuid(row.booking_id),
            event_id: EventId::from_uuid(row.event_id),
            amount: money("payments", row.amount, &row.currency)?,
            state,
            provider: row.provider,
            reference: row.reference,
            refunded: row.refunded,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

/// The columns that a payment's state is kept in.
pub(crate) struct PaymentColumns<'a> {
    pub(crate) status: &'static str,
    pub(crate) detail: Option<&'a str>,
    pub(crate) succeeded_at: Option<i64>,
}

impl<'a> From<&'a PaymentState> for PaymentColumns<'a> {
    fn from(state: &'a PaymentState) -> Self {
        let (status, detail, succeeded_at) = match state {
            PaymentState::Processing => ("processing", None, None),
            PaymentState::RequiresAction { client_secret } => ("requires_action", Some(client_secret.as_str()), None),
            PaymentState::Succeeded { at } => ("succeeded", None, Some(at.as_micros())),
            PaymentState::Failed { reason } => ("failed", Some(reason.as_str()), None),
        };
        Self { status, detail, succeeded_at }
    }
}

/// Selects refunds `r`.
macro_rules! refund_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select r.id, r.payment_id, r.booking_id, e.id, r.amount, r.currency, r.reason, r.succeeded_at, r.created_at \
             from refunds r join events e on e.event_key = r.event_key ",
            $($rest),*
        )
    };
}
pub(crate) use refund_sql;

pub(crate) struct RefundRow {
    id: Uuid,
    payment_id: Uuid,
    booking_id: Uuid,
    event_id: Uuid,
    amount: i64,
    currency: String,
    reason: String,
    succeeded_at: Option<i64>,
    created_at: i64,
}

impl FromRow for RefundRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            payment_id: row.get(1)?,
            booking_id: row.get(2)?,
            event_id: row.get(3)?,
            amount: row.get(4)?,
            currency: row.get(5)?,
            reason: row.get(6)?,
            succeeded_at: row.get(7)?,
            created_at: row.get(8)?,
        })
    }
}

impl Stored for Refund {
    type Row = RefundRow;
}

impl TryFrom<RefundRow> for Refund {
    type Error = Fault;

    fn try_from(row: RefundRow) -> Result<Self, Fault> {
        let succeeded = |at| RefundState::Succeeded { at: Timestamp::from_micros(at) };
        Ok(Self {
            id: RefundId::from_uuid(row.id),
            payment_id: PaymentId::from_uuid(row.payment_id),
            booking_id: BookingId::from_uuid(row.booking_id),
            event_id: EventId::from_uuid(row.event_id),
            amount: money("refunds", row.amount, &row.currency)?,
            reason: row.reason,
            state: row.succeeded_at.map_or(RefundState::Pending, succeeded),
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
