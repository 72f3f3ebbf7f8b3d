//! Batches that were in each other's way make room for one another, across all instances.
//!
//! A batch that is tried again and again beside others may be in their way each time. So it locks the table `turns` as it begins, in one of
//! three modes of the server's, and what it reads is as of after that: waiting for a table is no reading yet.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many batches of an instance begin in turn after one that was in the way of somebody else's. Where that happens all the time one
/// batch in so many is done for nothing; where it is rare few have to wait for each other.
const IN_TURN: u32 = 16;
/// A batch that was in the way so often is alone.
const ALONE: u32 = 3;

/// Beside whom a batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Beside any other that is not alone.
    Beside,
    /// Beside no other that is one of these.
    OneByOne,
    /// Beside no other that has waited for its turn.
    Alone,
}

/// How many of the batches to come are to begin in turn.
#[derive(Default)]
pub(crate) struct Turns(AtomicU32);

impl Turns {
    /// A batch was in the way of somebody else's.
    pub(crate) fn call_for(&self) {
        self.0.store(IN_TURN, Relaxed);
    }

    /// How a batch begins that was in the way so often.
    pub(crate) fn next(&self, met: u32) -> Turn {
        let in_turn = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if met >= ALONE {
            Turn::Alone
        } else if met > 0 || in_turn {
            Turn::OneByOne
        } else {
            Turn::Beside
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_one_that_was_in_the_way_sixteen_take_turns() {
        let turns = Turns::default();
        assert_eq!(turns.next(0), Turn::Beside);
        turns.call_for();
        assert!((0..16).all(|_| turns.next(0) == Turn::OneByOne));
        assert_eq!(turns.next(0), Turn::Beside);
        assert_eq!([1, 2, 3, 4].map(|met| turns.next(met)), [Turn::OneByOne, Turn::OneByOne, Turn::Alone, Turn::Alone]);
    }
}
