use async_trait::async_trait;

use super::StoreError;
use crate::domain::{SessionId, Timestamp, User, UserId};

/// Keeps logins: each is a family of refresh tokens of which only the newest is good.
///
/// # Contract
/// - **Spent once.** Of any number of rotations of one token, at the same time or not, one succeeds.
/// - **Reuse ends the family.** A rotation of a token that is spent revokes its session, in the same step.
/// - **For good.** A revoked session stays revoked.
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
