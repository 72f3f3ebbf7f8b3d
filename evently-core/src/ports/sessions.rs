use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{SessionId, Timestamp, User, UserId};

/// Keeps logins: each is a family of refresh tokens of which only the newest is good.
///
/// # Contract
/// - **Spent once.** Of any number of rotations of one token, at the same time or not, one succeeds.
/// - **Reuse ends the family.** A rotation of a token that is spent revokes its session, in the same step.
/// - **For good.** A revoked session stays revoked.
/// - **Nobody is passed over.** Whatever is revoked, and every change of what an account may do, is told to whoever asks what was taken back
///   since a moment before it: from when the call that did it has returned, and for [`TOLD_FOR`] at least. It may be told more than once.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Adds a session with its first refresh token.
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError>;

    /// Spends `token` and puts `next` in its place.
    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError>;

    /// Revokes the session that the token, spent or not, belongs to.
    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError>;

    /// The account of a session that is not revoked; as it is now.
    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError>;

    /// What was taken back since the mark of an earlier answer, or lately where the mark is 0.
    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError>;
}

/// For how long it is told what was taken back.
pub const TOLD_FOR: Duration = Duration::from_hours(1);

/// What holds no longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenBack {
    /// These are revoked.
    pub sessions: Vec<SessionId>,
    /// These may do something else than before.
    pub users: Vec<UserId>,
    /// Where to go on.
    pub mark: u64,
}

/// A login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// Whose login it is.
    pub user_id: UserId,
    /// When its refresh tokens end, however often they are rotated.
    pub expires_at: Timestamp,
}

/// A digest of a refresh token. The token itself is not kept.
pub type TokenDigest = [u8; 32];

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The next token is good now.
    Rotated(Session),
    /// The token had been spent; its session is revoked now.
    Reused,
    /// There is no such token, or its session has ended or been revoked.
    Ended,
}
