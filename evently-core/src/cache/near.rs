//! Values in this process.

use std::{hash::Hash, sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::{
    counts::{Counts, one_more},
    spread,
};
use crate::{
    domain::Timestamp,
    ports::Clock,
    sync::{Mutex, MutexGuard, lock},
};

/// Values in this process, each loaded once for all who ask for it at the same time.
///
/// # Contract
/// - **One load at a time** for each key, and for all who wait for it.
/// - **Nothing old after it was forgotten.** Whoever asks after a key was forgotten gets what was loaded after that.
/// - **A load that failed is not kept.** Those who waited for it get the same error, so that a store that is away is not asked by each of
///   them in turn.
/// - **Nobody hangs.** Where whoever loads goes away, or panics, one of those who wait loads in their place.
pub struct Near<K, V, E> {
    clock: Arc<dyn Clock>,
    ttl: Duration,
    most: usize,
    counts: Arc<Counts>,
    state: Mutex<State<K, V, E>>,
}

/// Where those who wait learn what became of a load.
type Landing<V, E> = watch::Receiver<Option<Result<V, E>>>;

struct State<K, V, E> {
    /// Values, and until when.
    kept: FxHashMap<K, (V, Timestamp)>,
    /// Loads that are under way, by number. One that was forgotten is not among them any more.
    flights: FxHashMap<K, (u64, Landing<V, E>)>,
    /// Numbers loads, and marks.
    number: u64,
    /// The number of the last mark before something was forgotten.
    forgotten: u64,
}

/// A moment, as a cache knows it.
#[derive(Debug, Clone, Copy)]
pub struct Mark(u64);

enum Turn<'a, K: Clone + Eq + Hash, V, E> {
    Kept(V),
    Follow(Landing<V, E>),
    Lead(Lead<'a, K, V, E>),
}

/// Whose turn it is to load.
struct Lead<'a, K: Clone + Eq + Hash, V, E> {
    near: &'a Near<K, V, E>,
    key: K,
    number: u64,
    outcome: watch::Sender<Option<Result<V, E>>>,
}

impl<K, V, E> Near<K, V, E> {
    pub(super) fn new(clock: Arc<dyn Clock>, ttl: Duration, most: usize, counts: Arc<Counts>) -> Self {
        let state = State { kept: FxHashMap::default(), flights: FxHashMap::default(), number: 0, forgotten: 0 };
        Self { clock, ttl, most, counts, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<K, V, E>> {
        lock(&self.state)
    }
}

impl<K: Clone + Eq + Hash, V: Clone, E: Clone> Near<K, V, E> {
    /// The value of a key; where there is none it is loaded.
    pub async fn get<F>(&self, key: &K, load: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        loop {
            match self.turn(key) {
                Turn::Kept(value) => return Ok(value),
                Turn::Lead(lead) => {
                    one_more(&self.counts.loads);
                    let loaded = load().await;
                    return lead.land(loaded);
                }
                Turn::Follow(mut outcome) => {
                    // Without an outcome whoever led has gone away.
                    if let Ok(outcome) = outcome.wait_for(Option::is_some).await {
                        return outcome.clone().expect("it was waited for");
                    }
                }
            }
        }
    }

    fn turn(&self, key: &K) -> Turn<'_, K, V, E> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(value) = state.at(key, now) {
            one_more(&self.counts.hits);
            return Turn::Kept(value);
        }
        one_more(&self.counts.misses);
        if let Some((_, outcome)) = state.flights.get(key) {
            return Turn::Follow(outcome.clone());
        }
        let (outcome, waiting) = watch::channel(None);
        state.number += 1;
        let number = state.number;
        state.flights.insert(key.clone(), (number, waiting));
        Turn::Lead(Lead { near: self, key: key.clone(), number, outcome })
    }

    /// The value of a key, if there is one.
    pub fn peek(&self, key: &K) -> Option<V> {
        let now = self.clock.now();
        self.state().at(key, now)
    }

    /// This moment. What is read from the store after it can be [kept](Self::keep).
    pub fn mark(&self) -> Mark {
        let mut state = self.state();
        state.number += 1;
        Mark(state.number)
    }

    /// Keeps a value that was read after the mark, unless something was forgotten since.
    pub fn keep(&self, mark: Mark, key: K, value: V) {
        let now = self.clock.now();
        let mut state = self.state();
        if state.forgotten < mark.0 {
            self.keep_in(&mut state, key, value, now);
        }
    }

    fn keep_in(&self, state: &mut State<K, V, E>, key: K, value: V, now: Timestamp) {
        if self.ttl.is_zero() {
            return;
        }
        if state.kept.len() >= self.most {
            state.kept.retain(|_, (_, until)| now < *until);
        }
        if state.kept.len() >= self.most {
            // Whichever come first: those that are asked for are soon back.
            let out = state.kept.keys().take(self.most / 10 + 1).cloned().collect::<Vec<_>>();
            for key in out {
                state.kept.remove(&key);
            }
        }
        let until = now + spread(self.ttl, &key);
        state.kept.insert(key, (value, until));
    }

    /// Forgets a key. What is being loaded for it is not kept, and goes to nobody who asks from now on.
    pub fn forget(&self, key: &K) {
        let mut state = self.state();
        state.kept.remove(key);
        state.flights.remove(key);
        state.forget();
    }

    /// Forgets those values, and whatever is being loaded.
    pub fn forget_those(&self, gone: impl Fn(&V) -> bool) {
        let mut state = self.state();
        state.kept.retain(|_, (value, _)| !gone(value));
        state.flights.clear();
        state.forget();
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.forget_those(|_| true);
    }
}

impl<K: Eq + Hash, V: Clone, E> State<K, V, E> {
    fn at(&self, key: &K, now: Timestamp) -> Option<V> {
        self.kept.get(key).filter(|(_, until)| now < *until).map(|(value, _)| value.clone())
    }

    const fn forget(&mut self) {
        self.number += 1;
        self.forgotten = self.number;
    }
}

impl<K: Clone + Eq + Hash, V: Clone, E: Clone> Lead<'_, K, V, E> {
    fn land(self, loaded: Result<V, E>) -> Result<V, E> {
        let now = self.near.clock.now();
        let mut state = self.near.state();
        if state.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.flights.remove(&self.key);
            if let Ok(value) = &loaded {
                self.near.keep_in(&mut state, self.key.clone(), value.clone(), now);
            }
        }
        drop(state);
        self.outcome.send_replace(Some(loaded.clone()));
        loaded
    }
}

impl<K: Clone + Eq + Hash, V, E> Drop for Lead<'_, K, V, E> {
    fn drop(&mut self) {
        let mut state = self.near.state();
        if state.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.flights.remove(&self.key);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
