use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::*;
use crate::{
    cache::{Caches, Seal},
    domain::Timestamp,
    memory::{ManualClock, MemoryCache},
    ports::Cache,
    sync::ready,
};

const TTL: Duration = Duration::from_mins(5);

struct Instances {
    clock: Arc<ManualClock>,
    cache: Arc<MemoryCache>,
    loads: AtomicU32,
}

impl Instances {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        Self { cache: Arc::new(MemoryCache::new(clock.clone())), clock, loads: AtomicU32::new(0) }
    }

    fn caches(&self, secret: &[u8]) -> Caches {
        Caches::shared(self.clock.clone(), self.cache.clone(), Seal::new(secret))
    }

    fn far(&self) -> Far<String> {
        self.caches(b"secret").far("test", TTL)
    }

    fn get(&self, far: &Far<String>, stored: &str) -> String {
        let load = || async {
            self.loads.fetch_add(1, Relaxed);
            Ok::<_, ()>(stored.to_owned())
        };
        ready(far.get(1, load)).unwrap()
    }

    fn loads(&self) -> u32 {
        self.loads.load(Relaxed)
    }
}

fn key() -> CacheKey {
    CacheKey::new("test", 1)
}

#[test]
fn what_one_instance_has_loaded_the_others_find() {
    let test = Instances::new();
    assert_eq!(test.get(&test.far(), "a"), "a");
    assert_eq!(test.get(&test.far(), "b"), "a");
    assert_eq!(test.loads(), 1);
    ready(test.far().forget(1));
    assert_eq!(test.get(&test.far(), "b"), "b");
    test.clock.advance(TTL);
    assert_eq!(test.get(&test.far(), "c"), "c");
}

#[test]
fn without_a_place_to_share_everything_is_loaded() {
    let test = Instances::new();
    let far = Caches::local(test.clock.clone()).far("test", TTL);
    assert_eq!((test.get(&far, "a"), test.get(&far, "b")), ("a".to_owned(), "b".to_owned()));
    ready(far.forget(1));
}

#[test]
fn a_slow_reader_does_not_bring_back_what_was_changed_meanwhile() {
    let test = Instances::new();
    let [slow, other] = [test.far(), test.far()];
    let load = || async {
        // Meanwhile it is changed, and somebody else looks.
        other.forget(1).await;
        Ok::<_, ()>("old".to_owned())
    };
    assert_eq!(ready(slow.get(1, load)), Ok("old".to_owned()));
    assert_eq!(test.get(&other, "new"), "new");
    assert_eq!(test.get(&slow, "newer"), "new");
}

#[test]
fn a_load_that_failed_is_not_kept() {
    let test = Instances::new();
    assert_eq!(ready(test.far().get(1, || async { Err("away") })), Err("away"));
    assert_eq!(test.get(&test.far(), "a"), "a");
}

#[test]
fn what_is_none_of_ours_is_missing_and_gives_way() {
    let test = Instances::new();
    let sealed = |secret: &[u8], key: &CacheKey, value: &[u8]| {
        Seal::new(secret).close(key, test.clock.now() + Duration::from_hours(1), value)
    };
    for garbage in [
        Vec::new(),
        b"\"forged\"".to_vec(),
        vec![0xff; 4096],
        sealed(b"somebody else's", &key(), b"\"forged\""),
        sealed(b"secret", &CacheKey::new("test", 2), b"\"of another key\""),
        sealed(b"secret", &CacheKey::new("tes", "t:1"), b"\"of another cache\""),
        sealed(b"secret", &key(), b"{\"of\":\"another version\"}"),
        Seal::new(b"secret").close(&key(), test.clock.now(), b"\"too old\""),
    ] {
        ready(test.cache.forget(&[key()]));
        let Look::Miss(Some(lease)) = ready(test.cache.look(&key())) else { panic!("it was forgotten") };
        ready(test.cache.fill(&key(), lease, &garbage, TTL));
        let far = test.far();
        assert_eq!(test.get(&far, "right"), "right", "{garbage:?}");
        assert_eq!(test.get(&far, "later"), "right", "it has given way");
        assert_eq!(far.counts.read().unreadable, 1);
    }
}

#[test]
fn everybody_is_told_what_was_forgotten() {
    let test = Instances::new();
    let told = test.caches(b"secret").told();
    let heard = || {
        let mut heard = Vec::new();
        told.each(|forgotten| heard.push(forgotten.clone()));
        heard
    };
    ready(test.far().forget(1));
    assert_eq!(heard(), [Forgotten::Key(key())]);
    assert_eq!(heard(), []);
    for _ in 0..3000 {
        ready(test.far().forget(1));
    }
    assert_eq!(heard()[0], Forgotten::Everything, "it has fallen behind");
}
