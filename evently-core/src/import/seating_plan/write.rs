//! Writing the open seating-plan JSON, with nothing in it that its schema does not know.
//!
//! Attributes have no place there. Seats keep their ids as their `seat_guid`.

use serde::{Serialize, Serializer};

use super::{area::centre, position::turn};
use crate::{
    domain::{Area, Category, Layout, LayoutSeat, Row, SeatId, Section, Shape},
    import::{category_name, draft::settle},
};

/// Left free at the right and below, in pixels.
const MARGIN: f64 = 40.0;

pub(in crate::import) fn write(venue_name: &str, layout: &Layout) -> Vec<u8> {
    let mut zones: Vec<_> = layout.sections.iter().map(|section| Zone::new(section, layout)).collect();
    // Those who draw the plan begin with the first zone, and so with what lies beneath the seats.
    if let Some(first) = zones.first_mut() {
        first.areas = layout.areas.iter().map(WrittenArea::new).collect();
    }
    let plan = Plan { name: venue_name.trim(), categories: &layout.categories, zones, size: Size::of(layout) };
    serde_json::to_vec(&plan).expect("a layout is made of texts and finite numbers")
}

#[derive(Serialize)]
struct Plan<'a> {
    name: &'a str,
    categories: &'a [Category],
    zones: Vec<Zone<'a>>,
    size: Size,
}

#[derive(Serialize)]
struct Zone<'a> {
    name: &'a str,
    position: Position,
    rows: Vec<WrittenRow<'a>>,
    areas: Vec<WrittenArea<'a>>,
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    row_number: &'a str,
    row_number_position: &'static str,
    position: Position,
    seats: Vec<Seat<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
struct Seat<'a> {
    seat_number: &'a str,
    seat_guid: SeatId,
    position: Position,
    category: &'a str,
}

#[derive(Serialize)]
struct WrittenArea<'a> {
    #[serde(flatten)]
    outline: Outline,
    position: Position,
    #[serde(serialize_with = "plain")]
    rotation: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
enum Outline {
    Rectangle { rectangle: Size },
    Circle { circle: Radius },
    Ellipse { ellipse: Radii },
    Polygon { polygon: Corners },
    Text,
}

#[derive(Serialize)]
struct Radius {
    #[serde(serialize_with = "plain")]
    radius: f64,
}

#[derive(Serialize)]
struct Radii {
    radius: Position,
}

#[derive(Serialize)]
struct Corners {
    points: Vec<Position>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
struct Text<'a> {
    text: &'a str,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
}

#[derive(Serialize)]
struct Size {
    #[serde(serialize_with = "plain")]
    width: f64,
    #[serde(serialize_with = "plain")]
    height: f64,
}

#[derive(Clone, Copy, Serialize)]
struct Position {
    #[serde(serialize_with = "plain")]
    x: f64,
    #[serde(serialize_with = "plain")]
    y: f64,
}

const ORIGIN: Position = Position { x: 0.0, y: 0.0 };

/// Without a fraction where there is none, since the schema wants integers in places.
#[expect(clippy::cast_possible_truncation, reason = "integers within the bounds of coordinates only")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn plain<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 { serializer.serialize_i64(*number as i64) } else { serializer.serialize_f64(*number) }
}

impl Position {
    fn new((x, y): (f64, f64)) -> Self {
        Self { x, y }
    }
}

impl Size {
    /// As large as to hold everything.
    fn of(layout: &Layout) -> Self {
        let seats = layout.places().map(|place| (place.seat.x, place.seat.y));
        let areas = layout.areas.iter().map(|area| {
            let (width, height) = extent(&area.shape);
            (area.x + width, area.y + height)
        });
        let (right, bottom) = seats.chain(areas).fold((0.0, 0.0), |(x, y), at| (at.0.max(x), at.1.max(y)));
        Self { width: f64::ceil(right + MARGIN), height: f64::ceil(bottom + MARGIN) }
    }
}

impl<'a> Zone<'a> {
    fn new(section: &'a Section, layout: &'a Layout) -> Self {
        let rows = section.rows.iter().map(|row| WrittenRow::new(row, layout)).collect();
        Self { name: &section.name, position: ORIGIN, rows, areas: Vec::new() }
    }
}

impl<'a> WrittenRow<'a> {
    fn new(row: &'a Row, layout: &'a Layout) -> Self {
        let seats = row.seats.iter().map(|seat| Seat::new(seat, layout)).collect();
        Self { row_number: &row.label, row_number_position: "both", position: ORIGIN, seats }
    }
}

impl<'a> Seat<'a> {
    fn new(seat: &'a LayoutSeat, layout: &'a Layout) -> Self {
        Self {
            seat_number: &seat.label,
            seat_guid: seat.id,
            position: Position { x: seat.x, y: seat.y },
            category: category_name(layout, seat),
        }
    }
}

