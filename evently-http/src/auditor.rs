//! Checks everything that the store holds now and then, and says in the metrics what must not be.

use std::{sync::Arc, time::Duration};

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

/// Under this name one of the processes on a store has taken it on. It has come as far as the time, in microseconds, at which an audit that
/// found nothing began.
const CONSUMER: &str = "audit";

/// A claim is short, so that a process that was killed is soon followed by another, and prolonged in time.
const PROLONGED: Duration = CLAIM_LASTS.checked_div(3).expect("three is not zero");

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
            Ok(Some(sound)) => {
                if last.is_none() {
                    last = still_sound(sound, now, every);
                }
                if last.is_none_or(|last| now.since(last) >= every) {
                    last = Some(now);
                    tokio::select! {
                        () = audit(&app, claim) => {}
                        () = keep(&app, claim) => {}
                    }
                }
            }
            // Another one's figure is newer from now on.
            Ok(None) if last.take().is_some() => show(f64::NAN),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        }
        // Ends early when the application is to stop.
        let _ = timeout(every.min(PROLONGED), stopped(&mut stopping)).await;
    }
    // Whoever comes next need not wait. If the store is away they do.
    let _ = app.store.outbox.claim(CONSUMER, &claim.over(app.clock.now())).await;
}

/// When somebody else has found nothing, if that is not too long ago. Whoever has found something leaves nothing, and is followed by an
/// audit at once.
fn still_sound(micros: u64, now: Timestamp, every: Duration) -> Option<Timestamp> {
    let sound = Timestamp::from_micros(i64::try_from(micros).ok()?);
    // A clock that was ahead for a while must not put audits off.
    let still = sound <= now && now.since(sound) < every;
    still.then(|| show(0.0)).map(|()| sound)
}

fn show(violations: f64) {
    metrics::gauge!("evently_invariant_violations").set(violations);
}

/// Keeps the claim for as long as an audit takes.
async fn keep(app: &App, claim: Claim) {
    loop {
        sleep(PROLONGED).await;
        // It is tried again; if another has it meanwhile, both look.
        let _ = app.store.outbox.claim(CONSUMER, &claim.prolonged(app.clock.now())).await;
    }
}

/// One audit, on a thread of its own, because it computes for long where an event is large. It is left when the application is to stop.
async fn audit(app: &Arc<App>, claim: Claim) {
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let audit = move || {
        let mut stopping = app.stopping.subscribe();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => Ok(()),
                told = tell(&app, claim) => told,
            }
        })
    };
    match spawn_blocking(audit).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        Err(panic) => tracing::error!(error = &panic as &dyn std::error::Error, "the audit has panicked"),
    }
}

async fn tell(app: &App, claim: Claim) -> Result<(), Error> {
    let began = app.clock.now();
    let report = audit_all(&app.store, &*app.clock).await?;
    for violation in &report.violations {
        tracing::error!(%violation, "an invariant does not hold");
    }
    let sound = began.as_micros().unsigned_abs();
    let noted = if report.violations.is_empty() {
        app.store.outbox.advance(CONSUMER, sound, &claim.prolonged(app.clock.now())).await.map(drop)
    } else {
        Ok(())
    };
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there should be none")]
    show(report.violations.len() as f64);
    Ok(noted?)
}
