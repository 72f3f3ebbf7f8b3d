//! What goes on beside the requests.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use evently_amqp::Consumer;
use evently_core::{
    ports::Handler,
    services::{Error, Relay},
};
use futures_util::FutureExt as _;
use tokio::{task::JoinSet, time::Instant};

use crate::compose::{App, stopped};

/// How soon what is due is noticed.
const SOON: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
const FIVE_SECONDS: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Something to be done again and again.
struct Worker {
    name: &'static str,
    /// How long it rests when there is no more to do.
    pause: Duration,
    work: Work,
}

const fn every(pause: Duration, name: &'static str, work: Work) -> Worker {
    Worker { name, pause, work }
}

/// What is this process's own.
const OWN: [Worker; 5] = [
    every(SOON, "deliver webhooks", |app| Box::pin(deliver_webhooks(app))),
    every(SOON, "notice other writers", |app| Box::pin(async move { app.events.refresh().await.map(|_| false) })),
    every(MINUTE, "let go of seats", |app| {
        app.events.let_go();
        app.seat_bodies.let_go();
        Box::pin(std::future::ready(Ok(false)))
    }),
    every(FIVE_SECONDS, "count bookings", |app| Box::pin(count_bookings(app))),
    every(FIVE_SECONDS, "count what waits", |app| Box::pin(count_waiting(app))),
];

/// What some process has to do for all of them.
const SHARED: [Worker; 11] = [
    every(SOON, "expire holds", |app| Box::pin(async move { Ok(app.upkeep.expire_holds().await? > 0) })),
    every(SECOND, "cancel called off", |app| Box::pin(async move { Ok(app.upkeep.cancel_called_off().await? > 0) })),
    every(FIVE_SECONDS, "reconcile payments", |app| Box::pin(async move { Ok(app.payments.reconcile().await? > 0) })),
    every(MINUTE, "reconcile what was given up", |app| {
        Box::pin(async move { app.payments.reconcile_given_up().await.map(|_| false) })
    }),
    every(SOON, "send refunds", |app| Box::pin(async move { Ok(app.payments.send_refunds().await? > 0) })),
    every(SOON, "hand on", |app| Box::pin(hand_on(app))),
    every(SOON, "take in sales", |app| Box::pin(async move { app.analytics.take_in().await })),
    every(HOUR, "make room", |app| Box::pin(async move { app.upkeep.make_room().await.map(|_| false) })),
    every(MINUTE, "forget answers", |app| Box::pin(async move { Ok(app.upkeep.forget_answers().await? > 0) })),
    every(MINUTE, "forget sessions", |app| Box::pin(async move { Ok(app.upkeep.forget_sessions().await? > 0) })),
    every(MINUTE, "forget messages", |app| Box::pin(async move { Ok(app.upkeep.forget_messages().await? > 0) })),
];

/// Starts the workers. They end when the application is to stop; each finishes what it has begun.
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for worker in OWN {
        workers.spawn(worker.repeat(Arc::clone(app)));
    }
    if !app.config.workers.enabled {
        return workers;
    }
    for worker in SHARED {
        workers.spawn(worker.repeat(Arc::clone(app)));
    }
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

