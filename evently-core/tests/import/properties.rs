//! What holds for every file and every layout.

use std::collections::BTreeSet;

use evently_core::{
    domain::{Attribute, Layout},
    import::{Format, ImportError, limits::PROBLEMS_MAX, lint, read, write},
};
use proptest::{collection::vec, option, prelude::*, sample};
use serde_json::{Map, Value, json};

use crate::id;

const THEATRE: &str = include_str!("../plans/theatre.pretix.json");
const CLUB: &str = include_str!("../plans/club.json");
const HALL: &str = include_str!("../plans/hall.csv");

/// Words that lead into the readers instead of being turned away at their doors.
const WORDS: [&str; 40] = [
    "name",
    "zones",
    "categories",
    "size",
    "sections",
    "areas",
    "rows",
    "seats",
    "label",
    "x",
    "y",
    "category",
    "attributes",
    "position",
    "row_number",
    "seat_number",
    "seat_guid",
    "seats_spacing",
    "wheelchair",
    "shape",
    "rectangle",
    "circle",
    "ellipse",
    "polygon",
    "points",
    "radius",
    "width",
    "height",
    "rotation",
    "color",
    "text",
    "kind",
    "section",
    "row",
    "seat",
    "aisle",
    "A",
    "",
    "\u{202e}",
    "#4466aa",
];

/// Reads in every format, and looks at what came of it in every way.
fn survive(bytes: &[u8]) {
    for format in Format::ALL {
        match read(format, bytes, id()) {
            Ok(import) => {
                lint(&import.layout);
                for other in Format::ALL {
                    write(other, import.name.as_deref().unwrap_or_default(), &import.layout);
                }
            }
            Err(error) => {
                assert!((1..=PROBLEMS_MAX).contains(&error.problems.len()));
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,40}"]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-1e3..1e3, any::<f64>(), Just(0.0), Just(1e6), Just(-0.0)]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 200, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((word(), inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..3000)) {
        survive(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(value in any_json(), list in sample::select(vec!["sections", "zones"])) {
        survive(value.to_string().as_bytes());
        survive(json!({"categories": [{"name": "A"}], list: [value]}).to_string().as_bytes());
    }

    #[test]
    fn arbitrary_cells_never_panic(lines in vec(vec(word(), 0..9), 0..20), header in any::<bool>()) {
        let lines: Vec<_> = lines.into_iter().map(|cells| cells.join(",")).collect();
        let header = if header { "section,row,seat,category,x,y,attributes\n" } else { "" };
        survive(format!("{header}{}", lines.join("\n")).as_bytes());
    }

    #[test]
    fn a_damaged_plan_never_panics(
        plan in sample::select(vec![THEATRE, CLUB, HALL]),
        damage in vec((any::<sample::Index>(), any::<u8>()), 1..6),
        end in option::of(any::<sample::Index>()),
    ) {
        let mut bytes = plan.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len())));
        survive(&bytes);
    }
}

/// Labels and names as people may write them, unlike each other by the number at the end.
fn text() -> impl Strategy<Value = String> {
    sample::select(vec!["A", "Loge, \"links\"", "Großer Saal; oben", "二階", "=1+1", "a|b", "-", "’s Haus"])
        .prop_map(str::to_owned)
}

fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![(-100_000..100_000).prop_map(f64::from), -100_000.0..100_000.0]
}

fn seat() -> impl Strategy<Value = Value> {
    let attributes = sample::subsequence(Attribute::NAMES.map(|(name, _)| name).to_vec(), 0..=4);
    let category = sample::select(vec!["C1", "C2", "Wheelchair"]);
    (text(), coordinate(), coordinate(), category, attributes)
        .prop_map(|(label, x, y, category, attributes)| {
            json!({"label": label, "x": x, "y": y, "category": category, "attributes": attributes})
        })
}

