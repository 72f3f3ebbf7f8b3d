//! What is known of the request that is being answered: for its line in the log, and for its errors.
//!
//! It goes with the task that answers, so that nobody has to hand it around. Outside of a request nothing is known and
//! whatever is noted is lost.

use std::{cell::Cell, fmt};

use evently_core::domain::{EventId, UserId};
use tokio::task::JoinHandle;

tokio::task_local! {
    static CONTEXT: Context;
}

/// Names everything that one request causes, in every service that has to do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The id with these bits; a trace id is never zero.
    pub const fn from_bits(bits: u128) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits.to_be_bytes())) }
    }

    /// Reads the trace id out of a W3C `traceparent` header.
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let (version, rest) = header.split_at_checked(3)?;
        let (trace, rest) = rest.split_at_checked(33)?;
        let (parent, flags) = rest.split_at_checked(17)?;
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (version, trace, parent) = (version.strip_suffix('-')?, trace.strip_suffix('-')?, parent.strip_suffix('-')?);
        let known_length = flags.len() == 2 || version != "00" && flags.as_bytes().get(2) == Some(&b'-');
        let right = known_length && version != "ff" && parent.bytes().any(|b| b != b'0');
        if !(right && hex(version) && hex(trace) && hex(parent) && hex(flags.get(..2)?)) {
            return None;
        }
        Self::from_bits(u128::from_str_radix(trace, 16).ok()?)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What is known of one request.
pub(crate) struct Context {
    trace_id: TraceId,
    user_id: Cell<Option<UserId>>,
    event_id: Cell<Option<EventId>>,
    action: Cell<Option<&'static str>>,
}

/// What a request's line in the log says beyond its path and its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) user_id: Option<UserId>,
    pub(crate) event_id: Option<EventId>,
    pub(crate) action: Option<&'static str>,
}

impl Context {
    pub(crate) const fn new(trace_id: TraceId) -> Self {
        Self { trace_id, user_id: Cell::new(None), event_id: Cell::new(None), action: Cell::new(None) }
    }

    /// Answers a request for which this is known.
    pub(crate) async fn scope<F: Future>(self, answer: F) -> F::Output {
        CONTEXT.scope(self, answer).await
    }
}

/// The trace that the request belongs to.
pub fn trace_id() -> Option<TraceId> {
    CONTEXT.try_with(|context| context.trace_id).ok()
}

/// Starts a task that belongs to the same trace. What it notes is its own.
pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(work: F) -> JoinHandle<F::Output> {
    match trace_id() {
        Some(trace_id) => tokio::spawn(Context::new(trace_id).scope(work)),
        None => tokio::spawn(work),
    }
}

/// Notes who asks.
pub fn note_user(id: UserId) {
    let _ = CONTEXT.try_with(|context| context.user_id.set(Some(id)));
}

/// Notes which event the request is about.
pub fn note_event(id: EventId) {
    let _ = CONTEXT.try_with(|context| context.event_id.set(Some(id)));
}

/// Notes what was done, as in `booking_created`.
pub fn note_action(action: &'static str) {
    let _ = CONTEXT.try_with(|context| context.action.set(Some(action)));
}

/// What was noted so far.
pub(crate) fn notes() -> Notes {
    let notes = |context: &Context| Notes {
        user_id: context.user_id.get(),
        event_id: context.event_id.get(),
        action: context.action.get(),
    };
    CONTEXT.try_with(notes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_names_its_trace() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceId::from_traceparent(header).unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceId::from_traceparent(later).is_some(), "a later version may say more");
    }

    #[test]
    fn what_is_no_traceparent_is_passed_over() {
        for header in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bx-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        ] {
            assert!(TraceId::from_traceparent(header).is_none(), "{header}");
        }
    }

    #[tokio::test]
    async fn what_is_noted_is_known_within_the_request() {
        let user = UserId::from_uuid(uuid::Uuid::from_u128(7));
        let noted = Context::new(TraceId::from_bits(1).unwrap()).scope(async {
            note_user(user);
            note_action("booking_created");
            (trace_id(), notes())
        });
        let (trace, notes) = noted.await;
        assert_eq!(trace.unwrap().to_string(), "00000000000000000000000000000001");
        assert_eq!((notes.user_id, notes.action, notes.event_id), (Some(user), Some("booking_created"), None));
        assert_eq!(trace_id().map(|id| id.to_string()), None, "outside of it nothing is");
    }
}
