//! What every reader fills in, and the one place where a [`Layout`] is made of it.

mod numbering;

use std::{collections::HashMap, fmt};

pub(super) use self::numbering::settle;

use super::{
    Import,
    limits::{AREAS_MAX, CATEGORIES_MAX, ROWS_MAX, SEATS_MAX, SECTIONS_MAX},
    problem::{Findings, ImportError, Path},
    sitting::sitting_order,
    text::quote,
};
use crate::domain::{Attribute, Category, LayoutId, Shape};

/// A plan whose texts and numbers are proper, before it is known whether they fit together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) categories: Vec<Category>,
    /// With unique names.
    pub(super) sections: Vec<DraftSection>,
    pub(super) areas: Vec<DraftArea>,
}

#[derive(Default)]
pub(super) struct DraftSection {
    pub(super) name: String,
    pub(super) rows: Vec<DraftRow>,
}

#[derive(Default)]
pub(super) struct DraftRow {
    pub(super) label: String,
    pub(super) seats: Vec<DraftSeat>,
}

pub(super) struct DraftSeat {
    pub(super) at: At,
    pub(super) label: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) category: u16,
    pub(super) attributes: Vec<Attribute>,
}

/// An area in the terms of [`Area`](crate::domain::Area), corners not yet moved to its edges.
pub(super) struct DraftArea {
    pub(super) shape: Shape,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) rotation: f64,
    pub(super) text: Option<String>,
    pub(super) color: Option<String>,
}

/// Where a seat stands in its file, for a message that names two of them.
#[derive(Clone, Copy)]
pub(super) enum At {
    Line(u64),
    /// Positions of its section, its row and itself in a JSON file whose list of sections has the name given first.
    Json(&'static str, usize, usize, usize),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Line(line) => Path::line(line).fmt(f),
            Self::Json(sections, section, row, seat) => {
                Path::FILE.item(sections, section).item("rows", row).item("seats", seat).fmt(f)
            }
        }
    }
}

impl Draft {
    /// Lists the seats of every row in the order in which people sit, for formats that leave it open: some plans number odd
    /// seats on the left and even ones on the right, and list them by number.
    pub(super) fn seat_people(&mut self, found: &Findings) {
        for row in self.sections.iter_mut().flat_map(|section| &mut section.rows) {
            let drawn: Vec<_> = row.seats.iter().map(|seat| (seat.x, seat.y)).collect();
            let Some(order) = sitting_order(&drawn) else { continue };
            found.warn(row.seats[0].at, "the seats of the row were put in the order in which they are drawn");
            let mut seats: Vec<_> = row.seats.drain(..).map(Some).collect();
            row.seats = order.into_iter().filter_map(|i| seats[i].take()).collect();
        }
    }

    /// Lists categories that no plan lists by their first seats.
    pub(super) fn sort_categories(&mut self) {
        let mut listed: Vec<_> = self.categories.drain(..).map(Some).collect();
        let mut positions = vec![0; listed.len()];
        let rows = self.sections.iter_mut().flat_map(|section| &mut section.rows);
        for seat in rows.flat_map(|row| &mut row.seats) {
            let given = usize::from(seat.category);
            if let Some(category) = listed[given].take() {
                positions[given] = u16::try_from(self.categories.len()).expect("there are as many as before");
                self.categories.push(category);
            }
            seat.category = positions[given];
        }
    }

    /// The layout, numbered; or all that is wrong with it.
    pub(super) fn build(self, id: LayoutId, found: Findings) -> Result<Import, ImportError> {
        self.check_limits(&found);
        self.check_seats_differ(&found);
        let warnings = found.into_warnings()?;
        Ok(Import { name: self.name.clone(), layout: self.number(id), warnings })
    }

    fn check_limits(&self, found: &Findings) {
        let rows = || self.sections.iter().flat_map(|section| &section.rows);
        let seats = rows().map(|row| row.seats.len()).sum::<usize>();
        if seats == 0 && !found.has_problems() {
            found.problem(Path::FILE, "there are no seats in it; a plan needs at least one");
        }
        let counts = [
            ("seats", seats, SEATS_MAX),
            ("rows", rows().count(), ROWS_MAX),
            ("sections", self.sections.len(), SECTIONS_MAX),
            ("areas", self.areas.len(), AREAS_MAX),
            ("categories", self.categories.len(), CATEGORIES_MAX),
        ];
        for (what, count, max) in counts {
            if count > max {
                found.problem(Path::FILE, format!("there are {count} {what} in it; at most {max} are allowed"));
            }
        }
    }

