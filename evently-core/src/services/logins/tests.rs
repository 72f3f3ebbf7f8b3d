use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::*;
use crate::{
    cache::Seal,
    domain::{Email, User},
    memory::{ManualClock, MemoryCache, MemoryStore, SeededIds},
    ports::{Accounts, Cache, Lease, Look, PasswordHash, Rotation, Session, StoreErrorKind, TokenDigest},
    sync::ready,
};

const SECOND: Duration = Duration::from_secs(1);
const ADA: SessionId = SessionId::from_uuid(Uuid::from_u128(0xada));
const TOKEN: TokenDigest = [1; 32];

/// A store that counts what it is asked, and may be away.
struct Watched {
    store: MemoryStore,
    holders: AtomicU32,
    asked: AtomicU32,
    away: AtomicBool,
    /// Whether it does not say what was taken back, until whoever asks gives up; one does for each time that this is set.
    silent: AtomicBool,
    gives_up: AtomicBool,
    /// How many seconds go by while it is asked what was taken back.
    slow: AtomicU64,
    clock: Arc<ManualClock>,
}

impl Watched {
    fn reached(&self, count: &AtomicU32) -> Result<(), StoreError> {
        if self.away.load(Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "test", "it is away"));
        }
        count.fetch_add(1, Relaxed);
        Ok(())
    }
}

#[async_trait]
impl Sessions for Watched {
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError> {
        self.store.open(session, token).await
    }

    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError> {
        self.store.rotate(token, next, now).await
    }

    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError> {
        self.store.revoke(token).await
    }

    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError> {
        self.reached(&self.holders)?;
        self.store.holder(id).await
    }

    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError> {
        if self.silent.load(Relaxed) {
            poll_fn(|_| if self.gives_up.swap(false, Relaxed) { Poll::Ready(()) } else { Poll::Pending }).await;
            return Err(StoreError::new(StoreErrorKind::Unavailable, "test", "it does not answer"));
        }
        self.reached(&self.asked)?;
        let back = self.store.taken_back(since).await;
        self.clock.advance(Duration::from_secs(self.slow.load(Relaxed)));
        back
    }
}

/// A shared cache that forgets nothing, as one that has lost what it was told.
struct Stubborn(MemoryCache);

#[async_trait]
impl Cache for Stubborn {
    async fn look(&self, key: &CacheKey) -> Look {
        self.0.look(key).await
    }

    async fn fill(&self, key: &CacheKey, lease: Lease, value: &[u8], ttl: Duration) {
        self.0.fill(key, lease, value, ttl).await;
    }

    async fn forget(&self, _: &[CacheKey]) {}

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.0.forgotten()
    }
}

/// A shared cache that does not answer the first time it is asked, and forgets nothing.
struct Silent {
    cache: Arc<MemoryCache>,
    asked: AtomicBool,
}

#[async_trait]
impl Cache for Silent {
    async fn look(&self, key: &CacheKey) -> Look {
        if !self.asked.swap(true, Relaxed) {
            std::future::pending::<()>().await;
        }
        self.cache.look(key).await
    }

    async fn fill(&self, key: &CacheKey, lease: Lease, value: &[u8], ttl: Duration) {
        self.cache.fill(key, lease, value, ttl).await;
    }

    async fn forget(&self, _: &[CacheKey]) {}

    fn forgotten(&self) -> broadcast::Receiver<Forgotten> {
        self.cache.forgotten()
    }
}

struct Test {
    clock: Arc<ManualClock>,
    store: Arc<Watched>,
    user: UserId,
}

