//! The last guard of everything: what contradicts itself cannot be stored, whoever writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use evently_core::memory::SeededIds;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    elsewhere::{hold, on_sale},
    support::Place,
};

/// What a sale leaves in the other tables, for two bookings that are there. Payments are one of each kind, and so are journal entries.
const SOLD: &str = "
    insert into booking_codes select 'ABCDEFGH', id from bookings limit 1;
    insert into payments (event_id, id, booking_id, amount, currency, status, detail, succeeded_at, provider, refunded, created_at)
        select event_id, gen_random_uuid(), id, 4500, 'EUR', p.status, p.detail, p.succeeded_at, 'sandbox', 0, now()
        from bookings, (values ('succeeded', null, now()), ('failed', 'declined', null)) p (status, detail, succeeded_at);
    insert into refunds (event_id, id, payment_id, booking_id, amount, currency, reason, created_at, provider)
        select event_id, gen_random_uuid(), id, booking_id, 100, 'EUR', 'late', now(), 'sandbox' from payments;
    insert into tickets (event_id, id, booking_id, seat, code, status)
        select event_id, gen_random_uuid(), id, seats[1], 'T', 'valid' from bookings;
    insert into gateway_messages values ('sandbox', 'm', now());
    update journal set position = sequence, hash = sha256('') where sequence = (select min(sequence) from journal);
    insert into consumers (name, position) values ('relay', 0);
    insert into answers values (sha256('key'), sha256('print'), now(), '{}');
    insert into users select gen_random_uuid(), email, 'Ada', 'customer', now(), '' from (values ('a@b'), ('c@d')) u (email);
    insert into sessions select gen_random_uuid(), id, now(), false from users;
    insert into session_tokens select sha256(id::text::bytea), id, false from sessions;
    insert into sales values (gen_random_uuid(), now(), '', 0, 0, 0, 0, 0, 0, 0, 0);
    insert into inbox values ('mail', 7, gen_random_uuid(), now(), false);
    insert into taken_back (user_id) values (gen_random_uuid());";

const ENDED: &str = "hold_until = null, payment_until = null, expires_at = null";
const NIL: &str = "'00000000-0000-0000-0000-000000000000'";

/// For each constraint and each unique index statements that it alone refuses.
const REFUSED: &[(&str, &str)] = &[
    ("layouts_pk", "insert into layouts select * from layouts"),
    ("venues_pk", "insert into venues select * from venues"),
    ("venues_layout_fk", "update venues set layout_id = gen_random_uuid()"),
    ("event_ids_pk", "insert into event_ids select * from event_ids"),
    ("events_pk", "insert into events select * from events"),
    ("events_id_fk", "update events set id = gen_random_uuid()"),
    ("events_venue_fk", "update events set venue_id = gen_random_uuid()"),
    ("events_layout_fk", "update events set layout_id = gen_random_uuid()"),
    ("events_status", "update events set status = 'completed'"),
    ("events_times", "update events set end_time = start_time"),
    ("events_version", "update events set version = 0"),
    ("seats_pk", "update seats set number = 0"),
    ("seats_event_fk", "update seats set event_id = gen_random_uuid()"),
    ("seats_status", "update seats set status = 'sold' where booking_id is null"),
    ("seats_owner", "update seats set booking_id = null"),
    ("seats_owner", "update seats set status = 'booked'"),
    ("seats_version", "update seats set version = -1"),
    ("bookings_pk", "update bookings set id = {NIL}"),
    ("bookings_status", "update bookings set status = 'sold', {ENDED}"),
    ("bookings_seats", "update bookings set prices = prices || 1::bigint"),
    ("bookings_seats", "update bookings set prices = '{}', seats = '{}'"),
    ("bookings_pending", "update bookings set expires_at = hold_until + interval '1 second'"),
    ("bookings_pending", "update bookings set hold_until = null, expires_at = null"),
    ("bookings_pending", "update bookings set payment_id = id"),
    ("bookings_pending", "update bookings set status = 'expired'"),
    ("bookings_confirmed", "update bookings set confirmed_at = now()"),
    ("bookings_confirmed", "update bookings set status = 'confirmed', code = 'ABCDEFGH', {ENDED}"),
    ("bookings_confirmed", "update bookings set status = 'confirmed', confirmed_at = now(), {ENDED}"),
    ("bookings_paid", "update bookings set status = 'cancelled', payment_id = id, {ENDED}"),
    ("bookings_version", "update bookings set version = 0"),
    ("bookings_refunds", "update bookings set refund_until = now(), refund_percent = 101"),
    ("bookings_refunds", "update bookings set refund_until = null, refund_percent = 50"),
    ("booking_codes_pk", "insert into booking_codes select code, gen_random_uuid() from booking_codes"),
    ("booking_items_pk", "update booking_items set seat = 7"),
    ("payments_pk", "update payments set id = {NIL}"),
    ("payments_booking_fk", "update payments set booking_id = gen_random_uuid()"),
    ("payments_status", "update payments set status = 'lost', detail = null where status = 'failed'"),
    ("payments_detail", "update payments set detail = null where status = 'failed'"),
    ("payments_detail", "update payments set detail = 'why' where status = 'succeeded'"),
    ("payments_succeeded", "update payments set succeeded_at = null where status = 'succeeded'"),
    ("payments_succeeded", "update payments set succeeded_at = now() where status = 'failed'"),
    ("payments_refunded", "update payments set refunded = amount + 1 where status = 'succeeded'"),
    ("payments_refunded", "update payments set refunded = 1 where status = 'failed'"),
    ("payments_refunded", "update payments set refunded = -1 where status = 'succeeded'"),
    ("refunds_pk", "update refunds set id = {NIL}"),
    ("refunds_payment_fk", "update refunds set payment_id = gen_random_uuid()"),
    ("refunds_amount", "update refunds set amount = 0"),
    ("tickets_pk", "update tickets set id = {NIL}"),
    ("tickets_booking_fk", "update tickets set booking_id = gen_random_uuid()"),
    (
        "tickets_booking_seat_unique",
        "insert into tickets select event_id, {NIL}, booking_id, seat, 'U', 'void' from tickets limit 1",
    ),
    ("tickets_valid_unique", "update tickets set seat = 7"),
    ("tickets_status", "update tickets set status = 'lost'"),
    ("tickets_used", "update tickets set status = 'checked_in'"),
    ("tickets_used", "update tickets set used_at = now(), used_by = id"),
    ("tickets_used", "update tickets set status = 'checked_in', used_at = now()"),
    ("gateway_messages_pk", "insert into gateway_messages values ('sandbox', 'm', now())"),
    (
        "journal_pk",
        "insert into journal (event_id, sequence, entries, content) overriding system value \
            select event_id, sequence, 1, '{}' from journal",
    ),
    (
        "journal_position_unique",
        "insert into journal (event_id, entries, content, position, hash) \
            select event_id, 1, '{}', position, hash from journal",
    ),
    ("journal_numbered", "update journal set hash = null"),
    ("journal_numbered", "update journal set position = null"),
    ("journal_hash_size", "update journal set hash = '' where position is not null"),
    ("journal_entries", "update journal set entries = 0"),
    ("journal_head_pk", "insert into journal_head select * from journal_head"),
    ("journal_head_single", "update journal_head set single = false"),
    ("journal_head_hash_size", "update journal_head set hash = ''"),
    ("consumers_pk", "insert into consumers select * from consumers"),
    ("consumers_claimed", "update consumers set owner = {NIL}"),
    ("consumers_claimed", "update consumers set claimed_until = now()"),
    ("answers_pk", "insert into answers select * from answers"),
    ("answers_key_size", "update answers set key = ''"),
    ("answers_key_size", "update answers set fingerprint = ''"),
    ("users_pk", "update users set id = {NIL}"),
    ("users_email_unique", "update users set email = 'a@b'"),
    ("users_role", "update users set role = 'root'"),
    ("sessions_pk", "update sessions set id = {NIL}"),
    ("sessions_user_fk", "update sessions set user_id = gen_random_uuid()"),
    ("session_tokens_pk", "update session_tokens set digest = sha256('')"),
    ("session_tokens_session_fk", "update session_tokens set session_id = gen_random_uuid()"),
    ("session_tokens_digest_size", "update session_tokens set digest = digest || digest"),
    ("session_tokens_good_unique", "insert into session_tokens select sha256(digest), session_id, false from session_tokens"),
    ("sales_pk", "insert into sales select * from sales"),
    ("sales_position_pk", "insert into sales_position select * from sales_position"),
    ("sales_position_single", "update sales_position set single = false"),
    ("inbox_pk", "insert into inbox select * from inbox"),
    ("taken_back_pk", "insert into taken_back (number, user_id) overriding system value select number, user_id from taken_back"),
    ("taken_back_one", "update taken_back set session_id = user_id"),
    ("taken_back_one", "update taken_back set user_id = null"),
];

