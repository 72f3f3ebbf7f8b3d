//! What only this store can have wrong, and finds.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{PaymentId, RefundId},
    memory::SeededIds,
    ports::Audit,
};
use evently_postgres::Options;
use evently_testkit::{World, spoilt::what_cannot_be_read_stands_among_what_can};
use uuid::Uuid;

use crate::{
    elsewhere::{hold, on_sale},
    support::Place,
};

/// What the store finds wrong with itself after a sale of one seat, and this statement.
async fn faults_after(damage: &str) -> Vec<String> {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    hold(&store, &ids, &event, 0).await;
    assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());
    place.execute(damage);
    store.self_check().await.unwrap()
}

#[tokio::test]
async fn a_booking_that_has_lost_its_history_is_found() {
    let faults = faults_after("update bookings set journal = '{}'").await;
    assert!(matches!(&faults[..], [fault] if fault.contains("does not know of entry 3 of the journal")), "{faults:?}");
}

#[tokio::test]
async fn a_row_of_the_journal_with_a_line_too_many_is_found() {
    let faults = faults_after("update journal set content = content || E'\\n{}' where position = 3").await;
    assert!(faults.iter().any(|fault| fault.contains("goes from entry 2 to entry 3")), "{faults:?}");
}

#[tokio::test]
async fn a_claim_that_has_gone_is_found() {
    let faults = faults_after("delete from booking_items").await;
    assert!(faults.iter().any(|fault| fault.contains("does not claim the seats that it has")), "{faults:?}");
}

#[tokio::test]
async fn an_entry_of_the_journal_that_was_altered_is_found() {
    let faults = faults_after("update journal set content = content || ' ' where position = 3").await;
    assert!(matches!(&faults[..], [fault] if fault.contains("entry 3 of the journal is not what was written")), "{faults:?}");
}

#[tokio::test]
async fn a_journal_whose_end_was_cut_off_is_found() {
    let faults = faults_after("delete from journal where position = (select max(position) from journal)").await;
    assert!(faults.iter().any(|fault| fault.contains("and should end with entry")), "{faults:?}");
}

#[tokio::test]
async fn rows_that_belong_to_nothing_and_seats_without_a_claim_are_found() {
    for (damage, found) in [
        ("delete from events", "is not where it is listed"),
        (
            "update seats set booking_id = event_id where booking_id is not null",
            "belongs to a booking or an event that does not exist",
        ),
        (
            "alter table seats drop constraint seats_event_fk; update seats set event_id = gen_random_uuid() where booking_id is null",
            "belongs to a booking or an event that does not exist",
        ),
        ("update booking_items set booking_id = event_id", "which does not exist"),
        ("update seats set status = 'available', booking_id = null", "is kept for booking"),
        ("insert into booking_codes select 'ABCDEFGH', id from bookings", "code"),
        ("update bookings set code = 'ABCDEFGH'", "listed for booking none"),
        (
            "do $$ begin alter table events drop constraint events_id_fk; alter table seats drop constraint seats_event_fk; \
             delete from event_ids; end $$",
            "is not where it is listed",
        ),
        ("insert into answers values (sha256('key'), sha256('print'), now(), '{')", "cannot be read"),
        // What comes before the hold names no booking.
        ("update journal set event_id = gen_random_uuid() where position < 3", "is filed under another event"),
    ] {
        let faults = faults_after(damage).await;
        assert!(faults.iter().any(|fault| fault.contains(found)), "{damage}: {faults:?}");
    }
}

/// What stands behind it has its turn.
#[test]
fn a_payment_or_a_refund_that_cannot_be_read_stands_among_those_that_can() {
    let place = Arc::new(Place::new());
    let spoil = |table: &str, id: &Uuid| place.execute(&format!("update {table} set currency = '?' where id = '{id}'"));
    evently_testkit::run(async {
        let world = World::new(place.clone()).await;
        let (payment, refund) = (|id: PaymentId| spoil("payments", id.as_uuid()), |id: RefundId| spoil("refunds", id.as_uuid()));
        what_cannot_be_read_stands_among_what_can(world, payment, refund).await;
    });
}

/// The last guard of the money, below our own rules.
#[tokio::test]
async fn no_more_can_be_given_back_than_came_in() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    hold(&store, &ids, &event, 0).await;
    let payment = |status: &str, detail: &str, succeeded_at: &str, refunded: i64| {
        place.try_execute(&format!(
            "insert into payments (event_id, id, booking_id, amount, currency, status, detail, succeeded_at, provider, \
                refunded, created_at) \
             select event_id, gen_random_uuid(), id, 100, 'EUR', '{status}', {detail}, {succeeded_at}, 'sandbox', \
                {refunded}, now() from bookings"
        ))
    };
    assert_eq!(payment("succeeded", "null", "now()", 100), Ok(()));
    assert!(payment("succeeded", "null", "now()", 101).unwrap_err().contains("payments_refunded"));
    assert_eq!(payment("failed", "'declined'", "null", 0), Ok(()));
    assert!(payment("failed", "'declined'", "null", 1).unwrap_err().contains("payments_refunded"));
}

/// A statement of a request may take half a second here, and is waited for a second longer.
#[tokio::test]
async fn the_check_of_a_store_may_take_longer_than_a_request() {
    let place = Place::new();
    let options = Options { statement_timeout: Duration::from_millis(500), ..place.options() };
    let store = place.open_with(Arc::new(SeededIds::new(7)), &options).await;
    place.execute("alter table answers rename to kept");
    place.execute(
        "create view answers as select * from kept union all select '\\xff', null, null, null where pg_sleep(2)::text is null",
    );
    assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());
}
