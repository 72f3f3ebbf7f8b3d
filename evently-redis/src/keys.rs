//! The keys, without the namespace. What is in braces decides where in a cluster a key lies: everything of an event together.

use std::fmt::Write as _;

use evently_core::{domain::EventId, ports::CacheKey};

/// The lock of a seat.
pub(crate) fn seat(event: EventId, number: u32) -> String {
    format!("seat:{{{event}}}:{number}")
}

/// The mark of a request that has been let through or turned away.
pub(crate) fn asked(event: EventId, key: &[u8; 32]) -> String {
    format!("asked:{{{event}}}:{}", half(key))
}

/// Half of a digest, which is enough to tell it from others.
pub(crate) fn half(digest: &[u8; 32]) -> String {
    let mut text = String::new();
    for byte in &digest[..16] {
        _ = write!(text, "{byte:02x}");
    }
    text
}

/// A token bucket.
pub(crate) fn rate(name: &str, key: &str) -> String {
    format!("rate:{{{name}:{key}}}")
}

/// The deltas of an event's seats, and the channel on which they are told.
pub(crate) fn feed(event: EventId) -> String {
    format!("feed:{{{event}}}")
}

/// The state of an event's seats.
pub(crate) fn feed_state(event: EventId) -> String {
    format!("feed:{{{event}}}:state")
}

/// The channel on which is told what is forgotten.
pub(crate) const CACHE: &str = "cache";

/// A cached value.
pub(crate) fn cached(key: &CacheKey) -> String {
    format!("cache:{{{}}}", key.as_str())
}

/// What is tried when a server is connected to.
pub(crate) const CHECK: &str = "check:{check}";

/// The event of a channel.
pub(crate) fn event_of(channel: &str) -> Option<EventId> {
    let (_, rest) = channel.split_once('{')?;
    rest.split_once('}')?.0.parse().ok()
}
