//! Rows as they stand in the file, and what they mean. A row that cannot be is an error, never a guess.

mod account;
mod booking;
mod event;
mod payment;

use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::{
    booking::{StateColumns, booking_sql, seats_text, ticket_sql},
    event::{PublicSeat, StoredEvent, StoredLayout, event_sql},
    payment::{PaymentColumns, payment_sql, refund_sql},
};
use crate::error::Fault;

/// Where bookings are listed from when there is no page before: no id is as long.
pub(crate) const AFTER_ALL_IDS: [u8; 17] = [0xff; 17];

/// The columns of a row, in the order in which the statements select them.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// What is kept as rows of one kind.
pub(crate) trait Stored: TryFrom<Self::Row, Error = Fault> {
    type Row: FromRow;
}

/// What the statement finds first.
pub(crate) fn find<T: Stored>(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<T>, Fault> {
    let row = connection.prepare_cached(sql)?.query_row(params, T::Row::from_row).optional()?;
    row.map(T::try_from).transpose()
}

/// Everything that the statement finds.
pub(crate) fn find_all<T: Stored>(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, T::Row::from_row)?;
    rows.map(|row| T::try_from(row?)).collect()
}

/// What the row means.
pub(crate) fn from_row<T: Stored>(row: &Row<'_>) -> Result<T, Fault> {
    T::try_from(T::Row::from_row(row)?)
}

/// What `read` makes of each row that the statement finds.
pub(crate) fn each_row<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Carries out a statement that writes; says how many rows it wrote.
pub(crate) fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

/// The one value that the statement finds, if it finds a row.
pub(crate) fn value<T: rusqlite::types::FromSql>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

/// What a JSON column of `table` holds.
pub(crate) fn from_json<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::row(table, error))
}

/// The text of a JSON column.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    // Most are a kept answer or an entry of the journal, which fit.
    let mut text = Vec::with_capacity(1024);
    serde_json::to_writer(&mut text, value).expect("the domain's types have no maps and no fallible parts");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// A position of the journal as SQLite counts. No journal is as long as those that do not fit.
pub(crate) fn position_to_sql(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A position as it was read.
pub(crate) fn position_from_sql(table: &'static str, position: i64) -> Result<u64, Fault> {
    u64::try_from(position).map_err(|error| Fault::row(table, error))
}
