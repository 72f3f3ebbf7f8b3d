//! More callers than connections, while somebody else has the table locked: each is answered in time, and nothing is stuck afterwards.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Ids, StoreErrorKind},
};
use evently_postgres::Options;
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use sqlx::Connection as _;

use crate::support::Place;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CALLERS: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_no_connection_is_told_so_and_nothing_is_stuck() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let brief = Duration::from_millis(300);
    let options = Options { connections: 5, patience: brief, statement_timeout: brief, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = Fixture::new(&*ids, NOW, 1, CALLERS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    let hold = |seat| {
        let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
        let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
        let seats = event.seats(&[seat]);
        let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
        (booking_id, Request::new(SYSTEM, command))
    };

    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    sqlx::raw_sql("begin; lock table bookings in access exclusive mode").execute(&mut other).await.unwrap();
    let callers = (0..CALLERS).map(|seat| {
        let (store, (booking, request)) = (store.clone(), hold(seat));
        // What a booking has is read by several statements, a batch decided by a dozen.
        tokio::spawn(async move {
            if seat % 2 == 0 { store.apply(NOW, &[request]).await.map(drop) } else { store.records(booking).await.map(drop) }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        let error = caller.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Contended), "{error:?}");
    }
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();

    for seat in 0..10 {
        let (booking, request) = hold(seat);
        let applied = store.apply(NOW, &[request]).await.unwrap();
        assert!(applied.answers[0].result.is_ok(), "nothing was done before: {applied:?}");
        assert!(store.records(booking).await.unwrap().is_some());
    }
}
