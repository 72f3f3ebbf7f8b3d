//! Why a command did not do what it was told: a line, its causes, and what helps.

use std::{error::Error, fmt, io, path::Path, process::ExitCode};

use evently_core::{
    domain::Rejection,
    ports::{StoreError, StoreErrorKind},
    services::{AuthError, Error as ServiceError},
};

/// The exit code of what was said wrongly.
pub const USAGE: u8 = 2;
const NO: u8 = 1;
const AWAY: u8 = 3;
const IN_DOUBT: u8 = 4;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The answer is no.
    pub fn no(message: impl fmt::Display) -> Self {
        Self::new(NO, message)
    }

    /// The command line, the configuration or an input is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(USAGE, message)
    }

    /// Something that is needed is not there.
    pub fn away(message: impl fmt::Display) -> Self {
        Self::new(AWAY, message)
    }

    fn new(code: u8, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), hint: None }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::away(format_args!("{}: {error}", path.display()))
    }

    /// The same failure with its causes behind it.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let said = error.to_string();
            if !self.message.contains(&said) {
                self.message = format!("{}: {said}", self.message);
            }
            cause = error.source();
        }
        self
    }

    /// The same failure of the second step, with what the first one has done before it. It is never one to try again: that would do the
    /// first step twice.
    #[must_use]
    pub fn after(self, done: impl fmt::Display) -> Self {
        Self { code: NO, message: format!("{done}: {}", self.message), ..self }
    }

    /// The same failure with what helps.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// A line for the error, whatever it consists of, and one for the hint.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message.replace('\n', "\n       "))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = match error.kind() {
            StoreErrorKind::Corrupt => Self::no(&error).hint("`evently verify` says what is wrong with the store"),
            StoreErrorKind::Contended => Self::away(&error).hint("somebody else kept the store busy; try again"),
            StoreErrorKind::InDoubt => Self::new(IN_DOUBT, &error).hint("it may have been done: look before trying again"),
            StoreErrorKind::Unavailable => {
                Self::away(&error).hint("try again; if it stays so, `evently doctor` looks for the reason")
            }
        };
        failure.because(&error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => error.into(),
            ServiceError::Rejected(Rejection::Invalid(_)) | ServiceError::RejectedBefore(Rejection::Invalid(_)) => {
                Self::usage(error)
            }
            ServiceError::Overloaded | ServiceError::InFlight => Self::away(error).hint("try again in a moment"),
            ServiceError::Rejected(_) | ServiceError::RejectedBefore(_) | ServiceError::Forbidden | ServiceError::Webhook(_) => {
                Self::no(error)
            }
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Store(error) => error.into(),
            AuthError::Invalid(_) => Self::usage(error),
            AuthError::Busy(_) => Self::away(error).hint("try again in a moment"),
            _ => Self::no(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use evently_core::domain::Invalid;

    use super::*;

    #[test]
    fn causes_stand_in_one_line_and_none_twice() {
        let cause = io::Error::other("no space left");
        let error = StoreError::new(StoreErrorKind::Unavailable, "apply", cause);
        let text = Failure::from(error).to_string();
        assert_eq!(text.lines().next(), Some("error: apply: the store is unavailable: no space left"));
        assert!(text.lines().nth(1).unwrap().starts_with("hint: "));
    }

    /// Scripts go by it: they try again what was away, and not what was refused.
    #[test]
    fn what_was_away_ends_otherwise_than_what_was_refused() {
        let store = |kind| StoreError::new(kind, "apply", io::Error::other("for some reason"));
        let invalid = || Invalid::field("name", "too_long", "it is too long");
        for (failure, code, hint) in [
            (Failure::from(store(StoreErrorKind::Corrupt)), NO, "evently verify"),
            (store(StoreErrorKind::Contended).into(), AWAY, "try again"),
            (store(StoreErrorKind::InDoubt).into(), IN_DOUBT, "look before trying again"),
            (ServiceError::Store(store(StoreErrorKind::Unavailable)).into(), AWAY, "evently doctor"),
            (AuthError::Store(store(StoreErrorKind::Unavailable)).into(), AWAY, "evently doctor"),
            (ServiceError::Overloaded.into(), AWAY, "try again"),
            (ServiceError::InFlight.into(), AWAY, "try again"),
            (ServiceError::Forbidden.into(), NO, ""),
            (ServiceError::Rejected(Rejection::KeyReused).into(), NO, ""),
            (ServiceError::Rejected(Rejection::Invalid(invalid())).into(), USAGE, ""),
            (ServiceError::RejectedBefore(Rejection::Invalid(invalid())).into(), USAGE, ""),
        ] {
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.hint.as_deref().unwrap_or_default().contains(hint), "{failure}");
        }
    }

    #[test]
    fn what_is_half_done_is_not_tried_again() {
        for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Contended, StoreErrorKind::InDoubt] {
            let away = Failure::from(StoreError::new(kind, "apply", io::Error::other("for some reason")));
            let failure = away.after("the event 7 was made, but publishing it failed");
            assert_eq!(failure.code, NO, "{failure}");
            assert!(
                failure.to_string().starts_with("error: the event 7 was made, but publishing it failed: apply: "),
                "{failure}"
            );
        }
    }
}
