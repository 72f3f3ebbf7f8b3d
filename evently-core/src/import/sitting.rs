//! The order in which people sit in a row.

/// Shorter by a twentieth at least, so that seats which are drawn a little unevenly stay as they are.
const CLEARLY_SHORTER: f64 = 0.95;

/// The order in which the seats drawn at `points` stand along their row, as positions in `points`; `None` where they stand in
/// it already.
///
/// The order that is there counts as good unless walking past the seats from one end of the row to the other is clearly
/// shorter. That leaves tables and horseshoes alone, whose seats lie on no line.
pub(super) fn sitting_order(points: &[(f64, f64)]) -> Option<Vec<usize>> {
    let (dx, dy) = long_axis(points);
    let mut order: Vec<usize> = (0..points.len()).collect();
    let along = |i: usize| points[i].0 * dx + points[i].1 * dy;
    order.sort_by(|a, b| along(*a).total_cmp(&along(*b)));
    let listed = walk(points.iter().copied());
    let sorted = walk(order.iter().map(|i| points[*i]));
    (sorted < listed * CLEARLY_SHORTER).then_some(order)
}

/// The distances between neighbours, in the order in which the points come.
pub(super) fn gaps(points: impl Iterator<Item = (f64, f64)> + Clone) -> impl Iterator<Item = f64> {
    points.clone().zip(points.skip(1)).map(|(a, b)| (b.0 - a.0).hypot(b.1 - a.1))
}

fn walk(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    gaps(points).sum()
}

/// The direction in which the points spread most, from left to right; of length one.
fn long_axis(points: &[(f64, f64)]) -> (f64, f64) {
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    #[expect(clippy::cast_precision_loss, reason = "a row has far fewer seats than a float has integers")]
    let count = points.len().max(1) as f64;
    let (mean_x, mean_y) = (sum.0 / count, sum.1 / count);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in points.iter().map(|point| (point.0 - mean_x, point.1 - mean_y)) {
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    let angle = 0.5 * f64::atan2(2.0 * xy, xx - yy);
    (angle.cos(), angle.sin())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{PI, TAU};

    use super::*;

    fn circle(seats: u32, part: f64) -> Vec<(f64, f64)> {
        (0..seats).map(|n| (f64::from(n) / f64::from(seats) * part).sin_cos()).map(|(y, x)| (x * 50.0, y * 50.0)).collect()
    }

    #[test]
    fn a_row_in_either_direction_stays_as_it_is() {
        let row: Vec<_> = (0..12).map(|n| (f64::from(n) * 20.0, f64::from(n))).collect();
        assert_eq!(sitting_order(&row), None);
        assert_eq!(sitting_order(&row.into_iter().rev().collect::<Vec<_>>()), None);
        assert_eq!(sitting_order(&[]), None);
    }

    #[test]
    fn seats_listed_by_number_come_to_stand_as_drawn() {
        assert_eq!(sitting_order(&[(40.0, 9.0), (20.0, 4.0), (60.0, 4.0), (0.0, 0.0)]), Some(vec![3, 1, 0, 2]));
        assert_eq!(sitting_order(&[(0.0, 40.0), (0.0, 0.0), (0.0, 20.0)]), Some(vec![1, 2, 0]));
    }

    /// Staggered seats, so that only the row's own direction puts them in order.
    #[test]
    fn a_row_comes_to_stand_as_drawn_at_whatever_angle_wherever_and_however_large() {
        for (degrees, size) in (-80_i32..=80).step_by(20).flat_map(|degrees| [0.01, 1.0, 20.0].map(|size| (degrees, size))) {
            for (left, top) in [(0.0, 0.0), (900.0, 400.0), (-300.0, 700.0)] {
                let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
                let drawn = |n: u32| {
                    let (along, across) = (f64::from(n) * size, if n.is_multiple_of(2) { 1.5 } else { -1.5 } * size);
                    (left + along * cos - across * sin, top + along * sin + across * cos)
                };
                let order =
                    sitting_order(&(0..9).map(|i| drawn(i * 4 % 9)).collect::<Vec<_>>()).expect("they are listed otherwise");
                let seats = order.iter().map(|i| i * 4 % 9).collect::<Vec<_>>();
                assert_eq!(seats, (0..9).collect::<Vec<_>>(), "{degrees} degrees, {size} apart, from {left}, {top}");
            }
        }
    }

    #[test]
    fn a_half_circle_counts_as_a_row() {
        let arc = circle(30, PI);
        assert_eq!(sitting_order(&arc), None);
        let shuffled: Vec<_> = (0..30).map(|n| arc[n * 7 % 30]).collect();
        let order = sitting_order(&shuffled).unwrap();
        let seats: Vec<_> = order.iter().map(|i| i * 7 % 30).collect();
        assert!(seats.is_sorted() || seats.iter().rev().is_sorted(), "{seats:?}");
    }

    #[test]
    fn the_seats_around_a_table_stay_as_they_are() {
        for seats in 3..12 {
            assert_eq!(sitting_order(&circle(seats, TAU)), None, "{seats} seats");
        }
    }

    #[test]
    fn those_on_one_side_of_a_bench_are_neighbours() {
        let bench: Vec<_> = (0..8).map(|n| (f64::from(n % 2) * 60.0, f64::from(n / 2) * 25.0)).collect();
        assert_eq!(sitting_order(&bench), Some(vec![0, 2, 4, 6, 1, 3, 5, 7]));
    }
}