impl Test {
    /// Ada is logged in.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let store = MemoryStore::new(Arc::new(SeededIds::new(1)));
        let user = UserId::from_uuid(Uuid::from_u128(0xaaa));
        let ada = User {
            id: user,
            email: Email::parse("ada@example.org").unwrap(),
            name: "Ada".to_owned(),
            role: Role::Admin,
            created_at: clock.now(),
        };
        ready(store.add(&ada, &PasswordHash("x".to_owned()))).unwrap();
        ready(store.open(&Session { id: ADA, user_id: user, expires_at: clock.now() + 1000 * TOLD_FOR }, &TOKEN)).unwrap();
        let (holders, asked, slow) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0));
        let [away, silent, gives_up] = [const { AtomicBool::new(false) }; 3];
        let store = Watched { store, holders, asked, away, silent, gives_up, slow, clock: clock.clone() };
        Self { clock, store: Arc::new(store), user }
    }

    fn alone(&self) -> Logins {
        Logins::new(self.store.clone(), self.clock.clone(), &Caches::local(self.clock.clone()))
    }

    fn sharing(&self, cache: &Arc<impl Cache + 'static>) -> Logins {
        let caches = Caches::shared(self.clock.clone(), cache.clone(), Seal::new(b"secret"));
        Logins::new(self.store.clone(), self.clock.clone(), &caches)
    }

    fn cache(&self) -> Arc<MemoryCache> {
        Arc::new(MemoryCache::new(self.clock.clone()))
    }

    fn role(&self, logins: &Logins) -> Option<Role> {
        ready(logins.role(ADA, self.user)).unwrap()
    }

    /// Ten requests at once, each as far as it comes.
    fn crowd<'a>(&self, logins: &'a Logins) -> Vec<Asking<'a>> {
        let mut crowd = (0..10).map(|_| Box::pin(logins.role(ADA, self.user)) as Asking<'_>).collect::<Vec<_>>();
        assert_eq!(on(&mut crowd), [None; 10]);
        crowd
    }

    /// At an instance.
    fn log_out(&self, at: &Logins) {
        ready(self.store.revoke(&TOKEN)).unwrap();
        ready(at.tell_all());
    }

    fn demote(&self, at: &Logins) {
        ready(self.store.store.set_role(self.user, Role::Customer)).unwrap();
        ready(at.tell_all());
    }

    fn holders(&self) -> u32 {
        self.store.holders.load(Relaxed)
    }
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<Option<Role>, StoreError>> + 'a>>;

/// What the requests of a crowd are told, in their order; `None` where one still waits.
fn on(crowd: &mut [Asking<'_>]) -> Vec<Option<Result<Option<Role>, StoreErrorKind>>> {
    let mut context = Context::from_waker(Waker::noop());
    let mut on = |asking: &mut Asking<'_>| match asking.as_mut().poll(&mut context) {
        Poll::Ready(told) => Some(told.map_err(|error| error.kind())),
        Poll::Pending => None,
    };
    crowd.iter_mut().map(&mut on).collect()
}

#[test]
fn a_login_is_read_once_however_often_it_is_used() {
    let test = Test::new();
    let logins = test.alone();
    for _ in 0..240 {
        assert_eq!(test.role(&logins), Some(Role::Admin));
        test.clock.advance(SECOND);
    }
    assert_eq!(test.holders(), 1);
    assert_eq!(test.store.asked.load(Relaxed), 120, "every two seconds, for all logins together");
}

#[test]
fn what_one_instance_has_read_the_others_need_not() {
    let test = Test::new();
    let cache = test.cache();
    for _ in 0..3 {
        assert_eq!(test.role(&test.sharing(&cache)), Some(Role::Admin));
    }
    assert_eq!(test.holders(), 1);
}

#[test]
fn somebody_elses_login_lets_nobody_in() {
    let test = Test::new();
    let logins = test.alone();
    assert_eq!(ready(logins.role(ADA, UserId::from_uuid(Uuid::from_u128(0xb0b)))).unwrap(), None);
    assert_eq!(ready(logins.role(SessionId::from_uuid(Uuid::from_u128(0xb0b)), test.user)).unwrap(), None);
    assert_eq!(test.role(&logins), Some(Role::Admin));
}

#[test]
fn a_logout_counts_here_at_once_and_elsewhere_within_five_seconds() {
    let test = Test::new();
    let [here, elsewhere] = [test.alone(), test.alone()];
    assert_eq!((test.role(&here), test.role(&elsewhere)), (Some(Role::Admin), Some(Role::Admin)));
    test.log_out(&here);
    assert_eq!(test.role(&here), None);
    test.clock.advance(5 * SECOND);
    assert_eq!(test.role(&elsewhere), None);
}

#[test]
fn with_a_shared_cache_a_logout_and_another_role_count_everywhere_at_once() {
    let test = Test::new();
    let cache = test.cache();
    let [here, elsewhere] = [test.sharing(&cache), test.sharing(&cache)];
    assert_eq!((test.role(&here), test.role(&elsewhere)), (Some(Role::Admin), Some(Role::Admin)));
    test.demote(&here);
    assert_eq!((test.role(&here), test.role(&elsewhere)), (Some(Role::Customer), Some(Role::Customer)));
    test.log_out(&here);
    assert_eq!((test.role(&here), test.role(&elsewhere)), (None, None));
    assert_eq!(test.role(&test.sharing(&cache)), None);
}

/// They look where it is kept after they have learned of it, however long ago they have come.
#[test]
fn what_was_taken_back_counts_for_those_who_have_to_look_in_place_of_somebody_who_has_gone_away() {
    type TakeBack = fn(&Test, &Logins);
    for (take_back, left) in [(Test::demote as TakeBack, Some(Role::Customer)), (Test::log_out, None)] {
        let test = Test::new();
        let cache = test.cache();
        assert_eq!(test.role(&test.sharing(&cache)), Some(Role::Admin));
        let here = test.sharing(&Arc::new(Silent { cache, asked: AtomicBool::new(false) }));
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Box::pin(here.role(ADA, test.user));
        let mut next = pin!(here.role(ADA, test.user));
        assert!(first.as_mut().poll(&mut context).is_pending() && next.as_mut().poll(&mut context).is_pending());
        take_back(&test, &here);
        drop(first);
        assert!(matches!(next.poll(&mut context), Poll::Ready(Ok(role)) if role == left), "{left:?}");
        assert_eq!(test.role(&here), left);
    }
}

