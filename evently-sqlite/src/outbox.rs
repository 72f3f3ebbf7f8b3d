//! The journal, handed on. It is the outbox itself: one writer at a time gives out its positions, in the order of the commits.

use async_trait::async_trait;
use evently_core::{
    domain::{Entry, Timestamp},
    ports::{Claim, Outbox, StoreError},
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
    CLAIM = "insert into consumers (name, position, owner, claimed_until) values (?1, 0, ?2, ?4) \
        on conflict (name) do update set owner = ?2, claimed_until = ?4 \
        where owner is null or owner = ?2 or claimed_until <= ?3 or claimed_until > ?5 \
        returning position";
    /// Never goes back.
    ADVANCE = "update consumers set position = max(position, ?2), claimed_until = ?4 where name = ?1 and owner = ?3";
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

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        let (consumer, Claim { owner, now, until }, at_most) = (consumer.to_owned(), *claim, claim.lasts_at_most());
        let claim = move |tx: &Transaction<'_>| {
            let times = [now, until, at_most].map(Timestamp::as_micros);
            let position = value(tx, CLAIM, params![consumer, owner, times[0], times[1], times[2]])?;
            position.map(|position| position_from_sql("consumers", position)).transpose()
        };
        self.write("claim", claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        let (consumer, Claim { owner, until, .. }) = (consumer.to_owned(), *claim);
        let advance = move |tx: &Transaction<'_>| {
            let moved = execute(tx, ADVANCE, params![consumer, position_to_sql(position), owner, until.as_micros()])?;
            Ok(moved == 1)
        };
        self.write("advance", advance).await
    }
}
