use crate::domain::{SessionId, Timestamp, UserId};

/// Makes access tokens and reads them.
pub trait AccessTokens: Send + Sync {
    /// A token that says this.
    fn issue(&self, claims: &Claims) -> String;

    /// What a token says, if we have made it and it is good at `now`.
    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError>;
}

/// What an access token says. What the account may do is not in it: that may change while the token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The account.
    pub user_id: UserId,
    /// The login that the token came from.
    pub session_id: SessionId,
    /// When the token was made, to the second.
    pub issued_at: Timestamp,
    /// The first instant at which it is no longer good, to the second.
    pub expires_at: Timestamp,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the access token has expired")]
    Expired,
    /// It is none of ours.
    #[error("the access token is not valid")]
    Invalid,
}
