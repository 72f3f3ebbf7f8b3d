//! Every answer that says no: RFC 9457 `application/problem+json`. The one place that knows status codes of errors.

mod answer;
mod code;
mod domain;
mod services;

use std::time::Duration;

use evently_core::domain::{BookingStatus, Invalid, InvalidField, SeatId, SeatStatus};
use http::{HeaderValue, StatusCode};

pub use self::code::Code;

/// How long to wait after a 503, or for the answer to an earlier request.
const BUSY: Duration = Duration::from_secs(1);

/// What is said of something that was handed in, and of which nothing has been heard.
const NOT_KNOWN: &str = "it is not known whether it was done; ask again with the same key in a moment";

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    with: With,
    replayed: bool,
}

/// What goes with an error beside its code and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum With {
    Nothing,
    /// The fields that are wrong.
    Fields(Vec<InvalidField>),
    /// The seats that are in the way.
    Seats(Vec<(SeatId, SeatStatus)>),
    /// What the booking is.
    Booking(BookingStatus),
    /// How long to wait.
    RetryAfter(Duration),
    /// The methods that there are.
    Allow(HeaderValue),
}

impl Problem {
    /// An error with what is to be said about this one, a sentence for people. Nothing internal may be in it.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let busy = code.status() == StatusCode::SERVICE_UNAVAILABLE;
        Self { code, detail: detail.into(), with: if busy { With::RetryAfter(BUSY) } else { With::Nothing }, replayed: false }
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(thing: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no such {thing}"))
    }

    /// One field is wrong.
    pub fn field(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Invalid::field(field, code, message).into()
    }

    /// Some of the seats are in other hands.
    pub fn seats_unavailable(detail: impl Into<String>, seats: Vec<(SeatId, SeatStatus)>) -> Self {
        Self { with: With::Seats(seats), ..Self::new(Code::SeatsUnavailable, detail) }
    }

    /// The booking is something else by now than the client took it for.
    pub fn booking_changed(detail: impl Into<String>, status: BookingStatus) -> Self {
        Self { with: With::Booking(status), ..Self::new(Code::BookingChanged, detail) }
    }

    /// No token came with the request.
    pub fn token_missing() -> Self {
        Self::new(Code::TokenInvalid, "send an access token: `Authorization: Bearer …`")
    }

    /// The account's role is not enough.
    pub fn forbidden() -> Self {
        Self::new(Code::Forbidden, "the account's role does not allow this")
    }

    /// The path is there for other methods, named as in `GET, HEAD`.
    pub fn method_not_allowed(allow: Option<HeaderValue>) -> Self {
        let with = allow.map_or(With::Nothing, With::Allow);
        Self { with, ..Self::new(Code::MethodNotAllowed, "use one of the methods in the Allow header") }
    }

    /// The client may ask again after a while.
    pub fn rate_limited(after: Duration) -> Self {
        let detail = format!("try again in {} s", whole_secs(after));
        Self { with: With::RetryAfter(after), ..Self::new(Code::RateLimited, detail) }
    }

    /// What was asked for before with the same key has no answer yet.
    pub fn in_flight() -> Self {
        let with = With::RetryAfter(BUSY);
        Self {
            with,
            ..Self::new(Code::RequestInFlight, "the first request with this key is still running; ask again for its answer")
        }
    }

    /// Too much to do; nothing was done.
    pub fn overloaded() -> Self {
        Self::new(Code::Overloaded, "there is more to do than can be done; nothing was done, try again in a moment")
    }

    /// As many follow live as may.
    pub fn too_many_feeds(after: Duration) -> Self {
        let detail = format!("there is no room for another live feed; try again in {} s", whole_secs(after));
        Self { with: With::RetryAfter(after), ..Self::new(Code::Overloaded, detail) }
    }

    /// Too much to do for an answer in time; it may still be done.
    pub fn late() -> Self {
        Self::new(Code::Overloaded, format!("this took too long; {NOT_KNOWN}"))
    }

    /// A bug. What it is stands in the log.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "this was not your fault; please tell us the trace_id if it happens again")
    }

    /// The same error; said again to a request that came before with the same key, if `replayed`.
    #[must_use]
    pub fn replayed(self, replayed: bool) -> Self {
        Self { replayed, ..self }
    }

    /// The fields that are wrong, where the request was not valid.
    pub fn errors(&self) -> &[InvalidField] {
        if let With::Fields(fields) = &self.with { fields } else { &[] }
    }

    /// The error's code.
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        Self { with: With::Fields(invalid.fields), ..Self::new(Code::ValidationFailed, detail) }
    }
}

/// Whole seconds, rounded up, so that whoever waits so long has waited long enough.
pub(crate) fn whole_secs(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
