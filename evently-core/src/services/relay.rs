//! Hands on what the journal says has happened, each entry once it is committed, in order, by one process at a time.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;

use super::Error;
use crate::{
    domain::{Entry, Timestamp},
    ports::{Carrier, Claim, Clock, Handler, Ids, NotCarried, OtherError, Outbox},
};

/// After this time a round ends, so that whoever calls can look whether there is something else to do.
const ROUND: Duration = Duration::from_secs(1);

/// Takes entries out of the outbox and gives them to a [`Carrier`]. Any number of processes may have one.
pub struct Relay {
    parts: RelayParts,
    /// Why entries are not handed on, while they are not; so that it is said once.
    stuck: Mutex<Option<String>>,
    /// A position that the journal had reached when somebody looked last.
    head: AtomicU64,
}

/// The ports of a [`Relay`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct RelayParts {
    pub outbox: Arc<dyn Outbox>,
    pub carrier: Arc<dyn Carrier>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// One call of [`Relay::hand_on`], as far as it has come.
struct Round {
    claim: Claim,
    ends: Timestamp,
    /// The position up to which everything has been taken.
    done: u64,
    taken: usize,
}

impl Relay {
    /// How many entries are read at a time.
    pub const AT_ONCE: u32 = 2_000;

    /// The name under which the outbox knows how far entries have been handed on, whatever carries them: so nothing is told twice or
    /// left out when a broker comes or goes.
    pub const CONSUMER: &str = "relay";

    /// The relay over these ports.
    pub const fn new(parts: RelayParts) -> Self {
        Self { parts, stuck: Mutex::new(None), head: AtomicU64::new(0) }
    }

    /// Hands on what there is, for about a second at most, unless another process is doing so. How many entries that were.
    ///
    /// What the carrier does not take stops the rest; it is tried again with the next call. So is what comes meanwhile: during a sale
    /// there is always a little more, and to fetch it bit by bit would cost the sale as much as the selling.
    pub async fn hand_on(&self) -> Result<usize, Error> {
        let RelayParts { outbox, clock, ids, .. } = &self.parts;
        // Whoever finds nothing to do writes nothing.
        let seen = outbox.position(Self::CONSUMER).await?;
        let mut entries = outbox.after(seen, Self::AT_ONCE).await?;
        if entries.is_empty() {
            return Ok(0);
        }
        let claim = Claim::new(&**ids, &**clock);
        let Some(start) = outbox.claim(Self::CONSUMER, &claim).await? else { return Ok(0) };
        if start != seen {
            entries = outbox.after(start, Self::AT_ONCE).await?;
        }
        let mut round = Round { claim, ends: claim.now + ROUND, done: start, taken: 0 };
        let mut read = Ok(());
        while let Some(last) = entries.last() {
            let (after, all) = (last.position, entries.len() < Self::AT_ONCE as usize);
            // The next are read while these are on their way.
            let next = async { if all { Ok(Vec::new()) } else { outbox.after(after, Self::AT_ONCE).await } };
            let (goes_on, next) = tokio::join!(self.carry(&entries, &mut round), next);
            if !goes_on {
                break;
            }
            match next {
                Ok(next) => entries = next,
                Err(error) => {
                    read = Err(error.into());
                    break;
                }
            }
            if !entries.is_empty() && !self.note(&mut round).await? {
                return Ok(round.taken);
            }
        }
        outbox.advance(Self::CONSUMER, round.done, &round.claim.over(clock.now())).await?;
        read.map(|()| round.taken)
    }

    /// Gives the entries to the carrier, as many at a time as it likes. Whether the round goes on.
    async fn carry(&self, entries: &[Entry], round: &mut Round) -> bool {
        let RelayParts { carrier, clock, .. } = &self.parts;
        for part in entries.chunks(carrier.at_once().max(1)) {
            let carried = carrier.carry(part).await;
            let taken = carried.as_ref().map_or_else(|error| error.taken, |()| part.len());
            let taken = if planted!(RelayMovesOnFirst) { part.len() } else { taken };
            round.done = part[..taken].last().map_or(round.done, |entry| entry.position);
            round.taken += taken;
            self.say(round.done, carried.as_ref().err());
            // Long before its claim would: a round has a second. Where one carrying outlasts both, somebody else's claim stands.
            if carried.is_err() || clock.now() >= round.ends {
                return false;
            }
        }
        true
    }

    /// Notes how far the round has come, and keeps the rest for it, unless somebody took over; then that is theirs.
    async fn note(&self, round: &mut Round) -> Result<bool, Error> {
        round.claim = round.claim.prolonged(self.parts.clock.now());
        Ok(self.parts.outbox.advance(Self::CONSUMER, round.done, &round.claim).await?)
    }

