//! Seats like those that were lost, as near to them as can be.

use super::{
    layout::{Layout, LayoutSeat},
    seat::SeatStatus,
};

/// As many seats side by side in one row as `wanted` has, all available, each of the category of the seat it stands for, nearest to
/// where those were. `None` where there is no such block.
///
/// `statuses` and `wanted` go by the seats' numbers; the answer is sorted.
pub fn nearest_block(layout: &Layout, statuses: &[SeatStatus], wanted: &[u32]) -> Option<Vec<u32>> {
    let all = layout.places().map(|place| place.seat).collect::<Vec<_>>();
    let lost = wanted.iter().map(|&number| all.get(number as usize).copied()).collect::<Option<Vec<_>>>()?;
    let centre = centre(&lost)?;
    let mut best: Option<(f64, Vec<u32>)> = None;
    for row in layout.sections.iter().flat_map(|section| &section.rows) {
        for block in row.seats.windows(lost.len()) {
            let Some(numbers) = block.iter().map(|seat| seat.id.number()).collect::<Option<Vec<_>>>() else { continue };
            let free = numbers.iter().all(|&number| statuses.get(number as usize) == Some(&SeatStatus::Available));
            let alike = block.iter().zip(&lost).all(|(seat, lost)| seat.category == lost.category);
            let distance = self::centre(&block.iter().collect::<Vec<_>>()).map(|(x, y)| (x - centre.0).hypot(y - centre.1));
            if let Some(distance) = distance.filter(|_| free && alike)
                && best.as_ref().is_none_or(|(nearest, _)| distance < *nearest)
            {
                best = Some((distance, numbers));
            }
        }
    }
    best.map(|(_, numbers)| numbers)
}

fn centre(seats: &[&LayoutSeat]) -> Option<(f64, f64)> {
    let count = u32::try_from(seats.len()).ok().filter(|count| *count > 0)?;
    let (x, y) = seats.iter().fold((0.0, 0.0), |(x, y), seat| (x + seat.x, y + seat.y));
    Some((x / f64::from(count), y / f64::from(count)))
}
