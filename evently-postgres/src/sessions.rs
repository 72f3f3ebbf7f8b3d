//! Logins. Whoever spends a token locks its session first, so that of two who spend the same one comes first and the other sees what
//! that one did.

use std::sync::atomic::Ordering::SeqCst;

use async_trait::async_trait;
use evently_core::{
    domain::{SessionId, Timestamp, User, UserId},
    ports::{Rotation, Session, Sessions, StoreError, TakenBack, TokenDigest},
};
use sqlx::postgres::PgRow;

use crate::{
    elsewhere::server_run,
    error::Fault,
    rows::{FromRow, get, position_from_sql, position_to_sql, time, to_sql},
    store::{During, PgStore, Tx, values},
};

const OPEN_SESSION: &str = "insert into sessions (id, user_id, expires_at, revoked) values ($1, $2, $3, false)";
const ADD_TOKEN: &str = "insert into session_tokens (digest, session_id, spent) values ($1, $2, false)";
/// A row that somebody else has changed while this waited for its lock is read anew.
const LOCK_TOKEN: &str = "select s.id, s.user_id, s.expires_at, s.revoked, t.spent \
    from session_tokens t join sessions s on s.id = t.session_id where t.digest = $1 for update";
const SPEND_TOKEN: &str = "update session_tokens set spent = true where digest = $1 and not spent";
const IS_NEXT: &str = "select 1 from session_tokens where digest = $1 and session_id = $2 and not spent";
const REVOKE_SESSION: &str = "update sessions set revoked = true where id = $1";
const REVOKE_SESSION_OF_TOKEN: &str = "update sessions set revoked = true \
    where id = (select session_id from session_tokens where digest = $1)";
const TAKE_BACK: &str = "insert into taken_back (session_id) values ($1)";
const TAKE_BACK_OF_TOKEN: &str = "insert into taken_back (session_id) select session_id from session_tokens where digest = $1";
/// With the oldest transaction that is not over: what it and later ones write may be seen by the next who asks for the first time.
/// A mark of another run of the server says nothing: after a failover transactions may have the numbers of some that were lost.
pub(crate) const TAKEN_BACK: &str = concat!(
    "select m.mark, t.session_id, t.user_id, m.run \
        from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as mark, ",
    server_run!(),
    " as run) m left join taken_back t on t.tx >= case when m.run = $2 then $1 else 0 end"
);
const HOLDER: &str = "select u.id, u.email, u.name, u.role, u.created_at \
    from sessions s join users u on u.id = s.user_id where s.id = $1 and not s.revoked";

#[async_trait]
impl Sessions for PgStore {
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError> {
        open(self, session, token).await.during("open_session")
    }

    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError> {
        rotate(self, token, next, now).await.during("rotate")
    }

    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError> {
        revoke(self, token).await.during("revoke")
    }

    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError> {
        holder(self, id).await.during("holder")
    }

    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError> {
        taken_back(self, since).await.during("taken_back")
    }
}

async fn open(store: &PgStore, session: &Session, token: &TokenDigest) -> Result<(), Fault> {
    let Session { id, user_id, expires_at } = session;
    let mut tx = store.write().await?;
    tx.execute(OPEN_SESSION, values![id.as_uuid(), user_id.as_uuid(), to_sql(*expires_at)]).await?;
    tx.execute(ADD_TOKEN, values![&token[..], id.as_uuid()]).await?;
    tx.commit().await
}

/// Whoever is not told that the token was spent asks again with it, and would be taken for a thief.
async fn rotate(store: &PgStore, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, Fault> {
    match try_to_rotate(store, token, next, now).await {
        Err(Fault::InDoubt(error)) => try_to_rotate(store, token, next, now).await.map_err(|_| Fault::InDoubt(error)),
        tried => tried,
    }
}

async fn try_to_rotate(store: &PgStore, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, Fault> {
    let mut tx = store.write().await?;
    let rotation = rotate_in(&mut tx, token, next, now).await?;
    tx.commit().await?;
    Ok(rotation)
}

struct TokenRow {
    session: Session,
    revoked: bool,
    spent: bool,
}

impl FromRow for TokenRow {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let session = Session {
            id: SessionId::from_uuid(get(row, 0)?),
            user_id: UserId::from_uuid(get(row, 1)?),
            expires_at: time(row, 2)?,
        };
        Ok(Self { session, revoked: get(row, 3)?, spent: get(row, 4)? })
    }
}

async fn rotate_in(tx: &mut Tx, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, Fault> {
    let Some(found) = tx.one(LOCK_TOKEN, values![&token[..]]).await? else { return Ok(Rotation::Ended) };
    let TokenRow { session, revoked, spent } = TokenRow::from_row(&found)?;
    if spent && !revoked && tx.one(IS_NEXT, values![&next[..], session.id.as_uuid()]).await?.is_some() {
        // By ourselves, a moment ago.
        return Ok(Rotation::Rotated(session));
    }
    if spent {
        tx.execute(REVOKE_SESSION, values![session.id.as_uuid()]).await?;
        tx.execute(TAKE_BACK, values![session.id.as_uuid()]).await?;
        return Ok(Rotation::Reused);
    }
    if revoked || session.expires_at <= now {
        return Ok(Rotation::Ended);
    }
    if tx.execute(SPEND_TOKEN, values![&token[..]]).await? != 1 {
        return Err(Fault::Stale("session_tokens"));
    }
    tx.execute(ADD_TOKEN, values![&next[..], session.id.as_uuid()]).await?;
    Ok(Rotation::Rotated(session))
}

async fn revoke(store: &PgStore, token: &TokenDigest) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    tx.execute(REVOKE_SESSION_OF_TOKEN, values![&token[..]]).await?;
    tx.execute(TAKE_BACK_OF_TOKEN, values![&token[..]]).await?;
    tx.commit().await
}

async fn holder(store: &PgStore, id: SessionId) -> Result<Option<User>, Fault> {
    store.row(HOLDER, values![id.as_uuid()]).await?.as_ref().map(User::from_row).transpose()
}

async fn taken_back(store: &PgStore, since: u64) -> Result<TakenBack, Fault> {
    let mut back = TakenBack::default();
    let marks = &store.writer.run_of_marks;
    for row in store.rows(TAKEN_BACK, values![position_to_sql(since), marks.load(SeqCst)]).await? {
        marks.store(get(&row, 3)?, SeqCst);
        back.mark = position_from_sql("taken_back", get(&row, 0)?)?;
        back.sessions.extend(get::<Option<_>>(&row, 1)?.map(SessionId::from_uuid));
        back.users.extend(get::<Option<_>>(&row, 2)?.map(UserId::from_uuid));
    }
    Ok(back)
}
