//! The projection in Redis, and the scripts over it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use evently_core::{
    domain::{EventId, SeatChange, SeatMap, SeatStatus},
    import::limits::SEATS_MAX,
    memory::SeatBoard,
    ports::{Catalog, Delta, StoreError, StoreErrorKind},
};
use redis::Script;

use super::numbered_apart;
use crate::{error::Away, keys, link::Redis};

static JOIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/feed_join.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/feed_fill.lua")));
static PUBLISH: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("../scripts/read_all.lua"), include_str!("../scripts/feed_publish.lua"))));

/// For how many seconds an event is kept that nobody looks at and in which nothing changes.
const IDLE_SECS: u32 = 6 * 60 * 60;

/// How often something is tried that others keep getting in the way of.
const TRIES: u32 = 4;

/// States are numbered up to here, and go on from there: a script counts in doubles, which have 53 bits.
const SEQ_MAX: u64 = 1 << 53;

/// One delta of an event.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) changes: Vec<SeatChange>,
}

/// A state with the deltas that led to it.
pub(crate) struct Joined {
    pub(crate) map: SeatMap,
    pub(crate) deltas: Vec<Delta>,
}

/// Why there is no state to be had.
pub(crate) enum Failed {
    /// Redis is away, or others have been in the way for too long.
    Redis,
    Store(StoreError),
}

