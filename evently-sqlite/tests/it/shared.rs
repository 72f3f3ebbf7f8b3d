//! Several handles on one file, as several processes have them.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingStatus, Event},
    memory::{ManualClock, MemorySeatFeed},
    ports::{Audit, Bookings, Catalog, Claim, Elsewhere, Outbox, StoreErrorKind},
    services::{BoxOffice, Error, OfficeSize, Relay},
};
use evently_sqlite::{Options, SqliteStore};
use evently_testkit::CountedBookings;

use crate::support::{CountedIds, NOW, Place, apply, assert_sound, hold, put_on_sale, user};

#[tokio::test]
async fn only_what_others_write_counts_as_changed_elsewhere() {
    let place = Place::new();
    let (ours, theirs) = (place.open(), place.open_with(2, &Options::default()));
    let event = put_on_sale(&ours, 10).await;
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "our own writes do not count");
    assert_ne!(theirs.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    assert_eq!(theirs.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "it was asked before");

    apply(&theirs, NOW, hold(&event, 1, &[0])).await.unwrap();
    apply(&ours, NOW, hold(&event, 2, &[1])).await.unwrap();
    ours.seat_map(event.id).await.unwrap();
    assert_ne!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "a write of ours in between hides nothing");
}

#[tokio::test]
async fn what_one_has_written_the_other_reads() {
    let place = Place::new();
    let (ours, theirs) = (place.open(), place.open_with(2, &Options::default()));
    let event = put_on_sale(&ours, 10).await;
    assert_eq!(theirs.event(event.id).await.unwrap().unwrap().version, 2);
    apply(&theirs, NOW, hold(&event, 1, &[0])).await.unwrap();
    assert_eq!(ours.seat_map(event.id).await.unwrap().unwrap().counts().reserved, 1);
}

/// As those are after the migration that gave them owners.
#[tokio::test]
async fn what_an_earlier_version_has_followed_is_there_for_whoever_comes_first() {
    let place = Place::new();
    let store = place.open();
    place.tool().execute_batch("insert into consumers (name, position) values ('relay', 7)").unwrap();
    let claim = || Claim::new(&*CountedIds::new(2), &ManualClock::new(NOW));
    assert_eq!(store.claim(Relay::CONSUMER, &claim()).await.unwrap(), Some(7), "it is nobody's yet");
    assert_eq!(store.claim(Relay::CONSUMER, &Claim { owner: *user(9).as_uuid(), ..claim() }).await.unwrap(), None);
}

/// Split into ever smaller parts, each of which waits as long, a full batch kept the office busy for most of an hour.
#[tokio::test]
async fn while_somebody_keeps_the_file_locked_nothing_is_done_and_each_batch_waits_once() {
    const BUYERS: u32 = 32;
    let (place, patience) = (Place::new(), Duration::from_millis(200));
    let store = Arc::new(place.open_with(1, &Options { busy_timeout: patience, ..Options::default() }));
    let event = put_on_sale(&store, 40).await;
    let tool = place.tool();
    tool.execute_batch("begin immediate").unwrap();
    let (counted, feed) = (Arc::new(CountedBookings::new(store.clone())), Arc::new(MemorySeatFeed::new(store.clone())));
    let (office, work) = BoxOffice::open(counted.clone(), feed, Arc::new(ManualClock::new(NOW)), OfficeSize::default());
    tokio::spawn(work);
    let submit = |n: u32| {
        let (office, hold) = (office.clone(), hold(&event, u128::from(n) + 1, &[n]));
        tokio::spawn(async move { office.submit(hold).await })
    };
    for answer in (0..BUYERS).map(submit).collect::<Vec<_>>() {
        assert!(matches!(answer.await.unwrap(), Err(Error::Store(error)) if error.kind() == StoreErrorKind::Unavailable));
    }
    assert!(counted.calls() <= 2, "the first to come, and all who had to wait for them");
    tool.execute_batch("rollback").unwrap();
    office.submit(hold(&event, 99, &[0])).await.unwrap().result.unwrap();
}

const SEATS: u32 = 400;

/// Wants every pair of seats, in batches; how many it got.
async fn want_everything(store: SqliteStore, event: &Event, buyer: u32) -> usize {
    let mut got = 0;
    let pairs = (0..SEATS).step_by(2).collect::<Vec<_>>();
    for some in pairs.chunks(7) {
        let request = |&seat: &u32| hold(event, u128::from(seat) * 8 + u128::from(buyer), &[seat, seat + 1]);
        let requests = some.iter().map(request).collect::<Vec<_>>();
        let applied = store.apply(NOW, &requests).await.unwrap();
        got += applied.answers.iter().filter(|answer| answer.result.is_ok()).count();
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seat_is_sold_once_however_many_processes_sell() {
    let place = Place::new();
    let event = put_on_sale(&place.open(), SEATS).await;
    let sellers = (0..4).map(|buyer| {
        let store = place.open_with(u64::from(buyer) + 2, &Options::default());
        let event = event.clone();
        tokio::spawn(async move { want_everything(store, &event, buyer).await })
    });
    let mut got = 0;
    for seller in sellers.collect::<Vec<_>>() {
        got += seller.await.unwrap();
    }
    assert_eq!(got, SEATS as usize / 2);

    let store = place.open();
    assert_sound(&store, event.id).await;
    let records = store.event_records(event.id).await.unwrap().unwrap();
    assert!(records.seats.iter().all(|seat| seat.version == 1), "no update was lost");
    assert!(records.bookings.iter().all(|booking| booking.status() == BookingStatus::Pending));
    let positions = store.after(0, 10_000).await.unwrap().iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert_eq!(positions, (1..=u64::from(SEATS) / 2 + 2).collect::<Vec<_>>());
}
