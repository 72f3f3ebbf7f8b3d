//! What a decision reads and writes, statement by statement. All of them run inside the one write transaction, and find their rows by key.

use crate::{
    rows::{booking_sql, event_sql, payment_sql, refund_sql, ticket_sql},
    statements::statements,
};

statements! {
    INSERT_LAYOUT = "insert into layouts (id, content) values (?1, ?2)";
    INSERT_VENUE = "insert into venues (id, name, search, layout_id) values (?1, ?2, ?3, ?4)";
    LAYOUT_KNOWN = "select exists (select 1 from layouts where id = ?1)";
    VENUE = "select id, name, layout_id from venues where id = ?1";

    INSERT_EVENT = "insert into events \
        (id, venue_id, layout_id, organizer_id, stage, start_time, end_time, search, version, content) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    INSERT_SEAT = "insert into seats (seat_key, category, status, version) values (?1, ?2, 0, 0)";
    EVENT = event_sql!("where e.id = ?1");
    /// Only the version that was read is replaced.
    UPDATE_EVENT = "update events \
        set stage = ?3, start_time = ?4, end_time = ?5, search = ?6, version = ?2 + 1, content = ?7 \
        where id = ?1 and version = ?2";

    SEAT = "select number, category, status, booking_id, version from seats where seat_key = ?1";
    /// Only the version that was read is replaced.
    UPDATE_SEAT = "update seats set status = ?3, booking_id = ?4, version = ?2 + 1 \
        where seat_key = ?1 and version = ?2";

    BOOKING = booking_sql!("where b.id = ?1");
    INSERT_BOOKING = "insert into bookings \
        (id, event_key, user_id, status, seats, seat_count, amount, currency, code, hold_until, payment_id, payment_until, \
         expires_at, confirmed_at, created_at, version, refund_until, refund_percent) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, ?16, ?17)";
    /// Only the version that was read is replaced.
    UPDATE_BOOKING = "update bookings \
        set status = ?3, seats = ?4, seat_count = ?5, code = ?6, hold_until = ?7, payment_id = ?8, payment_until = ?9, \
            expires_at = ?10, confirmed_at = ?11, version = ?2 + 1 \
        where id = ?1 and version = ?2";
    CODE_TAKEN = "select exists (select 1 from bookings where code = ?1)";
    HELD_SEATS = "select coalesce(sum(seat_count), 0) from bookings \
        where user_id = ?1 and status = 'pending' and event_key = ?2 and expires_at > ?3";

    PAYMENT = payment_sql!("where p.id = ?1");
    PUT_PAYMENT = "insert into payments \
        (id, booking_id, event_key, amount, currency, status, detail, succeeded_at, provider, reference, refunded, created_at) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
        on conflict (id) do update set status = ?6, detail = ?7, succeeded_at = ?8, reference = ?10, refunded = ?11";
    REFUND = refund_sql!("where r.id = ?1");
    PUT_REFUND = "insert into refunds \
        (id, payment_id, booking_id, event_key, amount, currency, reason, succeeded_at, created_at, provider) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (select provider from payments where id = ?2)) \
        on conflict (id) do update set succeeded_at = ?8";
    NOTE_MESSAGE = "insert into gateway_messages (provider, message, taken_in_at) values (?1, ?2, ?3) \
        on conflict (provider, message) do nothing";

    TICKETS = ticket_sql!("where t.booking_id = ?1 order by t.seat");
    TICKET_BY_CODE = ticket_sql!("where t.code = ?1");
    PUT_TICKET = "insert into tickets (id, booking_id, event_key, seat, code, status, used_at, used_by) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        on conflict (id) do update set status = ?6, used_at = ?7, used_by = ?8";

    HEAD = "select position, hash, case when json_valid(content) then content ->> '$.t' end from journal \
        order by position desc limit 1";
    RECORD = "insert into journal (position, event_key, booking_id, content, hash) values (?1, ?2, ?3, ?4, ?5)";

    ANSWER = "select key, fingerprint, content from answers where answer_key = ?1";
    KEEP_ANSWER = "insert into answers (key, fingerprint, at, content) values (?1, ?2, ?3, ?4)";
}
