//! What the service stands on: the store in the data folder.

/// Goes with the folder.
pub struct Store;

pub const fn store() -> Store {
    Store
}

pub const fn settings(_store: &Store) -> [(&'static str, &'static str); 0] {
    []
}
