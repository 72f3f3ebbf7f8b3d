//! Checks everything that the store holds now and then, and says in the metrics what must not be.

use std::{sync::Arc, time::Duration};

use evently_core::{
    audit::audit_all,
    ports::{CLAIM_LASTS, Claim},
    services::Error,
};
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::compose::{App, stopped};

/// Under this name one of the processes on a store has taken it on.
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
            Ok(Some(_)) if last.is_some_and(|last| now.since(last) < every) => {}
            Ok(Some(_)) => {
                last = Some(now);
                tokio::select! {
                    () = audit(&app) => {}
                    () = keep(&app, claim) => {}
                }
            }
            // Whoever follows another does not know when that one has.
            Ok(None) => last = None,
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        }
        // Ends early when the application is to stop.
        let _ = timeout(every.min(PROLONGED), stopped(&mut stopping)).await;
    }
    // Whoever comes next need not wait. If the store is away they do.
    let _ = app.store.outbox.claim(CONSUMER, &claim.over(app.clock.now())).await;
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
async fn audit(app: &Arc<App>) {
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let audit = move || {
        let mut stopping = app.stopping.subscribe();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => Ok(()),
                told = tell(&app) => told,
            }
        })
    };
    match spawn_blocking(audit).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "the audit will be tried again"),
        Err(panic) => tracing::error!(error = &panic as &dyn std::error::Error, "the audit has panicked"),
    }
}

async fn tell(app: &App) -> Result<(), Error> {
    let report = audit_all(&app.store, &*app.clock).await?;
    for violation in &report.violations {
        tracing::error!(%violation, "an invariant does not hold");
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there should be none")]
    metrics::gauge!("evently_invariant_violations").set(report.violations.len() as f64);
    Ok(())
}
