//! Plans of venues: reading them from files, writing them, and looking them over before they are sold.
//!
//! Three formats are read: our own, which says everything a layout has; the open seating-plan JSON of the public plan editor;
//! and a table of seats. Each has a reader that turns a file into a draft, and all drafts become layouts in the same way. What
//! is wrong is collected and told together, with its place in the file. Nothing here reads files or knows who may import.

mod category;
mod draft;
mod grid;
mod json;
pub mod limits;
mod lint;
mod own;
mod problem;
mod seating_plan;
mod sitting;
mod table;
mod text;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    lint::lint,
    problem::{ImportError, Problem, Warning},
};
use crate::domain::{Layout, LayoutId, LayoutSeat};

/// How a plan is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Our own JSON, `evently`.
    #[serde(rename = "evently")]
    Own,
    /// The open seating-plan JSON, `pretix`.
    #[serde(rename = "pretix")]
    SeatingPlan,
    /// A table with a line for each seat, `csv`.
    #[serde(rename = "csv")]
    Csv,
}

/// A name that no format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown format; there are evently, pretix and csv")]
pub struct UnknownFormat;

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Own, Self::SeatingPlan, Self::Csv];

    /// Its name on the command line and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "evently",
            Self::SeatingPlan => "pretix",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or(UnknownFormat)
    }
}

/// A plan that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// What the plan calls itself, if it does.
    pub name: Option<String>,
    /// What was drawn, with ids derived from the layout's.
    pub layout: Layout,
    /// What was left out or made up on the way, one for each kind.
    pub warnings: Vec<Warning>,
}

/// Reads a plan. Its seats are numbered in the order in which they come to stand in the layout.
pub fn read(format: Format, bytes: &[u8], id: LayoutId) -> Result<Import, ImportError> {
    let text = text::decode(bytes)?;
    match format {
        Format::Own => own::read(text, id),
        Format::SeatingPlan => seating_plan::read(text, id),
        Format::Csv => table::read(text, id),
    }
}

/// Writes a layout as [`read`] reads it, without what the format has no place for: the open seating-plan JSON knows no
/// attributes, and a table neither colours nor areas nor the venue's name.
pub fn write(format: Format, venue_name: &str, layout: &Layout) -> Vec<u8> {
    match format {
        Format::Own => own::write(venue_name, layout),
        Format::SeatingPlan => seating_plan::write(venue_name, layout),
        Format::Csv => table::write(layout),
    }
}

fn category_name<'l>(layout: &'l Layout, seat: &LayoutSeat) -> &'l str {
    let category = layout.categories.get(usize::from(seat.category));
    &category.expect("every seat refers to a category of its layout").name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
        }
        let error = "svg".parse::<Format>().unwrap_err();
        assert_eq!(error.to_string(), "unknown format; there are evently, pretix and csv");
    }
}
