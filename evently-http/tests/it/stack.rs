//! What the service stands on: the store in the data folder.

/// Goes with the folder.
pub struct Store;

pub const fn store() -> Store {
    Store
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "other stacks have a store that is more than a name")]
pub const fn settings(_store: &Store) -> [(&'static str, &'static str); 0] {
    []
}
