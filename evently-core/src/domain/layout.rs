//! Layouts: how a venue is drawn, and what its seats are called.
//!
//! A layout is immutable: a change to a venue's plan is a new layout with an id of its own, and an event keeps the one it
//! was made from. Seats are numbered from 0 in *layout order*: sections, rows and seats as they stand here.

use serde::{Deserialize, Serialize};

use super::id::{LayoutId, PlaceId, SeatId, VenueId};

/// A place with seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Venue {
    /// The venue's id.
    pub id: VenueId,
    /// What people call it.
    pub name: String,
    /// The layout that new events get.
    pub layout_id: LayoutId,
}

/// The drawing of a venue. Coordinates are in the plan's own units, x to the right and y down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// The layout's id; every change of a plan is another layout.
    pub id: LayoutId,
    /// The names of the categories that seats refer to by position.
    pub categories: Vec<Category>,
    /// Sections in the order in which they are listed.
    pub sections: Vec<Section>,
    /// What is drawn but not sold by seat: a stage, a bar, standing room.
    pub areas: Vec<Area>,
}

/// A group of seats that cost the same at an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Unique in the layout; an event sets its price by this name.
    pub name: String,
    /// A colour such as `#4466aa`, as the plan was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// A part of the venue with rows of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The section's id.
    pub id: PlaceId,
    /// What people call it; unique in the layout.
    pub name: String,
    /// Rows in the order in which they are listed.
    pub rows: Vec<Row>,
}

/// Seats that stand in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The row's id.
    pub id: PlaceId,
    /// What people read: `12`, `AA`.
    pub label: String,
    /// Seats in the order in which people sit; neighbours here are neighbours there unless a gap is drawn.
    pub seats: Vec<LayoutSeat>,
}

/// One seat as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayoutSeat {
    /// The seat's id, derived from the layout and the seat's number.
    pub id: SeatId,
    /// What people read on it.
    pub label: String,
    /// The centre of the seat.
    pub x: f64,
    /// The centre of the seat.
    pub y: f64,
    /// Position in [`Layout::categories`].
    pub category: u16,
    /// What one should know before choosing it.
    pub attributes: Vec<Attribute>,
}

/// What one should know about a seat before choosing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// A place for a wheelchair, or reached without steps.
    Accessible,
    /// For whoever comes along with the person on the accessible place beside it.
    Companion,
    /// Something stands in the way of the view.
    RestrictedView,
    /// On an aisle.
    Aisle,
}

impl Attribute {
    /// All attributes with their names in files and on the wire.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("accessible", Self::Accessible),
        ("companion", Self::Companion),
        ("restricted_view", Self::RestrictedView),
        ("aisle", Self::Aisle),
    ];
}

/// Something drawn that is not a seat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// The area's id.
    pub id: PlaceId,
    /// Its outline.
    #[serde(flatten)]
    pub shape: Shape,
    /// The left edge of the outline.
    pub x: f64,
    /// The upper edge of the outline.
    pub y: f64,
    /// Degrees clockwise about the centre of the outline.
    #[serde(default)]
    pub rotation: f64,
    /// What is written on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A colour such as `#cccccc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// The outline of an area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// Four corners.
    Rectangle {
        /// From left to right.
        width: f64,
        /// From top to bottom.
        height: f64,
    },
    /// An ellipse within its width and height; a circle where they are equal.
    Ellipse {
        /// From left to right.
        width: f64,
        /// From top to bottom.
        height: f64,
    },
    /// Corners, relative to the area's `x` and `y`.
    Polygon {
        /// At least three.
        points: Vec<(f64, f64)>,
    },
    /// Only the text.
    Text,
}

/// Where a seat is, in words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeatPlace<'a> {
    /// The section the seat is in.
    pub section: &'a Section,
    /// The row the seat is in.
    pub row: &'a Row,
    /// The seat itself.
    pub seat: &'a LayoutSeat,
}

impl Layout {
    /// How many seats there are.
    pub fn seats_total(&self) -> u32 {
        let total = self.sections.iter().flat_map(|section| &section.rows).map(|row| row.seats.len()).sum::<usize>();
        u32::try_from(total).expect("an import is limited to far fewer seats")
    }

    /// All seats in layout order, each with its section and row.
    pub fn places(&self) -> impl Iterator<Item = SeatPlace<'_>> {
        self.sections.iter().flat_map(|section| {
            section.rows.iter().flat_map(move |row| row.seats.iter().map(move |seat| SeatPlace { section, row, seat }))
        })
    }
}
