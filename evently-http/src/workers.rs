//! What goes on beside the requests.

use std::{sync::Arc, time::Duration};

use evently_amqp::Consumer;
use evently_core::{
    ports::Handler,
    services::{Error, Relay},
};
use tokio::{task::JoinSet, time::Instant};

use crate::compose::{App, stopped};

/// How soon what is due is noticed.
const SOON: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
/// How often it is looked for payments that were given up and captured all the same.
const SELDOM: Duration = Duration::from_mins(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Starts the workers. They end when the application is to stop; each finishes what it has begun.
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    let mut every = |name, pause, work: Work| workers.spawn(repeat(Arc::clone(app), name, pause, work));
    // What is this process's own.
    every("deliver webhooks", SOON, |app| Box::pin(deliver_webhooks(app)));
    every("notice other writers", SOON, |app| Box::pin(async move { app.events.refresh().await.map(|_| false) }));
    every("count bookings", 5 * SECOND, |app| Box::pin(count_bookings(app)));
    every("count what waits", 5 * SECOND, |app| Box::pin(count_waiting(app)));
    if !app.config.workers.enabled {
        return workers;
    }
    every("expire holds", SOON, |app| Box::pin(async move { Ok(app.upkeep.expire_holds().await? > 0) }));
    every("cancel called off", SECOND, |app| Box::pin(async move { Ok(app.upkeep.cancel_called_off().await? > 0) }));
    every("reconcile payments", 5 * SECOND, |app| Box::pin(async move { Ok(app.payments.reconcile().await? > 0) }));
    every("reconcile what was given up", SELDOM, |app| {
        Box::pin(async move { app.payments.reconcile_given_up().await.map(|_| false) })
    });
    every("send refunds", SOON, |app| Box::pin(async move { Ok(app.payments.send_refunds().await? > 0) }));
    every("hand on", SOON, |app| Box::pin(hand_on(app)));
    every("take in sales", SOON, |app| Box::pin(async move { app.analytics.take_in().await }));
    every("make room", HOUR, |app| Box::pin(async move { app.upkeep.make_room().await.map(|_| false) }));
    every("forget answers", MINUTE, |app| Box::pin(async move { Ok(app.upkeep.forget_answers().await? > 0) }));
    every("forget sessions", MINUTE, |app| Box::pin(async move { Ok(app.upkeep.forget_sessions().await? > 0) }));
    every("forget messages", MINUTE, |app| Box::pin(async move { Ok(app.upkeep.forget_messages().await? > 0) }));
    for consumer in consumers(app) {
        let stopping = app.stopping.subscribe();
        workers.spawn(async move { consumer.run(stopping).await });
    }
    workers
}

/// Those who act on what the broker brings, if there is one.
fn consumers(app: &App) -> Vec<Consumer> {
    let Some(broker) = &app.shared.broker else { return Vec::new() };
    let handlers: [(evently_amqp::Work, Arc<dyn Handler>); 3] = [
        (evently_amqp::Work::Notifications, app.notifications.clone()),
        (evently_amqp::Work::Analytics, app.analytics.clone()),
        (evently_amqp::Work::Jobs, app.jobs.clone()),
    ];
    handlers.map(|(work, handler)| Consumer::new(broker.clone(), work, handler)).into()
}

/// Does one round, and says whether there may be more to do at once.
type Work = fn(Arc<App>) -> std::pin::Pin<Box<dyn Future<Output = Result<bool, Error>> + Send>>;

async fn repeat(app: Arc<App>, name: &'static str, pause: Duration, work: Work) {
    let mut stopping = app.stopping.subscribe();
    loop {
        let more = work(Arc::clone(&app)).await.unwrap_or_else(|error| {
            tracing::warn!(worker = name, error = &error as &dyn std::error::Error, "worker will try again");
            false
        });
        if *stopping.borrow() {
            return;
        }
        if !more {
            // Ends early when the application is to stop.
            let _ = tokio::time::timeout(pause, stopped(&mut stopping)).await;
        }
    }
}

/// Whoever has handed on few has found all, or was stopped, and rests; unless it took long.
async fn hand_on(app: Arc<App>) -> Result<bool, Error> {
    let began = Instant::now();
    let handed_on = app.relay.hand_on().await?;
    Ok(handed_on >= Relay::AT_ONCE as usize || handed_on > 0 && began.elapsed() > SOON)
}

/// Sets the gauges of what is under way. The first is the name that dashboards know, the second says what it is.
async fn count_bookings(app: Arc<App>) -> Result<bool, Error> {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there are far fewer bookings")]
    let pending = app.store.chores.pending_total().await? as f64;
    metrics::gauge!("active_bookings_total").set(pending);
    metrics::gauge!("evently_pending_bookings").set(pending);
    Ok(false)
}

/// Sets the gauge of what has happened and is not yet handed on to those who act on it.
async fn count_waiting(app: Arc<App>) -> Result<bool, Error> {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there are far fewer entries")]
    let waiting = app.relay.waiting().await? as f64;
    metrics::gauge!("evently_outbox_waiting").set(waiting);
    Ok(false)
}

/// Delivers the sandbox's webhooks as it would post them: signed, and read like any other.
async fn deliver_webhooks(app: Arc<App>) -> Result<bool, Error> {
    for delivery in app.sandbox.deliveries(app.clock.now()) {
        app.payments.webhook(&delivery.body, Some(&delivery.signature)).await?;
    }
    Ok(false)
}
