//! The journal, handed on. Positions are given to what has been committed, by one process at a time: an entry that commits late comes
//! late, and none that has been handed on is ever followed by one with a lower position.

use async_trait::async_trait;
use evently_core::{
    domain::{ChainHash, Entry},
    ports::{Claim, Outbox, StoreError},
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    journal::{entry, lines},
    rows::{FromRow, get, position_from_sql, position_to_sql, to_sql},
    store::{During, PgStore, Tx, values},
};

/// Rows until there are as many entries as are asked for. Of the first row some may have been handed on before.
pub(crate) const ROWS: &str = "select position, content from ( \
        select position, content, left_over, sum(left_over) over (order by position) as up_to from ( \
            select position, content, least(entries, position - $1) as left_over from journal \
                where position > $1 order by position limit $2) next \
    ) next where up_to - left_over < $2 order by position";
const CONSUMER_POSITION: &str = "select position from consumers where name = $1";
/// Whoever has waited for the row judges it as it is then.
const CLAIM: &str = "insert into consumers as c (name, position, owner, claimed_until) values ($1, 0, $2, $4) \
    on conflict (name) do update set owner = excluded.owner, claimed_until = excluded.claimed_until \
    where c.owner is null or c.owner = excluded.owner or c.claimed_until <= $3 or c.claimed_until > $5 \
    returning position";
/// Never goes back.
const ADVANCE: &str = "update consumers set position = greatest(position, $2), claimed_until = $4 where name = $1 and owner = $3";

pub(crate) const SOME_UNNUMBERED: &str = "select 1 from journal where position is null limit 1";
/// Whoever has waited for the lock reads the row anew, and what follows sees all that was numbered meanwhile.
const LOCK_HEAD: &str = "select position, hash from journal_head for update";
pub(crate) const UNNUMBERED: &str =
    "select event_id, sequence, entries, content from journal where position is null order by sequence limit $1";
const NUMBER: &str = "update journal j set position = n.position, hash = n.hash \
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[]) n (event_id, sequence, position, hash) \
    cross join lateral (select j.ctid from journal j where j.event_id = n.event_id and j.sequence = n.sequence offset 0) found \
    where j.ctid = found.ctid and j.position is null";
const MOVE_HEAD: &str = "update journal_head set position = $1, hash = $2";

/// How many rows get their positions in one transaction. Each may have as many entries as a batch.
const NUMBERED_AT_ONCE: usize = 200;

#[async_trait]
impl Outbox for PgStore {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        after(self, position, limit).await.during("outbox")
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        position(self, consumer).await.during("outbox_position")
    }

    async fn claim(&self, consumer: &str, by: &Claim) -> Result<Option<u64>, StoreError> {
        claim(self, consumer, by).await.during("claim")
    }

    async fn advance(&self, consumer: &str, position: u64, by: &Claim) -> Result<bool, StoreError> {
        advance(self, consumer, position, by).await.during("advance")
    }
}

async fn after(store: &PgStore, position: u64, limit: u32) -> Result<Vec<Entry>, Fault> {
    number(store).await?;
    let after = position_to_sql(position);
    let mut entries = Vec::new();
    for row in store.rows(ROWS, values![after, i64::from(limit)]).await? {
        for (position, line) in lines(get(&row, 0)?, get(&row, 1)?).filter(|(position, _)| *position > after) {
            entries.push(entry(position, line)?);
        }
    }
    entries.truncate(limit as usize);
    Ok(entries)
}

async fn position(store: &PgStore, consumer: &str) -> Result<u64, Fault> {
    let row = store.row(CONSUMER_POSITION, values![consumer]).await?;
    row.map_or(Ok(0), |row| position_from_sql("consumers", get(&row, 0)?))
}

async fn claim(store: &PgStore, consumer: &str, by: &Claim) -> Result<Option<u64>, Fault> {
    let mut tx = store.write().await?;
    let row = tx.one(CLAIM, values![consumer, by.owner, to_sql(by.now), to_sql(by.until), to_sql(by.lasts_at_most())]).await?;
    tx.commit().await?;
    row.map(|row| position_from_sql("consumers", get(&row, 0)?)).transpose()
}

async fn advance(store: &PgStore, consumer: &str, position: u64, by: &Claim) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    let moved = tx.execute(ADVANCE, values![consumer, position_to_sql(position), by.owner, to_sql(by.until)]).await?;
    tx.commit().await?;
    Ok(moved == 1)
}

/// Gives positions to all that has been committed. A row has that of its last entry.
pub(crate) async fn number(store: &PgStore) -> Result<(), Fault> {
    loop {
        let numbered = match number_some(store).await {
            // What has become of it is seen by looking again, and is nothing that whoever wants to read has to know.
            Err(Fault::InDoubt(_)) => number_some(store).await.map_err(Fault::of_read),
            numbered => numbered,
        };
        if numbered? < NUMBERED_AT_ONCE {
            return Ok(());
        }
    }
}

/// Numbers the rows that were written first, and says how many.
async fn number_some(store: &PgStore) -> Result<usize, Fault> {
    let mut tx = store.write().await?;
    // Mostly there is nothing, and nobody has to wait for a lock.
    let some = tx.one(SOME_UNNUMBERED, values![]).await?.is_some();
    let numbered = if some { number_in(&mut tx).await? } else { 0 };
    tx.commit().await?;
    Ok(numbered)
}

async fn number_in(tx: &mut Tx) -> Result<usize, Fault> {
    let mut head = Head::from_row(&tx.one(LOCK_HEAD, values![]).await?.ok_or_else(head_is_gone)?)?;
    let limit = i64::try_from(NUMBERED_AT_ONCE).unwrap_or(i64::MAX);
    let rows = tx.all(UNNUMBERED, values![limit]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut events, mut sequences, mut positions, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        head = head.then(get(row, 2)?, get(row, 3)?);
        events.push(get::<Uuid>(row, 0)?);
        sequences.push(get::<i64>(row, 1)?);
        positions.push(head.position);
        hashes.push(head.hash.0);
    }
    if tx.execute(NUMBER, values![events, sequences, positions, hashes]).await? != rows.len() as u64 {
        return Err(Fault::Stale("journal"));
    }
    tx.execute(MOVE_HEAD, values![head.position, head.hash.0]).await?;
    Ok(rows.len())
}

/// The end of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) position: i64,
    pub(crate) hash: ChainHash,
}

impl Head {
    /// Before the first entry.
    pub(crate) const START: Self = Self { position: 0, hash: ChainHash([0; 32]) };

    /// The end after one more row, with so many entries.
    pub(crate) fn then(self, entries: i32, content: &str) -> Self {
        Self { position: self.position + i64::from(entries), hash: self.hash.then(content.as_bytes()) }
    }
}

/// `select position, hash from journal_head`.
impl FromRow for Head {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        Ok(Self { position: get(row, 0)?, hash: ChainHash(get(row, 1)?) })
    }
}

pub(crate) fn head_is_gone() -> Fault {
    Fault::row("journal_head", "it is gone")
}
