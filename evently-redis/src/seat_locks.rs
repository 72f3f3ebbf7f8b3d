//! Seat locks: a key for each event and seat, with the booking that has it.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{ANSWERS_KEPT, EventId},
    ports::{DECIDING, LockRequest, LocksAway, SeatLocks, Settled},
};
use futures_util::future::try_join_all;
use redis::Script;

use crate::{error::Away, keys, link::Redis};

static ACQUIRE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("scripts/read_all.lua"), include_str!("scripts/acquire.lua"))));
static SETTLE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("scripts/read_all.lua"), include_str!("scripts/settle.lua"))));

/// Seat locks that all instances share. While Redis is away nobody is turned away by them, and the store has everything to decide.
///
/// A lock is the key `evently:seat:{event}:number` and its value the id of the booking, in 32 hexadecimal digits; what a
/// request with a key was told is remembered as `evently:asked:{event}:…`.
pub struct RedisSeatLocks {
    redis: Redis,
}

impl RedisSeatLocks {
    /// Locks over this connection.
    pub fn new(redis: Redis) -> Self {
        metrics::describe_counter!("seat_locks_total", "Requests that asked for seat locks: let through, or turned away.");
        Self { redis }
    }

    /// Asks for the locks of one event's requests.
    async fn acquire_of(&self, event: EventId, requests: &[&LockRequest]) -> Result<Vec<Vec<u32>>, Away> {
        let mut positions = BTreeMap::new();
        let mut seats = Vec::new();
        for &seat in requests.iter().flat_map(|request| &request.seats) {
            positions.entry(seat).or_insert_with(|| {
                seats.push(seat);
                seats.len()
            });
        }
        let mut script = ACQUIRE.prepare_invoke();
        for seat in &seats {
            script.key(self.redis.key(keys::seat(event, *seat)));
        }
        script.arg(millis(DECIDING)).arg(millis(ANSWERS_KEPT));
        let mut marks = 0;
        for request in requests {
            let mark = request.key.map_or(0, |key| {
                script.key(self.redis.key(keys::asked(event, &key.id)));
                marks += 1;
                seats.len() + marks
            });
            script.arg(request.booking_id.as_uuid().simple().to_string()).arg(mark);
            script.arg(request.key.map_or(String::new(), |key| keys::half(&key.fingerprint))).arg(request.seats.len());
            for seat in &request.seats {
                script.arg(positions[seat]);
            }
        }
        let answers: Vec<Vec<usize>> = self.redis.script("acquire", &script).await?;
        let numbers = |answer: Vec<usize>| answer.into_iter().filter_map(|at| seats.get(at - 1).copied()).collect();
        Ok(answers.into_iter().map(numbers).collect())
    }

    async fn settle_of(&self, event: EventId, settled: &[&Settled]) -> Result<(), Away> {
        let mut script = SETTLE.prepare_invoke();
        for one in settled {
            let booking = one.booking_id.as_uuid().simple().to_string();
            // What lasts less than a millisecond is over before it is said.
            let held = one.held.map_or(0, millis);
            for seat in &one.seats {
                script.key(self.redis.key(keys::seat(event, *seat))).arg(&booking).arg(held);
            }
        }
        self.redis.script("settle", &script).await
    }
}

#[async_trait]
impl SeatLocks for RedisSeatLocks {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        let events = by_event(requests.iter().map(|request| request.event_id));
        let calls = events.iter().map(|(event, at)| async move {
            let of_event = at.iter().map(|&at| &requests[at]).collect::<Vec<_>>();
            self.acquire_of(*event, &of_event).await
        });
        let found = try_join_all(calls).await.map_err(locks_away)?;
        let mut answers = vec![Vec::new(); requests.len()];
        for (at, answer) in events.into_values().flatten().zip(found.into_iter().flatten()) {
            answers[at] = answer;
        }
        let turned_away = answers.iter().filter(|answer| !answer.is_empty()).count();
        let count = |outcome, many: usize| metrics::counter!("seat_locks_total", "outcome" => outcome).increment(many as u64);
        count("turned_away", turned_away);
        count("let_through", requests.len() - turned_away);
        Ok(answers)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), LocksAway> {
        let events = by_event(settled.iter().map(|one| one.event_id));
        let calls = events.into_iter().map(|(event, at)| async move {
            let of_event = at.into_iter().map(|at| &settled[at]).collect::<Vec<_>>();
            self.settle_of(event, &of_event).await
        });
        try_join_all(calls).await.map_err(locks_away)?;
        Ok(())
    }
}

/// Where each event is found. A script is of one event, as a node of a cluster would want it; those of a batch are sent at once.
fn by_event(events: impl Iterator<Item = EventId>) -> BTreeMap<EventId, Vec<usize>> {
    let mut found = BTreeMap::<_, Vec<usize>>::new();
    for (at, event) in events.enumerate() {
        found.entry(event).or_default().push(at);
    }
    found
}

fn locks_away(away: Away) -> LocksAway {
    LocksAway(away.into())
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
