//! Hands on what the journal says has happened, each entry once it is committed, in order, by one process at a time.

use std::sync::Arc;

use async_trait::async_trait;

use super::Error;
use crate::{
    domain::Entry,
    ports::{CLAIM_LASTS, Carrier, Claim, Clock, Handler, Ids, NotCarried, Outbox},
};

/// How many entries are read at a time.
const BATCH: u32 = 2_000;

/// Takes entries out of the outbox and gives them to a [`Carrier`]. Any number of processes may have one.
pub struct Relay {
    parts: RelayParts,
}

/// The ports of a [`Relay`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct RelayParts {
    pub outbox: Arc<dyn Outbox>,
    pub carrier: Arc<dyn Carrier>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

impl Relay {
    /// The name under which the outbox knows how far entries have been handed on, whatever carries them: so nothing is told twice or
    /// left out when a broker comes or goes.
    pub const CONSUMER: &str = "relay";

    /// The relay over these ports.
    pub const fn new(parts: RelayParts) -> Self {
        Self { parts }
    }

    /// Hands on what is next, unless another process is doing so. How many entries that were.
    ///
    /// What the carrier does not take stops the rest; it is tried again with the next call.
    pub async fn hand_on(&self) -> Result<usize, Error> {
        let RelayParts { outbox, carrier, clock, ids } = &self.parts;
        // Whoever finds nothing to do writes nothing.
        let seen = outbox.position(Self::CONSUMER).await?;
        let mut entries = outbox.after(seen, BATCH).await?;
        if entries.is_empty() {
            return Ok(0);
        }
        let mut claim = Claim::new(&**ids, &**clock);
        let Some(start) = outbox.claim(Self::CONSUMER, &claim).await? else { return Ok(0) };
        if start != seen {
            entries = outbox.after(start, BATCH).await?;
        }
        let (mut done, mut taken) = (start, 0);
        for part in entries.chunks(carrier.at_once().max(1)) {
            let carried = carrier.carry(part).await;
            let part_taken = carried.as_ref().map_or_else(|error| error.taken, |()| part.len());
            done = part[..part_taken].last().map_or(done, |entry| entry.position);
            taken += part_taken;
            if let Err(NotCarried { source, .. }) = carried {
                tracing::warn!(error = &*source as &dyn std::error::Error, after = done, "not handed on yet");
                break;
            }
            let now = clock.now();
            if claim.until.since(now) < CLAIM_LASTS / 2 {
                claim = claim.prolonged(now);
                if !outbox.advance(Self::CONSUMER, done, &claim).await? {
                    // Somebody took over; the rest is theirs.
                    return Ok(taken);
                }
            }
        }
        outbox.advance(Self::CONSUMER, done, &claim.over(clock.now())).await?;
        Ok(taken)
    }

    /// Passes over all that has happened so far, as if it had been handed on.
    pub async fn pass_over(&self) -> Result<(), Error> {
        let RelayParts { outbox, clock, ids, .. } = &self.parts;
        let claim = Claim::new(&**ids, &**clock);
        let Some(mut position) = outbox.claim(Self::CONSUMER, &claim).await? else { return Err(Error::InFlight) };
        while let Some(last) = outbox.after(position, BATCH).await?.last() {
            position = last.position;
        }
        outbox.advance(Self::CONSUMER, position, &claim.over(clock.now())).await?;
        Ok(())
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
                handler.handle(entry).await.map_err(|source| NotCarried { taken, source })?;
            }
        }
        Ok(())
    }
}
