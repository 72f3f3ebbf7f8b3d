//! The live feed of several instances.
//!
//! Redis holds a projection of each event that somebody looks at: the version and status of its seats, and the number of that state. One
//! script takes committed changes into it, drops what is no news, numbers the rest as one delta, keeps it in a stream, and tells all
//! instances. So every instance has the same deltas with the same numbers, and an instance that comes later begins with a state that is
//! exactly what its number says. Decision 12 tells how it begins and what it survives.

pub(crate) mod shared;

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{EventId, SeatChange, SeatMap},
    memory::SeatBoard,
    ports::{Catalog, Elsewhere, SeatFeed, StoreError, StoreErrorKind, Subscription},
};
use futures_util::future::join_all;
use rustc_hash::{FxHashMap, FxHashSet};
use shared::{Entry, Failed, Joined, Projection};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    keys,
    link::Redis,
    listener::{Heard, Listener},
};

/// How often something is tried that others keep getting in the way of.
const TRIES: u32 = 4;
/// What is published within this process has no number, and comes after all that has one.
const OF_OUR_OWN: u64 = u64::MAX;
/// What is published while no state is shared, or while it is being made, has none either: it is in that state, and may be missing in one of
/// our own.
const BEFORE_ALL: u64 = 0;

/// The feed of an instance among others. While Redis is away it is a feed for this process alone, whose states have numbers that no other
/// feed gives; whoever follows it begins anew when Redis goes and when it is back.
pub struct RedisSeatFeed {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Arc<dyn Catalog>,
    redis: Redis,
    projection: Projection,
    topics: Mutex<FxHashMap<EventId, Topic>>,
    /// Events of which Redis could not be told something. What it keeps of them outlasts a broken connection, and lacks that.
    untold: Mutex<FxHashSet<EventId>>,
    /// One joins an event at a time, so that a crowd before a new one joins once. Of events for which nobody waits nothing is left.
    joining: Mutex<FxHashMap<EventId, Weak<Joining>>>,
    /// Whether we are told of deltas.
    listening: watch::Sender<bool>,
}

enum Topic {
    /// The state is being got. The deltas that come meanwhile are taken in afterwards.
    Joining(Vec<Entry>),
    /// The state that all instances share.
    Shared(SeatBoard),
    /// A state of our own.
    Local(SeatBoard),
}

impl Topic {
    const fn board(&self) -> Option<&SeatBoard> {
        match self {
            Self::Joining(_) => None,
            Self::Shared(board) | Self::Local(board) => Some(board),
        }
    }

    const fn board_mut(&mut self) -> Option<&mut SeatBoard> {
        match self {
            Self::Joining(_) => None,
            Self::Shared(board) | Self::Local(board) => Some(board),
        }
    }
}

/// Whose turn it is to join an event.
#[derive(Default)]
struct Joining {
    turn: tokio::sync::Mutex<()>,
    /// How often it failed while somebody waited, and why the last time. Those who waited get the same error, so that a store that is away
    /// is not asked by each of them in turn.
    failed: Mutex<(u64, Option<StoreError>)>,
}

impl Joining {
    fn failed(&self) -> MutexGuard<'_, (u64, Option<StoreError>)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &StoreError) {
        let mut failed = self.failed();
        *failed = (failed.0 + 1, Some(error.clone()));
    }

    /// Why it failed, if that was after so many failures.
    fn failed_since(&self, failures: u64) -> Option<StoreError> {
        let failed = self.failed();
        if failed.0 > failures { failed.1.clone() } else { None }
    }
}

/// A state that is being got. Whoever asked for it may leave before it is there, and the deltas would be kept for nobody.
struct Unfinished<'a> {
    inner: &'a Inner,
    event: EventId,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut topics = self.inner.topics();
        if matches!(topics.get(&self.event), Some(Topic::Joining(_))) {
            topics.remove(&self.event);
        }
    }
}

/// What became of deltas that came.
#[derive(PartialEq, Eq)]
enum Taken {
    /// They are in, or were before.
    In,
    /// Some are missing in between, or do not fit.
    Gap,
}

impl RedisSeatFeed {
    /// A feed over the events of `catalog`, on the runtime that this is called on.
    pub fn new(redis: Redis, catalog: Arc<dyn Catalog>) -> Self {
        let inner = Arc::new(Inner {
            projection: Projection::new(redis.clone(), Arc::clone(&catalog)),
            catalog,
            redis,
            topics: Mutex::default(),
            untold: Mutex::default(),
            joining: Mutex::default(),
            listening: watch::Sender::new(false),
        });
        tokio::spawn(keep(Arc::downgrade(&inner)));
        Self { inner }
    }

