//! The format that says everything a layout has, in its own words, and nothing else.

mod area;
mod write;

use std::collections::HashSet;

pub(super) use self::write::write;
use super::{
    Import,
    category::Categories,
    draft::{At, Draft, DraftRow, DraftSeat, DraftSection, seat_in_words},
    json::{self, Node, Object},
    problem::{Findings, ImportError, Path},
    text::{color, label, listed, name, plan_name, quote},
};
use crate::domain::{Attribute, Category, LayoutId};

const SECTIONS: &str = "sections";

pub(super) fn read(text: &str, id: LayoutId) -> Result<Import, ImportError> {
    let node = json::parse(text)?;
    let found = Findings::default();
    let draft = Object::new(&node, Path::FILE, &found).map(|plan| read_plan(&plan)).unwrap_or_default();
    draft.build(id, found)
}

fn read_plan(plan: &Object<'_>) -> Draft {
    if plan.node("zones").is_some() {
        plan.problem("this looks like the open seating-plan JSON; it is read with the format pretix");
        return Draft::default();
    }
    plan.only(&["name", "categories", SECTIONS, "areas"]);
    plan.require(SECTIONS);
    let categories = read_categories(plan);
    let mut reader = Reader { categories, closed: plan.node("categories").is_some(), sections: HashSet::new() };
    let sections = plan.objects(SECTIONS).map(|(i, section)| reader.section(&section, i)).collect();
    let areas = plan.objects("areas").filter_map(|(_, area)| area::read(&area)).collect();
    Draft { name: plan.checked("name", plan_name), categories: reader.categories.into_list(), sections, areas }
}

fn read_categories(plan: &Object<'_>) -> Categories {
    let mut categories = Categories::default();
    for (_, category) in plan.objects("categories") {
        category.only(&["name", "color"]);
        let Some(name) = category.required("name", name) else { continue };
        let color = category.checked("color", color);
        if !categories.declare(Category { name: name.clone(), color }) {
            category.problem_in("name", format!("{} is the name of another category too", quote(&name)));
        }
    }
    categories
}

struct Reader {
    categories: Categories,
    /// Whether the plan lists its categories, so that no other may be named.
    closed: bool,
    /// The names of the sections so far.
    sections: HashSet<String>,
}

impl Reader {
    fn section(&mut self, section: &Object<'_>, i: usize) -> DraftSection {
        section.only(&["name", "rows"]);
        let name = section.required("name", name).unwrap_or_default();
        if !name.is_empty() && !self.sections.insert(name.clone()) {
            section.problem_in("name", format!("{} is the name of another section too", quote(&name)));
        }
        let rows: Vec<_> = section.objects("rows").map(|(j, row)| self.row(&row, &name, (i, j))).collect();
        if rows.is_empty() {
            section.problem("there are no rows in it; a section needs at least one");
        }
        DraftSection { name, rows }
    }

    fn row(&mut self, row: &Object<'_>, section: &str, (i, j): (usize, usize)) -> DraftRow {
        row.only(&["label", "seats"]);
        let label = row.required("label", label).unwrap_or_default();
        if row.list("seats").unwrap_or_default().is_empty() {
            row.problem("there are no seats in it; a row needs at least one");
        }
        let seats = row.objects("seats");
        let seats = seats.filter_map(|(k, seat)| self.seat(&seat, section, &label, At::Json(SECTIONS, i, j, k))).collect();
        DraftRow { label, seats }
    }

    /// The seat, unless something is wrong with it.
    fn seat(&mut self, seat: &Object<'_>, section: &str, row: &str, at: At) -> Option<DraftSeat> {
        seat.only(&["label", "x", "y", "category", "attributes"]);
        let label = seat.required("label", label);
        let (x, y) = (seat.required_number("x"), seat.required_number("y"));
        let category = seat.required("category", name);
        let attributes = read_attributes(seat);
        let label = label?;
        let category = self.category(seat, || seat_in_words(section, row, &label), category?)?;
        Some(DraftSeat { at, label, x: x?, y: y?, category, attributes })
    }

    fn category(&mut self, seat: &Object<'_>, named: impl Fn() -> String, name: String) -> Option<u16> {
        if !self.closed {
            return Some(self.categories.find_or_add(name));
        }
        let category = self.categories.find(&name);
        if category.is_none() {
            let known = self.categories.in_words();
            let message = format!("{} has the category {}; the plan lists {known}", named(), quote(&name));
            seat.problem_in("category", message);
        }
        category
    }
}

fn read_attributes(seat: &Object<'_>) -> Vec<Attribute> {
    let nodes = seat.list("attributes").unwrap_or_default().iter();
    let attributes = nodes.filter_map(|node| {
        let attribute = match node {
            Node::Text(text) => attribute(text),
            _ => Err(format!("an attribute is a text, one of {}", attribute_names())),
        };
        seat.accept("attributes", attribute)
    });
    attributes.collect()
}

