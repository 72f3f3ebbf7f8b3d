//! Caches that several instances share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::ports::{Cache, CacheKey, Forgotten, Lease, Look};

use super::race;

/// A cache, empty, as two instances have it.
pub struct CacheUnderTest {
    /// As one has it.
    pub cache: Arc<dyn Cache>,
    /// As another has it.
    pub other: Arc<dyn Cache>,
    /// Makes time pass for it, where it does not by itself. It may pass faster than asked for.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
}

const LONG: Duration = Duration::from_mins(5);

fn key(id: u32) -> CacheKey {
    CacheKey::new("test", id)
}

async fn lease(cache: &dyn Cache, key: &CacheKey) -> Lease {
    match cache.look(key).await {
        Look::Miss(Some(lease)) => lease,
        other => panic!("nothing was to be there: {other:?}"),
    }
}

async fn put(cache: &dyn Cache, key: &CacheKey, value: &[u8]) {
    let lease = lease(cache, key).await;
    cache.fill(key, lease, value, LONG).await;
}

fn hit(value: &[u8]) -> Look {
    Look::Hit(value.to_vec())
}

pub async fn what_was_filled_in_is_found_by_all(test: CacheUnderTest) {
    put(&*test.cache, &key(1), b"one").await;
    for cache in [&test.cache, &test.other] {
        assert_eq!(cache.look(&key(1)).await, hit(b"one"));
        lease(&**cache, &key(2)).await;
    }
    let elsewhere = CacheKey::new("tes", "t:1");
    lease(&*test.cache, &elsewhere).await;
}

pub async fn any_bytes_can_be_kept(test: CacheUnderTest) {
    let all = (0..=255).collect::<Vec<u8>>();
    for (n, value) in (0..).zip([&b""[..], b"L1", b"V", b"\0", b"\r\n", &all, &vec![7; 1 << 20]]) {
        put(&*test.cache, &key(n), value).await;
        assert_eq!(test.other.look(&key(n)).await, hit(value));
    }
}

pub async fn a_value_is_kept_for_its_time(test: CacheUnderTest) {
    let first = lease(&*test.cache, &key(1)).await;
    test.cache.fill(&key(1), first, b"one", Duration::from_millis(20)).await;
    while test.other.look(&key(1)).await == hit(b"one") {
        (test.pass)(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    lease(&*test.cache, &key(1)).await;
}

pub async fn nothing_is_filled_in_without_leave(test: CacheUnderTest) {
    test.cache.fill(&key(1), Lease(7), b"one", LONG).await;
    let leave = lease(&*test.cache, &key(1)).await;
    test.cache.fill(&key(1), Lease(leave.0.wrapping_add(1)), b"one", LONG).await;
    test.cache.fill(&key(2), leave, b"one", LONG).await;
    lease(&*test.cache, &key(1)).await;
    lease(&*test.cache, &key(2)).await;
}

pub async fn of_two_who_load_at_once_one_fills_in(test: CacheUnderTest) {
    let [one, other] = [lease(&*test.cache, &key(1)).await, lease(&*test.other, &key(1)).await];
    test.other.fill(&key(1), other, b"first", LONG).await;
    test.cache.fill(&key(1), one, b"second", LONG).await;
    assert_eq!(test.cache.look(&key(1)).await, hit(b"first"));
}

pub async fn nothing_old_is_filled_in_after_it_was_forgotten(test: CacheUnderTest) {
    let before = lease(&*test.cache, &key(1)).await;
    test.other.forget(&[key(1)]).await;
    test.cache.fill(&key(1), before, b"old", LONG).await;
    let after = lease(&*test.other, &key(1)).await;
    test.cache.fill(&key(1), before, b"old", LONG).await;
    test.other.fill(&key(1), after, b"new", LONG).await;
    test.cache.fill(&key(1), before, b"old", LONG).await;
    assert_eq!(test.cache.look(&key(1)).await, hit(b"new"));
}

pub async fn what_is_forgotten_is_gone_for_all(test: CacheUnderTest) {
    for n in 0..4 {
        put(&*test.cache, &key(n), b"there").await;
    }
    test.other.forget(&[]).await;
    test.other.forget(&[key(0), key(2), key(9)]).await;
    for n in [0, 2] {
        lease(&*test.cache, &key(n)).await;
    }
    for n in [1, 3] {
        assert_eq!(test.cache.look(&key(n)).await, hit(b"there"));
    }
}

pub async fn everybody_is_told_what_was_forgotten(test: CacheUnderTest) {
    put(&*test.cache, &key(1), b"old").await;
    let mut listeners = [test.cache.forgotten(), test.other.forgotten()];
    test.cache.forget(&[key(1), key(2)]).await;
    for listener in &mut listeners {
        let mut told = Vec::new();
        while told.len() < 2 {
            match listener.recv().await.expect("the cache is there") {
                Forgotten::Key(key) => told.push(key),
                Forgotten::Everything => {}
            }
        }
        told.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        assert_eq!(told, [key(1), key(2)]);
    }
    lease(&*test.other, &key(1)).await;
}

/// Many read slowly, and put in what they have read, while others change it: what is found is never from before a change that was over.
pub async fn no_change_is_undone_by_who_reads_slowly(test: CacheUnderTest) {
    let (stored, settled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let caches = [test.cache, test.other];
    let checked = race(|n| {
        let (stored, settled, cache) = (stored.clone(), settled.clone(), caches[n as usize % 2].clone());
        async move {
            for _ in 0..20 {
                if n % 8 == 0 {
                    let version = stored.fetch_add(1, SeqCst) + 1;
                    cache.forget(&[key(1)]).await;
                    settled.fetch_max(version, SeqCst);
                    continue;
                }
                let before = settled.load(SeqCst);
                match cache.look(&key(1)).await {
                    Look::Hit(value) => {
                        let version = u64::from_be_bytes(value.try_into().expect("it was put in so"));
                        assert!(version >= before, "{version} is from before {before}");
                    }
                    Look::Miss(leave) => {
                        let read = stored.load(SeqCst);
                        tokio::task::yield_now().await;
                        if let Some(leave) = leave {
                            cache.fill(&key(1), leave, &read.to_be_bytes(), LONG).await;
                        }
                    }
                }
            }
        }
    });
    checked.await;
}
