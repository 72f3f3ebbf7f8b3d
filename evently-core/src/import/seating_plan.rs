//! The open seating-plan JSON, as its schema has it and as its public editor writes it.
//!
//! Positions are relative: those of seats to their row, those of rows and areas to their zone. The editor adds keys that no
//! schema knows, and so do those who generate plans; what says nothing here is left out with a warning for each kind.

mod area;
mod category;
mod naming;
mod position;
mod write;

use std::collections::HashMap;

pub(super) use self::write::write;
use self::{
    category::PlanCategories,
    naming::Zone,
    position::{Line, position},
};
use super::{
    Import,
    draft::{At, Draft, DraftArea, DraftRow, DraftSeat, seat_in_words},
    json::{self, Node, Object},
    problem::{Findings, ImportError, Path},
    text::{label, name, plan_name, quote},
};
use crate::domain::{Attribute, LayoutId};

const ZONES: &str = "zones";

/// Keys by which plans mark a wheelchair place.
const ACCESSIBLE_KEYS: [&str; 2] = ["wheelchair", "accessible"];

pub(super) fn read(text: &str, id: LayoutId) -> Result<Import, ImportError> {
    let node = json::parse(text)?;
    let found = Findings::default();
    let mut draft = Object::new(&node, Path::FILE, &found).map(|plan| read_plan(&plan)).unwrap_or_default();
    draft.seat_people(&found);
    draft.build(id, found)
}

fn read_plan(plan: &Object<'_>) -> Draft {
    if plan.node("sections").is_some() && plan.node(ZONES).is_none() {
        plan.problem("this looks like a plan of our own; it is read with the format evently");
        return Draft::default();
    }
    leave_out_others(plan, "the plan", &["name", ZONES, "categories", "size"]);
    plan.require(ZONES);
    let categories = PlanCategories::read(plan);
    let mut reader = Reader { categories, guids: HashMap::new(), areas: Vec::new() };
    let zones: Vec<_> = plan.objects(ZONES).filter_map(|(i, zone)| reader.zone(&zone, i)).collect();
    Draft {
        name: unless_blank(plan, "name", plan_name),
        categories: reader.categories.into_list(),
        sections: naming::sections(zones, plan.found),
        areas: reader.areas,
    }
}

struct Reader {
    categories: PlanCategories,
    /// Where each `seat_guid` was seen.
    guids: HashMap<String, At>,
    areas: Vec<DraftArea>,
}

impl Reader {
    /// The zone, unless it has no seats and is only drawn.
    fn zone(&mut self, zone: &Object<'_>, i: usize) -> Option<Zone> {
        leave_out_others(zone, "a zone", &["name", "position", "rows", "areas", "uuid", "zone_id", "displayed"]);
        let origin = position(zone).unwrap_or_default();
        self.areas.extend(zone.objects("areas").filter_map(|(_, area)| area::read(&area, origin)));
        let name = unless_blank(zone, "name", name);
        let shown = name.as_deref().unwrap_or("a zone without a name");
        let rows: Vec<_> = zone.objects("rows").filter_map(|(j, row)| self.row(&row, shown, origin, (i, j))).collect();
        (!rows.is_empty()).then_some(Zone { position: i, name, rows })
    }

    /// The row, unless it has no seats.
    fn row(&mut self, row: &Object<'_>, zone: &str, origin: (f64, f64), (i, j): (usize, usize)) -> Option<DraftRow> {
        let known = ["row_number", "seats", "position", "seats_spacing"];
        let for_the_editor = ["uuid", "row_number_position", "number_of_seats"];
        leave_out_others(row, "a row", &[&known[..], &for_the_editor].concat());
        if row.list("seats").unwrap_or_default().is_empty() {
            row.found.warn(row.path, "a row without seats was left out");
            return None;
        }
        let label = row_label(row, j);
        let line = Line::of_row(row, origin, j);
        let seats = row.objects("seats").filter_map(|(k, seat)| {
            let place = line.place(&seat, k);
            self.seat(&seat, At::Json(ZONES, i, j, k), (zone, &label), place)
        });
        let seats = seats.collect();
        Some(DraftRow { label, seats })
    }

    /// The seat, unless something is wrong with it.
    fn seat(&mut self, seat: &Object<'_>, at: At, (zone, row): (&str, &str), place: Option<(f64, f64)>) -> Option<DraftSeat> {
        let known = ["seat_number", "seat_guid", "position", "category", "uuid", "radius"];
        leave_out_others(seat, "a seat", &[&known[..], &ACCESSIBLE_KEYS].concat());
        self.check_guid(seat, at);
        seat.require("seat_number");
        let label = seat.accept("seat_number", label(&text_or_number(seat, "seat_number")?))?;
        let (category, is_accessible) = self.categories.of_seat(seat, || seat_in_words(zone, row, &label))?;
        let is_accessible = is_accessible || says_accessible(seat);
        let attributes = if is_accessible { vec![Attribute::Accessible] } else { Vec::new() };
        let (x, y) = place?;
        Some(DraftSeat { at, label, x, y, category, attributes })
    }

