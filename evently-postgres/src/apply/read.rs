//! Reads the rows that a batch wants: what it takes to hold seats by one statement, and a statement for each other kind, whatever their number.
//!
//! Rows with a key of several columns are looked up in a subquery for each key that cannot be flattened (`offset 0`), so that the server
//! finds them by their index whatever it believes of the size of the table. Left to itself it reads all of a table that is new to it, and
//! then every other batch is in the way of this one.

use evently_core::domain::{Booking, BookingId, EventId, Payment, Refund, Ticket, Venue};
use sqlx::{Row as _, ValueRef as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    error::Fault,
    ledger::{Rows, Wanted},
    rows::{
        FromRow, booking_sql, event_at, event_sql, from_json, from_rows, get, layout_from_row, payment_sql, refund_sql, seat_at,
        signed, ticket_sql, time,
    },
    store::{Tx, values},
};

const VENUES: &str = "select id, name, layout_id from venues where id = any($1)";
const LAYOUTS: &str = "select id, content from layouts where id = any($1)";
/// What holds need, and most else: bookings by their ids and what customers have on hold, seats, events, and kept answers. Each row is of
/// one kind, and all columns of the others are null. A kind of which nothing is wanted is asked for by no key, and costs next to nothing.
pub(crate) const SALE: &str = concat!(
    "select b.*, s.*, e.*, a.*, clock_timestamp() from unnest(array['bookings', 'seats', 'events', 'answers']) kind (name) \
     left join lateral (select * from (",
    booking_sql!("where b.id = any($1)"),
    " union all ",
    // A customer has few on hold, at whatever events.
    booking_sql!(
        from "unnest($2::uuid[], $3::uuid[]) w (event_id, user_id) cross join lateral ( \
            select * from bookings b where b.user_id = w.user_id and b.status = 'pending' offset 0) b where b.event_id = w.event_id"
    ),
    ") b where kind.name = 'bookings' offset 0) b on true \
     left join lateral ( \
        select s.number, s.category, s.status, s.booking_id, s.version, s.event_id, s.place::text \
        from unnest($4::uuid[], $5::integer[]) w (event_id, number) \
        cross join lateral (select s.*, s.ctid as place from seats s where s.event_id = w.event_id and s.number = w.number offset 0) s \
        where kind.name = 'seats' offset 0) s on true \
     left join lateral ( ",
    // The small table knows the month that the event stands in.
    event_sql!(
        "join event_ids i on e.id = i.id and e.start_time = i.start_time where i.id = any($6) and kind.name = 'events' offset 0"
    ),
    ") e on true \
     left join lateral ( \
        select a.key, a.fingerprint, a.content from answers a where a.key = any($7) and kind.name = 'answers' offset 0) a on true"
);
/// An event that is listed stands in some month.
const LISTED: &str = "select i.id from event_ids i where i.id = any($1) limit 1";
/// Where the columns of a kind begin.
const SEAT: usize = 17;
const EVENT: usize = 24;
const ANSWER: usize = 27;
/// The server's time, which every row has.
const TIME: usize = 30;
/// Locked: two reports on one payment must not both be the first.
pub(crate) const PAYMENTS: &str = payment_sql!("where p.id = any($1) order by p.id for no key update");
pub(crate) const REFUNDS: &str = refund_sql!("where r.id = any($1) order by r.id for no key update");
const TICKETS_OF: &str = ticket_sql!("where t.booking_id = any($1) order by t.seat, t.id");
pub(crate) const TICKETS: &str = ticket_sql!("where t.code = any($1) order by t.id for no key update");
const MESSAGES: &str = "select m.provider, m.message from unnest($1::text[], $2::text[]) w (provider, message) \
    cross join lateral ( \
        select * from gateway_messages m where m.provider = w.provider and m.message = w.message offset 0) m";

/// Reads rows. The first time it notes the server's time: all that is read later is read as of this moment or before.
pub(super) async fn read(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    sale(tx, wanted, rows).await?;
    catalogue(tx, wanted, rows).await?;
    money(tx, wanted, rows).await?;
    tickets(tx, wanted, rows).await
}

async fn sale(tx: &mut Tx, wanted: &Wanted, rows: &mut Rows) -> Result<(), Fault> {
    let Wanted { bookings, pending, seats, events, answers, .. } = wanted;
    let wants_nothing = bookings.is_empty() && pending.is_empty() && seats.is_empty() && events.is_empty() && answers.is_empty();
    if wants_nothing && rows.read_at.is_some() {
        return Ok(());
    }
    rows.bookings.extend(bookings.iter().map(|id| (*id, None)));
    rows.pending.extend(pending.iter().map(|key| (*key, Vec::new())));
    rows.seats.extend(seats.iter().map(|key| (*key, None)));
    rows.events.extend(events.iter().map(|id| (*id, None)));
    rows.answers.extend(answers.iter().map(|key| (*key, None)));
    let (pending_events, pending_users): (Vec<Uuid>, Vec<Uuid>) =
        pending.iter().map(|(event, user)| (*event.as_uuid(), *user.as_uuid())).unzip();
    let (seat_events, seat_numbers): (Vec<Uuid>, Vec<i32>) =
        seats.iter().map(|(event, number)| (*event.as_uuid(), signed(*number))).unzip();
    let values = values![
        bookings.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>(),
        pending_events,
        pending_users,
        seat_events,
        seat_numbers,
        events.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>(),
        answers.iter().map(|key| key.to_vec()).collect::<Vec<_>>(),
    ];
    for row in &tx.all(SALE, values).await? {
        if rows.read_at.is_none() {
            rows.read_at = Some(time(row, TIME)?);
        }
        if is_there(row, 0)? {
            let booking = Booking::from_row(row)?;
            let on_hold = rows.pending.get_mut(&(booking.event_id, booking.user_id));
            // It comes twice if it was wanted by its id as well.
            let on_hold = on_hold.filter(|ids| booking.hold().is_some() && !ids.contains(&booking.id));
            if let Some(ids) = on_hold {
                ids.push(booking.id);
            }
            rows.bookings.insert(booking.id, Some(booking));
        } else if is_there(row, SEAT)? {
            let (seat, event) = (seat_at(row, SEAT)?, EventId::from_uuid(get(row, SEAT + 5)?));
            rows.places.insert((event, seat.number), get(row, SEAT + 6)?);
            rows.seats.insert((event, seat.number), Some(seat));
        } else if is_there(row, EVENT)? {
            let event = event_at(row, EVENT)?;
            rows.events.insert(event.id, Some(event));
        } else if is_there(row, ANSWER)? {
            let answer = from_json("answers", get(row, ANSWER + 2)?)?;
            rows.answers.insert(digest(row, ANSWER)?, Some((digest(row, ANSWER + 1)?, answer)));
        }
    }
    none_has_been_moved(tx, wanted, rows).await
}

/// Whoever had to wait while events were moved to the month that has been made for them reads as of before, and looks where they are now. It
/// has to begin anew.
async fn none_has_been_moved(tx: &mut Tx, wanted: &Wanted, rows: &Rows) -> Result<(), Fault> {
    let missing = wanted.events.iter().filter(|id| matches!(rows.events.get(id), Some(None)));
    let missing = missing.map(|id| *id.as_uuid()).collect::<Vec<_>>();
    if !missing.is_empty() && tx.one(LISTED, values![missing]).await?.is_some() {
        return Err(Fault::Stale("events"));
    }
    Ok(())
}

/// Whether a column has a value.
fn is_there(row: &PgRow, column: usize) -> Result<bool, Fault> {
    Ok(!row.try_get_raw(column)?.is_null())
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
