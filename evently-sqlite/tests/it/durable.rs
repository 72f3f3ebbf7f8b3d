//! What has been answered stays.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader},
    os::unix::ffi::OsStrExt as _,
    process::{Command, Stdio},
};

use evently_core::{
    domain::{BookingCode, BookingStatus, Outcome, Rejection},
    ports::{Bookings, Catalog},
};

use crate::support::{NOW, Place, apply, assert_sound, booking, booking_id, cancel, confirm, hold, layout, put_on_sale, venue};

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0, 1])).await.unwrap();
    apply(&store, NOW, hold(&event, 2, &[2])).await.unwrap();
    let confirmed = apply(&store, NOW, confirm(1)).await.unwrap();
    let code = booking(&confirmed).code.unwrap();
    let records = store.records(booking_id(1)).await.unwrap().unwrap();
    let map = store.seat_map(event.id).await.unwrap().unwrap();
    drop(store);

    let store = place.open();
    assert_eq!(store.records(booking_id(1)).await.unwrap(), Some(records));
    assert_eq!(store.seat_map(event.id).await.unwrap(), Some(map));
    assert_eq!(store.booking_by_code(code).await.unwrap().unwrap().id, booking_id(1));
    assert_eq!(store.booking_by_code(BookingCode::new(1)).await.unwrap(), None);
    assert_eq!(store.booking(booking_id(2)).await.unwrap().unwrap().status(), BookingStatus::Pending);
    let kept = store.layout(event.layout_id).await.unwrap().unwrap();
    assert_eq!(*kept, *layout(10), "coordinates come back exactly");
    assert_eq!(store.venue(event.venue_id).await.unwrap(), Some(venue(&kept)));
    assert_sound(&store, event.id).await;
}

#[tokio::test]
async fn a_repeated_request_gets_its_answer_after_reopening() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    let first = store.apply(NOW, &[hold(&event, 1, &[0])]).await.unwrap().answers.remove(0);
    drop(store);

    let again = place.open().apply(NOW, &[hold(&event, 1, &[0])]).await.unwrap().answers.remove(0);
    assert!(again.replayed);
    assert_eq!(again.result, first.result);
}

#[tokio::test]
async fn a_refused_request_leaves_the_others_of_its_batch_alone() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 4).await;
    let batch = [hold(&event, 1, &[0, 1]), hold(&event, 2, &[1, 2]), hold(&event, 3, &[2, 3])];
    let applied = store.apply(NOW, &batch).await.unwrap();
    let accepted = applied.answers.iter().map(|answer| answer.result.is_ok()).collect::<Vec<_>>();
    assert_eq!(accepted, [true, false, true]);
    assert!(matches!(&applied.answers[1].result, Err(Rejection::SeatsUnavailable(seats)) if seats.len() == 1));
    assert_eq!(applied.changes.iter().map(|change| change.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_sound(&store, event.id).await;
}

#[tokio::test]
async fn a_seat_is_sold_again_after_a_cancellation() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 1).await;
    for n in 1..=3 {
        apply(&store, NOW, hold(&event, n, &[0])).await.unwrap();
        apply(&store, NOW, confirm(n)).await.unwrap();
        apply(&store, NOW, cancel(n)).await.unwrap();
    }
    let records = store.records(booking_id(2)).await.unwrap().unwrap();
    assert_eq!((records.payments.len(), records.refunds.len(), records.tickets.len()), (1, 1, 1));
    assert_sound(&store, event.id).await;
}

#[tokio::test]
async fn a_backup_is_a_store() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0, 1])).await.unwrap();
    store.backup_to(place.other("backup.db")).await.unwrap();
    apply(&store, NOW, hold(&event, 2, &[2])).await.unwrap();

    let ids = crate::support::CountedIds::new(2);
    let backup = evently_sqlite::SqliteStore::open(place.other("backup.db"), ids, &evently_sqlite::Options::default()).unwrap();
    assert!(backup.booking(booking_id(1)).await.unwrap().is_some());
    assert_eq!(backup.booking(booking_id(2)).await.unwrap(), None);
    assert_sound(&backup, event.id).await;
}

/// For SQLite some names are no files, and who writes there has no backup.
#[tokio::test]
async fn a_backup_is_a_file_whatever_it_is_called() {
    let place = Place::new();
    let store = place.open();
    // All others go by whole paths.
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(place.other("")).unwrap();
    let no_text = OsStr::from_bytes(b"caf\xe9.db");
    for name in [OsStr::new(":memory:"), OsStr::new("file:evently.db?mode=memory"), no_text] {
        store.backup_to(name).await.unwrap();
        assert!(place.other("").join(name).is_file(), "{}", name.display());
    }
    assert!(store.backup_to("").await.is_err(), "that is no name");
    std::env::set_current_dir(before).unwrap();
}

const CHILD: &str = "EVENTLY_TEST_HOLDS_UNTIL_KILLED";
const SEATS: u32 = 10_000;

/// The test starts itself a second time, in a process that is killed while it holds one seat after another.
#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_has_answered() {
    if env::var_os(CHILD).is_some() {
        return hold_until_killed().await;
    }
    let place = Place::new();
    let event = put_on_sale(&place.open(), SEATS).await;
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "durable::a_killed_process_loses_nothing_that_it_has_answered", "--nocapture"])
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answered = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("held ").and_then(|n| n.parse::<u32>().ok()));
    let enough = answered.by_ref().take(200).last();
    child.kill().unwrap();
    child.wait().unwrap();
    let last = answered.last().or(enough).expect("it has held something");
    assert!(last >= 199);

    let store = place.open();
    for n in 0..=last {
        let booking = store.booking(booking_id(n.into())).await.unwrap();
        assert!(booking.is_some(), "hold {n} of {last} was answered");
    }
    assert_sound(&store, event.id).await;
}

async fn hold_until_killed() {
    use evently_sqlite::{Options, SqliteStore};
    let ids = crate::support::CountedIds::new(2);
    let store = SqliteStore::open(env::var_os(CHILD).unwrap(), ids, &Options::default()).unwrap();
    let event = crate::support::event(&layout(SEATS));
    for n in 0..SEATS {
        let held = apply(&store, NOW, hold(&event, n.into(), &[n])).await;
        assert!(matches!(held, Ok(Outcome::Booking(_))), "{held:?}");
        println!("held {n}");
    }
}

/// What marks one run of the write-ahead log from the next: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
fn salt(place: &Place) -> Vec<u8> {
    std::fs::read(place.other("evently.db-wal")).unwrap()[16..24].to_vec()
}

#[tokio::test]
async fn the_log_begins_anew_while_it_is_written() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0])).await.unwrap();
    let first = salt(&place);
    // Far too little for the engine to do it on its own.
    for n in 2..4000 {
        apply(&store, NOW, hold(&event, n, &[u32::try_from(n % 10).unwrap()])).await.ok();
        if salt(&place) != first {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("the log has never begun anew");
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let place = Place::new();
    let store = place.open();
    put_on_sale(&store, 10).await;
    assert!(place.other("evently.db-wal").exists());
    drop(store);
    assert!(!place.other("evently.db-wal").exists(), "whoever copies the file has everything");
}
