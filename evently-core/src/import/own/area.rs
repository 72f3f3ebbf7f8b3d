//! What is drawn but not sold, in our own format.

use crate::{
    domain::Shape,
    import::{
        draft::{DraftArea, settle},
        json::{Node, Object, out_of_bounds},
        limits::{COORDINATE_MAX, POINTS_MAX},
        text::{caption, color, listed, quote},
    },
};

/// The area, unless something is wrong with it.
pub(super) fn read(area: &Object<'_>) -> Option<DraftArea> {
    area.require("kind");
    let shape = read_shape(area, area.text("kind")?);
    let (x, y) = (area.required_number("x"), area.required_number("y"));
    let rotation = area.number("rotation").unwrap_or_default();
    let text = area.checked("text", caption).flatten();
    let color = area.checked("color", color);
    if matches!(shape, Some(Shape::Text)) && text.is_none() {
        area.problem("`text` is missing; an area of this kind is nothing else");
    }
    Some(DraftArea { shape: shape?, x: x?, y: y?, rotation, text, color })
}

fn read_shape(area: &Object<'_>, kind: &str) -> Option<Shape> {
    let only = |own: &[&str]| area.only(&[&["kind", "x", "y", "rotation", "text", "color"], own].concat());
    match kind {
        "rectangle" | "ellipse" => {
            only(&["width", "height"]);
            let (width, height) = (read_size(area, "width"), read_size(area, "height"));
            let (width, height) = (width?, height?);
            Some(if kind == "ellipse" { Shape::Ellipse { width, height } } else { Shape::Rectangle { width, height } })
        }
        "polygon" => {
            only(&["points"]);
            area.require("points");
            let points = area.list("points")?;
            area.accept("points", read_points(points)).map(|points| Shape::Polygon { points })
        }
        "text" => {
            only(&[]);
            Some(Shape::Text)
        }
        other => {
            let kinds = listed(["rectangle", "ellipse", "polygon", "text"]);
            area.problem_in("kind", format!("{} is no kind of area; there are {kinds}", quote(other)));
            None
        }
    }
}

fn read_size(area: &Object<'_>, key: &str) -> Option<f64> {
    let size = settle(area.required_number(key)?);
    area.accept(key, if size > 0.0 { Ok(size) } else { Err("a size is more than 0".to_owned()) })
}

fn read_points(nodes: &[Node<'_>]) -> Result<Vec<(f64, f64)>, String> {
    if !(3..=POINTS_MAX).contains(&nodes.len()) {
        return Err(format!("there are {} points in it; a polygon has 3 to {POINTS_MAX}", nodes.len()));
    }
    nodes.iter().map(read_point).collect()
}

fn read_point(node: &Node<'_>) -> Result<(f64, f64), String> {
    let Node::List(pair) = node else { return Err("a point is a list of two numbers".to_owned()) };
    let [Node::Number(x), Node::Number(y)] = pair[..] else {
        return Err("a point is a list of two numbers".to_owned());
    };
    match [x, y].into_iter().find(|number| number.abs() > COORDINATE_MAX) {
        Some(number) => Err(out_of_bounds(number)),
        None => Ok((x, y)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{
        json::parse,
        problem::{Findings, Path},
    };

    fn area(text: &str) -> Result<DraftArea, String> {
        let node = parse(text).unwrap();
        let found = Findings::default();
        let area = Object::new(&node, Path::FILE, &found).and_then(|area| read(&area));
        found.into_warnings().map_err(|error| error.to_string())?;
        Ok(area.unwrap())
    }

    #[test]
    fn every_kind_is_read() {
        let stage = area(r##"{"kind":"rectangle","x":1,"y":2,"width":30,"height":4,"text":"Stage","color":"#ccc"}"##).unwrap();
        assert_eq!(stage.shape, Shape::Rectangle { width: 30.0, height: 4.0 });
        assert_eq!((stage.text.as_deref(), stage.color.as_deref()), (Some("Stage"), Some("#ccc")));
        let table = area(r#"{"kind":"ellipse","x":1,"y":2,"width":5,"height":5,"rotation":45}"#).unwrap();
        assert_eq!((table.shape, table.rotation), (Shape::Ellipse { width: 5.0, height: 5.0 }, 45.0));
        let bar = area(r#"{"kind":"polygon","x":1,"y":2,"points":[[0,0],[-1000000,0],[0,9.5]]}"#).unwrap();
        assert_eq!(bar.shape, Shape::Polygon { points: vec![(0.0, 0.0), (-COORDINATE_MAX, 0.0), (0.0, 9.5)] });
        assert_eq!(area(r#"{"kind":"text","x":1,"y":2,"text":"Exit"}"#).unwrap().shape, Shape::Text);
    }

    #[test]
    fn what_does_not_make_an_area_is_refused() {
        for (text, message) in [
            (r#"{"kind":"stage","x":1,"y":2}"#, "`stage` is no kind of area"),
            (r#"{"x":1,"y":2}"#, "`kind` is missing"),
            (r#"{"kind":"rectangle","x":1,"y":2,"width":0,"height":1}"#, "width: a size is more than 0"),
            (r#"{"kind":"ellipse","x":1,"y":2,"width":1,"height":-1}"#, "height: a size is more than 0"),
            (r#"{"kind":"rectangle","x":1,"y":2,"width":1,"height":1,"points":[]}"#, "`points` is not known here"),
            (r#"{"kind":"polygon","x":1,"y":2,"points":[[0,0],[1,1]]}"#, "a polygon has 3 to 1000"),
            (r#"{"kind":"polygon","x":1,"y":2,"points":[[0,0],[1,1],[1]]}"#, "a point is a list of two numbers"),
            (r#"{"kind":"polygon","x":1,"y":2,"points":[[0,0],[1,1],[1,1e9]]}"#, "1000000000 is out of bounds"),
            (r#"{"kind":"text","x":1,"y":2,"text":" "}"#, "`text` is missing"),
            (r#"{"kind":"text","x":1,"y":2,"text":"a","color":"url(x)"}"#, "`url(x)` is not a colour"),
        ] {
            let told = area(text).err().unwrap();
            assert!(told.contains(message), "{told}");
        }
    }
}
