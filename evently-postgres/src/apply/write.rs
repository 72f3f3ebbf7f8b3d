//! Writes what a batch has decided: a part of one statement for each kind of row, whatever their number. Money and what organizers do
//! have statements of their own, since they read what was written before.
//!
//! Rows to be changed are taken by their place (`ctid`): seats where they stood when they were [read](super::read), the others looked up as they
//! are there. What somebody else has changed since is a conflict, and the batch is tried again. What this transaction itself has moved would
//! not be found however often it is tried: before their part nothing writes seats that were there, but for an event that is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use evently_core::domain::{
    Booking, BookingCode, BookingId, Event, EventId, Layout, Payment, PriceCategory, Refund, RefundState, Seat, SeatState, Stage,
    Ticket, TicketState, Transition,
};
use uuid::Uuid;

use super::parts::{Part, Parts, part};
use crate::{
    error::Fault,
    journal::content,
    ledger::{Rows, Written},
    plans::placeholders,
    rows::{PaymentColumns, StateColumns, signed, to_json, to_sql},
    store::{PgStore, Tx, values},
};

const INSERT_LAYOUT: &str = "insert into layouts (id, content) values ($1, $2)";
const INSERT_VENUE: &str = "insert into venues (id, name, search, layout_id) values ($1, $2, $3, $4)";
const INSERT_EVENT_ID: &str = "insert into event_ids (id, start_time) values ($1, $2)";
const INSERT_EVENT: &str = "insert into events \
    (id, start_time, end_time, status, venue_id, layout_id, organizer_id, search, version, content) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const INSERT_SEATS: &str = "insert into seats (event_id, number, category, price, section, \"row\", status, version) \
    select $1, s.number, s.category, s.price, s.section, s.label, 'available', 0 \
    from unnest($2::integer[], $3::smallint[], $4::bigint[], $5::text[], $6::text[]) s (number, category, price, section, label)";
/// Another start may be in another month, which the row then moves to.
const MOVE_EVENT: &str = "update event_ids set start_time = $2 where id = $1 and start_time <> $2";
const UPDATE_EVENT: &str = "update events \
    set start_time = $3, end_time = $4, status = $5, search = $6, version = $7, content = $8 \
    where id = $1 and (version = $2 or $9)";
const PRICE_SEATS: &str = "update seats s set price = p.price \
    from unnest($2::smallint[], $3::bigint[]) p (category, price) \
    where s.event_id = $1 and s.category = p.category and s.price <> p.price";
/// Only the version that was read is replaced.
const UPDATE_SEATS: Part = Part {
    name: "changed_seats",
    sql: "update seats s set status = n.status, booking_id = n.booking_id, version = n.version \
    from unnest($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::integer[], $6::integer[], $7::text[]) \
        n (event_id, number, status, booking_id, version, was, place) \
    cross join lateral (select coalesce(n.place::tid, ( \
        select s.ctid from seats s where s.event_id = n.event_id and s.number = n.number)) as ctid offset 0) found \
    where s.ctid = found.ctid and s.event_id = n.event_id and s.number = n.number and (s.version = n.was or $8) \
    returning 1",
};
const INSERT_BOOKINGS: Part = Part {
    name: "begun",
    sql: "insert into bookings \
    (event_id, id, user_id, status, seats, prices, amount, currency, code, hold_until, payment_id, payment_until, expires_at, \
     confirmed_at, created_at, version, refund_until, refund_percent, journal) \
    select n.event_id, n.id, n.user_id, n.status, n.seats::integer[], n.prices::bigint[], n.amount, n.currency, n.code, \
        n.hold_until, n.payment_id, n.payment_until, n.expires_at, n.confirmed_at, n.created_at, n.version, \
        n.refund_until, n.refund_percent, \
        array(select r.sequence from recorded r where r.event_id = n.event_id) \
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[], \
            $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::integer[], $13::uuid[], $14::bigint[], \
            $15::text[], $16::timestamptz[], $17::timestamptz[], $18::smallint[]) \
        n (event_id, id, status, seats, prices, code, hold_until, payment_id, payment_until, expires_at, confirmed_at, version, \
           user_id, amount, currency, created_at, refund_until, refund_percent)",
};
/// Only the version that was read is replaced.
const UPDATE_BOOKINGS: Part = Part {
    name: "changed_bookings",
    sql: "update bookings b \
    set status = n.status, seats = n.seats::integer[], prices = n.prices::bigint[], code = n.code, hold_until = n.hold_until, \
        payment_id = n.payment_id, payment_until = n.payment_until, expires_at = n.expires_at, confirmed_at = n.confirmed_at, \
        version = n.version, journal = b.journal || array(select r.sequence from recorded r where r.event_id = n.event_id) \
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[], \
            $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::integer[], $13::integer[]) \
        n (event_id, id, status, seats, prices, code, hold_until, payment_id, payment_until, expires_at, confirmed_at, version, was) \
    cross join lateral (select b.ctid from bookings b where b.event_id = n.event_id and b.id = n.id offset 0) found \
    where b.ctid = found.ctid and (b.version = n.was or $14) \
    returning 1",
};
/// What happened to bookings that are not changed by it: a ticket of theirs was used, money was sent.
const FILE: Part = Part {
    name: "filed",
    sql: "update bookings b \
    set journal = b.journal || array(select r.sequence from recorded r where r.event_id = n.event_id) \
    from unnest($1::uuid[], $2::uuid[]) n (event_id, id) \
    cross join lateral (select b.ctid from bookings b where b.event_id = n.event_id and b.id = n.id offset 0) found \
    where b.ctid = found.ctid \
    returning 1",
};
const INSERT_CODES: Part =
    Part { name: "coded", sql: "insert into booking_codes (code, booking_id) select * from unnest($1::text[], $2::uuid[])" };
const END_CLAIMS: &str = "delete from booking_items i \
    using unnest($1::uuid[], $2::uuid[], $3::integer[]) n (event_id, booking_id, seat) \
    cross join lateral ( \
        select i.ctid from booking_items i where i.event_id = n.event_id and i.seat = n.seat and i.booking_id = n.booking_id offset 0) found \
    where i.ctid = found.ctid";
/// A second claim on a seat has no room, whatever was read.
const CLAIM: Part = Part {
    name: "claimed",
    sql: "insert into booking_items (event_id, booking_id, seat) select * from unnest($1::uuid[], $2::uuid[], $3::integer[])",
};
const PUT_PAYMENTS: &str = "insert into payments \
    (event_id, id, booking_id, amount, currency, status, detail, succeeded_at, provider, reference, refunded, created_at) \
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], \
        $9::text[], $10::text[], $11::bigint[], $12::timestamptz[]) \
    on conflict (event_id, id) do update set status = excluded.status, detail = excluded.detail, \
        succeeded_at = excluded.succeeded_at, reference = excluded.reference, refunded = excluded.refunded";
/// After their payments, whose provider they have.
const PUT_REFUNDS: &str = "insert into refunds \
    (event_id, id, payment_id, booking_id, amount, currency, reason, succeeded_at, created_at, provider) \
    select n.*, (select provider from payments p where p.event_id = n.event_id and p.id = n.payment_id) \
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[], \
            $9::timestamptz[]) \
        n (event_id, id, payment_id, booking_id, amount, currency, reason, succeeded_at, created_at) \
    on conflict (event_id, id) do update set succeeded_at = excluded.succeeded_at";
const PUT_TICKETS: &str = "insert into tickets (event_id, id, booking_id, seat, code, status, used_at, used_by) \
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[]) \
    on conflict (event_id, id) do update set status = excluded.status, used_at = excluded.used_at, used_by = excluded.used_by";
const NOTE_MESSAGES: &str = "insert into gateway_messages (provider, message, taken_in_at) select * from unnest($1::text[], $2::text[], $3::timestamptz[])";
const RECORD: Part = Part {
    name: "recorded",
    sql: "insert into journal (event_id, entries, content, writer) \
    select event_id, entries, content, $4 from unnest($1::uuid[], $2::integer[], $3::text[]) n (event_id, entries, content) \
    returning event_id, sequence",
};
const KEEP_ANSWERS: Part = Part {
    name: "kept",
    sql: "insert into answers (key, fingerprint, at, content) \
    select * from unnest($1::bytea[], $2::bytea[], $3::timestamptz[], $4::text[])",
};
/// Those whose keys have been used again after their time.
const REPLACE_ANSWERS: Part = Part {
    name: "kept_anew",
    sql: "update answers a set fingerprint = n.fingerprint, at = n.at, content = n.content \
    from unnest($1::bytea[], $2::bytea[], $3::timestamptz[], $4::text[]) n (key, fingerprint, at, content) \
    where a.key = n.key",
};

/// All that a batch may send as one.
const PARTS: [Part; 9] =
    [UPDATE_SEATS, RECORD, FILE, INSERT_BOOKINGS, UPDATE_BOOKINGS, INSERT_CODES, CLAIM, KEEP_ANSWERS, REPLACE_ANSWERS];

/// A row was not of the version that was read, unless nobody looks.
fn all_of(table: &'static str, wanted: usize, written: u64) -> Result<(), Fault> {
    if written == wanted as u64 { Ok(()) } else { Err(Fault::Stale(table)) }
}

pub(super) async fn write(tx: &mut Tx, store: &PgStore, rows: &Rows, written: &Written) -> Result<(), Fault> {
    let check_versions = store.checks_versions();
    catalogue(tx, rows, written, check_versions).await?;
    let (ended, begun) = claims(rows, written);
    if !ended.is_empty() {
        // Their seats may be claimed anew in the same batch.
        let (events, bookings, seats) = columns(&ended);
        tx.execute(END_CLAIMS, values![events, bookings, seats]).await?;
    }
    let mut parts = Parts::default();
    seats(&mut parts, rows, written, check_versions)?;
    journal(&mut parts, store, written)?;
    bookings(&mut parts, rows, written, check_versions)?;
    if !begun.is_empty() {
        let (events, bookings, seats) = columns(&begun);
        part!(parts, CLAIM, events, bookings, seats);
    }
    answers(&mut parts, rows, written)?;
    parts.send(tx).await?;
    money(tx, written).await?;
    tickets(tx, written).await
}

async fn catalogue(tx: &mut Tx, rows: &Rows, written: &Written, check_versions: bool) -> Result<(), Fault> {
    for (venue, layout) in &written.venues {
        tx.execute(INSERT_LAYOUT, values![layout.id.as_uuid(), to_json(layout)]).await?;
        let search = venue.name.to_lowercase();
        tx.execute(INSERT_VENUE, values![venue.id.as_uuid(), &venue.name, search, venue.layout_id.as_uuid()]).await?;
    }
    for (event, categories) in &written.created {
        let layout = written.venues.iter().map(|(_, layout)| layout).find(|layout| layout.id == event.layout_id);
        let layout = layout.or_else(|| rows.layouts.get(&event.layout_id)?.as_ref());
        create_event(tx, event, categories, layout).await?;
    }
    for event in written.events.values() {
        let before = rows.events.get(&event.id).and_then(Option::as_ref);
        let created = written.created.iter().map(|(created, _)| created).find(|created| created.id == event.id);
        let before = before.or(created).ok_or_else(|| Fault::row("events", "replaced without having been read"))?;
        if before.version != event.version {
            update_event(tx, before, event, check_versions).await?;
        }
    }
    Ok(())
}

fn status_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Draft => "draft",
        Stage::Published => "upcoming",
        Stage::Cancelled => "cancelled",
    }
}

