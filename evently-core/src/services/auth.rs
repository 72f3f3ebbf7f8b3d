//! Accounts and logins.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::{Error, logins::Logins};
use crate::{
    cache::Caches,
    domain::{Email, Invalid, Principal, Role, SessionId, Thing, Timestamp, User, UserId},
    ports::{
        AccessTokens, Accounts, Claims, Clock, Ids, Page, PasswordHasher, PasswordsBusy, Rotation, Session, Sessions, StoreError,
        TokenDigest, TokenError,
    },
};

/// bcrypt looks at no more than that many bytes.
const PASSWORD_BYTES_MAX: usize = 72;
const PASSWORD_CHARS_MIN: usize = 8;

/// Registers accounts, logs them in and out, and tells who is asking.
pub struct AuthService {
    parts: AuthParts,
    logins: Logins,
}

/// The ports and terms of an [`AuthService`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct AuthParts {
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub passwords: Arc<dyn PasswordHasher>,
    pub tokens: Arc<dyn AccessTokens>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub caches: Caches,
    pub terms: AuthTerms,
}

/// How long logins last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthTerms {
    /// How long an access token is good.
    pub access_ttl: Duration,
    /// How long a session goes on, however often its refresh token is rotated.
    pub refresh_ttl: Duration,
}

impl Default for AuthTerms {
    /// Thirty minutes, and seven days.
    fn default() -> Self {
        Self { access_ttl: Duration::from_mins(30), refresh_ttl: Duration::from_hours(7 * 24) }
    }
}

/// What a login gives.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// Says who is asking.
    pub access_token: String,
    /// How long it is good.
    pub expires_in: Duration,
    /// Gives the next pair, once.
    pub refresh_token: String,
}

