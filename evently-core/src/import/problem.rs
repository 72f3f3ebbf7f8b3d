//! What is wrong with a plan, and where.

use std::{
    cell::RefCell,
    fmt::{self, Display},
};

use serde::Serialize;

use super::limits::{PROBLEMS_MAX, WARNINGS_MAX};

/// Something that keeps a plan from being imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is: `zones[2].rows[0].seats[14]`, `line 14`, or nothing for the file as a whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Something that was left out, made up, or looks like a mistake; the plan can be used all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Where it is, or where it is first: a path in the file, or a place in words; may be empty.
    pub path: String,
    /// What was done or what looks wrong.
    pub message: String,
}

/// A plan that cannot be imported, with its problems in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_words(problems, *more))]
pub struct ImportError {
    /// The first problems, at least one and at most [`PROBLEMS_MAX`](super::limits::PROBLEMS_MAX).
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl ImportError {
    pub(super) fn single(path: impl Display, message: impl Into<String>) -> Self {
        let problem = Problem { path: path.to_string(), message: message.into() };
        Self { problems: vec![problem], more: 0 }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        at_place(f, &self.path, &self.message)
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        at_place(f, &self.path, &self.message)
    }
}

fn at_place(f: &mut fmt::Formatter<'_>, path: &str, message: &str) -> fmt::Result {
    if path.is_empty() { f.write_str(message) } else { write!(f, "{path}: {message}") }
}

fn in_words(problems: &[Problem], more: usize) -> String {
    let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{words}; and {more} more problems") } else { words }
}

/// A place in a file, written out only when something is wrong there.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    File,
    Line(u64),
    Member(&'a str),
    Item(&'a str, usize),
}

impl<'a> Path<'a> {
    pub(super) const FILE: Self = Self { parent: None, step: Step::File };

    pub(super) const fn line(number: u64) -> Self {
        Self { parent: None, step: Step::Line(number) }
    }

    pub(super) const fn member(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Member(key) }
    }

    pub(super) const fn item(&'a self, list: &'a str, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Item(list, index) }
    }

    const fn is_file(&self) -> bool {
        matches!(self.step, Step::File)
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent
            && !parent.is_file()
        {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::File => Ok(()),
            Step::Line(number) => write!(f, "line {number}"),
            Step::Member(key) => f.write_str(key),
            Step::Item(list, index) => write!(f, "{list}[{index}]"),
        }
    }
}

/// Collects what a reader finds, so that whoever drew the plan learns everything at once.
#[derive(Default)]
pub(super) struct Findings(RefCell<Found>);

#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    more: usize,
    notes: Vec<Note>,
    more_notes: usize,
}

/// A warning with how often there was cause for it.
struct Note {
    warning: Warning,
    times: usize,
}

impl Findings {
    pub(super) fn problem(&self, path: impl Display, message: impl Into<String>) {
        let mut found = self.0.borrow_mut();
        if found.problems.len() < PROBLEMS_MAX {
            found.problems.push(Problem { path: path.to_string(), message: message.into() });
        } else {
            found.more += 1;
        }
    }

    /// Warns once for each `message`, at the first place where there is cause for it.
    pub(super) fn warn(&self, path: impl Display, message: impl Into<String>) {
        let mut found = self.0.borrow_mut();
        let message = message.into();
        if let Some(note) = found.notes.iter_mut().find(|note| note.warning.message == message) {
            note.times += 1;
        } else if found.notes.len() < WARNINGS_MAX {
            let warning = Warning { path: path.to_string(), message };
            found.notes.push(Note { warning, times: 1 });
        } else {
            found.more_notes += 1;
        }
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.0.borrow().problems.is_empty()
    }

    /// The warnings, unless there are problems.
    pub(super) fn into_warnings(self) -> Result<Vec<Warning>, ImportError> {
        let Found { problems, more, notes, more_notes } = self.0.into_inner();
        if !problems.is_empty() {
            return Err(ImportError { problems, more });
        }
        let mut warnings: Vec<Warning> = notes.into_iter().map(Note::counted).collect();
        if more_notes > 0 {
            let message = format!("{more_notes} more things are not known here and were left out");
            warnings.push(Warning { path: String::new(), message });
        }
        Ok(warnings)
    }
}

impl Note {
    fn counted(self) -> Warning {
        let Warning { path, message } = self.warning;
        let message = if self.times > 1 { format!("{message} ({} times, here first)", self.times) } else { message };
        Warning { path, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_file() {
        let zone = Path::FILE.item("zones", 2);
        let row = zone.item("rows", 0);
        let seat = row.item("seats", 14);
        assert_eq!(seat.member("position").to_string(), "zones[2].rows[0].seats[14].position");
        assert_eq!(Path::line(3).to_string(), "line 3");
        assert_eq!(Path::FILE.to_string(), "");
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let found = Findings::default();
        for line in 0..25 {
            found.problem(Path::line(line), "the seat is missing");
        }
        let error = found.into_warnings().unwrap_err();
        assert_eq!((error.problems.len(), error.more), (PROBLEMS_MAX, 5));
        assert!(error.to_string().starts_with("line 0: the seat is missing; line 1: "));
        assert!(error.to_string().ends_with("; and 5 more problems"));
    }

    #[test]
    fn a_warning_is_given_once_for_each_kind() {
        let found = Findings::default();
        found.warn("seats[0]", "`tag` was left out");
        found.warn("seats[1]", "`tag` was left out");
        found.warn("seats[1]", "`colour` was left out");
        let warnings = found.into_warnings().unwrap();
        assert_eq!(warnings.len(), 2);
        assert_eq!(warnings[0].to_string(), "seats[0]: `tag` was left out (2 times, here first)");
    }

    #[test]
    fn kinds_of_warnings_beyond_the_limit_are_counted() {
        let found = Findings::default();
        for kind in 0..WARNINGS_MAX + 2 {
            found.warn("plan", format!("`key{kind}` was left out"));
        }
        let warnings = found.into_warnings().unwrap();
        assert_eq!(warnings.len(), WARNINGS_MAX + 1);
        assert_eq!(warnings.last().unwrap().to_string(), "2 more things are not known here and were left out");
    }
}