impl Worker {
    async fn repeat(self, app: Arc<App>) {
        let Self { name, pause, work } = self;
        let mut stopping = app.stopping.subscribe();
        loop {
            let more = match AssertUnwindSafe(async { work(Arc::clone(&app)).await }).catch_unwind().await {
                Ok(Ok(more)) => more,
                Ok(Err(error)) => {
                    tracing::warn!(worker = name, error = &error as &dyn std::error::Error, "worker will try again");
                    false
                }
                // What it panicked at may be gone the next time, and what it does is done by nobody else.
                Err(_) => {
                    tracing::error!(worker = name, "a worker panicked, and will try again");
                    false
                }
            };
            if *stopping.borrow() {
                return;
            }
            if !more {
                // Ends early when the application is to stop.
                let _ = tokio::time::timeout(pause, stopped(&mut stopping)).await;
            }
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
        if let Err(error) = app.payments.webhook(&delivery.body, Some(&delivery.signature)).await {
            // It is handed out once. What it would have said is asked for (`reconcile`), and the others are told all the same.
            tracing::warn!(error = &error as &dyn std::error::Error, "a webhook could not be taken in");
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use evently_core::{
        domain::{Currency, Email, PriceDraft, Principal, Role, SessionId, Timestamp, User, UserId},
        import::{self, Format},
        memory::ManualClock,
        ports::{Claim, Clock as _, PasswordHash, Session, Taken},
        services::{EventDraft, VenueDraft},
    };

    use super::*;
    use crate::{
        compose,
        config::{Config, Sources},
    };

    /// Most of it is missed by nobody for a long time: a table that only grows, a payment that nobody asks about any more.
    #[test]
    fn all_that_has_to_go_on_beside_the_requests_does() {
        let names = |workers: &[Worker]| workers.iter().map(|worker| worker.name).collect::<Vec<_>>();
        assert_eq!(
            names(&OWN),
            ["deliver webhooks", "notice other writers", "let go of seats", "count bookings", "count what waits"]
        );
        let shared = [
            "expire holds",
            "cancel called off",
            "reconcile payments",
            "reconcile what was given up",
            "send refunds",
            "hand on",
            "take in sales",
            "make room",
            "forget answers",
            "forget sessions",
            "forget messages",
        ];
        assert_eq!(names(&SHARED), shared);
    }

    /// An application on a store of its own, and its clock.
    async fn app(folder: &tempfile::TempDir) -> (Arc<App>, Arc<ManualClock>) {
        let flags = vec![("test", "data.dir", folder.path().to_str().unwrap().to_owned())];
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        (Arc::new(compose::open_at(config, clock.clone()).await.unwrap()), clock)
    }

    /// One round of a worker.
    async fn round(app: &Arc<App>, name: &str) -> bool {
        let worker = OWN.into_iter().chain(SHARED).find(|worker| worker.name == name).unwrap();
        (worker.work)(app.clone()).await.unwrap()
    }

    /// Else one bad row would end what it is about for everybody, until somebody starts the process again.
    #[tokio::test(start_paused = true)]
    async fn a_worker_that_panics_goes_on() {
        static ROUNDS: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let (app, _) = app(&folder).await;
        let worker = every(SOON, "test", |app| {
            Box::pin(async move {
                match ROUNDS.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("out of its mind"),
                    1 => Ok(true),
                    _ => {
                        app.stopping.send_replace(true);
                        Ok(false)
                    }
                }
            })
        });
        worker.repeat(app).await;
        assert_eq!(ROUNDS.load(Ordering::Relaxed), 3);
    }

    /// Else a service with much to do would never end.
    #[tokio::test(start_paused = true)]
    async fn a_worker_with_more_to_do_stops_when_it_is_told_to() {
        static ROUNDS: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let (app, _) = app(&folder).await;
        let worker = every(SOON, "test", |app| {
            Box::pin(async move {
                let round = ROUNDS.fetch_add(1, Ordering::Relaxed);
                app.stopping.send_replace(round > 0);
                Ok(round < 9)
            })
        });
        worker.repeat(app).await;
        assert_eq!(ROUNDS.load(Ordering::Relaxed), 2);
    }

    /// Nobody misses them, and the table grows.
    #[tokio::test]
    async fn logins_that_have_ended_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (app, clock) = app(&folder).await;
        let (now, id) = (clock.now(), || app.ids.uuid(clock.now()));
        let (user_id, email) = (UserId::from_uuid(id()), Email::parse("ada@example.org").unwrap());
        let ada = User { id: user_id, email, name: "Ada".to_owned(), role: Role::Customer, created_at: now };
        app.store.accounts.add(&ada, &PasswordHash("$2b$…".to_owned())).await.unwrap();
        let session = Session { id: SessionId::from_uuid(id()), user_id, expires_at: now + HOUR };
        app.store.sessions.open(&session, &[1; 32]).await.unwrap();
        assert!(!round(&app, "forget sessions").await);
        clock.advance(Duration::from_hours(31 * 24));
        assert!(round(&app, "forget sessions").await, "there may be more");
        assert!(!round(&app, "forget sessions").await);
    }

    /// A few megabytes of each large event that was ever looked at.
    #[tokio::test]
    async fn seats_that_nobody_looks_at_any_more_are_let_go_of() {
        let folder = tempfile::tempdir().unwrap();
        let (app, clock) = app(&folder).await;
        let id = || app.ids.uuid(clock.now());
        let (user_id, session_id) = (UserId::from_uuid(id()), SessionId::from_uuid(id()));
        let by = Principal { user_id, role: Role::Organizer, session_id };
        let plan = b"section,row,seat,category,x,y\nFloor,A,1,Seats,1,1\n";
        let layout = import::read(Format::Csv, plan, app.events.new_layout_id()).unwrap().layout;
        let venue = VenueDraft { name: "Odeon".to_owned(), layout };
        let venue_id = app.events.create_venue(&by, venue, None).await.unwrap().value.id;
        let draft = EventDraft {
            name: "A night out".to_owned(),
            description: String::new(),
            venue_id,
            start_time: clock.now() + HOUR,
            end_time: clock.now() + 2 * HOUR,
            currency: Currency::EUR,
            prices: vec![PriceDraft { name: "Seats".to_owned(), price: 4500 }],
            opens_at: None,
            closes_at: None,
            max_seats_per_booking: None,
            max_seats_held: None,
            refunds: None,
        };
        let event = app.events.create_event(&by, draft, None).await.unwrap().value.id;
        let (view, map) = (app.events.view(event).await.unwrap(), app.events.seat_map(event).await.unwrap());
        let (seats, bodies) = (Arc::downgrade(&map), Arc::downgrade(&app.seat_bodies.of(&view, map)));
        let let_go = async || {
            round(&app, "let go of seats").await;
            (seats.upgrade().is_none(), bodies.upgrade().is_none())
        };
        assert_eq!(let_go().await, (false, false), "somebody has just looked");
        assert_eq!(let_go().await, (true, true));
    }

    /// Nobody misses what is not forgotten, and the table grows.
    #[tokio::test]
    async fn messages_that_nobody_sends_again_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (app, clock) = app(&folder).await;
        let take = async || {
            let claim = Claim::new(&*app.ids, &*clock);
            (claim, app.store.inbox.take("tests", 1, &claim).await.unwrap())
        };
        let (claim, taken) = take().await;
        assert_eq!(taken, Taken::Ours);
        assert!(app.store.inbox.done("tests", 1, claim.owner).await.unwrap());
        clock.advance(Duration::from_hours(31 * 24));
        assert_eq!(take().await.1, Taken::Done);
        assert!(round(&app, "forget messages").await, "there may be more");
        assert_eq!(take().await.1, Taken::Ours, "as if it had never come");
    }
}
