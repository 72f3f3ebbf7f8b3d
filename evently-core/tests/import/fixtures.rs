//! The files in `tests/plans`, drawn in the manner of real halls.

use evently_core::{
    domain::{Attribute, Layout, Row, Section, Shape},
    import::{Format, Import, lint, read, write},
};

use crate::id;

const THEATRE: &[u8] = include_bytes!("../plans/theatre.pretix.json");
const CLUB: &[u8] = include_bytes!("../plans/club.json");
const HALL: &[u8] = include_bytes!("../plans/hall.csv");

fn import(format: Format, file: &[u8]) -> Import {
    read(format, file, id()).unwrap()
}

fn section<'l>(layout: &'l Layout, name: &str) -> &'l Section {
    layout.sections.iter().find(|section| section.name == name).unwrap()
}

fn labels(row: &Row) -> Vec<&str> {
    row.seats.iter().map(|seat| seat.label.as_str()).collect()
}

fn marked(layout: &Layout, attribute: Attribute) -> Vec<String> {
    let marked = layout.places().filter(|place| place.seat.attributes.contains(&attribute));
    marked.map(|place| format!("{} {} {}", place.section.name, place.row.label, place.seat.label)).collect()
}

#[test]
fn a_theatre_of_the_public_editor_is_read_whole() {
    let Import { name, layout, warnings } = import(Format::SeatingPlan, THEATRE);
    assert_eq!(name.as_deref(), Some("Stadttheater"));
    assert_eq!(layout.seats_total(), 201);
    let sections: Vec<_> = layout.sections.iter().map(|section| (section.name.as_str(), section.rows.len())).collect();
    assert_eq!(sections, [("Parkett", 8), ("Rang", 3), ("Loge", 2), ("Loge (2)", 2), ("Section 5", 1)]);
    let warnings: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "another zone called `Loge` became the section `Loge (2)`",
            "a zone without a name became the section `Section 5`",
            "the seats of the row were put in the order in which they are drawn (11 times, here first)",
        ]
    );
}

#[test]
fn odd_and_even_halves_become_one_row_as_people_sit() {
    let layout = import(Format::SeatingPlan, THEATRE).layout;
    let parkett = section(&layout, "Parkett");
    assert_eq!(labels(&parkett.rows[0]), ["11", "9", "7", "5", "3", "1", "2", "4", "6", "8", "10", "12"]);
    let wheelchairs = labels(&parkett.rows[7]);
    assert_eq!((wheelchairs.first(), wheelchairs.last()), (Some(&"901"), Some(&"902")));
    assert_eq!(marked(&layout, Attribute::Accessible), ["Parkett 8 901", "Parkett 8 902"]);
}

#[test]
fn the_theatre_stands_where_it_was_drawn() {
    let layout = import(Format::SeatingPlan, THEATRE).layout;
    let seat = &section(&layout, "Parkett").rows[0].seats[5];
    // Zone (100.5, 220), row (400, 0), seat (-32.477119, -1.055878), to a thousandth.
    assert_eq!((seat.label.as_str(), seat.x, seat.y), ("1", 468.023, 218.944));
    let texts: Vec<_> = layout.areas.iter().map(|area| area.text.as_deref().unwrap_or("-")).collect();
    assert_eq!(texts, ["Bühne", "Orchester", "-", "Ausgang", "Bar", "Foyer"]);
    let stage = &layout.areas[0];
    assert_eq!((stage.x, stage.y, &stage.shape), (300.5, 30.0, &Shape::Rectangle { width: 400.0, height: 120.0 }));
    let pit = &layout.areas[1];
    assert_eq!((pit.x, pit.y, &pit.shape), (350.0, 151.0, &Shape::Ellipse { width: 301.0, height: 28.0 }));
}

