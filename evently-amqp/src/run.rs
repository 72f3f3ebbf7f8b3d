//! Entries of the journal in runs: those that one message carries.
//!
//! A message has one routing key, so a run has entries of one kind only, and whoever is bound to a key gets what it names and nothing
//! else. Entries of different kinds stand mixed in the journal; put into runs, those of one booking must not overtake each other.

use std::collections::{HashMap, hash_map::Entry as Place};

use evently_core::domain::{BookingId, Entry};
use lapin::BasicProperties;

use crate::{message, topology::Work};

/// How many entries a run has at most; and one of entries that somebody needs seconds for each of.
const LONGEST: (usize, usize) = (200, 20);
/// A run gets no further entry once it has so many bytes.
const HEAVIEST: usize = 128 * 1024;

/// Some entries of one kind, in the order of their positions.
pub(crate) struct Run<'a> {
    /// What it is bound by.
    pub key: &'static str,
    /// Where the first of them stands among the entries that were put into runs.
    pub begins: usize,
    pub entries: Vec<&'a Entry>,
    body: Vec<u8>,
}

impl Run<'_> {
    fn has_room(&self) -> bool {
        self.entries.len() < longest(self.key) && self.body.len() < HEAVIEST
    }

    /// The message that carries it. An entry that is alone has the message that it always has.
    pub fn message(self) -> (BasicProperties, Vec<u8>) {
        match self.entries[..] {
            [alone] => message::encode(alone),
            _ => (message::of_run(&self.entries), self.body),
        }
    }
}

fn longest(key: &str) -> usize {
    let slow = Work::ALL.iter().any(|work| work.is_slow() && work.keys().contains(&key));
    if slow { LONGEST.1 } else { LONGEST.0 }
}

