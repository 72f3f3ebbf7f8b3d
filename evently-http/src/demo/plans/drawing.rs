//! What plans are drawn with.

use serde::Serialize;
use serde_json::{Value, json};

/// x to the right, y down.
pub(super) type Point = (f64, f64);

#[derive(Serialize)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) categories: Vec<Category>,
    pub(super) sections: Vec<Section>,
    pub(super) areas: Vec<Value>,
}

#[derive(Serialize)]
pub(super) struct Category {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
}

#[derive(Serialize)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) seats: Vec<Seat>,
}

#[derive(Serialize)]
pub(super) struct Seat {
    label: String,
    x: f64,
    y: f64,
    category: &'static str,
    attributes: Vec<&'static str>,
}

impl Plan {
    pub(super) fn into_json(self) -> Vec<u8> {
        serde_json::to_vec(&self).expect("a drawing is made of texts and finite numbers")
    }
}

impl Row {
    /// Seats numbered from 1, at the points in their order.
    pub(super) fn new(label: String, category: &'static str, points: impl IntoIterator<Item = Point>) -> Self {
        let seats = (1..).zip(points).map(|(number, (x, y))| {
            let label = u32::to_string(&number);
            Seat { label, x: tenths(x), y: tenths(y), category, attributes: Vec::new() }
        });
        Self { label, seats: seats.collect() }
    }

    /// Marks the seat at `position` in the row.
    pub(super) fn mark(&mut self, position: usize, attribute: &'static str) {
        self.seats[position].attributes.push(attribute);
    }

    pub(super) fn mark_all(&mut self, attribute: &'static str) {
        (0..self.seats.len()).for_each(|position| self.mark(position, attribute));
    }

    /// Makes the two seats at either end a wheelchair place and a companion's.
    pub(super) fn wheelchairs_at_both_ends(&mut self) {
        let last = self.seats.len() - 1;
        for (end, beside) in [(0, 1), (last, last - 1)] {
            self.mark(end, "accessible");
            self.mark(beside, "companion");
        }
    }
}

pub(super) fn rectangle((x, y): Point, width: f64, height: f64, text: &str, color: &str) -> Value {
    json!({"kind": "rectangle", "x": tenths(x), "y": tenths(y), "width": width, "height": height, "text": text, "color": color})
}

pub(super) fn circle((x, y): Point, radius: f64, text: &str, color: &str) -> Value {
    let (width, left, top) = (radius * 2.0, tenths(x - radius), tenths(y - radius));
    json!({"kind": "ellipse", "x": left, "y": top, "width": width, "height": width, "text": text, "color": color})
}

pub(super) fn polygon(points: &[Point], text: &str, color: &str) -> Value {
    let points: Vec<_> = points.iter().map(|(x, y)| [tenths(*x), tenths(*y)]).collect();
    json!({"kind": "polygon", "x": 0, "y": 0, "points": points, "text": text, "color": color})
}

pub(super) fn text((x, y): Point, text: &str) -> Value {
    json!({"kind": "text", "x": tenths(x), "y": tenths(y), "text": text, "color": "#888888"})
}

/// A tenth of a unit is finer than anybody sees, and keeps the files small.
fn tenths(coordinate: f64) -> f64 {
    (coordinate * 10.0).round() / 10.0
}