/// Whoever asks the store between a logout and its being told has learned of it already.
#[test]
fn whoever_learns_of_a_logout_first_tells_the_others() {
    let test = Test::new();
    let cache = test.cache();
    let [here, elsewhere, first] = [test.sharing(&cache), test.sharing(&cache), test.sharing(&cache)];
    for logins in [&here, &elsewhere] {
        assert_eq!(test.role(logins), Some(Role::Admin));
    }
    ready(test.store.revoke(&TOKEN)).unwrap();
    ready(here.ask(false)).unwrap();
    ready(here.tell_all());
    assert_eq!(test.role(&elsewhere), None);
    // Nor need it have asked before.
    ready(test.store.store.set_role(test.user, Role::Customer)).unwrap();
    let mut told = cache.forgotten();
    ready(first.tell_all());
    assert!(
        std::iter::from_fn(|| told.try_recv().ok())
            .any(|forgotten| { forgotten == Forgotten::Key(CacheKey::new(ACCOUNT, test.user)) })
    );
}

#[test]
fn a_shared_cache_that_has_lost_a_logout_lets_nobody_in() {
    let test = Test::new();
    let cache = Arc::new(Stubborn(MemoryCache::new(test.clock.clone())));
    let [here, elsewhere] = [test.sharing(&cache), test.sharing(&cache)];
    assert_eq!((test.role(&here), test.role(&elsewhere)), (Some(Role::Admin), Some(Role::Admin)));
    test.log_out(&here);
    assert_eq!(test.role(&here), None);
    test.clock.advance(5 * SECOND);
    assert_eq!(test.role(&elsewhere), None);
    test.clock.advance(FAR / 2);
    assert_eq!(test.role(&test.sharing(&cache)), None, "nor at an instance that has just started");
    assert_eq!((test.role(&here), test.role(&elsewhere)), (None, None));
}

#[test]
fn a_shared_cache_that_has_lost_a_role_gives_nobody_the_old_one() {
    let test = Test::new();
    let cache = Arc::new(Stubborn(MemoryCache::new(test.clock.clone())));
    let [here, elsewhere] = [test.sharing(&cache), test.sharing(&cache)];
    assert_eq!((test.role(&here), test.role(&elsewhere)), (Some(Role::Admin), Some(Role::Admin)));
    test.demote(&here);
    assert_eq!(test.role(&here), Some(Role::Customer));
    test.clock.advance(5 * SECOND);
    assert_eq!(test.role(&elsewhere), Some(Role::Customer));
    assert_eq!(test.role(&test.sharing(&cache)), Some(Role::Customer));
}

#[test]
fn without_the_store_nobody_is_believed_for_longer_than_five_seconds() {
    let test = Test::new();
    let logins = test.alone();
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.store.away.store(true, Relaxed);
    test.clock.advance((5 * SECOND).saturating_sub(Duration::from_micros(1)));
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.clock.advance(Duration::from_micros(1));
    assert!(ready(logins.role(ADA, test.user)).is_err());
    test.store.away.store(false, Relaxed);
    assert_eq!(test.role(&logins), Some(Role::Admin));
    assert_eq!(test.holders(), 1);
}

/// What was taken back while it was on its way is not in what it says.
#[test]
fn what_the_store_said_is_as_old_as_the_question() {
    let test = Test::new();
    let logins = test.alone();
    test.store.slow.store(3, Relaxed);
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.store.away.store(true, Relaxed);
    test.clock.advance((2 * SECOND).saturating_sub(Duration::from_micros(1)));
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.clock.advance(Duration::from_micros(1));
    assert!(ready(logins.role(ADA, test.user)).is_err());
}

#[test]
fn a_logout_of_which_nobody_could_be_told_counts_here_at_once() {
    let test = Test::new();
    let logins = test.alone();
    assert_eq!(test.role(&logins), Some(Role::Admin));
    ready(test.store.revoke(&TOKEN)).unwrap();
    test.store.away.store(true, Relaxed);
    ready(logins.tell_all());
    assert!(ready(logins.role(ADA, test.user)).is_err());
    test.store.away.store(false, Relaxed);
    assert_eq!(test.role(&logins), None);
}

