//! The store checks itself. Somebody alters the file behind its back, and it says so.

use std::sync::Arc;

use evently_core::{
    domain::{ChainHash, PaymentId, RefundId},
    ports::{Audit, Bookings, Catalog, StoreErrorKind},
};
use evently_sqlite::SqliteStore;
use evently_testkit::{World, spoilt::what_cannot_be_read_stands_among_what_can};
use uuid::Uuid;

use crate::support::{NOW, Place, apply, booking_id, confirm, event, hold, layout, put_on_sale};

/// A store with a confirmed booking, and one fault that another tool has put into it.
async fn altered(place: &Place, how: &str) -> SqliteStore {
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0, 1])).await.unwrap();
    apply(&store, NOW, confirm(1)).await.unwrap();
    assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());
    let tool = place.tool();
    tool.execute_batch("pragma foreign_keys = off; pragma ignore_check_constraints = on").unwrap();
    tool.execute_batch(how).unwrap();
    store
}

async fn faults_after(how: &str) -> Vec<String> {
    altered(&Place::new(), how).await.self_check().await.unwrap()
}

#[tokio::test]
async fn an_edited_entry_is_found() {
    let faults = faults_after("update journal set content = replace(content, '4500', '4501') where position = 3").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("entry 3 of the journal"), "{faults:?}");
}

#[tokio::test]
async fn a_missing_entry_is_found() {
    let faults = faults_after("delete from journal where position = 3").await;
    assert!(faults[0].contains("from entry 2 to entry 4"), "{faults:?}");
}

#[tokio::test]
async fn an_entry_filed_under_another_booking_is_found() {
    let faults = faults_after("update journal set booking_id = null where position = 3").await;
    assert!(faults[0].contains("another booking"), "{faults:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_found() {
    let faults = faults_after("update answers set content = '{' where answer_key = 1").await;
    assert!(faults[0].starts_with("the kept answer 1 cannot be read"), "{faults:?}");
}

#[tokio::test]
async fn a_seat_whose_booking_is_gone_is_found() {
    let faults = faults_after("update seats set booking_id = zeroblob(16) where number = 0").await;
    assert!(faults.iter().any(|fault| fault.contains("seat 0")), "{faults:?}");
}

#[tokio::test]
async fn a_seat_of_no_event_is_found() {
    let faults = faults_after("insert into seats (seat_key, category, status, version) values ((9 << 28) + 3, 0, 0, 0)").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("seat 3 of the event with key 9 belongs to"), "{faults:?}");
}

/// It was written like that, by somebody who knows how to go on with the hashes.
#[tokio::test]
async fn an_entry_that_says_nothing_is_found_though_its_hash_is_right() {
    let place = Place::new();
    let store = altered(&place, "").await;
    let tool = place.tool();
    let last = "select max(position) from journal";
    let before = tool.query_one(&format!("select hash from journal where position = ({last}) - 1"), [], |row| row.get(0));
    let hash = ChainHash(before.unwrap()).then(b"{}").0;
    tool.execute(&format!("update journal set content = '{{}}', hash = ?1 where position = ({last})"), [hash]).unwrap();
    let faults = store.self_check().await.unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("of the journal cannot be read: "), "{faults:?}");
}

/// Who looks after the store puts it right; who buys need not wait for that.
#[tokio::test]
async fn after_an_entry_that_cannot_be_read_it_sells_on() {
    let place = Place::new();
    let how = "update journal set content = '{' where position = (select max(position) from journal)";
    let store = altered(&place, how).await;
    apply(&store, NOW, hold(&event(&layout(10)), 2, &[2])).await.unwrap();
    assert!(store.booking(booking_id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_filed_under_another_name_or_version_is_not_taken_for_what_was_asked_for() {
    let (place, other) = (Place::new(), Place::new());
    let (layout, event) = (layout(10), event(&layout(10)));
    let found = altered(&place, "update events set version = version + 1").await.event(event.id).await;
    assert_eq!(found.unwrap_err().kind(), StoreErrorKind::Corrupt);
    let content = "update layouts set content = replace(content, '0192f0c1', '0192f0c2')";
    let found = altered(&other, content).await.layout(layout.id).await;
    assert_eq!(found.unwrap_err().kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_broken_constraint_is_found() {
    let faults = faults_after("update seats set status = 1, booking_id = null where number = 0").await;
    assert!(faults.iter().any(|fault| fault.contains("CHECK constraint failed in seats")), "{faults:?}");
    let faults = faults_after("delete from payments").await;
    assert!(faults.iter().any(|fault| fault.contains("refers to a row of payments")), "{faults:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_is_corrupt_and_not_guessed() {
    for how in [
        "update bookings set status = 'pending'",
        "update bookings set status = 'sold'",
        "update bookings set seats = '[[0]]'",
        "update bookings set currency = '???'",
    ] {
        let place = Place::new();
        let error = altered(&place, how).await.booking(booking_id(1)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{how}: {error:?}");
        assert!(!error.is_retryable());
    }
}

/// What stands behind it has its turn.
#[test]
fn a_payment_or_a_refund_that_cannot_be_read_stands_among_those_that_can() {
    let place = Arc::new(Place::new());
    let spoil = |table: &str, id: &Uuid| {
        let count = place.tool().execute(&format!("update {table} set currency = '?' where id = ?1"), [id]).unwrap();
        assert_eq!(count, 1);
    };
    evently_testkit::run(async {
        let world = World::new(place.clone()).await;
        let (payment, refund) = (|id: PaymentId| spoil("payments", id.as_uuid()), |id: RefundId| spoil("refunds", id.as_uuid()));
        what_cannot_be_read_stands_among_what_can(world, payment, refund).await;
    });
}

#[tokio::test]
async fn an_entry_filed_under_another_event_is_found() {
    let faults = faults_after(
        "create temp table another as select * from events; \
         update another set event_key = event_key + 1, id = zeroblob(16); \
         insert into events select * from another; \
         update journal set event_key = event_key + 1 where position = 1",
    )
    .await;
    assert!(faults.iter().any(|fault| fault.contains("entry 1 of the journal is filed under another")), "{faults:?}");
}
