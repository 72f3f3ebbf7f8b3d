//! Reads the rows that a batch wants: a statement for each kind, whatever their number.
//!
//! Rows with a key of several columns are looked up in a subquery for each key that cannot be flattened (`offset 0`), so that the server
//! finds them by their index whatever it believes of the size of the table. Left to itself it reads all of a table that is new to it, and
//! then every other batch is in the way of this one.

use std::sync::Arc;

use evently_core::domain::{Booking, BookingId, Event, EventId, Payment, Refund, Seat, Ticket, UserId, Venue};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    ledger::{Rows, Wanted},
    rows::{FromRow, booking_sql, from_json, from_rows, get, layout_from_row, payment_sql, refund_sql, signed, ticket_sql},
    store::{Tx, values},
};

const VENUES: &str = "select id, name, layout_id from venues where id = any($1)";
const LAYOUTS: &str = "select id, content from layouts where id = any($1)";
/// The small table knows the month that the event stands in.
const EVENTS: &str = "select e.id, e.version, e.content from event_ids i \
    join events e on e.id = i.id and e.start_time = i.start_time where i.id = any($1)";
pub(crate) const SEATS: &str = "select s.number, s.category, s.status, s.booking_id, s.version, s.event_id \
    from unnest($1::uuid[], $2::integer[]) w (event_id, number) \
    cross join lateral (select * from seats s where s.event_id = w.event_id and s.number = w.number offset 0) s";
pub(crate) const BOOKINGS: &str = booking_sql!("where b.id = any($1)");
/// A customer has few on hold, at whatever events.
pub(crate) const PENDING: &str = booking_sql!(
    from "unnest($1::uuid[], $2::uuid[]) w (event_id, user_id) cross join lateral ( \
        select * from bookings b where b.user_id = w.user_id and b.status = 'pending' offset 0) b where b.event_id = w.event_id"
);
/// Locked: two reports on one payment must not both be the first.
const PAYMENTS: &str = payment_sql!("where p.id = any($1) order by p.id for no key update");
const REFUNDS: &str = refund_sql!("where r.id = any($1) order by r.id for no key update");
const TICKETS_OF: &str = ticket_sql!("where t.booking_id = any($1) order by t.seat, t.id");
const TICKETS: &str = ticket_sql!("where t.code = any($1) order by t.id for no key update");
const MESSAGES: &str = "select m.provider, m.message from unnest($1::text[], $2::text[]) w (provider, message) \
    cross join lateral ( \
        select * from gateway_messages m where m.provider = w.provider and m.message = w.message offset 0) m";
pub(crate) const ANSWERS: &str = "select key, fingerprint, content from answers where key = any($1)";

pub(super) async fn read(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    answers(tx, wanted, rows).await?;
    catalogue(tx, wanted, rows).await?;
    bookings(tx, wanted, rows).await?;
    money(tx, wanted, rows).await?;
    tickets(tx, wanted, rows).await
}

async fn answers(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    if wanted.answers.is_empty() {
        return Ok(());
    }
    rows.answers.extend(wanted.answers.iter().map(|key| (*key, None)));
    let keys = wanted.answers.iter().map(|key| key.to_vec()).collect::<Vec<_>>();
    for row in tx.all(ANSWERS, values![keys]).await? {
        let answer = from_json("answers", get(&row, 2)?)?;
        rows.answers.insert(digest(&row, 0)?, Some((digest(&row, 1)?, answer)));
    }
    Ok(())
}

fn digest(row: &PgRow, column: usize) -> Result<[u8; 32], Fault> {
    <[u8; 32]>::try_from(get::<&[u8]>(row, column)?).map_err(|error| Fault::row("answers", error))
}

