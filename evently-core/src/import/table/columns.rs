//! The header of a table: which cell of a line says what.

use csv::StringRecord;

use crate::import::{
    limits::COLUMNS_MAX,
    problem::{Findings, Path},
    text::{listed, quote},
};

pub(super) const COLUMNS: [&str; 7] = ["section", "row", "seat", "x", "y", "category", "attributes"];

const REQUIRED: [&str; 4] = ["section", "row", "seat", "category"];

/// Where each column is, in the order of [`COLUMNS`].
pub(super) struct Columns([Option<usize>; 7]);

impl Columns {
    /// `None` once something is wrong with the header.
    pub(super) fn read(header: &StringRecord, found: &Findings) -> Option<Self> {
        let at = Path::line(header.position().map_or(1, csv::Position::line));
        if header.len() > COLUMNS_MAX {
            found.problem(at, format!("there are {} columns; at most {COLUMNS_MAX} are allowed", header.len()));
            return None;
        }
        let given: Vec<_> = header.iter().map(|column| column.trim().to_lowercase()).collect();
        for (i, column) in given.iter().enumerate().filter(|(_, column)| !column.is_empty()) {
            if !COLUMNS.contains(&column.as_str()) {
                found.warn(at, format!("the column {} is not known here and was left out", quote(column)));
            } else if given[..i].contains(column) {
                found.problem(at, format!("the column {} is there twice", quote(column)));
            }
        }
        let has = |column: &str| given.iter().any(|other| other == column);
        let missing: Vec<_> = REQUIRED.into_iter().filter(|column| !has(column)).collect();
        if !missing.is_empty() {
            let message = format!(
                "the header lacks {}; it names {}, separated by commas or semicolons, and may leave out x with y, and attributes",
                listed(missing),
                listed(COLUMNS)
            );
            found.problem(at, message);
        } else if has("x") != has("y") {
            found.problem(at, "the columns `x` and `y` go together; one of them is missing");
        }
        (!found.has_problems()).then(|| Self(COLUMNS.map(|column| given.iter().position(|other| other == column))))
    }

    /// The cell, trimmed; empty where the line or the table lacks it.
    pub(super) fn cell<'r>(&self, line: &'r StringRecord, column: &str) -> &'r str {
        let position = COLUMNS.iter().position(|other| *other == column).and_then(|i| self.0[i]);
        position.and_then(|i| line.get(i)).unwrap_or_default().trim()
    }
}