impl From<Away> for Failed {
    fn from(_: Away) -> Self {
        Self::Redis
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Entries of a stream, as the server writes them: an id, and fields with their values.
type Entries = Vec<(String, Vec<String>)>;

pub(super) struct Projection {
    redis: Redis,
    catalog: Arc<dyn Catalog>,
}

impl Projection {
    pub(super) const fn new(redis: Redis, catalog: Arc<dyn Catalog>) -> Self {
        Self { redis, catalog }
    }

    /// What was read from another run of the store's server is as little worth as what another run of Redis kept.
    fn runs(&self) -> Result<String, Away> {
        self.runs_with(self.catalog.run())
    }

    fn runs_with(&self, run: u64) -> Result<String, Away> {
        Ok(format!("{}/{run}", self.redis.run()?))
    }

    fn prepare(&self, script: &'static Script, event: EventId, runs: &str) -> redis::ScriptInvocation<'static> {
        let mut script = script.prepare_invoke();
        script.key(self.redis.key(keys::feed(event))).key(self.redis.key(keys::feed_state(event)));
        script.arg(runs).arg(IDLE_SECS);
        script
    }

    /// The state of an event, which is begun where there is none; `None` if there is no such event.
    pub(super) async fn join(&self, event: EventId) -> Result<Option<Joined>, Failed> {
        if let Some(joined) = self.ready(event, &self.runs()?, false).await? {
            return Ok(Some(joined));
        }
        if self.catalog.event(event).await?.is_none() {
            return Ok(None);
        }
        for _ in 0..TRIES {
            // Asked for before the store is read: what is read from an older server gets into no state of a newer one.
            let runs = self.runs()?;
            // First it takes in what is published; whatever was published before is in the store by then.
            if let Some(joined) = self.ready(event, &runs, true).await? {
                return Ok(Some(joined));
            }
            let Some(map) = self.catalog.seat_map(event).await? else { return Ok(None) };
            if let Some(joined) = self.fill(event, &runs, &numbered_apart(map)).await? {
                return Ok(Some(joined));
            }
        }
        Err(Failed::Redis)
    }

    async fn ready(&self, event: EventId, runs: &str, begin: bool) -> Result<Option<Joined>, Failed> {
        let mut script = self.prepare(&JOIN, event, runs);
        script.arg(u8::from(begin));
        self.joined(event, "feed_join", &script).await
    }

    async fn fill(&self, event: EventId, runs: &str, map: &SeatMap) -> Result<Option<Joined>, Failed> {
        let mut script = self.prepare(&FILL, event, runs);
        script.arg(map.counts().total).arg(map.seq());
        for (number, (status, version)) in (0_u32..).zip(map.statuses().iter().zip(map.versions())) {
            if *version > 0 {
                script.arg(number).arg(value(*status, *version));
            }
        }
        self.joined(event, "feed_fill", &script).await
    }

    async fn joined(
        &self,
        event: EventId,
        operation: &'static str,
        script: &redis::ScriptInvocation<'_>,
    ) -> Result<Option<Joined>, Failed> {
        read_joined(event, operation, self.redis.script(operation, script).await?)
    }

    /// Takes changes in that were committed in this run of the store's server, and gives the number of the state then and the deltas after `since`; `None` if there is no state.
    pub(super) async fn publish(
        &self,
        event: EventId,
        run: u64,
        since: Option<u64>,
        changes: &[SeatChange],
    ) -> Result<Option<(u64, Vec<Entry>)>, Away> {
        let mut script = self.prepare(&PUBLISH, event, &self.runs_with(run)?);
        script.arg(SeatBoard::KEPT).arg(self.redis.key(keys::feed(event)));
        script.arg(since.map_or_else(String::new, |since| since.to_string()));
        for change in changes {
            script.arg(change.number).arg(value(change.status, change.version));
        }
        let answer: Option<(u64, Entries)> = read_answer(self.redis.script("feed_publish", &script).await?)?;
        Ok(answer.map(|(seq, entries)| (seq, parse_all(event, entries))))
    }
}

/// The state that a script has answered; `None` if there is none.
pub(crate) fn read_joined(event: EventId, operation: &'static str, answer: Vec<redis::Value>) -> Result<Option<Joined>, Failed> {
    let answer: Option<(HashMap<String, String>, Entries)> = read_answer(answer)?;
    let Some((fields, entries)) = answer else { return Ok(None) };
    let joined = state(event, &fields, entries);
    joined
        .map(Some)
        .ok_or_else(|| Failed::Store(StoreError::new(StoreErrorKind::Corrupt, operation, "the shared state of seats is none")))
}

/// What a script has answered; `None` if that was an empty list.
fn read_answer<T: redis::FromRedisValue>(answer: Vec<redis::Value>) -> Result<Option<T>, Away> {
    if answer.is_empty() {
        return Ok(None);
    }
    let answer = redis::from_redis_value(redis::Value::Array(answer));
    answer.map(Some).map_err(|error| Away::Failed(error.into()))
}

impl Entry {
    /// What is told of a delta: its number, and its changes.
    pub(crate) fn parse(event: EventId, message: &str) -> Option<Self> {
        let (seq, changes) = message.split_once(' ')?;
        Some(Self { seq: seq.parse().ok()?, changes: parse_changes(event, changes)? })
    }
}

fn parse_changes(event_id: EventId, text: &str) -> Option<Vec<SeatChange>> {
    let change = |change: &str| {
        let (number, value) = change.split_once(' ')?;
        let (status, version) = read(value)?;
        Some(SeatChange { event_id, number: number.parse().ok()?, status, version })
    };
    text.split(',').map(change).collect()
}

/// The entries, as far as they can be read.
fn parse_all(event: EventId, entries: Entries) -> Vec<Entry> {
    let entry = |(id, fields): (String, Vec<String>)| {
        let seq = id.split_once('-')?.0.parse().ok()?;
        Some(Entry { seq, changes: parse_changes(event, fields.get(1)?)? })
    };
    entries.into_iter().map_while(entry).collect()
}

/// A seat in one number.
fn value(status: SeatStatus, version: u32) -> u64 {
    u64::from(version) * 4 + status as u64
}

fn read(value: &str) -> Option<(SeatStatus, u32)> {
    let value = value.parse::<u64>().ok()?;
    let (_, status) = SeatStatus::NAMES[usize::try_from(value % 4).ok()?];
    Some((status, u32::try_from(value / 4).ok()?))
}

/// Reads a state; `None` if it is none.
fn state(event: EventId, fields: &HashMap<String, String>, entries: Entries) -> Option<Joined> {
    let number = |name: &str| fields.get(name)?.parse::<u64>().ok();
    let total = usize::try_from(number("seats")?).ok().filter(|total| *total <= SEATS_MAX)?;
    let seq = number("seq").filter(|seq| *seq <= SEQ_MAX)?;
    let mut seats = vec![(SeatStatus::Available, 0); total];
    for (name, value) in fields {
        if let Ok(number) = name.parse::<usize>() {
            *seats.get_mut(number)? = read(value)?;
        }
    }
    let mut deltas = parse_all(event, entries).into_iter().map(|entry| Delta::new(entry.seq, entry.changes)).collect::<Vec<_>>();
    // They are of use only where they lead on to the state, and are of its seats.
    let of_others = deltas.iter().flat_map(|delta| &delta.changes).any(|change| change.number as usize >= total);
    if of_others || deltas.last().is_some_and(|last| last.seq != seq) {
        deltas.clear();
    }
    Some(Joined { map: SeatMap::new(seats).numbered(seq), deltas })
}
