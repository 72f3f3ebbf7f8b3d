//! Tickets: what admits one person, once.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    id::{BookingId, EventId, TicketId, UserId},
    time::Timestamp,
};

/// What admits one person to one seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The ticket's id.
    pub id: TicketId,
    /// The booking it belongs to.
    pub booking_id: BookingId,
    /// The event it is for.
    pub event_id: EventId,
    /// The number of its seat in the event's layout.
    pub seat: u32,
    /// What the door reads.
    pub code: TicketCode,
    /// Whether it still admits somebody.
    pub state: TicketState,
}

/// Whether a ticket still admits somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// It has not been used.
    Valid,
    /// Its holder is in.
    CheckedIn {
        /// When they came.
        at: Timestamp,
        /// Who let them in.
        by: UserId,
    },
    /// Its booking has ended.
    Void,
}

impl TicketState {
    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::CheckedIn { .. } => "checked_in",
            Self::Void => "void",
        }
    }
}

/// What the door reads: 128 random bits, which nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TicketCode(u128);

impl TicketCode {
    /// The code of no ticket.
    pub const NONE: Self = Self(0);

    /// A code from 128 random bits.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// Reads a code as a person or a scanner gives it.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix("EVT-")?;
        (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u128::from_str_radix(digits, 16).ok())
            .flatten()
            .map(Self)
    }
}

impl fmt::Display for TicketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EVT-{:032X}", self.0)
    }
}

/// Keeps codes out of logs: whoever has one can go in.
impl fmt::Debug for TicketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketCode(…)")
    }
}

impl Serialize for TicketCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TicketCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a ticket code"))
    }
}

/// What the door is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Let them in.
    Admitted,
    /// Somebody came in with this ticket before.
    AlreadyAdmitted {
        /// When.
        at: Timestamp,
    },
    /// No ticket has this code.
    Invalid,
    /// The ticket's booking has ended.
    Cancelled,
    /// The ticket is for another event.
    WrongEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_are_written() {
        let code = TicketCode::new(0x00ff_0000_0000_0000_0000_0000_0000_0001);
        assert_eq!(TicketCode::parse(&format!(" {code}\n")), Some(code));
        assert_eq!(TicketCode::parse(&code.to_string().to_lowercase()), None);
        assert_eq!(TicketCode::parse("EVT-+0000000000000000000000000000001"), None);
    }

    #[test]
    fn a_log_does_not_let_anybody_in() {
        assert_eq!(format!("{:?}", TicketCode::new(1)), "TicketCode(…)");
    }
}
