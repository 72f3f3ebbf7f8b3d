//! The last guard of everything: what contradicts itself cannot be stored, whoever writes it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::support::{NOW, Place, apply, confirm, hold, put_on_sale};

/// What stands in the other tables, beside a confirmed booking and two that are pending.
const SOLD: &str = "
    insert into payments select randomblob(16), id, event_key, 4500, 'EUR', 'failed', 'declined', null, 'sandbox', null, 0, 1
        from bookings where status = 'pending' limit 1;
    insert into refunds select randomblob(16), id, booking_id, event_key, 100, 'EUR', 'late', null, 1, provider from payments;
    insert into gateway_messages values ('sandbox', 'm', 1);
    insert into consumers (name, position) values ('relay', 0);
    insert into users values (randomblob(16), 'a@b', 'Ada', 'customer', 1, ''), (randomblob(16), 'c@d', 'Eve', 'customer', 1, '');
    insert into sessions select randomblob(16), id, 1, 0 from users;
    insert into session_tokens select randomblob(32), id, 0 from sessions;
    insert into sales values (zeroblob(16), 1, '', 0, 0, 0, 0, 0, 0, 0, 0);
    insert into inbox values ('mail', 7, zeroblob(16), 1, 0);
    insert into taken_back (number, user_id) values (1, zeroblob(16));";

const ENDED: &str = "hold_until = null, payment_until = null, expires_at = null";
const OF_AN_EVENT: &str = "venue_id, layout_id, organizer_id, stage, start_time, end_time, search, version, content from events";

