use crate::{
    domain::Timestamp,
    ports::{AccessTokens, Claims, TokenError},
};

/// Tokens in plain text, which anybody could make. For tests and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainTokens;

impl AccessTokens for PlainTokens {
    fn issue(&self, claims: &Claims) -> String {
        let Claims { user_id, session_id, issued_at, expires_at } = claims;
        format!("{user_id} {session_id} {} {}", issued_at.as_secs(), expires_at.as_secs())
    }

    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let parts = token.split(' ').collect::<Vec<_>>();
        let [user, session, issued, expires] = parts[..] else { return Err(TokenError::Invalid) };
        let time = |text: &str| text.parse().map(Timestamp::from_secs).map_err(|_| TokenError::Invalid);
        let claims = Claims {
            user_id: user.parse().map_err(|_| TokenError::Invalid)?,
            session_id: session.parse().map_err(|_| TokenError::Invalid)?,
            issued_at: time(issued)?,
            expires_at: time(expires)?,
        };
        if now < claims.expires_at { Ok(claims) } else { Err(TokenError::Expired) }
    }
}