/// Puts entries into runs. Sent in this order, they bring each booking's entries in the order of their positions, and an entry without a
/// booking neither overtakes any nor is overtaken. Each begins with an entry that comes before all of the runs behind it.
pub(crate) fn runs(entries: &[Entry]) -> Vec<Run<'_>> {
    let mut runs = Vec::<Run>::new();
    // The latest run of each kind, and the one in which a booking was last.
    let (mut of_kind, mut of_booking) = (HashMap::<&str, usize>::new(), HashMap::<BookingId, usize>::new());
    // No entry may go into a run before this one.
    let mut fence = 0;
    for (begins, entry) in entries.iter().enumerate() {
        let key = message::routing_key(&entry.transition.fact);
        let booking = entry.transition.booking_id();
        let after = match booking {
            Some(booking) => of_booking.get(&booking).copied().unwrap_or(0).max(fence),
            None => runs.len().saturating_sub(1),
        };
        let at = match of_kind.entry(key) {
            Place::Occupied(latest) if *latest.get() >= after && runs[*latest.get()].has_room() => *latest.get(),
            place => {
                runs.push(Run { key, begins, entries: Vec::new(), body: Vec::new() });
                *place.insert_entry(runs.len() - 1).get()
            }
        };
        message::add_line(&mut runs[at].body, entry);
        runs[at].entries.push(entry);
        match booking {
            Some(booking) => drop(of_booking.insert(booking, at)),
            None => fence = at,
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use evently_core::domain::{Actor, BookingStatus, EventId, Fact, PaymentId, SeatStatus, Timestamp, Transition, UserId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn entry(position: u64, fact: Fact) -> Entry {
        let event_id = EventId::from_uuid(Uuid::from_u128(1));
        let transition =
            Transition { event_id, at: Timestamp::from_secs(1), actor: Actor::System, fact, reason: None, seats: Vec::new() };
        Entry { position, transition }
    }

    fn to(booking: u128, to: BookingStatus) -> Fact {
        let (id, user_id) = (BookingId::from_uuid(Uuid::from_u128(booking)), UserId::from_uuid(Uuid::from_u128(1)));
        Fact::Booking { id, user_id, from: Some(BookingStatus::Pending), to, version: 1 }
    }

    fn captured(booking: u128) -> Fact {
        let (payment_id, booking_id) = (PaymentId::from_uuid(Uuid::from_u128(1)), BookingId::from_uuid(Uuid::from_u128(booking)));
        Fact::Captured { payment_id, booking_id, amount: 1 }
    }

    fn entries(facts: impl IntoIterator<Item = Fact>) -> Vec<Entry> {
        (1..).zip(facts).map(|(position, fact)| entry(position, fact)).collect()
    }

    fn positions(entries: &[Entry]) -> Vec<(&'static str, Vec<u64>)> {
        let of = |run: Run| (run.key, run.entries.iter().map(|entry| entry.position).collect());
        runs(entries).into_iter().map(of).collect()
    }

    const CONFIRMED: BookingStatus = BookingStatus::Confirmed;

    #[test]
    fn entries_of_a_kind_travel_together_however_they_are_mixed() {
        let mixed = (1..=3).flat_map(|booking| [captured(booking), to(booking, CONFIRMED)]);
        let together = [("payment.captured", vec![1, 3, 5]), ("booking.confirmed", vec![2, 4, 6])];
        assert_eq!(positions(&entries(mixed)), together);
    }

    #[test]
    fn an_entry_does_not_overtake_another_of_its_booking() {
        let facts = [captured(1), to(2, CONFIRMED), captured(2), captured(3), to(3, CONFIRMED)];
        let expected = [
            ("payment.captured", vec![1]),
            ("booking.confirmed", vec![2]),
            ("payment.captured", vec![3, 4]),
            ("booking.confirmed", vec![5]),
        ];
        assert_eq!(positions(&entries(facts)), expected);
    }

    #[test]
    fn an_entry_without_a_booking_keeps_its_place() {
        let house = Fact::House { to: SeatStatus::Blocked };
        let facts = [captured(1), house, house, captured(2)];
        let expected = [("payment.captured", vec![1]), ("seats.blocked", vec![2, 3]), ("payment.captured", vec![4])];
        assert_eq!(positions(&entries(facts)), expected);
    }

    #[test]
    fn a_run_is_no_longer_than_it_may_be() {
        let lengths = |all: &[Entry]| runs(all).iter().map(|run| run.entries.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&entries((0..=400).map(captured))), [200, 200, 1]);
        assert_eq!(lengths(&entries((0..=40).map(|booking| to(booking, CONFIRMED)))), [20, 20, 1], "mails take their time");
    }

    #[test]
    fn a_run_that_is_heavy_gets_no_further_entry() {
        let mut all = entries((1..=3).map(captured));
        for entry in &mut all {
            entry.transition.reason = Some("x".repeat(HEAVIEST / 2));
        }
        assert_eq!(runs(&all).iter().map(|run| run.entries.len()).collect::<Vec<_>>(), [2, 1]);
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let booking = 1_u128..6;
        prop_oneof![
            8 => booking.clone().prop_map(captured),
            8 => booking.clone().prop_map(|booking| to(booking, CONFIRMED)),
            8 => booking.prop_map(|booking| to(booking, BookingStatus::Expired)),
            1 => Just(Fact::House { to: SeatStatus::Blocked }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_nothing_is_lost_and_each_booking_has_its_order(facts in prop::collection::vec(fact(), 0..400)) {
            let all = entries(facts);
            let runs = runs(&all);
            let mut places = BTreeMap::new();
            for (at, run) in runs.iter().enumerate() {
                prop_assert_eq!(run.entries[0].position, all[run.begins].position);
                for (within, entry) in run.entries.iter().enumerate() {
                    prop_assert_eq!(message::routing_key(&entry.transition.fact), run.key);
                    prop_assert!(places.insert(entry.position, (at, within)).is_none());
                }
            }
            prop_assert!(places.keys().copied().eq(1..=all.len() as u64));
            prop_assert!(runs.is_sorted_by_key(|run| run.begins));
            for (earlier, one) in all.iter().enumerate() {
                for other in &all[earlier + 1..] {
                    let ids = (one.transition.booking_id(), other.transition.booking_id());
                    if ids.0 == ids.1 || ids.0.is_none() || ids.1.is_none() {
                        prop_assert!(places[&one.position] < places[&other.position], "{one:?} {other:?}");
                    }
                }
            }
        }
    }
}
