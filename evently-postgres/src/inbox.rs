//! Which messages have been acted on.

use async_trait::async_trait;
use evently_core::ports::{Claim, Inbox, StoreError, Taken};
use uuid::Uuid;

use crate::{
    error::Fault,
    rows::{get, position_to_sql, to_sql},
    store::{During, PgStore, values},
};

/// Whoever has waited for the row judges it as it is then.
const TAKE: &str = "insert into inbox as i (consumer, message, owner, claimed_until, done) values ($1, $2, $3, $5, false) \
    on conflict (consumer, message) do update set owner = excluded.owner, claimed_until = excluded.claimed_until \
    where not i.done and (i.owner = excluded.owner or i.claimed_until <= $4)";
const IS_DONE: &str = "select done from inbox where consumer = $1 and message = $2";
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
    let taken = tx.execute(TAKE, values![consumer, message, claim.owner, to_sql(claim.now), to_sql(claim.until)]).await? == 1;
    // A statement of its own sees what was committed while the first waited.
    let row = if taken { None } else { tx.one(IS_DONE, values![consumer, message]).await? };
    tx.commit().await?;
    match row {
        _ if taken => Ok(Taken::Ours),
        Some(row) if get(&row, 0)? => Ok(Taken::Done),
        _ => Ok(Taken::Others),
    }
}

/// Whether the message is the owner's.
async fn write(store: &PgStore, sql: &'static str, consumer: &str, message: u64, owner: Uuid) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let written = tx.execute(sql, values![consumer, position_to_sql(message), owner]).await?;
    tx.commit().await?;
    Ok(written == 1)
}