/// For each constraint and each unique index statements that it refuses.
const REFUSED: &[(&str, &str)] = &[
    ("layouts_pk", "insert into layouts select layout_key, randomblob(16), content from layouts"),
    ("layouts_id_unique", "insert into layouts (id, content) select id, content from layouts"),
    ("layouts_id_size", "update layouts set id = x'00'"),
    ("venues_pk", "insert into venues select * from venues"),
    ("venues_id_size", "update venues set id = x'00'"),
    ("venues_layout_fk", "update venues set layout_id = randomblob(16)"),
    ("events_pk", "insert into events select event_key, randomblob(16), {OF_AN_EVENT}"),
    ("events_id_unique", "insert into events select null, id, {OF_AN_EVENT}"),
    ("events_id_size", "update events set id = x'00'"),
    ("events_stage", "update events set stage = 'completed'"),
    ("events_times", "update events set end_time = start_time"),
    ("events_version", "update events set version = 0"),
    ("events_venue_fk", "update events set venue_id = randomblob(16)"),
    ("events_layout_fk", "update events set layout_id = randomblob(16)"),
    ("seats_pk", "insert into seats (seat_key, category, status, version) select seat_key, 0, 0, 0 from seats"),
    ("seats_status", "update seats set status = 4 where booking_id is null"),
    ("seats_status", "update seats set status = -1 where booking_id is null"),
    ("seats_owner", "update seats set booking_id = null"),
    ("seats_owner", "update seats set status = 2"),
    ("seats_owner_size", "update seats set booking_id = x'00' where booking_id is not null"),
    ("bookings_pk", "update bookings set id = zeroblob(16)"),
    ("bookings_id_size", "update bookings set id = x'00'"),
    ("bookings_event_fk", "update bookings set event_key = 9"),
    ("bookings_payment_fk", "update bookings set payment_id = randomblob(16) where status = 'confirmed'"),
    ("bookings_status", "update bookings set status = 'sold', {ENDED} where status = 'pending'"),
    ("bookings_seats", "update bookings set seat_count = 0"),
    ("bookings_pending", "update bookings set expires_at = hold_until + 1 where status = 'pending'"),
    ("bookings_pending", "update bookings set hold_until = null, expires_at = null where status = 'pending'"),
    ("bookings_pending", "update bookings set payment_id = id where status = 'pending'"),
    ("bookings_pending", "update bookings set status = 'expired' where status = 'pending'"),
    ("bookings_confirmed", "update bookings set confirmed_at = 1 where status = 'pending'"),
    ("bookings_confirmed", "update bookings set code = null where status = 'confirmed'"),
    ("bookings_confirmed", "update bookings set confirmed_at = null where status = 'confirmed'"),
    ("bookings_paid", "update bookings set status = 'cancelled', payment_id = id, {ENDED} where status = 'pending'"),
    ("bookings_version", "update bookings set version = 0"),
    ("bookings_refunds", "update bookings set refund_until = 1, refund_percent = 101"),
    ("bookings_refunds", "update bookings set refund_until = null, refund_percent = 50"),
    ("bookings_code_unique", "update bookings set code = 'ABCDEFGH'"),
    ("payments_pk", "update payments set id = zeroblob(16)"),
    ("payments_id_size", "update payments set id = x'00'"),
    ("payments_booking_fk", "update payments set booking_id = randomblob(16)"),
    ("payments_event_fk", "update payments set event_key = 9"),
    ("payments_status", "update payments set status = 'lost', detail = null where status = 'failed'"),
    ("payments_detail", "update payments set detail = null where status = 'failed'"),
    ("payments_detail", "update payments set detail = 'why' where status = 'succeeded'"),
    ("payments_succeeded", "update payments set succeeded_at = null where status = 'succeeded'"),
    ("payments_succeeded", "update payments set succeeded_at = 1 where status = 'failed'"),
    ("payments_refunded", "update payments set refunded = amount + 1 where status = 'succeeded'"),
    ("payments_refunded", "update payments set refunded = 1 where status = 'failed'"),
    ("payments_refunded", "update payments set refunded = -1 where status = 'succeeded'"),
    ("refunds_pk", "update refunds set id = zeroblob(16)"),
    ("refunds_id_size", "update refunds set id = x'00'"),
    ("refunds_payment_fk", "update refunds set payment_id = randomblob(16)"),
    ("refunds_booking_fk", "update refunds set booking_id = randomblob(16)"),
    ("refunds_event_fk", "update refunds set event_key = 9"),
    ("refunds_amount", "update refunds set amount = 0"),
    ("tickets_pk", "update tickets set id = zeroblob(16)"),
    ("tickets_id_size", "update tickets set id = x'00'"),
    ("tickets_code_unique", "update tickets set code = 'ABCDEFGH'"),
    ("tickets_booking_seat_unique", "update tickets set seat = 7, status = 'void'"),
    (
        "tickets_valid_unique",
        "insert into tickets select randomblob(16), (select id from bookings where status = 'pending'), \
            event_key, seat, 'another', 'valid', null, null from tickets",
    ),
    ("tickets_booking_fk", "update tickets set booking_id = randomblob(16)"),
    ("tickets_event_fk", "update tickets set event_key = 9"),
    ("tickets_status", "update tickets set status = 'lost'"),
    ("tickets_used", "update tickets set status = 'checked_in'"),
    ("tickets_used", "update tickets set used_at = 1, used_by = id"),
    ("tickets_used", "update tickets set status = 'checked_in', used_at = 1"),
    ("gateway_messages_pk", "insert into gateway_messages select * from gateway_messages"),
    ("journal_pk", "update journal set position = 1"),
    ("journal_event_fk", "update journal set event_key = 9"),
    ("journal_hash_size", "update journal set hash = x'00'"),
    ("consumers_pk", "insert into consumers select * from consumers"),
    ("consumers_owner_size", "update consumers set owner = x'00', claimed_until = 1"),
    ("consumers_claimed", "update consumers set owner = zeroblob(16)"),
    ("consumers_claimed", "update consumers set claimed_until = 1"),
    ("answers_pk", "insert into answers select * from answers"),
    ("answers_key_size", "update answers set key = x'00'"),
    ("answers_key_size", "update answers set fingerprint = x'00'"),
    ("users_pk", "update users set id = zeroblob(16)"),
    ("users_id_size", "update users set id = x'00'"),
    ("users_email_unique", "update users set email = 'a@b'"),
    ("users_role", "update users set role = 'root'"),
    ("sessions_pk", "update sessions set id = zeroblob(16)"),
    ("sessions_id_size", "update sessions set id = x'00'"),
    ("sessions_user_fk", "update sessions set user_id = randomblob(16)"),
    ("sessions_revoked", "update sessions set revoked = 2"),
    ("session_tokens_pk", "update session_tokens set digest = zeroblob(32)"),
    ("session_tokens_digest_size", "update session_tokens set digest = x'00'"),
    ("session_tokens_session_fk", "update session_tokens set session_id = randomblob(16)"),
    ("session_tokens_spent", "update session_tokens set spent = 2"),
    ("session_tokens_good_unique", "insert into session_tokens select randomblob(32), session_id, 0 from session_tokens"),
    ("sales_pk", "insert into sales select * from sales"),
    ("sales_position_pk", "insert into sales_position select * from sales_position"),
    ("sales_position_only", "update sales_position set only = 2"),
    ("inbox_pk", "insert into inbox select * from inbox"),
    ("inbox_owner_size", "update inbox set owner = x'00'"),
    ("inbox_done", "update inbox set done = 2"),
    ("taken_back_pk", "insert into taken_back select * from taken_back"),
    ("taken_back_one", "update taken_back set session_id = user_id"),
    ("taken_back_one", "update taken_back set user_id = null"),
    ("migrations_pk", "insert into migrations select version, name || '!', applied_by from migrations"),
    ("migrations_name_unique", "insert into migrations select version + 1000, name, applied_by from migrations"),
];

