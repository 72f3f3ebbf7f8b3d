//! Entries of the journal as messages: one alone, or a run of them.
//!
//! A message of one entry is the transition as JSON, and its id is the entry's position. A message of a run has a line of JSON for each
//! entry, `{"position":7,"transition":{…}}`, and says so by its content type.

use std::time::Duration;

use evently_core::domain::{BookingStatus, Entry, Fact, SeatStatus, Stage, Timestamp, Transition};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The content types of the two kinds of messages.
const ALONE: &str = "application/json";
const RUN: &str = "application/x-ndjson";

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
pub enum Unreadable {
    /// It has no id that is a position.
    #[error("the message has no id that is a position in the journal")]
    Id,
    /// It is to bring one transition, and does not.
    #[error("the body is not a transition: {0}")]
    Body(#[from] serde_json::Error),
    /// A line of it is no entry.
    #[error("a line of the body is not an entry of the journal: {0}")]
    Line(#[source] serde_json::Error),
    /// It is to bring a run of entries, and brings none.
    #[error("the body has no lines")]
    Empty,
}

/// What cannot be read, as a message of its own.
#[derive(Debug)]
pub struct Misfit {
    /// What came with it.
    pub properties: BasicProperties,
    /// The part that cannot be read.
    pub body: Vec<u8>,
    /// What is wrong with it.
    pub why: Unreadable,
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    position: u64,
    transition: &'a Transition,
}

#[derive(Deserialize)]
struct Line {
    position: u64,
    transition: Transition,
}

/// What a message is bound by: `thing.what_happened`.
pub const fn routing_key(fact: &Fact) -> &'static str {
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
pub fn encode(entry: &Entry) -> (BasicProperties, Vec<u8>) {
    (properties(ALONE, entry.position.to_string(), entry.transition.at), json(&entry.transition))
}

/// Adds an entry to the body of a run.
pub fn add_line(body: &mut Vec<u8>, entry: &Entry) {
    let Entry { position, transition } = entry;
    body.append(&mut json(&WrittenLine { position: *position, transition }));
    body.push(b'\n');
}

/// What goes with the body of a run: its id are the positions of its first and its last entry.
pub fn of_run(entries: &[&Entry]) -> BasicProperties {
    let ([first, ..], [.., last]) = (entries, entries) else { unreachable!("a run has entries") };
    properties(RUN, format!("{}-{}", first.position, last.position), last.transition.at)
}

fn json(what: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(what).expect("the domain's types have no maps and no fallible parts")
}

fn properties(content_type: &str, id: String, at: Timestamp) -> BasicProperties {
    BasicProperties::default()
        .with_app_id("evently".into())
        .with_content_type(content_type.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(id.into())
        .with_timestamp(u64::try_from(at.as_secs()).unwrap_or_default())
}

fn is_run(properties: &BasicProperties) -> bool {
    properties.content_type().as_ref().is_some_and(|kind| kind.as_str() == RUN)
}

/// The entries of a message, in their order; and what of it cannot be read, each by itself.
pub fn open(properties: &BasicProperties, body: &[u8]) -> Vec<Result<Entry, Box<Misfit>>> {
    let misfit = |body: &[u8], why| Box::new(Misfit { properties: properties.clone(), body: body.to_vec(), why });
    if !is_run(properties) {
        return vec![decode(properties, body).map_err(|why| misfit(body, why))];
    }
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries = lines.map(|line| read_line(line).map_err(|why| Box::new(misfit(line, why).on_its_own())));
    let entries = entries.collect::<Vec<_>>();
    if entries.is_empty() { vec![Err(misfit(body, Unreadable::Empty))] } else { entries }
}

fn read_line(line: &[u8]) -> Result<Entry, Unreadable> {
    let Line { position, transition } = serde_json::from_slice(line).map_err(Unreadable::Line)?;
    if position == 0 { Err(Unreadable::Id) } else { Ok(Entry { position, transition }) }
}

impl Misfit {
    /// A line as the message that its entry would have alone, so that a version that can read it does. Where that cannot be told either
    /// it stays a line, under the id of its run.
    fn on_its_own(self) -> Self {
        let Ok(Value::Object(mut line)) = serde_json::from_slice(&self.body) else { return self };
        match (line.get("position").and_then(Value::as_u64), line.remove("transition")) {
            (Some(position @ 1..), Some(transition)) => Self {
                properties: self.properties.with_message_id(position.to_string().into()).with_content_type(ALONE.into()),
                body: json(&transition),
                why: self.why,
            },
            _ => self,
        }
    }
}

/// The message of one of the entries that a message brought.
pub fn alone(properties: BasicProperties, body: &[u8], entry: &Entry) -> (BasicProperties, Vec<u8>) {
    if is_run(&properties) { encode(entry) } else { (properties, body.to_vec()) }
}

/// The entry of a message that brings one.
pub fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Entry, Unreadable> {
    let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
    let position = id.filter(|position| *position > 0).ok_or(Unreadable::Id)?;
    let transition: Transition = serde_json::from_slice(body)?;
    Ok(Entry { position, transition })
}

/// How often acting on it has failed.
pub fn attempts(properties: &BasicProperties) -> u32 {
    match header(properties, ATTEMPTS) {
        Some(AMQPValue::LongUInt(attempts)) => *attempts,
        _ => 0,
    }
}

/// Why it failed the last time.
pub fn reason(properties: &BasicProperties) -> Option<String> {
    text(properties, REASON)
}

/// When it was parked.
pub fn parked_at(properties: &BasicProperties) -> Option<Timestamp> {
    text(properties, PARKED_AT)?.parse().ok()
}

/// The message to come again after a while.
pub fn again_after(properties: BasicProperties, a_while: Duration) -> BasicProperties {
    properties.with_expiration(a_while.as_millis().to_string().into())
}

/// The message that has failed so often, the last time for this reason.
pub fn failed(properties: BasicProperties, attempts: u32, reason: &str) -> BasicProperties {
    with_headers(properties, [(ATTEMPTS, AMQPValue::LongUInt(attempts)), (REASON, long(reason))])
}

/// The message to be looked at by people.
pub fn parked(properties: BasicProperties, attempts: u32, reason: &str, now: Timestamp) -> BasicProperties {
    let headers = [
        (ATTEMPTS, AMQPValue::LongUInt(attempts)),
        (REASON, long(reason)),
        (PARKED_AT, AMQPValue::LongString(now.to_string().into())),
    ];
    with_headers(properties, headers)
}

/// The message as it was at first.
pub fn fresh(properties: BasicProperties) -> BasicProperties {
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

    fn run() -> (BasicProperties, Vec<u8>) {
        let entries = [3, 7].map(|position| Entry { position, ..entry() });
        let mut body = Vec::new();
        for entry in &entries {
            add_line(&mut body, entry);
        }
        (of_run(&entries.iter().collect::<Vec<_>>()), body)
    }

    #[test]
    fn a_run_brings_its_entries() {
        let (properties, body) = run();
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "3-7");
        let entries = open(&properties, &body).into_iter().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(entries, [3, 7].map(|position| Entry { position, ..entry() }));
        assert_eq!(alone(properties, &body, &entries[0]), encode(&entries[0]), "and each has a message of its own");
    }

    #[test]
    fn a_message_of_one_entry_brings_it_and_stays_as_it_is() {
        let (properties, body) = encode(&entry());
        let properties = again_after(failed(properties, 2, "no post today"), Duration::from_secs(5));
        assert_eq!(open(&properties, &body).pop().unwrap().unwrap(), entry());
        assert_eq!(alone(properties.clone(), &body, &entry()), (properties, body));
    }

    #[test]
    fn what_cannot_be_read_of_a_run_is_a_message_of_its_own() {
        let (properties, mut body) = run();
        body.extend_from_slice(b"{\"position\":8,\"transition\":{\"e\":1}}\n{\"position\":0}\nwhat is this\n");
        let mut opened = open(&properties, &body);
        let misfits = opened.split_off(2).into_iter().map(|misfit| {
            let Misfit { properties, body, .. } = *misfit.unwrap_err();
            (properties.message_id().as_ref().unwrap().to_string(), String::from_utf8(body).unwrap())
        });
        let expected = [("8", "{\"e\":1}"), ("3-7", "{\"position\":0}"), ("3-7", "what is this")];
        assert_eq!(misfits.collect::<Vec<_>>(), expected.map(|(id, body)| (id.to_owned(), body.to_owned())));
        assert!(opened.iter().all(Result::is_ok));
        assert!(matches!(&open(&properties, b"\n")[..], [Err(misfit)] if matches!(misfit.why, Unreadable::Empty)));
    }

    #[test]
    fn attempts_and_reasons_go_with_the_message() {
        let (properties, body) = encode(&entry());
        assert_eq!((attempts(&properties), reason(&properties)), (0, None));
        let again = again_after(failed(properties, 2, "no post today"), Duration::from_secs(5));
        assert_eq!((attempts(&again), reason(&again).as_deref()), (2, Some("no post today")));
        assert_eq!(again.expiration().as_ref().unwrap().as_str(), "5000");
        let now = Timestamp::from_secs(1_800_000_000);
        let parked = parked(again, 5, &"ö".repeat(1_000), now);
        assert_eq!((attempts(&parked), reason(&parked).unwrap().len(), parked_at(&parked)), (5, 1_000, Some(now)));
        assert_eq!(decode(&parked, &body).unwrap(), entry());
        assert_eq!((attempts(&fresh(parked.clone())), reason(&fresh(parked))), (0, None));
    }
}
