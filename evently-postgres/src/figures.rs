//! What the journal says of sales. Whoever changes the figures locks their position first.

use async_trait::async_trait;
use evently_core::{
    domain::{EventId, Sales, SalesKey, SalesRow, Timestamp},
    ports::{Figures, SalesFilter, StoreError},
};
use sqlx::postgres::PgRow;

use crate::{
    error::Fault,
    rows::{FromRow, from_rows, get, position_from_sql, position_to_sql, time, to_sql},
    store::{During, PgStore, values},
};

const SALES_POSITION: &str = "select position from sales_position";
const MOVE_ON: &str = "update sales_position set position = $2 where position = $1";
const ADD_SALES: &str = "insert into sales as s \
    (event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded) \
    select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]) \
    on conflict (event_id, hour, section) do update set \
        holds = s.holds + excluded.holds, confirmed = s.confirmed + excluded.confirmed, expired = s.expired + excluded.expired, \
        cancelled = s.cancelled + excluded.cancelled, seats = s.seats + excluded.seats, value = s.value + excluded.value, \
        captured = s.captured + excluded.captured, refunded = s.refunded + excluded.refunded";
const GO_BACK: &str = "update sales_position set position = 0";
const FORGET_SALES: &str = "delete from sales";
const SALES: &str = "select event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded \
    from sales where hour >= $1 and hour < $2";
const SALES_OF_EVENT: &str = "select event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded \
    from sales where event_id = $3 and hour >= $1 and hour < $2";

#[async_trait]
impl Figures for PgStore {
    async fn position(&self) -> Result<u64, StoreError> {
        position(self).await.during("figures_position")
    }

    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError> {
        add(self, from, to, sales).await.during("add_figures")
    }

    async fn reset(&self) -> Result<(), StoreError> {
        reset(self).await.during("reset_figures")
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        sales(self, filter).await.during("sales")
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        all(self).await.during("all_figures")
    }
}

async fn position(store: &PgStore) -> Result<u64, Fault> {
    position_in(store.row(SALES_POSITION, values![]).await?)
}

fn position_in(row: Option<PgRow>) -> Result<u64, Fault> {
    let row = row.ok_or_else(|| Fault::row("sales_position", "it is gone"))?;
    position_from_sql("sales_position", get(&row, 0)?)
}

async fn all(store: &PgStore) -> Result<(u64, Sales), Fault> {
    let mut tx = store.read().await?;
    let position = position_in(tx.one(SALES_POSITION, values![]).await?)?;
    let (from, to) = hours(&SalesFilter::default());
    let rows = tx.all(SALES, values![from, to]).await?;
    tx.end().await;
    Ok((position, figures(&rows)?))
}

async fn add(store: &PgStore, from: u64, to: u64, sales: &Sales) -> Result<bool, Fault> {
    let mut tx = store.write().await?;
    // Of many who would move on from here the first does; the others wait for it, and find the position elsewhere.
    let moved = tx.execute(MOVE_ON, values![position_to_sql(from), position_to_sql(to)]).await? == 1;
    if moved && !sales.rows.is_empty() {
        let figures = |of: fn(&SalesRow) -> i64| sales.rows.values().map(of).collect::<Vec<_>>();
        let values = values![
            sales.rows.keys().map(|key| *key.event_id.as_uuid()).collect::<Vec<_>>(),
            sales.rows.keys().map(|key| to_sql(key.hour)).collect::<Vec<_>>(),
            sales.rows.keys().map(|key| key.section.as_str()).collect::<Vec<_>>(),
            figures(|row| row.holds),
            figures(|row| row.confirmed),
            figures(|row| row.expired),
            figures(|row| row.cancelled),
            figures(|row| row.seats),
            figures(|row| row.value),
            figures(|row| row.captured),
            figures(|row| row.refunded),
        ];
        tx.execute(ADD_SALES, values).await?;
    }
    tx.commit().await?;
    Ok(moved)
}

async fn reset(store: &PgStore) -> Result<(), Fault> {
    let mut tx = store.write().await?;
    // First the position: what others were adding has then been added, and goes with the rest.
    tx.execute(GO_BACK, values![]).await?;
    tx.execute(FORGET_SALES, values![]).await?;
    tx.commit().await
}

async fn sales(store: &PgStore, filter: &SalesFilter) -> Result<Sales, Fault> {
    let (from, to) = hours(filter);
    let rows = match filter.event_id {
        Some(event) => store.rows(SALES_OF_EVENT, values![from, to, event.as_uuid()]).await?,
        None => store.rows(SALES, values![from, to]).await?,
    };
    figures(&rows)
}

/// From when to when.
fn hours(filter: &SalesFilter) -> (jiff_sqlx::Timestamp, jiff_sqlx::Timestamp) {
    let (from, to) =
        (filter.from.unwrap_or(Timestamp::from_micros(i64::MIN)), filter.to.unwrap_or(Timestamp::from_micros(i64::MAX)));
    (to_sql(from), to_sql(to))
}

fn figures(rows: &[PgRow]) -> Result<Sales, Fault> {
    let figures = from_rows::<Figure>(rows)?.into_iter();
    // A row of zeros: what was sold came back within the hour.
    Ok(Sales { rows: figures.map(|Figure(key, row)| (key, row)).filter(|(_, row)| *row != SalesRow::default()).collect() })
}

struct Figure(SalesKey, SalesRow);

impl FromRow for Figure {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        let key = SalesKey { event_id: EventId::from_uuid(get(row, 0)?), hour: time(row, 1)?, section: get(row, 2)? };
        let figures = SalesRow {
            holds: get(row, 3)?,
            confirmed: get(row, 4)?,
            expired: get(row, 5)?,
            cancelled: get(row, 6)?,
            seats: get(row, 7)?,
            value: get(row, 8)?,
            captured: get(row, 9)?,
            refunded: get(row, 10)?,
        };
        Ok(Self(key, figures))
    }
}
