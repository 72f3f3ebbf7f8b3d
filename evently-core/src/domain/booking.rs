//! A booking, from pending to its end, as a state machine.
//!
//! ```text
//! pending ──► confirmed ──► cancelled | refunded
//!    ├──────► expired ────► confirmed          (only by its own money, arriving late)
//!    │           └────────► cancelled          (so that its money, arriving late, goes back)
//!    └──────► cancelled
//! ```

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    event::{Event, RefundPolicy},
    id::{BookingId, EventId, PaymentId, UserId},
    money::Money,
    time::Timestamp,
};

/// One customer's claim on seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// The booking's id.
    pub id: BookingId,
    /// The event whose seats it claims.
    pub event_id: EventId,
    /// Whose it is.
    pub user_id: UserId,
    /// The seats, in the order of their numbers, with the price they were taken at.
    pub seats: Vec<BookedSeat>,
    /// The sum of those prices.
    pub total: Money,
    /// The event's terms of refunds as they were when it was held; none of bookings that were made before these were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunds: Option<RefundPolicy>,
    /// What people say on the telephone; given when it is first confirmed, and kept.
    pub code: Option<BookingCode>,
    /// Where it stands.
    pub state: BookingState,
    /// When it began.
    pub created_at: Timestamp,
    /// Counts its transitions, from 1.
    pub version: u32,
}

/// A seat of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedSeat {
    /// The seat's number in the event's layout.
    pub number: u32,
    /// In minor units of the event's currency.
    pub price: i64,
}

/// Where a booking stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingState {
    /// Its seats are reserved.
    Pending(Hold),
    /// It is paid, and has a ticket for each seat.
    Confirmed {
        /// The payment that paid for it; none where nothing was due.
        payment: Option<PaymentId>,
        /// When it was confirmed.
        at: Timestamp,
    },
    /// Its hold ran out.
    Expired,
    /// It was given up, and no money goes back.
    Cancelled,
    /// It was given up, and money goes back.
    Refunded,
}

/// How long a pending booking keeps its seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Until then without a payment.
    pub until: Timestamp,
    /// The payment that is under way, and how long it keeps the hold alive.
    pub payment: Option<(PaymentId, Timestamp)>,
}

impl Hold {
    /// The first instant at which the seats are no longer reserved.
    pub fn expires_at(&self) -> Timestamp {
        self.payment.map_or(self.until, |(_, until)| until.max(self.until))
    }

    /// Whether the seats are still reserved at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }
}

/// How long holds last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTerms {
    /// From the hold, and again from each extension.
    pub ttl: Duration,
    /// From the hold; no extension goes beyond.
    pub cap: Duration,
    /// From the start of a payment. Of payments that follow one another the last is over by the cap and one window.
    pub payment_window: Duration,
}

impl Default for HoldTerms {
    /// Five minutes, thirty at most, and thirty for a payment.
    fn default() -> Self {
        Self { ttl: Duration::from_mins(5), cap: Duration::from_mins(30), payment_window: Duration::from_mins(30) }
    }
}

/// A booking's state without what it carries, as everybody names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingStatus {
    /// Its seats are reserved.
    Pending,
    /// It is paid.
    Confirmed,
    /// Its hold ran out.
    Expired,
    /// It was given up, and no money goes back.
    Cancelled,
    /// It was given up, and money goes back.
    Refunded,
}

impl BookingStatus {
    /// All statuses with their names.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("pending", Self::Pending),
        ("confirmed", Self::Confirmed),
        ("expired", Self::Expired),
        ("cancelled", Self::Cancelled),
        ("refunded", Self::Refunded),
    ];

    /// The status's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, status)| *status == self).map(|(name, _)| *name).expect("every status is listed")
    }

    /// Whether a booking in this state has its seats.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Confirmed)
    }

    /// Whether the machine has an edge from here to `to`.
    pub const fn may_become(self, to: Self) -> bool {
        matches!(
            (self, to),
            (Self::Pending, Self::Pending | Self::Confirmed | Self::Expired | Self::Cancelled)
                | (Self::Confirmed, Self::Cancelled | Self::Refunded)
                | (Self::Expired, Self::Confirmed | Self::Cancelled)
        )
    }
}

impl Booking {
    /// Where the booking stands, without what that carries.
    pub const fn status(&self) -> BookingStatus {
        match self.state {
            BookingState::Pending(_) => BookingStatus::Pending,
            BookingState::Confirmed { .. } => BookingStatus::Confirmed,
            BookingState::Expired => BookingStatus::Expired,
            BookingState::Cancelled => BookingStatus::Cancelled,
            BookingState::Refunded => BookingStatus::Refunded,
        }
    }

    /// The hold of a pending booking.
    pub const fn hold(&self) -> Option<&Hold> {
        if let BookingState::Pending(hold) = &self.state { Some(hold) } else { None }
    }

    /// How much of the price comes back when its customer gives it up at `now`: what it was held under or what the event says by
    /// then, whichever gives more. What it was held under ends with the event at the latest, which may have been moved to an
    /// earlier day. `Err` has when the later of them ended.
    pub fn refund_percent(&self, event: &Event, now: Timestamp) -> Result<u8, Timestamp> {
        let until_the_end = |terms: RefundPolicy| RefundPolicy { until: terms.until.min(event.details.end_time), ..terms };
        let kept = self.refunds.filter(|_| !planted!(ForgetsTerms)).map(until_the_end);
        let current = event.details.refunds;
        let terms = kept.into_iter().chain([current]);
        let percent = terms.clone().filter_map(|terms| terms.percent_at(now)).max();
        percent.ok_or_else(|| terms.fold(current.until, |until, terms| until.max(terms.until)))
    }

