//! What was asked and answered, as the buyers saw it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

/// Everything that the buyers saw.
#[derive(Debug, Default)]
pub struct Record {
    /// How long holds took that were granted.
    pub hold: Latencies,
    /// How long it took to learn that somebody else was faster.
    pub conflict: Latencies,
    /// How long payments took that confirmed their booking.
    pub pay: Latencies,
    /// Answers that nobody wanted, by their code.
    pub errors: BTreeMap<String, u64>,
    /// Answers that were lost, and asked for again with the same key.
    pub lost: u64,
    /// Answers that had been given before, to a request whose answer was lost.
    pub replayed: u64,
    /// Buyers for whom there was nothing left.
    pub turned_away: u64,
    /// Buyers who tried again and again, and gave up.
    pub gave_up: u64,
    /// Buyers who walked away from their hold.
    pub abandoned: u64,
    /// Bookings that were confirmed.
    pub confirmed: Vec<Confirmed>,
    /// What must never happen, and has.
    pub violations: Vec<String>,
    sold: HashMap<usize, String>,
    held: HashMap<usize, (String, Instant)>,
}

/// A booking that was confirmed.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// Its id.
    pub booking: String,
    /// Its seats.
    pub seats: Vec<usize>,
    /// Which of the accounts it belongs to.
    pub account: usize,
}

impl Record {
    /// Notes a hold that was there by `now`, and is good until `until` at least.
    pub fn held(&mut self, booking: &str, seats: &[usize], now: Instant, until: Instant) {
        for &seat in seats {
            let before = self.held.insert(seat, (booking.to_owned(), until));
            if let Some((other, _)) = before.filter(|(other, until)| other != booking && now < *until) {
                self.violations.push(format!("seat {seat} was held for {other} and for {booking} at the same time"));
            }
            if let Some(other) = self.sold.get(&seat) {
                self.violations.push(format!("seat {seat} was sold to {other} and then held for {booking}"));
            }
        }
    }

    /// Notes a sale.
    pub fn sold(&mut self, confirmed: Confirmed) {
        let Confirmed { booking, seats, .. } = &confirmed;
        for seat in seats {
            let before = self.sold.insert(*seat, booking.clone());
            if let Some(other) = before.filter(|other| other != booking) {
                self.violations.push(format!("seat {seat} was sold to {other} and to {booking}"));
            }
        }
        self.confirmed.push(confirmed);
    }

    /// The seats that were sold.
    pub fn sold_seats(&self) -> impl Iterator<Item = (usize, &str)> {
        self.sold.iter().map(|(seat, booking)| (*seat, booking.as_str()))
    }

    /// Notes an answer that nobody wanted.
    pub fn error(&mut self, code: &str) {
        *self.errors.entry(code.to_owned()).or_default() += 1;
    }
}

/// How long something took, each time.
#[derive(Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The median, the 90th and 99th percentile, and the longest; exact, by nearest rank.
    pub fn summary(&self) -> Option<[Duration; 4]> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = *sorted.last()?;
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        Some([rank(50), rank(90), rank(99), last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_that_is_sold_twice_is_noticed() {
        let mut record = Record::default();
        let sale = |booking: &str| Confirmed { booking: booking.to_owned(), seats: vec![3], account: 0 };
        record.sold(sale("a"));
        assert!(record.violations.is_empty());
        record.sold(sale("b"));
        assert_eq!(record.violations, ["seat 3 was sold to a and to b"]);
    }

    #[tokio::test]
    async fn a_seat_that_is_held_twice_is_noticed_while_the_first_hold_lasts() {
        let (mut record, now) = (Record::default(), Instant::now());
        let later = now + Duration::from_mins(5);
        record.held("a", &[3], now, later);
        record.held("a", &[3], now, later);
        record.held("b", &[3], later, later + Duration::from_mins(5));
        assert!(record.violations.is_empty());
        record.held("c", &[3], later, later);
        assert_eq!(record.violations, ["seat 3 was held for b and for c at the same time"]);
    }

    #[tokio::test]
    async fn a_seat_that_is_sold_and_then_held_is_noticed() {
        let (mut record, now) = (Record::default(), Instant::now());
        record.sold(Confirmed { booking: "a".to_owned(), seats: vec![3], account: 0 });
        record.held("b", &[4], now, now);
        assert!(record.violations.is_empty());
        record.held("b", &[3], now, now);
        assert_eq!(record.violations, ["seat 3 was sold to a and then held for b"]);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.summary(), None);
        (1..=100).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        assert_eq!(latencies.summary(), Some([50, 90, 99, 100].map(Duration::from_millis)));
    }
}