    /// Nobody finds a seat whose section, row and label are those of another one.
    fn check_seats_differ(&self, found: &Findings) {
        for section in &self.sections {
            let mut known = HashMap::new();
            for (row, seat) in section.rows.iter().flat_map(|row| row.seats.iter().map(move |seat| (row, seat))) {
                if let Some(first) = known.insert((&row.label, &seat.label), seat.at) {
                    let named = seat_in_words(&section.name, &row.label, &seat.label);
                    found.problem(seat.at, format!("{named} is there already, at {first}"));
                }
            }
        }
    }
}

/// A seat as people name it.
pub(super) fn seat_in_words(section: &str, row: &str, seat: &str) -> String {
    format!("seat {} in row {} of {}", quote(seat), quote(row), quote(section))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn seat(number: usize, x: f64) -> DraftSeat {
        let at = At::Json("zones", 0, 0, number);
        DraftSeat { at, label: number.to_string(), x, y: 0.0, category: 0, attributes: Vec::new() }
    }

    fn draft(seats: Vec<DraftSeat>) -> Draft {
        let row = DraftRow { label: "A".into(), seats };
        let section = DraftSection { name: "Stalls".into(), rows: vec![row] };
        let category = Category { name: "Normal".into(), color: None };
        Draft { categories: vec![category], sections: vec![section], ..Draft::default() }
    }

    fn build(draft: Draft) -> Result<Import, ImportError> {
        draft.build(LayoutId::new(Uuid::from_u128(7 << 76)), Findings::default())
    }

    fn labels(import: &Import) -> Vec<&str> {
        import.layout.places().map(|place| place.seat.label.as_str()).collect()
    }

    #[test]
    fn seats_are_numbered_in_layout_order() {
        let import = build(draft(vec![seat(1, 0.0), seat(2, 25.0)])).unwrap();
        let numbers: Vec<_> = import.layout.places().map(|place| place.seat.id.number()).collect();
        assert_eq!(numbers, [Some(0), Some(1)]);
    }

    #[test]
    fn odd_and_even_halves_sit_as_they_are_drawn() {
        let mut halves = draft(vec![seat(1, -25.0), seat(3, -50.0), seat(5, -75.0), seat(2, 25.0), seat(4, 50.0), seat(6, 75.0)]);
        let found = Findings::default();
        halves.seat_people(&found);
        assert_eq!(labels(&build(halves).unwrap()), ["5", "3", "1", "2", "4", "6"]);
        assert!(found.into_warnings().unwrap()[0].message.contains("in the order in which they are drawn"));
    }

    #[test]
    fn categories_are_listed_by_their_first_seats() {
        let mut draft = draft(vec![seat(1, 0.0), seat(2, 25.0), seat(3, 50.0)]);
        draft.categories.push(Category { name: "Dear".into(), color: None });
        draft.sections[0].rows[0].seats[0].category = 1;
        draft.sort_categories();
        let layout = build(draft).unwrap().layout;
        assert_eq!(layout.categories.iter().map(|category| category.name.as_str()).collect::<Vec<_>>(), ["Dear", "Normal"]);
        assert_eq!(layout.places().map(|place| place.seat.category).collect::<Vec<_>>(), [0, 1, 1]);
    }

    #[test]
    fn the_same_seat_twice_names_both_places() {
        let mut twin = seat(1, 50.0);
        twin.at = At::Json("zones", 0, 0, 9);
        let error = build(draft(vec![seat(1, 0.0), twin])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "zones[0].rows[0].seats[9]: seat `1` in row `A` of `Stalls` is there already, at zones[0].rows[0].seats[1]"
        );
    }

    #[test]
    fn a_plan_without_seats_is_refused() {
        let error = build(draft(Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "there are no seats in it; a plan needs at least one");
    }

    #[test]
    fn every_limit_is_kept() {
        let many = |count: usize| (0..count).map(|n| seat(n, 0.0)).collect::<Vec<_>>();
        let error = build(draft(many(SEATS_MAX + 1))).unwrap_err();
        assert_eq!(error.to_string(), "there are 200001 seats in it; at most 200000 are allowed");

        let mut large = draft(many(1));
        large.sections[0].rows.resize_with(ROWS_MAX + 1, DraftRow::default);
        large.sections.resize_with(SECTIONS_MAX + 1, DraftSection::default);
        large.categories.resize_with(CATEGORIES_MAX + 1, || Category { name: String::new(), color: None });
        let area = || DraftArea { shape: Shape::Text, x: 0.0, y: 0.0, rotation: 0.0, text: None, color: None };
        large.areas.resize_with(AREAS_MAX + 1, area);
        let messages = build(large).unwrap_err().to_string();
        for count in ["20001 rows", "1001 sections", "2001 areas", "101 categories"] {
            assert!(messages.contains(count), "{messages}");
        }
    }
}
