//! Everything that can be asked of the store, what it answers, and why it may say no.
//!
//! All of it goes through one door, `Bookings::apply`. What is sold in other ways later (counted places, vouchers,
//! allocations) is another command here and another arm in [`decide`](super::decide), and needs no new way in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    booking::{Booking, BookingStatus, HoldTerms},
    event::{Event, EventChange, NotOnSale},
    id::{BookingId, EventId, PaymentId, RefundId, SeatId, UserId},
    invalid::Invalid,
    journal::Actor,
    layout::{Layout, Venue},
    payment::{GatewayReport, Payment},
    seat::SeatStatus,
    ticket::{Admission, Ticket, TicketCode},
    time::Timestamp,
};

/// A command, who gives it, and the key under which its answer is kept.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub actor: Actor,
    /// Makes a repetition get the first answer again.
    pub key: Option<RequestKey>,
    /// What is asked.
    pub command: Command,
}

impl Request {
    /// A request without a key.
    pub const fn new(actor: Actor, command: Command) -> Self {
        Self { actor, key: None, command }
    }

    /// The same request, whose answer is kept under `key`.
    #[must_use]
    pub fn with_key(self, key: Option<RequestKey>) -> Self {
        Self { key, ..self }
    }
}

/// What tells a repeated request from a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// A digest of who asked for what under which key.
    pub id: [u8; 32],
    /// A digest of the request's content: the same key with another content is a mistake.
    pub fingerprint: [u8; 32],
}

impl RequestKey {
    /// A key within `scope`, such as user, method and path, for a request with this content.
    pub fn new(scope: &[&str], key: &str, content: &[u8]) -> Self {
        let mut id = Sha256::new();
        for part in scope.iter().chain([&key]) {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            id.update((part.len() as u64).to_le_bytes());
            id.update(part);
        }
        Self { id: id.finalize().into(), fingerprint: Sha256::digest(content).into() }
    }
}

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Adds a venue with its layout. Neither id may have been used.
    CreateVenue {
        /// The venue.
        venue: Venue,
        /// Its layout; `venue.layout_id` names it.
        layout: Arc<Layout>,
    },
    /// Adds an event with a seat for each of the layout's, all available. Its id may not have been used.
    CreateEvent {
        /// The event, a draft.
        event: Arc<Event>,
        /// The category of each seat, in layout order.
        seats: Arc<[u16]>,
    },
    /// Changes what of an event may be changed.
    EditEvent {
        /// The event.
        event_id: EventId,
        /// What of it, and to what. All else stays as it is by then (but see [`EventChange`]): somebody else may change that at
        /// the same time.
        change: EventChange,
    },
    /// Puts an event where everybody sees it.
    PublishEvent {
        /// The event.
        event_id: EventId,
    },
    /// Calls an event off. Its bookings are then cancelled one by one.
    CancelEvent {
        /// The event.
        event_id: EventId,
        /// Why, for the buyers.
        reason: Option<String>,
    },
    /// Reserves seats, all or none, in a new booking.
    Hold {
        /// The new booking's id. Whoever asks for the same hold again with it gets the booking as it is then.
        booking_id: BookingId,
        /// The event.
        event_id: EventId,
        /// Whose the booking will be.
        user_id: UserId,
        /// The seats, in any order.
        seats: Vec<SeatId>,
        /// How long it lasts.
        terms: HoldTerms,
    },
    /// Starts the hold's time anew.
    Extend {
        /// The booking.
        booking_id: BookingId,
        /// How long it lasts then.
        terms: HoldTerms,
    },
    /// Begins a payment, and keeps the hold alive while it lasts. The gateway is asked afterwards.
    StartPayment {
        /// The new payment's id. Whoever starts the same payment again with it gets the payment as it is then.
        payment_id: PaymentId,
        /// The booking.
        booking_id: BookingId,
        /// The name of the gateway that will be asked.
        provider: String,
        /// How long it may last.
        terms: HoldTerms,
    },
    /// Takes in what a gateway says of a payment, and confirms its booking when the money is there.
    SettlePayment {
        /// The payment.
        payment_id: PaymentId,
        /// What the gateway says.
        report: GatewayReport,
        /// What the gateway calls the payment.
        reference: Option<String>,
        /// The gateway's id for this message; a second one with it does nothing.
        message: Option<String>,
        /// Seats of the same kind to take if the booking has expired and its own are gone.
        instead: Vec<u32>,
        /// How long the hold lasts after a refusal.
        terms: HoldTerms,
        /// The key under which the payment began: whoever repeats that request now gets this answer.
        answers: Option<RequestKey>,
    },
    /// Confirms a booking whose money was taken outside of any gateway, at a counter for instance.
    Confirm {
        /// The booking.
        booking_id: BookingId,
        /// The id of the payment that is written down for it, once: asked for again it is that payment.
        payment_id: PaymentId,
        /// What the money is called there.
        reference: Option<String>,
    },
    /// Gives a booking up.
    Cancel {
        /// The booking.
        booking_id: BookingId,
        /// What whoever asks takes it for; nothing where they mean it in any case. What giving it up does follows from that.
        expected: Option<BookingStatus>,
        /// Why.
        reason: Option<String>,
    },
    /// Ends a booking whose hold has run out.
    Expire {
        /// The booking.
        booking_id: BookingId,
    },
    /// Writes down that a gateway has sent money back.
    SettleRefund {
        /// The refund.
        refund_id: RefundId,
    },
    /// Takes seats out of sale, all or none.
    Block {
        /// The event.
        event_id: EventId,
        /// The seats.
        seats: Vec<SeatId>,
    },
    /// Puts blocked seats back on sale, all or none.
    Unblock {
        /// The event.
        event_id: EventId,
        /// The seats.
        seats: Vec<SeatId>,
    },
    /// Uses a ticket at the door.
    CheckIn {
        /// What the door read.
        code: TicketCode,
        /// The events whose tickets this door admits; nothing for all of them.
        event_id: Option<EventId>,
    },
}

