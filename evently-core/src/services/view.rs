//! Events and layouts as they are looked at: with everything that is asked for again and again worked out once.

use std::{
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

use rustc_hash::FxHashMap;

use crate::domain::{Booking, Event, Layout, LayoutSeat, Row, SeatId, Section, Venue, natural_order};

/// A layout whose seats are found by their numbers.
#[derive(Debug)]
pub struct LayoutView {
    /// The layout.
    pub layout: Arc<Layout>,
    /// For each seat its section, its row in it, and its place in that.
    seats: Vec<(u16, u16, u32)>,
}

impl LayoutView {
    /// The view of a layout.
    pub fn new(layout: Arc<Layout>) -> Self {
        let few = |n: usize| u16::try_from(n).expect("an import is limited to far fewer sections and rows");
        let mut seats = Vec::with_capacity(layout.seats_total() as usize);
        for (s, section) in layout.sections.iter().enumerate() {
            for (r, row) in section.rows.iter().enumerate() {
                seats.extend((0..).take(row.seats.len()).map(|n| (few(s), few(r), n)));
            }
        }
        Self { layout, seats }
    }

    /// The section, row and drawing of a seat.
    pub fn seat(&self, number: u32) -> Option<(&Section, &Row, &LayoutSeat)> {
        let &(s, r, n) = self.seats.get(number as usize)?;
        let section = &self.layout.sections[usize::from(s)];
        let row = &section.rows[usize::from(r)];
        Some((section, row, &row.seats[n as usize]))
    }

    /// The position of a seat's section.
    pub fn section(&self, number: u32) -> Option<usize> {
        self.seats.get(number as usize).map(|&(section, ..)| usize::from(section))
    }

    /// Whether the seats sit side by side in one row.
    pub fn adjacent(&self, numbers: &[u32]) -> bool {
        let places = numbers.iter().map(|&number| self.seats.get(number as usize)).collect::<Option<Vec<_>>>();
        places.is_some_and(|mut places| {
            places.sort_unstable();
            places.windows(2).all(|pair| (pair[0].0, pair[0].1, pair[0].2 + 1) == *pair[1])
        })
    }
}

/// An event with its venue and layout.
#[derive(Debug)]
pub struct EventView {
    /// The event.
    pub event: Arc<Event>,
    /// Where it takes place.
    pub venue: Venue,
    /// Its layout.
    pub layout: Arc<LayoutView>,
    order: OnceLock<Vec<u32>>,
}

impl EventView {
    /// The view of an event.
    pub const fn new(event: Arc<Event>, venue: Venue, layout: Arc<LayoutView>) -> Self {
        Self { event, venue, layout, order: OnceLock::new() }
    }

    /// What a seat costs, in minor units.
    pub fn price(&self, seat: &LayoutSeat) -> i64 {
        self.event.categories[usize::from(seat.category)].price
    }

    /// The numbers of all seats in the order of price, section, row and seat; rows and seats as people count.
    pub fn listing(&self) -> &[u32] {
        self.order.get_or_init(|| {
            let mut order = (0..self.event.seats_total).collect::<Vec<_>>();
            let sections = ranks(self.layout.layout.sections.iter().map(|section| section.name.as_str()));
            let rows = ranks(self.rows().map(|(_, row)| row.label.as_str()));
            let seats = ranks(self.layout.layout.places().map(|place| place.seat.label.as_str()));
            order.sort_by_cached_key(|&number| {
                let (section, row, seat) = self.layout.seat(number).expect("the event's seats are the layout's");
                (self.price(seat), sections[&*section.name], rows[&*row.label], seats[&*seat.label], number)
            });
            order
        })
    }

    fn rows(&self) -> impl Iterator<Item = (&Section, &Row)> {
        self.layout.layout.sections.iter().flat_map(|section| section.rows.iter().map(move |row| (section, row)))
    }

    /// The ids of a booking's seats.
    pub fn seat_ids(&self, booking: &Booking) -> Vec<SeatId> {
        booking.seats.iter().map(|seat| self.event.layout_id.seat(seat.number)).collect()
    }
}

/// The rank of each label in natural order.
fn ranks<'a>(labels: impl Iterator<Item = &'a str>) -> FxHashMap<&'a str, usize> {
    let mut sorted = labels.collect::<Vec<_>>();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.sort_by(|a, b| match natural_order(a, b) {
        Ordering::Equal => a.cmp(b),
        order => order,
    });
    sorted.into_iter().enumerate().map(|(rank, label)| (label, rank)).collect()
}
