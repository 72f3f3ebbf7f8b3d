use std::sync::Arc;

use super::{Accounts, Audit, Bookings, Catalog, Chores, Figures, Inbox, Outbox, Sessions};

/// All ports of one store.
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
    pub fn new<S>(store: Arc<S>) -> Self
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
            audit: store,
        }
    }
}
