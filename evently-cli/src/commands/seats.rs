//! `evently seats`: what the house keeps for itself.

use clap::{Args, Subcommand};
use evently_core::{
    domain::{Rejection, SeatId},
    services::{Error, EventView},
};
use serde_json::json;

use crate::{args::Global, failure::Failure, names, reply::Reply, shop};

#[derive(Debug, Subcommand)]
pub enum SeatsCommand {
    /// Take seats out of sale, all or none
    Block(Seats),
    /// Put blocked seats back on sale, all or none
    Unblock(Seats),
}

#[derive(Debug, Args)]
pub struct Seats {
    /// The event: its id, or its name if no other has it
    event: String,
    /// The seats: each by its id or as Section/Row/Seat
    #[arg(required = true, value_name = "SEAT")]
    seats: Vec<String>,
}

/// Names the seats that are in the way, which the error alone only counts.
fn in_the_way(view: &EventView, error: Error) -> Failure {
    let Error::Rejected(Rejection::SeatsUnavailable(seats)) = &error else { return error.into() };
    let lines = seats.iter().map(|(id, status)| {
        let place = id.number().and_then(|number| names::place(view, number)).unwrap_or_else(|| id.to_string());
        format!("\n{place} is {}", status.name())
    });
    Failure::no(format_args!("nothing was changed{}", lines.collect::<Vec<_>>().concat()))
}

pub async fn run(global: &Global, command: SeatsCommand) -> Result<Reply, Failure> {
    let (block, Seats { event, seats }) = match command {
        SeatsCommand::Block(seats) => (true, seats),
        SeatsCommand::Unblock(seats) => (false, seats),
    };
    let app = shop::open_existing(global).await?;
    let view = names::event(&app, &event).await?;
    let seats = names::seats(&view, &seats)?;
    let changed = app.events.house(&shop::administrator(), view.event.id, seats, block, app.key_or_new(None)).await;
    let changed = changed.map_err(|error| in_the_way(&view, error))?.value;
    let status = if block { "blocked" } else { "available" };
    let json = json!({
        "event_id": view.event.id,
        "status": status,
        "seat_ids": changed.iter().map(SeatId::to_string).collect::<Vec<_>>(),
    });
    let seats = if changed.len() == 1 { "seat is" } else { "seats are" };
    Ok(Reply::new(format!("{} {seats} {status}", changed.len()), json))
}
