//! Which files are opened, and what is said of those that are not.

use std::{fs, sync::mpsc, thread, time::Duration};

use evently_core::ports::Chores as _;
use evently_sqlite::{OpenError, Options, SqliteStore};

use crate::support::{CountedIds, Place, assert_sound, put_on_sale};

fn open(path: impl AsRef<std::path::Path>) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, CountedIds::new(1), &Options::default())
}

fn refusal(path: impl AsRef<std::path::Path>) -> OpenError {
    open(path).err().expect("it should be refused")
}

#[tokio::test]
async fn a_new_file_is_made_and_opens_again() {
    let place = Place::new();
    drop(place.open());
    let store = place.open();
    let event = put_on_sale(&store, 4).await;
    assert_sound(&store, event.id).await;
}

#[test]
fn an_empty_file_is_as_good_as_none() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    assert!(open(place.path()).is_ok());
}

#[test]
fn a_path_named_like_a_database_in_memory_is_a_file() {
    let place = Place::new();
    drop(open(place.other(":memory:")).unwrap());
    assert!(place.other(":memory:").is_file());
}

/// Nobody could read, and whoever wanted to would wait for ever.
#[tokio::test]
async fn there_is_always_somebody_to_read() {
    let place = Place::new();
    let store = place.open_with(1, &Options { readers: 0, ..Options::default() });
    let read = tokio::time::timeout(Duration::from_mins(1), store.pending_total()).await;
    assert_eq!(read.expect("somebody reads").unwrap(), 0);
}

#[test]
fn a_missing_directory_is_named() {
    let place = Place::new();
    let error = refusal(place.other("missing").join("evently.db"));
    assert!(matches!(&error, OpenError::NoDirectory(directory) if directory.ends_with("missing")), "{error:?}");
    assert!(error.to_string().contains("create it"), "{error}");
}

#[test]
fn a_directory_is_no_store() {
    let place = Place::new();
    assert!(matches!(refusal(place.path().parent().unwrap()), OpenError::NotAFile(_)));
    assert!(matches!(refusal(""), OpenError::NotAFile(_)));
}

#[test]
fn a_read_only_file_is_refused() {
    let place = Place::new();
    drop(place.open());
    let mut permissions = fs::metadata(place.path()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(place.path(), permissions).unwrap();
    assert!(matches!(refusal(place.path()), OpenError::ReadOnly(_)));
}

#[test]
fn a_read_only_directory_is_refused() {
    let place = Place::new();
    let directory = place.other("directory");
    fs::create_dir(&directory).unwrap();
    let mut permissions = fs::metadata(&directory).unwrap().permissions();
    let writable = permissions.clone();
    permissions.set_readonly(true);
    fs::set_permissions(&directory, permissions).unwrap();
    assert!(matches!(refusal(directory.join("evently.db")), OpenError::ReadOnly(_)));
    fs::set_permissions(&directory, writable).unwrap();
}

#[test]
fn a_text_is_no_store_and_stays_as_it_is() {
    let place = Place::new();
    let text = "seats,prices\n".repeat(1000);
    fs::write(place.path(), &text).unwrap();
    assert!(matches!(refusal(place.path()), OpenError::NotSqlite(_)));
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    place.tool().execute_batch("create table notes (text)").unwrap();
    let before = fs::read(place.path()).unwrap();
    assert!(matches!(refusal(place.path()), OpenError::NotOurs(_)));
    assert_eq!(fs::read(place.path()).unwrap(), before);

    place.tool().execute_batch("drop table notes; pragma application_id = 7").unwrap();
    assert!(matches!(refusal(place.path()), OpenError::NotOurs(_)));
}

#[test]
fn a_file_from_the_future_is_refused_with_a_way_out() {
    let place = Place::new();
    drop(place.open());
    place.tool().execute_batch("pragma user_version = 1000").unwrap();
    let error = refusal(place.path());
    assert!(matches!(error, OpenError::Newer { found: 1000, .. }), "{error:?}");
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[test]
fn a_damaged_file_is_refused() {
    let place = Place::new();
    drop(place.open());
    let mut bytes = fs::read(place.path()).unwrap();
    bytes[100..4096].fill(0x5a);
    fs::write(place.path(), bytes).unwrap();
    assert!(matches!(refusal(place.path()), OpenError::Damaged { .. }));
}

#[test]
fn a_file_that_another_process_keeps_to_itself_is_in_use() {
    let place = Place::new();
    drop(place.open());
    let tool = place.tool();
    tool.execute_batch("pragma locking_mode = exclusive; begin immediate").unwrap();
    let options = Options { busy_timeout: Duration::from_millis(20), ..Options::default() };
    let error = SqliteStore::open(place.path(), CountedIds::new(1), &options).err();
    assert!(matches!(error, Some(OpenError::InUse(_))), "{error:?}");
}

/// It has no write-ahead log yet, and does not get one while somebody is about to write.
#[test]
fn a_new_file_that_another_process_keeps_to_itself_is_in_use() {
    let place = Place::new();
    let tool = place.tool();
    tool.execute_batch("begin immediate").unwrap();
    let (path, options) = (place.path(), Options { busy_timeout: Duration::from_millis(20), ..Options::default() });
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(SqliteStore::open(path, CountedIds::new(1), &options).err()));
    let error = told.recv_timeout(Duration::from_mins(1)).expect("it is given up");
    assert!(matches!(error, Some(OpenError::InUse(_))), "{error:?}");
}

#[test]
fn many_may_make_the_same_file_at_the_same_time() {
    let place = Place::new();
    std::thread::scope(|scope| {
        let all = (0..8).map(|_| scope.spawn(|| open(place.path()).map(drop))).collect::<Vec<_>>();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
}
