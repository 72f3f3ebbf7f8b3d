//! The search for an order of what happened to one seat.
//!
//! Depth first through what may come next, as Wing and Gong have it, and no place is looked at twice, as Lowe has added: two ways to the same
//! state by the same calls go on alike (<https://doi.org/10.1002/cpe.3928>). What only looks is put in order as soon as it can be, for nothing
//! that comes later depends on it.

use std::collections::HashSet;

use evently_core::domain::BookingId;

use super::{Call, Did, Lapse, Sight};

/// One call, as far as the seat is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Of the call in the history.
    pub(super) number: usize,
    pub(super) sent: u64,
    answered: Option<u64>,
    did: Did,
}

impl Operation {
    pub(super) const fn of(number: usize, call: &Call) -> Self {
        Self { number, sent: call.sent, answered: call.answered, did: call.did }
    }
}

/// How a seat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Free,
    Held(BookingId, Lapse),
    Booked(BookingId),
    Blocked,
}

impl State {
    /// How it stands after the operation, if that can be next.
    fn after(self, Operation { did, sent, .. }: &Operation) -> Option<Self> {
        let in_time = |lapse: Lapse| *sent <= lapse.by;
        match (*did, self) {
            (Did::Hold { booking, lapse }, Self::Free) => Some(Self::Held(booking, lapse)),
            (Did::Extend { booking, lapse }, Self::Held(whose, until)) if whose == booking && in_time(until) => {
                Some(Self::Held(booking, lapse))
            }
            (Did::Confirm { booking }, Self::Held(whose, until)) if whose == booking && in_time(until) => {
                Some(Self::Booked(booking))
            }
            (Did::Pay { booking }, Self::Held(whose, _)) if whose == booking => Some(Self::Booked(booking)),
            (Did::Pay { booking }, Self::Free) => Some(Self::Booked(booking)),
            (Did::Release { booking }, Self::Held(whose, _) | Self::Booked(whose)) if whose == booking => Some(Self::Free),
            (Did::Block, Self::Free) => Some(Self::Blocked),
            (Did::Unblock, Self::Blocked) => Some(Self::Free),
            (Did::See(sight), state) => state.looks_like(sight, *sent).then_some(state),
            _ => None,
        }
    }

    fn looks_like(self, sight: Sight, sent: u64) -> bool {
        match (sight, self) {
            (Sight::Free, Self::Free)
            | (Sight::Booked | Sight::Taken, Self::Booked(_))
            | (Sight::Blocked | Sight::Taken, Self::Blocked) => true,
            (Sight::Held | Sight::Taken, Self::Held(_, lapse)) => sent <= lapse.by,
            _ => false,
        }
    }

    fn told(self) -> String {
        match self {
            Self::Free => "free".to_owned(),
            Self::Held(booking, _) => format!("held for {booking}"),
            Self::Booked(booking) => format!("booked by {booking}"),
            Self::Blocked => "blocked".to_owned(),
        }
    }
}

/// Which operations are in order: all before the first that is not, and some of those after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Ordered {
    all_before: usize,
    beyond: Vec<usize>,
}

impl Ordered {
    fn has(&self, at: usize) -> bool {
        at < self.all_before || self.beyond.contains(&at)
    }

    fn count(&self) -> usize {
        self.all_before + self.beyond.len()
    }

    fn with(&self, at: usize) -> Self {
        let mut with = self.clone();
        let place = with.beyond.partition_point(|other| *other < at);
        with.beyond.insert(place, at);
        let row = with.beyond.iter().zip(with.all_before..).take_while(|(at, next)| **at == *next).count();
        with.beyond.drain(..row);
        with.all_before += row;
        with
    }
}

/// What was found.
pub(super) enum Found {
    Order,
    None { ordered: usize, stood: String, stuck: Vec<usize> },
    TooMuch,
}

/// Looks for an order of operations that come as they were sent, at so many places at most.
pub(super) fn order(operations: &[Operation], most_places: usize) -> Found {
    let mut places = vec![(Ordered::default(), State::Free)];
    let mut seen = HashSet::new();
    let mut furthest = None::<(usize, State, Vec<usize>)>;
    while let Some((ordered, state)) = places.pop() {
        let Next { until, which, is_last } = Next::of(operations, &ordered);
        if is_last {
            return Found::Order;
        }
        if !seen.insert((ordered.clone(), state)) {
            continue;
        }
        if seen.len() > most_places {
            return Found::TooMuch;
        }
        let count = ordered.count();
        if furthest.as_ref().is_none_or(|(most, ..)| count > *most) {
            let must = which.iter().map(|at| &operations[*at]).filter(|operation| operation.answered.is_some());
            furthest = Some((count, state, must.map(|operation| operation.number).collect()));
        }
        let looks = |at: &&usize| matches!(operations[**at].did, Did::See(_)) && state.after(&operations[**at]).is_some();
        if let Some(at) = which.iter().find(looks) {
            places.push((ordered.with(*at), state));
            continue;
        }
        // What is pushed last is looked at first: that what was sent first was done first is most likely.
        if let State::Held(_, lapse) = state
            && lapse.from <= until
        {
            places.push((ordered.clone(), State::Free));
        }
        for at in which.into_iter().rev() {
            if let Some(after) = state.after(&operations[at]) {
                places.push((ordered.with(at), after));
            }
        }
    }
    let (ordered, state, stuck) = furthest.unwrap_or((0, State::Free, Vec::new()));
    Found::None { ordered, stood: state.told(), stuck }
}

/// What may come next.
struct Next {
    /// It happens before this, because by then one of them had been answered.
    until: u64,
    which: Vec<usize>,
    /// Whether nothing has to come any more.
    is_last: bool,
}

impl Next {
    fn of(operations: &[Operation], ordered: &Ordered) -> Self {
        let mut next = Self { until: u64::MAX, which: Vec::new(), is_last: true };
        for (at, operation) in operations.iter().enumerate().skip(ordered.all_before) {
            if operation.sent > next.until {
                break;
            }
            if !ordered.has(at) {
                next.which.push(at);
                if let Some(answered) = operation.answered {
                    next.until = next.until.min(answered);
                    next.is_last = false;
                }
            }
        }
        next.which.retain(|at| operations[*at].sent <= next.until);
        next
    }
}
