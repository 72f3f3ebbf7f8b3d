//! What is drawn in the open seating-plan JSON. None of it is sold, so what cannot be drawn is left out with a warning.

use super::{
    leave_out_others, lenient,
    position::{point, position, sum, turn},
};
use crate::{
    domain::Shape,
    import::{
        draft::{DraftArea, settle},
        json::{Node, Object},
        limits::POINTS_MAX,
        text::{caption, color, quote},
    },
};

const KNOWN: [&str; 13] = [
    "shape",
    "position",
    "rotation",
    "color",
    "text",
    "width",
    "height",
    "rectangle",
    "circle",
    "ellipse",
    "polygon",
    // For the editor alone.
    "uuid",
    "border_color",
];

/// An outline with its place relative to the area's position, about which the format turns it.
struct Outline {
    shape: Shape,
    /// Where [`DraftArea`] begins.
    corner: (f64, f64),
    /// About what [`DraftArea`] turns.
    centre: (f64, f64),
}

/// The area, unless it is of a shape that is not known or has no extent. Positions are relative to `origin`.
pub(super) fn read(area: &Object<'_>, origin: (f64, f64)) -> Option<DraftArea> {
    leave_out_others(area, "an area", &KNOWN);
    let rotation = area.number("rotation").unwrap_or_default();
    let written = read_text(area);
    let Outline { shape, corner, centre } = outline(area, &written)?;
    let turned = turn(centre, rotation);
    let shift = (corner.0 + turned.0 - centre.0, corner.1 + turned.1 - centre.1);
    let at = sum(area, origin, position(area).unwrap_or_default())?;
    let (x, y) = sum(area, at, shift)?;
    let own_color = area.text("color").and_then(|given| lenient(area, "a colour", color(given)));
    let color = if matches!(shape, Shape::Text) { written.color.or(own_color) } else { own_color };
    Some(DraftArea { shape, x, y, rotation, text: written.text, color })
}

/// What is written on an area.
#[derive(Default)]
struct Written {
    text: Option<String>,
    /// Where its middle is.
    position: (f64, f64),
    color: Option<String>,
}

/// The text of the schema, or the nested one of the editor.
fn read_text(area: &Object<'_>) -> Written {
    if let Some(Node::Text(text)) = area.node("text") {
        return Written { text: lenient(area, "a text", caption(text)).flatten(), ..Written::default() };
    }
    let Some(nested) = area.object("text") else { return Written::default() };
    leave_out_others(&nested, "a text", &["text", "position", "color", "size"]);
    Written {
        text: nested.text("text").and_then(|text| lenient(area, "a text", caption(text)).flatten()),
        position: position(&nested).unwrap_or_default(),
        color: nested.text("color").and_then(|given| lenient(area, "a colour", color(given))),
    }
}

fn outline(area: &Object<'_>, written: &Written) -> Option<Outline> {
    let outline = match shape_name(area) {
        "rectangle" => rectangle(area),
        "circle" => circle(area),
        "ellipse" => ellipse(area),
        "polygon" => polygon(area),
        "text" => {
            written.text.is_some().then_some(Outline { shape: Shape::Text, corner: written.position, centre: written.position })
        }
        other => {
            let message = format!("areas of the shape {} are not known here and were left out", quote(other));
            area.found.warn(area.path, message);
            return None;
        }
    };
    if outline.is_none() {
        area.found.warn(area.path, "an area with nothing to draw was left out");
    }
    outline
}

/// The shape by its name, or by the member that describes it; the schema's own areas are rectangles.
fn shape_name<'a>(area: &Object<'a>) -> &'a str {
    let described = ["circle", "ellipse", "polygon"].into_iter().find(|key| area.node(key).is_some());
    area.text("shape").or(described).unwrap_or("rectangle")
}

fn rectangle(area: &Object<'_>) -> Option<Outline> {
    let (width, height) = size(area)?;
    let shape = Shape::Rectangle { width, height };
    Some(Outline { shape, corner: (0.0, 0.0), centre: (width / 2.0, height / 2.0) })
}

fn circle(area: &Object<'_>) -> Option<Outline> {
    let Some(circle) = area.object("circle") else { return boxed_ellipse(area) };
    let radius = circle.number("radius")?;
    ellipse_about_position(radius, radius)
}

