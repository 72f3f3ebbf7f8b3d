//! What the domain's errors are over HTTP. Every variant is named, so that a new one is decided on here.

use std::error::Error;

use evently_core::{
    domain::{BookingStatus, NotOnSale, Rejection},
    ports::{GatewayUnavailable, PasswordsBusy, StoreError, StoreErrorKind, TokenError, WebhookError},
};

use super::{Code, NOT_KNOWN, Problem};

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            Rejection::NotFound(thing) => Self::not_found(thing),
            Rejection::Invalid(invalid) => invalid.into(),
            Rejection::SeatsUnavailable(seats) => Self::seats_unavailable(detail, seats),
            Rejection::TooManySeats(_) => Self::new(Code::TooManySeats, detail),
            Rejection::NotOnSale(why) => why.into(),
            Rejection::NotPending(status) => Self::new(not_pending(status), detail),
            Rejection::StatusChanged(status) => Self::booking_changed(detail, status),
            Rejection::HoldExpired => Self::new(Code::BookingExpired, detail),
            Rejection::ExtensionLimit(_) => Self::new(Code::ExtensionLimit, detail),
            Rejection::PaymentInProgress => Self::new(Code::RequestInFlight, detail),
            Rejection::CancellationClosed(_) => Self::new(Code::CancellationClosed, detail),
            Rejection::TicketUsed => Self::new(Code::TicketUsed, detail),
            Rejection::EventCancelled => Self::new(Code::EventCancelled, detail),
            Rejection::KeyReused => Self::new(Code::IdempotencyKeyReused, detail),
        }
    }
}

/// A hold that has run out is told as such, whether or not its booking has been moved on yet.
const fn not_pending(status: BookingStatus) -> Code {
    match status {
        BookingStatus::Expired => Code::BookingExpired,
        BookingStatus::Pending | BookingStatus::Confirmed | BookingStatus::Cancelled | BookingStatus::Refunded => {
            Code::BookingNotPending
        }
    }
}

impl From<NotOnSale> for Problem {
    fn from(why: NotOnSale) -> Self {
        match why {
            NotOnSale::Draft | NotOnSale::Cancelled | NotOnSale::NotYet(_) | NotOnSale::Over(_) => {
                Self::new(Code::EventNotOnSale, why.to_string())
            }
        }
    }
}

/// The cause is for the log alone, and this is where it gets there.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        match error.kind() {
            StoreErrorKind::Unavailable => {
                tracing::warn!(%error, cause, "the store did not answer");
                Self::new(Code::StoreUnavailable, "nothing was done; try again in a moment")
            }
            StoreErrorKind::InDoubt => {
                tracing::warn!(%error, cause, "the store went away while it committed");
                Self::new(Code::StoreUnavailable, NOT_KNOWN)
            }
            StoreErrorKind::Contended => {
                tracing::warn!(%error, cause, "the store was contended for too long");
                Self::overloaded()
            }
            StoreErrorKind::Corrupt => {
                tracing::error!(%error, cause, "the store holds something that cannot be");
                Self::internal()
            }
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::new(Code::TokenExpired, "refresh it, or log in again"),
            TokenError::Invalid => Self::new(Code::TokenInvalid, "log in to get one"),
        }
    }
}

impl From<PasswordsBusy> for Problem {
    fn from(_: PasswordsBusy) -> Self {
        Self::overloaded()
    }
}

impl From<GatewayUnavailable> for Problem {
    fn from(GatewayUnavailable(cause): GatewayUnavailable) -> Self {
        tracing::warn!(cause, "the payment gateway did not answer");
        Self::new(Code::GatewayUnavailable, "nothing is lost: what became of the payment will show in its booking")
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Signature | WebhookError::Stale => Self::new(Code::SignatureInvalid, error.to_string()),
            WebhookError::Unreadable(_) => Self::new(Code::MalformedJson, "the message is signed and yet cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use evently_core::domain::{SeatLimit, Thing, Timestamp};

    use super::*;

    #[test]
    fn rejections_have_the_codes_of_the_contract() {
        let at = Timestamp::from_secs(0);
        let expected = [
            (Rejection::NotFound(Thing::Booking), "not_found"),
            (Rejection::SeatsUnavailable(Vec::new()), "seats_unavailable"),
            (Rejection::TooManySeats(SeatLimit::PerBooking { max: 4 }), "too_many_seats"),
            (Rejection::NotOnSale(NotOnSale::Over(at)), "event_not_on_sale"),
            (Rejection::NotPending(BookingStatus::Confirmed), "booking_not_pending"),
            (Rejection::NotPending(BookingStatus::Expired), "booking_expired"),
            (Rejection::StatusChanged(BookingStatus::Expired), "booking_changed"),
            (Rejection::HoldExpired, "booking_expired"),
            (Rejection::ExtensionLimit(at), "extension_limit"),
            (Rejection::PaymentInProgress, "request_in_flight"),
            (Rejection::CancellationClosed(at), "cancellation_closed"),
            (Rejection::TicketUsed, "ticket_used"),
            (Rejection::EventCancelled, "event_cancelled"),
            (Rejection::KeyReused, "idempotency_key_reused"),
        ];
        for (rejection, word) in expected {
            assert_eq!(Problem::from(rejection).code().word(), word);
        }
    }

    /// Nor that nothing was done, where that is not known.
    #[test]
    fn the_cause_of_a_failure_is_not_told() {
        for (kind, code, nothing_was_done) in [
            (StoreErrorKind::Unavailable, Code::StoreUnavailable, true),
            (StoreErrorKind::Contended, Code::Overloaded, true),
            (StoreErrorKind::InDoubt, Code::StoreUnavailable, false),
            (StoreErrorKind::Corrupt, Code::Internal, false),
        ] {
            let problem = Problem::from(StoreError::new(kind, "apply", "near \"seletc\": syntax error"));
            assert!(!format!("{problem:?}").contains("seletc"));
            assert_eq!(
                (problem.code(), format!("{problem:?}").contains("nothing was done")),
                (code, nothing_was_done),
                "{kind:?}"
            );
        }
    }
}
