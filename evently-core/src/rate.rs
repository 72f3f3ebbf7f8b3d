//! How often somebody may ask: a token bucket for each key.
//!
//! Memory is bounded whoever asks: keys live in two generations. When the newer one is full, or so old that every bucket in the
//! older one has filled up again, the older one is forgotten and the newer one takes its place.

use std::{collections::HashMap, hash::Hash, mem, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    domain::Timestamp,
    ports::{RateLimit, RateLimits},
    sync::{Mutex, lock},
};

/// Token buckets that all have the same size.
pub struct Buckets<K> {
    permits: u32,
    /// The time in which an empty bucket fills up, in microseconds; at least one.
    per: u64,
    /// Keys in each generation.
    keys_max: usize,
    generations: Mutex<Generations<K>>,
}

struct Generations<K> {
    began_at: Timestamp,
    newer: HashMap<K, Bucket>,
    older: HashMap<K, Bucket>,
}

/// What is left, counted so that nothing is ever rounded: `permits` parts come in each microsecond, and a request takes `per`.
#[derive(Clone, Copy)]
struct Bucket {
    parts: u64,
    at: Timestamp,
}

/// What is to be said to somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether they may.
    pub allowed: bool,
    /// How many requests a full bucket is good for.
    pub limit: u32,
    /// How many more they could make at once.
    pub remaining: u32,
    /// How long until the bucket is full again.
    pub reset: Duration,
    /// How long until they may again; zero where they may now.
    pub retry_after: Duration,
}

impl Verdict {
    /// What is to be said where `parts` are left in a bucket of which `permits` come in each unit of time, a request takes `per`, and
    /// `permits` times `per` fill it up; `units` is so many units of time.
    pub fn of_parts(allowed: bool, parts: u64, permits: u32, per: u64, units: impl Fn(u64) -> Duration) -> Self {
        let until = |wanted: u64| units(wanted.saturating_sub(parts).div_ceil(permits.into()));
        Self {
            allowed,
            limit: permits,
            remaining: u32::try_from(parts / per).unwrap_or(u32::MAX),
            reset: until(u64::from(permits) * per),
            retry_after: if allowed { Duration::ZERO } else { until(per) },
        }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets for `permits` requests in each `per`, for about `keys_max` keys at a time; none of them may be zero.
    pub fn new(permits: u32, per: Duration, keys_max: usize) -> Self {
        let per = u64::try_from(per.as_micros()).unwrap_or(u64::MAX);
        // Keeps every product below in 64 bits.
        let (permits, per) = (permits.clamp(1, 1 << 20), per.clamp(1, 1 << 40));
        let generations =
            Generations { began_at: Timestamp::from_micros(i64::MIN), newer: HashMap::new(), older: HashMap::new() };
        Self { permits, per, keys_max: keys_max.max(2) / 2, generations: Mutex::new(generations) }
    }

    /// Takes one request out of the bucket of `key`, if there is one left in it.
    pub fn take(&self, key: K, now: Timestamp) -> Verdict {
        let mut generations = lock(&self.generations);
        let full = Bucket { parts: u64::from(self.permits) * self.per, at: now };
        let known = generations.newer.get(&key).copied().or_else(|| generations.older.remove(&key));
        let mut bucket = known.map_or(full, |bucket| self.filled(bucket, now));
        let allowed = bucket.parts >= self.per;
        if allowed {
            bucket.parts -= self.per;
        }
        if !generations.newer.contains_key(&key) {
            generations.make_room(now, self.keys_max, Duration::from_micros(self.per));
        }
        generations.newer.insert(key, bucket);
        self.verdict(allowed, bucket.parts)
    }

    /// Puts a request back that was taken out, where it turns out not to count.
    pub fn give_back(&self, key: &K) {
        let mut generations = lock(&self.generations);
        let Generations { newer, older, .. } = &mut *generations;
        if let Some(bucket) = newer.get_mut(key).or_else(|| older.get_mut(key)) {
            bucket.parts = (bucket.parts + self.per).min(u64::from(self.permits) * self.per);
        }
    }

    /// How many keys are remembered.
    pub fn keys(&self) -> usize {
        let generations = lock(&self.generations);
        generations.newer.len() + generations.older.len()
    }

    fn filled(&self, bucket: Bucket, now: Timestamp) -> Bucket {
        let micros = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        let room = u64::from(self.permits) * self.per - bucket.parts;
        let parts = bucket.parts + micros.saturating_mul(self.permits.into()).min(room);
        Bucket { parts, at: bucket.at.max(now) }
    }

    fn verdict(&self, allowed: bool, parts: u64) -> Verdict {
        Verdict::of_parts(allowed, parts, self.permits, self.per, Duration::from_micros)
    }
}

impl<K: Hash + Eq> Generations<K> {
    fn make_room(&mut self, now: Timestamp, keys_max: usize, per: Duration) {
        if self.newer.len() >= keys_max || now >= self.began_at + per {
            self.older = mem::take(&mut self.newer);
            self.began_at = now;
        }
    }
}

/// Keys that are remembered for each limit; a few megabytes.
const KEYS_MAX: usize = 100_000;

/// Limits of this process alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalRateLimits;

impl RateLimits for LocalRateLimits {
    fn limit(&self, _: &'static str, permits: u32, per: Duration) -> Arc<dyn RateLimit> {
        Arc::new(Buckets::<String>::new(permits, per, KEYS_MAX))
    }
}

#[async_trait]
impl RateLimit for Buckets<String> {
    async fn take(&self, key: &str, now: Timestamp) -> Verdict {
        self.take(key.to_owned(), now)
    }

