//! Who is logged in, without asking the store for each request.
//!
//! What an account may do is kept in this process and, where there is one, in a cache that all instances share. Neither is believed by
//! itself: every few seconds this asks the store what was taken back, one question however many are logged in, and where the store has not
//! answered for [`BELIEVED`] nobody is let in. So a logout, or another role, counts everywhere within that time, whatever has become of the
//! shared cache; and at once where that is there to tell it.

use std::{collections::hash_map::Entry, sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{
    cache::{Caches, Far, Near, Told},
    domain::{Role, SessionId, Timestamp, UserId},
    ports::{CacheKey, Clock, Forgotten, Sessions, StoreError, TOLD_FOR, TakenBack},
    sync::{Mutex, lock},
};

/// For how long what is kept is believed without having asked what was taken back.
const BELIEVED: Duration = Duration::from_secs(5);
/// How soon that is asked again, if somebody makes a request.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// For how long a login is kept in this process, and how many.
const NEAR: (Duration, usize) = (Duration::from_mins(5), 100_000);
/// For how long it is kept where all instances find it. Shorter than it is told what was taken back, by far.
const FAR: Duration = Duration::from_mins(30);

/// Names logins in the shared cache.
const SESSION: &str = "session";
/// Names accounts whose logins may do something else than before. Nothing is kept under it; it is only told.
const ACCOUNT: &str = "account";

pub(super) struct Logins {
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    near: Near<SessionId, Holder, NoLogin>,
    far: Far<Holder>,
    accounts: Far<()>,
    told: Told,
    known: Mutex<Known>,
    /// One asks what was taken back at a time.
    asking: tokio::sync::Mutex<()>,
    /// How often it could not be asked, and why not the last time. Whoever waited for the turn meanwhile learns it from here.
    failed: Mutex<(u64, Option<StoreError>)>,
}

/// Whose login it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    user_id: UserId,
    role: Role,
}

/// Why nobody is let in.
#[derive(Clone)]
enum NoLogin {
    /// It has ended.
    Ended,
    Store(StoreError),
}

/// What was taken back of late.
#[derive(Default)]
struct Known {
    /// When the store was asked for it, and where to go on; none if it never was.
    asked: Option<(Timestamp, u64)>,
    /// Logins that have ended, and when that was learned.
    ended: FxHashMap<SessionId, Timestamp>,
    /// Accounts that may do something else, likewise. What the shared cache has of them may be from before.
    changed: FxHashMap<UserId, Timestamp>,
}