async fn create_event(tx: &mut Tx, event: &Event, categories: &[u16], layout: Option<&Arc<Layout>>) -> Result<(), Fault> {
    let (id, start_time) = (event.id.as_uuid(), to_sql(event.details.start_time));
    tx.execute(INSERT_EVENT_ID, values![id, start_time]).await?;
    let row = values![
        id,
        start_time,
        to_sql(event.details.end_time),
        status_name(event.stage),
        event.venue_id.as_uuid(),
        event.layout_id.as_uuid(),
        event.organizer_id.as_uuid(),
        event.details.name.to_lowercase(),
        signed(event.version),
        to_json(event),
    ];
    tx.execute(INSERT_EVENT, row).await?;

    let layout = layout.ok_or_else(|| Fault::row("layouts", "the event's layout is missing"))?;
    let price = |category: u16| event.categories.get(usize::from(category)).map_or(0, |category: &PriceCategory| category.price);
    let numbers = (0..categories.len()).map(|number| signed(u32::try_from(number).unwrap_or(u32::MAX))).collect::<Vec<_>>();
    let prices = categories.iter().map(|&category| price(category)).collect::<Vec<_>>();
    let (sections, labels): (Vec<&str>, Vec<&str>) =
        layout.places().map(|place| (place.section.name.as_str(), place.row.label.as_str())).unzip();
    let categories = categories.iter().map(|&category| category.cast_signed()).collect::<Vec<_>>();
    tx.execute(INSERT_SEATS, values![id, numbers, categories, prices, sections, labels]).await.map(drop)
}

