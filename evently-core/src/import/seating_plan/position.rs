//! Where things are in the open seating-plan JSON, whose positions are relative.

use super::leave_out_others;
use crate::import::{
    grid::{ROW_PITCH, SEAT_PITCH},
    json::{Node, Object, out_of_bounds},
    limits::COORDINATE_MAX,
};

type Point = (f64, f64);

/// The position that an object gives; `None` where it gives none.
pub(super) fn position(of: &Object<'_>) -> Option<Point> {
    point(&of.object("position")?)
}

/// An object with two coordinates.
pub(super) fn point(object: &Object<'_>) -> Option<Point> {
    leave_out_others(object, "a position", &["x", "y"]);
    let (x, y) = (object.required_number("x"), object.required_number("y"));
    Some((x?, y?))
}

/// The sum of two positions, which must be within bounds as well.
pub(super) fn sum(of: &Object<'_>, a: Point, b: Point) -> Option<Point> {
    let sum = (a.0 + b.0, a.1 + b.1);
    match [sum.0, sum.1].into_iter().find(|number| number.abs() > COORDINATE_MAX) {
        Some(number) => of.accept("position", Err(out_of_bounds(number))),
        None => Some(sum),
    }
}

/// `point` after a turn about the origin, in degrees clockwise.
pub(super) fn turn((x, y): Point, degrees: f64) -> Point {
    let (sin, cos) = degrees.to_radians().sin_cos();
    (x * cos - y * sin, x * sin + y * cos)
}

/// The line on which the seats of a row stand.
pub(super) struct Line {
    start: Option<Point>,
    /// From seat to seat, where these have no positions.
    spacing: f64,
}

impl Line {
    /// The line of the row at position `j` of a zone at `origin`.
    pub(super) fn of_row(row: &Object<'_>, origin: Point, j: usize) -> Self {
        let offset = position(row).unwrap_or_else(|| if is_drawn(row) { (0.0, 0.0) } else { (0.0, float(j) * ROW_PITCH) });
        let spacing = row.number("seats_spacing").filter(|spacing| *spacing > 0.0).unwrap_or(SEAT_PITCH);
        Self { start: sum(row, origin, offset), spacing }
    }

    /// Where the seat at position `k` of the row is.
    pub(super) fn place(&self, seat: &Object<'_>, k: usize) -> Option<Point> {
        let offset = position(seat).unwrap_or_else(|| {
            seat.found.warn(seat.path, "a seat without a position was put beside the one before it");
            (float(k) * self.spacing, 0.0)
        });
        sum(seat, self.start?, offset)
    }
}

/// Whether any seat of the row says where it is.
fn is_drawn(row: &Object<'_>) -> bool {
    let mut seats = row.list("seats").unwrap_or_default().iter();
    seats.any(|seat| matches!(seat, Node::Object(members) if members.iter().any(|(key, _)| key == "position")))
}

#[expect(clippy::cast_precision_loss, reason = "a list in a file has far fewer items than a float has integers")]
fn float(count: usize) -> f64 {
    count as f64
}
