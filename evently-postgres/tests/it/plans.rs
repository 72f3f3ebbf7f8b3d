//! The questions that are asked most find their rows by an index, among a million seats and a million bookings.

use std::sync::Arc;

use evently_core::{
    domain::{Command, EventChange, PriceDraft, Request, Timestamp},
    memory::SeededIds,
    ports::Bookings as _,
};
use evently_postgres::PgStore;
use evently_testkit::{Fixture, ORGANIZER};
use sqlx::{Connection as _, PgConnection};

use crate::support::Place;

/// 50 halls of 20,000 seats, of which most are sold, with two bookings for three seats; and 100,000 customers. A sale of long ago: its
/// events are over, but for the last few.
const MANY: [&str; 16] = [
    "insert into layouts values ('00000000-0000-0000-0000-0000000000aa', '{}')",
    "insert into venues values ('00000000-0000-0000-0000-0000000000bb', 'Hall', 'hall', '00000000-0000-0000-0000-0000000000aa')",
    "insert into event_ids select gen_random_uuid(), timestamptz '2020-01-01' + n * interval '1 day' from generate_series(1, 2000) n",
    "insert into events select id, start_time, start_time + interval '2 hours', \
        case when start_time > '2025-05-01' then 'upcoming' when extract(day from start_time) = 13 then 'cancelled' else 'draft' end, \
        '00000000-0000-0000-0000-0000000000bb', '00000000-0000-0000-0000-0000000000aa', gen_random_uuid(), 'night', 1, '{}' \
        from event_ids",
    "insert into seats select e.id, n, 0, 4500, 'Stalls', (n / 100)::text, \
        case when n % 20 = 0 then 'available' else 'booked' end, case when n % 20 = 0 then null else gen_random_uuid() end, 1 \
        from (select id from event_ids order by id limit 50) e, generate_series(0, 19999) n",
    "insert into bookings (event_id, id, user_id, status, seats, prices, amount, currency, code, hold_until, expires_at, confirmed_at, \
            created_at, version) \
        select e.id, gen_random_uuid(), md5((n % 100000)::text)::uuid, \
            case when n % 10 = 0 then 'pending' else 'confirmed' end, array[n], array[4500], 4500, 'EUR', \
            case when n % 10 = 0 then null else n::text end, \
            case when n % 10 = 0 then now() end, case when n % 10 = 0 then now() end, case when n % 10 = 0 then null else now() end, \
            now(), 1 \
        from (select id from event_ids order by id limit 50) e, generate_series(0, 19999) n",
    "insert into booking_items select event_id, id, seats[1] from bookings",
    "insert into answers (key, fingerprint, at, content) \
        select sha256(n::text::bytea), sha256(n::text::bytea), now(), '{}' from generate_series(1, 100000) n",
    "insert into journal (event_id, entries, content, writer, position, hash) \
        select e.id, 1, '{}', md5((n % 200)::text)::uuid, row_number() over (), sha256('') \
        from (select id from event_ids order by id limit 50) e, generate_series(1, 2000) n",
    // Of what was begun nearly all is over.
    "insert into payments (event_id, id, booking_id, amount, currency, status, succeeded_at, provider, refunded, created_at) \
        select event_id, gen_random_uuid(), id, 4500, 'EUR', case when n % 100 = 0 then 'processing' else 'succeeded' end, \
            case when n % 100 = 0 then null else now() end, 'sandbox', 0, now() \
        from (select *, row_number() over () as n from bookings where status = 'confirmed' limit 50000) b",
    "insert into refunds (event_id, id, payment_id, booking_id, amount, currency, reason, succeeded_at, created_at, provider) \
        select event_id, gen_random_uuid(), id, booking_id, 100, 'EUR', 'late', case when n % 100 = 0 then null else now() end, now(), \
            'sandbox' \
        from (select *, row_number() over () as n from payments limit 20000) p",
    "insert into tickets (event_id, id, booking_id, seat, code, status) \
        select event_id, gen_random_uuid(), id, seats[1], id::text, 'valid' from bookings where status = 'confirmed' limit 50000",
    "insert into users select md5(n::text)::uuid, n::text, '', 'customer', now(), '' from generate_series(1, 1000) n",
    "insert into sessions select gen_random_uuid(), md5((n % 1000 + 1)::text)::uuid, now() + n * interval '1 minute', false \
        from generate_series(1, 20000) n",
    "with tokens as (insert into session_tokens select sha256(id::text::bytea), id, false from sessions) \
        insert into inbox select 'mail', n, gen_random_uuid(), now() + n * interval '1 second', true from generate_series(1, 50000) n",
    "insert into taken_back (user_id, tx, at) select gen_random_uuid(), n, now() + n * interval '1 second' from generate_series(1, 20000) n",
];