async fn update_event(tx: &mut Tx, before: &Event, event: &Event, check_versions: bool) -> Result<(), Fault> {
    let (id, start_time) = (event.id.as_uuid(), to_sql(event.details.start_time));
    tx.execute(MOVE_EVENT, values![id, start_time]).await?;
    let row = values![
        id,
        signed(before.version),
        start_time,
        to_sql(event.details.end_time),
        status_name(event.stage),
        event.details.name.to_lowercase(),
        signed(event.version),
        to_json(event),
        !check_versions,
    ];
    all_of("events", 1, tx.execute(UPDATE_EVENT, row).await?)?;
    if before.categories != event.categories {
        let prices = event.categories.iter().map(|category| category.price).collect::<Vec<_>>();
        let categories = (0..i16::MAX).take(prices.len()).collect::<Vec<_>>();
        tx.execute(PRICE_SEATS, values![id, categories, prices]).await?;
    }
    Ok(())
}

fn seats(parts: &mut Parts, rows: &Rows, written: &Written, check_versions: bool) -> Result<(), Fault> {
    if written.seats.is_empty() {
        return Ok(());
    }
    let mut seats = written.seats.iter().collect::<Vec<_>>();
    // In one order everywhere, so that nobody waits in a circle.
    seats.sort_unstable_by_key(|(key, _)| **key);
    let was = |key, seat: &Seat| match rows.seats.get(key) {
        Some(Some(before)) => signed(before.version),
        // Of an event that this batch has made, or not to be found.
        _ => {
            if seat.version > 0 {
                0
            } else {
                -1
            }
        }
    };
    let owner = |seat: &Seat| match seat.state {
        SeatState::Reserved(owner) | SeatState::Booked(owner) => Some(*owner.as_uuid()),
        SeatState::Available | SeatState::Blocked => None,
    };
    // A new price has moved the rows of its seats. Without versions whatever stands there by now is replaced, so that is looked up too.
    let has_stayed = check_versions && written.events.is_empty();
    let place = |key| rows.places.get(key).filter(|_| has_stayed).map(String::as_str);
    part!(
        parts,
        UPDATE_SEATS,
        seats.iter().map(|((event, _), _)| *event.as_uuid()).collect::<Vec<_>>(),
        seats.iter().map(|((_, number), _)| signed(*number)).collect::<Vec<_>>(),
        seats.iter().map(|(_, seat)| seat.status().name()).collect::<Vec<_>>(),
        seats.iter().map(|(_, seat)| owner(seat)).collect::<Vec<Option<Uuid>>>(),
        seats.iter().map(|(_, seat)| signed(seat.version)).collect::<Vec<_>>(),
        seats.iter().map(|(key, seat)| was(*key, seat)).collect::<Vec<_>>(),
        seats.iter().map(|(key, _)| place(*key)).collect::<Vec<Option<&str>>>(),
        !check_versions,
    );
    parts.must_return(&UPDATE_SEATS, "seats", seats.len());
    Ok(())
}

