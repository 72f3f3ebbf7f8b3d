//! A concert hall: rows on circles about a point behind the stage, parted into blocks by aisles that lead away from it.

use serde_json::Value;

use super::drawing::{Category, Plan, Point, Row, Section, polygon};

const PREMIUM: &str = "Premium";
const FIRST: &str = "Category 1";
const SECOND: &str = "Category 2";
const THIRD: &str = "Category 3";

/// From seat to seat along a row.
const SEAT: f64 = 20.0;

/// From row to row.
const ROW: f64 = 27.0;

/// The width of an aisle between two blocks.
const AISLE: f64 = 34.0;

/// Seats on circles about the origin, between the first and the last of the angles, with an aisle at every other one. Angles are
/// in degrees from straight down, to the right.
struct Tier {
    name: &'static str,
    /// The radius of the first row.
    radius: f64,
    rows: u32,
    angles: &'static [f64],
    category: fn(row: u32) -> &'static str,
}

const STALLS: Tier = Tier {
    name: "Stalls",
    radius: 380.0,
    rows: 20,
    angles: &[-40.0, -13.5, 13.5, 40.0],
    category: |row| match row {
        1..=7 => PREMIUM,
        8..=14 => FIRST,
        _ => SECOND,
    },
};

const FIRST_BALCONY: Tier = Tier {
    name: "First balcony",
    radius: 970.0,
    rows: 6,
    angles: &[-40.8, -20.4, 0.0, 20.4, 40.8],
    category: |row| if row <= 3 { SECOND } else { THIRD },
};

const SECOND_BALCONY: Tier =
    Tier { name: "Second balcony", radius: 1180.0, rows: 3, angles: &[-34.2, -11.4, 11.4, 34.2], category: |_| THIRD };

const BOXES: u32 = 8;
const BOX_SEATS: u32 = 4;

/// From box to box, away from the stage.
const BOX: f64 = 88.0;

/// From seat to seat in a box, and from the outer ones to the walls.
const BOX_SEAT: f64 = 19.0;
const BOX_WALL: f64 = 12.0;

/// Where the boxes stand, on both sides.
const BOX_ANGLE: f64 = 46.5;

pub(super) fn plan() -> Plan {
    let [stalls, first_balcony, mut second_balcony] = [STALLS, FIRST_BALCONY, SECOND_BALCONY].map(|tier| tier.section());
    let mut stalls = stalls;
    stalls.rows.last_mut().expect("there are rows").wheelchairs_at_both_ends();
    for row in &mut second_balcony.rows {
        let last = row.seats.len() - 1;
        for position in [0, 1, last - 1, last] {
            row.mark(position, "restricted_view");
        }
    }
    let sections = vec![stalls, first_balcony, second_balcony, boxes("Boxes left", -BOX_ANGLE), boxes("Boxes right", BOX_ANGLE)];
    let categories = vec![
        Category { name: PREMIUM, color: "#b0413e" },
        Category { name: FIRST, color: "#d98e04" },
        Category { name: SECOND, color: "#3a7d7c" },
        Category { name: THIRD, color: "#5b6c9e" },
    ];
    Plan { name: "Concert hall", categories, sections, areas: areas() }
}

impl Tier {
    fn section(&self) -> Section {
        Section { name: self.name.to_owned(), rows: (1..=self.rows).map(|row| self.row(row)).collect() }
    }

    fn row(&self, number: u32) -> Row {
        let radius = self.radius + f64::from(number - 1) * ROW;
        let blocks: Vec<_> = self.angles.windows(2).map(|angles| block(radius, angles[0], angles[1])).collect();
        let mut row = Row::new(number.to_string(), (self.category)(number), blocks.iter().flatten().copied());
        let mut first = 0;
        for block in &blocks {
            row.mark(first, "aisle");
            row.mark(first + block.len() - 1, "aisle");
            first += block.len();
        }
        row
    }
}

/// As many seats as fit between two aisles, in the middle between them.
fn block(radius: f64, from: f64, to: f64) -> Vec<Point> {
    let (from, to) = (from.to_radians(), to.to_radians());
    let room = radius * (to - from) - AISLE;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row has room for some dozens of seats")]
    let seats = (room / SEAT).floor() as u32 + 1;
    let middle = f64::midpoint(from, to);
    let offset = |n: u32| (f64::from(n) - f64::from(seats - 1) / 2.0) * SEAT / radius;
    (0..seats).map(|n| at(radius, middle + offset(n))).collect()
}

/// Boxes one behind the other; from the first one sees the stage from the side.
fn boxes(name: &str, degrees: f64) -> Section {
    let angle = degrees.to_radians();
    let rows = (1..=BOXES).map(|number| {
        let seats = (0..BOX_SEATS).map(|n| at(box_radius(number) + f64::from(n) * BOX_SEAT, angle));
        let mut row = Row::new(format!("Box {number}"), FIRST, seats);
        if number == 1 {
            row.mark_all("restricted_view");
        }
        row
    });
    Section { name: name.to_owned(), rows: rows.collect() }
}

/// Where the first seat of a box is.
fn box_radius(number: u32) -> f64 {
    360.0 + f64::from(number - 1) * BOX
}

fn areas() -> Vec<Value> {
    let stage = [(-250.0, 150.0), (250.0, 150.0), (210.0, 300.0), (90.0, 330.0), (-90.0, 330.0), (-210.0, 300.0)];
    let mut areas = vec![polygon(&stage, "Stage", "#c9b79c")];
    for degrees in [-BOX_ANGLE, BOX_ANGLE] {
        areas.extend((1..=BOXES).map(|number| polygon(&box_walls(number, degrees.to_radians()), "", "#ece4d9")));
    }
    areas
}

/// The walls around a box.
fn box_walls(number: u32, angle: f64) -> [Point; 4] {
    let first = box_radius(number);
    let (near, far) = (first - BOX_WALL, first + f64::from(BOX_SEATS - 1) * BOX_SEAT + BOX_WALL);
    let aside = |radius: f64, side: f64| at(radius, angle + side * BOX_WALL / radius);
    [aside(near, -1.0), aside(far, -1.0), aside(far, 1.0), aside(near, 1.0)]
}

fn at(radius: f64, angle: f64) -> Point {
    (radius * angle.sin(), radius * angle.cos())
}