async fn catalogue(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    if !wanted.venues.is_empty() {
        rows.venues.extend(wanted.venues.iter().map(|id| (*id, None)));
        let ids = wanted.venues.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        let found = from_rows::<Venue>(&tx.all(VENUES, values![ids]).await?)?;
        rows.venues.extend(found.into_iter().map(|venue| (venue.id, Some(venue))));
    }
    if !wanted.layouts.is_empty() {
        rows.layouts.extend(wanted.layouts.iter().map(|id| (*id, None)));
        let ids = wanted.layouts.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        for row in tx.all(LAYOUTS, values![ids]).await? {
            let layout = layout_from_row(&row)?;
            rows.layouts.insert(layout.id, Some(layout));
        }
    }
    if !wanted.events.is_empty() {
        rows.events.extend(wanted.events.iter().map(|id| (*id, None)));
        let ids = wanted.events.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        let found = from_rows::<Arc<Event>>(&tx.all(EVENTS, values![ids]).await?)?;
        rows.events.extend(found.into_iter().map(|event| (event.id, Some(event))));
    }
    if !wanted.seats.is_empty() {
        rows.seats.extend(wanted.seats.iter().map(|key| (*key, None)));
        let (events, numbers): (Vec<Uuid>, Vec<i32>) =
            wanted.seats.iter().map(|(event, number)| (*event.as_uuid(), signed(*number))).unzip();
        for row in tx.all(SEATS, values![events, numbers]).await? {
            let (event, seat) = (EventId::from_uuid(get(&row, 5)?), Seat::from_row(&row)?);
            rows.seats.insert((event, seat.number), Some(seat));
        }
    }
    Ok(())
}

async fn bookings(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    if !wanted.bookings.is_empty() {
        rows.bookings.extend(wanted.bookings.iter().map(|id| (*id, None)));
        let ids = wanted.bookings.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        let found = from_rows::<Booking>(&tx.all(BOOKINGS, values![ids]).await?)?;
        rows.bookings.extend(found.into_iter().map(|booking| (booking.id, Some(booking))));
    }
    if !wanted.pending.is_empty() {
        rows.pending.extend(wanted.pending.iter().map(|key| (*key, Vec::new())));
        let (events, users): (Vec<Uuid>, Vec<Uuid>) =
            wanted.pending.iter().map(|(event, user): &(EventId, UserId)| (*event.as_uuid(), *user.as_uuid())).unzip();
        for booking in from_rows::<Booking>(&tx.all(PENDING, values![events, users]).await?)? {
            rows.pending.entry((booking.event_id, booking.user_id)).or_default().push(booking.id);
            rows.bookings.insert(booking.id, Some(booking));
        }
    }
    Ok(())
}

async fn money(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    if !wanted.payments.is_empty() {
        rows.payments.extend(wanted.payments.iter().map(|id| (*id, None)));
        let ids = wanted.payments.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        let found = from_rows::<Payment>(&tx.all(PAYMENTS, values![ids]).await?)?;
        rows.payments.extend(found.into_iter().map(|payment| (payment.id, Some(payment))));
    }
    if !wanted.refunds.is_empty() {
        rows.refunds.extend(wanted.refunds.iter().map(|id| (*id, None)));
        let ids = wanted.refunds.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>();
        let found = from_rows::<Refund>(&tx.all(REFUNDS, values![ids]).await?)?;
        rows.refunds.extend(found.into_iter().map(|refund| (refund.id, Some(refund))));
    }
    if !wanted.messages.is_empty() {
        rows.messages.extend(wanted.messages.iter().map(|key| (key.clone(), false)));
        let (providers, messages): (Vec<String>, Vec<String>) = wanted.messages.iter().cloned().unzip();
        for row in tx.all(MESSAGES, values![providers, messages]).await? {
            rows.messages.insert((get(&row, 0)?, get(&row, 1)?), true);
        }
    }
    Ok(())
}

async fn tickets(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    if !wanted.tickets_of.is_empty() {
        rows.tickets_of.extend(wanted.tickets_of.iter().map(|id| (*id, Vec::new())));
        let ids = wanted.tickets_of.iter().map(|id: &BookingId| *id.as_uuid()).collect::<Vec<_>>();
        for ticket in from_rows::<Ticket>(&tx.all(TICKETS_OF, values![ids]).await?)? {
            rows.tickets_of.entry(ticket.booking_id).or_default().push(ticket);
        }
    }
    if !wanted.tickets.is_empty() {
        rows.tickets.extend(wanted.tickets.iter().map(|code| (*code, None)));
        let codes = wanted.tickets.iter().map(ToString::to_string).collect::<Vec<_>>();
        let found = from_rows::<Ticket>(&tx.all(TICKETS, values![codes]).await?)?;
        rows.tickets.extend(found.into_iter().map(|ticket| (ticket.code, Some(ticket))));
    }
    Ok(())
}