fn area() -> impl Strategy<Value = Value> {
    let size = || prop_oneof![(1..2000).prop_map(f64::from), 0.001..2000.0];
    let outline = prop_oneof![
        (size(), size()).prop_map(|(width, height)| json!({"kind": "rectangle", "width": width, "height": height})),
        (size(), size()).prop_map(|(width, height)| json!({"kind": "ellipse", "width": width, "height": height})),
        vec((-500.0..500.0, -500.0..500.0), 3..8)
            .prop_map(|points: Vec<(f64, f64)>| json!({"kind": "polygon", "points": points})),
        Just(json!({"kind": "text"})),
    ];
    let rotation = prop_oneof![Just(0.0), Just(90.0), -720.0..720.0];
    let color = option::of(sample::select(vec!["#46a", "teal", "rgb(1, 2, 3)"]));
    (outline, coordinate(), coordinate(), rotation, text(), color).prop_map(|(mut area, x, y, rotation, text, color)| {
        for (key, value) in
            [("x", json!(x)), ("y", json!(y)), ("rotation", json!(rotation)), ("text", json!(text)), ("color", json!(color))]
        {
            area[key] = value;
        }
        area
    })
}

/// A plan in our own format, in which names, labels of rows and labels of seats differ where they must.
fn plan() -> impl Strategy<Value = Value> {
    let row = (text(), vec(seat(), 1..12));
    let section = (text(), vec(row, 1..5));
    (vec(section, 1..5), vec(area(), 0..6)).prop_map(|(sections, areas)| {
        let sections = sections.into_iter().enumerate().map(|(i, (name, rows))| {
            let rows = rows.into_iter().enumerate().map(|(j, (label, mut seats))| {
                for (k, seat) in seats.iter_mut().enumerate() {
                    // Unique in the section, because two of its rows may share a label.
                    seat["label"] = json!(format!("{} {j}-{k}", seat["label"].as_str().unwrap()));
                }
                json!({"label": label, "seats": seats})
            });
            json!({"name": format!("{name} {i}"), "rows": rows.collect::<Vec<_>>()})
        });
        json!({"sections": sections.collect::<Vec<_>>(), "areas": areas})
    })
}

fn layout(format: Format, bytes: &[u8]) -> Result<Layout, ImportError> {
    read(format, bytes, id()).map(|import| import.layout)
}

/// What every format carries of the seats, whatever their order.
fn seats(layout: &Layout) -> BTreeSet<String> {
    let seats = layout.places().map(|place| {
        let category = &layout.categories[usize::from(place.seat.category)].name;
        let (x, y) = (place.seat.x, place.seat.y);
        format!("{} / {} / {} at {x} {y}: {category}", place.section.name, place.row.label, place.seat.label)
    });
    seats.collect()
}

proptest! {
    #[test]
    fn our_own_format_carries_everything(plan in plan()) {
        let first = layout(Format::Own, plan.to_string().as_bytes()).unwrap();
        let again = layout(Format::Own, &write(Format::Own, "Hall", &first)).unwrap();
        prop_assert_eq!(again, first);
    }

    #[test]
    fn every_format_carries_the_seats(plan in plan(), format in sample::select(Format::ALL.to_vec())) {
        let first = layout(Format::Own, plan.to_string().as_bytes()).unwrap();
        let again = layout(format, &write(format, "Hall", &first)).unwrap();
        prop_assert_eq!(seats(&again), seats(&first));
        if format == Format::SeatingPlan {
            prop_assert_eq!(&again.areas, &first.areas);
        }
    }

    #[test]
    fn what_was_written_and_read_once_stays_the_same(plan in plan(), format in sample::select(Format::ALL.to_vec())) {
        let first = layout(Format::Own, plan.to_string().as_bytes()).unwrap();
        let once = layout(format, &write(format, "Hall", &first)).unwrap();
        let twice = layout(format, &write(format, "Hall", &once)).unwrap();
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn seats_are_numbered_without_gaps(plan in plan()) {
        let layout = layout(Format::Own, plan.to_string().as_bytes()).unwrap();
        for (number, place) in (0..).zip(layout.places()) {
            prop_assert_eq!(place.seat.id, id().seat(number));
        }
    }
}
