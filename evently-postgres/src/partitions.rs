//! Events stand in partitions by the month in which they begin, made ahead. What no month has been made for stands in the default
//! partition, and is moved when its month is made; an event that is put off to another month is moved by the server.

use std::time::Duration;

use evently_core::{domain::Timestamp, ports::StoreError};

use crate::{
    error::Fault,
    rows::get,
    store::{During, PgStore, Tx, values},
};

/// How many months are made ahead, beside the one under way.
pub const MONTHS_AHEAD: u32 = 12;

/// How often a month is tried where others are in the way. It is tried again within the hour, and has a year.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Makers take turns, until their transactions end.
const TAKE_TURNS: &str = "select pg_advisory_xact_lock(7308604895486473592)";
const PARTITIONS: &str = "select c.relname::text, coalesce(pg_get_expr(c.relpartbound, c.oid), ''), c.reltuples::bigint \
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'events'::regclass order by c.relname";
const IN_DEFAULT: &str = "select count(*) from events_default";

/// A partition of the table `events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name, such as `events_2026_12`.
    pub name: String,
    /// What it holds, in the server's words.
    pub bounds: String,
    /// About how many events stand in it, as the server guessed last; none if it has not.
    pub events: Option<u64>,
}

/// A month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Month(jiff::civil::Date);

impl Month {
    fn of(at: Timestamp) -> Self {
        let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
        Self(at.to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month())
    }

    fn next(self) -> Option<Self> {
        self.0.checked_add(jiff::Span::new().months(1)).ok().map(Self)
    }

    fn partition(self) -> String {
        format!("events_{:04}_{:02}", self.0.year(), self.0.month())
    }
}

impl PgStore {
    /// The partitions there are, by name.
    pub async fn partitions(&self) -> Result<Vec<Partition>, StoreError> {
        partitions(self).await.during("partitions")
    }

    /// Makes the partition of this month and those of the `ahead` after it. The names of those that were not there.
    pub async fn make_partitions(&self, now: Timestamp, ahead: u32) -> Result<Vec<String>, StoreError> {
        make_partitions(self, now, ahead).await.during("make_partitions")
    }
}

async fn partitions(store: &PgStore) -> Result<Vec<Partition>, Fault> {
    let rows = store.rows(PARTITIONS, values![]).await?;
    let partition = |row| {
        let events = u64::try_from(get::<i64>(row, 2)?).ok();
        Ok(Partition { name: get(row, 0)?, bounds: get(row, 1)?, events })
    };
    rows.iter().map(partition).collect()
}

async fn make_partitions(store: &PgStore, now: Timestamp, ahead: u32) -> Result<Vec<String>, Fault> {
    let months = std::iter::successors(Some(Month::of(now)), |month| month.next()).take(ahead as usize + 1);
    let there = partitions(store).await?;
    let mut made = Vec::new();
    for month in months.filter(|month| there.iter().all(|partition| partition.name != month.partition())) {
        if make_patiently(store, month).await? {
            made.push(month.partition());
        }
    }
    Ok(made)
}

/// Whether it was not there. Whoever reads for long, a backup for instance, is in the way of who makes it, and everybody else then waits
/// behind that one; so it gives up soon, and lets them by before it tries again.
async fn make_patiently(store: &PgStore, month: Month) -> Result<bool, Fault> {
    let mut tries = 1;
    loop {
        let mut tx = store.write().await?;
        tx.single(TAKE_TURNS).await?;
        match make(&mut tx, month).await {
            Ok(true) => break tx.commit().await.map(|()| true),
            Err(fault) if fault.waited_too_long() && tries < TRIES => tries += 1,
            other => break other,
        }
        drop(tx);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether it was not there.
async fn make(tx: &mut Tx, month: Month) -> Result<bool, Fault> {
    let name = month.partition();
    let there = tx.all(PARTITIONS, values![]).await?;
    for row in &there {
        if get::<&str>(row, 0)? == name {
            return Ok(false);
        }
    }
    let Some(next) = month.next() else { return Ok(false) };
    let (from, to) = (month.0, next.0);
    // Nobody looks or adds between the move and the end. The table comes before its partition, as it does for everybody: who has read in it
    // may be about to write, and waits for nothing that is locked here; and who waits in turn learns of the new partition before planning,
    // where somebody who waited for the default one would look there alone, in vain. A transaction that reads as of before does not find
    // what has been moved, and begins anew.
    tx.define(format!(
        "set local lock_timeout = '500ms'; \
         lock table only events in access exclusive mode; \
         lock table only events_default in access exclusive mode; \
         create table {name} (like events including defaults including constraints); \
         with moved as (delete from events_default where start_time >= '{from}T00:00Z' and start_time < '{to}T00:00Z' returning *) \
             insert into {name} select * from moved; \
         alter table events attach partition {name} for values from ('{from}T00:00Z') to ('{to}T00:00Z')"
    ))
    .await?;
    Ok(true)
}

impl PgStore {
    /// How many events stand in the default partition: begun before the first month, or planned for after the last.
    pub async fn events_without_a_month(&self) -> Result<u64, StoreError> {
        let counted = async {
            let row = self.row(IN_DEFAULT, values![]).await?.ok_or_else(|| Fault::row("events_default", "it is gone"))?;
            u64::try_from(get::<i64>(&row, 0)?).map_err(|error| Fault::row("events_default", error))
        };
        counted.await.during("events_without_a_month")
    }
}
