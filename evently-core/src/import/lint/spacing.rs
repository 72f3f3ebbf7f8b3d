//! Seats that are drawn over each other.

use std::collections::HashMap;

use super::Lints;
use crate::{
    domain::{Layout, SeatPlace},
    import::{
        draft::seat_in_words,
        sitting::{gaps, sitting_order},
    },
};

/// Part of the usual distance between neighbours below which two seats are drawn over each other: seats are drawn nearly as wide
/// as they stand apart, so that they overlap by half.
const TOO_CLOSE: f64 = 0.4;

/// The least distance where nothing tells what is usual; coordinates are kept to thousandths.
const DISTANCE_MIN: f64 = 0.001;

type Cell = (i64, i64);

/// Tells of seats that stand too close to another one.
///
/// Seats are sorted into cells as wide as the distance in question, and those that are told of are left out. So a cell holds few,
/// and a plan with all seats in one place takes no longer than another one.
pub(super) fn too_close(layout: &Layout, lints: &mut Lints) {
    let distance = (usual_distance(layout) * TOO_CLOSE).max(DISTANCE_MIN);
    let mut cells: HashMap<Cell, Vec<SeatPlace<'_>>> = HashMap::new();
    for place in layout.places() {
        let (x, y) = (cell(place.seat.x, distance), cell(place.seat.y, distance));
        let around = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
        let mut others = around.filter_map(|cell| cells.get(&cell)).flatten();
        if let Some(other) = others.find(|other| apart(other, &place) < distance) {
            let path = format!("section {}, row {}, seat {}", place.section.name, place.row.label, place.seat.label);
            let other = seat_in_words(&other.section.name, &other.row.label, &other.seat.label);
            lints.warn("seats too close to another one", path, || format!("it stands closer to {other} than people can sit"));
        } else {
            cells.entry((x, y)).or_default().push(place);
        }
    }
}

/// The median of the distances between neighbours in a row; nothing where no row has two seats.
fn usual_distance(layout: &Layout) -> f64 {
    let mut distances = Vec::new();
    for row in layout.sections.iter().flat_map(|section| &section.rows) {
        let drawn: Vec<_> = row.seats.iter().map(|seat| (seat.x, seat.y)).collect();
        match sitting_order(&drawn) {
            Some(order) => distances.extend(gaps(order.iter().map(|i| drawn[*i]))),
            None => distances.extend(gaps(drawn.iter().copied())),
        }
    }
    let middle = distances.len() / 2;
    if distances.is_empty() { 0.0 } else { *distances.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

fn apart(a: &SeatPlace<'_>, b: &SeatPlace<'_>) -> f64 {
    (a.seat.x - b.seat.x).hypot(a.seat.y - b.seat.y)
}

#[expect(clippy::cast_possible_truncation, reason = "coordinates are bounded, and a thousandth is the narrowest cell")]
fn cell(coordinate: f64, width: f64) -> i64 {
    (coordinate / width).floor() as i64
}