    /// Another system would know the seat by it, and sell one of two that share it.
    fn check_guid(&mut self, seat: &Object<'_>, at: At) {
        seat.require("seat_guid");
        let Some(guid) = text_or_number(seat, "seat_guid") else { return };
        if guid.trim().is_empty() {
            seat.problem_in("seat_guid", "it is empty; every seat needs one of its own");
        } else if let Some(first) = self.guids.get(&guid) {
            let message = format!("{} is the seat_guid of {first} too; every seat needs one of its own", quote(&guid));
            seat.problem_in("seat_guid", message);
        } else {
            self.guids.insert(guid, at);
        }
    }
}

fn row_label(row: &Object<'_>, j: usize) -> String {
    let given = text_or_number(row, "row_number").unwrap_or_default();
    if given.trim().is_empty() {
        row.found.warn(row.path, "a row without a row_number is called by its position, such as #3");
        return format!("#{}", j + 1);
    }
    row.accept("row_number", label(&given)).unwrap_or_default()
}

/// Whether the member that marks a wheelchair place says that this is one.
fn says_accessible(object: &Object<'_>) -> bool {
    ACCESSIBLE_KEYS.into_iter().any(|key| match object.node(key) {
        Some(Node::Bool(is_accessible)) => *is_accessible,
        Some(_) => {
            object.found.warn(object.path, format!("`{key}` is neither true nor false and was left out"));
            false
        }
        None => false,
    })
}

/// A text, or the number that generated plans have in its stead.
fn text_or_number(object: &Object<'_>, key: &str) -> Option<String> {
    match object.node(key)? {
        Node::Number(number) => Some(number.to_string()),
        _ => object.text(key).map(str::to_owned),
    }
}

fn unless_blank(object: &Object<'_>, key: &str, check: impl Fn(&str) -> Result<String, String>) -> Option<String> {
    let given = object.text(key).filter(|given| !given.trim().is_empty())?;
    object.accept(key, check(given))
}

/// Warns of the members that are neither used nor there for the editor alone.
fn leave_out_others(object: &Object<'_>, what: &str, known: &[&str]) {
    for key in object.others(known) {
        object.found.warn(object.path, format!("{} of {what} is not known here and was left out", quote(key)));
    }
}