/// An array as text: rows of arrays cannot be sent as one.
fn array_text<T: ToString>(values: impl Iterator<Item = T>) -> String {
    let values = values.map(|value| value.to_string()).collect::<Vec<_>>();
    format!("{{{}}}", values.join(","))
}

fn bookings(parts: &mut Parts, rows: &Rows, written: &Written, check_versions: bool) -> Result<(), Fault> {
    let before = |id: &BookingId| rows.bookings.get(id).and_then(Option::as_ref);
    let mut bookings = written.bookings.values().collect::<Vec<_>>();
    bookings.sort_unstable_by_key(|booking| (booking.event_id, booking.id));
    let (begun, gone_on): (Vec<&Booking>, Vec<&Booking>) =
        bookings.into_iter().partition(|booking| before(&booking.id).is_none());

    /// The columns that both statements begin with.
    macro_rules! changing {
        ($part:expr, $bookings:ident, $($rest:expr),* $(,)?) => {{
            let states = $bookings.iter().map(|booking| StateColumns::from(&booking.state)).collect::<Vec<_>>();
            part!(
                parts,
                $part,
                $bookings.iter().map(|booking| *booking.event_id.as_uuid()).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| *booking.id.as_uuid()).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| booking.status().name()).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| array_text(booking.seats.iter().map(|seat| seat.number))).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| array_text(booking.seats.iter().map(|seat| seat.price))).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| booking.code.map(|code| code.to_string())).collect::<Vec<_>>(),
                states.iter().map(|state| state.hold_until).collect::<Vec<_>>(),
                states.iter().map(|state| state.payment_id).collect::<Vec<_>>(),
                states.iter().map(|state| state.payment_until).collect::<Vec<_>>(),
                states.iter().map(|state| state.expires_at).collect::<Vec<_>>(),
                states.iter().map(|state| state.confirmed_at).collect::<Vec<_>>(),
                $bookings.iter().map(|booking| signed(booking.version)).collect::<Vec<_>>(),
                $($rest),*
            );
        }};
    }
    if !begun.is_empty() {
        changing!(
            INSERT_BOOKINGS,
            begun,
            begun.iter().map(|booking| *booking.user_id.as_uuid()).collect::<Vec<_>>(),
            begun.iter().map(|booking| booking.total.amount).collect::<Vec<_>>(),
            begun.iter().map(|booking| booking.total.currency.code()).collect::<Vec<_>>(),
            begun.iter().map(|booking| to_sql(booking.created_at)).collect::<Vec<_>>(),
            begun.iter().map(|booking| booking.refunds.map(|terms| to_sql(terms.until))).collect::<Vec<_>>(),
            begun.iter().map(|booking| booking.refunds.map(|terms| i16::from(terms.percent))).collect::<Vec<_>>(),
        );
    }
    if !gone_on.is_empty() {
        let was = |booking: &&Booking| before(&booking.id).map_or(0, |before| signed(before.version));
        let was = gone_on.iter().map(was).collect::<Vec<_>>();
        changing!(UPDATE_BOOKINGS, gone_on, was, !check_versions);
        parts.must_return(&UPDATE_BOOKINGS, "bookings", gone_on.len());
    }
    let coded = |booking: &&Booking| before(&booking.id).is_none_or(|before| before.code.is_none());
    let codes = begun.iter().chain(&gone_on).copied().filter(coded).filter_map(|booking| Some((booking.code?, booking.id)));
    let (codes, ids): (Vec<String>, Vec<Uuid>) =
        codes.map(|(code, id): (BookingCode, BookingId)| (code.to_string(), *id.as_uuid())).unzip();
    if !codes.is_empty() {
        part!(parts, INSERT_CODES, codes, ids);
    }
    Ok(())
}