impl Logins {
    pub(super) fn new(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>, caches: &Caches) -> Self {
        Self {
            sessions,
            clock,
            near: caches.near(SESSION, NEAR.0, NEAR.1),
            far: caches.far(SESSION, FAR),
            accounts: caches.far(ACCOUNT, FAR),
            told: caches.told(),
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// What the holder of a login may do; `None` if it has ended, or is somebody else's.
    pub(super) async fn role(&self, session: SessionId, user: UserId) -> Result<Option<Role>, StoreError> {
        self.listen();
        self.catch_up().await?;
        if lock(&self.known).ended.contains_key(&session) {
            return Ok(None);
        }
        let load = || async {
            // Once more, as late as this: of what is learned from here on this load is not kept.
            let (ended, changed) = {
                let known = lock(&self.known);
                (known.ended.contains_key(&session), known.changed.contains_key(&user))
            };
            if ended {
                return Err(NoLogin::Ended);
            }
            if changed { self.stored(session).await } else { self.far.get(session, || self.stored(session)).await }
        };
        match self.near.get(&session, load).await {
            Ok(holder) => Ok((holder.user_id == user).then_some(holder.role)),
            Err(NoLogin::Ended) => Ok(None),
            Err(NoLogin::Store(error)) => Err(error),
        }
    }

    async fn stored(&self, session: SessionId) -> Result<Holder, NoLogin> {
        let holder = self.sessions.holder(session).await.map_err(NoLogin::Store)?.ok_or(NoLogin::Ended)?;
        Ok(Holder { user_id: holder.id, role: holder.role })
    }

    /// Lets go of what others have told to forget. It need not be true, so that it makes nothing end.
    fn listen(&self) {
        self.told.each(|forgotten| match forgotten {
            Forgotten::Everything => self.near.forget_all(),
            Forgotten::Key(key) => self.forget(key),
        });
    }

    fn forget(&self, key: &CacheKey) {
        match key.cache() {
            SESSION => {
                if let Ok(session) = key.id().parse() {
                    self.near.forget(&session);
                }
            }
            ACCOUNT => {
                if let Ok(user) = key.id().parse() {
                    lock(&self.known).changed.insert(user, self.clock.now());
                    self.near.forget_those(|holder| holder.user_id == user);
                }
            }
            _ => {}
        }
    }

    /// Asks what was taken back, unless that was just done. Those who waited for one who asked in vain get the same error, so that a store
    /// that is away is not asked by each of them in turn.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let age = self.age();
        if age.is_some_and(|age| age < ASKED_EVERY) {
            return Ok(());
        }
        let believed = age.is_some_and(|age| age < BELIEVED);
        let failures = lock(&self.failed).0;
        let _turn = match self.asking.try_lock() {
            Ok(turn) => turn,
            // Somebody asks already, and there is time yet.
            Err(_) if believed => return Ok(()),
            Err(_) => self.asking.lock().await,
        };
        // An answer that was long on its way is good enough for whoever waited for it.
        let recent = if believed { ASKED_EVERY } else { BELIEVED };
        if self.age().is_some_and(|age| age < recent) {
            return Ok(());
        }
        if !believed && let Some(error) = self.failed_since(failures) {
            return Err(error);
        }
        match self.ask(false).await {
            Ok(()) => Ok(()),
            Err(error) if believed => {
                tracing::debug!(error = &error as &dyn std::error::Error, "what was taken back is asked again in a moment");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Why the store could not be asked, if that was after so many failures.
    fn failed_since(&self, failures: u64) -> Option<StoreError> {
        let failed = lock(&self.failed);
        if failed.0 > failures { failed.1.clone() } else { None }
    }

    fn fail(&self, error: &StoreError) {
        let mut failed = lock(&self.failed);
        *failed = (failed.0 + 1, Some(error.clone()));
    }

    /// How long ago the store was asked.
    fn age(&self) -> Option<Duration> {
        let (asked, _) = lock(&self.known).asked?;
        Some(self.clock.now().since(asked))
    }

    /// Asks the store, takes in what it says, and tells all others. Of what was taken back before this asked for the first time they know,
    /// so that it is told only if something of our own may be among it. Needs the turn.
    async fn ask(&self, ours: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = lock(&self.known).asked.map(|(_, mark)| mark);
        let mut back = self.sessions.taken_back(before.unwrap_or(0)).await.inspect_err(|error| self.fail(error))?;
        self.take_in(&mut back, now);
        if ours || before.is_some() {
            self.far.forget_each(&back.sessions).await;
            self.accounts.forget_each(&back.users).await;
        }
        Ok(())
    }

    /// Takes in what the store has said at `now`, and leaves of it what is news.
    fn take_in(&self, back: &mut TakenBack, now: Timestamp) {
        {
            let mut known = lock(&self.known);
            known.forget(now);
            known.asked = Some((now, back.mark));
            back.sessions.retain(|session| is_news(known.ended.entry(*session), now));
            known.changed.extend(back.users.iter().map(|user| (*user, now)));
        }
        for session in &back.sessions {
            self.near.forget(session);
        }
        if !back.users.is_empty() {
            self.near.forget_those(|holder| back.users.contains(&holder.user_id));
        }
    }

    /// Learns what this process has just taken back, and tells all others.
    pub(super) async fn tell_all(&self) {
        let _turn = self.asking.lock().await;
        if let Err(error) = self.ask(true).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "something was taken back; the store is asked again before anybody is let in");
            lock(&self.known).asked = None;
        }
    }
}

impl Known {
    /// Forgets what nothing that is kept can be older than.
    fn forget(&mut self, now: Timestamp) {
        self.ended.retain(|_, learned| now.since(*learned) < TOLD_FOR);
        self.changed.retain(|_, learned| now.since(*learned) < TOLD_FOR);
    }
}

fn is_news(entry: Entry<'_, SessionId, Timestamp>, now: Timestamp) -> bool {
    match entry {
        Entry::Occupied(_) => false,
        Entry::Vacant(vacant) => {
            vacant.insert(now);
            true
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
