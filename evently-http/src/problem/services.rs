//! What the errors of the services mean.

use evently_core::services::{AuthError, Error};

use super::{Code, Problem};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => rejection.into(),
            Error::RejectedBefore(rejection) => Self::from(rejection).replayed(true),
            Error::Forbidden => Self::forbidden(),
            Error::InFlight => Self::in_flight(),
            Error::Overloaded => Self::overloaded(),
            Error::Webhook(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let detail = error.to_string();
        match error {
            AuthError::InvalidCredentials => Self::new(Code::InvalidCredentials, detail),
            AuthError::EmailTaken => Self::new(Code::EmailTaken, detail),
            AuthError::TokenExpired => Self::new(Code::TokenExpired, "refresh it, or log in again"),
            AuthError::TokenInvalid => Self::new(Code::TokenInvalid, "log in to get one"),
            AuthError::RefreshTokenReused => Self::new(Code::RefreshTokenReused, detail),
            AuthError::Invalid(invalid) => invalid.into(),
            AuthError::Busy(busy) => busy.into(),
            AuthError::Store(error) => error.into(),
        }
    }
}
