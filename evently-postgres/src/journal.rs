//! Rows of the journal: what one transaction has recorded of one event, a line for each entry.

use evently_core::domain::{BookingId, Entry, EventId, Transition};
use rustc_hash::FxHashMap;
use sqlx::postgres::PgRow;

use crate::{
    error::Fault,
    outbox::number,
    rows::{from_json, get, position_from_sql, to_json},
    store::{PgStore, values},
};

const POSITIONS: &str = "select sequence, position from journal where event_id = $1 and sequence = any($2)";

/// The content of a row: these entries, in this order. JSON breaks no lines.
pub(crate) fn content<'t>(transitions: impl IntoIterator<Item = &'t Transition>) -> String {
    transitions.into_iter().map(to_json).collect::<Vec<_>>().join("\n")
}

/// The lines of a row, each with its position. The row's own is that of the last line.
pub(crate) fn lines(last: i64, content: &str) -> impl Iterator<Item = (i64, &str)> {
    let before = last.saturating_sub_unsigned(count(content));
    (before.saturating_add(1)..).zip(content.split('\n'))
}

/// How many lines a row has.
pub(crate) fn count(content: &str) -> u64 {
    content.split('\n').count() as u64
}

/// What a line says.
pub(crate) fn entry(position: i64, line: &str) -> Result<Entry, Fault> {
    Ok(Entry { position: position_from_sql("journal", position)?, transition: from_json("journal", line)? })
}

/// What rows of one event's journal say, read by `select sequence, position, content`: of one booking, or all of it. What had been
/// committed without a position when they were read has one now.
pub(crate) async fn entries(store: &PgStore, event: EventId, rows: &[PgRow], of: Option<BookingId>) -> Result<Vec<Entry>, Fault> {
    let given = given_late(store, event, rows).await?;
    // A row may be full of what happened to others; only lines that name the booking are looked at.
    let named = of.map(|id| id.to_string());
    let mut entries = Vec::new();
    for row in rows {
        let last = get::<Option<i64>>(row, 1)?.or(given.get(&get(row, 0)?).copied());
        let last = last.ok_or_else(|| Fault::row("journal", "a row has no position"))?;
        let lines = lines(last, get(row, 2)?).filter(|(_, line)| named.as_ref().is_none_or(|id| line.contains(id)));
        for (position, line) in lines {
            entries.push(entry(position, line)?);
        }
    }
    entries.retain(|entry| of.is_none() || entry.transition.booking_id() == of);
    entries.sort_unstable_by_key(|entry| entry.position);
    Ok(entries)
}

/// The positions, by their sequence, of those rows that were read without one.
async fn given_late(store: &PgStore, event: EventId, rows: &[PgRow]) -> Result<FxHashMap<i64, i64>, Fault> {
    let mut late = Vec::new();
    for row in rows {
        if get::<Option<i64>>(row, 1)?.is_none() {
            late.push(get::<i64>(row, 0)?);
        }
    }
    if late.is_empty() {
        return Ok(FxHashMap::default());
    }
    number(store).await?;
    let rows = store.rows(POSITIONS, values![event.as_uuid(), late]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_position_of_the_row() {
        assert_eq!(lines(7, "a\nb\nc").collect::<Vec<_>>(), [(5, "a"), (6, "b"), (7, "c")]);
        assert_eq!(lines(1, "a").collect::<Vec<_>>(), [(1, "a")]);
        assert_eq!((count("a"), count("a\nb")), (1, 2));
    }
}
