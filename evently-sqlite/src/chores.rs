//! What is due. Each question has a partial index that holds the due rows alone, so that it costs what it finds.

use async_trait::async_trait;
use evently_core::{
    domain::{ANSWERS_KEPT, BookingId, CLOCKS_APART, Payment, PaymentId, Refund, RefundId, Timestamp},
    ports::{Chores, Due, Page, StoreError},
};
use rusqlite::{Row, Transaction, params};
use uuid::Uuid;

use crate::{
    SqliteStore,
    error::Fault,
    rows::{each_row, execute, find, from_row, payment_sql, refund_sql},
    statements::statements,
};

statements! {
    DUE_HOLDS = "select id from bookings where status = 'pending' and expires_at <= ?1 order by expires_at limit ?2";
    /// The cross join keeps the few cancelled events in front.
    CALLED_OFF = "select b.id from events e cross join bookings b on b.event_key = e.event_key \
        where e.stage = 'cancelled' and b.status in ('pending', 'confirmed') limit ?1";
    UNDECIDED_PAYMENTS = payment_sql!(
        "where p.provider = ?1 and (p.created_at < ?2 or p.created_at > ?6) and (p.created_at, p.id) > (?3, ?4) \
            and (p.status in ('processing', 'requires_action') or (p.status = 'failed' and p.detail in ('superseded', 'no_answer'))) \
            order by p.created_at, p.id limit ?5"
    );
    OWED_REFUNDS = refund_sql!(
        "where r.provider = ?1 and (r.created_at, r.id) > (?2, ?3) and r.succeeded_at is null \
            order by r.created_at, r.id limit ?4"
    );
    PAYMENT_OF_REFUND = payment_sql!("where p.id = ?1");
    PENDING_TOTAL = "select count(*) from bookings where status = 'pending'";
    /// The oldest stand in front: only as many are looked at as may go. The last one stays, so that its number is not given again.
    FORGET_ANSWERS = "delete from answers \
        where answer_key in (select answer_key from answers order by answer_key limit ?2) and at < ?1 \
            and answer_key < (select max(answer_key) from answers)";
    FIRST_ANSWERED_AT = "select at from answers order by answer_key limit 1";
    /// Those of the future stand in the way where a clock was ahead. They are older than what stands behind them.
    FORGET_ANSWERS_OF_THE_FUTURE = "delete from answers where answer_key in ( \
            select answer_key from answers \
            where answer_key < (select max(answer_key) from answers where at < ?1) and at > ?2 order by answer_key limit ?3 \
        )";
    FORGET_TOKENS = "delete from session_tokens where digest in ( \
            select t.digest from sessions s cross join session_tokens t on t.session_id = s.id \
            where s.expires_at < ?1 limit ?2 \
        )";
    FORGET_SESSIONS = "delete from sessions where id in ( \
            select s.id from sessions s \
            where s.expires_at < ?1 and not exists (select 1 from session_tokens t where t.session_id = s.id) limit ?2 \
        )";
    /// By the clock of the machine, which wrote the times. An hour and a bit: it is told for an hour at least. The last one stays, so that
    /// its number is not given again.
    FORGET_TAKEN_BACK = "delete from taken_back where at < unixepoch() - 4000 and number < (select max(number) from taken_back)";
    FORGET_MESSAGES = "delete from inbox where (consumer, message) in ( \
            select consumer, message from inbox where done = 1 and claimed_until < ?1 limit ?2 \
        )";
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

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        let provider = provider.to_owned();
        let undecided = move |tx: &Transaction<'_>| {
            let after = page.after.as_ref().map_or(BEFORE_ALL, |(at, id)| (at.as_micros(), id.as_uuid().as_bytes()));
            let from = (before + CLOCKS_APART).as_micros();
            let values = params![provider, before.as_micros(), after.0, after.1, page.limit, from];
            each_row(tx, UNDECIDED_PAYMENTS, values, |row| Ok((key(row, 11, PaymentId::from_uuid)?, from_row(row))))
        };
        Ok(each_during("undecided_payments", self.read("undecided_payments", undecided).await?))
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        let provider = provider.to_owned();
        let owed = move |tx: &Transaction<'_>| owed_refunds(tx, &provider, &page);
        Ok(each_during("owed_refunds", self.read("owed_refunds", owed).await?))
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        let count = |row: &Row<'_>| row.get::<_, i64>(0);
        let total = self.read("pending_total", move |tx| each_row(tx, PENDING_TOTAL, [], count)).await?;
        Ok(total.first().map_or(0, |total| total.unsigned_abs()))
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forget = move |tx: &Transaction<'_>| forget_answers(tx, before, limit);
        Ok(self.write("forget_answers", forget).await? as u64)
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forget = move |tx: &Transaction<'_>| {
            let tokens = execute(tx, FORGET_TOKENS, params![before.as_micros(), limit])?;
            let rest = limit - u32::try_from(tokens).expect("no more than the limit were deleted");
            let sessions = execute(tx, FORGET_SESSIONS, params![before.as_micros(), rest])?;
            execute(tx, FORGET_TAKEN_BACK, [])?;
            Ok((tokens + sessions) as u64)
        };
        self.write("forget_sessions", forget).await
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forget = move |tx: &Transaction<'_>| execute(tx, FORGET_MESSAGES, params![before.as_micros(), limit]);
        Ok(self.write("forget_messages", forget).await? as u64)
    }
}

