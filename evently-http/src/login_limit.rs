//! How often passwords may be tried on one account, from everywhere together.
//!
//! Only tries that fail count. An address from which the account has logged in has a share of its own, so that whoever uses up the
//! share of all the others locks nobody out of where they usually are. Why, and what it leaves open, is in
//! `docs/decisions/0008-tries-per-account.md`.

use std::{
    collections::HashSet,
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use evently_core::{
    ports::{Clock, RateLimit, RateLimits},
    rate::LocalRateLimits,
};
use sha2::{Digest, Sha256};

use crate::config;

/// Networks that are remembered; a few megabytes. Passwords are checked far too slowly to fill it up.
const KEYS_MAX: usize = 100_000;

/// What stands for an account, whether or not there is one: a digest of the address, so that all are as long.
type Account = u128;

/// Counts tries. Without a limit nothing is counted.
pub struct LoginLimit(Option<Counting>);

struct Counting {
    /// Of each account, for all networks that it has not logged in from.
    strangers: Arc<dyn RateLimit>,
    /// Of each account, for each network that it has.
    familiar: Arc<dyn RateLimit>,
    known: Mutex<Known>,
    clock: Arc<dyn Clock>,
}

/// Networks from which accounts have logged in, the latest ones, in two generations.
#[derive(Default)]
struct Known {
    newer: HashSet<(Account, IpAddr)>,
    older: HashSet<(Account, IpAddr)>,
}

/// A try that has been let through. It has failed unless somebody says otherwise.
pub struct Try<'a>(Option<Tried<'a>>);

struct Tried<'a> {
    counting: &'a Counting,
    account: Account,
    network: IpAddr,
    /// What it counts for, and under which key.
    limit: &'a dyn RateLimit,
    key: String,
}

impl LoginLimit {
    /// As the configuration says; tries are counted in this process.
    pub fn new(rates: &config::RateLimit, clock: Arc<dyn Clock>) -> Self {
        Self::counted_by(&LocalRateLimits, rates, clock)
    }

    /// As the configuration says; tries are counted where all other rates are.
    pub fn counted_by(limits: &dyn RateLimits, rates: &config::RateLimit, clock: Arc<dyn Clock>) -> Self {
        let limit = |name| limits.limit(name, rates.login.permits, rates.login.per);
        let counting =
            || Counting { strangers: limit("login"), familiar: limit("login_familiar"), known: Mutex::default(), clock };
        Self(rates.enabled.then(counting))
    }

    /// Lets somebody try a password on the account of `email`, or says how long to wait.
    pub async fn begin(&self, email: &str, network: IpAddr) -> Result<Try<'_>, Duration> {
        let Some(counting) = &self.0 else { return Ok(Try(None)) };
        let account = account(email);
        let (limit, key) = if counting.is_known(account, network) {
            (&*counting.familiar, format!("{account:032x}:{network}"))
        } else {
            (&*counting.strangers, format!("{account:032x}"))
        };
        let verdict = limit.take(&key, counting.clock.now()).await;
        if verdict.allowed { Ok(Try(Some(Tried { counting, account, network, limit, key }))) } else { Err(verdict.retry_after) }
    }
}

impl Try<'_> {
    /// The password was right: the try does not count, and its network is one of the account's from now on.
    pub async fn succeeded(self) {
        if let Some(tried) = &self.0 {
            tried.counting.remember(tried.account, tried.network);
        }
        self.never_happened().await;
    }

    /// The password was not looked at.
    pub async fn never_happened(self) {
        if let Some(Tried { limit, key, .. }) = self.0 {
            limit.give_back(&key).await;
        }
    }
}

impl Counting {
    fn is_known(&self, account: Account, network: IpAddr) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).knows(&(account, network))
    }

    fn remember(&self, account: Account, network: IpAddr) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).add((account, network));
    }
}

impl Known {
    /// Whether it is there. It stays longer then.
    fn knows(&mut self, key: &(Account, IpAddr)) -> bool {
        self.newer.contains(key) || self.older.contains(key) && self.add(*key)
    }

    /// Puts it among the newer ones, where it stays for at least as many others as there is room for.
    fn add(&mut self, key: (Account, IpAddr)) -> bool {
        if self.newer.len() >= KEYS_MAX / 2 {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(key)
    }
}

/// The same for all ways to write an address.
fn account(email: &str) -> Account {
    let digest = Sha256::digest(email.trim().to_lowercase());
    u128::from_be_bytes(digest[..16].try_into().expect("there are 32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_networks_are_known_and_no_more_than_there_is_room_for() {
        let mut known = Known::default();
        let key = |n: u128| (n, IpAddr::from([10, 0, 0, 1]));
        let room = KEYS_MAX as u128;
        for n in 0..room {
            known.add(key(n));
        }
        assert!(known.knows(&key(0)) && known.knows(&key(room - 1)) && !known.knows(&key(room)));
        // Whoever was asked for stays while others come and go.
        for n in room..2 * room {
            assert!(known.knows(&key(0)), "{n}");
            known.add(key(n));
            assert!(known.newer.len() + known.older.len() <= KEYS_MAX, "{n}");
        }
        assert!(!known.knows(&key(1)) && known.knows(&key(2 * room - 1)));
    }
}
