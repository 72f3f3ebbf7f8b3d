//! What the service stands on: a database of its own for each test.

use evently_testservers::{Database, fresh_database};

pub type Store = Database;

pub fn store() -> Store {
    fresh_database().unwrap()
}

/// Few connections, because many tests share the server.
pub fn settings(store: &Store) -> [(&'static str, &str); 2] {
    [("store.url", store.url()), ("store.connections", "4")]
}
