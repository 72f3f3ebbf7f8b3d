//! What a venue manager would want to know about a plan before seats are sold from it.
//!
//! Everything here can be meant as it is; what cannot be meant is refused on import.

mod spacing;

use std::collections::{HashMap, HashSet};

use super::{
    problem::Warning,
    sitting::sitting_order,
    text::{listed, quote},
};
use crate::domain::{Attribute, Layout, LayoutSeat, Row, Section};

/// Findings of one kind that are told one by one before the rest is counted.
const TOLD_MAX: usize = 5;

/// Seats from which on a plan without any accessible place is taken for one in which they were not marked.
const ACCESSIBLE_EXPECTED: u32 = 100;

/// What looks like a mistake in the layout, or would surprise those who buy.
pub fn lint(layout: &Layout) -> Vec<Warning> {
    let mut lints = Lints::default();
    categories(layout, &mut lints);
    sections(layout, &mut lints);
    for section in &layout.sections {
        row_labels(section, &mut lints);
        for row in &section.rows {
            self::row(section, row, &mut lints);
        }
    }
    companions(layout, &mut lints);
    spacing::too_close(layout, &mut lints);
    lints.finish()
}

/// Warnings by what they are about.
#[derive(Default)]
struct Lints {
    warnings: Vec<Warning>,
    /// How often there was each, in the order in which they appeared first.
    counts: Vec<(&'static str, usize)>,
}

impl Lints {
    /// `kind` names what is counted once there is too much of it to tell.
    fn warn(&mut self, kind: &'static str, path: String, message: impl FnOnce() -> String) {
        let position = self.counts.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            self.counts.push((kind, 0));
            self.counts.len() - 1
        });
        self.counts[position].1 += 1;
        if self.counts[position].1 <= TOLD_MAX {
            self.warnings.push(Warning { path, message: message() });
        }
    }

    fn finish(mut self) -> Vec<Warning> {
        for (kind, count) in self.counts.into_iter().filter(|(_, count)| *count > TOLD_MAX) {
            let message = format!("there are {} more {kind}", count - TOLD_MAX);
            self.warnings.push(Warning { path: String::new(), message });
        }
        self.warnings
    }
}

fn categories(layout: &Layout, lints: &mut Lints) {
    let used: HashSet<u16> = layout.places().map(|place| place.seat.category).collect();
    let mut colors = HashMap::new();
    for (position, category) in (0..).zip(&layout.categories) {
        let path = format!("category {}", category.name);
        if !used.contains(&position) {
            lints.warn("unused categories", path.clone(), || "no seat has it".into());
        }
        let Some(color) = &category.color else { continue };
        if let Some(other) = colors.insert(color.to_lowercase(), &category.name) {
            lints.warn("categories of one colour", path, || {
                format!("it has the colour of {}; nobody can tell them apart in the drawing", quote(other))
            });
        }
    }
}

fn sections(layout: &Layout, lints: &mut Lints) {
    let mut names = HashMap::new();
    for section in &layout.sections {
        if let Some(other) = names.insert(alike(&section.name), &section.name) {
            lints.warn("sections that read alike", section_path(section), || {
                format!("its name reads like that of the section {}", quote(other))
            });
        }
    }
}

fn row_labels(section: &Section, lints: &mut Lints) {
    let mut labels = HashSet::new();
    for row in &section.rows {
        if !labels.insert(&row.label) {
            lints.warn("rows of one label", row_path(section, row), || {
                "another row of the section has this label; on a ticket both read the same".into()
            });
        }
    }
}

fn row(section: &Section, row: &Row, lints: &mut Lints) {
    let path = || row_path(section, row);
    if let [seat] = &row.seats[..]
        && !has(seat, Attribute::Accessible)
    {
        lints.warn("rows of one seat", path(), || "it has one seat only, which is not an accessible one".into());
    }
    let drawn: Vec<_> = row.seats.iter().map(|seat| (seat.x, seat.y)).collect();
    if sitting_order(&drawn).is_some() {
        lints.warn("rows out of order", path(), || {
            "its seats are not listed in the order in which people sit; neighbours will not be found".into()
        });
    }
    let mut labels = HashMap::new();
    for seat in &row.seats {
        if let Some(other) = labels.insert(alike(&seat.label), &seat.label) {
            let pair = listed([other.as_str(), &seat.label]);
            lints.warn("seats that read alike", path(), || format!("the labels {pair} read alike"));
        }
    }
}

/// Companions sit beside accessible places, and large halls have such places.
fn companions(layout: &Layout, lints: &mut Lints) {
    let is_accessible = |row: &Row| row.seats.iter().any(|seat| has(seat, Attribute::Accessible));
    let mut any = false;
    for section in &layout.sections {
        for row in &section.rows {
            let accessible = is_accessible(row);
            any |= accessible;
            if !accessible && row.seats.iter().any(|seat| has(seat, Attribute::Companion)) {
                lints.warn("companions on their own", row_path(section, row), || {
                    "it has a companion's place, but no accessible one".into()
                });
            }
        }
    }
    if !any && layout.seats_total() >= ACCESSIBLE_EXPECTED {
        lints.warn("plans without accessible places", String::new(), || {
            "no seat is marked as accessible; mark those for wheelchairs, or nobody finds them".into()
        });
    }
}

fn has(seat: &LayoutSeat, attribute: Attribute) -> bool {
    seat.attributes.contains(&attribute)
}

/// What is left of a label when nobody looks closely: neither case, nor spaces, nor leading zeros.
fn alike(label: &str) -> String {
    let bare: String = label.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let short = bare.trim_start_matches('0');
    if short.is_empty() { bare } else { short.to_owned() }
}