/// As they are called, and as plans call them, which name those of the partition; and whether rows are found by them, and nothing else.
const INDEXES: &str = "select i.relname::text, coalesce(c.relname, i.relname)::text, not x.indisunique \
    from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class r on r.oid = x.indrelid \
        left join pg_inherits h on h.inhparent = i.oid left join pg_class c on c.oid = h.inhrelid \
    where r.relnamespace = 'public'::regnamespace and not r.relispartition";

async fn of_a_million(place: &Place) -> PgStore {
    for statement in MANY {
        place.execute(statement);
    }
    place.execute("vacuum analyze");
    let store = place.open_with(Arc::new(SeededIds::new(3)), &place.options()).await;
    place.execute("insert into journal (event_id, entries, content) select event_id, 1, '{}' from journal limit 100");
    store
}

#[tokio::test]
async fn every_hot_question_finds_its_rows_by_an_index() {
    let place = Place::new();
    let store = of_a_million(&place).await;
    let plans = store.plans().await.unwrap();
    let mut connection = PgConnection::connect(&place.options().url).await.unwrap();
    let indexes: Vec<(String, String, bool)> = sqlx::query_as(INDEXES).fetch_all(&mut connection).await.unwrap();
    let questions = [
        ("what a batch reads", "seats_pk"),
        ("what a batch reads", "idx_bookings_user_status"),
        ("what a batch reads", "bookings_id"),
        ("what a batch reads", "answers_pk"),
        ("what a batch writes", "Tid Scan on seats"),
        ("what a batch writes", "Tid Scan on bookings"),
        ("events on sale", "idx_events_upcoming"),
        ("a customer's bookings", "idx_bookings_user_status"),
        ("seats that can be had, cheapest first", "idx_seats_availability"),
        ("whether others have written", "journal_position_unique"),
        ("what is handed on next", "journal_position_unique"),
        ("whether there is something to hand on", "journal_unnumbered"),
        ("what gets its position next", "journal_unnumbered"),
        ("events by their start", "events_start"),
        ("payments by their ids", "payments_id"),
        ("refunds by their ids", "refunds_id"),
        ("tickets by their codes", "tickets_code"),
        ("a booking's payments", "payments_booking"),
        ("a booking's refunds", "refunds_booking"),
        ("a booking's tickets", "tickets_booking"),
        ("a ticket", "tickets_id"),
        ("what was taken back from somebody", "taken_back_tx"),
        ("holds that are over", "bookings_due"),
        ("bookings of events that were called off", "events_cancelled"),
        ("bookings of events that were called off", "booking_items_pk"),
        ("payments that a gateway is asked about", "payments_undecided"),
        ("refunds that are owed", "refunds_owed"),
        ("answers that are forgotten", "answers_at"),
        ("tokens that are forgotten", "sessions_expires"),
        ("tokens that are forgotten", "session_tokens_session"),
        ("logins that are forgotten", "sessions_expires"),
        ("what was taken back long ago", "taken_back_at"),
        ("messages that are forgotten", "inbox_done_since"),
    ];
    for (what, index) in questions {
        let plan = plans.iter().find(|plan| plan.what == what).unwrap();
        let shown = indexes.iter().find(|(name, ..)| name == index).map_or(index, |(_, shown, _)| shown);
        assert!(plan.plan.contains(shown), "{what} does without {index}:\n{}", plan.plan);
        for table in ["on seats", "on bookings", "on answers", "on events", "on journal j"] {
            assert!(!plan.plan.contains(&format!("Seq Scan {table}")), "{what} reads all of it:\n{}", plan.plan);
        }
    }
    assert!(plans.iter().all(|plan| questions.iter().any(|(what, _)| *what == plan.what)), "every question is looked at");
    for (name, ..) in indexes.iter().filter(|(.., only_finds)| *only_finds) {
        assert!(questions.iter().any(|(_, index)| index == name), "nobody looks whether {name} is of use");
    }
}

