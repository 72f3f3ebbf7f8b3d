//! A cache that all instances share.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::ports::{Cache, CacheKey, Forgotten, LEASE_LASTS, Lease, Look};
use futures_util::future::join_all;
use redis::Script;
use rustc_hash::FxHashMap;
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    keys,
    link::Redis,
    listener::{Heard, Listener},
};

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/cache_look.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/cache_fill.lua")));
static FORGET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/cache_forget.lua")));

/// How many forgotten keys a listener may fall behind.
const LAG: usize = 4096;
/// No value is kept for longer, so that a key that could not be forgotten is gone by itself then.
const KEPT_MOST: Duration = Duration::from_hours(1);
/// How many keys that could not be forgotten are remembered. Beyond that all are missing for as long as one could be there.
const PENDING_MOST: usize = 100_000;

/// Values in Redis. While it is away all are missing.
///
/// A value is the key `evently:cache:{name:id}`, and `V` with what was put in, or `L` with a lease. What is forgotten is told on the
/// channel `evently:cache`.
pub struct RedisCache {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    channel: String,
    told: broadcast::Sender<Forgotten>,
    leases: AtomicU64,
    pending: Mutex<Pending>,
    /// Whether we are told what others forget.
    listening: watch::Sender<bool>,
}

/// What could not be forgotten yet.
#[derive(Default)]
struct Pending {
    /// The keys, and until when there may be something under them.
    keys: FxHashMap<CacheKey, Instant>,
    /// Until then there may be something under any key.
    all: Option<Instant>,
}

impl RedisCache {
    /// A cache over this connection, on the runtime that this is called on.
    pub fn new(redis: Redis) -> Self {
        let inner = Arc::new(Inner {
            channel: redis.key(keys::CACHE),
            redis,
            told: broadcast::Sender::new(LAG),
            // Two processes do not give the same lease.
            leases: AtomicU64::new(RandomState::new().build_hasher().finish()),
            pending: Mutex::default(),
            listening: watch::Sender::new(false),
        });
        tokio::spawn(keep(Arc::downgrade(&inner)));
        Self { inner }
    }

    /// Waits until the cache is told what other instances forget; false if it was not within `patience`.
    pub async fn wait_until_listening(&self, patience: Duration) -> bool {
        timeout(patience, self.inner.listening.subscribe().wait_for(|listening| *listening)).await.is_ok()
    }
}

impl Inner {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, forgotten: Forgotten) {
        // Nobody may be listening.
        let _ = self.told.send(forgotten);
    }

    /// Whether it was forgotten.
    async fn forget(&self, key: &CacheKey) -> bool {
        let mut script = FORGET.prepare_invoke();
        script.key(self.redis.key(keys::cached(key))).arg(&self.channel).arg(key.as_str());
        self.redis.script::<()>("cache_forget", &script).await.is_ok()
    }

    /// Forgets what could not be forgotten before.
    async fn try_again(&self) {
        let keys = self.pending().left();
        for (key, until) in keys {
            if !self.forget(&key).await {
                return;
            }
            self.pending().settle(&key, until);
        }
    }
}

impl Pending {
    fn add(&mut self, key: CacheKey) {
        let until = Instant::now() + KEPT_MOST;
        if self.keys.len() < PENDING_MOST {
            self.keys.insert(key, until);
        } else {
            self.all = Some(until);
        }
    }

    fn has(&self, key: &CacheKey) -> bool {
        self.keys.contains_key(key) || self.all.is_some_and(|until| Instant::now() < until)
    }

    /// Takes out what was forgotten, unless somebody has failed to forget it anew meanwhile.
    fn settle(&mut self, key: &CacheKey, until: Instant) {
        if self.keys.get(key) == Some(&until) {
            self.keys.remove(key);
        }
    }

    /// The keys under which there may be something still, and until when.
    fn left(&mut self) -> Vec<(CacheKey, Instant)> {
        let now = Instant::now();
        self.all = self.all.filter(|until| now < *until);
        self.keys.retain(|_, until| now < *until);
        self.keys.iter().map(|(key, until)| (key.clone(), *until)).collect()
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn look(&self, key: &CacheKey) -> Look {
        if self.inner.pending().has(key) {
            return Look::Miss(None);
        }
        let lease = self.inner.leases.fetch_add(1, Relaxed);
        let mut script = LOOK.prepare_invoke();
        script.key(self.inner.redis.key(keys::cached(key))).arg(lease).arg(millis(LEASE_LASTS));
        match self.inner.redis.script::<Vec<u8>>("cache_look", &script).await {
            Ok(kept) => read(kept),
            Err(_) => Look::Miss(None),
        }
    }

    async fn fill(&self, key: &CacheKey, Lease(lease): Lease, value: &[u8], ttl: Duration) {
        let mut script = FILL.prepare_invoke();
        script.key(self.inner.redis.key(keys::cached(key))).arg(lease).arg(value).arg(millis(ttl.min(KEPT_MOST)).max(1));
        // Without it the value is missing, and no more than that.
        _ = self.inner.redis.script::<()>("cache_fill", &script).await;
    }

    async fn forget(&self, keys: &[CacheKey]) {
        let forgotten = join_all(keys.iter().map(|key| self.inner.forget(key))).await;
        for (key, _) in keys.iter().zip(forgotten).filter(|(_, forgotten)| !forgotten) {
            self.inner.pending().add(key.clone());
        }
    }

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.inner.told.subscribe()
    }
}