/// What the schema has, and how it is dropped. What partitions have is their table's.
const CATALOGUE: &str = "
    select c.conname::text, format('alter table %s drop constraint %s cascade', r.oid::regclass, c.conname)
        from pg_constraint c join pg_class r on r.oid = c.conrelid
        where r.relnamespace = 'public'::regnamespace and not r.relispartition and r.relname <> '_sqlx_migrations' and c.contype <> 'n'
    union all
    select i.indexrelid::regclass::text, format('drop index %s', i.indexrelid::regclass)
        from pg_index i join pg_class r on r.oid = i.indrelid
        where i.indisunique and r.relnamespace = 'public'::regnamespace and not r.relispartition
            and not exists (select from pg_constraint c where c.conindid = i.indexrelid)";

/// Tries the statement, of which nothing is left.
async fn tried(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *tx).await.map(drop);
    tx.rollback().await.unwrap();
    done
}

#[tokio::test]
async fn no_row_that_contradicts_itself_is_taken() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    for seat in [0, 1] {
        hold(&store, &ids, &event, seat).await;
    }
    place.execute(SOLD);
    let mut connection = PgConnection::connect(&place.options().url).await.unwrap();
    let catalogue: Vec<(String, String)> = sqlx::query_as(CATALOGUE).fetch_all(&mut connection).await.unwrap();
    let catalogue = catalogue.into_iter().collect::<BTreeMap<_, _>>();
    let tried_here = REFUSED.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(tried_here, catalogue.keys().cloned().collect(), "each that there is has its statement here");

    for &(name, statement) in REFUSED {
        let statement = statement.replace("{ENDED}", ENDED).replace("{NIL}", NIL);
        let error = tried(&mut connection, &statement).await.expect_err(&statement);
        let by = error.as_database_error().and_then(|error| error.constraint());
        // The key of the partition in which the event stands.
        let by = by.map(|by| if by == "events_default_pkey" { "events_pk" } else { by });
        assert_eq!(by, Some(name), "{statement}: {error}");
        let without = format!("{}; {statement}", catalogue[name]);
        tried(&mut connection, &without)
            .await
            .unwrap_or_else(|error| panic!("{statement} is refused by others as well: {error}"));
    }
}
