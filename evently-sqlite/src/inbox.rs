//! Which messages have been acted on.

use async_trait::async_trait;
use evently_core::ports::{Claim, Inbox, StoreError, Taken};
use rusqlite::{Transaction, params};
use uuid::Uuid;

use crate::{
    SqliteStore,
    rows::{execute, position_to_sql, value},
    statements::statements,
};

statements! {
    TAKE = "insert into inbox (consumer, message, owner, claimed_until, done) values (?1, ?2, ?3, ?5, 0) \
        on conflict (consumer, message) do update set owner = ?3, claimed_until = ?5 \
        where done = 0 and (owner = ?3 or claimed_until <= ?4)";
    IS_DONE = "select done from inbox where consumer = ?1 and message = ?2";
    DONE = "update inbox set done = 1 where consumer = ?1 and message = ?2 and owner = ?3";
    LET_GO = "delete from inbox where consumer = ?1 and message = ?2 and owner = ?3 and done = 0";
}

#[async_trait]
impl Inbox for SqliteStore {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        let (consumer, message, Claim { owner, now, until }) = (consumer.to_owned(), position_to_sql(message), *claim);
        let take = move |tx: &Transaction<'_>| {
            if execute(tx, TAKE, params![consumer, message, owner, now.as_micros(), until.as_micros()])? == 1 {
                return Ok(Taken::Ours);
            }
            let done = value::<bool>(tx, IS_DONE, params![consumer, message])?;
            Ok(if done == Some(true) { Taken::Done } else { Taken::Others })
        };
        self.write("take_message", take).await
    }

    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError> {
        let consumer = consumer.to_owned();
        let done = move |tx: &Transaction<'_>| Ok(execute(tx, DONE, params![consumer, position_to_sql(message), owner])? == 1);
        self.write("message_done", done).await
    }

    async fn let_go(&self, consumer: &str, message: u64, owner: Uuid) -> Result<(), StoreError> {
        let consumer = consumer.to_owned();
        let let_go =
            move |tx: &Transaction<'_>| execute(tx, LET_GO, params![consumer, position_to_sql(message), owner]).map(drop);
        self.write("let_message_go", let_go).await
    }
}