#[test]
fn who_has_slept_for_long_learns_of_all_that_anything_still_says_otherwise() {
    let test = Test::new();
    let cache = Arc::new(Stubborn(MemoryCache::new(test.clock.clone())));
    let [here, sleeper] = [test.sharing(&cache), test.sharing(&cache)];
    assert_eq!((test.role(&here), test.role(&sleeper)), (Some(Role::Admin), Some(Role::Admin)));
    test.clock.advance(FAR / 2);
    assert_eq!(test.role(&here), Some(Role::Admin));
    test.log_out(&here);
    test.clock.advance(FAR / 3);
    assert!(matches!(ready(cache.look(&CacheKey::new(SESSION, ADA))), Look::Hit(_)), "it is still there");
    assert_eq!(test.role(&sleeper), None);
}

/// Whoever has asked the store of late does not wait for somebody who is asking it just now.
#[test]
fn nobody_waits_for_the_store_while_there_is_time_yet() {
    let test = Test::new();
    let logins = test.alone();
    assert_eq!(test.role(&logins), Some(Role::Admin));
    let turn = logins.asking.try_lock().unwrap();
    test.clock.advance((5 * SECOND).saturating_sub(Duration::from_micros(1)));
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.clock.advance(Duration::from_micros(1));
    let mut asking = pin!(logins.role(ADA, test.user));
    let mut context = Context::from_waker(Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending(), "it is too long ago");
    drop(turn);
    assert!(matches!(asking.as_mut().poll(&mut context), Poll::Ready(Ok(Some(Role::Admin)))));
}

/// Otherwise each of them would wait for as long as the first one, after all who came before.
#[test]
fn who_waited_while_the_store_was_asked_in_vain_does_not_ask_again() {
    let test = Test::new();
    let logins = test.alone();
    test.store.silent.store(true, Relaxed);
    let mut crowd = test.crowd(&logins);
    test.store.gives_up.store(true, Relaxed);
    assert_eq!(on(&mut crowd), [Some(Err(StoreErrorKind::Unavailable)); 10]);

    let mut crowd = test.crowd(&logins);
    test.store.silent.store(false, Relaxed);
    test.store.gives_up.store(true, Relaxed);
    assert_eq!(on(&mut crowd), [Some(Err(StoreErrorKind::Unavailable)); 10], "they came while it was away");
    assert_eq!(test.role(&logins), Some(Role::Admin), "who comes afterwards asks anew");
}

#[test]
fn who_waited_for_an_answer_that_was_long_on_its_way_takes_it() {
    let test = Test::new();
    let logins = test.alone();
    let turn = logins.asking.try_lock().unwrap();
    let mut crowd = test.crowd(&logins);
    test.store.slow.store(3, Relaxed);
    drop(turn);
    assert_eq!(on(&mut crowd), [Some(Ok(Some(Role::Admin))); 10]);
    assert_eq!(test.store.asked.load(Relaxed), 1);
}

#[test]
fn who_waited_for_somebody_who_left_asks_in_their_place() {
    let test = Test::new();
    let logins = test.alone();
    test.store.silent.store(true, Relaxed);
    let mut crowd = test.crowd(&logins);
    drop(crowd.remove(0));
    test.store.silent.store(false, Relaxed);
    assert_eq!(on(&mut crowd), [Some(Ok(Some(Role::Admin))); 9]);
}

#[test]
fn who_waited_while_a_logout_could_not_be_told_is_not_let_in() {
    let test = Test::new();
    let logins = test.alone();
    assert_eq!(test.role(&logins), Some(Role::Admin));
    test.clock.advance(5 * SECOND);
    ready(test.store.revoke(&TOKEN)).unwrap();
    test.store.silent.store(true, Relaxed);
    let mut telling = pin!(logins.tell_all());
    let mut context = Context::from_waker(Waker::noop());
    assert!(telling.as_mut().poll(&mut context).is_pending());
    let mut crowd = test.crowd(&logins);
    test.store.gives_up.store(true, Relaxed);
    assert!(telling.as_mut().poll(&mut context).is_ready());
    assert_eq!(on(&mut crowd), [Some(Err(StoreErrorKind::Unavailable)); 10]);
}

#[test]
fn what_was_taken_back_is_known_for_as_long_as_anything_may_say_otherwise() {
    let test = Test::new();
    let logins = test.alone();
    test.demote(&logins);
    test.log_out(&logins);
    let known = || {
        let known = lock(&logins.known);
        (known.ended.len(), known.changed.len())
    };
    test.clock.advance(TOLD_FOR.saturating_sub(ASKED_EVERY));
    assert_eq!((test.role(&logins), known()), (None, (1, 1)));
    test.clock.advance(ASKED_EVERY);
    assert_eq!((test.role(&logins), known()), (None, (0, 0)), "the store says so itself");
}
