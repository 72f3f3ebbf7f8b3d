//! Which messages have been acted on.

use async_trait::async_trait;
use evently_core::ports::{Begun, Claim, Inbox, StoreError, Taken};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    rows::{get, position_to_sql, time, to_sql},
    store::{During, PgStore, values},
};

/// Whoever has waited for the row judges it as it is then.
const FIND: &str = "select owner, claimed_until, done from inbox where consumer = $1 and message = $2 for update";
const TAKE: &str = "insert into inbox (consumer, message, owner, claimed_until, done) values ($1, $2, $3, $4, false) \
    on conflict (consumer, message) do nothing";
const TAKE_OVER: &str = "update inbox set owner = $3, claimed_until = $4 where consumer = $1 and message = $2";
const DONE: &str = "update inbox set done = true where consumer = $1 and message = $2 and owner = $3";
const LET_GO: &str = "delete from inbox where consumer = $1 and message = $2 and owner = $3 and not done";

#[async_trait]
impl Inbox for PgStore {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        take(self, consumer, message, claim).await.during("take_message")
    }

    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError> {
        write(self, DONE, consumer, message, owner).await.during("message_done")
    }

    async fn let_go(&self, consumer: &str, message: u64, owner: Uuid) -> Result<(), StoreError> {
        write(self, LET_GO, consumer, message, owner).await.during("let_message_go").map(drop)
    }
}

async fn take(store: &PgStore, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, Fault> {
    let message = position_to_sql(message);
    let mut tx = store.write().await?;
    let found = tx.one(FIND, values![consumer, message]).await?.as_ref().map(begun).transpose()?;
    let taken = Taken::by(claim, found.as_ref());
    let written = if taken.is_ours() {
        let sql = if found.is_some() { TAKE_OVER } else { TAKE };
        tx.execute(sql, values![consumer, message, claim.owner, to_sql(claim.until)]).await?
    } else {
        0
    };
    tx.commit().await?;
    // Where there was nothing to be found, somebody may have been faster.
    Ok(if taken.is_ours() && written == 0 { Taken::Others } else { taken })
}

fn begun(row: &PgRow) -> Result<Begun, Fault> {
    Ok(Begun { owner: get(row, 0)?, until: time(row, 1)?, done: get(row, 2)? })
}

/// Whether the message is the owner's.
async fn write(store: &PgStore, sql: &'static str, consumer: &str, message: u64, owner: Uuid) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let written = tx.execute(sql, values![consumer, position_to_sql(message), owner]).await?;
    tx.commit().await?;
    Ok(written == 1)
}