impl<'a> WrittenArea<'a> {
    fn new(area: &'a Area) -> Self {
        let color = area.color.as_deref();
        let text = area.text.as_deref().map(|text| Text { text, position: middle(&area.shape), color: None });
        let is_text = matches!(area.shape, Shape::Text);
        Self {
            outline: outline(&area.shape),
            position: pivot(area),
            rotation: area.rotation,
            color: color.filter(|_| !is_text),
            text: text.map(|text| Text { color: color.filter(|_| is_text), ..text }),
        }
    }
}

fn outline(shape: &Shape) -> Outline {
    match *shape {
        Shape::Rectangle { width, height } => Outline::Rectangle { rectangle: Size { width, height } },
        // A circle's radius is an integer in the schema, an ellipse's is not.
        #[expect(clippy::float_cmp, reason = "an ellipse that is a circle but for a trace is still an ellipse")]
        Shape::Ellipse { width, height } if width == height && width % 2.0 == 0.0 => {
            Outline::Circle { circle: Radius { radius: width / 2.0 } }
        }
        Shape::Ellipse { width, height } => {
            Outline::Ellipse { ellipse: Radii { radius: Position { x: width / 2.0, y: height / 2.0 } } }
        }
        Shape::Polygon { ref points } => {
            Outline::Polygon { polygon: Corners { points: points.iter().copied().map(Position::new).collect() } }
        }
        Shape::Text => Outline::Text,
    }
}

/// The point about which the format turns the area: the centre of what is round, the corner of everything else.
fn pivot(area: &Area) -> Position {
    let centre = match &area.shape {
        Shape::Text => (0.0, 0.0),
        Shape::Ellipse { width, height } => {
            return Position { x: area.x + width / 2.0, y: area.y + height / 2.0 };
        }
        Shape::Rectangle { width, height } => (width / 2.0, height / 2.0),
        Shape::Polygon { points } => centre(points),
    };
    let turned = turn(centre, area.rotation);
    Position { x: exact(area.x + centre.0 - turned.0), y: exact(area.y + centre.1 - turned.1) }
}

/// Far finer than the thousandths that a reader keeps, so that turning back meets the same ones.
fn exact(coordinate: f64) -> f64 {
    settle(coordinate * 1000.0) / 1000.0
}

/// Where the text of an area is written, seen from its pivot.
fn middle(shape: &Shape) -> Position {
    match shape {
        Shape::Text | Shape::Ellipse { .. } => ORIGIN,
        Shape::Rectangle { width, height } => Position { x: width / 2.0, y: height / 2.0 },
        Shape::Polygon { points } => Position::new(centre(points)),
    }
}

fn extent(shape: &Shape) -> (f64, f64) {
    match shape {
        Shape::Rectangle { width, height } | Shape::Ellipse { width, height } => (*width, *height),
        Shape::Polygon { points } => points.iter().fold((0.0, 0.0), |(x, y), point| (point.0.max(x), point.1.max(y))),
        Shape::Text => (0.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::LayoutId,
        import::{Format, read},
    };

    #[test]
    fn it_is_written_in_the_words_of_the_schema() {
        let plan = json!({"sections": [{"name": "Stalls", "rows": [{"label": "A", "seats": [
                {"label": "1", "x": 10.5, "y": 20, "category": "Dear", "attributes": ["aisle"]}]}]}],
            "areas": [{"kind": "ellipse", "x": 0, "y": 0, "width": 40, "height": 40, "color": "red", "text": "Table"},
                {"kind": "rectangle", "x": 1, "y": 2, "width": 30, "height": 5, "text": "Bar"},
                {"kind": "text", "x": 5, "y": 7, "text": "Exit", "color": "green"}]});
        let id = LayoutId::new(Uuid::nil());
        let layout = read(Format::Own, plan.to_string().as_bytes(), id).unwrap().layout;
        let written: Value = serde_json::from_slice(&write(" Hall ", &layout)).unwrap();
        let origin = json!({"x": 0, "y": 0});
        assert_eq!(
            written,
            json!({"name": "Hall", "categories": [{"name": "Dear"}], "size": {"width": 80, "height": 80}, "zones": [
                {"name": "Stalls", "position": origin, "rows": [
                    {"row_number": "A", "row_number_position": "both", "position": origin, "seats": [
                        {"seat_number": "1", "seat_guid": id.seat(0), "position": {"x": 10.5, "y": 20}, "category": "Dear"}]}],
                "areas": [
                    {"shape": "circle", "circle": {"radius": 20}, "position": {"x": 20, "y": 20}, "rotation": 0, "color": "red",
                        "text": {"text": "Table", "position": origin}},
                    {"shape": "rectangle", "rectangle": {"width": 30, "height": 5}, "position": {"x": 1, "y": 2}, "rotation": 0,
                        "text": {"text": "Bar", "position": {"x": 15, "y": 2.5}}},
                    {"shape": "text", "position": {"x": 5, "y": 7}, "rotation": 0,
                        "text": {"text": "Exit", "position": origin, "color": "green"}}]}]})
        );
    }
}
