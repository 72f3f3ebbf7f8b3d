//! Writing our own format.

use serde::Serialize;

use crate::{
    domain::{Area, Attribute, Category, Layout, LayoutSeat, Section, Shape},
    import::category_name,
};

/// Everything that the layout has; reading it gives the same layout.
pub(in crate::import) fn write(venue_name: &str, layout: &Layout) -> Vec<u8> {
    let plan = WrittenPlan {
        name: Some(venue_name.trim()).filter(|name| !name.is_empty()),
        categories: &layout.categories,
        sections: layout.sections.iter().map(|section| WrittenSection::new(section, layout)).collect(),
        areas: layout.areas.iter().map(WrittenArea::new).collect(),
    };
    serde_json::to_vec(&plan).expect("a layout is made of texts and finite numbers")
}

#[derive(Serialize)]
struct WrittenPlan<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    categories: &'a [Category],
    sections: Vec<WrittenSection<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    areas: Vec<WrittenArea<'a>>,
}

#[derive(Serialize)]
struct WrittenSection<'a> {
    name: &'a str,
    rows: Vec<WrittenRow<'a>>,
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    label: &'a str,
    seats: Vec<WrittenSeat<'a>>,
}

#[derive(Serialize)]
struct WrittenSeat<'a> {
    label: &'a str,
    x: f64,
    y: f64,
    category: &'a str,
    #[serde(skip_serializing_if = "<[Attribute]>::is_empty")]
    attributes: &'a [Attribute],
}

#[derive(Serialize)]
struct WrittenArea<'a> {
    #[serde(flatten)]
    shape: &'a Shape,
    x: f64,
    y: f64,
    rotation: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
}

impl<'a> WrittenSection<'a> {
    fn new(section: &'a Section, layout: &'a Layout) -> Self {
        let rows = section.rows.iter().map(|row| WrittenRow {
            label: &row.label,
            seats: row.seats.iter().map(|seat| WrittenSeat::new(seat, layout)).collect(),
        });
        Self { name: &section.name, rows: rows.collect() }
    }
}

impl<'a> WrittenSeat<'a> {
    fn new(seat: &'a LayoutSeat, layout: &'a Layout) -> Self {
        let category = category_name(layout, seat);
        Self { label: &seat.label, x: seat.x, y: seat.y, category, attributes: &seat.attributes }
    }
}

impl<'a> WrittenArea<'a> {
    fn new(area: &'a Area) -> Self {
        Self {
            shape: &area.shape,
            x: area.x,
            y: area.y,
            rotation: area.rotation,
            text: area.text.as_deref(),
            color: area.color.as_deref(),
        }
    }
}
