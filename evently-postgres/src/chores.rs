//! What is due. Each question has a partial index that holds the due rows alone, so that it costs what it finds.

use async_trait::async_trait;
use evently_core::{
    domain::{BookingId, CLOCKS_APART, Payment, PaymentId, Refund, RefundId, Timestamp},
    ports::{Chores, Due, Page, StoreError},
};
use rustc_hash::FxHashMap;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::{
    error::Fault,
    partitions::MONTHS_AHEAD,
    rows::{FromRow, get, payment_sql, refund_sql, time, to_sql},
    store::{During, PgStore, values},
};

pub(crate) const DUE_HOLDS: &str = "select id from bookings where expires_at <= $1 order by expires_at limit $2";
/// By their claims, which are there as long as they are live.
pub(crate) const CALLED_OFF: &str = "select b.id from events e cross join lateral ( \
        select distinct i.booking_id as id from ( \
            select i.booking_id from booking_items i where i.event_id = e.id order by i.seat limit $1) i) b \
    where e.status = 'cancelled' limit $1";
/// Without a page before, all are after it.
pub(crate) const UNDECIDED_PAYMENTS: &str = payment_sql!(
    "where p.provider = $1 and (p.created_at < $2 or p.created_at > $6) \
        and (p.created_at, p.id) > (coalesce($3, '-infinity'::timestamptz), coalesce($4, '00000000-0000-0000-0000-000000000000'::uuid)) \
        and (p.status in ('processing', 'requires_action') or (p.status = 'failed' and p.detail in ('superseded', 'no_answer'))) \
        order by p.created_at, p.id limit $5"
);
/// Without a page before, all are after it.
pub(crate) const OWED_REFUNDS: &str = refund_sql!(
    "where r.provider = $1 \
        and (r.created_at, r.id) > (coalesce($2, '-infinity'::timestamptz), coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)) \
        and r.succeeded_at is null order by r.created_at, r.id limit $4"
);
const PAYMENTS_OF_REFUNDS: &str = payment_sql!("where p.id = any($1)");
const PENDING_TOTAL: &str = "select count(*) from bookings where expires_at is not null";
/// In the order of the keys, so that two who forget do not lock each other out.
pub(crate) const FORGET_ANSWERS: &str = "delete from answers \
    where key = any(array(select key from answers where at < $1 order by at limit $2)) and at < $1";
pub(crate) const FORGET_TOKENS: &str = "delete from session_tokens where digest = any(array( \
        select t.digest from sessions s join session_tokens t on t.session_id = s.id \
        where s.expires_at < $1 order by s.expires_at limit $2 \
    ))";
pub(crate) const FORGET_SESSIONS: &str = "delete from sessions where id = any(array( \
        select s.id from sessions s \
        where s.expires_at < $1 and not exists (select from session_tokens t where t.session_id = s.id) \
        order by s.expires_at limit $2 \
    ))";
/// By the clock of the server, which wrote the times, as of one moment: else no index would do. An hour and a bit: it is told for an hour at
/// least.
pub(crate) const FORGET_TAKEN_BACK: &str = "delete from taken_back where at < statement_timestamp() - interval '4000 seconds'";
/// Two who forget leave each other's rows alone.
pub(crate) const FORGET_MESSAGES: &str = "delete from inbox i using ( \
        select consumer, message from inbox where done and claimed_until < $1 limit $2 for update skip locked \
    ) old where i.consumer = old.consumer and i.message = old.message";

#[async_trait]
impl Chores for PgStore {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        due_holds(self, now, limit).await.during("due_holds")
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        called_off(self, limit).await.during("called_off")
    }

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        let undecided = undecided_payments(self, provider, before, &page).await.during("undecided_payments")?;
        Ok(each_during("undecided_payments", undecided))
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        let owed = owed_refunds(self, provider, &page).await.during("owed_refunds")?;
        Ok(each_during("owed_refunds", owed))
    }

    async fn make_room(&self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.make_partitions(now, MONTHS_AHEAD).await?.len())
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        pending_total(self).await.during("pending_total")
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        forget_answers(self, before, limit).await.during("forget_answers")
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        forget_sessions(self, before, limit).await.during("forget_sessions")
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        forget_messages(self, before, limit).await.during("forget_messages")
    }
}

fn booking_ids(rows: &[PgRow]) -> Result<Vec<BookingId>, Fault> {
    rows.iter().map(|row| Ok(BookingId::from_uuid(get(row, 0)?))).collect()
}

