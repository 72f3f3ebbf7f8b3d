use async_trait::async_trait;
use uuid::Uuid;

use super::{Claim, StoreError};
use crate::domain::Timestamp;

/// Remembers which messages a consumer has acted on, so that each is acted on once however often it comes.
///
/// A message is known by its position in the journal. What is remembered is forgotten by
/// [`Chores::forget_messages`](super::Chores::forget_messages).
///
/// # Contract
/// - **Once.** A message that is done is never taken again.
/// - **One at a time.** Of all who take a message one has it, until it lets go or its claim is over.
/// - **Who was taken over has no say.** Only the latest owner says what becomes of a message, and knows that it took it over.
/// - **In any order.** Each message is on its own.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Takes a message to act on it.
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError>;

    /// Notes that the message has been acted on. False, and nothing done, where it is not the owner's any more.
    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError>;

    /// Leaves the message to whoever takes it next, because nothing came of it. Nothing is done where it is not the owner's any more.
    async fn let_go(&self, consumer: &str, message: u64, owner: Uuid) -> Result<(), StoreError>;
}

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Whoever asked has to act on it.
    Ours,
    /// The same, and somebody had begun with it who has not said in time what became of it: most likely they have crashed, maybe because of it.
    TakenOver,
    /// Somebody else is acting on it, or has crashed while doing so.
    Others,
    /// It has been acted on.
    Done,
}

impl Taken {
    /// What comes of a claim to a message of which this is remembered.
    pub fn by(claim: &Claim, remembered: Option<&Begun>) -> Self {
        match remembered {
            None => Self::Ours,
            Some(Begun { done: true, .. }) => Self::Done,
            Some(begun) if begun.owner == claim.owner => Self::Ours,
            Some(begun) if claim.is_barred_until(begun.until) => Self::Others,
            Some(_) => Self::TakenOver,
        }
    }

    /// Whether whoever asked has it.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::TakenOver)
    }
}

/// What an inbox remembers of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Who took it last.
    pub owner: Uuid,
    /// Until when it is theirs alone.
    pub until: Timestamp,
    /// Whether it has been acted on.
    pub done: bool,
}

/// A message is not acted on because it [is somebody else's](Taken::Others).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("somebody else has begun with it")]
pub struct BegunElsewhere;
