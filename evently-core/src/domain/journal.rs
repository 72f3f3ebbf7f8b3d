//! The journal: every transition of an event, its seats and its bookings, kept for good.
//!
//! It is written in the transaction that makes the change, so that folding it gives exactly the rows that stand. It is also
//! what leaves the system: the outbox hands its entries on, in order.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    account::Role,
    booking::BookingStatus,
    event::Stage,
    id::{BookingId, EventId, PaymentId, RefundId, TicketId, UserId},
    seat::SeatStatus,
    time::Timestamp,
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The event it happened at.
    #[serde(rename = "e")]
    pub event_id: EventId,
    /// When.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// Who did it.
    #[serde(rename = "a")]
    pub actor: Actor,
    /// What.
    #[serde(rename = "f")]
    pub fact: Fact,
    /// Why, where there is more to say: a stable word, or what a person typed.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The seats that changed with it.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<SeatStep>,
}

/// Who makes something happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Somebody with an account, in the role they had then.
    User(UserId, Role),
    /// The payment gateway.
    Gateway,
    /// Evently itself: a timer, or the consequence of something else.
    System,
}

impl Actor {
    /// The actor's kind as it is shown to customers.
    pub fn name(self) -> &'static str {
        match self {
            Self::User(_, role) => role.name(),
            Self::Gateway => "gateway",
            Self::System => "system",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The event was made, edited, published or cancelled.
    Event {
        /// The stage it is in now.
        stage: Stage,
        /// The event's version after it.
        version: u32,
        /// When it ends, as it says now. Nothing in an entry of an earlier version of Evently.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end_time: Option<Timestamp>,
    },
    /// The house blocked or unblocked seats.
    House {
        /// What the seats are now.
        to: SeatStatus,
    },
    /// A booking went from one state to another, or to the same with another deadline.
    Booking {
        /// The booking.
        id: BookingId,
        /// Whose it is.
        user_id: UserId,
        /// Where it stood; nothing for a new one.
        from: Option<BookingStatus>,
        /// Where it stands.
        to: BookingStatus,
        /// The booking's version after it.
        version: u32,
    },
    /// A gateway has captured money.
    Captured {
        /// The payment.
        payment_id: PaymentId,
        /// The booking it was for.
        booking_id: BookingId,
        /// In minor units.
        amount: i64,
    },
    /// Money is owed back.
    RefundDue {
        /// The refund.
        refund_id: RefundId,
        /// The payment it comes from.
        payment_id: PaymentId,
        /// The booking that was for.
        booking_id: BookingId,
        /// In minor units.
        amount: i64,
    },
    /// A gateway has sent money back.
    RefundSent {
        /// The refund.
        refund_id: RefundId,
        /// The booking it was for.
        booking_id: BookingId,
    },
    /// A ticket was used at the door.
    CheckedIn {
        /// The ticket.
        ticket_id: TicketId,
        /// Its booking.
        booking_id: BookingId,
        /// The number of its seat.
        seat: u32,
    },
}

/// What became of one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatStep {
    /// The seat's number in its layout.
    #[serde(rename = "n")]
    pub number: u32,
    /// The seat's version after it.
    #[serde(rename = "v")]
    pub version: u32,
    /// What the seat is now.
    #[serde(rename = "to")]
    pub status: SeatStatus,
    /// What it was taken at, in minor units; nothing where no booking is concerned.
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub price: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(price: &i64) -> bool {
    *price == 0
}

impl Transition {
    /// The booking it concerns.
    pub const fn booking_id(&self) -> Option<BookingId> {
        match self.fact {
            Fact::Booking { id, .. } => Some(id),
            Fact::Captured { booking_id, .. }
            | Fact::RefundDue { booking_id, .. }
            | Fact::RefundSent { booking_id, .. }
            | Fact::CheckedIn { booking_id, .. } => Some(booking_id),
            Fact::Event { .. } | Fact::House { .. } => None,
        }
    }
}

/// The fingerprint of the journal up to some entry. It covers every entry before it, so that none can be altered, taken out or
/// put in without its being seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// The fingerprint after one more entry, given as the store keeps it.
    #[must_use]
    pub fn then(self, entry: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(entry).finalize().into())
    }
}

/// An entry of the journal with its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts the journal's entries, from 1, in the order in which they were committed.
    pub position: u64,
    /// What happened.
    pub transition: Transition,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_acts_has_a_name() {
        let user = UserId::from_uuid(uuid::Uuid::nil());
        let names = [Actor::User(user, Role::Staff), Actor::Gateway, Actor::System].map(Actor::name);
        assert_eq!(names, ["staff", "gateway", "system"]);
    }

    #[test]
    fn a_seat_that_was_taken_at_a_price_is_kept_with_it() {
        for (price, json) in [(4500, r#"{"n":3,"v":1,"to":"reserved","p":4500}"#), (0, r#"{"n":3,"v":1,"to":"reserved"}"#)] {
            let step = SeatStep { number: 3, version: 1, status: SeatStatus::Reserved, price };
            assert_eq!(serde_json::to_string(&step).unwrap(), json);
            assert_eq!(serde_json::from_str::<SeatStep>(json).unwrap(), step);
        }
    }

    /// SHA-256 of the fingerprint before and the entry, as `sha256sum` says.
    #[test]
    fn a_fingerprint_follows_from_the_one_before_and_the_entry() {
        let first = ChainHash::default().then(b"one");
        let half = |half: &[u8]| u128::from_be_bytes(half.try_into().unwrap());
        let hex = |hash: ChainHash| format!("{:032x}{:032x}", half(&hash.0[..16]), half(&hash.0[16..]));
        assert_eq!(hex(first), "4e233ba6ac7032d3894ecea5974fd96176e564b024af45747eb46357af8d2401");
        assert_eq!(hex(first.then(b"two")), "b9f0cc527d38ea48d83c4c438121181ab01d99e83415306be2ac88792c40a8f3");
    }
}
