//! What the service stands on: a database of its own for each test, and a Redis beside it.

use evently_testservers::{Database, fresh_database, fresh_redis_database};

pub struct Store {
    database: Database,
    redis: String,
}

pub fn store() -> Store {
    Store { database: fresh_database().unwrap(), redis: fresh_redis_database().unwrap() }
}

/// Few connections, because many tests share the server, which a busy machine may keep from answering for some seconds.
pub fn settings(store: &Store) -> [(&'static str, &str); 4] {
    [("store.url", store.database.url()), ("store.connections", "4"), ("store.patience", "8s"), ("redis.url", &store.redis)]
}