/// Takes a part of the drawing, or does without it.
fn lenient<T>(object: &Object<'_>, what: &str, value: Result<T, String>) -> Option<T> {
    value.map_err(|_| object.found.warn(object.path, format!("{what} that cannot be read was left out"))).ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn read(text: &str) -> Result<Import, ImportError> {
        super::read(text, LayoutId::new(Uuid::nil()))
    }

    /// A plan of one row with these seats.
    fn row(seats: &str) -> Result<Import, ImportError> {
        read(&format!(
            r#"{{"name":"Hall","categories":[{{"name":"Stalls"}},{{"name":"Rollstuhlplätze"}},{{"name":"Lift","wheelchair":true}}],
            "zones":[{{"name":"Main","position":{{"x":100,"y":200}},"rows":[
            {{"row_number":"A","position":{{"x":10.5,"y":20}},"seats":[{seats}]}}]}}]}}"#
        ))
    }

    fn seat(number: u32, members: &str) -> String {
        format!(
            r#"{{"seat_guid":"A-{number}","seat_number":"{number}","position":{{"x":{},"y":0}},"category":"Stalls"{members}}}"#,
            number * 25
        )
    }

    #[test]
    fn positions_of_zone_row_and_seat_add_up() {
        let import = row(&seat(1, "")).unwrap();
        let place = import.layout.places().next().unwrap();
        assert_eq!((place.section.name.as_str(), place.row.label.as_str(), place.seat.label.as_str()), ("Main", "A", "1"));
        assert_eq!((place.seat.x, place.seat.y), (135.5, 220.0));
        assert_eq!(import.name.as_deref(), Some("Hall"));
        assert_eq!(import.warnings, []);
    }

    #[test]
    fn a_plan_of_our_own_is_recognized_and_nothing_else_is_taken_for_one() {
        let told = |plan: &str| read(plan).unwrap_err().to_string();
        assert!(told(r#"{"sections":[]}"#).contains("it is read with the format evently"));
        for plan in ["{}", r#"{"sections":[],"zones":[]}"#] {
            assert!(!told(plan).contains("of our own"), "{plan}");
        }
    }

    #[test]
    fn a_sum_of_positions_may_reach_the_bounds_and_not_go_beyond() {
        let plan = r#"{"categories":[{"name":"A"}],"zones":[{"name":"Z","position":{"x":600000,"y":0},"rows":[{"row_number":"1",
            "seats":[{"seat_guid":"g","seat_number":"1","position":{"x":400000,"y":0},"category":"A"}]}]}]}"#;
        let seat = read(plan).unwrap().layout.places().next().unwrap().seat.clone();
        assert_eq!((seat.x, seat.y), (1_000_000.0, 0.0));
        let told = read(&plan.replace("400000", "400000.5")).unwrap_err().to_string();
        assert!(told.contains("position: 1000000.5 is out of bounds"), "{told}");
    }

    #[test]
    fn what_the_editor_adds_for_itself_passes_in_silence() {
        let plan = r##"{"name":"","size":{"width":1,"height":1},"categories":[{"name":"A","color":"#aabbcc"}],"zones":[
            {"name":"Z","zone_id":"z","uuid":"1","displayed":true,"position":{"x":0,"y":0},"areas":[],"rows":[
            {"row_number":"1","row_number_position":"both","uuid":"2","row_label":null,"seats_spacing":20,"number_of_seats":1,
            "seats":[{"seat_guid":"g","seat_number":"1","uuid":"3","radius":10.5,"start_direction":null,
            "position":{"x":0,"y":0},"category":"A"}]}]}]}"##;
        let import = read(plan).unwrap();
        assert_eq!(import.warnings, []);
        assert_eq!(import.name, None);
    }

    #[test]
    fn what_is_not_known_is_left_out_with_one_warning_for_each_kind() {
        let seats = [seat(1, r#","tag":1,"status":"sold""#), seat(2, r#","tag":2"#), seat(3, r#","tag":3"#)];
        let warnings = row(&seats.join(",")).unwrap().warnings;
        let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "zones[0].rows[0].seats[0]: `tag` of a seat is not known here and was left out (3 times, here first)",
                "zones[0].rows[0].seats[0]: `status` of a seat is not known here and was left out",
            ]
        );
    }

    #[test]
    fn only_what_the_plan_says_makes_a_place_accessible() {
        let lift = seat(3, "").replace(r#""Stalls""#, r#""Lift""#);
        let wheels = seat(4, "").replace(r#""Stalls""#, r#""Rollstuhlplätze""#);
        let seats = [seat(1, r#","wheelchair":true"#), seat(2, r#","wheelchair":false"#), lift, wheels, seat(5, "")];
        let import = row(&seats.join(",")).unwrap();
        let accessible: Vec<_> =
            import.layout.places().map(|place| place.seat.attributes.contains(&Attribute::Accessible)).collect();
        assert_eq!(accessible, [true, false, true, true, false]);
    }

    #[test]
    fn seats_without_a_category_are_kept_apart() {
        let import = row(&[seat(1, ""), seat(2, "").replace("Stalls", "")].join(",")).unwrap();
        assert_eq!(import.layout.categories.last().unwrap().name, "No category");
        assert!(import.warnings[0].to_string().contains("seats[1]: a seat without a category was put into `No category`"));
    }

    #[test]
    fn an_unknown_category_is_an_error_that_names_the_seat() {
        let told = row(&seat(7, "").replace("Stalls", "VIP")).unwrap_err().to_string();
        assert!(told.starts_with("zones[0].rows[0].seats[0].category: seat `7` in row `A` of `Main` has the category `VIP`"));
    }

    #[test]
    fn a_seat_guid_is_unique_in_the_plan() {
        let told = row(&[seat(1, ""), seat(2, "").replace("A-2", "A-1")].join(",")).unwrap_err().to_string();
        assert!(told.contains("seats[1].seat_guid: `A-1` is the seat_guid of zones[0].rows[0].seats[0] too"), "{told}");
        let told = row(&seat(1, "").replace(r#""seat_guid":"A-1","#, "")).unwrap_err().to_string();
        assert!(told.contains("seats[0]: `seat_guid` is missing"), "{told}");
    }

    #[test]
    fn seats_without_a_position_stand_side_by_side() {
        let seats = r#"{"seat_guid":1,"seat_number":1,"category":"Stalls"},{"seat_guid":2,"seat_number":2,"category":"Stalls"}"#;
        let import = row(seats).unwrap();
        let drawn: Vec<_> = import.layout.places().map(|place| (place.seat.x, place.seat.y)).collect();
        assert_eq!(drawn, [(110.5, 220.0), (135.5, 220.0)]);
        assert_eq!(import.warnings.len(), 1);
    }

    #[test]
    fn a_position_out_of_bounds_is_refused_even_as_a_sum() {
        let told = row(&seat(1, "").replace(r#""x":25"#, r#""x":999999"#)).unwrap_err().to_string();
        assert!(told.contains("seats[0].position: 1000109.5 is out of bounds"), "{told}");
    }

    #[test]
    fn a_plan_of_our_own_is_recognized() {
        let told = read(r#"{"sections":[]}"#).unwrap_err().to_string();
        assert!(told.contains("it is read with the format evently"), "{told}");
    }
}