/// A new database, and every table for a minute after it has begun to grow: the server guesses, and what it has planned it keeps.
#[tokio::test]
async fn a_batch_finds_its_rows_by_an_index_where_the_server_knows_nothing_of_them() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(3)), &place.options()).await;
    let plans = store.plans().await.unwrap();
    for plan in plans.iter().filter(|plan| plan.what.contains("batch")) {
        assert!(!plan.plan.contains("Seq Scan"), "{} reads all of it:\n{}", plan.what, plan.plan);
        assert!(!plan.plan.contains("bookings_due"), "{} reads all that is pending:\n{}", plan.what, plan.plan);
        assert!(!plan.plan.contains("Hash") && !plan.plan.contains("Merge"), "{} joins all of it:\n{}", plan.what, plan.plan);
    }
}

#[tokio::test]
async fn seats_that_can_be_had_come_as_people_count() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(3)), &place.options()).await;
    place.execute("insert into event_ids values ('00000000-0000-0000-0000-000000000001', now())");
    place.execute(
        "insert into seats select '00000000-0000-0000-0000-000000000001', n, 0, price, section, label, status, \
            case status when 'booked' then gen_random_uuid() end, 0 \
         from (values (0, 4500, 'B', '10', 'available'), (1, 4500, 'B', '2', 'available'), (2, 1900, 'C', '1', 'available'), \
            (3, 4500, 'A', '11', 'available'), (4, 1900, 'A', '1', 'booked')) s (n, price, section, label, status)",
    );
    let event = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let seats = store.available_seats(event, 10).await.unwrap();
    assert_eq!(seats.iter().map(|seat| seat.number).collect::<Vec<_>>(), [2, 3, 1, 0]);
    assert_eq!(store.available_seats(event, 1).await.unwrap().len(), 1);
}

/// The price stands in the row of each seat as well.
#[tokio::test]
async fn seats_that_can_be_had_cost_what_the_last_edit_says() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(3)), &place.options()).await;
    let now = Timestamp::from_secs(1_800_000_000);
    let event = Fixture::new(&SeededIds::new(9), now, 2, 2);
    let apply = async |commands: Vec<Command>| {
        let requests = commands.into_iter().map(|command| Request::new(ORGANIZER, command)).collect::<Vec<_>>();
        let applied = store.apply(now, &requests).await.unwrap();
        assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    };
    let there = async || {
        let seats = store.available_seats(event.id(), 10).await.unwrap();
        seats.iter().map(|seat| (seat.number, seat.price)).collect::<Vec<_>>()
    };
    apply(vec![event.create_venue(), event.create_event(), event.publish()]).await;
    assert_eq!(there().await, [(2, 2500), (3, 2500), (0, 4500), (1, 4500)]);
    let edit = |change| Command::EditEvent { event_id: event.id(), change };
    let dearer = EventChange { prices: vec![PriceDraft { name: "Back".to_owned(), price: 9000 }], ..EventChange::default() };
    apply(vec![edit(dearer)]).await;
    assert_eq!(there().await, [(0, 4500), (1, 4500), (2, 9000), (3, 9000)]);
    apply(vec![edit(EventChange { name: Some("Macbeth".to_owned()), ..EventChange::default() })]).await;
    assert_eq!(there().await, [(0, 4500), (1, 4500), (2, 9000), (3, 9000)]);
}
