//! Forgets what is cached of events that have changed, whoever has changed them.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::EventService;
use crate::{
    domain::{Entry, Fact},
    ports::{Carrier, NotCarried},
};

/// Lets all instances forget the events that the journal says have changed, before it hands the entries on. Whoever changes an event does
/// that too, and at once; but may be killed in between, and other programs write to the store that share no cache.
pub struct Forgetting {
    events: Arc<EventService>,
    next: Arc<dyn Carrier>,
    /// Entries whose events were forgotten, and that were not carried: they come again with each try. They are known by all that they say: a
    /// failover may have put others in their positions.
    waiting: Mutex<Vec<Entry>>,
}

impl Forgetting {
    /// Before what `next` carries.
    pub const fn before(next: Arc<dyn Carrier>, events: Arc<EventService>) -> Self {
        Self { events, next, waiting: Mutex::new(Vec::new()) }
    }
}

#[async_trait]
impl Carrier for Forgetting {
    fn at_once(&self) -> usize {
        self.next.at_once()
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        let forgotten = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let changed = |entries: &[Entry]| {
            let changed = entries.iter().filter(|entry| matches!(entry.transition.fact, Fact::Event { .. }));
            changed.cloned().collect::<Vec<_>>()
        };
        for entry in changed(entries) {
            let before = forgotten.binary_search_by_key(&entry.position, |entry| entry.position);
            if before.is_ok_and(|at| forgotten[at] == entry) {
                continue;
            }
            self.events.forget(entry.transition.event_id).await;
        }
        let carried = self.next.carry(entries).await;
        if let Err(error) = &carried {
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = changed(&entries[error.taken..]);
        }
        carried
    }
}
