//! The whole store laid open, and the checks of what only the store can see.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{Answer, ChainHash, Event, EventId, Transition},
    ports::{Audit, EventRecords, StoreError},
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    journal::{count, entries, lines},
    outbox::{Head, head_is_gone, number},
    rows::{FromRow, booking_sql, event_sql, from_rows, get, payment_sql, refund_sql, ticket_sql},
    store::{During, PgStore, Tx, values},
};

const EVENT_IDS: &str = "select id from event_ids order by id";
const AUDITED_EVENT: &str =
    event_sql!("where e.id = $1 and e.start_time = (select i.start_time from event_ids i where i.id = $1)");
const ALL_SEATS: &str = "select number, category, status, booking_id, version from seats where event_id = $1 order by number";
const ALL_BOOKINGS: &str = booking_sql!("where b.event_id = $1 order by b.id");
const ALL_PAYMENTS: &str = payment_sql!("where p.event_id = $1 order by p.created_at, p.id");
const ALL_REFUNDS: &str = refund_sql!("where r.event_id = $1 order by r.created_at, r.id");
const ALL_TICKETS: &str = ticket_sql!("where t.event_id = $1 order by t.seat, t.id");
const ALL_ENTRIES: &str = "select sequence, position, content from journal where event_id = $1";

/// What has read an event before it was changed may be written down after that. A batch takes no longer, nor more statements that each may take
/// their time.
const BATCH_TAKES: (Duration, u32) = (Duration::from_mins(1), 10);
/// A table is gone through as a whole, which takes longer than a request may. It ends with the transaction.
const TAKE_TIME: Duration = Duration::from_mins(10);
const JOURNAL: &str = "select position, entries, content, hash, event_id, sequence from journal \
    where position > $1 order by position limit $2";
/// Which of these bookings do not know of a row of the journal that is about them.
const UNFILED: &str = "select format('booking %s does not know of entry %s of the journal', n.id, n.position) \
    from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) n (event_id, id, sequence, position) \
    where not exists (select from bookings b where b.event_id = n.event_id and b.id = n.id and n.sequence = any(b.journal))";
const HEAD: &str = "select position, hash from journal_head";
const ANSWERS: &str = "select key, encode(key, 'hex'), content from answers where key > $1 order by key limit $2";

/// How many rows are at hand at a time.
const AT_A_TIME: i64 = 2_000;
/// Of the journal, whose rows have many entries.
const ROWS_AT_A_TIME: i64 = 100;

/// Each finds rows that cannot be, a sentence for each; of many the first ones will do.
const CHECKS: [&str; 6] = [STRAY_EVENTS, STRAY_SEATS, STRAY_CLAIMS, CLAIMS_OF_SEATS, CLAIMS_OF_BOOKINGS, CODES];

const STRAY_EVENTS: &str = "select format('event %s is not where it is listed', coalesce(i.id, e.id)) \
    from event_ids i full join events e on e.id = i.id and e.start_time = i.start_time \
    where e.id is null or i.id is null limit 1000";
const STRAY_SEATS: &str = "select format('seat %s of event %s belongs to a booking or an event that does not exist', \
        s.number, s.event_id) \
    from seats s left join event_ids e on e.id = s.event_id \
        left join bookings b on b.event_id = s.event_id and b.id = s.booking_id \
    where e.id is null or s.booking_id is not null and b.id is null limit 1000";
const STRAY_CLAIMS: &str = "select format('seat %s of event %s is claimed by booking %s, which does not exist', \
        i.seat, i.event_id, i.booking_id) \
    from booking_items i left join bookings b on b.event_id = i.event_id and b.id = i.booking_id \
    where b.id is null limit 1000";
const CLAIMS_OF_SEATS: &str = "select format('seat %s of event %s is kept for booking %s and claimed by booking %s', \
        number, event_id, coalesce(s.owner::text, 'none'), coalesce(i.owner::text, 'none')) \
    from (select event_id, number, booking_id as owner from seats where booking_id is not null) s \
        full join (select event_id, seat as number, booking_id as owner from booking_items) i using (event_id, number) \
    where s.owner is distinct from i.owner limit 1000";
