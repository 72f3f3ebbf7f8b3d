//! Statements that write different rows, sent as one: each is a part of a `with`.
//!
//! All of them see the database as it was before. What one of them returns others may read by its name.

use std::fmt::Write as _;

use sqlx::postgres::PgArguments;

use crate::{error::Fault, rows::get, store::Tx};

/// One of them.
pub(super) struct Part {
    /// By which others read what it returns.
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Such statements with their values.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) values: PgArguments,
    sql: String,
    /// The parts of which is counted what they return, with their tables and what it has to be.
    counted: Vec<(&'static str, &'static str, usize)>,
}

impl Parts {
    /// Adds a statement whose values have been added from this place on.
    pub(super) fn push(&mut self, part: &Part, first: usize) {
        self.sql += if self.sql.is_empty() { "with " } else { ", " };
        self.sql += part.name;
        self.sql += " as (";
        let mut pieces = part.sql.split('$');
        self.sql += pieces.next().unwrap_or_default();
        for piece in pieces {
            let digits = piece.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(piece.len());
            let (number, rest) = piece.split_at(digits);
            let number = number.parse::<usize>().expect("a placeholder has a number") + first;
            write!(self.sql, "${number}{rest}").expect("memory takes what is written");
        }
        self.sql += ")";
    }

    /// A part must return so many rows: one is missing where it was not of the version that was read.
    pub(super) fn must_return(&mut self, part: &Part, table: &'static str, rows: usize) {
        self.counted.push((part.name, table, rows));
    }

    /// What is sent.
    pub(super) fn statement(&self) -> String {
        let counts = self.counted.iter().map(|(name, ..)| format!("(select count(*) from {name})")).collect::<Vec<_>>();
        format!("{} select {}", self.sql, counts.join(", "))
    }

    pub(super) async fn send(self, tx: &mut Tx) -> Result<(), Fault> {
        if self.sql.is_empty() {
            return Ok(());
        }
        let written = tx.single_of(self.statement(), self.values).await?;
        for (at, (_, table, rows)) in self.counted.into_iter().enumerate() {
            if get::<i64>(&written, at)? != i64::try_from(rows).unwrap_or(i64::MAX) {
                return Err(Fault::Stale(table));
            }
        }
        Ok(())
    }
}

/// Adds a statement to others, with its values.
macro_rules! part {
    ($parts:expr, $part:expr, $($value:expr),* $(,)?) => {{
        let first = sqlx::Arguments::len(&$parts.values);
        $crate::store::values!(into $parts.values; $($value),*);
        $parts.push(&$part, first);
    }};
}
pub(super) use part;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_one_after_the_other() {
        let mut parts = Parts::default();
        let one = Part { name: "one", sql: "insert into a select $1, $2" };
        let other = Part { name: "other", sql: "update b set x = $2 where y = $10 and $1" };
        parts.push(&one, 0);
        parts.push(&other, 2);
        parts.must_return(&other, "b", 1);
        parts.must_return(&one, "a", 1);
        let expected = "with one as (insert into a select $1, $2), other as (update b set x = $4 where y = $12 and $3) \
            select (select count(*) from other), (select count(*) from one)";
        assert_eq!(parts.statement(), expected);
    }
}
