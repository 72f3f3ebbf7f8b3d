//! What is sold: the one door in, and the reads of bookings and what belongs to them.

use async_trait::async_trait;
use evently_core::{
    domain::{
        Booking, BookingCode, BookingId, BookingStatus, Command, EventId, Payment, PaymentId, Request, Ticket, TicketId,
        Timestamp, UserId,
    },
    ports::{Applied, BookingFilter, BookingRecords, Bookings, Page, StoreError},
};
use uuid::Uuid;

use crate::{
    error::Fault,
    journal::entries,
    rows::{FromRow, booking_sql, from_rows, payment_sql, refund_sql, ticket_sql},
    store::{During, PgStore, values},
};

const BOOKING_BY_ID: &str = booking_sql!("where b.id = $1");
const BOOKING_BY_CODE: &str = booking_sql!("where b.id = (select c.booking_id from booking_codes c where c.code = $1)");

const BOOKINGS: &str = booking_sql!("where b.id < $1 and ($2::text is null or b.status = $2) order by b.id desc limit $3");
const BOOKINGS_OF_EVENT: &str =
    booking_sql!("where b.event_id = $4 and b.id < $1 and ($2::text is null or b.status = $2) order by b.id desc limit $3");
/// The customer's bookings are few, and sorted when they have been found.
pub(crate) const BOOKINGS_OF_USER: &str = booking_sql!(
    "where b.user_id = $4 and ($5::uuid is null or b.event_id = $5) and b.id < $1 and ($2::text is null or b.status = $2) \
    order by b.id desc limit $3"
);

const PAYMENT_BY_ID: &str = payment_sql!("where p.id = $1");
pub(crate) const PAYMENTS_OF_BOOKING: &str = payment_sql!("where p.booking_id = $1 order by p.created_at, p.id");
pub(crate) const REFUNDS_OF_BOOKING: &str = refund_sql!("where r.booking_id = $1 order by r.created_at, r.id");
pub(crate) const TICKET_BY_ID: &str = ticket_sql!("where t.id = $1");
pub(crate) const TICKETS_OF_BOOKING: &str = ticket_sql!("where t.booking_id = $1 order by t.seat, t.id");
const HISTORY: &str = "select sequence, position, content from journal where event_id = $1 \
    and sequence = any((select b.journal from bookings b where b.event_id = $1 and b.id = $2)::bigint[])";

#[async_trait]
impl Bookings for PgStore {
    #[tracing::instrument(skip_all, fields(requests = requests.len()))]
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let applied = crate::apply::apply(self, now, requests).await;
        if requests.iter().any(|request| changes_the_catalogue(&request.command)) {
            // Whatever has become of it: who asked for it sees what there is now.
            self.fence();
        }
        applied
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        booking(self, id).await.during("booking")
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        booking_by_code(self, code).await.during("booking_by_code")
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        bookings(self, *filter, page).await.during("bookings")
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        records(self, id).await.during("records")
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        payment(self, id).await.during("payment")
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        ticket(self, id).await.during("ticket")
    }
}

const fn changes_the_catalogue(command: &Command) -> bool {
    matches!(
        command,
        Command::CreateVenue { .. }
            | Command::CreateEvent { .. }
            | Command::EditEvent { .. }
            | Command::PublishEvent { .. }
            | Command::CancelEvent { .. }
    )
}

async fn booking(store: &PgStore, id: BookingId) -> Result<Option<Booking>, Fault> {
    store.row(BOOKING_BY_ID, values![id.as_uuid()]).await?.as_ref().map(Booking::from_row).transpose()
}

async fn booking_by_code(store: &PgStore, code: BookingCode) -> Result<Option<Booking>, Fault> {
    store.row(BOOKING_BY_CODE, values![code.as_str()]).await?.as_ref().map(Booking::from_row).transpose()
}

async fn bookings(store: &PgStore, filter: BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, Fault> {
    let BookingFilter { user_id, event_id, status } = filter;
    // Without a page before: no booking has this id.
    let before = page.after.map_or(Uuid::max(), |id| *id.as_uuid());
    let (status, limit) = (status.map(BookingStatus::name), i64::from(page.limit));
    let (user, event) = (user_id.as_ref().map(UserId::as_uuid), event_id.as_ref().map(EventId::as_uuid));
    let rows = match (user, event) {
        (Some(user), event) => store.rows(BOOKINGS_OF_USER, values![before, status, limit, user, event]).await?,
        (None, Some(event)) => store.rows(BOOKINGS_OF_EVENT, values![before, status, limit, event]).await?,
        (None, None) => store.rows(BOOKINGS, values![before, status, limit]).await?,
    };
    from_rows(&rows)
}

async fn records(store: &PgStore, id: BookingId) -> Result<Option<BookingRecords>, Fault> {
    let mut tx = store.read().await?;
    let Some(booking) = tx.one(BOOKING_BY_ID, values![id.as_uuid()]).await? else {
        tx.end().await;
        return Ok(None);
    };
    let booking = Booking::from_row(&booking)?;
    let payments = tx.all(PAYMENTS_OF_BOOKING, values![id.as_uuid()]).await?;
    let refunds = tx.all(REFUNDS_OF_BOOKING, values![id.as_uuid()]).await?;
    let tickets = tx.all(TICKETS_OF_BOOKING, values![id.as_uuid()]).await?;
    let history = tx.all(HISTORY, values![booking.event_id.as_uuid(), id.as_uuid()]).await?;
    tx.end().await;
    Ok(Some(BookingRecords {
        payments: from_rows(&payments)?,
        refunds: from_rows(&refunds)?,
        tickets: from_rows(&tickets)?,
        history: entries(store, booking.event_id, &history, Some(id)).await?,
        booking,
    }))
}

async fn payment(store: &PgStore, id: PaymentId) -> Result<Option<Payment>, Fault> {
    store.row(PAYMENT_BY_ID, values![id.as_uuid()]).await?.as_ref().map(Payment::from_row).transpose()
}

async fn ticket(store: &PgStore, id: TicketId) -> Result<Option<Ticket>, Fault> {
    store.row(TICKET_BY_ID, values![id.as_uuid()]).await?.as_ref().map(Ticket::from_row).transpose()
}