#[test]
fn a_club_has_tables_a_bar_and_standing_room() {
    let Import { name, layout, warnings } = import(Format::Own, CLUB);
    assert_eq!((name.as_deref(), layout.seats_total(), warnings.len()), (Some("Club"), 44, 0));
    assert_eq!(labels(&section(&layout, "Tables").rows[0]), ["1", "2", "3", "4"]);
    assert_eq!(marked(&layout, Attribute::Companion), ["Tables Table 1 2"]);
    assert_eq!(layout.areas[1].text.as_deref(), Some("Standing room"));
}

#[test]
fn a_spreadsheet_with_semicolons_and_a_byte_order_mark_is_read() {
    let Import { layout, warnings, .. } = import(Format::Csv, HALL);
    assert_eq!((layout.seats_total(), warnings.len()), (32, 0));
    let hall = section(&layout, "Große Halle");
    assert_eq!(hall.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    assert_eq!((hall.rows[1].seats[2].x, hall.rows[1].seats[2].y), (67.5, 30.0));
    assert_eq!(hall.rows[0].seats[0].attributes, [Attribute::RestrictedView, Attribute::Aisle]);
}

#[test]
fn good_plans_are_left_in_peace() {
    for (format, file) in [(Format::Own, CLUB), (Format::Csv, HALL), (Format::SeatingPlan, THEATRE)] {
        assert_eq!(lint(&import(format, file).layout), [], "{format}");
    }
}

#[test]
fn every_plan_comes_back_as_it_was_written() {
    for (format, file) in [(Format::Own, CLUB), (Format::SeatingPlan, THEATRE)] {
        let first = import(format, file);
        let again = import(format, &write(format, first.name.as_deref().unwrap(), &first.layout));
        assert_eq!((again.name, again.layout), (first.name, without_attributes_if(format, first.layout)), "{format}");
        assert_eq!(again.warnings, []);
    }
    let first = import(Format::Csv, HALL);
    assert_eq!(import(Format::Csv, &write(Format::Csv, "", &first.layout)), first);
}

/// The open seating-plan JSON has no place for them, but for those that the name of a category says.
fn without_attributes_if(format: Format, mut layout: Layout) -> Layout {
    let seats = layout.sections.iter_mut().flat_map(|section| &mut section.rows).flat_map(|row| &mut row.seats);
    let lost = |attribute: &Attribute| format == Format::SeatingPlan && *attribute != Attribute::Accessible;
    seats.for_each(|seat| seat.attributes.retain(|attribute| !lost(attribute)));
    layout
}

/// Where seats stand that the plan has no positions for.
#[test]
fn seats_without_positions_stand_beside_each_other_and_rows_behind() {
    let plan = |spacing: &str, first: &str| {
        let seat = |number: u32, position: &str| {
            format!(r#"{{"seat_number":"{number}","seat_guid":"{number}","category":"C"{position}}}"#)
        };
        let row = |label: u32, position: &str| {
            let seats = [seat(label * 10 + 1, position), seat(label * 10 + 2, "")].join(",");
            format!(r#"{{"row_number":"{label}"{spacing},"seats":[{seats}]}}"#)
        };
        let rows = [row(1, ""), row(2, ""), row(3, first)].join(",");
        let file = format!(
            r##"{{"name":"P","categories":[{{"name":"C","color":"#ff0000"}}],"zones":[{{"name":"Z","position":{{"x":100,"y":50}},"rows":[{rows}],"areas":[]}}]}}"##
        );
        let layout = import(Format::SeatingPlan, file.as_bytes()).layout;
        let seats = layout.sections.iter().flat_map(|section| &section.rows).flat_map(|row| &row.seats);
        seats.map(|seat| (seat.x, seat.y)).collect::<Vec<_>>()
    };
    let drawn = r#","position":{"x":3,"y":4}"#;
    let expected = [(100.0, 50.0), (125.0, 50.0), (100.0, 80.0), (125.0, 80.0), (103.0, 54.0), (125.0, 50.0)];
    assert_eq!(plan("", drawn), expected, "a row that is drawn says itself where it is");
    assert_eq!(plan(r#","seats_spacing":0"#, drawn), expected, "none at all is none that was meant");
    assert_eq!(plan(r#","seats_spacing":40"#, drawn)[1], (140.0, 50.0));
}
