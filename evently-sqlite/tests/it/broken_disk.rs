//! A disk that fails while it is told to keep something.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use evently_core::ports::{Bookings, StoreErrorKind};
use evently_sqlite::SqliteStore;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};

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

/// The disk is told by everybody once in vain to keep what was written to this file.
fn once_in_vain(file: &Path) -> Child {
    let me = std::process::id().to_string();
    let calls = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=1"];
    let strace = Command::new("strace").args(["-f", "-p", &me, "-P"]).arg(file).args(calls).stderr(Stdio::piped()).spawn();
    let mut strace = strace.unwrap_or_else(|error| panic!("strace cannot be run, which is in the package strace: {error}"));
    let mut lines = BufReader::new(strace.stderr.take().unwrap()).lines().map_while(Result::ok);
    let attached = lines.by_ref().inspect(|line| println!("{line}")).any(|line| line.contains(" attached"));
    assert!(attached, "strace may not look into processes, which takes root, or that the machine allows it");
    // Whoever writes to a pipe that nobody reads is ended.
    thread::spawn(move || lines.for_each(drop));
    strace
}

/// Whoever looks what has become of it is told what stays true.
#[tokio::test]
async fn nothing_is_left_of_a_commit_in_doubt_when_whoever_asked_for_it_is_told() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    let mut strace = once_in_vain(&place.other(LOG));
    assert_eq!(store.apply(NOW, &[hold(&event, 1, &[0])]).await.unwrap_err().kind(), StoreErrorKind::InDoubt);
    assert_eq!(store.booking(booking_id(1)).await.unwrap(), None);
    let (_found, found) = after_a_crash(&place);
    assert_eq!(found.booking(booking_id(1)).await.unwrap(), None, "what has been read stays true");

    // It lets go of us when it is told to stop.
    kill_process(Pid::from_child(&strace), Signal::TERM).unwrap();
    strace.wait().unwrap();
    apply(&store, NOW, hold(&event, 1, &[0])).await.unwrap();
    assert_sound(&store, event.id).await;
}
