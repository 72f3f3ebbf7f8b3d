//! The open seating-plan JSON, as its schema has it and as its public editor writes it.
//!
//! Positions are relative: those of seats to their row, those of rows and areas to their zone. The editor adds keys that no
//! schema knows, and so do those who generate plans; what says nothing here is left out with a warning for each kind.

mod area;
mod naming;
mod write;

use std::{borrow::Cow, collections::HashMap};

pub(super) use self::write::write;
use self::naming::Named;
use super::{
    Import,
    category::Categories,
    draft::{At, Draft, DraftArea, DraftRow, DraftSeat, RowOrder, seat_in_words},
    grid::{ROW_PITCH, SEAT_PITCH},
    json::{self, Node, Object, out_of_bounds},
    limits::COORDINATE_MAX,
    problem::{Findings, ImportError, Path},
    text::{color, label, name, plan_name, quote},
};
use crate::domain::{Attribute, Category, LayoutId};

const ZONES: &str = "zones";

/// Keys by which plans mark a wheelchair place, on a seat or on a whole category.
const ACCESSIBLE_KEYS: [&str; 2] = ["wheelchair", "accessible"];

/// Names of categories that say of their seats that they are wheelchair places; no part of a longer name is enough.
const ACCESSIBLE_CATEGORIES: [&str; 14] = [
    "wheelchair",
    "wheelchairs",
    "wheelchair place",
    "wheelchair places",
    "wheelchair seat",
    "wheelchair seats",
    "wheelchair space",
    "wheelchair spaces",
    "accessible",
    "rollstuhl",
    "rollstuhlplatz",
    "rollstuhlplätze",
    "fauteuil roulant",
    "silla de ruedas",
];

/// Where seats without a category go.
const NO_CATEGORY: &str = "No category";

pub(super) fn read(text: &str, id: LayoutId) -> Result<Import, ImportError> {
    let node = json::parse(text)?;
    let found = Findings::default();
    let draft = Object::new(&node, Path::FILE, &found).map(|plan| read_plan(&plan)).unwrap_or_default();
    draft.build(id, RowOrder::AsDrawn, found)
}

fn read_plan(plan: &Object<'_>) -> Draft {
    if plan.node("sections").is_some() && plan.node(ZONES).is_none() {
        plan.problem("this looks like a plan of ours; it is read with the format evently");
        return Draft::default();
    }
    leave_out(plan, "the plan", &["name", ZONES, "categories", "size"]);
    plan.require(ZONES);
    let name = plan.text("name").filter(|name| !name.trim().is_empty());
    let name = name.and_then(|name| plan.accept("name", plan_name(name)));
    let mut reader = Reader::new(plan);
    let mut sections = Vec::new();
    for (i, zone) in plan.objects(ZONES) {
        sections.extend(reader.zone(&zone, i));
    }
    let sections = naming::unique(sections, plan.found);
    Draft { name, categories: reader.categories.into_list(), sections, areas: reader.areas }
}

/// Warns of members that are neither used nor of the kind that only an editor needs.
fn leave_out(object: &Object<'_>, what: &str, known: &[&str]) {
    for key in object.others(known) {
        object.found.warn(object.path, format!("{} of {what} is not known here and was left out", quote(key)));
    }
}

struct Reader<'n> {
    categories: Categories,
    /// Whether the seats of a category are wheelchair places, by its position.
    accessible: HashMap<u16, bool>,
    guids: HashMap<Cow<'n, str>, At>,
    areas: Vec<DraftArea>,
}

impl<'n> Reader<'n> {
    fn new(plan: &Object<'n>) -> Self {
        let mut reader =
            Self { categories: Categories::default(), accessible: HashMap::new(), guids: HashMap::new(), areas: Vec::new() };
        for (_, category) in plan.objects("categories") {
            reader.category(&category);
        }
        reader
    }

    fn category(&mut self, category: &Object<'_>) {
        leave_out(category, "a category", &["name", "color", "wheelchair", "accessible"]);
        if category.text("name").is_none_or(|name| name.trim().is_empty()) {
            category.found.warn(category.path, "a category without a name was left out");
            return;
        }
        let Some(name) = category.checked("name", name) else { return };
        let color = category.text("color").and_then(|given| lenient(category, color(given), "a colour"));
        let says_so = ACCESSIBLE_CATEGORIES.contains(&name.to_lowercase().as_str()) || is_accessible(category);
        if self.categories.declare(Category { name: name.clone(), color }) {
            let position = self.categories.find_or_add(name);
            self.accessible.insert(position, says_so);
        } else {
            category.found.warn(category.path, "a category that is listed twice is as it is listed first");
        }
    }

    /// The section that the zone makes, unless it has no seats and is only drawn.
    fn zone(&mut self, zone: &Object<'n>, i: usize) -> Option<Named> {
        let known = ["name", "position", "rows", "areas", "uuid", "zone_id", "displayed"];
        leave_out(zone, "a zone", &known);
        let origin = position(zone).unwrap_or_default();
        for (_, area) in zone.objects("areas") {
            self.areas.extend(area::read(&area, origin));
        }
        let given = zone.text("name").filter(|name| !name.trim().is_empty());
        let given = given.and_then(|given| zone.accept("name", name(given)));
        let mut rows = Vec::new();
        for (j, row) in zone.objects("rows") {
            rows.extend(self.row(&row, given.as_deref().unwrap_or("a zone without a name"), origin, (i, j)));
        }
        (!rows.is_empty()).then_some(Named { zone: i, given, rows })
    }

    /// The row, unless it has no seats.
    fn row(&mut self, row: &Object<'n>, zone: &str, origin: (f64, f64), (i, j): (usize, usize)) -> Option<DraftRow> {
        let known = ["row_number", "seats", "position", "uuid", "row_number_position", "seats_spacing", "number_of_seats"];
        leave_out(row, "a row", &known);
        if row.list("seats").unwrap_or_default().is_empty() {
            row.found.warn(row.path, "a row without seats was left out");
            return None;
        }
        let label = self.row_label(row, j);
        let mut line = Line::new(row, origin, j);
        let seats = row.objects("seats");
        let seats = seats.filter_map(|(k, seat)| {
            let at = At::Json(ZONES, i, j, k);
            self.seat(&seat, at, (zone, &label), line.next(&seat, k))
        });
        let seats = seats.collect();
        Some(DraftRow { label, seats })
    }

    fn row_label(&self, row: &Object<'_>, j: usize) -> String {
        let given = read_label(row, "row_number").unwrap_or_default();
        if given.trim().is_empty() {
            row.found.warn(row.path, "a row without a row_number is called by its position, such as #3");
            return format!("#{}", j + 1);
        }
        row.accept("row_number", label(&given)).unwrap_or_default()
    }
}
