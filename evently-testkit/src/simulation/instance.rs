//! An instance of the service: the real box office and the real services over ports that fail, and what goes on beside the requests.

use std::{sync::Arc, time::Duration};

use evently_core::{
    cache::{Caches, Seal},
    ports::{Carrier, Clock, Handler, SeatLocks},
    services::{
        AnalyticsService, BookingService, BoxOffice, Error, EventService, Forgetting, InProcess, Jobs, NotificationParts,
        NotificationService, PaymentParts, PaymentService, Relay, RelayParts, Upkeep,
    },
};
use tokio::sync::oneshot;

use super::{
    broker::{ReachedBroker, Work, consume},
    cache::ReachedCache,
    clock::{InstanceClock, off},
    executor::{Group, lock},
    feed::WatchedFeed,
    gateway::ReachedGateway,
    locks::ReachedLocks,
    mailer::ReachedMailer,
    office::Office,
    rare::Rare,
    store::ReachedStore,
    world::World,
};

/// The services of an instance that is up.
pub(super) struct Instance {
    pub name: String,
    pub group: Group,
    pub clock: Arc<InstanceClock>,
    pub bookings: BookingService,
    pub events: Arc<EventService>,
    pub payments: Arc<PaymentService>,
    pub upkeep: Arc<Upkeep>,
    relay: Relay,
    analytics: Arc<AnalyticsService>,
    /// What is seen of its box office.
    pub office: Arc<Office>,
    world: Arc<World>,
    /// How many requests are in it.
    pub requests: Arc<()>,
}

impl Instance {
    /// Starts the instance of this number anew, as a group of its own.
    pub fn start(world: &Arc<World>, number: u32, group: Group, dice: &mut fastrand::Rng) -> Arc<Self> {
        let clock = Arc::new(InstanceClock::new(world.tasks.clone(), off(world, dice)));
        let time: Arc<dyn Clock> = clock.clone();
        let watched = Arc::new(Office::new(world, group, clock.clone()));
        let store = Arc::new(ReachedStore::new(Arc::clone(world), watched.clone()));
        let feed = Arc::new(WatchedFeed::new(store.clone(), watched.clone(), world.fixture.id()));
        let locks = ReachedLocks { world: Arc::clone(world), office: watched.clone() };
        let locks = world.plan.locks.then(|| Arc::new(locks) as Arc<dyn SeatLocks>);
        let (office, work) = BoxOffice::open_behind(locks, store.clone(), feed.clone(), time.clone(), world.plan.size);
        world.tasks.spawn(group, work);
        let caches = if world.plan.cache {
            Caches::shared(time.clone(), Arc::new(ReachedCache(Arc::clone(world))), Seal::new(b"simulation"))
        } else {
            Caches::local(time.clone())
        };
        let ids = world.ids.clone();
        let events = EventService::new(office.clone(), store.clone(), feed, time.clone(), ids.clone());
        let events = Arc::new(events.with_caches(&caches));
        let terms = world.plan.terms;
        let payments = Arc::new(PaymentService::new(PaymentParts {
            office: office.clone(),
            store: store.clone(),
            chores: store.clone(),
            events: events.clone(),
            gateway: Arc::new(ReachedGateway(Arc::clone(world))),
            clock: time.clone(),
            ids: ids.clone(),
            terms,
        }));
        let upkeep = Arc::new(Upkeep::new(office.clone(), store.clone(), time.clone()));
        let analytics = Arc::new(AnalyticsService::new(store.clone(), store.clone(), events.clone()));
        let notifications = Arc::new(NotificationService::new(NotificationParts {
            inbox: store.clone(),
            store: store.clone(),
            accounts: world.store.clone(),
            events: events.clone(),
            mailer: Arc::new(ReachedMailer(Arc::clone(world))),
            clock: time.clone(),
            ids: ids.clone(),
        }));
        let carrier: Arc<dyn Carrier> = if world.plan.broker {
            let jobs = Arc::new(Jobs::new(payments.clone(), upkeep.clone()));
            for work in Work::ALL {
                let handler: Arc<dyn Handler> = match work {
                    Work::Notifications => notifications.clone(),
                    Work::Analytics => analytics.clone(),
                    Work::Jobs => jobs.clone(),
                };
                world.tasks.spawn(group, consume(Arc::clone(world), group, work, handler));
            }
            Arc::new(ReachedBroker(Arc::clone(world)))
        } else {
            Arc::new(InProcess::new(vec![notifications]))
        };
        let relay = Relay::new(RelayParts {
            outbox: store.clone(),
            carrier: Arc::new(Forgetting::before(carrier, events.clone())),
            clock: time.clone(),
            ids: ids.clone(),
        });
        let bookings = BookingService::new(office, store, events.clone(), time, ids, terms);
        let name = format!("instance {number}");
        let world = Arc::clone(world);
        let instance = Arc::new(Self {
            name,
            group,
            clock,
            bookings,
            events,
            payments,
            upkeep,
            relay,
            analytics,
            office: watched,
            world,
            requests: Arc::default(),
        });
        instance.start_workers();
        instance
    }