/// What stands in rows that are due, each under the key that its page goes by.
type Rows<K, T> = Vec<((Timestamp, K), Result<T, Fault>)>;

/// The key of a row that begins with its id.
fn key<K>(row: &PgRow, created_at: usize, id: fn(Uuid) -> K) -> Result<(Timestamp, K), Fault> {
    Ok((time(row, created_at)?, id(get(row, 0)?)))
}

fn each_during<K, T>(operation: &'static str, rows: Rows<K, T>) -> Vec<Due<K, T>> {
    rows.into_iter().map(|(key, row)| (key, row.during(operation))).collect()
}

async fn due_holds(store: &PgStore, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, Fault> {
    booking_ids(&store.rows(DUE_HOLDS, values![to_sql(now), i64::from(limit)]).await?)
}

async fn called_off(store: &PgStore, limit: u32) -> Result<Vec<BookingId>, Fault> {
    booking_ids(&store.rows(CALLED_OFF, values![i64::from(limit)]).await?)
}

async fn undecided_payments(
    store: &PgStore,
    provider: &str,
    before: Timestamp,
    page: &Page<(Timestamp, PaymentId)>,
) -> Result<Rows<PaymentId, Payment>, Fault> {
    let (at, id) = page.after.map(|(at, id)| (to_sql(at), *id.as_uuid())).unzip();
    let values = values![provider, to_sql(before), at, id, i64::from(page.limit), to_sql(before + CLOCKS_APART)];
    let rows = store.rows(UNDECIDED_PAYMENTS, values).await?;
    rows.iter().map(|row| Ok((key(row, 11, PaymentId::from_uuid)?, Payment::from_row(row)))).collect()
}

async fn owed_refunds(
    store: &PgStore,
    provider: &str,
    page: &Page<(Timestamp, RefundId)>,
) -> Result<Rows<RefundId, (Refund, Payment)>, Fault> {
    let (at, id) = page.after.map(|(at, id)| (to_sql(at), *id.as_uuid())).unzip();
    let mut tx = store.read().await?;
    let refunds = tx.all(OWED_REFUNDS, values![provider, at, id, i64::from(page.limit)]).await?;
    let ids = refunds.iter().map(|row| get(row, 1)).collect::<Result<Vec<Uuid>, _>>()?;
    let payments = tx.all(PAYMENTS_OF_REFUNDS, values![ids]).await?;
    tx.end().await;
    // A payment may have several refunds.
    let payments = payments.iter().map(|row| Ok((get(row, 0)?, row))).collect::<Result<FxHashMap<Uuid, _>, Fault>>()?;
    let with_payment = |row| {
        let refund = Refund::from_row(row)?;
        let payment = payments.get(refund.payment_id.as_uuid());
        let payment = payment.ok_or_else(|| Fault::row("refunds", format!("there is no payment {}", refund.payment_id)))?;
        Ok((refund, Payment::from_row(payment)?))
    };
    refunds.iter().map(|row| Ok((key(row, 8, RefundId::from_uuid)?, with_payment(row)))).collect()
}

async fn pending_total(store: &PgStore) -> Result<u64, Fault> {
    let row = store.row(PENDING_TOTAL, values![]).await?;
    row.map_or(Ok(0), |row| Ok(get::<i64>(&row, 0)?.unsigned_abs()))
}

async fn forget_answers(store: &PgStore, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    let mut tx = store.write().await?;
    let forgotten = tx.execute(FORGET_ANSWERS, values![to_sql(before), i64::from(limit)]).await?;
    tx.commit().await?;
    Ok(forgotten)
}

async fn forget_sessions(store: &PgStore, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    let mut tx = store.write().await?;
    let tokens = tx.execute(FORGET_TOKENS, values![to_sql(before), i64::from(limit)]).await?;
    let rest = i64::from(limit) - i64::try_from(tokens).expect("no more than the limit were deleted");
    let sessions = tx.execute(FORGET_SESSIONS, values![to_sql(before), rest]).await?;
    tx.execute(FORGET_TAKEN_BACK, values![]).await?;
    tx.commit().await?;
    Ok(tokens + sessions)
}

async fn forget_messages(store: &PgStore, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    let mut tx = store.write().await?;
    let forgotten = tx.execute(FORGET_MESSAGES, values![to_sql(before), i64::from(limit)]).await?;
    tx.commit().await?;
    Ok(forgotten)
}
