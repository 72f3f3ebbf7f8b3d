//! The server's time.

use std::time::Duration;

use evently_core::{domain::Timestamp, ports::StoreError};

use crate::{
    error::Fault,
    rows::get,
    store::{During, PgStore, Reading},
};

const BEGIN: &str = "begin read only";
const TIME: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// What time it was by the server's clock, as somebody with another clock has found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSample {
    /// The server's time.
    pub time: Timestamp,
    /// What the other clock said before.
    pub before: Duration,
    /// What it said afterwards.
    pub after: Duration,
}

impl PgStore {
    /// The server's time, between two readings of a clock of the caller's.
    pub async fn time(&self, clock: &(dyn Fn() -> Duration + Send + Sync)) -> Result<TimeSample, StoreError> {
        time(self, clock).await.during("time")
    }
}

async fn time(store: &PgStore, clock: &(dyn Fn() -> Duration + Send + Sync)) -> Result<TimeSample, Fault> {
    // Getting a connection takes time that says nothing.
    let mut tx = Reading(store.begin(BEGIN).await?);
    let before = clock();
    let row = tx.single(TIME).await?;
    let after = clock();
    let time = Timestamp::from_micros(get(&row, 0)?);
    tx.end().await;
    Ok(TimeSample { time, before, after })
}
