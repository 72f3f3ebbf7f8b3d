//! The journal, handed on. It is the outbox itself: one writer at a time gives out its positions, in the order of the commits.

use async_trait::async_trait;
use evently_core::{
    domain::Entry,
    ports::{Outbox, StoreError},
};
use rusqlite::{Transaction, params};

use crate::{
    SqliteStore,
    rows::{execute, find_all, position_from_sql, position_to_sql, value},
    statements::statements,
};

statements! {
    ENTRIES = "select position, content from journal where position > ?1 order by position limit ?2";
    CONSUMER_POSITION = "select position from consumers where name = ?1";
    /// Never goes back.
    ADVANCE = "insert into consumers (name, position) values (?1, ?2) \
        on conflict (name) do update set position = ?2 where position < ?2";
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let entries = move |tx: &Transaction<'_>| find_all(tx, ENTRIES, params![position_to_sql(position), limit]);
        self.read("outbox", entries).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        let consumer = consumer.to_owned();
        let position = move |tx: &Transaction<'_>| {
            let position = value(tx, CONSUMER_POSITION, [consumer])?;
            position_from_sql("consumers", position.unwrap_or_default())
        };
        self.read("outbox_position", position).await
    }

    async fn advance(&self, consumer: &str, position: u64) -> Result<(), StoreError> {
        let consumer = consumer.to_owned();
        let advance = move |tx: &Transaction<'_>| execute(tx, ADVANCE, params![consumer, position_to_sql(position)]).map(drop);
        self.write("advance", advance).await
    }
}
