//! Venues to try the service with: a concert hall, a club and an arena, drawn by rule and written in our own format.

mod arena;
mod club;
mod concert_hall;
mod drawing;

/// About 1,500 seats in curved rows: stalls, two balconies, and boxes along both sides.
pub fn concert_hall() -> Vec<u8> {
    concert_hall::plan().into_json()
}

/// 120 seats at numbered tables and a bar, around standing room in front of the stage.
pub fn club() -> Vec<u8> {
    club::plan().into_json()
}

/// 20,000 seats in two rings of blocks around a floor with a stage at one end.
pub fn arena() -> Vec<u8> {
    arena::plan().into_json()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use evently_core::{
        domain::{Attribute, Layout, LayoutId},
        import::{Format, lint, read},
    };
    use uuid::Uuid;

    use super::*;

    /// The plan, which reads and looks as it should.
    fn layout(plan: &[u8]) -> Layout {
        let import = read(Format::Own, plan, LayoutId::new(Uuid::nil())).unwrap();
        assert_eq!(import.warnings, []);
        assert_eq!(lint(&import.layout), []);
        assert!(import.name.is_some());
        import.layout
    }

    fn count(layout: &Layout, attribute: Attribute) -> usize {
        layout.places().filter(|place| place.seat.attributes.contains(&attribute)).count()
    }

    fn sections(layout: &Layout) -> Vec<&str> {
        layout.sections.iter().map(|section| section.name.as_str()).collect()
    }

    #[test]
    fn the_concert_hall_has_1500_seats() {
        let hall = layout(&concert_hall());
        assert_eq!(hall.seats_total(), 1_500);
        assert_eq!(sections(&hall), ["Stalls", "First balcony", "Second balcony", "Boxes left", "Boxes right"]);
        assert_eq!(hall.categories.len(), 4);
        assert_eq!(count(&hall, Attribute::Accessible), count(&hall, Attribute::Companion));
        assert!(count(&hall, Attribute::RestrictedView) > 0);
    }

    #[test]
    fn the_club_has_120_seats_and_standing_room() {
        let club = layout(&club());
        assert_eq!(club.seats_total(), 120);
        assert!(club.areas.iter().any(|area| area.text.as_deref() == Some("Standing room")));
    }

    #[test]
    fn the_arena_has_20000_seats() {
        let arena = layout(&arena());
        assert_eq!(arena.seats_total(), 20_000);
        let names: Vec<_> = (101..=124).chain(201..=232).map(|number| number.to_string()).collect();
        assert_eq!(sections(&arena), names);
        assert!(arena.sections.iter().all(|section| section.rows.len() == 25));
        let used: HashSet<_> = arena.places().map(|place| place.seat.category).collect();
        assert_eq!(used.len(), 5);
    }
}
