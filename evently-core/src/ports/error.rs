use std::{error::Error, fmt, sync::Arc};

/// A store could not do what it was asked. Losing a race is never one of these: that is an outcome.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    operation: &'static str,
    /// Shared, because all who wait for the same get the same error.
    source: Arc<dyn Error + Send + Sync>,
}

/// What to do about a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The store is away or full. Nothing was done; it may be back soon.
    Unavailable,
    /// Others were in the way for too long. Nothing was done; trying again helps.
    Contended,
    /// The store went away while it committed. Whether it was done is not known; trying again with the same key tells.
    InDoubt,
    /// A row is not what it must be. Trying again does not help.
    Corrupt,
}

impl StoreError {
    /// The failure of `operation`.
    pub fn new(kind: StoreErrorKind, operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, operation, source: source.into().into() }
    }

    /// The same failure, of something that came after a change was made, or may have been.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { kind: StoreErrorKind::InDoubt, ..self }
    }

    /// What to do about it.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self.kind {
            StoreErrorKind::Unavailable | StoreErrorKind::Contended | StoreErrorKind::InDoubt => true,
            StoreErrorKind::Corrupt => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StoreErrorKind::Unavailable => "the store is unavailable",
            StoreErrorKind::Contended => "the store is contended",
            StoreErrorKind::InDoubt => "the store went away while it committed",
            StoreErrorKind::Corrupt => "the store holds something that cannot be",
        };
        write!(f, "{}: {what}", self.operation)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_failed_and_why() {
        for (kind, says) in [
            (StoreErrorKind::Unavailable, "read: the store is unavailable"),
            (StoreErrorKind::InDoubt, "read: the store went away while it committed"),
        ] {
            let error = StoreError::new(kind, "read", "no route");
            assert_eq!((error.to_string(), error.source().unwrap().to_string()), (says.to_owned(), "no route".to_owned()));
        }
    }

    #[test]
    fn only_what_cannot_be_is_no_better_another_time() {
        let is_retryable = |kind| StoreError::new(kind, "read", "no route").is_retryable();
        let passing = [StoreErrorKind::Unavailable, StoreErrorKind::Contended, StoreErrorKind::InDoubt];
        assert_eq!((passing.map(is_retryable), is_retryable(StoreErrorKind::Corrupt)), ([true; 3], false));
    }
}