/// What is answered to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// When it was decided.
    pub at: Timestamp,
    /// Whether it was decided for an earlier request with the same key.
    #[serde(skip)]
    pub replayed: bool,
    /// What was decided.
    pub result: Result<Outcome, Rejection>,
}

/// What became of a command that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The venue that was added.
    Venue(Venue),
    /// The event as it is now.
    Event(Arc<Event>),
    /// The booking as it is now.
    Booking(Booking),
    /// A payment has begun; the gateway is yet to be asked.
    PaymentStarted(Payment, Booking),
    /// The payment and its booking as they are now.
    Payment(Payment, Booking),
    /// The refund was written down.
    Refunded(RefundId),
    /// The seats that changed, and what they are now.
    Seats(EventId, Vec<SeatId>, SeatStatus),
    /// What the door is told, with the ticket if there is one.
    CheckIn(Admission, Option<Ticket>),
}

/// Why a command was refused. A refusal leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no such {0}")]
    NotFound(Thing),
    /// Something in the request is not what it must be.
    #[error(transparent)]
    Invalid(Invalid),
    /// Somebody else has some of the seats.
    #[error("{}", in_the_way(.0))]
    SeatsUnavailable(Vec<(SeatId, SeatStatus)>),
    /// More seats than the event allows.
    #[error("{}", too_many(*.0))]
    TooManySeats(SeatLimit),
    /// The event cannot be booked now.
    #[error(transparent)]
    NotOnSale(NotOnSale),
    /// The booking is past the state that this needs.
    #[error("the booking is {}", .0.name())]
    NotPending(BookingStatus),
    /// The booking is something else by now than whoever asked took it for.
    #[error("the booking is {} by now; nothing was changed", .0.name())]
    StatusChanged(BookingStatus),
    /// The hold has run out.
    #[error("the hold has run out")]
    HoldExpired,
    /// The hold cannot be made longer.
    #[error("the hold cannot last beyond {0}")]
    ExtensionLimit(Timestamp),
    /// A payment for the booking is being decided.
    #[error("a payment for this booking is being processed; when that is over, ask again, as a new request")]
    PaymentInProgress,
    /// It is too late to cancel.
    #[error("the booking could be cancelled until {0}")]
    CancellationClosed(Timestamp),
    /// Somebody is in with one of the booking's tickets.
    #[error("a ticket of the booking has been used")]
    TicketUsed,
    /// The event has been called off.
    #[error("the event has been cancelled")]
    EventCancelled,
    /// The key was used for another request.
    #[error("this idempotency key was used for another request; use a new key for each new request")]
    KeyReused,
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Thing {
    Venue,
    Event,
    Booking,
    Payment,
    Refund,
    User,
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Venue => "venue",
            Self::Event => "event",
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::User => "user",
        })
    }
}

/// Which limit a hold goes beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatLimit {
    /// Seats in one booking.
    PerBooking {
        /// The most there may be.
        max: u32,
    },
    /// Seats that one customer has on hold at the event.
    Held {
        /// The most there may be.
        max: u32,
        /// What the customer has on hold already.
        held: u32,
    },
}

fn too_many(limit: SeatLimit) -> String {
    match limit {
        SeatLimit::PerBooking { max } => format!("a booking for this event may have at most {max} seats"),
        SeatLimit::Held { max, held } => {
            format!("at most {max} seats of this event may be on hold at a time, and {held} already are")
        }
    }
}

fn in_the_way(seats: &[(SeatId, SeatStatus)]) -> String {
    match seats {
        [(_, status)] => format!("one of the seats is {}", status.name()),
        _ => format!("{} of the seats are not available", seats.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LayoutId;

    /// Whoever was refused reads these.
    #[test]
    fn refusals_say_what_is_wrong() {
        let layout = LayoutId::from_uuid(uuid::Uuid::nil());
        let taken = |seats: &[(u32, SeatStatus)]| {
            Rejection::SeatsUnavailable(seats.iter().map(|(number, status)| (layout.seat(*number), *status)).collect())
        };
        for (rejection, said) in [
            (Rejection::NotFound(Thing::Event), "there is no such event"),
            (Rejection::NotFound(Thing::Booking), "there is no such booking"),
            (taken(&[(3, SeatStatus::Booked)]), "one of the seats is booked"),
            (taken(&[(3, SeatStatus::Booked), (4, SeatStatus::Reserved)]), "2 of the seats are not available"),
            (Rejection::TooManySeats(SeatLimit::PerBooking { max: 4 }), "a booking for this event may have at most 4 seats"),
            (
                Rejection::TooManySeats(SeatLimit::Held { max: 10, held: 9 }),
                "at most 10 seats of this event may be on hold at a time, and 9 already are",
            ),
            (Rejection::NotPending(BookingStatus::Cancelled), "the booking is cancelled"),
            (Rejection::StatusChanged(BookingStatus::Confirmed), "the booking is confirmed by now; nothing was changed"),
        ] {
            assert_eq!(rejection.to_string(), said);
        }
    }
}
