//! From a draft to a layout: ids in layout order, coordinates as they are kept.

use super::{Draft, DraftArea, DraftRow, DraftSeat, DraftSection};
use crate::domain::{Area, Layout, LayoutId, LayoutSeat, PlaceId, PlaceKind, Row, Section, Shape};

impl Draft {
    /// The layout of a draft in which everything fits together.
    pub(super) fn number(self, id: LayoutId) -> Layout {
        let mut ids = Ids { layout: id, sections: 0, rows: 0, seats: 0 };
        Layout {
            id,
            categories: self.categories,
            sections: self.sections.into_iter().map(|section| section.build(&mut ids)).collect(),
            areas: (0..).zip(self.areas).map(|(n, area)| area.build(id.place(PlaceKind::Area, n))).collect(),
        }
    }
}

/// What has been numbered so far.
struct Ids {
    layout: LayoutId,
    sections: u32,
    rows: u32,
    seats: u32,
}

impl DraftSection {
    fn build(self, ids: &mut Ids) -> Section {
        let id = ids.layout.place(PlaceKind::Section, next(&mut ids.sections));
        Section { id, name: self.name, rows: self.rows.into_iter().map(|row| row.build(ids)).collect() }
    }
}

impl DraftRow {
    fn build(self, ids: &mut Ids) -> Row {
        let id = ids.layout.place(PlaceKind::Row, next(&mut ids.rows));
        Row { id, label: self.label, seats: self.seats.into_iter().map(|seat| seat.build(ids)).collect() }
    }
}

impl DraftSeat {
    fn build(mut self, ids: &mut Ids) -> LayoutSeat {
        self.attributes.sort_unstable();
        self.attributes.dedup();
        LayoutSeat {
            id: ids.layout.seat(next(&mut ids.seats)),
            label: self.label,
            x: settle(self.x),
            y: settle(self.y),
            category: self.category,
            attributes: self.attributes,
        }
    }
}

impl DraftArea {
    fn build(mut self, id: PlaceId) -> Area {
        if let Shape::Polygon { points } = &mut self.shape {
            let (left, top) = points.iter().fold((f64::MAX, f64::MAX), |(x, y), point| (x.min(point.0), y.min(point.1)));
            for (x, y) in points {
                (*x, *y) = (settle(*x - left), settle(*y - top));
            }
            self.x += left;
            self.y += top;
        }
        Area {
            id,
            shape: self.shape,
            x: settle(self.x),
            y: settle(self.y),
            rotation: settle(settle(self.rotation).rem_euclid(360.0)),
            text: self.text,
            color: self.color,
        }
    }
}

fn next(number: &mut u32) -> u32 {
    let this = *number;
    *number += 1;
    this
}

/// A coordinate to a thousandth of a unit: nobody draws finer, and what sums such as 0.1 + 0.2 leave behind goes away.
pub(in crate::import) fn settle(coordinate: f64) -> f64 {
    // The zero that is added makes -0 an ordinary one.
    (coordinate * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn coordinates_settle_on_thousandths() {
        assert_eq!(settle(0.1 + 0.2).to_string(), "0.3");
        assert_eq!(settle(-0.0004).to_string(), "0");
    }

    #[test]
    fn a_polygon_begins_at_its_edges() {
        let points = vec![(-10.0, 5.0), (10.0, 5.0), (0.0, 25.0)];
        let area = DraftArea { shape: Shape::Polygon { points }, x: 100.0, y: 100.0, rotation: -90.0, text: None, color: None };
        let area = area.build(LayoutId::new(Uuid::nil()).place(PlaceKind::Area, 0));
        assert_eq!((area.x, area.y, area.rotation), (90.0, 105.0, 270.0));
        assert_eq!(area.shape, Shape::Polygon { points: vec![(0.0, 0.0), (20.0, 0.0), (10.0, 20.0)] });
    }
}
