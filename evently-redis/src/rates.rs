//! Token buckets that all instances share.

use std::{
    mem,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::Timestamp,
    ports::{RateLimit, RateLimits},
    rate::{LocalRateLimits, Verdict},
};
use futures_util::future::join_all;
use redis::Script;
use tokio::sync::oneshot;

use crate::{keys, link::Redis};

static TAKE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("scripts/read_all.lua"), include_str!("scripts/take.lua"))));
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/give_back.lua")));

/// Limits for all instances together. While Redis is away each instance counts for itself, beginning with full buckets.
///
/// The time is that of whoever asks, to the millisecond; instances whose clocks differ are as generous as the one that is ahead, and no
/// more. A bucket is the key `evently:rate:{name:key}`.
pub struct RedisRateLimits {
    redis: Redis,
}

impl RedisRateLimits {
    /// Limits over this connection.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }
}

impl RateLimits for RedisRateLimits {
    fn limit(&self, name: &'static str, permits: u32, per: Duration) -> Arc<dyn RateLimit> {
        // Their product, and the time, are exact as doubles.
        let (permits, per_ms) = (permits.clamp(1, 1 << 20), u64::try_from(per.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 32));
        let buckets = Buckets { redis: self.redis.clone(), name, permits, per_ms, waiting: Mutex::default() };
        Arc::new(Shared { buckets: Arc::new(buckets), local: LocalRateLimits.limit(name, permits, per) })
    }
}

struct Shared {
    buckets: Arc<Buckets>,
    /// For when Redis is away.
    local: Arc<dyn RateLimit>,
}

/// Buckets in Redis. Those who ask at the same time share a journey.
struct Buckets {
    redis: Redis,
    name: &'static str,
    permits: u32,
    per_ms: u64,
    waiting: Mutex<Vec<Waiting>>,
}

/// Somebody who has asked.
struct Waiting {
    bucket: String,
    now_ms: i64,
    told: oneshot::Sender<Taken>,
}

/// Whether they may, and how many parts are left.
type Taken = (bool, u64);

/// Somebody is to ask for all who wait. If they are not let to, with a runtime that ends for instance, those who wait are let go.
struct Turn(Option<Arc<Buckets>>);

impl Turn {
    async fn ask_for_all(mut self) {
        // Whoever can ask as well does so first.
        tokio::task::yield_now().await;
        let Some(buckets) = self.0.take() else { return };
        let mut waiting = buckets.take_waiting().into_iter().peekable();
        let together = if buckets.redis.keeps_all_together() { usize::MAX } else { 1 };
        let mut calls = Vec::new();
        while waiting.peek().is_some() {
            calls.push(buckets.ask_for(waiting.by_ref().take(together).collect()));
        }
        join_all(calls).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.0.take().map(|buckets| buckets.take_waiting()));
    }
}

impl Buckets {
    /// What Redis says, if it is there.
    async fn take(self: &Arc<Self>, key: &str, now: Timestamp) -> Option<Taken> {
        let (told, answer) = oneshot::channel();
        let now_ms = now.as_micros().div_euclid(1000).max(0);
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Waiting { bucket: self.bucket(key), now_ms, told });
            waiting.len() == 1
        };
        if is_first {
            // On its own, because whoever asked first may leave before the others have been answered.
            let turn = Turn(Some(Arc::clone(self)));
            tokio::spawn(turn.ask_for_all());
        }
        answer.await.ok()
    }

    fn take_waiting(&self) -> Vec<Waiting> {
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whoever is told nothing counts for themselves.
    async fn ask_for(&self, some: Vec<Waiting>) {
        let mut script = TAKE.prepare_invoke();
        script.arg(self.permits).arg(self.per_ms);
        for one in &some {
            script.key(&one.bucket).arg(one.now_ms);
        }
        let Ok(answers) = self.redis.script::<Vec<Taken>>("take", &script).await else { return };
        for (one, taken) in some.into_iter().zip(answers) {
            // They may have left.
            let _ = one.told.send(taken);
        }
    }

    fn bucket(&self, key: &str) -> String {
        self.redis.key(keys::rate(self.name, key))
    }
}

#[async_trait]
impl RateLimit for Shared {
    async fn take(&self, key: &str, now: Timestamp) -> Verdict {
        let Buckets { permits, per_ms, .. } = *self.buckets;
        match self.buckets.take(key, now).await {
            Some((allowed, parts)) => Verdict::of_parts(allowed, parts, permits, per_ms, Duration::from_millis),
            None => self.local.take(key, now).await,
        }
    }

    async fn give_back(&self, key: &str) {
        let mut script = GIVE_BACK.prepare_invoke();
        let Buckets { permits, per_ms, .. } = *self.buckets;
        script.key(self.buckets.bucket(key)).arg(per_ms).arg(u64::from(permits) * per_ms);
        if self.buckets.redis.script::<()>("give_back", &script).await.is_err() {
            self.local.give_back(key).await;
        }
    }
}
