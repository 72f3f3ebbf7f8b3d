//! A disk that fails while it is told to keep something.

use std::{
    env,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    process::Command,
};

use evently_core::ports::{Bookings, StoreErrorKind};
use evently_sqlite::SqliteStore;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::support::{NOW, Place, apply, assert_sound, booking_id, hold, put_on_sale};

const CHILD: &str = "EVENTLY_TEST_BREAKS_ITS_DISK";

/// The test starts itself a second time: what plays the broken disk is a limit that counts for a whole process.
#[tokio::test]
async fn nothing_is_left_of_a_commit_in_doubt_once_anybody_is_answered() {
    if env::var_os(CHILD).is_some() {
        return commit_in_doubt().await;
    }
    // Without the trap whoever writes too much would be killed.
    let ended = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "broken_disk::nothing_is_left_of_a_commit_in_doubt_once_anybody_is_answered", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// How large files may become from now on.
fn files_may_have(bytes: Option<u64>) {
    setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

const LOG: &str = "evently.db-wal";

/// The store as it is found when the machine stops now.
fn after_a_crash(place: &Place) -> (Place, SqliteStore) {
    let found = Place::new();
    for name in ["evently.db", LOG] {
        fs::copy(place.other(name), found.other(name)).unwrap();
    }
    let store = found.open();
    (found, store)
}

async fn commit_in_doubt() {
    let place = Place::new();
    let store = place.open();
    let reader = place.tool();
    // Nothing is left in the file of the log, so that it ends where the log does.
    let busy = reader.query_one("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, bool>(0)).unwrap();
    assert!(!busy, "nobody else reads or writes");
    // As long as somebody reads something in the log, it is not begun anew.
    let version = reader.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).unwrap();
    reader.pragma_update(None, "user_version", version).unwrap();
    reader.execute_batch("begin; select count(*) from events").unwrap();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0])).await.unwrap();
    let batch = [hold(&event, 2, &[1]), hold(&event, 3, &[2])];
    let kept = fs::read(place.other(LOG)).unwrap().len();
    let whole = {
        let (twin, store) = after_a_crash(&place);
        store.apply(NOW, &batch).await.unwrap();
        fs::read(twin.other(LOG)).unwrap()
    };

    files_may_have(Some(kept as u64));
    assert_eq!(store.apply(NOW, &batch).await.unwrap_err().kind(), StoreErrorKind::InDoubt);
    let next = store.apply(NOW, &[hold(&event, 4, &[3])]).await.unwrap_err();
    assert_eq!(next.kind(), StoreErrorKind::Unavailable, "of this one nothing was written: {next:?}");
    files_may_have(None);

    // What the log holds where the disk took everything, and failed only when it was told to keep it.
    let log = OpenOptions::new().write(true).open(place.other(LOG)).unwrap();
    log.write_all_at(&whole[kept..], kept as u64).unwrap();
    let (_found, found) = after_a_crash(&place);
    assert!(found.booking(booking_id(2)).await.unwrap().is_some(), "a crash would make it committed");

    let replayed = store.apply(NOW, &[hold(&event, 1, &[0])]).await.unwrap();
    assert!(replayed.answers[0].replayed, "an answer for which nothing is written");
    let (_found, found) = after_a_crash(&place);
    assert_eq!(found.booking(booking_id(2)).await.unwrap(), None, "what has been read since stays true");
    assert!(found.booking(booking_id(1)).await.unwrap().is_some());

    let again = store.apply(NOW, &batch).await.unwrap();
    assert!(again.answers.iter().all(|answer| answer.result.is_ok() && !answer.replayed), "{again:?}");
    assert_sound(&store, event.id).await;
}