fn forget_answers(tx: &Transaction<'_>, before: Timestamp, limit: u32) -> Result<usize, Fault> {
    let forgotten = execute(tx, FORGET_ANSWERS, params![before.as_micros(), limit])?;
    let now = (before + ANSWERS_KEPT).as_micros();
    let first = each_row(tx, FIRST_ANSWERED_AT, [], |row| row.get::<_, i64>(0))?.pop();
    if forgotten > 0 || first.is_none_or(|first| first <= now) {
        return Ok(forgotten);
    }
    execute(tx, FORGET_ANSWERS_OF_THE_FUTURE, params![before.as_micros(), now, limit])
}

fn booking_id(row: &Row<'_>) -> rusqlite::Result<BookingId> {
    row.get(0).map(BookingId::from_uuid)
}

/// What stands in rows that are due, each under the key that its page goes by.
type Rows<K, T> = Vec<((Timestamp, K), Result<T, Fault>)>;

/// The key of a row that begins with its id.
fn key<K>(row: &Row<'_>, created_at: usize, id: fn(Uuid) -> K) -> rusqlite::Result<(Timestamp, K)> {
    Ok((Timestamp::from_micros(row.get(created_at)?), id(row.get(0)?)))
}

fn each_during<K, T>(operation: &'static str, rows: Rows<K, T>) -> Vec<Due<K, T>> {
    rows.into_iter().map(|(key, row)| (key, row.map_err(|fault| fault.during(operation)))).collect()
}

/// Where what is due is listed from when there is no page before.
const BEFORE_ALL: (i64, &[u8]) = (i64::MIN, &[]);

fn owed_refunds(
    tx: &Transaction<'_>,
    provider: &str,
    page: &Page<(Timestamp, RefundId)>,
) -> Result<Rows<RefundId, (Refund, Payment)>, Fault> {
    let after = page.after.as_ref().map_or(BEFORE_ALL, |(at, id)| (at.as_micros(), id.as_uuid().as_bytes()));
    let values = params![provider, after.0, after.1, page.limit];
    each_row(tx, OWED_REFUNDS, values, |row| {
        let refund = from_row::<Refund>(row);
        let with_payment = refund.and_then(|refund| payment_of(tx, refund.payment_id).map(|payment| (refund, payment)));
        Ok((key(row, 8, RefundId::from_uuid)?, with_payment))
    })
}

fn payment_of(tx: &Transaction<'_>, id: PaymentId) -> Result<Payment, Fault> {
    find(tx, PAYMENT_OF_REFUND, [id.as_uuid()])?.ok_or_else(|| Fault::row("refunds", format!("there is no payment {id}")))
}
