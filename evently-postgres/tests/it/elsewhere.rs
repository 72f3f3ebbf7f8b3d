//! Several handles on one database, as several processes have them: each tells what others have done from what it has done itself.

use std::sync::Arc;

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Catalog, Ids},
};
use evently_postgres::PgStore;
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};

use crate::support::Place;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SEATS: u32 = 200;

async fn on_sale(store: &PgStore, ids: &SeededIds) -> Fixture {
    let event = Fixture::new(ids, NOW, 1, SEATS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    event
}

async fn hold(store: &PgStore, ids: &SeededIds, event: &Fixture, seat: u32) {
    let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
    let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
    let seats = event.seats(&[seat]);
    let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
    let applied = store.apply(NOW, &[Request::new(SYSTEM, command)]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
}

#[tokio::test]
async fn only_what_others_write_counts_and_only_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (ours, theirs) =
        (place.open_with(ids.clone(), &place.options()).await, place.open_with(ids.clone(), &place.options()).await);
    let event = on_sale(&ours, &ids).await;
    assert!(!ours.changed_elsewhere().await.unwrap(), "our own writes do not count");
    assert!(theirs.changed_elsewhere().await.unwrap());
    assert!(!theirs.changed_elsewhere().await.unwrap(), "it was asked before");

    hold(&theirs, &ids, &event, 0).await;
    hold(&ours, &ids, &event, 1).await;
    assert!(ours.changed_elsewhere().await.unwrap(), "a write of ours afterwards hides nothing");
    assert!(!ours.clone().changed_elsewhere().await.unwrap(), "a clone is the same");
}

/// Else a sale would read all seats of all events again and again.
#[tokio::test]
async fn who_writes_all_the_time_still_sees_that_nobody_else_does() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    let selling = async {
        for seat in 0..SEATS {
            hold(&store, &ids, &event, seat).await;
        }
    };
    let looking = async {
        loop {
            assert!(!store.changed_elsewhere().await.unwrap(), "nobody else writes");
        }
    };
    tokio::select! {
        () = selling => {}
        () = looking => {}
    }
}
