//! Seats like those that were lost, as near to them as can be.

use super::{
    layout::{Attribute, Layout, LayoutSeat},
    seat::SeatStatus,
};

/// As many seats side by side in one row as `wanted` has, all available, each of the kind of the seat it stands for (its category, and
/// whether it is accessible, for a companion, or with a restricted view), nearest to where those were. `None` where there is no such block.
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
            let alike = block.iter().zip(&lost).all(|(seat, lost)| are_alike(seat, lost));
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

/// Whoever needs an accessible seat can use no other, and nobody else is to take the last of them.
fn are_alike(one: &LayoutSeat, other: &LayoutSeat) -> bool {
    let kinds = [Attribute::Accessible, Attribute::Companion, Attribute::RestrictedView];
    let is_alike = |kind| one.attributes.contains(kind) == other.attributes.contains(kind);
    one.category == other.category && kinds.iter().all(is_alike)
}

fn centre(seats: &[&LayoutSeat]) -> Option<(f64, f64)> {
    let count = u32::try_from(seats.len()).ok().filter(|count| *count > 0)?;
    let (x, y) = seats.iter().fold((0.0, 0.0), |(x, y), seat| (x + seat.x, y + seat.y));
    Some((x / f64::from(count), y / f64::from(count)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        LayoutId,
        id::PlaceKind,
        layout::{Row, Section},
    };

    /// Rows of five seats, two apart from each other and three from the next row; the last seat of each is of another category.
    fn layout(rows: u32) -> Layout {
        let id = LayoutId::new(Uuid::from_u128(7 << 76));
        let seat = |row: u32, place: u32| LayoutSeat {
            id: id.seat(row * 5 + place),
            label: place.to_string(),
            x: f64::from(place) * 2.0,
            y: f64::from(row) * 3.0,
            category: u16::from(place == 4),
            attributes: Vec::new(),
        };
        let row = |row| Row {
            id: id.place(PlaceKind::Row, row),
            label: row.to_string(),
            seats: (0..5).map(|place| seat(row, place)).collect(),
        };
        let section =
            Section { id: id.place(PlaceKind::Section, 0), name: "Stalls".to_owned(), rows: (0..rows).map(row).collect() };
        Layout { id, categories: Vec::new(), sections: vec![section], areas: Vec::new() }
    }

    /// The nearest block where these are taken.
    fn nearest(rows: u32, taken: &[u32], wanted: &[u32]) -> Option<Vec<u32>> {
        let mut statuses = vec![SeatStatus::Available; rows as usize * 5];
        for &number in taken {
            statuses[number as usize] = SeatStatus::Booked;
        }
        nearest_block(&layout(rows), &statuses, wanted)
    }

    #[test]
    fn the_nearest_seats_are_found_in_the_row_and_then_around_it() {
        assert_eq!(nearest(3, &[], &[6, 7]), Some(vec![6, 7]), "where they were");
        assert_eq!(nearest(3, &[6], &[6, 7]), Some(vec![7, 8]), "beside it");
        assert_eq!(nearest(3, &[7], &[6, 7]), Some(vec![5, 6]), "on the other side");
        assert_eq!(nearest(3, &[5, 6, 7, 8], &[6, 7]), Some(vec![1, 2]), "in the row before");
        assert_eq!(nearest(3, &[1, 2, 6, 7], &[6, 7]), Some(vec![11, 12]), "in the row behind");
        assert_eq!(nearest(3, &[11, 12, 6, 7], &[6, 7]), Some(vec![1, 2]));
        assert_eq!(
            nearest(2, &[5, 6], &[5, 6]),
            Some(vec![0, 1]),
            "three to the row before, four to where there is room in theirs"
        );
        assert_eq!(nearest(2, &[6, 2, 8], &[6, 7]), Some(vec![0, 1]), "askew");
        assert_eq!(nearest(1, &[1], &[1]), Some(vec![0]), "the first of two that are as near");
    }

    #[test]
    fn seats_of_another_category_or_apart_are_no_substitute() {
        assert_eq!(nearest(1, &[3], &[3]), Some(vec![2]), "4 is as near, and of another category");
        assert_eq!(nearest(1, &[4], &[4]), None, "there is one of its category");
        assert_eq!(nearest(1, &[0, 2], &[1, 2]), None, "1 and 3 are free, and apart");
        assert_eq!(nearest(2, &[3, 8], &[5, 4]), None, "5 and 4 are in two rows");
    }

    #[test]
    fn seats_of_another_kind_are_no_substitute() {
        use Attribute::{Accessible, Aisle, Companion, RestrictedView};
        for kind in [Accessible, Companion, RestrictedView] {
            let mut layout = layout(2);
            let near_first = |layout: &Layout, wanted: u32| {
                let mut statuses = [SeatStatus::Available; 10];
                statuses[wanted as usize] = SeatStatus::Booked;
                nearest_block(layout, &statuses, &[wanted])
            };
            let rows = &mut layout.sections[0].rows;
            rows[0].seats[2].attributes = vec![kind];
            assert_eq!(near_first(&layout, 2), None, "{kind:?}: there is one of its kind");
            assert_eq!(near_first(&layout, 1), Some(vec![0]), "{kind:?}: 2 is as near, and of another kind");
            layout.sections[0].rows[1].seats[0].attributes = vec![kind, Aisle];
            assert_eq!(near_first(&layout, 2), Some(vec![5]), "{kind:?}: far off, and of its kind");
        }
    }

    #[test]
    fn nobody_is_given_what_they_did_not_want() {
        assert_eq!(nearest(1, &[], &[]), None);
        assert_eq!(nearest(1, &[], &[5]), None, "it is in no row");
        assert_eq!(nearest_block(&layout(1), &[SeatStatus::Available; 3], &[3]), Some(vec![2]), "3 is not known to be free");
    }
}
