//! The whole store laid open, and the checks of what only the store can see.

use async_trait::async_trait;
use evently_core::{
    domain::{Answer, Booking, BookingId, ChainHash, Entry, EventId, Payment, Refund, Seat, Ticket, Transition},
    ports::{Audit, EventRecords, StoreError},
};
use rusqlite::{Row, Transaction};
use uuid::Uuid;

use crate::{
    SqliteStore,
    error::Fault,
    rows::{StoredEvent, booking_sql, each_row, event_sql, find, find_all, payment_sql, refund_sql, ticket_sql},
    statements::statements,
};

statements! {
    EVENT_IDS = "select id from events order by event_key";
    AUDITED_EVENT = event_sql!("where e.id = ?1");
    ALL_SEATS = "select number, category, status, booking_id, version from seats \
        where seat_key >= ?1 << 28 and seat_key < (?1 + 1) << 28 order by seat_key";
    ALL_BOOKINGS = booking_sql!("where b.event_key = ?1 order by b.id");
    ALL_PAYMENTS = payment_sql!("where p.booking_id in (select id from bookings where event_key = ?1) order by p.created_at, p.id");
    ALL_REFUNDS = refund_sql!("where r.booking_id in (select id from bookings where event_key = ?1) order by r.created_at, r.id");
    ALL_TICKETS =
        ticket_sql!("where t.booking_id in (select id from bookings where event_key = ?1) order by t.seat, t.id");
    ALL_ENTRIES = "select position, content from journal where event_key = ?1 order by position";

    JOURNAL = "select j.position, j.content, j.hash, j.booking_id, e.id \
        from journal j left join events e on e.event_key = j.event_key order by j.position";
    ANSWERS = "select answer_key, content from answers order by answer_key";
    STRAY_SEATS = "select s.event_key, s.number from seats s \
        where not exists (select 1 from events e where e.event_key = s.event_key) \
            or s.booking_id is not null and not exists (select 1 from bookings b where b.id = s.booking_id)";
    INTEGRITY = "pragma integrity_check";
    FOREIGN_KEYS = "pragma foreign_key_check";
}

#[async_trait]
impl Audit for SqliteStore {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        let ids = |tx: &Transaction<'_>| each_row(tx, EVENT_IDS, [], |row| Ok(EventId::from_uuid(row.get(0)?)));
        self.read("event_ids", ids).await
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        self.read("event_records", move |tx| event_records(tx, id)).await
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        self.read("self_check", self_check).await
    }
}

fn event_records(tx: &Transaction<'_>, id: EventId) -> Result<Option<EventRecords>, Fault> {
    let Some(StoredEvent { key, event }) = find(tx, AUDITED_EVENT, [id.as_uuid()])? else { return Ok(None) };
    Ok(Some(EventRecords {
        event: (*event).clone(),
        seats: find_all::<Seat>(tx, ALL_SEATS, [key])?,
        bookings: find_all::<Booking>(tx, ALL_BOOKINGS, [key])?,
        payments: find_all::<Payment>(tx, ALL_PAYMENTS, [key])?,
        refunds: find_all::<Refund>(tx, ALL_REFUNDS, [key])?,
        tickets: find_all::<Ticket>(tx, ALL_TICKETS, [key])?,
        journal: find_all::<Entry>(tx, ALL_ENTRIES, [key])?,
        decided_beside: None,
    }))
}

fn self_check(tx: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let mut faults = engine_faults(tx)?;
    faults.extend(journal_faults(tx)?);
    faults.extend(answer_faults(tx)?);
    faults.extend(each_row(tx, STRAY_SEATS, [], |row| {
        let (event, seat) = (row.get::<_, i64>(0)?, row.get::<_, u32>(1)?);
        Ok(format!("seat {seat} of the event with key {event} belongs to a booking or an event that does not exist"))
    })?);
    Ok(faults)
}

fn engine_faults(tx: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let mut faults = each_row(tx, INTEGRITY, [], |row| Ok(format!("the engine reports: {}", row.get::<_, String>(0)?)))?;
    faults.retain(|fault| fault != "the engine reports: ok");
    faults.extend(each_row(tx, FOREIGN_KEYS, [], |row| {
        let (table, parent) = (row.get::<_, String>(0)?, row.get::<_, String>(2)?);
        Ok(format!("a row of {table} refers to a row of {parent} that does not exist"))
    })?);
    Ok(faults)
}

struct JournalRow {
    position: i64,
    content: String,
    hash: [u8; 32],
    booking_id: Option<Uuid>,
    event_id: Option<Uuid>,
}

impl JournalRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: row.get(0)?,
            content: row.get(1)?,
            hash: row.get(2)?,
            booking_id: row.get(3)?,
            event_id: row.get(4)?,
        })
    }

    /// What is wrong with the row, standing after one with this position and hash.
    fn fault(&self, (before, hash): (i64, ChainHash)) -> Option<String> {
        let position = self.position;
        if position != before + 1 {
            return Some(format!("the journal goes from entry {before} to entry {position}"));
        }
        if hash.then(self.content.as_bytes()).0 != self.hash {
            return Some(format!("entry {position} of the journal is not what was written, or an entry before it is not"));
        }
        match serde_json::from_str::<Transition>(&self.content) {
            Err(error) => Some(format!("entry {position} of the journal cannot be read: {error}")),
            Ok(transition) if !self.files(&transition) => {
                Some(format!("entry {position} of the journal is filed under another booking or event"))
            }
            Ok(_) => None,
        }
    }

    fn files(&self, transition: &Transition) -> bool {
        self.event_id.as_ref() == Some(transition.event_id.as_uuid())
            && self.booking_id.as_ref() == transition.booking_id().as_ref().map(BookingId::as_uuid)
    }
}

fn journal_faults(tx: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut before = (0, ChainHash::default());
    let mut journal = tx.prepare_cached(JOURNAL)?;
    for row in journal.query_map([], JournalRow::from_row)? {
        let row = row?;
        faults.extend(row.fault(before));
        // From what stands there, so that one altered entry is one fault.
        before = (row.position, ChainHash(row.hash));
    }
    Ok(faults)
}

fn answer_faults(tx: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut answers = tx.prepare_cached(ANSWERS)?;
    for row in answers.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))? {
        let (key, content) = row?;
        if let Err(error) = serde_json::from_str::<Answer>(&content) {
            faults.push(format!("the kept answer {key} cannot be read: {error}"));
        }
    }
    Ok(faults)
}