    async fn give_back(&self, key: &str) {
        self.give_back(&key.to_owned());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    fn ten_a_minute() -> Buckets<u32> {
        Buckets::new(10, MINUTE, 1000)
    }

    fn allowed(buckets: &Buckets<u32>, times: usize, now: Timestamp) -> usize {
        (0..times).filter(|_| buckets.take(7, now).allowed).count()
    }

    #[test]
    fn a_full_bucket_is_good_for_its_limit() {
        let buckets = ten_a_minute();
        assert_eq!(allowed(&buckets, 100, START), 10);
        let verdict = buckets.take(7, START);
        let six = Duration::from_secs(6);
        assert_eq!(verdict, Verdict { allowed: false, limit: 10, remaining: 0, reset: MINUTE, retry_after: six });
        assert!(buckets.take(8, START).allowed, "somebody else has their own");
    }

    #[test]
    fn it_fills_up_again_steadily_and_not_beyond() {
        let buckets = ten_a_minute();
        allowed(&buckets, 10, START);
        let almost = START + Duration::from_micros(5_999_999);
        assert_eq!(allowed(&buckets, 5, almost), 0);
        assert_eq!(allowed(&buckets, 5, START + Duration::from_secs(6)), 1);
        assert_eq!(allowed(&buckets, 100, START + Duration::from_secs(36)), 5);
        assert_eq!(allowed(&buckets, 100, START + Duration::from_hours(24)), 10);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let buckets = ten_a_minute();
        for _ in 0..100 {
            assert_eq!(buckets.take(7, START).remaining, 9);
            buckets.give_back(&7);
        }
        buckets.give_back(&7);
        buckets.give_back(&8);
        assert_eq!(allowed(&buckets, 100, START), 10, "and no more than that");
    }

    #[test]
    fn one_that_is_given_back_is_one() {
        let buckets = ten_a_minute();
        assert_eq!(allowed(&buckets, 5, START), 5);
        buckets.give_back(&7);
        assert_eq!(buckets.take(7, START).remaining, 5);
    }

    /// Others may have come meanwhile, so many that it stands among the older ones.
    #[test]
    fn what_is_given_back_late_can_be_taken_again_too() {
        let buckets = Buckets::new(10, MINUTE, 4);
        assert_eq!(allowed(&buckets, 100, START), 10);
        assert!(buckets.take(8, START).allowed && buckets.take(9, START).allowed);
        buckets.give_back(&7);
        assert_eq!(allowed(&buckets, 100, START), 1);
    }

    #[tokio::test]
    async fn a_limit_takes_back_what_it_has_given() {
        let limit = LocalRateLimits.limit("test", 1, MINUTE);
        assert!(limit.take("ada", START).await.allowed);
        assert!(!limit.take("ada", START).await.allowed);
        limit.give_back("ada").await;
        assert!(limit.take("ada", START).await.allowed);
    }

    #[test]
    fn a_bucket_is_never_more_than_full() {
        let buckets = ten_a_minute();
        buckets.take(7, START);
        assert_eq!(allowed(&buckets, 100, START + MINUTE / 60 * 59), 10);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let buckets = ten_a_minute();
        allowed(&buckets, 10, START);
        assert_eq!(allowed(&buckets, 5, START - MINUTE), 0);
        assert_eq!(allowed(&buckets, 5, START), 0);
    }

    #[test]
    fn memory_is_bounded_and_those_who_keep_asking_are_remembered() {
        let buckets = Buckets::new(10, MINUTE, 100);
        assert_eq!(allowed(&buckets, 20, START), 10);
        for other in 1000..100_000 {
            assert!(buckets.take(other, START).allowed);
            assert!(other % 20 != 0 || !buckets.take(7, START).allowed);
            assert!(buckets.keys() <= 101);
        }
    }

    #[test]
    fn who_has_a_full_bucket_again_is_forgotten() {
        let buckets = ten_a_minute();
        for key in 0..100 {
            buckets.take(key, START);
        }
        buckets.take(1000, START + MINUTE);
        buckets.take(1001, START + MINUTE + MINUTE);
        assert_eq!(buckets.keys(), 2);
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_its_share(
            permits in 1_u32..50,
            per in 1_u64..100_000,
            steps in proptest::collection::vec(0_u64..20_000, 1..300),
        ) {
            let buckets = Buckets::new(permits, Duration::from_micros(per), 10);
            let (mut now, mut granted) = (START, 0_u64);
            for step in steps {
                now = now + Duration::from_micros(step);
                let verdict = buckets.take(7, now);
                granted += u64::from(verdict.allowed);
                let elapsed = u64::try_from(now.since(START).as_micros()).unwrap();
                prop_assert!(granted <= u64::from(permits) + elapsed * u64::from(permits) / per);
                if !verdict.allowed {
                    prop_assert!(verdict.retry_after > Duration::ZERO);
                    now = now + verdict.retry_after;
                    prop_assert!(buckets.take(7, now).allowed, "as promised");
                    granted += 1;
                }
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{sync::Arc, thread};

    use super::*;

    /// Three ask at the same time, one of them while generations change: two permits are given out, never a third.
    #[test]
    fn permits_are_given_out_once() {
        loom::model(|| {
            let start = Timestamp::from_secs(1_800_000_000);
            let buckets = Arc::new(Buckets::new(2, Duration::from_secs(60), 4));
            let asks = |keys: &'static [u32]| {
                let buckets = Arc::clone(&buckets);
                thread::spawn(move || keys.iter().filter(|key| buckets.take(**key, start).allowed && **key == 7).count())
            };
            let (first, second) = (asks(&[7, 8]), asks(&[9, 7]));
            let mine = usize::from(buckets.take(7, start).allowed);
            assert_eq!(mine + first.join().unwrap() + second.join().unwrap(), 2);
        });
    }
}