    /// Waits until the feed is told of what other instances publish; false if it was not within `patience`. Until then it is a feed for
    /// this process alone.
    pub async fn wait_until_listening(&self, patience: Duration) -> bool {
        timeout(patience, self.inner.listening.subscribe().wait_for(|listening| *listening)).await.is_ok()
    }
}

impl Inner {
    fn topics(&self) -> MutexGuard<'_, FxHashMap<EventId, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, FxHashSet<EventId>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn joining(&self, event: EventId) -> Arc<Joining> {
        let mut all = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(joining) = all.get(&event).and_then(Weak::upgrade) {
            return joining;
        }
        all.retain(|_, joining| joining.strong_count() > 0);
        let joining = Arc::default();
        all.insert(event, Arc::downgrade(&joining));
        joining
    }

    /// Does `read` with the event's board; `None` if there is no such event.
    async fn with_board<T>(&self, event: EventId, read: impl Fn(&SeatBoard) -> T + Send) -> Result<Option<T>, StoreError> {
        let ready = || self.topics().get_mut(&event).and_then(Topic::board_mut).map(|board| read(board.look()));
        if let Some(answer) = ready() {
            return Ok(Some(answer));
        }
        let joining = self.joining(event);
        let failures = joining.failed().0;
        let _turn = joining.turn.lock().await;
        for _ in 0..TRIES {
            if let Some(answer) = ready() {
                return Ok(Some(answer));
            }
            if let Some(error) = joining.failed_since(failures) {
                return Err(error);
            }
            if !self.join(event).await.inspect_err(|error| joining.fail(error))? {
                return Ok(None);
            }
        }
        ready()
            .map(Some)
            .ok_or_else(|| StoreError::new(StoreErrorKind::Contended, "seat_map", "others publish too fast to join them"))
    }

    /// Gets the state of an event anew; whoever followed the old one has to begin anew. Needs the turn to join it.
    async fn join(&self, event: EventId) -> Result<bool, StoreError> {
        let old = self.topics().insert(event, Topic::Joining(Vec::new()));
        let _unfinished = Unfinished { inner: self, event };
        let joined = if *self.listening.borrow() { self.projection.join(event).await } else { Err(Failed::Redis) };
        match joined {
            Ok(Some(joined)) => {
                self.begin(event, joined);
                return Ok(true);
            }
            Ok(None) => {
                self.topics().remove(&event);
                return Ok(false);
            }
            Err(Failed::Store(error)) => {
                self.put_back(event, old);
                return Err(error);
            }
            Err(Failed::Redis) => {}
        }
        if let Some(Topic::Local(board)) = old {
            self.begin_here(event, board);
            return Ok(true);
        }
        match self.catalog.seat_map(event).await {
            Ok(Some(map)) => {
                self.begin_here(event, local(map));
                Ok(true)
            }
            Ok(None) => {
                self.topics().remove(&event);
                Ok(false)
            }
            Err(error) => {
                self.put_back(event, old);
                Err(error)
            }
        }
    }

    /// What there was before is better than nothing, unless it was let go of. What came meanwhile is not in it.
    fn put_back(&self, event: EventId, old: Option<Topic>) {
        let mut topics = self.topics();
        let (Some(Topic::Joining(missed)), Some(old)) = (topics.remove(&event), old) else { return };
        topics.insert(event, old);
        drop(topics);
        for entry in missed {
            if [OF_OUR_OWN, BEFORE_ALL].contains(&entry.seq) {
                self.publish_here(event, &entry.changes);
            } else {
                // Where something is missing before it, the next one shows that.
                self.hear(event, entry.seq, vec![entry]);
            }
        }
    }

    /// Begins with a state that was got, and takes in what came meanwhile.
    fn begin(&self, event: EventId, joined: Joined) {
        let mut topics = self.topics();
        let Some(Topic::Joining(mut missed)) = topics.remove(&event) else { return };
        let mut board = SeatBoard::new(joined.map);
        for delta in joined.deltas {
            board.keep(Arc::new(delta));
        }
        missed.retain(|entry| entry.seq != BEFORE_ALL);
        missed.sort_unstable_by_key(|entry| entry.seq);
        if take(&mut board, missed) == Taken::In {
            topics.insert(event, Topic::Shared(board));
        }
        // Otherwise it is gone, and whoever looks next joins again.
    }

    /// Goes on with a state of our own, and takes in what was published meanwhile: it need not be in it.
    fn begin_here(&self, event: EventId, mut board: SeatBoard) {
        let mut topics = self.topics();
        let Some(Topic::Joining(missed)) = topics.remove(&event) else { return };
        for entry in missed {
            board.publish(entry.changes);
        }
        topics.insert(event, Topic::Local(board));
    }

    /// Takes deltas in that came for an event, of which there are as many as lead to the state numbered `seq`.
    fn hear(&self, event: EventId, seq: u64, entries: Vec<Entry>) -> Taken {
        match self.topics().get_mut(&event) {
            Some(Topic::Joining(missed)) => missed.extend(entries),
            Some(Topic::Shared(board)) => {
                if take(board, entries) == Taken::Gap || board.map().seq() < seq || !board.map().is_numbered_like(seq) {
                    return Taken::Gap;
                }
            }
            Some(Topic::Local(_)) | None => {}
        }
        Taken::In
    }

    /// Publishes changes of one event that were committed, or read, in this run of the store's server.
    async fn publish_of(&self, event: EventId, run: u64, changes: Vec<SeatChange>) {
        for _ in 0..TRIES {
            if self.catalog.run() != run {
                // They may be lost with the server, and everybody begins anew.
                return;
            }
            let (known, since) = match self.topics().get(&event) {
                Some(Topic::Shared(board)) => (true, Some(board.map().seq())),
                Some(Topic::Local(_)) => (true, None),
                Some(Topic::Joining(_)) | None => (false, None),
            };
            match self.projection.publish(event, run, since, &changes).await {
                Ok(Some((seq, entries))) => {
                    if self.hear(event, seq, entries) == Taken::In && self.has(event, &changes) {
                        return;
                    }
                    if !known {
                        // The state came while they were on their way, and there is one now to go on from.
                        continue;
                    }
                }
                Ok(None) if !known => {
                    if self.leave(event, &changes) {
                        return;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(_) => {
                    if !changes.is_empty() {
                        self.untold().insert(event);
                    }
                    break;
                }
            }
            self.rejoin(event).await;
        }
        if self.catalog.run() == run {
            self.publish_here(event, &changes);
        }
    }

    /// Leaves changes of which Redis shares nothing to whoever is getting the state. False if they are missing in one that was got meanwhile.
    fn leave(&self, event: EventId, changes: &[SeatChange]) -> bool {
        if let Some(Topic::Joining(missed)) = self.topics().get_mut(&event) {
            missed.push(Entry { seq: BEFORE_ALL, changes: changes.to_vec() });
            return true;
        }
        self.has(event, changes)
    }

    /// Whether the state at hand contains the changes; so does one that is not there yet.
    fn has(&self, event: EventId, changes: &[SeatChange]) -> bool {
        let topics = self.topics();
        let Some(board) = topics.get(&event).and_then(Topic::board) else { return true };
        let versions = board.map().versions();
        changes.iter().all(|change| versions.get(change.number as usize).is_none_or(|version| *version >= change.version))
    }

    /// Publishes changes within this process, which has a state of its own from now on.
    fn publish_here(&self, event: EventId, changes: &[SeatChange]) {
        let mut topics = self.topics();
        match topics.remove(&event) {
            Some(Topic::Shared(board)) => {
                let map = SeatMap::clone(board.map());
                topics.insert(event, Topic::Local(local(map)));
            }
            Some(other) => drop(topics.insert(event, other)),
            None => return,
        }
        match topics.get_mut(&event) {
            Some(Topic::Local(board)) => board.publish(changes.iter().copied()),
            Some(Topic::Joining(missed)) => missed.push(Entry { seq: OF_OUR_OWN, changes: changes.to_vec() }),
            Some(Topic::Shared(_)) | None => unreachable!("it has just been made local"),
        }
    }

    /// Tells Redis what it could not be told, which takes in what is news.
    async fn tell_again(&self) {
        if self.redis.run().is_err() {
            return;
        }
        let mut untold = std::mem::take(&mut *self.untold()).into_iter();
        while let Some(event) = untold.next() {
            let run = self.catalog.run();
            match self.catalog.seat_map(event).await {
                Ok(Some(map)) => self.publish_of(event, run, all_of(event, &map)).await,
                Ok(None) => {}
                Err(_) => _ = self.untold().insert(event),
            }
            // Nothing more is read for a server that takes nothing.
            if self.redis.run().is_err() {
                self.untold().extend(untold);
                return;
            }
        }
    }

    /// Gets all states right: what Redis could not be told it is told, states of our own give way to the shared ones, and those are asked for
    /// what we may have missed.
    async fn catch_up(&self, all: bool) {
        self.tell_again().await;
        let events = self.topics().iter().map(|(event, topic)| (*event, matches!(topic, Topic::Local(_)))).collect::<Vec<_>>();
        for (event, local) in events {
            if local {
                self.rejoin(event).await;
            } else if all {
                self.publish_of(event, self.catalog.run(), Vec::new()).await;
            }
        }
    }

    async fn rejoin(&self, event: EventId) {
        let joining = self.joining(event);
        let _turn = joining.turn.lock().await;
        if let Err(error) = self.join(event).await.inspect_err(|error| joining.fail(error)) {
            tracing::warn!(%event, error = &error as &dyn std::error::Error, "a live feed could not begin anew");
        }
    }

    /// What is said on a channel.
    async fn told(&self, channel: &str, message: &str) {
        let Some(event) = keys::event_of(channel) else { return };
        let taken = Entry::parse(event, message).map_or(Taken::Gap, |entry| self.hear(event, entry.seq, vec![entry]));
        // Something is missing, or the state that all share was lost: asks for what there is.
        if taken == Taken::Gap && self.topics().contains_key(&event) {
            self.publish_of(event, self.catalog.run(), Vec::new()).await;
        }
    }
}

/// Takes in those deltas that follow on the state.
fn take(board: &mut SeatBoard, entries: Vec<Entry>) -> Taken {
    for Entry { seq, changes } in entries {
        let now = board.map().seq();
        if !board.map().is_numbered_like(seq) || seq > now + 1 {
            return Taken::Gap;
        }
        if seq <= now {
            continue;
        }
        board.publish(changes);
        if board.map().seq() != seq {
            return Taken::Gap;
        }
    }
    Taken::In
}

/// All that has become of the seats of an event.
fn all_of(event_id: EventId, map: &SeatMap) -> Vec<SeatChange> {
    let seats = (0..).zip(map.statuses().iter().zip(map.versions())).filter(|(_, (_, version))| **version > 0);
    seats.map(|(number, (&status, &version))| SeatChange { event_id, number, status, version }).collect()
}

/// A board whose states have numbers that no other feed gives.
fn local(map: SeatMap) -> SeatBoard {
    SeatBoard::new(numbered_apart(map))
}

/// The same state with a number that no other feed gives.
fn numbered_apart(map: SeatMap) -> SeatMap {
    map.numbered_apart(RandomState::new().build_hasher().finish())
}

#[async_trait]
impl SeatFeed for RedisSeatFeed {
    async fn publish(&self, changes: &[SeatChange]) {
        let run = self.inner.catalog.run();
        let mut by_event = FxHashMap::<_, Vec<_>>::default();
        for change in changes {
            by_event.entry(change.event_id).or_default().push(*change);
        }
        join_all(by_event.into_iter().map(|(event, changes)| self.inner.publish_of(event, run, changes))).await;
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        self.inner.with_board(event, |board| Arc::clone(board.map())).await
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        self.inner.with_board(event, |board| board.subscribe(since)).await
    }

    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError> {
        if *elsewhere == Elsewhere::AnotherRun {
            // What all share is of the other run as well, and begins anew with whoever looks first.
            self.inner.topics().clear();
            self.inner.untold().clear();
            return Ok(());
        }
        let events = self.inner.topics().keys().copied().filter(|event| elsewhere.concerns(*event)).collect::<Vec<_>>();
        for event in events {
            // What is being got may be of before, and is compared when it is there.
            let is_being_got = matches!(self.inner.topics().get(&event), Some(Topic::Joining(_)));
            if is_being_got && self.inner.with_board(event, |_| ()).await?.is_none() {
                continue;
            }
            let run = self.inner.catalog.run();
            let Some(fresh) = self.inner.catalog.seat_map(event).await? else { continue };
            let changes = match self.inner.topics().get(&event).and_then(Topic::board) {
                Some(board) => board.map().changes_to(event, &fresh),
                None => continue,
            };
            if !changes.is_empty() {
                self.inner.publish_of(event, run, changes).await;
            }
        }
        Ok(())
    }

    fn let_go(&self) {
        self.inner.topics().retain(|_, topic| topic.board_mut().is_none_or(|board| !board.is_idle()));
    }
}

/// Listens for as long as the feed is there.
async fn keep(feed: Weak<Inner>) {
    loop {
        let Some(inner) = feed.upgrade() else { return };
        let probe = inner.redis.probe();
        if let Ok(listener) = inner.redis.listen(&inner.redis.key("feed:*")).await {
            inner.listening.send_replace(true);
            inner.catch_up(true).await;
            drop(inner);
            listen(&feed, listener).await;
            let Some(inner) = feed.upgrade() else { return };
            inner.listening.send_replace(false);
        } else {
            inner.tell_again().await;
            drop(inner);
        }
        sleep(probe).await;
    }
}

async fn listen(feed: &Weak<Inner>, mut listener: Listener) {
    while let Some(heard) = listener.next().await {
        let Some(inner) = feed.upgrade() else { return };
        match heard {
            Heard::Message(channel, text) => inner.told(&channel, &text).await,
            Heard::Nothing => inner.catch_up(false).await,
        }
    }
}
