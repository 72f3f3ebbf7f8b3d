//! What is measured beside the service: as little as can be done.

use std::{net::SocketAddr, time::Instant};

use axum::{Json, Router, routing::post};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::shared::evently::{SEATS, new_id, pairs};

const BATCH: usize = 100;
const BATCHES: u32 = 100;
const SCHEMA: &str = "pragma journal_mode = wal; pragma synchronous = full; \
    create table seats (number integer primary key, status text not null, version integer not null, booking blob); \
    create table bookings (id blob primary key, seats text not null, created_at text not null) without rowid;";

/// Bookings of two seats in a second: a transaction for each hundred, flushed before the next begins.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
pub fn sqlite() -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = Connection::open(folder.path().join("bare.db")).expect("a new file");
    connection.execute_batch(SCHEMA).expect("a new schema");
    let tx = connection.transaction().expect("a transaction");
    for number in 0..SEATS {
        tx.execute("insert into seats values (?1, 'available', 0, null)", [number]).expect("a new row");
    }
    tx.commit().expect("it is kept");
    let count = BATCHES * u32::try_from(BATCH).expect("it is small");
    let wanted = pairs(count).collect::<Vec<_>>();
    let began = Instant::now();
    for batch in wanted.chunks(BATCH) {
        let tx = connection.transaction().expect("a transaction");
        for pair in batch {
            let id = new_id();
            for number in [pair * 2, pair * 2 + 1] {
                let taken =
                    "update seats set status = 'reserved', version = version + 1, booking = ?2 where number = ?1 and version = 0";
                let taken = tx.prepare_cached(taken).expect("a statement").execute(params![number, id.as_bytes()]);
                assert_eq!(taken.expect("the row is there"), 1);
            }
            let begin = "insert into bookings values (?1, ?2, '2026-01-01T00:00:00Z')";
            let seats = format!("[{},{}]", pair * 2, pair * 2 + 1);
            tx.prepare_cached(begin).expect("a statement").execute(params![id.as_bytes(), seats]).expect("a new row");
        }
        tx.commit().expect("it is kept");
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

#[derive(Deserialize, Serialize)]
struct Wish {
    event_id: String,
    seats: Vec<u32>,
}

/// An axum handler that reads a little JSON and writes it again.
pub async fn axum() -> SocketAddr {
    let router = Router::new().route("/", post(|Json(wish): Json<Wish>| async { Json(wish) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}
