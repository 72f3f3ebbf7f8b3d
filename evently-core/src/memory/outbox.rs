use async_trait::async_trait;
use uuid::Uuid;

use super::{MemoryStore, store::ConsumerRow};
use crate::{
    domain::Entry,
    ports::{Begun, Claim, Inbox, Outbox, StoreError, Taken},
};

#[async_trait]
impl Outbox for MemoryStore {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let state = self.state();
        let end = (state.journal.len() as u64).min(position.saturating_add(u64::from(limit)));
        Ok((position + 1..=end).map(|position| state.entry(position)).collect())
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        Ok(self.state().consumers.get(consumer).map_or(0, |row| row.position))
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        let mut state = self.state();
        let row = state.consumers.entry(consumer.to_owned()).or_default();
        if row.claim.is_some_and(|(owner, until)| owner != claim.owner && claim.is_barred_until(until)) {
            return Ok(None);
        }
        row.claim = Some((claim.owner, claim.until));
        Ok(Some(row.position))
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(row) = state.consumers.get_mut(consumer) else { return Ok(false) };
        if row.claim.is_none_or(|(owner, _)| owner != claim.owner) {
            return Ok(false);
        }
        *row = ConsumerRow { position: position.max(row.position), claim: Some((claim.owner, claim.until)) };
        Ok(true)
    }
}

#[async_trait]
impl Inbox for MemoryStore {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        let ours = Begun { owner: claim.owner, until: claim.until, done: false };
        let mut state = self.state();
        let key = (consumer.to_owned(), message);
        let taken = Taken::by(claim, state.inbox.get(&key));
        if taken.is_ours() {
            state.inbox.insert(key, ours);
        }
        Ok(taken)
    }

    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError> {
        let mut state = self.state();
        let row = state.inbox.get_mut(&(consumer.to_owned(), message)).filter(|row| row.owner == owner);
        Ok(row.map(|row| row.done = true).is_some())
    }

    async fn let_go(&self, consumer: &str, message: u64, owner: Uuid) -> Result<(), StoreError> {
        let key = (consumer.to_owned(), message);
        let mut state = self.state();
        if state.inbox.get(&key).is_some_and(|row| row.owner == owner && !row.done) {
            state.inbox.remove(&key);
        }
        Ok(())
    }
}
