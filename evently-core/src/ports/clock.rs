use crate::domain::Timestamp;

/// The time. Nothing in the core knows any other.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than what was answered before.
    fn now(&self) -> Timestamp;
}