    /// The booking in its next state.
    #[must_use]
    pub fn into_state(self, state: BookingState) -> Self {
        Self { state, version: self.version + 1, ..self }
    }
}

/// What people say on the telephone: eight characters without look-alikes. For people; it opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BookingCode([u8; 8]);

/// No 0 and O, 1 and I and L, 2 and Z, 5 and S, 8 and B, U and V.
const CODE_ALPHABET: &[u8; 24] = b"34679ACDEFGHJKMNPQRTVWXY";

impl BookingCode {
    /// A code from random bits; about 110 thousand million different ones.
    pub fn new(mut bits: u64) -> Self {
        let base = CODE_ALPHABET.len() as u64;
        Self(std::array::from_fn(|_| {
            let digit = usize::try_from(bits % base).expect("the alphabet is short");
            bits /= base;
            CODE_ALPHABET[digit]
        }))
    }

    /// Reads a code as a person types it: any case, with or without spaces and dashes.
    pub fn parse(text: &str) -> Option<Self> {
        let typed = text.bytes().filter(|b| !matches!(b, b' ' | b'-')).map(|b| b.to_ascii_uppercase()).collect::<Vec<_>>();
        let code = <[u8; 8]>::try_from(typed).ok()?;
        code.iter().all(|b| CODE_ALPHABET.contains(b)).then_some(Self(code))
    }

    /// The eight characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl fmt::Display for BookingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BookingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for BookingCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BookingCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a booking code"))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::story::Story;

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = BookingCode::new(u64::MAX);
        let typed = format!("{}-{}", &code.as_str()[..4].to_lowercase(), &code.as_str()[4..]);
        assert_eq!(BookingCode::parse(&typed), Some(code));
        assert_eq!(BookingCode::parse("O0O0O0O0"), None);
        assert_eq!(BookingCode::parse("3467"), None);
    }

    #[test]
    fn the_machine_has_these_edges_and_no_others() {
        use BookingStatus::{Cancelled, Confirmed, Expired, Pending, Refunded};
        let edges = [
            (Pending, Pending),
            (Pending, Confirmed),
            (Pending, Expired),
            (Pending, Cancelled),
            (Confirmed, Cancelled),
            (Confirmed, Refunded),
            (Expired, Confirmed),
            (Expired, Cancelled),
        ];
        for (_, from) in BookingStatus::NAMES {
            for (_, to) in BookingStatus::NAMES {
                assert_eq!(from.may_become(to), edges.contains(&(from, to)), "{} to {}", from.name(), to.name());
            }
        }
    }

    #[test]
    fn a_status_is_called_what_it_is() {
        assert_eq!(BookingStatus::NAMES.map(|(_, status)| status.name()), BookingStatus::NAMES.map(|(name, _)| name));
    }

    #[test]
    fn what_comes_back_is_the_better_of_two_terms_at_the_time() {
        let at = Timestamp::from_secs;
        let terms = |until, percent| RefundPolicy { until: at(until), percent };
        let mut records = Story::tell().records;
        let (mut booking, mut event) = (records.bookings.remove(0), records.event);
        for (kept, current, now, expected) in [
            (Some(terms(100, 50)), terms(100, 20), 99, Ok(50)),
            (Some(terms(100, 20)), terms(100, 50), 99, Ok(50)),
            (Some(terms(100, 50)), terms(200, 20), 100, Ok(20)),
            (Some(terms(200, 20)), terms(100, 50), 100, Ok(20)),
            (Some(terms(200, 0)), terms(100, 50), 199, Ok(0)),
            (Some(terms(200, 20)), terms(100, 50), 200, Err(at(200))),
            (Some(terms(100, 20)), terms(200, 50), 200, Err(at(200))),
            (None, terms(100, 50), 99, Ok(50)),
            (None, terms(100, 50), 100, Err(at(100))),
        ] {
            (booking.refunds, event.details.refunds) = (kept, current);
            assert_eq!(booking.refund_percent(&event, at(now)), expected, "{kept:?} and {current:?} at {now}");
        }
    }

    #[test]
    fn what_was_promised_ends_with_the_event_wherever_it_was_moved() {
        let at = Timestamp::from_secs;
        let mut records = Story::tell().records;
        let (mut booking, mut event) = (records.bookings.remove(0), records.event);
        booking.refunds = Some(RefundPolicy { until: at(300), percent: 50 });
        for (end, current, now, expected) in [
            (100, 50, 99, Ok(50)),
            (100, 50, 100, Err(at(100))),
            (100, 120, 119, Ok(20)),
            (400, 50, 299, Ok(50)),
            (400, 50, 300, Err(at(300))),
        ] {
            event.details.end_time = at(end);
            event.details.refunds = RefundPolicy { until: at(current), percent: 20 };
            let said = format!("it ends at {end}, the event's own terms at {current}, and it is {now}");
            assert_eq!(booking.refund_percent(&event, at(now)), expected, "{said}");
        }
    }

    #[test]
    fn a_code_is_shown_as_it_is_read() {
        let code = BookingCode::parse("3467-9acd").expect("all of its signs are in the alphabet");
        assert_eq!((code.to_string(), format!("{code:?}")), ("34679ACD".to_owned(), "34679ACD".to_owned()));
    }

    #[test]
    fn a_hold_ends_at_the_later_of_its_two_timers_and_not_before() {
        let at = Timestamp::from_secs;
        let payment = PaymentId::from_uuid(Uuid::nil());
        let hold = Hold { until: at(300), payment: None };
        assert!(hold.is_live(at(299)) && !hold.is_live(at(300)));
        let paying = Hold { payment: Some((payment, at(1800))), ..hold };
        assert!(paying.is_live(at(1799)) && !paying.is_live(at(1800)));
    }
}
