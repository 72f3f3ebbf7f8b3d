//! What is made of whatever a Redis says, without one. It is for a fuzzer, and nobody else's.

use evently_core::{
    domain::{EventId, SeatChange, SeatMap},
    ports::{Delta, Look},
};

use crate::{
    cache,
    feed::shared::{Entry, Joined, read_joined},
};

/// What is kept under a key of the cache.
pub fn kept(value: Vec<u8>) -> Look {
    cache::read(value)
}

/// A delta, as all instances are told of it.
pub fn told(event: EventId, message: &str) -> Option<(u64, Vec<SeatChange>)> {
    Entry::parse(event, message).map(|Entry { seq, changes }| (seq, changes))
}

/// The state of an event with the deltas that led to it, out of an answer as it comes over the wire.
pub fn joined(event: EventId, wire: &[u8]) -> Option<(SeatMap, Vec<Delta>)> {
    let redis::Value::Array(answer) = redis::parse_redis_value(wire).ok()? else { return None };
    let Joined { map, deltas } = read_joined(event, "feed_join", answer).ok()??;
    Some((map, deltas))
}

#[cfg(test)]
mod tests {
    use evently_core::domain::SeatStatus;
    use uuid::Uuid;

    use super::*;

    const EVENT: EventId = EventId::from_uuid(Uuid::from_u128(7));

    /// An answer with these fields, and with one delta of these changes.
    fn answer(fields: &[(&str, &str)], changes: &str) -> Vec<u8> {
        let text = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let listed = fields.iter().map(|(name, value)| text(name) + &text(value)).collect::<String>();
        let delta = format!("*1\r\n*2\r\n{}*2\r\n{}{}", text("9-0"), text("c"), text(changes));
        format!("*2\r\n*{}\r\n{listed}{delta}", 2 * fields.len()).into_bytes()
    }

    #[test]
    fn a_state_is_read() {
        let (map, deltas) = joined(EVENT, &answer(&[("seats", "3"), ("seq", "9"), ("1", "5")], "1 5")).unwrap();
        assert_eq!(map.statuses(), [SeatStatus::Available, SeatStatus::Reserved, SeatStatus::Available]);
        assert_eq!((map.seq(), deltas.len()), (9, 1));
    }

    /// Making room for them would end the process.
    #[test]
    fn more_seats_than_any_event_has_are_no_state() {
        for seats in ["200001", "18446744073709551615"] {
            assert!(joined(EVENT, &answer(&[("seats", seats), ("seq", "9")], "1 5")).is_none());
        }
    }

    #[test]
    fn a_number_after_which_there_is_none_is_that_of_no_state() {
        assert!(joined(EVENT, &answer(&[("seats", "3"), ("seq", "18446744073709551615")], "1 5")).is_none());
    }

    #[test]
    fn a_change_of_a_seat_that_the_event_has_not_is_none() {
        let (_, deltas) = joined(EVENT, &answer(&[("seats", "3"), ("seq", "9")], "3 5")).unwrap();
        assert!(deltas.is_empty());
    }
}
