//! The stable words for what goes wrong, and their statuses.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $status:ident $word:literal $title:literal)+) => {
        /// A stable word for what went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)+ }
            }

            /// The status that the answer has.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// The same for every such error.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or nested too deeply.
    MalformedJson = BAD_REQUEST "malformed_json" "The body cannot be read"
    /// A header that is needed cannot be read.
    MalformedHeader = BAD_REQUEST "malformed_header" "A header cannot be read"
    /// A message that a gateway did not sign, or too long ago.
    SignatureInvalid = BAD_REQUEST "signature_invalid" "The signature is not right"
    /// The e-mail address or the password is wrong.
    InvalidCredentials = UNAUTHORIZED "invalid_credentials" "The e-mail address or the password is wrong"
    /// The access token was good once.
    TokenExpired = UNAUTHORIZED "token_expired" "The access token has expired"
    /// The token is missing or none of ours.
    TokenInvalid = UNAUTHORIZED "token_invalid" "A valid token is needed"
    /// A refresh token came a second time; its login is over.
    RefreshTokenReused = UNAUTHORIZED "refresh_token_reused" "The refresh token had been used"
    /// The money was refused.
    PaymentDeclined = PAYMENT_REQUIRED "payment_declined" "The payment was declined"
    /// The account may not do this.
    Forbidden = FORBIDDEN "forbidden" "This account may not do that"
    /// There is no such thing, or the caller may not know of it.
    NotFound = NOT_FOUND "not_found" "There is no such thing"
    /// The path is there, for other methods.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "This path has no such method"
    /// Nothing that the client takes can be made.
    NotAcceptable = NOT_ACCEPTABLE "not_acceptable" "There is no such representation"
    /// The client took too long to send its request.
    RequestTimeout = REQUEST_TIMEOUT "request_timeout" "The request took too long to arrive"
    /// Somebody else has some of the seats.
    SeatsUnavailable = CONFLICT "seats_unavailable" "Some seats are not available"
    /// The booking is past the state that this needs.
    BookingNotPending = CONFLICT "booking_not_pending" "The booking is not pending"
    /// The booking is something else by now than the client took it for.
    BookingChanged = CONFLICT "booking_changed" "The booking has changed"
    /// The hold has run out.
    BookingExpired = CONFLICT "booking_expired" "The booking has expired"
    /// The event cannot be booked now.
    EventNotOnSale = CONFLICT "event_not_on_sale" "The event is not on sale"
    /// The event has been called off.
    EventCancelled = CONFLICT "event_cancelled" "The event has been cancelled"
    /// The hold cannot be made longer.
    ExtensionLimit = CONFLICT "extension_limit" "The hold cannot be extended further"
    /// The same request, or a payment, is still under way.
    RequestInFlight = CONFLICT "request_in_flight" "An earlier request is still being processed"
    /// The address has an account.
    EmailTaken = CONFLICT "email_taken" "There is an account with this e-mail address"
    /// It is too late to cancel.
    CancellationClosed = CONFLICT "cancellation_closed" "It is too late to cancel"
    /// Somebody is in with one of the tickets.
    TicketUsed = CONFLICT "ticket_used" "A ticket has been used"
    /// More bytes than are taken.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large" "The body is too large"
    /// A body of a kind that is not taken.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" "The body is of the wrong kind"
    /// Some fields are not what they must be.
    ValidationFailed = UNPROCESSABLE_ENTITY "validation_failed" "Something in the request is not right"
    /// The key was used for another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency_key_reused" "The idempotency key was used for another request"
    /// More seats than the event allows.
    TooManySeats = UNPROCESSABLE_ENTITY "too_many_seats" "Too many seats"
    /// The client has asked too often.
    RateLimited = TOO_MANY_REQUESTS "rate_limited" "Too many requests"
    /// A bug, or a store that holds what cannot be.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side"
    /// Too much to do; nothing was done, unless the detail says that it is not known.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "The service is busy"
    /// The store is away; nothing was done, unless the detail says that it is not known.
    StoreUnavailable = SERVICE_UNAVAILABLE "store_unavailable" "The store is unavailable"
    /// The payment gateway does not answer.
    GatewayUnavailable = SERVICE_UNAVAILABLE "gateway_unavailable" "The payment gateway does not answer"
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_its_own_word() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }

    /// Clients go by both.
    #[test]
    fn every_code_has_the_status_of_the_contract() {
        let contract: &[(u16, &[&str])] = &[
            (400, &["malformed_json", "malformed_header", "signature_invalid"]),
            (401, &["invalid_credentials", "token_expired", "token_invalid", "refresh_token_reused"]),
            (402, &["payment_declined"]),
            (403, &["forbidden"]),
            (404, &["not_found"]),
            (405, &["method_not_allowed"]),
            (406, &["not_acceptable"]),
            (408, &["request_timeout"]),
            (
                409,
                &[
                    "seats_unavailable",
                    "booking_not_pending",
                    "booking_changed",
                    "booking_expired",
                    "event_not_on_sale",
                    "event_cancelled",
                    "extension_limit",
                    "request_in_flight",
                    "email_taken",
                    "cancellation_closed",
                    "ticket_used",
                ],
            ),
            (413, &["body_too_large"]),
            (415, &["unsupported_media_type"]),
            (422, &["validation_failed", "idempotency_key_reused", "too_many_seats"]),
            (429, &["rate_limited"]),
            (500, &["internal"]),
            (503, &["overloaded", "store_unavailable", "gateway_unavailable"]),
        ];
        let expected = contract.iter().flat_map(|(status, words)| words.iter().map(|word| (*status, *word)));
        let codes = Code::ALL.iter().map(|code| (code.status().as_u16(), code.word()));
        assert_eq!(codes.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