/// What the schema has, and what is said where it refuses something: a check by its name, all else by the columns.
fn catalogue(tool: &Connection) -> BTreeMap<String, String> {
    let mut schema = tool.prepare("select tbl_name, sql from sqlite_schema where sql is not null").unwrap();
    let schema = schema.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut found = BTreeMap::new();
    for (table, sql) in schema.map(Result::unwrap) {
        let indexes = sql.split("CREATE UNIQUE INDEX ").skip(1);
        for what in sql.split("constraint ").skip(1).chain(indexes) {
            let (name, rest) = what.split_once(' ').unwrap();
            let columns = rest.split(['(', ')']).nth(1).unwrap().split(", ").map(|column| format!("{table}.{column}"));
            let columns = columns.collect::<Vec<_>>().join(", ");
            let says = match rest.split(' ').next().unwrap() {
                "check" => format!("CHECK constraint failed: {name}"),
                "foreign" => format!("FOREIGN KEY constraint failed: {columns}"),
                "primary" | "unique" | "on" => format!("UNIQUE constraint failed: {columns}"),
                other => panic!("{name} is a {other}"),
            };
            assert_eq!(found.insert(name.to_owned(), says), None, "{name} is there once");
        }
    }
    found
}

/// Tries the statement, of which nothing is left.
fn tried(tool: &Connection, statement: &str) -> Result<(), String> {
    tool.pragma_update(None, "foreign_keys", true).unwrap();
    let tx = tool.unchecked_transaction().unwrap();
    let done = tx.execute_batch(statement).map_err(|error| error.to_string());
    drop(tx);
    match done {
        Err(error) if error == "FOREIGN KEY constraint failed" => Err(format!("{error}: {}", lead_nowhere(tool, statement))),
        done => done,
    }
}

/// The columns that lead nowhere after this statement.
fn lead_nowhere(tool: &Connection, statement: &str) -> String {
    tool.pragma_update(None, "foreign_keys", false).unwrap();
    let tx = tool.unchecked_transaction().unwrap();
    tx.execute_batch(statement).unwrap();
    let broken = "select group_concat(distinct c.\"table\" || '.' || k.\"from\") \
        from pragma_foreign_key_check c join pragma_foreign_key_list(c.\"table\") k on k.id = c.fkid";
    tx.query_one(broken, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn no_row_that_contradicts_itself_is_taken() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    for request in [hold(&event, 1, &[0, 1]), confirm(1), hold(&event, 2, &[2]), hold(&event, 3, &[3])] {
        apply(&store, NOW, request).await.unwrap();
    }
    let tool = place.tool();
    tool.execute_batch(SOLD).unwrap();
    let catalogue = catalogue(&tool);
    let tried_here = REFUSED.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(tried_here, catalogue.keys().cloned().collect(), "each that there is has its statement here");

    for &(name, statement) in REFUSED {
        let statement = statement.replace("{ENDED}", ENDED).replace("{OF_AN_EVENT}", OF_AN_EVENT);
        let error = tried(&tool, &statement).expect_err(&statement);
        assert_eq!(error, catalogue[name], "{statement}");
    }
}
