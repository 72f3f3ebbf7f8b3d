//! What the journal says of sales.

use async_trait::async_trait;
use evently_core::{
    domain::{EventId, Sales, SalesKey, SalesRow, Timestamp},
    ports::{Figures, SalesFilter, StoreError},
};
use rusqlite::{Row, Transaction, params};

use crate::{
    SqliteStore,
    error::Fault,
    rows::{each_row, execute, position_from_sql, position_to_sql, value},
    statements::statements,
};

statements! {
    SALES_POSITION = "select position from sales_position";
    MOVE_ON = "update sales_position set position = ?2 where position = ?1";
    ADD_SALES = "insert into sales \
        (event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        on conflict (event_id, hour, section) do update set \
            holds = holds + ?4, confirmed = confirmed + ?5, expired = expired + ?6, cancelled = cancelled + ?7, \
            seats = seats + ?8, value = value + ?9, captured = captured + ?10, refunded = refunded + ?11";
    FORGET_SALES = "delete from sales";
    GO_BACK = "update sales_position set position = 0";
    SALES = "select event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded \
        from sales where hour >= ?1 and hour < ?2";
    SALES_OF_EVENT = "select event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded \
        from sales where event_id = ?3 and hour >= ?1 and hour < ?2";
}

#[async_trait]
impl Figures for SqliteStore {
    async fn position(&self) -> Result<u64, StoreError> {
        self.read("figures_position", position).await
    }

    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError> {
        let sales = sales.clone();
        self.write("add_figures", move |tx| add(tx, from, to, &sales)).await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        let reset = |tx: &Transaction<'_>| {
            execute(tx, FORGET_SALES, [])?;
            execute(tx, GO_BACK, []).map(drop)
        };
        self.write("reset_figures", reset).await
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        let filter = *filter;
        self.read("sales", move |tx| sales(tx, filter)).await
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        self.read("all_figures", |tx| Ok((position(tx)?, sales(tx, SalesFilter::default())?))).await
    }
}

fn position(tx: &Transaction<'_>) -> Result<u64, Fault> {
    let position = value(tx, SALES_POSITION, [])?.ok_or_else(|| Fault::row("sales_position", "it is gone"))?;
    position_from_sql("sales_position", position)
}

fn add(tx: &Transaction<'_>, from: u64, to: u64, sales: &Sales) -> Result<bool, Fault> {
    if execute(tx, MOVE_ON, [position_to_sql(from), position_to_sql(to)])? == 0 {
        return Ok(false);
    }
    for (SalesKey { event_id, hour, section }, row) in &sales.rows {
        let SalesRow { holds, confirmed, expired, cancelled, seats, value, captured, refunded } = row;
        let key = (event_id.as_uuid(), hour.as_micros());
        let values = params![key.0, key.1, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded];
        execute(tx, ADD_SALES, values)?;
    }
    Ok(true)
}

fn sales(tx: &Transaction<'_>, filter: SalesFilter) -> Result<Sales, Fault> {
    let from = filter.from.map_or(i64::MIN, Timestamp::as_micros);
    let to = filter.to.map_or(i64::MAX, Timestamp::as_micros);
    let figures = match filter.event_id {
        Some(event) => each_row(tx, SALES_OF_EVENT, params![from, to, event.as_uuid()], figure)?,
        None => each_row(tx, SALES, [from, to], figure)?,
    };
    // A row of zeros: what was sold came back within the hour.
    Ok(Sales { rows: figures.into_iter().filter(|(_, row)| *row != SalesRow::default()).collect() })
}

fn figure(row: &Row<'_>) -> rusqlite::Result<(SalesKey, SalesRow)> {
    let key =
        SalesKey { event_id: EventId::from_uuid(row.get(0)?), hour: Timestamp::from_micros(row.get(1)?), section: row.get(2)? };
    let figures = SalesRow {
        holds: row.get(3)?,
        confirmed: row.get(4)?,
        expired: row.get(5)?,
        cancelled: row.get(6)?,
        seats: row.get(7)?,
        value: row.get(8)?,
        captured: row.get(9)?,
        refunded: row.get(10)?,
    };
    Ok((key, figures))
}
