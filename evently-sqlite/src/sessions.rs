//! Logins. Each method is one write transaction, so that of two who spend the same token one comes first.

use async_trait::async_trait;
use evently_core::{
    domain::{SessionId, Timestamp, User, UserId},
    ports::{Rotation, Session, Sessions, StoreError, TakenBack, TokenDigest},
};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use crate::{
    SqliteStore,
    error::Fault,
    rows::{each_row, execute, find},
    statements::statements,
};

statements! {
    OPEN_SESSION = "insert into sessions (id, user_id, expires_at, revoked) values (?1, ?2, ?3, 0)";
    ADD_TOKEN = "insert into session_tokens (digest, session_id, spent) values (?1, ?2, 0)";
    TOKEN = "select s.id, s.user_id, s.expires_at, s.revoked, t.spent \
        from session_tokens t join sessions s on s.id = t.session_id where t.digest = ?1";
    SPEND_TOKEN = "update session_tokens set spent = 1 where digest = ?1 and spent = 0";
    REVOKE_SESSION = "update sessions set revoked = 1 where id = ?1";
    REVOKE_SESSION_OF_TOKEN = "update sessions set revoked = 1 \
        where id = (select session_id from session_tokens where digest = ?1)";
    TAKE_BACK = "insert into taken_back (session_id) values (?1)";
    TAKE_BACK_OF_TOKEN = "insert into taken_back (session_id) select session_id from session_tokens where digest = ?1";
    TAKEN_BACK = "select number, session_id, user_id from taken_back where number > ?1 order by number";
    HOLDER = "select u.id, u.email, u.name, u.role, u.created_at \
        from sessions s join users u on u.id = s.user_id where s.id = ?1 and s.revoked = 0";
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError> {
        let (Session { id, user_id, expires_at }, token) = (*session, *token);
        let open = move |tx: &Transaction<'_>| {
            execute(tx, OPEN_SESSION, params![id.as_uuid(), user_id.as_uuid(), expires_at.as_micros()])?;
            execute(tx, ADD_TOKEN, params![token, id.as_uuid()]).map(drop)
        };
        self.write("open_session", open).await
    }

    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError> {
        let (token, next) = (*token, *next);
        self.write("rotate", move |tx| rotate(tx, &token, &next, now)).await
    }

    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError> {
        let token = *token;
        let revoke = move |tx: &Transaction<'_>| {
            execute(tx, REVOKE_SESSION_OF_TOKEN, [token])?;
            execute(tx, TAKE_BACK_OF_TOKEN, [token]).map(drop)
        };
        self.write("revoke", revoke).await
    }

    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError> {
        self.read("holder", move |tx| find(tx, HOLDER, [id.as_uuid()])).await
    }

    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError> {
        self.read("taken_back", move |tx| taken_back(tx, since)).await
    }
}

struct TokenRow {
    session: Session,
    revoked: bool,
    spent: bool,
}

impl TokenRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let session = Session {
            id: SessionId::from_uuid(row.get(0)?),
            user_id: UserId::from_uuid(row.get(1)?),
            expires_at: Timestamp::from_micros(row.get(2)?),
        };
        Ok(Self { session, revoked: row.get(3)?, spent: row.get(4)? })
    }
}

fn rotate(tx: &Transaction<'_>, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, Fault> {
    let found = tx.prepare_cached(TOKEN)?.query_row([token], TokenRow::from_row).optional()?;
    let Some(TokenRow { session, revoked, spent }) = found else { return Ok(Rotation::Ended) };
    if spent {
        execute(tx, REVOKE_SESSION, [session.id.as_uuid()])?;
        execute(tx, TAKE_BACK, [session.id.as_uuid()])?;
        return Ok(Rotation::Reused);
    }
    if revoked || session.expires_at <= now {
        return Ok(Rotation::Ended);
    }
    if execute(tx, SPEND_TOKEN, [token])? != 1 {
        return Err(Fault::Stale("session_tokens"));
    }
    execute(tx, ADD_TOKEN, params![next, session.id.as_uuid()])?;
    Ok(Rotation::Rotated(session))
}

fn taken_back(tx: &Transaction<'_>, since: u64) -> Result<TakenBack, Fault> {
    let mut back = TakenBack { mark: since, ..TakenBack::default() };
    // No number is as large as those that do not fit.
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let rows = each_row(tx, TAKEN_BACK, [since], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (number, session, user) in rows {
        let (number, session, user): (i64, Option<Uuid>, Option<Uuid>) = (number, session, user);
        back.sessions.extend(session.map(SessionId::from_uuid));
        back.users.extend(user.map(UserId::from_uuid));
        back.mark = u64::try_from(number).map_err(|error| Fault::row("taken_back", error))?;
    }
    Ok(back)
}
