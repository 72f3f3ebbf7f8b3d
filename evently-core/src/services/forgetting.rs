//! Forgets what is cached of events that have changed, whoever has changed them.

use std::sync::Arc;

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
}

impl Forgetting {
    /// Before what `next` carries.
    pub const fn before(next: Arc<dyn Carrier>, events: Arc<EventService>) -> Self {
        Self { events, next }
    }
}

#[async_trait]
impl Carrier for Forgetting {
    fn at_once(&self) -> usize {
        self.next.at_once()
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        let changed = entries.iter().filter(|entry| matches!(entry.transition.fact, Fact::Event { .. }));
        for entry in changed {
            self.events.forget(entry.transition.event_id).await;
        }
        self.next.carry(entries).await
    }
}