/// The attribute that has this name in files.
pub(super) fn attribute(name: &str) -> Result<Attribute, String> {
    let known = Attribute::NAMES.iter().find(|(known, _)| *known == name);
    let (_, attribute) = known.ok_or_else(|| format!("{} is no attribute; there are {}", quote(name), attribute_names()))?;
    Ok(*attribute)
}

/// The name that the attribute has in files.
pub(super) fn attribute_name(attribute: Attribute) -> &'static str {
    let known = Attribute::NAMES.into_iter().find(|(_, known)| *known == attribute);
    known.expect("the names are those of all attributes").0
}

fn attribute_names() -> String {
    listed(Attribute::NAMES.map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn read(text: &str) -> Result<Import, ImportError> {
        super::read(text, LayoutId::new(Uuid::nil()))
    }

    /// What is wrong with a plan of one row with these seats, and these further members.
    fn problems(seats: &str, members: &str) -> String {
        let plan = format!(r#"{{"sections":[{{"name":"Stalls","rows":[{{"label":"A","seats":[{seats}]}}]}}]{members}}}"#);
        read(&plan).unwrap_err().to_string()
    }

    const SEAT: &str = r#"{"label":"1","x":0,"y":0,"category":"Normal"}"#;

    #[test]
    fn categories_that_are_not_listed_are_taken_from_the_seats() {
        let plan = r#"{"name":" Little hall ","sections":[{"name":"Stalls","rows":[
            {"label":"A","seats":[{"label":"1","x":0,"y":0,"category":"Dear","attributes":["aisle","accessible","aisle"]}]},
            {"label":"B","seats":[{"label":"1","x":0,"y":30.5,"category":"Cheap"},{"label":"2","x":25,"y":30.5,"category":"Dear"}]}
        ]}]}"#;
        let import = read(plan).unwrap();
        assert_eq!(import.name.as_deref(), Some("Little hall"));
        let names: Vec<_> = import.layout.categories.iter().map(|category| category.name.as_str()).collect();
        assert_eq!(names, ["Dear", "Cheap"]);
        let seats: Vec<_> = import.layout.places().map(|place| place.seat).collect();
        assert_eq!(seats.iter().map(|seat| seat.category).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(seats[0].attributes, [Attribute::Accessible, Attribute::Aisle]);
        assert_eq!(seats[1].y.to_string(), "30.5");
    }

    #[test]
    fn an_unknown_category_names_the_seat_and_what_there_is() {
        assert_eq!(
            problems(SEAT, r#","categories":[{"name":"A"},{"name":"B"}]"#),
            "sections[0].rows[0].seats[0].category: seat `1` in row `A` of `Stalls` has the category `Normal`; \
             the plan lists `A` and `B`"
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let seats = r#"{"label":"","x":"0","category":"Normal","attributes":["steep",1]},7"#;
        let told = problems(seats, r#","color":"red""#);
        for part in [
            "`color` is not known here; known are `name`, `categories`, `sections` and `areas`",
            "sections[0].rows[0].seats[0].label: it is empty; it needs 1 to 32 characters",
            "sections[0].rows[0].seats[0].x: this is a text and should be a number",
            "sections[0].rows[0].seats[0]: `y` is missing",
            "`steep` is no attribute; there are `accessible`, `companion`, `restricted_view` and `aisle`",
            "sections[0].rows[0].seats[0].attributes: an attribute is a text",
            "sections[0].rows[0].seats[1]: this is a number and should be an object",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }

    #[test]
    fn names_of_sections_and_categories_are_unique() {
        let plan = r#"{"categories":[{"name":"A"},{"name":"A"}],"sections":[{"name":"S","rows":[]},{"name":"S","rows":[]}]}"#;
        let told = read(plan).unwrap_err().to_string();
        assert!(told.contains("categories[1].name: `A` is the name of another category too"), "{told}");
        assert!(told.contains("sections[1].name: `S` is the name of another section too"), "{told}");
        assert!(told.contains("sections[1]: there are no rows in it"), "{told}");
    }

    #[test]
    fn the_same_seat_twice_names_both() {
        let told = problems(&format!("{SEAT},{SEAT}"), "");
        assert!(told.contains("seats[1]: seat `1` in row `A` of `Stalls` is there already, at sections[0].rows[0].seats[0]"));
    }

    #[test]
    fn a_plan_in_the_other_json_format_is_recognized() {
        let told = read(r#"{"name":"x","zones":[],"categories":[]}"#).unwrap_err().to_string();
        assert!(told.contains("it is read with the format pretix"), "{told}");
    }

    #[test]
    fn what_is_no_plan_at_all_is_refused() {
        assert_eq!(read("[]").unwrap_err().to_string(), "this is a list and should be an object");
        assert_eq!(read("{}").unwrap_err().to_string(), "`sections` is missing");
    }
}
