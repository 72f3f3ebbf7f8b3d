//! A batch of requests as one transaction: read, decided, written, and tried again where others were in the way.

mod parts;
mod read;
mod write;

use std::time::Duration;

use evently_core::{
    domain::{Answer, Request, Timestamp, decide},
    ports::{Applied, StoreError, StoreErrorKind},
};

use tokio::time::Instant;

use self::{read::read, write::write};
pub(crate) use self::{
    read::{PAYMENTS, REFUNDS, SALE, TICKETS},
    write::whole,
};
use crate::{
    Time,
    error::Fault,
    gauges,
    ledger::{BatchLedger, Rows, Wanted, Written},
    store::PgStore,
};

const OPERATION: &str = "apply";
/// How often a batch is tried before others are said to be in the way.
const TRIES: u32 = 12;
/// Whoever waits for somebody's row for so long, however often, is told so: most likely a person at a console has it, and the rest of the
/// batch can go on without.
const IN_VAIN: Duration = Duration::from_secs(5);
/// A batch that has waited for longer than this is decided as of then, where the time is that of whoever asks.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long it rests before the second try, on average; twice as long before each further one, to a limit.
const REST: Duration = Duration::from_millis(1);
const REST_MAX: Duration = Duration::from_millis(250);

/// Decides the requests in one transaction.
pub(crate) async fn apply(store: &PgStore, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
    let mut in_doubt = Vec::new();
    let mut applied = until_decided(store, now, requests, &mut in_doubt).await;
    if in_doubt.is_empty() {
        return applied;
    }
    if let Ok(applied) = &mut applied {
        give_first(&mut applied.answers, &in_doubt);
    }
    applied
}

/// Nobody has been given the answers that a try of our own has kept, though it looks as if they had been.
fn give_first(answers: &mut [Answer], in_doubt: &[Vec<Answer>]) {
    for (number, answer) in answers.iter_mut().enumerate() {
        let ours = |tried: &Answer| !tried.replayed && (tried.at, &tried.result) == (answer.at, &answer.result);
        answer.replayed &= !in_doubt.iter().map(|tried| &tried[number]).any(ours);
    }
}

async fn until_decided(
    store: &PgStore,
    now: Timestamp,
    requests: &[Request],
    in_doubt: &mut Vec<Vec<Answer>>,
) -> Result<Applied, StoreError> {
    let (mut tries, mut met, began) = (0, 0, Instant::now());
    loop {
        let clock = AsOf { now, began, at_once: tries == 0 };
        let fault = match attempt(store, met, &clock, requests, in_doubt).await {
            Ok(applied) => return Ok(applied),
            Err(fault) => fault,
        };
        tries += 1;
        // Of a commit in doubt the next try tells: what has been committed is found by its keys and ids.
        let again = matches!(fault.kind(), StoreErrorKind::InDoubt | StoreErrorKind::Contended);
        let in_vain = fault.waited_for_somebody() && began.elapsed() > IN_VAIN;
        if !again || in_vain || tries == TRIES {
            // What an earlier try may have done is not known yet.
            let kind = if in_doubt.is_empty() { fault.kind() } else { StoreErrorKind::InDoubt };
            return Err(StoreError::new(kind, OPERATION, fault));
        }
        if fault.has_met_somebody() {
            met += 1;
            store.turns.call_for();
        }
        tracing::debug!(error = %fault, tries, "batch is tried again");
        tokio::time::sleep(rest(store, tries)).await;
    }
}

/// As of when a batch is decided, where the server's time is not to be gone by. What is decided over rows that others have written meanwhile
/// was not decided before them: they may have begun after us where we were tried again, or have waited for a connection or an answer.
struct AsOf {
    now: Timestamp,
    began: Instant,
    at_once: bool,
}

impl AsOf {
    /// To be asked when the rows have been read.
    fn now(&self) -> Timestamp {
        let waited = self.began.elapsed();
        if self.at_once && waited < AT_ONCE { self.now } else { self.now + waited }
    }
}

/// Between nothing and twice the average, so that those who met do not meet again.
fn rest(store: &PgStore, tries: u32) -> Duration {
    let average = REST.saturating_mul(1 << tries.min(16)).min(REST_MAX);
    let share = u32::try_from(store.ids.secret() % 1024).expect("it is below 1024");
    average * 2 * share / 1024
}

/// Decides and writes once, where it was in somebody's way so often before. The answers of a commit in doubt are added to the others.
async fn attempt(
    store: &PgStore,
    met: u32,
    clock: &AsOf,
    requests: &[Request],
    in_doubt: &mut Vec<Vec<Answer>>,
) -> Result<Applied, Fault> {
    let mut tx = store.batch(met).await?;
    let mut rows = Rows::default();
    let mut wanted = Wanted::foreseen(requests, &rows);
    let locking = Instant::now();
    loop {
        while !wanted.is_empty() || rows.read_at.is_none() {
            read(&mut tx, &wanted, &mut rows).await?;
            wanted = Wanted::foreseen(requests, &rows);
        }
        let mut ledger = BatchLedger::new(&rows);
        let mut answers = Vec::with_capacity(requests.len());
        let now = match (store.time, rows.read_at) {
            (Time::Server, Some(read_at)) => store.not_earlier(read_at),
            _ => store.not_earlier(clock.now()),
        };
        for request in requests {
            // Missing rows are wanted now. The others are decided all the same: they may want some as well.
            answers.extend(decide(&mut ledger, &*store.ids, now, request).ok());
        }
        if ledger.wanted.is_empty() {
            let Written { changes, .. } = &ledger.written;
            let applied = Applied { answers, changes: changes.clone() };
            write(&mut tx, store, &rows, &ledger.written).await?;
            let committed = tx.commit().await;
            if let Err(Fault::InDoubt(_)) = committed {
                // Before the next try, which writes under another id what it does itself.
                store.writer.disown();
                in_doubt.push(applied.answers.clone());
            }
            if committed.is_ok() {
                gauges::locked(locking.elapsed());
            }
            return committed.map(|()| applied);
        }
        wanted = ledger.wanted;
    }
}
