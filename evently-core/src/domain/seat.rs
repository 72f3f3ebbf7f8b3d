//! A seat at one event, as a state machine.
//!
//! Every transition names the booking it acts for, and a seat that another booking has taken since is left alone: a late
//! answer can never free or sell what is no longer its own.

use serde::{Deserialize, Serialize};

use super::id::BookingId;

/// A seat at one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its number in the layout, from 0.
    pub number: u32,
    /// Position in the event's price categories.
    pub category: u16,
    /// Who has it.
    pub state: SeatState,
    /// Counts the seat's transitions, from 0. Whoever writes the next one must have seen this one.
    pub version: u32,
}

/// Who has a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatState {
    /// Nobody.
    Available,
    /// A pending booking.
    Reserved(BookingId),
    /// A confirmed booking.
    Booked(BookingId),
    /// The house.
    Blocked,
}

/// A seat's state without its owner, as everybody may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatStatus {
    /// Can be booked.
    Available = 0,
    /// On hold for somebody.
    Reserved = 1,
    /// Sold.
    Booked = 2,
    /// Not on sale.
    Blocked = 3,
}

impl SeatStatus {
    /// All statuses in the order of their numbers, with their names.
    pub const NAMES: [(&'static str, Self); 4] =
        [("available", Self::Available), ("reserved", Self::Reserved), ("booked", Self::Booked), ("blocked", Self::Blocked)];

    /// The status's name.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// What is done to a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatAction {
    /// An available seat is put on hold for a booking.
    Reserve(BookingId),
    /// A seat that is on hold for the booking is sold to it.
    Book(BookingId),
    /// An available seat is sold at once, to a booking whose hold had run out when its money came.
    Take(BookingId),
    /// A seat that the booking has is given back.
    Release(BookingId),
    /// The house takes an available seat out of sale.
    Block,
    /// The house puts a blocked seat back on sale.
    Unblock,
}

impl Seat {
    /// The seat after `action`; `None` if its state does not allow it.
    #[must_use]
    pub fn apply(self, action: SeatAction) -> Option<Self> {
        use SeatAction::{Block, Book, Release, Reserve, Take, Unblock};
        use SeatState::{Available, Blocked, Booked, Reserved};
        let state = match (self.state, action) {
            (Available, Reserve(booking)) => Reserved(booking),
            (Reserved(owner), Book(booking)) if owner == booking => Booked(booking),
            (Available, Take(booking)) => Booked(booking),
            (Reserved(owner) | Booked(owner), Release(booking)) if owner == booking => Available,
            (Available, Block) => Blocked,
            (Reserved(_) | Booked(_), Reserve(booking)) if planted!(LocksAlone) => Reserved(booking),
            (Booked(_), Take(booking)) if planted!(TakesBookedSeats) => Booked(booking),
            (Reserved(_), Block) if planted!(BlocksHeldSeats) => Blocked,
            (Reserved(_), Reserve(booking)) if planted!(TakesOverWithoutEnding) => Reserved(booking),
            (Blocked, Unblock) => Available,
            _ => return None,
        };
        Some(Self { state, version: self.version + 1, ..self })
    }

    /// The seat's state without its owner.
    pub const fn status(&self) -> SeatStatus {
        match self.state {
            SeatState::Available => SeatStatus::Available,
            SeatState::Reserved(_) => SeatStatus::Reserved,
            SeatState::Booked(_) => SeatStatus::Booked,
            SeatState::Blocked => SeatStatus::Blocked,
        }
    }

    /// The booking that has the seat.
    pub const fn owner(&self) -> Option<BookingId> {
        match self.state {
            SeatState::Reserved(booking) | SeatState::Booked(booking) => Some(booking),
            SeatState::Available | SeatState::Blocked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const OURS: BookingId = BookingId::from_uuid(Uuid::from_u128(1));
    const THEIRS: BookingId = BookingId::from_uuid(Uuid::from_u128(2));

    fn seat(state: SeatState) -> Seat {
        Seat { number: 0, category: 0, state, version: 7 }
    }

    #[test]
    fn only_the_owner_moves_a_taken_seat() {
        for state in [SeatState::Reserved(THEIRS), SeatState::Booked(THEIRS)] {
            use SeatAction::{Block, Book, Release, Reserve, Take};
            for action in [Reserve(OURS), Book(OURS), Take(OURS), Release(OURS), Block] {
                assert_eq!(seat(state).apply(action), None, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn every_transition_counts() {
        let reserved = seat(SeatState::Available).apply(SeatAction::Reserve(OURS)).unwrap();
        let booked = reserved.apply(SeatAction::Book(OURS)).unwrap();
        let released = booked.apply(SeatAction::Release(OURS)).unwrap();
        assert_eq!((reserved.version, booked.version, released.version), (8, 9, 10));
        assert_eq!(released.state, SeatState::Available);
    }

    #[test]
    fn a_seat_is_not_sold_without_a_hold() {
        assert_eq!(seat(SeatState::Available).apply(SeatAction::Book(OURS)), None);
        assert_eq!(seat(SeatState::Blocked).apply(SeatAction::Reserve(OURS)), None);
    }
}
