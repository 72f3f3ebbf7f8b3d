//! Judges a recorded history: whether there is an order of everything that clients were told in which each seat is one seat.
//!
//! A [`Call`] is what one client did and saw, with the times at which it sent and had read the answer, by one clock. [`judge`] looks for an
//! order of the calls at each seat, such that every call comes after those that were answered before it was sent, and the seat goes from
//! state to state as it should: free, on hold for one booking, and booked by it. That is linearizability
//! (<https://doi.org/10.1145/78969.78972>), which holds for all seats if it holds for each. Refusals count: who was told that a seat is
//! taken must find a moment at which it was.
//!
//! Seats one by one do not show that a booking of two is all or nothing. [`one_order`] looks at transactions over several seats, by the versions
//! that they made and saw.
//!
//! - A call without an answer may have been carried out at any time since, or not at all. Many of them at one seat make a search long, so
//!   ask again with the same key, and record what is said then.
//! - A hold ends by itself, not before and not after what its [`Lapse`] says.
//! - A search that takes too long is given up and said to be [`undecided`](Judgement::undecided), which is no approval.
//!
//! ```
//! use evently_core::domain::BookingId;
//! # use uuid::Uuid;
//! use evently_testkit::history::{Call, Did, Lapse, judge};
//!
//! let hold = |booking: u128, sent, answered| Call {
//!     sent,
//!     answered: Some(answered),
//!     seats: vec![7],
//!     did: Did::Hold { booking: BookingId::from_uuid(Uuid::from_u128(booking)), lapse: Lapse { from: 500, by: 600 } },
//! };
//! assert!(judge(&[hold(1, 0, 10), hold(2, 700, 710)]).is_sound());
//! let twice = judge(&[hold(1, 0, 10), hold(2, 5, 20)]);
//! assert_eq!(twice.violations[0].seat, 7);
//! ```

mod seat;
mod versions;

use std::{collections::BTreeMap, fmt};

use evently_core::domain::BookingId;

use self::seat::{Found, Operation};
pub use self::versions::{Disorder, Transaction, one_order};

/// After so many places the search of a seat is given up.
const MOST_PLACES: usize = 2_000_000;

/// What one client did, and what it saw of it. Times are in microseconds of any one clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Before the first byte of the request was sent.
    pub sent: u64,
    /// After the last byte of the answer was read; nothing if none came.
    pub answered: Option<u64>,
    /// The seats that it was about, numbered by whoever records.
    pub seats: Vec<u32>,
    /// What was done to each of them, or seen.
    pub did: Did,
}

/// What was done to a seat, or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Did {
    /// It was free, and is on hold for the booking.
    Hold {
        /// Whose it is.
        booking: BookingId,
        /// When that ends by itself.
        lapse: Lapse,
    },
    /// It was on hold for the booking, and is so until later.
    Extend {
        /// Whose it is.
        booking: BookingId,
        /// When that ends by itself now.
        lapse: Lapse,
    },
    /// It was on hold for the booking, and is booked.
    Confirm {
        /// Whose it is.
        booking: BookingId,
    },
    /// It was on hold for the booking, or free, because the money came after the hold had ended, and is booked.
    Pay {
        /// Whose it is.
        booking: BookingId,
    },
    /// It was the booking's, and is free.
    Release {
        /// Whose it was.
        booking: BookingId,
    },
    /// It was free, and cannot be had.
    Block,
    /// It could not be had, and is free.
    Unblock,
    /// It was seen as it is.
    See(Sight),
}

/// How a seat was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sight {
    /// Nobody had it.
    Free,
    /// Somebody had it on hold.
    Held,
    /// Somebody had booked it.
    Booked,
    /// It was not to be had.
    Blocked,
    /// It was not free, which is all that was said.
    Taken,
}

/// When a hold ends by itself. A client knows it as two times: the hold was made after the request was sent, and before it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lapse {
    /// Not before.
    pub from: u64,
    /// What is asked for later finds it ended.
    pub by: u64,
}

/// What became of the search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// Seats for which there is no order.
    pub violations: Vec<Violation>,
    /// Seats of which it was not found out.
    pub undecided: Vec<u32>,
    /// How many calls were looked at, each once for each of its seats.
    pub operations: usize,
}

impl Judgement {
    /// Whether there is an order for every seat.
    pub const fn is_sound(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }
}

/// A seat for which there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The seat.
    pub seat: u32,
    /// How many calls could be put in order, at most.
    pub ordered: usize,
    /// How the seat stood after them.
    pub stood: String,
    /// Of the calls, by their place in the history, those one of which would have to be next, and none can be.
    pub stuck: Vec<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seat, ordered, stood, stuck } = self;
        write!(f, "seat {seat} was {stood} after {ordered} calls, and none of the calls {stuck:?} could be next")
    }
}

/// Looks for an order.
pub fn judge(calls: &[Call]) -> Judgement {
    judge_within(calls, MOST_PLACES)
}

fn judge_within(calls: &[Call], most_places: usize) -> Judgement {
    let mut seats = BTreeMap::<u32, Vec<Operation>>::new();
    for (number, call) in calls.iter().enumerate() {
        for seat in &call.seats {
            seats.entry(*seat).or_default().push(Operation::of(number, call));
        }
    }
    let mut judgement = Judgement::default();
    for (seat, mut operations) in seats {
        judgement.operations += operations.len();
        operations.sort_by_key(|operation| (operation.sent, operation.number));
        match seat::order(&operations, most_places) {
            Found::Order => {}
            Found::None { ordered, stood, stuck } => judgement.violations.push(Violation { seat, ordered, stood, stuck }),
            Found::TooMuch => judgement.undecided.push(seat),
        }
    }
    judgement
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Many have been asked for, and nobody knows which of them were made.
    #[test]
    fn what_takes_too_long_to_find_out_is_not_approved() {
        let booking = |number| BookingId::from_uuid(Uuid::from_u128(number));
        let lapse = Lapse { from: 1_000, by: 1_001 };
        let lost = |number| Call { sent: 0, answered: None, seats: vec![7], did: Did::Hold { booking: booking(number), lapse } };
        let released = |number| Call { did: Did::Release { booking: booking(number) }, ..lost(number) };
        let blocked = Call { answered: Some(2), did: Did::See(Sight::Blocked), ..lost(0) };
        let calls = (1..=12).flat_map(|number| [lost(number), released(number)]).chain([blocked]).collect::<Vec<_>>();
        let judgement = judge_within(&calls, 2_000);
        assert_eq!((&judgement.undecided[..], &judgement.violations[..]), (&[7][..], &[][..]));
        assert!(!judgement.is_sound());
    }
}