    fn start_workers(self: &Arc<Self>) {
        let pause = self.world.plan.pause;
        self.every(pause, |it| async move { it.upkeep.expire_holds().await.map(drop) });
        self.every(pause, |it| async move { it.payments.send_refunds().await.map(drop) });
        self.every(pause, |it| async move {
            let handing_on = it.world.unless_done(Rare::CrashOfRelay);
            let handed_on = it.relay.hand_on().await;
            handing_on.done();
            handed_on.map(drop)
        });
        self.every(pause * 2, |it| async move { it.analytics.take_in().await.map(drop) });
        self.every(pause * 2, |it| async move { it.events.refresh().await.map(drop) });
        self.every(pause * 2, |it| async move { it.upkeep.cancel_called_off().await.map(drop) });
        self.every(pause.max(Duration::from_secs(3)), |it| async move { it.payments.reconcile().await.map(drop) });
        self.every(Duration::from_secs(20), |it| async move { it.payments.reconcile_given_up().await.map(drop) });
    }

    /// Does something again and again. Whatever fails is tried again, as the service does it.
    fn every<W>(self: &Arc<Self>, pause: Duration, work: impl Fn(Arc<Self>) -> W + Send + 'static)
    where
        W: Future<Output = Result<(), Error>> + Send,
    {
        let instance = Arc::clone(self);
        self.world.tasks.spawn(self.group, async move {
            loop {
                if let Err(error) = work(Arc::clone(&instance)).await {
                    instance.world.must_be_for_now(&error);
                    instance.world.say(&instance.name, || format!("{error}; it will try again"));
                }
                instance.world.tasks.sleep(pause).await;
            }
        });
    }

    /// Serves a request in the instance; nothing if it crashes meanwhile.
    pub fn serve<T, F, W>(self: &Arc<Self>, work: W) -> impl Future<Output = Option<T>> + Send + use<T, F, W>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        W: FnOnce(Arc<Self>) -> F,
    {
        let (answer, answered) = oneshot::channel();
        let counted = Arc::clone(&self.requests);
        let work = work(Arc::clone(self));
        self.world.tasks.spawn(self.group, async move {
            let done = work.await;
            drop(counted);
            // Whoever asked may have gone.
            let _ = answer.send(done);
        });
        async { answered.await.ok() }
    }

    /// Ends where it stands, and is not there any more.
    pub fn crash(&self) {
        let world = &self.world;
        if Arc::strong_count(&self.requests) > 1 {
            world.met(Rare::CrashWithRequests);
        }
        world.say(&self.name, || "crashes".to_owned());
        for slot in lock(&world.instances).iter_mut() {
            drop(slot.take_if(|instance| instance.group == self.group));
        }
        world.tasks.kill(self.group);
        world.broker.closed(self.group);
        if world.up().is_empty() {
            world.met(Rare::AllInstancesDown);
        }
    }
}
