//! Checks everything that the store holds now and then, and says in the metrics what must not be.

use std::{convert::Infallible, sync::Arc, time::Duration};

use evently_core::{
    audit::audit_all,
    domain::Timestamp,
    ports::{CLAIM_LASTS, Claim},
    services::Error,
};
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::compose::{App, stopped};

/// Under this name one of the processes on a store has taken it on. It has come as far as its last [`Verdict`].
const CONSUMER: &str = "audit";

/// A claim is short, so that a process that was killed is soon followed by another, and prolonged in time.
const PROLONGED: Duration = CLAIM_LASTS.checked_div(3).expect("three is not zero");

/// What an audit has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    /// When it began.
    began: Timestamp,
    is_sound: bool,
}

impl Verdict {
    /// As a number that grows with time: twice the microseconds, and one more where something was found.
    fn number(self) -> u64 {
        2 * self.began.as_micros().unsigned_abs() + u64::from(!self.is_sound)
    }

    fn of_number(number: u64) -> Self {
        let micros = i64::try_from(number / 2).expect("it is half of what fits");
        Self { began: Timestamp::from_micros(micros), is_sound: number.is_multiple_of(2) }
    }

    /// Whether the next audit need not begin at `now`. A clock that was ahead for a while must not put it off.
    fn lasts(self, now: Timestamp, every: Duration) -> bool {
        self.began <= now && now.since(self.began) < every
    }
}

/// Checks for as long as the application runs, where no other process does. It belongs where the metrics are asked for.
pub async fn run(app: Arc<App>) {
    let every = app.config.workers.audit;
    if every.is_zero() {
        return;
    }
    let mut stopping = app.stopping.subscribe();
    let claim = Claim::new(&*app.ids, &*app.clock);
    let mut last = None;
    while !*stopping.borrow() {
        let now = app.clock.now();
        match app.store.outbox.claim(CONSUMER, &claim.prolonged(now)).await {
            Ok(Some(number)) => {
                if last.is_none() {
                    // Whoever has found something is followed by an audit at once.
                    last = Some(Verdict::of_number(number)).filter(|verdict| verdict.is_sound && verdict.lasts(now, every));
                    if last.is_some() {
                        show(0.0);
                    }
                }
                if last.is_none_or(|verdict| !verdict.lasts(now, every)) {
                    let found = tokio::select! {
                        found = audit(&app, claim) => found,
                        never = keep(&app, claim) => match never {},
                    };
                    // Where nothing could be seen, what was seen before stands; it is tried again in the same rhythm.
                    let before = last.is_none_or(|verdict| verdict.is_sound);
                    last = Some(Verdict { began: now, is_sound: found.unwrap_or(before) });
                }
            }
            // Another one's figure is newer from now on; or will be soon, and until then nobody takes back what was found here.
            Ok(None) => {
                if last.is_some_and(|verdict| verdict.is_sound || !verdict.lasts(now, every)) {
                    last = None;
                    show(f64::NAN);
                }
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        }
        // Ends early when the application is to stop.
        let _ = timeout(every.min(PROLONGED), stopped(&mut stopping)).await;
    }
    // Whoever comes next need not wait. If the store is away they do.
    let _ = app.store.outbox.claim(CONSUMER, &claim.over(app.clock.now())).await;
}

fn show(violations: f64) {
    metrics::gauge!("evently_invariant_violations").set(violations);
}

/// Keeps the claim for as long as an audit takes.
async fn keep(app: &App, claim: Claim) -> Infallible {
    loop {
        sleep(PROLONGED).await;
        // It is tried again; if another has it meanwhile, both look.
        let _ = app.store.outbox.claim(CONSUMER, &claim.prolonged(app.clock.now())).await;
    }
}

/// One audit, on a thread of its own, because it computes for long where an event is large: whether it found nothing. It is left when the
/// application is to stop, and says nothing then, nor where it could not read.
async fn audit(app: &Arc<App>, claim: Claim) -> Option<bool> {
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let audit = move || {
        let mut stopping = app.stopping.subscribe();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => Ok(None),
                told = tell(&app, claim) => told.map(Some),
            }
        })
    };
    match spawn_blocking(audit).await {
        Ok(Ok(found)) => return found,
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        Err(panic) => tracing::error!(error = &panic as &dyn std::error::Error, "the audit has panicked"),
    }
    None
}

async fn tell(app: &App, claim: Claim) -> Result<bool, Error> {
    let began = app.clock.now();
    let report = audit_all(&app.store, &*app.clock).await?;
    for violation in &report.violations {
        tracing::error!(%violation, "an invariant does not hold");
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there should be none")]
    show(report.violations.len() as f64);
    let is_sound = report.violations.is_empty();
    let verdict = Verdict { began, is_sound };
    if let Err(error) = app.store.outbox.advance(CONSUMER, verdict.number(), &claim.prolonged(app.clock.now())).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "what the audit has found is not known to others");
    }
    Ok(is_sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Or nobody would learn what must never be until the time has come that the clock had shown.
    #[test]
    fn an_audit_of_a_clock_that_was_ahead_puts_none_off() {
        const EVERY: Duration = Duration::from_hours(6);
        let now = Timestamp::from_secs(1_800_000_000);
        let lasts = |began| Verdict { began, is_sound: true }.lasts(now, EVERY);
        assert!(lasts(now) && lasts(now - EVERY + Duration::from_secs(1)));
        assert!(!lasts(now - EVERY), "it is time");
        assert!(!lasts(now + Duration::from_micros(1)) && !lasts(now + Duration::from_hours(24 * 365)));
    }
}
