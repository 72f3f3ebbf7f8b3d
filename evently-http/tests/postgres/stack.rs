//! What the service stands on: a database of its own for each test, and a Redis beside it.

use evently_testservers::{Database, fresh_database, fresh_redis_database};

pub struct Store {
    database: Database,
    redis: String,
}

pub fn store() -> Store {
    Store { database: fresh_database().unwrap(), redis: fresh_redis_database().unwrap() }
}

/// Few connections, because many tests share the server.
pub fn settings(store: &Store) -> [(&'static str, &str); 3] {
    [("store.url", store.database.url()), ("store.connections", "4"), ("redis.url", &store.redis)]
}
