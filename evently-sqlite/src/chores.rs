//! What is due. Each question has a partial index that holds the due rows alone, so that it costs what it finds.

use async_trait::async_trait;
use evently_core::{
    domain::{BookingId, Payment, PaymentId, Refund, Timestamp},
    ports::{Chores, StoreError},
};
use rusqlite::{Row, Transaction, params};

use crate::{
    SqliteStore,
    error::Fault,
    rows::{each_row, execute, find, find_all, payment_sql, refund_sql},
    statements::statements,
};

statements! {
    DUE_HOLDS = "select id from bookings where status = 'pending' and expires_at <= ?1 order by expires_at limit ?2";
    /// The cross join keeps the few cancelled events in front.
    CALLED_OFF = "select b.id from events e cross join bookings b on b.event_key = e.event_key \
        where e.stage = 'cancelled' and b.status in ('pending', 'confirmed') limit ?1";
    UNDECIDED_PAYMENTS = payment_sql!(
        "where p.status in ('processing', 'requires_action') and p.created_at < ?1 order by p.created_at limit ?2"
    );
    OWED_REFUNDS = refund_sql!("where r.succeeded_at is null order by r.created_at limit ?1");
    PAYMENT_OF_REFUND = payment_sql!("where p.id = ?1");
    PENDING_TOTAL = "select count(*) from bookings where status = 'pending'";
    /// The oldest stand in front: only as many are looked at as may go. The last one stays, so that its number is not given again.
    FORGET_ANSWERS = "delete from answers \
        where answer_key in (select answer_key from answers order by answer_key limit ?2) and at < ?1 \
            and answer_key < (select max(answer_key) from answers)";
}

#[async_trait]
impl Chores for SqliteStore {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        let due = move |tx: &Transaction<'_>| each_row(tx, DUE_HOLDS, params![now.as_micros(), limit], booking_id);
        self.read("due_holds", due).await
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.read("called_off", move |tx| each_row(tx, CALLED_OFF, [limit], booking_id)).await
    }

    async fn undecided_payments(&self, before: Timestamp, limit: u32) -> Result<Vec<Payment>, StoreError> {
        let undecided = move |tx: &Transaction<'_>| find_all(tx, UNDECIDED_PAYMENTS, params![before.as_micros(), limit]);
        self.read("undecided_payments", undecided).await
    }

    async fn owed_refunds(&self, limit: u32) -> Result<Vec<(Refund, Payment)>, StoreError> {
        self.read("owed_refunds", move |tx| owed_refunds(tx, limit)).await
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        let count = |row: &Row<'_>| row.get::<_, i64>(0);
        let total = self.read("pending_total", move |tx| each_row(tx, PENDING_TOTAL, [], count)).await?;
        Ok(total.first().map_or(0, |total| total.unsigned_abs()))
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forget = move |tx: &Transaction<'_>| execute(tx, FORGET_ANSWERS, params![before.as_micros(), limit]);
        Ok(self.write("forget_answers", forget).await? as u64)
    }
}

fn booking_id(row: &Row<'_>) -> rusqlite::Result<BookingId> {
    row.get(0).map(BookingId::from_uuid)
}

fn owed_refunds(tx: &Transaction<'_>, limit: u32) -> Result<Vec<(Refund, Payment)>, Fault> {
    let refunds = find_all::<Refund>(tx, OWED_REFUNDS, [limit])?;
    refunds.into_iter().map(|refund| payment_of(tx, refund.payment_id).map(|payment| (refund, payment))).collect()
}

fn payment_of(tx: &Transaction<'_>, id: PaymentId) -> Result<Payment, Fault> {
    find(tx, PAYMENT_OF_REFUND, [id.as_uuid()])?.ok_or_else(|| Fault::row("refunds", format!("there is no payment {id}")))
}
