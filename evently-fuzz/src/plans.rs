//! Plans of halls, in every format.

use evently_core::{
    domain::{Layout, LayoutId},
    import::{self, Format, Import, limits},
};
use uuid::Uuid;

pub fn own(bytes: &[u8]) {
    plan(Format::Own, bytes);
}

pub fn seating_plan(bytes: &[u8]) {
    plan(Format::SeatingPlan, bytes);
}

pub fn csv(bytes: &[u8]) {
    plan(Format::Csv, bytes);
}

fn plan(format: Format, bytes: &[u8]) {
    match import::read(format, bytes, id()) {
        Ok(import) => taken(format, &import),
        Err(refused) => {
            assert!((1..=limits::PROBLEMS_MAX).contains(&refused.problems.len()));
            assert!(refused.problems.iter().all(|problem| !problem.message.is_empty()));
            assert!(!refused.to_string().is_empty());
        }
    }
}

fn taken(format: Format, import: &Import) {
    let Import { name, layout, warnings } = import;
    assert!(warnings.iter().all(|warning| !warning.message.is_empty()));
    assert!(layout.places().zip(0..).all(|(place, number)| place.seat.id.number() == Some(number)));
    let venue = name.as_deref().unwrap_or("Hall");
    // Our own format has a place for everything.
    assert_eq!(again(Format::Own, venue, layout).layout, *layout);
    // Another has at least one for what it has said itself; what it has no place for is lost the first time only.
    let once = again(format, venue, layout).layout;
    let twice = again(format, venue, &once).layout;
    assert_eq!(once, twice);
    assert_eq!(seats(&once), seats(layout));
}

fn again(format: Format, venue: &str, layout: &Layout) -> Import {
    let written = import::write(format, venue, layout);
    import::read(format, &written, id()).unwrap_or_else(|error| {
        panic!("{format} does not read what it has written: {error}\n{}", String::from_utf8_lossy(&written));
    })
}

/// What everybody can read on the seats, in order.
fn seats(layout: &Layout) -> Vec<[&str; 3]> {
    layout.places().map(|place| [&*place.section.name, &*place.row.label, &*place.seat.label]).collect()
}

fn id() -> LayoutId {
    LayoutId::new(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_6f0a_0000))
}