/// The seats that a booking has a live claim on.
fn claimed(booking: &Booking) -> Vec<u32> {
    if booking.status().is_live() { booking.seats.iter().map(|seat| seat.number).collect() } else { Vec::new() }
}

type Claim = (EventId, u32, BookingId);

/// The claims that end with this batch, and those that begin.
fn claims(rows: &Rows, written: &Written) -> (Vec<Claim>, Vec<Claim>) {
    let (mut ended, mut begun) = (Vec::<Claim>::new(), Vec::<Claim>::new());
    for booking in written.bookings.values() {
        let before = rows.bookings.get(&booking.id).and_then(Option::as_ref).map(claimed).unwrap_or_default();
        let now = claimed(booking);
        let claim = |seat: &u32| (booking.event_id, *seat, booking.id);
        ended.extend(before.iter().filter(|seat| !now.contains(seat)).map(claim));
        begun.extend(now.iter().filter(|seat| !before.contains(seat)).map(claim));
    }
    ended.sort_unstable();
    begun.sort_unstable();
    (ended, begun)
}

/// The columns of claims: events, bookings, seats.
fn columns(claims: &[Claim]) -> (Vec<Uuid>, Vec<Uuid>, Vec<i32>) {
    claims.iter().map(|(event, seat, booking)| (*event.as_uuid(), *booking.as_uuid(), signed(*seat))).collect()
}