fn section_path(section: &Section) -> String {
    format!("section {}", section.name)
}

fn row_path(section: &Section, row: &Row) -> String {
    format!("section {}, row {}", section.name, row.label)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::LayoutId,
        import::{Format, read},
    };

    fn told(seats: &str) -> Vec<String> {
        let text = format!("section,row,seat,x,y,category,attributes\n{seats}");
        let layout = read(Format::Csv, text.as_bytes(), LayoutId::new(Uuid::nil())).unwrap().layout;
        lint(&layout).iter().map(ToString::to_string).collect()
    }

    /// A row of ten, which is beyond reproach.
    fn row(section: &str, label: &str, y: u32) -> String {
        (1..=10).map(|seat| format!("{section},{label},{seat},{},{y},C,\n", seat * 20)).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_plan_in_order_is_left_in_peace() {
        assert_eq!(told(&(row("S", "A", 0) + &row("S", "B", 25) + &row("T", "A", 90))), [""; 0]);
    }

    /// What is drawn is sorted into squares, and these two are in different ones whichever of them comes first.
    #[test]
    fn seats_that_overlap_are_told_wherever_they_are_drawn() {
        let near = |x: i32, y: i32, other: (i32, i32)| {
            let pair = |label: &str, (x, y): (i32, i32)| format!("S,{label},1,{x},{y},C,\nS,{label},2,{},{y},C,\n", x + 1_000);
            let seats = row("R", "A", 5_000) + &pair("A", (x, y)) + &pair("B", other);
            told(&seats).iter().filter(|told| told.contains("closer")).count()
        };
        for step in [1, 5, 7, 8] {
            for at in -12..12 {
                for (x, y) in [(step, 0), (-step, 0), (0, step), (0, -step), (step, -step), (-step, step)] {
                    let apart = f64::from(x).hypot(f64::from(y));
                    let found = near(at, at, (at + x, at + y));
                    assert_eq!(found, if apart < 8.0 { 2 } else { 0 }, "{at} and {x}, {y} further");
                }
            }
        }
    }

    #[test]
    fn a_row_of_one_seat_is_told_unless_it_is_accessible() {
        let seats = row("S", "A", 0) + "S,B,1,0,30,C,\nS,C,1,0,60,C,accessible\n";
        assert_eq!(told(&seats), ["section S, row B: it has one seat only, which is not an accessible one"]);
    }

    #[test]
    fn labels_that_read_alike_are_told() {
        let seats = row("Stalls", "A", 0) + &row("stalls ", "A", 25) + "T,A,1,0,90,C,\nT,A,01,20,90,C,\nT,A,0,40,90,C,\n";
        assert_eq!(
            told(&seats),
            [
                "section stalls: its name reads like that of the section `Stalls`",
                "section T, row A: the labels `1` and `01` read alike",
            ]
        );
    }

    #[test]
    fn seats_closer_than_usual_are_told() {
        let seats = row("S", "A", 0) + "S,A,11,204,2,C,\n" + &row("S", "B", 25) + "S,B,11,204,27,C,\n";
        assert_eq!(
            told(&seats),
            ["A", "B"].map(|row| format!(
                "section S, row {row}, seat 11: it stands closer to seat `10` in row `{row}` of `S` than people can sit"
            ))
        );
    }

    #[test]
    fn a_companion_needs_an_accessible_place_beside() {
        let seats =
            row("S", "A", 0) + "S,B,1,0,30,C,companion\nS,B,2,20,30,C,\nS,C,1,0,60,C,companion\nS,C,2,20,60,C,accessible\n";
        assert_eq!(told(&seats), ["section S, row B: it has a companion's place, but no accessible one"]);
    }

    #[test]
    fn a_large_hall_has_accessible_places() {
        let rows = |count: u32| (0..count).map(|n| row("S", &n.to_string(), n * 25)).collect::<String>();
        assert_eq!(told(&rows(9)), [""; 0]);
        assert_eq!(told(&rows(10)).len(), 1);
    }

    #[test]
    fn what_json_alone_can_say_is_told_as_well() {
        let seat = |label: &str, x: u32| format!(r#"{{"label":"{label}","x":{x},"y":0,"category":"A"}}"#);
        let row = |seats: &[String]| format!(r#"{{"label":"1","seats":[{}]}}"#, seats.join(","));
        let left = row(&[seat("1", 0), seat("2", 20)]);
        let right = row(&[seat("3", 120), seat("5", 60), seat("4", 90)]);
        let text = format!(
            r#"{{"categories":[{{"name":"A","color":"Red"}},{{"name":"B","color":"red"}}],
            "sections":[{{"name":"S","rows":[{left},{right}]}}]}}"#
        );
        let layout = read(Format::Own, text.as_bytes(), LayoutId::new(Uuid::nil())).unwrap().layout;
        let told: Vec<_> = lint(&layout).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "category B: no seat has it",
                "category B: it has the colour of `A`; nobody can tell them apart in the drawing",
                "section S, row 1: another row of the section has this label; on a ticket both read the same",
                "section S, row 1: its seats are not listed in the order in which people sit; neighbours will not be found",
            ]
        );
    }

    #[test]
    fn too_much_of_one_kind_is_counted() {
        let seats: Vec<_> = (0..9).map(|row| format!("S,{row},1,0,{},C,\n", row * 25)).collect();
        let all = told(&seats.concat());
        assert_eq!((all.len(), all[5].as_str()), (TOLD_MAX + 1, "there are 4 more rows of one seat"));
        assert_eq!(told(&seats[..TOLD_MAX].concat()), all[..TOLD_MAX], "as many as are told leave nothing to count");
    }
}
