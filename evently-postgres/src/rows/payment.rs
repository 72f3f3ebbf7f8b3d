//! Payments and refunds.

use evently_core::domain::{
    BookingId, Currency, EventId, Money, Payment, PaymentId, PaymentState, Refund, RefundId, RefundState,
};
use sqlx::postgres::PgRow;

use super::{FromRow, get, time, time_or_none, to_sql};
use crate::error::Fault;

/// Selects payments `p`.
macro_rules! payment_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select p.id, p.booking_id, p.event_id, p.amount, p.currency, p.status, p.detail, p.succeeded_at, p.provider, \
             p.reference, p.refunded, p.created_at from payments p ",
            $($rest),*
        )
    };
}
pub(crate) use payment_sql;

fn money(table: &'static str, amount: i64, currency: &str) -> Result<Money, Fault> {
    let currency = currency.parse::<Currency>().map_err(|error| Fault::row(table, error))?;
    Ok(Money { amount, currency })
}

impl FromRow for Payment {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let state = match (get::<&str>(row, 5)?, get::<Option<String>>(row, 6)?, time_or_none(row, 7)?) {
            ("processing", None, None) => PaymentState::Processing,
            ("requires_action", Some(client_secret), None) => PaymentState::RequiresAction { client_secret },
            ("succeeded", None, Some(at)) => PaymentState::Succeeded { at },
            ("failed", Some(reason), None) => PaymentState::Failed { reason },
            (status, ..) => return Err(Fault::row("payments", format!("{status} does not go with the other columns"))),
        };
        Ok(Self {
            id: PaymentId::from_uuid(get(row, 0)?),
            booking_id: BookingId::from_uuid(get(row, 1)?),
            event_id: EventId::from_uuid(get(row, 2)?),
            amount: money("payments", get(row, 3)?, get(row, 4)?)?,
            state,
            provider: get(row, 8)?,
            reference: get(row, 9)?,
            refunded: get(row, 10)?,
            created_at: time(row, 11)?,
        })
    }
}

/// The columns that a payment's state is kept in.
pub(crate) struct PaymentColumns {
    pub(crate) status: &'static str,
    pub(crate) detail: Option<String>,
    pub(crate) succeeded_at: Option<jiff_sqlx::Timestamp>,
}

impl From<&PaymentState> for PaymentColumns {
    fn from(state: &PaymentState) -> Self {
        let (status, detail, succeeded_at) = match state {
            PaymentState::Processing => ("processing", None, None),
            PaymentState::RequiresAction { client_secret } => ("requires_action", Some(client_secret.clone()), None),
            PaymentState::Succeeded { at } => ("succeeded", None, Some(to_sql(*at))),
            PaymentState::Failed { reason } => ("failed", Some(reason.clone()), None),
        };
        Self { status, detail, succeeded_at }
    }
}

/// Selects refunds `r`.
macro_rules! refund_sql {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "select r.id, r.payment_id, r.booking_id, r.event_id, r.amount, r.currency, r.reason, r.succeeded_at, r.created_at \
             from refunds r ",
            $($rest),*
        )
    };
}
pub(crate) use refund_sql;

impl FromRow for Refund {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let succeeded = |at| RefundState::Succeeded { at };
        Ok(Self {
            id: RefundId::from_uuid(get(row, 0)?),
            payment_id: PaymentId::from_uuid(get(row, 1)?),
            booking_id: BookingId::from_uuid(get(row, 2)?),
            event_id: EventId::from_uuid(get(row, 3)?),
            amount: money("refunds", get(row, 4)?, get(row, 5)?)?,
            reason: get(row, 6)?,
            state: time_or_none(row, 7)?.map_or(RefundState::Pending, succeeded),
            created_at: time(row, 8)?,
        })
    }
}
