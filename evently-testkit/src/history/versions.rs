//! Whether there is one order of transactions over several seats, found by the versions that they wrote and saw.

use std::{collections::BTreeMap, fmt};

/// What one client did to several seats as of one moment, and what it saw of them. Every version of a seat is one more than the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Before the first byte of the request was sent.
    pub sent: u64,
    /// After the last byte of the answer was read; nothing if none came, but others have seen what it wrote.
    pub answered: Option<u64>,
    /// Seats, and the versions that it made of them.
    pub wrote: Vec<(u32, u64)>,
    /// Seats, and the versions that it saw of them.
    pub saw: Vec<(u32, u64)>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disorder {
    /// Two have made the same version.
    SameVersion {
        /// Of this seat.
        seat: u32,
        /// This one.
        version: u64,
        /// By their places in the history.
        transactions: [usize; 2],
    },
    /// Each of them has to be before the next, and the last before the first.
    Circle(Vec<usize>),
}

impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameVersion { seat, version, transactions: [one, other] } => {
                write!(f, "{one} and {other} have both made version {version} of seat {seat}")
            }
            Self::Circle(transactions) => {
                write!(f, "each of {transactions:?} has to be before the next, and the last before the first")
            }
        }
    }
}

/// An order in which every transaction saw what those before it had written, and comes after those that were answered before it was sent:
/// strict serializability. The work grows with the history, and no faster.
///
/// # Errors
/// If there is no such order, with the reason.
pub fn one_order(transactions: &[Transaction]) -> Result<Vec<usize>, Disorder> {
    let mut precedence = Precedence::in_time(transactions);
    for versions in by_version(transactions)?.into_values() {
        let mut before = Vec::new();
        for Version { writer, mut seers } in versions.into_values() {
            // Somebody has made it, known or not.
            let writer = writer.unwrap_or_else(|| precedence.somebody());
            for earlier in before {
                precedence.add(earlier, writer);
            }
            for seer in &seers {
                precedence.add(writer, *seer);
            }
            seers.push(writer);
            before = seers;
        }
    }
    precedence.order(transactions.len())
}

/// Who has made a version, and who has seen it.
#[derive(Default)]
struct Version {
    writer: Option<usize>,
    seers: Vec<usize>,
}

fn by_version(transactions: &[Transaction]) -> Result<BTreeMap<u32, BTreeMap<u64, Version>>, Disorder> {
    let mut seats = BTreeMap::<u32, BTreeMap<u64, Version>>::new();
    for (number, transaction) in transactions.iter().enumerate() {
        for &(seat, version) in &transaction.wrote {
            let of = seats.entry(seat).or_default().entry(version).or_default();
            if let Some(other) = of.writer.replace(number) {
                return Err(Disorder::SameVersion { seat, version, transactions: [other, number] });
            }
        }
        for &(seat, version) in &transaction.saw {
            seats.entry(seat).or_default().entry(version).or_default().seers.push(number);
        }
    }
    Ok(seats)
}

/// Who has to be before whom. Beside the transactions there are moments and unknown writers, so that not every pair has to be named.
struct Precedence {
    followers: Vec<Vec<usize>>,
}

impl Precedence {
    /// Those who had been answered are before those who were sent then.
    fn in_time(transactions: &[Transaction]) -> Self {
        let mut precedence = Self { followers: vec![Vec::new(); transactions.len()] };
        let sent = transactions.iter().enumerate().map(|(number, transaction)| (transaction.sent, false, number));
        let answers = transactions.iter().enumerate();
        let answers = answers.filter_map(|(number, transaction)| Some((transaction.answered?, true, number)));
        // At the same time neither was before the other.
        let mut times = sent.chain(answers).collect::<Vec<_>>();
        times.sort_unstable();
        let mut moment = None;
        for (_, is_answer, number) in times {
            if is_answer {
                let next = precedence.somebody();
                precedence.add(number, next);
                if let Some(moment) = moment.replace(next) {
                    precedence.add(moment, next);
                }
            } else if let Some(moment) = moment {
                precedence.add(moment, number);
            }
        }
        precedence
    }

    /// Something else that has to be before some and after others.
    fn somebody(&mut self) -> usize {
        self.followers.push(Vec::new());
        self.followers.len() - 1
    }

    fn add(&mut self, earlier: usize, later: usize) {
        if earlier != later {
            self.followers[earlier].push(later);
        }
    }

    /// The first so many in order, by Kahn's way.
    fn order(&self, transactions: usize) -> Result<Vec<usize>, Disorder> {
        let mut waits_for = vec![0_usize; self.followers.len()];
        for later in self.followers.iter().flatten() {
            waits_for[*later] += 1;
        }
        let mut ready = (0..waits_for.len()).rev().filter(|number| waits_for[*number] == 0).collect::<Vec<_>>();
        let mut order = Vec::with_capacity(transactions);
        while let Some(number) = ready.pop() {
            order.extend((number < transactions).then_some(number));
            for later in &self.followers[number] {
                waits_for[*later] -= 1;
                if waits_for[*later] == 0 {
                    ready.push(*later);
                }
            }
        }
        if order.len() == transactions { Ok(order) } else { Err(Disorder::Circle(self.circle(&waits_for, transactions))) }
    }

    /// One circle among those that still wait. Each of them waits for another of them, so whoever goes back comes round.
    fn circle(&self, waits_for: &[usize], transactions: usize) -> Vec<usize> {
        let mut earlier = vec![None; waits_for.len()];
        for (number, followers) in self.followers.iter().enumerate().filter(|(number, _)| waits_for[*number] > 0) {
            for later in followers {
                earlier[*later] = Some(number);
            }
        }
        let mut way = Vec::new();
        let mut at = waits_for.iter().position(|waits| *waits > 0);
        while let Some(number) = at {
            if let Some(first) = way.iter().position(|other| *other == number) {
                let round = way.drain(first..).rev();
                return round.filter(|number| *number < transactions).collect();
            }
            way.push(number);
            at = earlier[number];
        }
        Vec::new()
    }
}
