//! What one would write first: a handler that books two seats in a SERIALIZABLE transaction, and tries again when it fails.

use std::net::SocketAddr;

use axum::{Json, Router, extract::State, routing::post};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row as _, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::shared::{
    client,
    evently::{SEATS, new_id, pairs},
};

pub const SCHEMA: &str = "create table seats (event_id uuid, number integer, status text not null, version integer not null, \
        booking_id uuid, primary key (event_id, number)); \
    create table bookings (id uuid primary key, event_id uuid not null, seats integer[] not null, created_at timestamptz not null);";

pub struct Plain {
    pub address: SocketAddr,
    url: String,
    pool: PgPool,
}

#[derive(Deserialize)]
struct Wish {
    event_id: Uuid,
    seats: Vec<i32>,
}

#[derive(Serialize)]
struct Booked {
    id: Uuid,
    seats: Vec<i32>,
}

impl Plain {
    pub async fn start(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(16).connect(url).await.expect("the server takes us");
        sqlx::raw_sql(SCHEMA).execute(&pool).await.expect("a new database");
        let router = Router::new().route("/bookings", post(book)).with_state(pool.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { address, url: url.to_owned(), pool }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds of all different seats of a new event, all over the house.
    pub async fn requests(&self, holds: u32) -> Vec<String> {
        let event = new_id();
        sqlx::query("insert into seats select $1, n, 'available', 0 from generate_series(0, $2) n")
            .bind(event)
            .bind(i32::try_from(SEATS).expect("it fits") - 1)
            .execute(&self.pool)
            .await
            .expect("a new event");
        // A server that knows nothing of its tables reads all of them, and then every transaction is in the way of every other.
        sqlx::query("analyze").execute(&self.pool).await.expect("the tables are ours");
        let request = |pair: u32| {
            let body = format!(r#"{{"event_id":"{event}","seats":[{},{}]}}"#, pair * 2, pair * 2 + 1);
            client::post("/bookings", "", &body)
        };
        pairs(holds).map(request).collect()
    }
}

async fn book(State(pool): State<PgPool>, Json(wish): Json<Wish>) -> Result<(StatusCode, Json<Booked>), StatusCode> {
    for _ in 0..10 {
        match attempt(&pool, &wish).await {
            Ok(Some(booked)) => return Ok((StatusCode::CREATED, Json(booked))),
            Ok(None) => return Err(StatusCode::CONFLICT),
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("40001" | "40P01")) => {}
            Err(_) => break,
        }
    }
    Err(StatusCode::SERVICE_UNAVAILABLE)
}

async fn attempt(pool: &PgPool, wish: &Wish) -> Result<Option<Booked>, sqlx::Error> {
    let mut tx = pool.begin_with("begin isolation level serializable").await?;
    let seats = sqlx::query("select number, version, status from seats where event_id = $1 and number = any($2) order by number")
        .bind(wish.event_id)
        .bind(&wish.seats)
        .fetch_all(&mut *tx)
        .await?;
    if seats.len() != wish.seats.len() || seats.iter().any(|seat| seat.get::<&str, _>(2) != "available") {
        return Ok(None);
    }
    let id = new_id();
    for seat in &seats {
        let updated = sqlx::query(
            "update seats set status = 'reserved', booking_id = $4, version = version + 1 \
             where event_id = $1 and number = $2 and version = $3",
        )
        .bind(wish.event_id)
        .bind(seat.get::<i32, _>(0))
        .bind(seat.get::<i32, _>(1))
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() != 1 {
            return Ok(None);
        }
    }
    sqlx::query("insert into bookings (id, event_id, seats, created_at) values ($1, $2, $3, now())")
        .bind(id)
        .bind(wish.event_id)
        .bind(&wish.seats)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(Booked { id, seats: wish.seats.clone() }))
}
