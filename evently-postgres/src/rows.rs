//! Rows as they stand in the database, and what they mean. A row that cannot be is an error, never a guess.

mod account;
mod booking;
mod event;
mod payment;

use evently_core::domain::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Postgres, Row as _, postgres::PgRow};

pub(crate) use self::{
    booking::{StateColumns, booking_sql, ticket_sql},
    event::{event_at, event_sql, layout_from_row, seat_at, seat_status},
    payment::{PaymentColumns, payment_sql, refund_sql},
};
use crate::error::Fault;

/// What is kept as rows of one kind, in the order in which the statements select the columns.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &PgRow) -> Result<Self, Fault>;
}

/// What each of the rows means.
pub(crate) fn from_rows<T: FromRow>(rows: &[PgRow]) -> Result<Vec<T>, Fault> {
    rows.iter().map(T::from_row).collect()
}

/// A column by its place.
pub(crate) fn get<'r, T>(row: &'r PgRow, column: usize) -> Result<T, Fault>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    Ok(row.try_get(column)?)
}

/// The earliest time that the server keeps, 4714-11-24 BC; <https://www.postgresql.org/docs/15/datatype-datetime.html>.
const EARLIEST: i64 = -210_866_803_200_000_000;
/// The last whole second that `jiff` can name. The server goes on.
const LATEST: i64 = 253_402_207_200_000_000;

/// A time as the server keeps it, to the microsecond like ours.
pub(crate) fn to_sql(at: Timestamp) -> jiff_sqlx::Timestamp {
    let bounded = at.as_micros().clamp(EARLIEST, LATEST);
    jiff::Timestamp::from_microsecond(bounded).expect("it is within the bounds").into()
}

pub(crate) fn time(row: &PgRow, column: usize) -> Result<Timestamp, Fault> {
    Ok(from_sql(get(row, column)?))
}

pub(crate) fn time_or_none(row: &PgRow, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(get::<Option<jiff_sqlx::Timestamp>>(row, column)?.map(from_sql))
}

fn from_sql(at: jiff_sqlx::Timestamp) -> Timestamp {
    Timestamp::from_micros(at.to_jiff().as_microsecond())
}

/// A count, a number or a version: never negative.
pub(crate) fn unsigned(table: &'static str, value: i32) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|error| Fault::row(table, error))
}

/// A number as the server keeps it. Ours fit: seats, versions and limits are far smaller.
pub(crate) fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A position of the journal. No journal is as long as those that do not fit.
pub(crate) fn position_to_sql(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A position as it was read.
pub(crate) fn position_from_sql(table: &'static str, position: i64) -> Result<u64, Fault> {
    u64::try_from(position).map_err(|error| Fault::row(table, error))
}

/// What a JSON column of `table` holds.
pub(crate) fn from_json<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::row(table, error))
}

/// The text of a JSON column.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("the domain's types have no maps and no fallible parts")
}
