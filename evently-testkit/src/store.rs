//! What is tested: a store, and the place where it keeps what it keeps.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    memory::MemoryStore,
    ports::{Accounts, Audit, Bookings, Catalog, Chores, Figures, Ids, Inbox, Outbox, Sessions},
};

/// All store ports of one store.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its name")]
pub struct Store {
    pub bookings: Arc<dyn Bookings>,
    pub chores: Arc<dyn Chores>,
    pub catalog: Arc<dyn Catalog>,
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub outbox: Arc<dyn Outbox>,
    pub inbox: Arc<dyn Inbox>,
    pub figures: Arc<dyn Figures>,
    pub audit: Arc<dyn Audit>,
}

impl Store {
    /// The ports of a store that implements all of them.
    pub fn new<S>(store: &Arc<S>) -> Self
    where
        S: Bookings + Chores + Catalog + Accounts + Sessions + Outbox + Inbox + Figures + Audit + 'static,
    {
        Self {
            bookings: store.clone(),
            chores: store.clone(),
            catalog: store.clone(),
            accounts: store.clone(),
            sessions: store.clone(),
            outbox: store.clone(),
            inbox: store.clone(),
            figures: store.clone(),
            audit: store.clone(),
        }
    }
}

/// Where a store keeps what it keeps: a temporary directory, a schema of a server, nothing at all. It takes everything with it when it
/// is dropped.
#[async_trait]
pub trait StorePlace: Send + Sync {
    /// Opens the store that is kept here: empty the first time, and later with what was left in it. It may be opened while it is open, as
    /// by another process. A store makes ids and codes of its own with `ids`.
    async fn open(&self, ids: Arc<dyn Ids>) -> Store;
}

/// Where the store in memory keeps what it keeps: nowhere, so that it is empty each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryPlace;

#[async_trait]
impl StorePlace for MemoryPlace {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        Store::new(&Arc::new(MemoryStore::new(ids)))
    }
}