/// A booking's seats are claimed while it is live, and no others.
const CLAIMS_OF_BOOKINGS: &str = "select format('booking %s of event %s does not claim the seats that it has', b.id, b.event_id) \
    from bookings b left join ( \
        select event_id, booking_id, array_agg(seat order by seat) as seats from booking_items group by event_id, booking_id \
    ) i on i.event_id = b.event_id and i.booking_id = b.id \
    where coalesce(i.seats, '{}') <> case when b.status in ('pending', 'confirmed') then b.seats else '{}' end limit 1000";
const CODES: &str = "select format('code %s is the one of booking %s and listed for booking %s', \
        coalesce(b.code, c.code), coalesce(b.id::text, 'none'), coalesce(c.booking_id::text, 'none')) \
    from (select id, code from bookings where code is not null) b full join booking_codes c on c.code = b.code \
    where b.id is distinct from c.booking_id limit 1000";

#[async_trait]
impl Audit for PgStore {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        event_ids(self).await.during("event_ids")
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        event_records(self, id).await.during("event_records")
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        self_check(self).await.during("self_check")
    }
}

async fn event_ids(store: &PgStore) -> Result<Vec<EventId>, Fault> {
    let rows = store.rows(EVENT_IDS, values![]).await?;
    rows.iter().map(|row| Ok(EventId::from_uuid(get(row, 0)?))).collect()
}

async fn event_records(store: &PgStore, id: EventId) -> Result<Option<EventRecords>, Fault> {
    let mut tx = store.read().await?;
    let mut event = tx.one(AUDITED_EVENT, values![id.as_uuid()]).await?;
    if event.is_none() {
        // It may have been moved to another month while this waited, which reads as of before.
        tx.end().await;
        tx = store.read().await?;
        event = tx.one(AUDITED_EVENT, values![id.as_uuid()]).await?;
    }
    let Some(event) = event else {
        tx.end().await;
        return Ok(None);
    };
    let seats = tx.all(ALL_SEATS, values![id.as_uuid()]).await?;
    let bookings = tx.all(ALL_BOOKINGS, values![id.as_uuid()]).await?;
    let payments = tx.all(ALL_PAYMENTS, values![id.as_uuid()]).await?;
    let refunds = tx.all(ALL_REFUNDS, values![id.as_uuid()]).await?;
    let tickets = tx.all(ALL_TICKETS, values![id.as_uuid()]).await?;
    let journal = tx.all(ALL_ENTRIES, values![id.as_uuid()]).await?;
    tx.end().await;
    Ok(Some(EventRecords {
        event: Arc::unwrap_or_clone(<Arc<Event>>::from_row(&event)?),
        seats: from_rows(&seats)?,
        bookings: from_rows(&bookings)?,
        payments: from_rows(&payments)?,
        refunds: from_rows(&refunds)?,
        tickets: from_rows(&tickets)?,
        journal: entries(store, id, &journal, None).await?,
        decided_beside: Some(BATCH_TAKES.0.max(store.statement_timeout() * BATCH_TAKES.1)),
    }))
}

async fn self_check(store: &PgStore) -> Result<Vec<String>, Fault> {
    number(store).await?;
    let mut tx = store.read().await?;
    tx.take_time(TAKE_TIME).await?;
    let mut faults = journal_faults(&mut tx).await?;
    faults.extend(answer_faults(&mut tx).await?);
    for check in CHECKS {
        for row in tx.all(check, values![]).await? {
            faults.push(get(&row, 0)?);
        }
    }
    tx.end().await;
    Ok(faults)
}

struct JournalRow<'r> {
    /// Of the last entry.
    position: i64,
    entries: i32,
    content: &'r str,
    hash: ChainHash,
    event_id: Uuid,
    sequence: i64,
}