fn ellipse(area: &Object<'_>) -> Option<Outline> {
    let Some(ellipse) = area.object("ellipse") else { return boxed_ellipse(area) };
    let (x, y) = point(&ellipse.object("radius")?)?;
    ellipse_about_position(x, y)
}

/// The editor's: its position is its centre.
fn ellipse_about_position(x: f64, y: f64) -> Option<Outline> {
    let (width, height) = (extent(x * 2.0)?, extent(y * 2.0)?);
    let corner = (-width / 2.0, -height / 2.0);
    Some(Outline { shape: Shape::Ellipse { width, height }, corner, centre: (0.0, 0.0) })
}

/// In the way of the schema: with width, height, and its position in the corner.
fn boxed_ellipse(area: &Object<'_>) -> Option<Outline> {
    let (width, height) = size(area)?;
    let shape = Shape::Ellipse { width, height };
    Some(Outline { shape, corner: (0.0, 0.0), centre: (width / 2.0, height / 2.0) })
}

fn polygon(area: &Object<'_>) -> Option<Outline> {
    let polygon = area.object("polygon")?;
    let points: Vec<_> = polygon.objects("points").filter_map(|(_, corner)| point(&corner)).collect();
    if points.len() > POINTS_MAX {
        let message = format!("there are {} points in it; at most {POINTS_MAX} are allowed", points.len());
        polygon.problem_in("points", message);
    }
    let centre = centre(&points);
    (points.len() >= 3).then_some(Outline { shape: Shape::Polygon { points }, corner: (0.0, 0.0), centre })
}

/// The middle of the box around the points.
pub(super) fn centre(points: &[(f64, f64)]) -> (f64, f64) {
    let middle = |numbers: &dyn Fn(&(f64, f64)) -> f64| {
        let (low, high) = points.iter().map(numbers).fold((f64::MAX, f64::MIN), |(l, h), n| (l.min(n), h.max(n)));
        f64::midpoint(low, high)
    };
    (middle(&|point| point.0), middle(&|point| point.1))
}

/// Width and height, in the editor's member or in the area itself.
fn size(area: &Object<'_>) -> Option<(f64, f64)> {
    let of = |object: &Object<'_>| (object.number("width"), object.number("height"));
    let (width, height) = area.object("rectangle").map_or_else(|| of(area), |nested| of(&nested));
    Some((extent(width?)?, extent(height?)?))
}