async fn money(tx: &mut Tx, written: &Written) -> Result<(), Fault> {
    if !written.payments.is_empty() {
        let payments = written.payments.values().collect::<Vec<&Payment>>();
        let states = payments.iter().map(|payment| PaymentColumns::from(&payment.state)).collect::<Vec<_>>();
        let values = values![
            payments.iter().map(|payment| *payment.event_id.as_uuid()).collect::<Vec<_>>(),
            payments.iter().map(|payment| *payment.id.as_uuid()).collect::<Vec<_>>(),
            payments.iter().map(|payment| *payment.booking_id.as_uuid()).collect::<Vec<_>>(),
            payments.iter().map(|payment| payment.amount.amount).collect::<Vec<_>>(),
            payments.iter().map(|payment| payment.amount.currency.code()).collect::<Vec<_>>(),
            states.iter().map(|state| state.status).collect::<Vec<_>>(),
            states.iter().map(|state| state.detail.clone()).collect::<Vec<_>>(),
            states.iter().map(|state| state.succeeded_at).collect::<Vec<_>>(),
            payments.iter().map(|payment| payment.provider.as_str()).collect::<Vec<_>>(),
            payments.iter().map(|payment| payment.reference.clone()).collect::<Vec<_>>(),
            payments.iter().map(|payment| payment.refunded).collect::<Vec<_>>(),
            payments.iter().map(|payment| to_sql(payment.created_at)).collect::<Vec<_>>(),
        ];
        tx.execute(PUT_PAYMENTS, values).await?;
    }
    if !written.refunds.is_empty() {
        let refunds = written.refunds.values().collect::<Vec<&Refund>>();
        let succeeded_at = |refund: &&Refund| match refund.state {
            RefundState::Pending => None,
            RefundState::Succeeded { at } => Some(to_sql(at)),
        };
        let values = values![
            refunds.iter().map(|refund| *refund.event_id.as_uuid()).collect::<Vec<_>>(),
            refunds.iter().map(|refund| *refund.id.as_uuid()).collect::<Vec<_>>(),
            refunds.iter().map(|refund| *refund.payment_id.as_uuid()).collect::<Vec<_>>(),
            refunds.iter().map(|refund| *refund.booking_id.as_uuid()).collect::<Vec<_>>(),
            refunds.iter().map(|refund| refund.amount.amount).collect::<Vec<_>>(),
            refunds.iter().map(|refund| refund.amount.currency.code()).collect::<Vec<_>>(),
            refunds.iter().map(|refund| refund.reason.as_str()).collect::<Vec<_>>(),
            refunds.iter().map(succeeded_at).collect::<Vec<_>>(),
            refunds.iter().map(|refund| to_sql(refund.created_at)).collect::<Vec<_>>(),
        ];
        tx.execute(PUT_REFUNDS, values).await?;
    }
    if !written.messages.is_empty() {
        let (providers, messages): (Vec<String>, Vec<String>) = written.messages.keys().cloned().unzip();
        let times = written.messages.values().map(|at| to_sql(*at)).collect::<Vec<_>>();
        tx.execute(NOTE_MESSAGES, values![providers, messages, times]).await?;
    }
    Ok(())
}