/// Keeps tokens out of logs.
impl std::fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenPair(…)")
    }
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No account has this address and password.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The address has an account already.
    #[error("this e-mail address has an account already")]
    EmailTaken,
    /// The access token was good once.
    #[error("the access token has expired")]
    TokenExpired,
    /// The token is none of ours, or its login has ended.
    #[error("the token is not valid")]
    TokenInvalid,
    /// The refresh token had been used before; its login has ended now.
    #[error("the refresh token has been used before, so this login has been ended")]
    RefreshTokenReused,
    /// Something that was given is not what it must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Too many logins at once.
    #[error(transparent)]
    Busy(#[from] PasswordsBusy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthService {
    /// The service over these ports.
    pub fn new(parts: AuthParts) -> Self {
        let logins = Logins::new(parts.sessions.clone(), parts.clock.clone(), &parts.caches);
        Self { parts, logins }
    }

    /// Adds an account.
    pub async fn register(&self, email: &str, password: &str, name: &str, role: Role) -> Result<User, AuthError> {
        let mut invalid = Invalid::default();
        let parsed = Email::parse(email);
        if let Err(error) = &parsed {
            invalid.add("email", "invalid_email", error.to_string());
        }
        check_password(&mut invalid, password, email.trim());
        let name = name.trim();
        let named = (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control);
        invalid.require(named, "name", "invalid_name", "1 to 100 characters without line breaks");
        let (Ok(email), true) = (parsed, invalid.fields.is_empty()) else { return Err(invalid.into()) };
        let hash = self.parts.passwords.hash(password).await?;
        let now = self.parts.clock.now();
        let id = UserId::from_uuid(self.parts.ids.uuid(now));
        let user = User { id, email, name: name.to_owned(), role, created_at: now };
        if self.parts.accounts.add(&user, &hash).await? { Ok(user) } else { Err(AuthError::EmailTaken) }
    }

    /// Logs an account in. An unknown address and a wrong password are told apart neither by the answer nor by its time.
    pub async fn login(&self, email: &str, password: &str) -> Result<TokenPair, AuthError> {
        let credentials = match Email::parse(email) {
            Ok(email) => self.parts.accounts.credentials(&email).await?,
            Err(_) => None,
        };
        let hash = credentials.as_ref().map(|credentials| &credentials.password);
        // What is too long to have been registered cannot be right; it is still checked against nothing, for the time it takes.
        let hash = hash.filter(|_| password.len() <= PASSWORD_BYTES_MAX);
        let right = self.parts.passwords.verify(password, hash).await?;
        let user = credentials.filter(|_| right).ok_or(AuthError::InvalidCredentials)?.user;
        let now = self.parts.clock.now();
        let session = Session {
            id: SessionId::from_uuid(self.parts.ids.uuid(now)),
            user_id: user.id,
            expires_at: now + self.parts.terms.refresh_ttl,
        };
        let refresh_token = self.new_refresh_token();
        self.parts.sessions.open(&session, &digest(&refresh_token)).await?;
        Ok(self.pair(&session, refresh_token, now))
    }

    /// Spends a refresh token for a new pair.
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenPair, AuthError> {
        let next = self.new_refresh_token();
        let now = self.parts.clock.now();
        match self.parts.sessions.rotate(&digest(refresh_token), &digest(&next), now).await? {
            Rotation::Rotated(session) => Ok(self.pair(&session, next, now)),
            Rotation::Reused => {
                self.logins.tell_all().await;
                Err(AuthError::RefreshTokenReused)
            }
            Rotation::Ended => Err(AuthError::TokenInvalid),
        }
    }

    /// Ends the login that a refresh token belongs to.
    pub async fn logout(&self, refresh_token: &str) -> Result<(), AuthError> {
        self.parts.sessions.revoke(&digest(refresh_token)).await?;
        self.logins.tell_all().await;
        Ok(())
    }

    /// Who is asking, by their access token.
    pub async fn authenticate(&self, access_token: &str) -> Result<Principal, AuthError> {
        let now = self.parts.clock.now();
        let claims = self.parts.tokens.read(access_token, now).map_err(|error| match error {
            TokenError::Expired => AuthError::TokenExpired,
            TokenError::Invalid => AuthError::TokenInvalid,
        })?;
        self.principal(&claims).await
    }

    /// Who is asking, by what their access token says; it has been read, and is good.
    pub async fn principal(&self, claims: &Claims) -> Result<Principal, AuthError> {
        let Claims { user_id, session_id, .. } = *claims;
        let role = self.logins.role(session_id, user_id).await?.ok_or(AuthError::TokenInvalid)?;
        Ok(Principal { user_id, role, session_id })
    }

    /// The account that is asking.
    pub async fn me(&self, by: &Principal) -> Result<User, Error> {
        self.parts.accounts.user(by.user_id).await?.ok_or(Error::not_found(Thing::User))
    }

    /// Accounts in the order of their ids.
    pub async fn users(&self, by: &Principal, page: Page<UserId>) -> Result<Vec<User>, Error> {
        if by.role != Role::Admin {
            return Err(Error::Forbidden);
        }
        Ok(self.parts.accounts.users(page).await?)
    }

    /// Gives an account another role.
    pub async fn set_role(&self, by: &Principal, id: UserId, role: Role) -> Result<User, Error> {
        if by.role != Role::Admin {
            return Err(Error::Forbidden);
        }
        let user = self.parts.accounts.set_role(id, role).await?.ok_or(Error::not_found(Thing::User))?;
        self.logins.tell_all().await;
        Ok(user)
    }

    fn pair(&self, session: &Session, refresh_token: String, now: Timestamp) -> TokenPair {
        let issued_at = Timestamp::from_secs(now.as_secs());
        let expires_at = (issued_at + self.parts.terms.access_ttl).min(session.expires_at);
        let claims = Claims { user_id: session.user_id, session_id: session.id, issued_at, expires_at };
        TokenPair { access_token: self.parts.tokens.issue(&claims), expires_in: expires_at.since(issued_at), refresh_token }
    }

    fn new_refresh_token(&self) -> String {
        format!("evr_{:032x}{:032x}", self.parts.ids.secret(), self.parts.ids.secret())
    }
}

/// Refresh tokens are long and random, so a plain digest keeps them.
fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token).into()
}

fn check_password(invalid: &mut Invalid, password: &str, email: &str) {
    let long = password.chars().count() >= PASSWORD_CHARS_MIN;
    invalid.require(long, "password", "too_short", format!("at least {PASSWORD_CHARS_MIN} characters"));
    let short = password.len() <= PASSWORD_BYTES_MAX;
    invalid.require(short, "password", "too_long", format!("at most {PASSWORD_BYTES_MAX} bytes"));
    invalid.require(!password.contains('\0'), "password", "invalid_character", "no NUL characters");
    let own = !password.eq_ignore_ascii_case(email);
    invalid.require(own, "password", "too_easy", "not the e-mail address");
    let varied = password.chars().any(|c| !password.starts_with(c));
    invalid.require(varied, "password", "too_easy", "not one character over and over");
}

