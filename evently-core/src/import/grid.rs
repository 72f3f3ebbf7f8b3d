//! Places for seats of which a file does not say where they are.

use super::{draft::DraftSection, limits::COORDINATE_MAX};

/// From seat to seat, in the units of the public plan editor, whose seats have a radius of 10.
pub(super) const SEAT_PITCH: f64 = 25.0;

/// From row to row; a little more than from seat to seat, so that one sees which way the rows run.
pub(super) const ROW_PITCH: f64 = 30.0;

/// Seats that would fit between two sections.
const AISLE_SEATS: usize = 3;

/// Puts sections beside each other, rows one below the other, and every row in the middle of its section.
pub(super) fn lay_out(sections: &mut [DraftSection]) {
    let total: usize = sections.iter().map(|section| columns(section) + AISLE_SEATS).sum();
    // Within bounds even if all seats of the largest plan are in one row.
    let pitch = SEAT_PITCH.min(COORDINATE_MAX / float(total.max(1)));
    let mut left = 0;
    for section in sections {
        let width = columns(section);
        for (r, row) in section.rows.iter_mut().enumerate() {
            let indent = float(width - row.seats.len()) / 2.0;
            for (s, seat) in row.seats.iter_mut().enumerate() {
                seat.x = (float(left + s) + indent) * pitch;
                seat.y = float(r) * ROW_PITCH;
            }
        }
        left += width + AISLE_SEATS;
    }
}

/// The seats of the longest row.
fn columns(section: &DraftSection) -> usize {
    section.rows.iter().map(|row| row.seats.len()).max().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer seats than a float has integers")]
fn float(count: usize) -> f64 {
    count as f64
}
