use crate::{
    domain::{Answer, Invalid, Outcome, Rejection, Thing, Timestamp},
    ports::{StoreError, StoreErrorKind, WebhookError},
};

/// Why a use case was not carried out. Nothing was done, unless a variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The rules say no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The rules said no to an earlier request with the same key.
    #[error(transparent)]
    RejectedBefore(Rejection),
    /// Whoever asks may not do this.
    #[error("this account may not do that")]
    Forbidden,
    /// The same request is being carried out.
    #[error("a request with this idempotency key is being carried out")]
    InFlight,
    /// More is asked than can be done; asking again in a moment helps.
    #[error("too many requests at once")]
    Overloaded,
    /// A message is not from the gateway, or cannot be read.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Rejected(Rejection::Invalid(invalid))
    }
}

impl Error {
    /// The same failure where something was done before it, or may have been: nobody may be told that nothing was.
    #[must_use]
    pub fn after_a_change(self) -> Self {
        match self {
            Self::Store(error) if matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Contended) => {
                Self::Store(error.in_doubt())
            }
            Self::Overloaded => Self::Store(StoreError::new(StoreErrorKind::InDoubt, "apply", Self::Overloaded)),
            other => other,
        }
    }

    /// There is no such thing, or whoever asks may not know of it.
    pub const fn not_found(thing: Thing) -> Self {
        Self::Rejected(Rejection::NotFound(thing))
    }

    /// Whether the error is that there is no such thing.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Rejected(Rejection::NotFound(_)) | Self::RejectedBefore(Rejection::NotFound(_)))
    }
}

/// An answer, when it was given, and whether it was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// When it was first given.
    pub at: Timestamp,
    /// Whether it was first given to an earlier request with the same key.
    pub replayed: bool,
}

impl<T> Answered<T> {
    /// The answer to a command whose outcome is of one kind.
    pub(super) fn read(answer: Answer, value: impl Fn(Outcome) -> Option<T>) -> Result<Self, Error> {
        let Answer { at, replayed, result } = answer;
        let outcome = result.map_err(|rejection| if replayed { Error::RejectedBefore(rejection) } else { rejection.into() })?;
        let value = value(outcome).expect("each command has its own kind of outcome, and keys are scoped to one command");
        Ok(Self { value, at, replayed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StoreErrorKind::{Contended, Corrupt, InDoubt, Unavailable};

    #[test]
    fn after_a_change_nobody_is_told_that_nothing_was_done() {
        for (kind, after) in [(Unavailable, InDoubt), (Contended, InDoubt), (InDoubt, InDoubt), (Corrupt, Corrupt)] {
            let failed = Error::from(StoreError::new(kind, "test", "it failed")).after_a_change();
            assert!(matches!(&failed, Error::Store(error) if error.kind() == after), "{kind:?}: {failed:?}");
        }
        assert!(matches!(Error::Overloaded.after_a_change(), Error::Store(error) if error.kind() == InDoubt));
        assert!(matches!(Error::Forbidden.after_a_change(), Error::Forbidden));
    }
}