#[cfg(all(test, not(loom)))]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        memory::{ManualClock, MemoryStore, PlainPasswords, PlainTokens, SeededIds},
        ports::{Credentials, PasswordHash, StoreErrorKind, TakenBack},
        sync::ready,
    };

    /// A store that is away.
    struct Away;

    fn away<T>() -> Result<T, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable, "test", "it is away"))
    }

    #[async_trait]
    impl Accounts for Away {
        async fn add(&self, _: &User, _: &PasswordHash) -> Result<bool, StoreError> {
            away()
        }

        async fn user(&self, _: UserId) -> Result<Option<User>, StoreError> {
            away()
        }

        async fn credentials(&self, _: &Email) -> Result<Option<Credentials>, StoreError> {
            away()
        }

        async fn users(&self, _: Page<UserId>) -> Result<Vec<User>, StoreError> {
            away()
        }

        async fn set_role(&self, _: UserId, _: Role) -> Result<Option<User>, StoreError> {
            away()
        }
    }

    #[async_trait]
    impl Sessions for Away {
        async fn open(&self, _: &Session, _: &TokenDigest) -> Result<(), StoreError> {
            away()
        }

        async fn rotate(&self, _: &TokenDigest, _: &TokenDigest, _: Timestamp) -> Result<Rotation, StoreError> {
            away()
        }

        async fn revoke(&self, _: &TokenDigest) -> Result<(), StoreError> {
            away()
        }

        async fn holder(&self, _: SessionId) -> Result<Option<User>, StoreError> {
            away()
        }

        async fn taken_back(&self, _: u64) -> Result<TakenBack, StoreError> {
            away()
        }
    }

    /// Whoever believes it tries other passwords, or throws away a login that is good.
    #[test]
    fn while_the_store_is_away_nobody_is_told_that_a_password_or_a_token_is_wrong() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let ids = Arc::new(SeededIds::new(1));
        let now = clock.now();
        let (id, user_id) = (SessionId::from_uuid(ids.uuid(now)), UserId::from_uuid(ids.uuid(now)));
        let auth = AuthService::new(AuthParts {
            accounts: Arc::new(Away),
            sessions: Arc::new(Away),
            passwords: Arc::new(PlainPasswords),
            tokens: Arc::new(PlainTokens),
            clock: clock.clone(),
            ids,
            caches: Caches::local(clock),
            terms: AuthTerms::default(),
        });
        let session = Session { id, user_id, expires_at: now + Duration::from_hours(1) };
        let token = auth.pair(&session, String::new(), now).access_token;
        let (email, password) = ("ada@example.org", "long enough");
        let told = [
            ready(auth.register(email, password, "Ada", Role::Customer)).err(),
            ready(auth.login(email, password)).err(),
            ready(auth.refresh("evr_1")).err(),
            ready(auth.logout("evr_1")).err(),
            ready(auth.authenticate(&token)).err(),
        ];
        assert!(told.iter().all(|error| matches!(error, Some(AuthError::Store(_)))), "{told:?}");
    }

    #[test]
    fn an_account_is_kept_without_the_spaces_that_were_typed_around_it() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let ids = Arc::new(SeededIds::new(1));
        let store = Arc::new(MemoryStore::new(ids.clone()));
        let auth = AuthService::new(AuthParts {
            accounts: store.clone(),
            sessions: store,
            passwords: Arc::new(PlainPasswords),
            tokens: Arc::new(PlainTokens),
            clock: clock.clone(),
            ids,
            caches: Caches::local(clock),
            terms: AuthTerms::default(),
        });
        let password = " long enough ";
        let user = ready(auth.register(" ada@example.org\n", password, " Ada Lovelace ", Role::Customer)).unwrap();
        assert_eq!((user.email.as_str(), &*user.name), ("ada@example.org", "Ada Lovelace"));
        assert!(ready(auth.login(" Ada@example.org", password)).is_ok());
        assert!(ready(auth.login("ada@example.org", password.trim())).is_err(), "those of a password are part of it");
    }

    #[test]
    fn tokens_stay_out_of_the_log() {
        let (access_token, refresh_token) = ("access".to_owned(), "refresh".to_owned());
        let pair = TokenPair { access_token, expires_in: Duration::ZERO, refresh_token };
        assert_eq!(format!("{pair:?}"), "TokenPair(…)");
    }
}
