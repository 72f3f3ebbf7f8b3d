//! What is tested: a store in the place where it keeps what it keeps.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    memory::MemoryStore,
    ports::{Ids, Store},
};

/// Where a store keeps what it keeps: a temporary directory, a schema of a server, nothing at all. It takes everything with it when it
/// is dropped.
#[async_trait]
pub trait StorePlace: Send + Sync {
    /// Opens the store that is kept here: empty the first time, and later with what was left in it. It may be opened while it is open, as
    /// by another process. A store makes ids and codes of its own with `ids`.
    async fn open(&self, ids: Arc<dyn Ids>) -> Store;
}

#[async_trait]
impl<P: StorePlace> StorePlace for Arc<P> {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        P::open(self, ids).await
    }
}

/// Where the store in memory keeps what it keeps: nowhere, so that it is empty each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryPlace;

#[async_trait]
impl StorePlace for MemoryPlace {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        Store::new(Arc::new(MemoryStore::new(ids)))
    }
}
