//! What is sold: the one door in, and the reads of bookings and what belongs to them.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use evently_core::{
    domain::{
        Booking, BookingCode, BookingId, BookingStatus, Command, Entry, EventId, Payment, PaymentId, Refund, Request, Ticket,
        TicketId, Timestamp, decide,
    },
    ports::{Applied, BookingFilter, BookingRecords, Bookings, Page, StoreError},
};
use rusqlite::{Transaction, params};

use crate::{
    SqliteStore,
    error::Fault,
    ledger::SqliteLedger,
    rows::{AFTER_ALL_IDS, booking_sql, find, find_all, payment_sql, refund_sql, ticket_sql},
    statements::statements,
};

statements! {
    BOOKING_BY_ID = booking_sql!("where b.id = ?1");
    BOOKING_BY_CODE = booking_sql!("where b.code = ?1");

    BOOKINGS = booking_sql!("where b.id < ?1 and (?2 is null or b.status = ?2) order by b.id desc limit ?3");
    /// The index has no order by id, but it has all that the choice needs, and no row is looked at that is not shown.
    BOOKINGS_OF_EVENT = booking_sql!(
        "where b.id in ( \
            select id from bookings \
            where event_key = (select event_key from events where id = ?4) and id < ?1 and (?2 is null or status = ?2) \
            order by id desc limit ?3 \
        ) order by b.id desc"
    );
    /// Looks a customer up in each event, of which there are few beside bookings.
    BOOKINGS_OF_USER = booking_sql!(
        "where b.id in ( \
            select b.id from events e cross join bookings b on b.event_key = e.event_key \
            where b.user_id = ?4 and b.id < ?1 and (?2 is null or b.status = ?2) and (?5 is null or e.id = ?5) \
            order by b.id desc limit ?3 \
        ) order by b.id desc"
    );

    PAYMENT_BY_ID = payment_sql!("where p.id = ?1");
    PAYMENTS_OF_BOOKING = payment_sql!("where p.booking_id = ?1 order by p.created_at, p.id");
    REFUNDS_OF_BOOKING = refund_sql!("where r.booking_id = ?1 order by r.created_at, r.id");
    TICKET_BY_ID = ticket_sql!("where t.id = ?1");
    TICKETS_OF_BOOKING = ticket_sql!("where t.booking_id = ?1 order by t.seat, t.id");
    HISTORY = "select position, content from journal \
        where event_key = (select event_key from bookings where id = ?1) and booking_id = ?1 order by position";
}

/// Whether the decision on the request depends on what has been answered before: to itself, or to what began the payment it settles.
fn looks_for_answers(request: &Request) -> bool {
    request.key.is_some() || matches!(&request.command, Command::SettlePayment { answers: Some(_), .. })
}

#[async_trait]
impl Bookings for SqliteStore {
    #[tracing::instrument(skip_all, fields(requests = requests.len()))]
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let requests = requests.to_vec();
        let (ids, kept) = (Arc::clone(&self.ids), Arc::clone(&self.kept));
        let apply = move |tx: &Transaction<'_>| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if requests.iter().any(looks_for_answers) {
                kept.catch_up(tx)?;
            }
            let mut ledger = SqliteLedger::new(tx, &kept);
            let now = ledger.as_of(now)?;
            let decide = |request| decide(&mut ledger, &*ids, now, request);
            let answers = requests.iter().map(decide).collect::<Result<Vec<_>, _>>()?;
            Ok(Applied { answers, changes: ledger.into_changes() })
        };
        self.write("apply", apply).await
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        self.read("booking", move |tx| find(tx, BOOKING_BY_ID, [id.as_uuid()])).await
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.read("booking_by_code", move |tx| find(tx, BOOKING_BY_CODE, [code.as_str()])).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        let filter = *filter;
        self.read("bookings", move |tx| bookings(tx, filter, page)).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.read("records", move |tx| records(tx, id)).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read("payment", move |tx| find(tx, PAYMENT_BY_ID, [id.as_uuid()])).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.read("ticket", move |tx| find(tx, TICKET_BY_ID, [id.as_uuid()])).await
    }
}

fn bookings(tx: &Transaction<'_>, filter: BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, Fault> {
    let BookingFilter { user_id, event_id, status } = filter;
    let before = page.after.as_ref().map_or(&AFTER_ALL_IDS[..], |id| id.as_bytes());
    let (status, limit) = (status.map(BookingStatus::name), page.limit);
    let event = event_id.as_ref().map(EventId::as_uuid);
    match (user_id, event) {
        (Some(user), event) => find_all(tx, BOOKINGS_OF_USER, params![before, status, limit, user.as_uuid(), event]),
        (None, Some(event)) => find_all(tx, BOOKINGS_OF_EVENT, params![before, status, limit, event]),
        (None, None) => find_all(tx, BOOKINGS, params![before, status, limit]),
    }
}

fn records(tx: &Transaction<'_>, id: BookingId) -> Result<Option<BookingRecords>, Fault> {
    let Some(booking) = find(tx, BOOKING_BY_ID, [id.as_uuid()])? else { return Ok(None) };
    Ok(Some(BookingRecords {
        booking,
        payments: find_all::<Payment>(tx, PAYMENTS_OF_BOOKING, [id.as_uuid()])?,
        refunds: find_all::<Refund>(tx, REFUNDS_OF_BOOKING, [id.as_uuid()])?,
        tickets: find_all::<Ticket>(tx, TICKETS_OF_BOOKING, [id.as_uuid()])?,
        history: find_all::<Entry>(tx, HISTORY, [id.as_uuid()])?,
    }))
}
