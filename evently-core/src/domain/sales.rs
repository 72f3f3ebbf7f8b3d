//! What the journal says of sales: a read model that folding the journal from its start builds again, equal.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};

use super::{
    booking::BookingStatus,
    id::EventId,
    journal::{Fact, Transition},
    time::Timestamp,
};

/// Where a figure belongs: an event, one of its sections, and an hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SalesKey {
    /// The event.
    pub event_id: EventId,
    /// The start of the hour in which it happened.
    pub hour: Timestamp,
    /// The name of the section; empty for figures that concern a whole booking.
    pub section: String,
}

/// What happened in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SalesRow {
    /// Bookings that began.
    pub holds: i64,
    /// Bookings that were confirmed.
    pub confirmed: i64,
    /// Holds that ran out.
    pub expired: i64,
    /// Bookings that were given up.
    pub cancelled: i64,
    /// Seats sold, less those that came back.
    pub seats: i64,
    /// What those seats were sold at, in minor units.
    pub value: i64,
    /// Money captured, in minor units.
    pub captured: i64,
    /// Money owed back, in minor units.
    pub refunded: i64,
}

impl SalesRow {
    /// Adds another row to this one.
    pub fn add(&mut self, other: &Self) {
        self.holds += other.holds;
        self.confirmed += other.confirmed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.seats += other.seats;
        self.value += other.value;
        self.captured += other.captured;
        self.refunded += other.refunded;
    }
}

/// Figures by event, hour and section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sales {
    /// The figures. A row of zeros, of seats that were sold and came back within the hour, is left out.
    pub rows: BTreeMap<SalesKey, SalesRow>,
}

impl Sales {
    /// Adds to the figures of `key`.
    pub fn add(&mut self, key: SalesKey, row: &SalesRow) {
        let mut entry = match self.rows.entry(key) {
            Entry::Vacant(vacant) => vacant.insert_entry(SalesRow::default()),
            Entry::Occupied(occupied) => occupied,
        };
        entry.get_mut().add(row);
        if *entry.get() == SalesRow::default() {
            entry.remove();
        }
    }

    /// Takes in one transition. `section_of` names the section of a seat of an event.
    pub fn fold(&mut self, transition: &Transition, section_of: &dyn Fn(EventId, u32) -> String) {
        let mut add = |section: String, row: SalesRow| {
            let key = SalesKey { event_id: transition.event_id, hour: transition.at.hour(), section };
            self.add(key, &row);
        };
        let whole = String::new;
        let none = SalesRow::default();
        match transition.fact {
            Fact::Booking { from: None, to: BookingStatus::Pending, .. } => add(whole(), SalesRow { holds: 1, ..none }),
            Fact::Booking { from: Some(from), to, .. } if from != to => {
                match to {
                    BookingStatus::Confirmed => add(whole(), SalesRow { confirmed: 1, ..none }),
                    BookingStatus::Expired => add(whole(), SalesRow { expired: 1, ..none }),
                    BookingStatus::Cancelled | BookingStatus::Refunded => add(whole(), SalesRow { cancelled: 1, ..none }),
                    BookingStatus::Pending => {}
                }
                let sold = i64::from(to == BookingStatus::Confirmed) - i64::from(from == BookingStatus::Confirmed);
                for seat in transition.seats.iter().filter(|_| sold != 0) {
                    let row = SalesRow { seats: sold, value: sold * seat.price, ..none };
                    add(section_of(transition.event_id, seat.number), row);
                }
            }
            Fact::Captured { amount, .. } => add(whole(), SalesRow { captured: amount, ..none }),
            Fact::RefundDue { amount, .. } => add(whole(), SalesRow { refunded: amount, ..none }),
            Fact::Booking { .. } | Fact::Event { .. } | Fact::House { .. } | Fact::RefundSent { .. } | Fact::CheckedIn { .. } => {
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Actor, BookingId, SeatStatus, SeatStep, UserId};

    fn moved(from: Option<BookingStatus>, to: BookingStatus) -> Transition {
        let nil = Uuid::nil();
        let seat = |number, price| SeatStep { number, version: 2, status: SeatStatus::Booked, price };
        Transition {
            at: Timestamp::from_secs(7_300),
            event_id: EventId::from_uuid(nil),
            actor: Actor::System,
            reason: None,
            fact: Fact::Booking { id: BookingId::from_uuid(nil), user_id: UserId::from_uuid(nil), from, to, version: 2 },
            seats: vec![seat(1, 4_500), seat(2, 3_000)],
        }
    }

    fn folded(transitions: &[Transition]) -> BTreeMap<(i64, String), SalesRow> {
        let mut sales = Sales::default();
        for transition in transitions {
            sales.fold(transition, &|_, number| if number == 1 { "Stalls" } else { "Balcony" }.to_owned());
        }
        sales.rows.into_iter().map(|(key, row)| ((key.hour.as_secs(), key.section), row)).collect()
    }

    #[test]
    fn seats_are_sold_with_their_booking_and_come_back_with_it() {
        use BookingStatus::{Confirmed, Pending, Refunded};
        let none = SalesRow::default();
        let row = |section: &str, row| ((7_200, section.to_owned()), row);
        let sold = [moved(None, Pending), moved(Some(Pending), Pending), moved(Some(Pending), Confirmed)];
        let expected = [
            row("", SalesRow { holds: 1, confirmed: 1, ..none }),
            row("Balcony", SalesRow { seats: 1, value: 3_000, ..none }),
            row("Stalls", SalesRow { seats: 1, value: 4_500, ..none }),
        ];
        assert_eq!(folded(&sold), expected.into());
        let back = [&sold[..], &[moved(Some(Confirmed), Refunded)]].concat();
        assert_eq!(folded(&back), [row("", SalesRow { holds: 1, confirmed: 1, cancelled: 1, ..none })].into());
    }

    #[test]
    fn what_ends_before_it_was_sold_brings_no_seat_back() {
        use BookingStatus::{Cancelled, Expired, Pending};
        for (to, row) in [
            (Expired, SalesRow { expired: 1, ..SalesRow::default() }),
            (Cancelled, SalesRow { cancelled: 1, ..SalesRow::default() }),
        ] {
            assert_eq!(folded(&[moved(Some(Pending), to)]), [((7_200, String::new()), row)].into());
        }
        assert_eq!(folded(&[moved(Some(Cancelled), Cancelled)]), BTreeMap::new(), "no move at all");
    }
}
