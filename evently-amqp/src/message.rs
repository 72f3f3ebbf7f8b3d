//! An entry of the journal as a message.

use evently_core::domain::{BookingStatus, Entry, Fact, SeatStatus, Stage, Timestamp, Transition};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

/// How often acting on the message has failed.
const ATTEMPTS: &str = "x-evently-attempts";
/// Why it failed the last time.
const REASON: &str = "x-evently-reason";
/// When it was parked.
const PARKED_AT: &str = "x-evently-parked-at";

/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;
/// A reason is for people to read; it need not be longer.
const LONGEST_REASON: usize = 1_000;

/// A message that is none of ours, or of a version that we do not know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the message has no id that is a position in the journal")]
    Id,
    #[error("the body is not a transition: {0}")]
    Body(#[from] serde_json::Error),
}

/// What a message is bound by: `thing.what_happened`.
pub(crate) const fn routing_key(fact: &Fact) -> &'static str {
    match fact {
        Fact::Event { stage: Stage::Draft, .. } => "event.drafted",
        Fact::Event { stage: Stage::Published, .. } => "event.published",
        Fact::Event { stage: Stage::Cancelled, .. } => "event.cancelled",
        Fact::House { to: SeatStatus::Blocked } => "seats.blocked",
        Fact::House { .. } => "seats.unblocked",
        Fact::Booking { from: None, to: BookingStatus::Pending, .. } => "booking.held",
        Fact::Booking { to: BookingStatus::Pending, .. } => "booking.extended",
        Fact::Booking { to: BookingStatus::Confirmed, .. } => "booking.confirmed",
        Fact::Booking { to: BookingStatus::Expired, .. } => "booking.expired",
        Fact::Booking { to: BookingStatus::Cancelled, .. } => "booking.cancelled",
        Fact::Booking { to: BookingStatus::Refunded, .. } => "booking.refunded",
        Fact::Captured { .. } => "payment.captured",
        Fact::RefundDue { .. } => "refund.due",
        Fact::RefundSent { .. } => "refund.sent",
        Fact::CheckedIn { .. } => "ticket.checked_in",
    }
}

/// The message of an entry. The body is the transition as the store keeps it, with ids and no names; the id is its position.
pub(crate) fn encode(entry: &Entry) -> (BasicProperties, Vec<u8>) {
    let body = serde_json::to_vec(&entry.transition).expect("the domain's types have no maps and no fallible parts");
    let seconds = u64::try_from(entry.transition.at.as_secs()).unwrap_or_default();
    let properties = BasicProperties::default()
        .with_app_id("evently".into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(entry.position.to_string().into())
        .with_timestamp(seconds);
    (properties, body)
}

/// The entry of a message.
pub(crate) fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Entry, Unreadable> {
    let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
    let position = id.filter(|position| *position > 0).ok_or(Unreadable::Id)?;
    let transition: Transition = serde_json::from_slice(body)?;
    Ok(Entry { position, transition })
}

/// How often acting on it has failed.
pub(crate) fn attempts(properties: &BasicProperties) -> u32 {
    match header(properties, ATTEMPTS) {
        Some(AMQPValue::LongUInt(attempts)) => *attempts,
        _ => 0,
    }
}

/// Why it failed the last time.
pub(crate) fn reason(properties: &BasicProperties) -> Option<String> {
    text(properties, REASON)
}

/// When it was parked.
pub(crate) fn parked_at(properties: &BasicProperties) -> Option<Timestamp> {
    text(properties, PARKED_AT)?.parse().ok()
}

/// The message to come again after a while.
pub(crate) fn failed(
    properties: BasicProperties,
    attempts: u32,
    reason: &str,
    again_after: std::time::Duration,
) -> BasicProperties {
    let headers = [(ATTEMPTS, AMQPValue::LongUInt(attempts)), (REASON, long(reason))];
    with_headers(properties, headers).with_expiration(again_after.as_millis().to_string().into())
}

/// The message to be looked at by people.
pub(crate) fn parked(properties: BasicProperties, attempts: u32, reason: &str, now: Timestamp) -> BasicProperties {
    let headers = [
        (ATTEMPTS, AMQPValue::LongUInt(attempts)),
        (REASON, long(reason)),
        (PARKED_AT, AMQPValue::LongString(now.to_string().into())),
    ];
    with_headers(properties, headers)
}

/// The message as it was at first.
pub(crate) fn fresh(properties: BasicProperties) -> BasicProperties {
    properties.with_headers(FieldTable::default())
}

fn with_headers<const N: usize>(properties: BasicProperties, added: [(&str, AMQPValue); N]) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    for (name, value) in added {
        headers.insert(ShortString::from(name), value);
    }
    properties.with_headers(headers)
}

fn long(reason: &str) -> AMQPValue {
    let end = reason.floor_char_boundary(LONGEST_REASON);
    AMQPValue::LongString(reason[..end].into())
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties, name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TRANSITION: &str = r#"{"e":"0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001","t":"2026-11-22T19:30:00Z","a":"gateway",
        "f":{"refund_sent":{"refund_id":"0192f0c1-7d3e-7a10-8c55-5f1e6f0a0002","booking_id":"0192f0c1-7d3e-7a10-8c55-5f1e6f0a0003"}}}"#;

    fn entry() -> Entry {
        Entry { position: 7, transition: serde_json::from_str(TRANSITION).unwrap() }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_sent() {
        let (properties, body) = encode(&entry());
        assert_eq!(decode(&properties, &body).unwrap(), entry());
        assert_eq!(routing_key(&entry().transition.fact), "refund.sent");
    }

    #[test]
    fn what_is_no_message_of_ours_is_unreadable() {
        let (properties, body) = encode(&entry());
        for id in ["", "x", "0", "-1"] {
            let properties = properties.clone().with_message_id(id.into());
            assert!(matches!(decode(&properties, &body), Err(Unreadable::Id)), "{id}");
        }
        assert!(matches!(decode(&BasicProperties::default(), &body), Err(Unreadable::Id)));
        assert!(matches!(decode(&properties, b"{}"), Err(Unreadable::Body(_))));
    }

    #[test]
    fn attempts_and_reasons_go_with_the_message() {
        let (properties, body) = encode(&entry());
        assert_eq!((attempts(&properties), reason(&properties)), (0, None));
        let again = failed(properties, 2, "no post today", Duration::from_secs(5));
        assert_eq!((attempts(&again), reason(&again).as_deref()), (2, Some("no post today")));
        assert_eq!(again.expiration().as_ref().unwrap().as_str(), "5000");
        let now = Timestamp::from_secs(1_800_000_000);
        let parked = parked(again, 5, &"ö".repeat(1_000), now);
        assert_eq!((attempts(&parked), reason(&parked).unwrap().len(), parked_at(&parked)), (5, 1_000, Some(now)));
        assert_eq!(decode(&parked, &body).unwrap(), entry());
        assert_eq!((attempts(&fresh(parked.clone())), reason(&fresh(parked))), (0, None));
    }
}