/// What is kept, as the scripts write it. What is written otherwise is a value that nobody can read.
pub(crate) fn read(mut kept: Vec<u8>) -> Look {
    let lease = || std::str::from_utf8(kept.strip_prefix(b"L")?).ok()?.parse().ok();
    if let Some(lease) = lease() {
        return Look::Miss(Some(Lease(lease)));
    }
    if kept.starts_with(b"V") {
        kept.remove(0);
    }
    Look::Hit(kept)
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Listens, and tries again, for as long as the cache is there.
async fn keep(cache: Weak<Inner>) {
    loop {
        let Some(inner) = cache.upgrade() else { return };
        let probe = inner.redis.probe();
        inner.try_again().await;
        if let Ok(listener) = inner.redis.listen(&inner.channel).await {
            // Something may have been said in between.
            inner.tell(Forgotten::Everything);
            inner.listening.send_replace(true);
            drop(inner);
            listen(&cache, listener).await;
            if let Some(inner) = cache.upgrade() {
                inner.listening.send_replace(false);
            }
        } else {
            drop(inner);
        }
        sleep(probe).await;
    }
}

async fn listen(cache: &Weak<Inner>, mut listener: Listener) {
    while let Some(heard) = listener.next().await {
        let Some(inner) = cache.upgrade() else { return };
        match heard {
            Heard::Message(_, text) => {
                if let Some(key) = CacheKey::parse(&text) {
                    inner.tell(Forgotten::Key(key));
                }
            }
            Heard::Nothing => inner.try_again().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However soon the server is back: what it has kept from before the change may be there until then.
    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_forgotten_is_missing_for_as_long_as_it_may_be_there() {
        const INSTANT: Duration = Duration::from_millis(1);
        let mut pending = Pending::default();
        let key = CacheKey::new("test", 1);
        pending.add(key.clone());
        tokio::time::advance(KEPT_MOST.saturating_sub(INSTANT)).await;
        assert_eq!(pending.left().iter().map(|(key, _)| key).collect::<Vec<_>>(), [&key]);
        assert!(pending.has(&key));
        tokio::time::advance(INSTANT).await;
        assert!(pending.left().is_empty() && !pending.has(&key), "by now it is gone by itself");
    }

    /// It was kept anew in between.
    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_forgotten_again_meanwhile_is_still_to_be_forgotten() {
        let mut pending = Pending::default();
        let key = CacheKey::new("test", 1);
        pending.add(key.clone());
        let [(_, before)] = <[_; 1]>::try_from(pending.left()).unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
        pending.add(key.clone());
        pending.settle(&key, before);
        assert!(pending.has(&key));
        let [(_, now)] = <[_; 1]>::try_from(pending.left()).unwrap();
        pending.settle(&key, now);
        assert!(!pending.has(&key));
    }

    /// A change that could not be told to the server, after so many others that it is not remembered by itself.
    #[tokio::test(start_paused = true)]
    async fn where_more_could_not_be_forgotten_than_is_remembered_all_are_missing_until_nothing_is_left() {
        let mut pending = Pending::default();
        let key = |number: usize| CacheKey::new("test", number);
        for number in 0..PENDING_MOST {
            pending.add(key(number));
        }
        let (last, other) = (key(PENDING_MOST), key(PENDING_MOST + 1));
        assert!(pending.has(&key(0)) && !pending.has(&last), "as many as are remembered");
        pending.add(last.clone());
        assert_eq!(pending.left().len(), PENDING_MOST);
        for (key, until) in pending.left() {
            pending.settle(&key, until);
        }
        assert!(
            pending.has(&last) && pending.has(&other),
            "those that were remembered have been forgotten since, and this one not"
        );
        tokio::time::advance(KEPT_MOST).await;
        assert!(!pending.has(&last) && !pending.has(&other), "by now there is nothing left under any key");
    }
}