    /// Says why entries are not handed on: once for each reason, however often it is tried; and when they are again.
    fn say(&self, after: u64, error: Option<&NotCarried>) {
        let why = error.map(|error| error.source.to_string());
        let before = std::mem::replace(&mut *self.stuck.lock().unwrap_or_else(PoisonError::into_inner), why.clone());
        match error {
            Some(error) if before != why => {
                tracing::warn!(error = &*error.source as &dyn std::error::Error, after, "not handed on yet; trying again");
            }
            None if before.is_some() => tracing::info!(after, "handing on again"),
            _ => {}
        }
    }

    /// How many entries wait to be handed on.
    ///
    /// Positions count entries, so it is enough to find the last: by steps that double as long as something is there, and halve then.
    pub async fn waiting(&self) -> Result<u64, Error> {
        let outbox = &self.parts.outbox;
        let position = outbox.position(Self::CONSUMER).await?;
        let known = self.head.load(Ordering::Relaxed);
        // A failover may have lost what was there.
        let is_there = known > position && !outbox.after(known - 1, 1).await?.is_empty();
        let mut last = if is_there { known } else { position };
        let (mut step, mut growing) = (1, true);
        while step > 0 {
            let there = outbox.after(last + step - 1, 1).await?.pop();
            growing &= there.is_some();
            last = there.map_or(last, |entry| entry.position);
            step = if growing { step * 2 } else { step / 2 };
        }
        self.head.store(last, Ordering::Relaxed);
        Ok(last - position)
    }

    /// Passes over all that has happened so far, as if it had been handed on.
    pub async fn pass_over(&self) -> Result<(), Error> {
        let RelayParts { outbox, clock, ids, .. } = &self.parts;
        let claim = Claim::new(&**ids, &**clock);
        let Some(mut position) = outbox.claim(Self::CONSUMER, &claim).await? else { return Err(Error::InFlight) };
        while let Some(last) = outbox.after(position, Self::AT_ONCE).await?.last() {
            position = last.position;
        }
        let ours = outbox.advance(Self::CONSUMER, position, &claim.over(clock.now())).await?;
        if ours { Ok(()) } else { Err(Error::InFlight) }
    }
}

/// Carries entries to handlers in the process, without a broker: one after the other, each to all.
pub struct InProcess {
    handlers: Vec<Arc<dyn Handler>>,
}

impl InProcess {
    /// To these handlers.
    pub const fn new(handlers: Vec<Arc<dyn Handler>>) -> Self {
        Self { handlers }
    }
}

#[async_trait]
impl Carrier for InProcess {
    /// One, because acting on an entry may take as long as sending a mail.
    fn at_once(&self) -> usize {
        1
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        for (taken, entry) in entries.iter().enumerate() {
            for handler in &self.handlers {
                handle(&**handler, entry).await.map_err(|source| NotCarried { taken, source })?;
            }
        }
        Ok(())
    }
}

/// Has the handler act on an entry. One that panics has failed, and does not take along whoever hands entries on.
async fn handle(handler: &dyn Handler, entry: &Entry) -> Result<(), OtherError> {
    let mut acting = pin!(handler.handle(entry));
    std::future::poll_fn(|cx| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| acting.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err("acting on it panicked".into())))
    })
    .await
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        heard::heard,
        memory::{ManualClock, SeededIds},
        story::Story,
        sync::ready,
    };

    /// Takes an entry at a time, or says why it does not.
    #[derive(Default)]
    struct Moody(Mutex<Option<&'static str>>);

    #[async_trait]
    impl Carrier for Moody {
        fn at_once(&self) -> usize {
            1
        }

        async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
            self.0.lock().unwrap().map_or(Ok(()), |why| Err(NotCarried { taken: 0, source: why.into() }))
        }
    }

    #[test]
    fn why_entries_are_not_handed_on_is_said_once_for_each_reason_and_that_they_are_again() {
        let story = Story::tell();
        let carrier = Arc::new(Moody::default());
        let (clock, ids) = (Arc::new(ManualClock::new(story.now)), Arc::new(SeededIds::new(1)));
        let relay = Relay::new(RelayParts { outbox: story.store.clone(), carrier: carrier.clone(), clock, ids });
        let entries = story.records.journal.len();
        let lines = heard(|| {
            for why in [Some("closed"), Some("closed"), Some("burnt down"), None] {
                *carrier.0.lock().unwrap() = why;
                assert_eq!(ready(relay.hand_on()).unwrap(), if why.is_some() { 0 } else { entries });
            }
        });
        let expected = [
            "WARN not handed on yet; trying again error=closed after=0",
            "WARN not handed on yet; trying again error=burnt down after=0",
            "INFO handing on again after=1",
        ];
        assert_eq!(lines, expected);
    }
}
