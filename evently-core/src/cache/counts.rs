//! What a cache was good for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often a cache was asked, and what came of it, since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheCounts {
    /// Of what.
    pub cache: &'static str,
    /// `near` in this process, `far` where all instances find it.
    pub level: &'static str,
    /// It had the value.
    pub hits: u64,
    /// It had not.
    pub misses: u64,
    /// Values that were got from behind it, once for all who asked at the same time. A load that failed counts too.
    pub loads: u64,
    /// Values that were none of ours: garbage, forged, of another version, or too old.
    pub unreadable: u64,
}

pub(super) struct Counts {
    cache: &'static str,
    level: &'static str,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) loads: AtomicU64,
    pub(super) unreadable: AtomicU64,
}

impl Counts {
    pub(super) const fn new(cache: &'static str, level: &'static str) -> Self {
        Self {
            cache,
            level,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
        }
    }

    pub(super) fn read(&self) -> CacheCounts {
        CacheCounts {
            cache: self.cache,
            level: self.level,
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            loads: self.loads.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
        }
    }
}

pub(super) fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Relaxed);
}