async fn tickets(tx: &mut Tx, written: &Written) -> Result<(), Fault> {
    if written.tickets.is_empty() {
        return Ok(());
    }
    // Good ones last: their seats may have been given up in the same batch, and the server writes row after row.
    let (good, others): (Vec<&Ticket>, Vec<_>) = written.tickets.values().partition(|ticket| ticket.state == TicketState::Valid);
    let tickets = others.into_iter().chain(good).collect::<Vec<_>>();
    let used = |ticket: &&Ticket| match ticket.state {
        TicketState::CheckedIn { at, by } => Some((to_sql(at), *by.as_uuid())),
        TicketState::Valid | TicketState::Void => None,
    };
    let values = values![
        tickets.iter().map(|ticket| *ticket.event_id.as_uuid()).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| *ticket.id.as_uuid()).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| *ticket.booking_id.as_uuid()).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| signed(ticket.seat)).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| ticket.code.to_string()).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| ticket.state.name()).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| used(ticket).map(|(at, _)| at)).collect::<Vec<_>>(),
        tickets.iter().map(|ticket| used(ticket).map(|(_, by)| by)).collect::<Vec<_>>(),
    ];
    tx.execute(PUT_TICKETS, values).await.map(drop)
}

/// What this batch has done, a row for each event. Bookings note which one is about them.
fn journal(parts: &mut Parts, store: &PgStore, written: &Written) -> Result<(), Fault> {
    if written.journal.is_empty() && written.bookings.is_empty() {
        return Ok(());
    }
    let mut by_event = BTreeMap::<EventId, Vec<&Transition>>::new();
    for transition in &written.journal {
        by_event.entry(transition.event_id).or_default().push(transition);
    }
    part!(
        parts,
        RECORD,
        by_event.keys().map(|event| *event.as_uuid()).collect::<Vec<_>>(),
        by_event.values().map(|of_event| i32::try_from(of_event.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        by_event.values().map(|of_event| content(of_event.iter().copied())).collect::<Vec<_>>(),
        store.writer.id(),
    );
    // Bookings that are not written otherwise.
    let about = written.journal.iter().filter_map(|transition| Some((transition.event_id, transition.booking_id()?)));
    let about = about.filter(|(_, booking)| !written.bookings.contains_key(booking)).collect::<BTreeSet<_>>();
    if !about.is_empty() {
        let (events, ids): (Vec<Uuid>, Vec<Uuid>) =
            about.iter().map(|(event, booking)| (*event.as_uuid(), *booking.as_uuid())).unzip();
        part!(parts, FILE, events, ids);
        parts.must_return(&FILE, "bookings", about.len());
    }
    Ok(())
}

fn answers(parts: &mut Parts, rows: &Rows, written: &Written) -> Result<(), Fault> {
    let kept = |key| rows.answers.get(key).is_some_and(Option::is_some);
    let (again, new): (Vec<_>, Vec<_>) = written.answers.iter().partition(|(key, _)| kept(*key));
    macro_rules! kept {
        ($part:expr, $answers:ident) => {
            if !$answers.is_empty() {
                part!(
                    parts,
                    $part,
                    $answers.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>(),
                    $answers.iter().map(|(_, (fingerprint, _))| fingerprint.to_vec()).collect::<Vec<_>>(),
                    $answers.iter().map(|(_, (_, answer))| to_sql(answer.at)).collect::<Vec<_>>(),
                    $answers.iter().map(|(_, (_, answer))| to_json(answer)).collect::<Vec<_>>(),
                );
            }
        };
    }
    kept!(KEEP_ANSWERS, new);
    kept!(REPLACE_ANSWERS, again);
    Ok(())
}

/// All of it, for whoever wants to know how the server goes about it.
pub(crate) fn whole() -> String {
    let mut parts = Parts::default();
    let mut values = 0;
    for part in &PARTS {
        parts.push(part, values);
        values += placeholders(part.sql);
    }
    for (part, table) in [(&UPDATE_SEATS, "seats"), (&UPDATE_BOOKINGS, "bookings"), (&FILE, "bookings")] {
        parts.must_return(part, table, 0);
    }
    parts.statement()
}
