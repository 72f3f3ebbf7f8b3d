//! Names for the zones of the open seating-plan JSON, which need none and may share one.

use std::collections::{HashMap, HashSet};

use crate::import::{
    draft::{DraftRow, DraftSection},
    limits::NAME_CHARS_MAX,
    problem::{Findings, Path},
    text::quote,
};

/// A zone with seats.
pub(super) struct Zone {
    /// Where it stands in the file.
    pub(super) position: usize,
    pub(super) name: Option<String>,
    pub(super) rows: Vec<DraftRow>,
}

/// The zones as sections: the first of a name keeps it, the next one becomes `Stalls (2)`; without a name it is `Section 3`,
/// after its position.
pub(super) fn sections(zones: Vec<Zone>, found: &Findings) -> Vec<DraftSection> {
    let mut names = Names { taken: zones.iter().filter_map(|zone| zone.name.clone()).collect(), ..Names::default() };
    zones.into_iter().map(|zone| DraftSection { name: names.of(&zone, found), rows: zone.rows }).collect()
}

#[derive(Default)]
struct Names {
    /// Names that a zone has or was given, and no other may get.
    taken: HashSet<String>,
    /// Names that have been met in the file.
    met: HashSet<String>,
    /// The number that was tried last, by name.
    tried: HashMap<String, usize>,
}

impl Names {
    fn of(&mut self, zone: &Zone, found: &Findings) -> String {
        let at = || Path::FILE.item(super::ZONES, zone.position);
        let Some(name) = &zone.name else {
            let name = format!("Section {}", zone.position + 1);
            let name = if self.taken.insert(name.clone()) { name } else { self.numbered(&name) };
            found.warn(at(), format!("a zone without a name became the section {}", quote(&name)));
            return name;
        };
        if self.met.insert(name.clone()) {
            return name.clone();
        }
        let numbered = self.numbered(name);
        found.warn(at(), format!("another zone called {} became the section {}", quote(name), quote(&numbered)));
        numbered
    }

    fn numbered(&mut self, name: &str) -> String {
        let tried = self.tried.entry(name.to_owned()).or_insert(1);
        loop {
            *tried += 1;
            let suffix = format!(" ({tried})");
            let kept: String = name.chars().take(NAME_CHARS_MAX - suffix.len()).collect();
            let candidate = kept + &suffix;
            if self.taken.insert(candidate.clone()) {
                return candidate;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[Option<&str>]) -> (Vec<String>, usize) {
        let zones = given.iter().enumerate().map(|(position, name)| {
            let rows = vec![DraftRow::default()];
            Zone { position, name: name.map(str::to_owned), rows }
        });
        let found = Findings::default();
        let sections = sections(zones.collect(), &found);
        (sections.into_iter().map(|section| section.name).collect(), found.into_warnings().unwrap().len())
    }

    #[test]
    fn a_repeated_name_gets_a_number_that_no_other_zone_has() {
        let (names, warnings) = names(&[Some("Box"), Some("Box"), Some("Box (2)"), Some("Box")]);
        assert_eq!(names, ["Box", "Box (3)", "Box (2)", "Box (4)"]);
        assert_eq!(warnings, 2);
    }

    #[test]
    fn a_zone_without_a_name_is_called_by_its_position() {
        let (names, warnings) = names(&[None, Some("Section 3"), None]);
        assert_eq!(names, ["Section 1", "Section 3", "Section 3 (2)"]);
        assert_eq!(warnings, 2);
    }

    #[test]
    fn a_long_name_stays_within_the_limit() {
        let long = "x".repeat(NAME_CHARS_MAX);
        let (names, _) = names(&[Some(&long), Some(&long)]);
        assert_eq!(names[1].len(), NAME_CHARS_MAX);
        assert!(names[1].ends_with("x (2)"));
    }
}
