//! What a run is made of, as it follows from its seed. What fails is made smaller here.

use std::time::Duration;

use evently_core::{domain::HoldTerms, services::OfficeSize};

use super::faults::{Fault, Rates, dice};

/// A run: its seed, and everything that was drawn from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether there is something")]
pub struct Plan {
    /// What everything follows from.
    pub seed: u64,
    /// What the order of steps follows from.
    pub(super) order: u64,
    pub(super) rates: Rates,
    pub(super) instances: u32,
    pub(super) rows: u32,
    pub(super) seats_per_row: u32,
    pub(super) seats_held_max: u32,
    pub(super) seats_booked_max: u32,
    pub(super) seats_cost: bool,
    pub(super) buyers: Vec<Buyer>,
    pub(super) house: Vec<House>,
    pub(super) locks: bool,
    pub(super) broker: bool,
    pub(super) cache: bool,
    pub(super) size: OfficeSize,
    pub(super) terms: HoldTerms,
    /// How long a worker rests between two rounds.
    pub(super) pause: Duration,
    /// By how much a clock may be wrong.
    pub(super) skew: Duration,
    /// The store decides by a time of its own, as one on a server does; not by that of whoever asks.
    pub(super) store_time: bool,
    /// How long things go wrong.
    pub(super) lasts: Duration,
    /// It is left where it stands after so many steps.
    pub(super) steps_max: Option<u64>,
}

/// Somebody who wants seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buyer {
    /// Whose choices they are, and the name.
    pub number: u32,
    pub habit: Habit,
    pub comes: Duration,
    /// How often they try.
    pub visits: u32,
}

/// How somebody buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Wants the best seats, and pays at once.
    Races,
    /// Holds, thinks, holds on, and goes away.
    Abandons,
    /// Pays when the hold is about to run out, or after.
    PaysLate,
    /// Buys, and gives the booking up.
    Cancels,
    /// Sends everything to two instances at once.
    Insists,
    /// Pays with one card after the other.
    ChangesCards,
    /// Wants as many as may be had, and more.
    Hoards,
    /// Waits for other people's holds to run out.
    Lurks,
    /// Comes to the door with a friend who has the same ticket.
    Shares,
    /// Is after other people's bookings.
    Intrudes,
}

impl Habit {
    const ALL: [Self; 10] = [
        Self::Races,
        Self::Abandons,
        Self::PaysLate,
        Self::Cancels,
        Self::Insists,
        Self::ChangesCards,
        Self::Hoards,
        Self::Lurks,
        Self::Shares,
        Self::Intrudes,
    ];
}

/// Something that the organizer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct House {
    pub number: u32,
    pub does: HouseDoes,
    pub when: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HouseDoes {
    /// Takes seats out of sale, and puts them back later.
    Blocks,
    /// Changes prices and terms.
    Edits,
    /// Gives somebody's booking up for them.
    CallsIn,
    /// Calls the event off.
    CallsOff,
}

