use std::ops::Bound;

use async_trait::async_trait;

use super::{
    MemoryStore,
    store::{SessionRow, TakenBackRow, TokenRow},
};
use crate::{
    domain::{Email, Role, SessionId, Timestamp, User, UserId},
    ports::{Accounts, Credentials, Page, PasswordHash, Rotation, Session, Sessions, StoreError, TakenBack, TokenDigest},
};

#[async_trait]
impl Accounts for MemoryStore {
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.emails.contains_key(&user.email) {
            return Ok(false);
        }
        state.emails.insert(user.email.clone(), user.id);
        state.users.insert(user.id, (user.clone(), password.clone()));
        Ok(true)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).map(|(user, _)| user.clone()))
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        let state = self.state();
        let row = state.emails.get(email).map(|id| &state.users[id]);
        Ok(row.map(|(user, password)| Credentials { user: user.clone(), password: password.clone() }))
    }

    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let users = state.users.range((after, Bound::Unbounded)).map(|(_, (user, _))| user.clone());
        Ok(users.take(page.limit as usize).collect())
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError> {
        let mut state = self.state();
        let Some((user, _)) = state.users.get_mut(&id) else { return Ok(None) };
        user.role = role;
        let user = user.clone();
        state.taken_back.push(TakenBackRow::User(id));
        Ok(Some(user))
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError> {
        let mut state = self.state();
        state.sessions.insert(session.id, SessionRow { session: *session, revoked: false });
        state.tokens.insert(*token, TokenRow { session_id: session.id, spent: false });
        Ok(())
    }

    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError> {
        let mut state = self.state();
        let state = &mut *state;
        let Some(row) = state.tokens.get_mut(token) else { return Ok(Rotation::Ended) };
        let family = state.sessions.get_mut(&row.session_id).expect("a token's session is kept as long as the token");
        if row.spent {
            family.revoked = true;
            state.taken_back.push(TakenBackRow::Session(row.session_id));
            return Ok(Rotation::Reused);
        }
        if family.revoked || now >= family.session.expires_at {
            return Ok(Rotation::Ended);
        }
        row.spent = true;
        let session = family.session;
        state.tokens.insert(*next, TokenRow { session_id: session.id, spent: false });
        Ok(Rotation::Rotated(session))
    }

    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError> {
        let mut state = self.state();
        let Some(id) = state.tokens.get(token).map(|row| row.session_id) else { return Ok(()) };
        if let Some(family) = state.sessions.get_mut(&id) {
            family.revoked = true;
            state.taken_back.push(TakenBackRow::Session(id));
        }
        Ok(())
    }

    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError> {
        let state = self.state();
        let live = state.sessions.get(&id).filter(|row| !row.revoked);
        Ok(live.and_then(|row| state.users.get(&row.session.user_id)).map(|(user, _)| user.clone()))
    }

    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError> {
        let state = self.state();
        let mut back = TakenBack { mark: state.taken_back.len() as u64, ..TakenBack::default() };
        for row in state.taken_back.iter().skip(usize::try_from(since).unwrap_or(usize::MAX)) {
            match row {
                TakenBackRow::Session(id) => back.sessions.push(*id),
                TakenBackRow::User(id) => back.users.push(*id),
            }
        }
        Ok(back)
    }
}