impl<'r> JournalRow<'r> {
    fn from_row(row: &'r PgRow) -> Result<Self, Fault> {
        Ok(Self {
            position: get(row, 0)?,
            entries: get(row, 1)?,
            content: get(row, 2)?,
            hash: ChainHash(get(row, 3)?),
            event_id: get(row, 4)?,
            sequence: get(row, 5)?,
        })
    }

    const fn head(&self) -> Head {
        Head { position: self.position, hash: self.hash }
    }

    /// What is wrong with the row, standing after this one.
    fn fault(&self, before: Head) -> Option<String> {
        let (position, expected) = (self.position, before.then(self.entries, self.content));
        if position != expected.position || u64::try_from(self.entries) != Ok(count(self.content)) {
            return Some(format!("the journal goes from entry {} to entry {position}", before.position));
        }
        if self.hash != expected.hash {
            return Some(format!("entry {position} of the journal is not what was written, or an entry before it is not"));
        }
        None
    }

    /// What its entries say, and what is wrong with those that say nothing or belong elsewhere.
    fn transitions(&self) -> (Vec<(i64, Transition)>, Vec<String>) {
        let (mut transitions, mut faults) = (Vec::new(), Vec::new());
        for (position, line) in lines(self.position, self.content) {
            match serde_json::from_str::<Transition>(line) {
                Err(error) => faults.push(format!("entry {position} of the journal cannot be read: {error}")),
                Ok(transition) if self.event_id != *transition.event_id.as_uuid() => {
                    faults.push(format!("entry {position} of the journal is filed under another event"));
                }
                Ok(transition) => transitions.push((position, transition)),
            }
        }
        (transitions, faults)
    }
}

async fn journal_faults(tx: &mut Tx) -> Result<Vec<String>, Fault> {
    let (mut faults, mut before, mut read_to) = (Vec::new(), Head::START, i64::MIN);
    loop {
        let rows = tx.all(JOURNAL, values![read_to, ROWS_AT_A_TIME]).await?;
        let mut about = About::default();
        for row in &rows {
            let row = JournalRow::from_row(row)?;
            faults.extend(row.fault(before));
            let (transitions, unreadable) = row.transitions();
            faults.extend(unreadable);
            about.add(&row, &transitions);
            // From what stands there, so that one altered entry is one fault.
            before = row.head();
            read_to = row.position;
        }
        if rows.is_empty() {
            break;
        }
        faults.extend(about.unfiled(tx).await?);
    }
    let head = Head::from_row(&tx.one(HEAD, values![]).await?.ok_or_else(head_is_gone)?)?;
    if before != head {
        faults.push(format!("the journal ends with entry {} and should end with entry {}", before.position, head.position));
    }
    Ok(faults)
}

/// Which rows of the journal are about which bookings, a column each.
#[derive(Default)]
struct About {
    events: Vec<Uuid>,
    bookings: Vec<Uuid>,
    sequences: Vec<i64>,
    positions: Vec<i64>,
}

impl About {
    fn add(&mut self, row: &JournalRow<'_>, transitions: &[(i64, Transition)]) {
        for (position, transition) in transitions {
            let Some(booking) = transition.booking_id() else { continue };
            self.events.push(row.event_id);
            self.bookings.push(*booking.as_uuid());
            self.sequences.push(row.sequence);
            self.positions.push(*position);
        }
    }

    async fn unfiled(self, tx: &mut Tx) -> Result<Vec<String>, Fault> {
        let rows = tx.all(UNFILED, values![self.events, self.bookings, self.sequences, self.positions]).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }
}

async fn answer_faults(tx: &mut Tx) -> Result<Vec<String>, Fault> {
    let (mut faults, mut read_to) = (Vec::new(), Vec::<u8>::new());
    loop {
        let rows = tx.all(ANSWERS, values![&read_to, AT_A_TIME]).await?;
        for row in &rows {
            if let Err(error) = serde_json::from_str::<Answer>(get(row, 2)?) {
                faults.push(format!("the kept answer {} cannot be read: {error}", get::<&str>(row, 1)?));
            }
        }
        let Some(last) = rows.last() else { return Ok(faults) };
        read_to = get(last, 0)?;
    }
}
