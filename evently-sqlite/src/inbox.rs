//! Which messages have been acted on.

use async_trait::async_trait;
use evently_core::{
    domain::Timestamp,
    ports::{Begun, Claim, Inbox, StoreError, Taken},
};
use rusqlite::{Row, Transaction, params};
use uuid::Uuid;

use crate::{
    SqliteStore,
    rows::{each_row, execute, position_to_sql},
    statements::statements,
};

statements! {
    FIND = "select owner, claimed_until, done from inbox where consumer = ?1 and message = ?2";
    TAKE = "insert into inbox (consumer, message, owner, claimed_until, done) values (?1, ?2, ?3, ?4, 0) \
        on conflict (consumer, message) do update set owner = ?3, claimed_until = ?4";
    DONE = "update inbox set done = 1 where consumer = ?1 and message = ?2 and owner = ?3";
    LET_GO = "delete from inbox where consumer = ?1 and message = ?2 and owner = ?3 and done = 0";
}

#[async_trait]
impl Inbox for SqliteStore {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        let (consumer, message, claim) = (consumer.to_owned(), position_to_sql(message), *claim);
        let take = move |tx: &Transaction<'_>| {
            let taken = Taken::by(&claim, each_row(tx, FIND, params![consumer, message], begun)?.first());
            if taken.is_ours() {
                execute(tx, TAKE, params![consumer, message, claim.owner, claim.until.as_micros()])?;
            }
            Ok(taken)
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

fn begun(row: &Row<'_>) -> rusqlite::Result<Begun> {
    Ok(Begun { owner: row.get(0)?, until: Timestamp::from_micros(row.get(1)?), done: row.get(2)? })
}