impl Plan {
    /// What follows from a seed.
    pub fn of(seed: u64) -> Self {
        let dice = &mut dice(seed, 1 << 32);
        let rates = Rates::drawn(dice);
        let lasts = Duration::from_secs(dice.u64(35..60));
        let when = |dice: &mut fastrand::Rng| Duration::from_micros(dice.u64(..micros(lasts)));
        let crowd = dice.u32(10..20);
        let buyers = (1..=crowd).map(|number| {
            let comes = if dice.u8(..3) == 0 { Duration::from_millis(dice.u64(..50)) } else { when(dice) };
            Buyer { number, habit: Habit::ALL[dice.usize(..Habit::ALL.len())], comes, visits: dice.u32(1..4) }
        });
        let buyers = buyers.collect();
        let house = (1..=dice.u32(..4)).map(|number| {
            let does = match dice.u8(..16) {
                0..6 => HouseDoes::Blocks,
                6..10 => HouseDoes::Edits,
                10..15 => HouseDoes::CallsIn,
                _ => HouseDoes::CallsOff,
            };
            House { number, does, when: when(dice) }
        });
        let house = house.collect();
        Self {
            seed,
            order: seed,
            rates,
            instances: dice.u32(1..4),
            rows: dice.u32(1..4),
            seats_per_row: dice.u32(1..5),
            seats_held_max: dice.u32(2..6),
            seats_booked_max: dice.u32(2..4),
            seats_cost: dice.u8(..8) > 0,
            buyers,
            house,
            locks: dice.bool(),
            broker: dice.bool(),
            cache: dice.bool(),
            size: OfficeSize { queue: [2, 8, 64][dice.usize(..3)], batch: [1, 3, 16][dice.usize(..3)] },
            terms: HoldTerms {
                ttl: Duration::from_secs(dice.u64(4..12)),
                cap: Duration::from_secs(dice.u64(12..24)),
                payment_window: Duration::from_secs(dice.u64(16..24)),
            },
            pause: Duration::from_millis(dice.u64(400..3_000)),
            skew: Duration::from_millis([0, 0, 2, 20, 300, 5_000, 15_000][dice.usize(..7)]),
            store_time: dice.bool(),
            lasts,
            steps_max: None,
        }
    }

    /// The same, left where it stands after so many steps.
    #[must_use]
    pub fn steps(self, most: u64) -> Self {
        Self { steps_max: Some(most), ..self }
    }

    /// Plans with a little less in them, those with much less first.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut part = self.buyers.len();
        while part > 0 {
            for from in (0..self.buyers.len()).step_by(part) {
                let mut buyers = self.buyers.clone();
                buyers.drain(from..(from + part).min(self.buyers.len()));
                plans.push(Self { buyers, ..self.clone() });
            }
            part /= 2;
        }
        for without in 0..self.house.len() {
            let mut house = self.house.clone();
            house.remove(without);
            plans.push(Self { house, ..self.clone() });
        }
        plans.extend(self.rates.possible().map(|fault| Self { rates: self.rates.without(fault), ..self.clone() }));
        for (at, buyer) in self.buyers.iter().enumerate().filter(|(_, buyer)| buyer.visits > 1) {
            let mut buyers = self.buyers.clone();
            buyers[at].visits = buyer.visits - 1;
            plans.push(Self { buyers, ..self.clone() });
        }
        if self.instances > 1 {
            plans.push(Self { instances: self.instances - 1, ..self.clone() });
        }
        for off in
            [Self { locks: false, ..self.clone() }, Self { broker: false, ..self.clone() }, Self { cache: false, ..self.clone() }]
        {
            plans.extend((off != *self).then_some(off));
        }
        if !self.skew.is_zero() {
            plans.push(Self { skew: Duration::ZERO, ..self.clone() });
        }
        plans
    }

    /// The same with the steps in another order.
    pub(super) fn in_order(&self, order: u64) -> Self {
        Self { order, ..self.clone() }
    }

    /// When everybody has gone home and everything must have settled.
    pub(super) fn settled(&self) -> Duration {
        self.lasts + self.terms.cap + self.terms.payment_window + Duration::from_mins(1)
    }

    /// What there is in it, in a line.
    pub(super) fn in_words(&self) -> String {
        let seats = self.rows * self.seats_per_row;
        let faults = self.rates.possible().map(Fault::name).collect::<Vec<_>>();
        let faults =
            if faults.is_empty() { "nothing goes wrong".to_owned() } else { format!("what may go wrong: {}", faults.join("; ")) };
        format!(
            "{seats} seats, {} buyers, {} instances, seat locks {}, broker {}; holds last {} s; clocks are up to {} ms off; {faults}",
            self.buyers.len(),
            self.instances,
            on(self.locks),
            on(self.broker),
            self.terms.ttl.as_secs(),
            self.skew.as_millis(),
        )
    }
}

fn on(there: bool) -> &'static str {
    if there { "on" } else { "off" }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a run is short")
}
