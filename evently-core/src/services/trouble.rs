//! What to make of an effect that has failed.

use super::Error;
use crate::ports::{BegunElsewhere, MailFailed, OtherError, StoreError, StoreErrorKind};

/// What to do about an entry that could not be acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The entry is not to blame, and neither is any other: all wait until the store is there.
    StoreAway,
    /// Somebody else is acting on it, or has crashed while doing so: it is to come again, however often.
    Elsewhere,
    /// It may go well another time.
    ForNow,
    /// It will not go well, however often it is tried: somebody has to look at it.
    ForGood,
}

impl Trouble {
    /// What the error of a [`Handler`](crate::ports::Handler) means.
    pub fn of(error: &OtherError) -> Self {
        if let Some(MailFailed::ForGood(_)) = error.downcast_ref() {
            return Self::ForGood;
        }
        if error.is::<BegunElsewhere>() {
            return Self::Elsewhere;
        }
        let store = match error.downcast_ref() {
            Some(Error::Store(error)) => Some(error),
            Some(Error::Overloaded) => return Self::StoreAway,
            _ => error.downcast_ref::<StoreError>(),
        };
        match store.map(StoreError::kind) {
            Some(StoreErrorKind::Corrupt) => Self::ForGood,
            Some(StoreErrorKind::Unavailable | StoreErrorKind::Contended | StoreErrorKind::InDoubt) => Self::StoreAway,
            None => Self::ForNow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whether_to_try_again() {
        let store = |kind| StoreError::new(kind, "test", "it failed");
        let of = |error: OtherError| Trouble::of(&error);
        for (kind, trouble) in [
            (StoreErrorKind::Unavailable, Trouble::StoreAway),
            (StoreErrorKind::Contended, Trouble::StoreAway),
            (StoreErrorKind::InDoubt, Trouble::StoreAway),
            (StoreErrorKind::Corrupt, Trouble::ForGood),
        ] {
            assert_eq!((of(store(kind).into()), of(Error::from(store(kind)).into())), (trouble, trouble));
        }
        assert_eq!(of(Error::Overloaded.into()), Trouble::StoreAway);
        assert_eq!(of(MailFailed::ForNow("busy".into()).into()), Trouble::ForNow);
        assert_eq!(of(MailFailed::ForGood("nobody is called that".into()).into()), Trouble::ForGood);
        assert_eq!(of(BegunElsewhere.into()), Trouble::Elsewhere);
        assert_eq!(of("whatever".into()), Trouble::ForNow);
    }
}
