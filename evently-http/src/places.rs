//! How much of something each client may have at a time.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use rustc_hash::FxHashMap;

/// So many places for each client, that is, for each network.
#[derive(Debug, Clone)]
pub struct Places {
    each: usize,
    taken: Arc<Mutex<FxHashMap<IpAddr, usize>>>,
}

/// A place that somebody has until it is dropped.
#[derive(Debug)]
pub struct Place {
    network: IpAddr,
    taken: Arc<Mutex<FxHashMap<IpAddr, usize>>>,
}

impl Places {
    /// Places for everybody, none of them taken.
    pub fn new(each: usize) -> Self {
        Self { each, taken: Arc::default() }
    }

    /// A place for a client of this network, unless it has all of its own already.
    pub fn take(&self, network: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(network).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { network, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_their_own_places_and_they_are_free_again() {
        let places = Places::new(2);
        let [one, other] = [1, 2].map(|n| IpAddr::from([203, 0, 113, n]));
        let (first, second) = (places.take(one), places.take(one));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(one).is_none());
        assert!(places.take(other).is_some());
        drop(first);
        assert!(places.take(one).is_some());
        drop(second);
        assert!(places.taken.lock().unwrap().is_empty(), "who has none is forgotten");
    }
}
