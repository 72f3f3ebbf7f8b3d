//! `evently booking`: what customers have.

use clap::{Args, Subcommand};
use evently_core::{
    domain::{Actor, BookingStatus, Fact, RefundPolicy, Thing, Timestamp},
    ports::BookingRecords,
    services::{Error, EventView},
};
use evently_http::compose::App;
use serde_json::{Value, json};

use crate::{
    args::Global,
    failure::Failure,
    names,
    reply::Reply,
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum BookingCommand {
    /// Show a booking with its seats, payments, refunds and tickets
    Show(Which),
    /// Show everything that happened to a booking, oldest first
    History(Which),
    /// Cancel a customer's booking for the house: all money goes back
    Cancel {
        #[command(flatten)]
        which: Which,
        /// Only if the booking still is that: pending, confirmed or expired
        #[arg(long, value_name = "STATUS", value_parser = may_be_given_up)]
        expect: Option<BookingStatus>,
        /// Why, for the customer
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Which {
    /// The booking: its id or its code of eight characters
    booking: String,
}

fn may_be_given_up(text: &str) -> Result<BookingStatus, String> {
    let statuses = BookingStatus::NAMES.into_iter().filter(|(_, status)| status.may_become(BookingStatus::Cancelled));
    let found = statuses.clone().find(|(name, _)| *name == text).map(|(_, status)| status);
    found.ok_or_else(|| format!("there are {}", statuses.map(|(name, _)| name).collect::<Vec<_>>().join(", ")))
}

pub async fn run(global: &Global, command: BookingCommand) -> Result<Reply, Failure> {
    let app = shop::open_existing(global).await?;
    match command {
        BookingCommand::Show(which) => show(&app, &which.booking).await,
        BookingCommand::History(which) => Ok(history(&records(&app, &which.booking).await?)),
        BookingCommand::Cancel { which, expect, reason } => {
            let id = names::booking(&app, &which.booking).await?.id;
            app.bookings.cancel_for(&shop::administrator(), id, expect, reason, app.key_or_new(None)).await?;
            Ok(Reply::after(format_args!("the booking {id} is cancelled"), id, show(&app, &id.to_string()).await))
        }
    }
}

async fn records(app: &App, text: &str) -> Result<BookingRecords, Failure> {
    let booking = names::booking(app, text).await?;
    let records = app.store.bookings.records(booking.id).await?;
    records.ok_or_else(|| Error::not_found(Thing::Booking).into())
}

async fn show(app: &App, text: &str) -> Result<Reply, Failure> {
    let records = records(app, text).await?;
    let view = app.events.view(records.booking.event_id).await?;
    Ok(Reply::new(in_words(&records, &view, app.clock.now()), in_json(&records, &view)))
}

fn in_words(records: &BookingRecords, view: &EventView, now: Timestamp) -> String {
    let booking = &records.booking;
    let mut parts = vec![facts([
        ("id", booking.id.to_string()),
        ("code", booking.code.map(|code| code.to_string()).unwrap_or_default()),
        ("status", in_time(booking.status(), records, now)),
        ("event", view.event.details.name.clone()),
        ("customer", booking.user_id.to_string()),
        ("total", booking.total.to_string()),
        ("since", booking.created_at.to_string()),
        (
            "refunds",
            booking.refunds.map(|RefundPolicy { until, percent }| format!("{percent} % until {until}")).unwrap_or_default(),
        ),
    ])];
    let mut seats = Table::new(["SEAT", "#PRICE", "TICKET"]);
    for seat in &booking.seats {
        let ticket = records.tickets.iter().rev().find(|ticket| ticket.seat == seat.number);
        let ticket = ticket.map(|ticket| ticket.state.name().to_owned()).unwrap_or_default();
        seats.row([names::place(view, seat.number).unwrap_or_default(), view.event.money(seat.price).to_string(), ticket]);
    }
    parts.push(seats.text());
    if !records.payments.is_empty() {
        let mut money = Table::new(["PAYMENT", "STATUS", "#AMOUNT"]);
        for payment in &records.payments {
            money.row([payment.id.to_string(), payment.status().to_owned(), payment.amount.to_string()]);
        }
        parts.push(money.text());
    }
    if !records.refunds.is_empty() {
        let mut money = Table::new(["REFUND", "REASON", "#AMOUNT"]);
        for refund in &records.refunds {
            money.row([refund.id.to_string(), refund.reason.clone(), refund.amount.to_string()]);
        }
        parts.push(money.text());
    }
    parts.join("\n")
}

/// The status, and until when where that is limited.
fn in_time(status: BookingStatus, records: &BookingRecords, now: Timestamp) -> String {
    match records.booking.hold() {
        Some(hold) if hold.is_live(now) => format!("{} until {}", status.name(), hold.expires_at()),
        Some(hold) => format!("{}, but its time ran out at {}", status.name(), hold.expires_at()),
        None => status.name().to_owned(),
    }
}

fn in_json(records: &BookingRecords, view: &EventView) -> Value {
    let booking = &records.booking;
    let seats = booking.seats.iter().map(|seat| {
        let ticket = records.tickets.iter().rev().find(|ticket| ticket.seat == seat.number);
        let (section, row, label) = view
            .layout
            .seat(seat.number)
            .map_or(("", "", ""), |(section, row, seat)| (section.name.as_str(), row.label.as_str(), seat.label.as_str()));
        json!({
            "id": view.event.layout_id.seat(seat.number),
            "section": section,
            "row": row,
            "label": label,
            "price": view.event.money(seat.price),
            "ticket": ticket.map(|ticket| ticket.state.name()),
        })
    });
    let payments = records.payments.iter().map(
        |payment| json!({ "id": payment.id, "status": payment.status(), "amount": payment.amount, "provider": payment.provider }),
    );
    let refunds =
        records.refunds.iter().map(|refund| json!({ "id": refund.id, "amount": refund.amount, "reason": refund.reason }));
    json!({
        "id": booking.id,
        "event_id": booking.event_id,
        "event_name": view.event.details.name,
        "user_id": booking.user_id,
        "status": booking.status().name(),
        "code": booking.code,
        "seats": seats.collect::<Vec<_>>(),
        "total": booking.total,
        "expires_at": booking.hold().map(evently_core::domain::Hold::expires_at),
        "created_at": booking.created_at,
        "refund_terms": booking.refunds,
        "payments": payments.collect::<Vec<_>>(),
        "refunds": refunds.collect::<Vec<_>>(),
    })
}

fn history(records: &BookingRecords) -> Reply {
    let mut table = Table::new(["AT", "WHAT", "BY", "REASON"]);
    let mut items = Vec::new();
    for entry in &records.history {
        let transition = &entry.transition;
        let (from, to) = happened(&transition.fact);
        let reason = transition.reason.clone();
        let by = by(transition.actor);
        let what = from.map_or_else(|| to.to_owned(), |from| format!("{from} -> {to}"));
        table.row([transition.at.to_string(), what, by.clone(), reason.clone().unwrap_or_default()]);
        items.push(json!({ "at": transition.at, "from": from, "to": to, "actor": by, "reason": reason }));
    }
    Reply::new(table.or_none("history"), json!({ "id": records.booking.id, "items": items }))
}

/// What the booking was, and what it became; or what happened to it.
fn happened(fact: &Fact) -> (Option<&'static str>, &'static str) {
    match fact {
        Fact::Booking { from, to, .. } => (from.map(BookingStatus::name), to.name()),
        Fact::Captured { .. } => (None, "payment_captured"),
        Fact::RefundDue { .. } => (None, "refund_due"),
        Fact::RefundSent { .. } => (None, "refund_sent"),
        Fact::CheckedIn { .. } => (None, "checked_in"),
        Fact::Event { .. } => (None, "event_changed"),
        Fact::House { .. } => (None, "seats_blocked_or_unblocked"),
    }
}

fn by(actor: Actor) -> String {
    match actor {
        Actor::User(id, _) if id == shop::administrator().user_id => "command line".to_owned(),
        Actor::User(_, _) | Actor::Gateway | Actor::System => actor.name().to_owned(),
    }
}