fn extent(size: f64) -> Option<f64> {
    Some(settle(size)).filter(|size| *size > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{
        json::parse,
        problem::{Findings, Path},
    };

    /// The area in a zone at (100, 100), and how many warnings there are.
    fn area(text: &str) -> (Option<DraftArea>, usize) {
        let node = parse(text).unwrap();
        let found = Findings::default();
        let area = Object::new(&node, Path::FILE, &found).and_then(|area| read(&area, (100.0, 100.0)));
        (area, found.into_warnings().unwrap().len())
    }

    fn drawn(text: &str) -> DraftArea {
        let (area, warnings) = area(text);
        assert_eq!(warnings, 0);
        area.unwrap()
    }

    #[test]
    fn a_rectangle_is_read_in_both_ways_of_writing() {
        for text in [
            r##"{"position":{"x":1,"y":2},"width":30,"height":4.5,"text":"Stage","color":"#ccc"}"##,
            r##"{"shape":"rectangle","uuid":"u","border_color":"red","rotation":0,"color":"#ccc","position":{"x":1,"y":2},
                "rectangle":{"width":30,"height":4.5},"text":{"text":"Stage","position":{"x":5,"y":5},"color":"#000","size":16}}"##,
        ] {
            let area = drawn(text);
            assert_eq!(area.shape, Shape::Rectangle { width: 30.0, height: 4.5 });
            assert_eq!((area.x, area.y, area.rotation), (101.0, 102.0, 0.0));
            assert_eq!((area.text.as_deref(), area.color.as_deref()), (Some("Stage"), Some("#ccc")));
        }
    }

    #[test]
    fn round_shapes_lie_about_their_position() {
        let circle = drawn(r#"{"shape":"circle","position":{"x":50,"y":50},"circle":{"radius":20}}"#);
        assert_eq!((circle.shape, circle.x, circle.y), (Shape::Ellipse { width: 40.0, height: 40.0 }, 130.0, 130.0));
        let ellipse = drawn(r#"{"shape":"ellipse","position":{"x":50,"y":50},"ellipse":{"radius":{"x":20,"y":10}}}"#);
        assert_eq!((ellipse.shape, ellipse.x, ellipse.y), (Shape::Ellipse { width: 40.0, height: 20.0 }, 130.0, 140.0));
        let boxed = drawn(r#"{"shape":"circle","position":{"x":50,"y":50},"width":20,"height":20}"#);
        assert_eq!((boxed.shape, boxed.x, boxed.y), (Shape::Ellipse { width: 20.0, height: 20.0 }, 150.0, 150.0));
    }

    #[test]
    fn a_turn_about_the_corner_becomes_one_about_the_centre() {
        let area = drawn(r#"{"position":{"x":0,"y":0},"width":40,"height":20,"rotation":90}"#);
        // Its centre goes from (120, 110) to (90, 120).
        assert_eq!((settle(area.x), settle(area.y), area.rotation), (70.0, 110.0, 90.0));
        for shape in [
            r#""shape":"ellipse","width":40,"height":20"#,
            r#""polygon":{"points":[{"x":0,"y":0},{"x":40,"y":0},{"x":40,"y":20},{"x":0,"y":20}]}"#,
        ] {
            let area = drawn(&format!(r#"{{"position":{{"x":0,"y":0}},{shape},"rotation":90}}"#));
            assert_eq!((settle(area.x), settle(area.y)), (70.0, 110.0), "{shape}");
        }
    }

    #[test]
    fn a_text_stands_where_it_is_written() {
        let text =
            drawn(r#"{"shape":"text","position":{"x":5,"y":5},"text":{"text":"Exit","position":{"x":1,"y":2},"color":"red"}}"#);
        assert_eq!((text.shape, text.x, text.y), (Shape::Text, 106.0, 107.0));
        assert_eq!((text.text.as_deref(), text.color.as_deref()), (Some("Exit"), Some("red")));
    }

    #[test]
    fn a_polygon_has_its_corners_about_its_position() {
        let text =
            r#"{"shape":"polygon","position":{"x":5,"y":5},"polygon":{"points":[{"x":-1,"y":0},{"x":1,"y":0},{"x":0,"y":3}]}}"#;
        let area = drawn(text);
        assert_eq!((area.x, area.y), (105.0, 105.0));
        assert_eq!(area.shape, Shape::Polygon { points: vec![(-1.0, 0.0), (1.0, 0.0), (0.0, 3.0)] });
    }

    #[test]
    fn a_polygon_has_no_more_corners_than_are_allowed() {
        for (corners, refused) in [(POINTS_MAX, false), (POINTS_MAX + 1, true), (POINTS_MAX * 2, true)] {
            let points = vec![r#"{"x":1,"y":2}"#; corners].join(",");
            let text = format!(r#"{{"position":{{"x":5,"y":5}},"polygon":{{"points":[{points}]}}}}"#);
            let (node, found) = (parse(&text).unwrap(), Findings::default());
            Object::new(&node, Path::FILE, &found).and_then(|area| read(&area, (0.0, 0.0)));
            assert_eq!(found.has_problems(), refused, "{corners} corners");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out_with_a_warning() {
        for text in [
            r#"{"shape":"gaCircle","position":{"x":1,"y":1},"ellipse":{"radius":{"x":1,"y":1}}}"#,
            r#"{"shape":"rectangle","position":{"x":1,"y":1}}"#,
            r#"{"position":{"x":1,"y":1},"width":0,"height":5}"#,
            r#"{"shape":"text","position":{"x":1,"y":1},"text":{"text":"","position":{"x":0,"y":0}}}"#,
            r#"{"shape":"polygon","position":{"x":1,"y":1},"polygon":{"points":[{"x":1,"y":1}]}}"#,
        ] {
            let (area, warnings) = area(text);
            assert!(area.is_none() && warnings == 1, "{text}");
        }
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_left_out() {
        let (area, warnings) = area(r#"{"position":{"x":1,"y":1},"width":1,"height":1,"color":"url(#a)"}"#);
        assert_eq!((area.unwrap().color, warnings), (None, 1));
    }
}
