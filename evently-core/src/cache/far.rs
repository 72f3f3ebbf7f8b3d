//! Values where all instances find them.

use std::{
    fmt::Display,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::broadcast::{self, error::TryRecvError};

use super::{
    Shared,
    counts::{Counts, one_more},
    spread,
};
use crate::ports::{CacheKey, Clock, Forgotten, Lease, Look};

/// Values where all instances find them; without such a place each one is loaded.
///
/// Every value is sealed for its key and its time with a secret that only the instances have. Whatever cannot be opened is none: garbage,
/// what somebody forged, what another version of Evently has written.
pub struct Far<T> {
    shared: Option<Shared>,
    clock: Arc<dyn Clock>,
    name: &'static str,
    ttl: Duration,
    counts: Arc<Counts>,
    of: PhantomData<fn() -> T>,
}

impl<T> Far<T> {
    pub(super) const fn new(
        shared: Option<Shared>,
        clock: Arc<dyn Clock>,
        name: &'static str,
        ttl: Duration,
        counts: Arc<Counts>,
    ) -> Self {
        Self { shared, clock, name, ttl, counts, of: PhantomData }
    }

    /// Forgets a value everywhere. To be called when what it was loaded from has changed.
    pub async fn forget(&self, id: impl Display + Send + Sync) {
        self.forget_each(&[id]).await;
    }

    /// The same for several.
    pub async fn forget_each(&self, ids: &[impl Display + Sync]) {
        let Some(shared) = &self.shared else { return };
        let keys = ids.iter().map(|id| CacheKey::new(self.name, id)).collect::<Vec<_>>();
        if !keys.is_empty() {
            shared.cache.forget(&keys).await;
        }
    }
}

impl<T: Serialize + DeserializeOwned + Sync> Far<T> {
    /// A value; where there is none it is loaded.
    pub async fn get<E, F>(&self, id: impl Display + Send, load: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let Some(shared) = &self.shared else { return load().await };
        let key = CacheKey::new(self.name, id);
        let lease = match shared.cache.look(&key).await {
            Look::Hit(sealed) => match self.open(shared, &key, &sealed) {
                Some(value) => {
                    one_more(&self.counts.hits);
                    return Ok(value);
                }
                None => self.make_room(shared, &key).await,
            },
            Look::Miss(lease) => lease,
        };
        one_more(&self.counts.misses);
        one_more(&self.counts.loads);
        let value = load().await?;
        if let Some(lease) = lease {
            self.fill(shared, &key, lease, &value).await;
        }
        Ok(value)
    }

    fn open(&self, shared: &Shared, key: &CacheKey, sealed: &[u8]) -> Option<T> {
        let value = shared.seal.open(key, self.clock.now(), sealed)?;
        serde_json::from_slice(value).ok()
    }

    /// What cannot be opened gives way.
    async fn make_room(&self, shared: &Shared, key: &CacheKey) -> Option<Lease> {
        one_more(&self.counts.unreadable);
        tracing::debug!(cache = self.name, "a cached value is none of ours; it gives way");
        shared.cache.forget(std::slice::from_ref(key)).await;
        match shared.cache.look(key).await {
            Look::Hit(_) => None,
            Look::Miss(lease) => lease,
        }
    }

    async fn fill(&self, shared: &Shared, key: &CacheKey, lease: Lease, value: &T) {
        let ttl = spread(self.ttl, key);
        let json = serde_json::to_vec(value).expect("what is cached can be written");
        let sealed = shared.seal.close(key, self.clock.now() + ttl, &json);
        shared.cache.fill(key, lease, &sealed, ttl).await;
    }
}

/// What is forgotten by anybody.
pub struct Told(Option<Mutex<broadcast::Receiver<Forgotten>>>);

impl Told {
    pub(super) fn new(receiver: Option<broadcast::Receiver<Forgotten>>) -> Self {
        Self(receiver.map(Mutex::new))
    }

    /// Does something for each thing that was forgotten since this was called last.
    pub fn each(&self, mut forget: impl FnMut(&Forgotten)) {
        let Some(receiver) = &self.0 else { return };
        let mut receiver = receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            match receiver.try_recv() {
                Ok(forgotten) => forget(&forgotten),
                // It does not say what it was.
                Err(TryRecvError::Lagged(_)) => forget(&Forgotten::Everything),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
