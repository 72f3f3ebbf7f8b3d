//! A club: standing room in front of the stage, tables on three sides of it, and a bar at the back.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use serde_json::Value;

use super::drawing::{Category, Plan, Point, Row, Section, circle, polygon, rectangle, text};

const STAGE_TABLE: &str = "Table at the stage";
const TABLE: &str = "Table";
const BAR: &str = "Bar";

const STOOLS: u32 = 16;

/// From stool to stool at the bar.
const STOOL: f64 = 26.0;

pub(super) fn plan() -> Plan {
    let mut tables: Vec<_> = (1..).zip(table_centres()).map(|(number, centre)| table(number, centre)).collect();
    for row in [4, 14] {
        tables[row].mark(0, "accessible");
        tables[row].mark(1, "companion");
    }
    let stools = (0..STOOLS).map(|n| (480.0 + (f64::from(n) - f64::from(STOOLS - 1) / 2.0) * STOOL, 668.0));
    let sections = vec![
        Section { name: "Tables".to_owned(), rows: tables },
        Section { name: "Bar".to_owned(), rows: vec![Row::new("Bar".to_owned(), BAR, stools)] },
    ];
    let categories = vec![
        Category { name: STAGE_TABLE, color: "#c8553d" },
        Category { name: TABLE, color: "#588b8b" },
        Category { name: BAR, color: "#c9a227" },
    ];
    Plan { name: "Club", categories, sections, areas: areas() }
}

/// Two columns on the left, two on the right, and a line in front of the bar: 26 tables.
fn table_centres() -> impl Iterator<Item = Point> {
    let column = |x: f64| (0..5).map(move |n| (x, 110.0 + f64::from(n) * 105.0));
    let line = (0..6).map(|n| (255.0 + f64::from(n) * 90.0, 555.0));
    column(60.0).chain(column(160.0)).chain(column(900.0)).chain(column(800.0)).chain(line)
}

/// Four seats around a table.
fn table(number: u32, (x, y): Point) -> Row {
    let seats =
        (0..4).map(|n| FRAC_PI_4 + f64::from(n) * FRAC_PI_2).map(|angle| (x + 33.0 * angle.cos(), y + 33.0 * angle.sin()));
    Row::new(format!("T{number}"), if y < 300.0 { STAGE_TABLE } else { TABLE }, seats)
}

fn areas() -> Vec<Value> {
    let floor = [(250.0, 170.0), (710.0, 170.0), (730.0, 470.0), (230.0, 470.0)];
    let mut areas = vec![
        rectangle((280.0, 20.0), 400.0, 110.0, "Stage", "#3d405b"),
        polygon(&floor, "Standing room", "#f4e9d8"),
        rectangle((260.0, 690.0), 440.0, 44.0, "Bar", "#8a5a44"),
        text((860.0, 712.0), "Entrance"),
    ];
    areas.extend((1..).zip(table_centres()).map(|(number, centre)| circle(centre, 20.0, &format!("T{number}"), "#d9c5a0")));
    areas
}
