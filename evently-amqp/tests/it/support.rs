//! A store with something in it, and a broker with queues of the test's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_amqp::{AmqpCarrier, Broker, Consumer, Options, Topology, Work};
use evently_core::{
    domain::{Actor, Email, Entry, Role, User},
    memory::MemorySeatFeed,
    ports::{Carrier, Handler, Mail, MailFailed, Mailer, OtherError, PasswordHash},
    services::{BoxOffice, EventService, InProcess, NotificationParts, NotificationService, OfficeSize, Relay, RelayParts},
};
use evently_testkit::{MemoryPlace, World, customer};
use evently_testservers::{Proxy, shared_rabbitmq};
use lapin::{Channel, Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything takes, on a machine that is busy with other tests.
pub const LONG: Duration = Duration::from_secs(90);

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("it takes too long")
}

/// The shared broker. It may have to be started.
pub async fn url() -> String {
    tokio::task::spawn_blocking(shared_rabbitmq).await.unwrap().unwrap()
}

/// A way to the broker that nobody gets through yet.
pub fn closed(url: &str) -> Proxy {
    let proxy = Proxy::before(url).unwrap();
    proxy.close();
    proxy
}

/// A prefix that no other test has.
pub fn prefix() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::SeqCst))
}

/// Options with queues of the test's own, and little patience with what fails.
pub fn options(url: &str, world: &World) -> Options {
    let topology = Topology::try_new(&prefix()).unwrap();
    Options { topology, retry_after: Duration::from_millis(50), attempts: 3, ..Options::new(url, world.clock.clone()) }
}

pub fn relay(world: &World, carrier: Arc<dyn Carrier>) -> Relay {
    let (outbox, clock, ids) = (world.store.outbox.clone(), world.clock.clone(), world.ids.clone());
    Relay::new(RelayParts { outbox, carrier, clock, ids })
}

/// A relay to a broker that is there.
pub fn relay_to(world: &World, broker: &Broker) -> Relay {
    relay(world, Arc::new(AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(Vec::new())))))
}

/// Hands on until everything has been taken.
pub async fn hand_on_all(world: &World, relay: &Relay) {
    soon(async {
        let last = world.store.outbox.after(0, u32::MAX).await.unwrap().last().unwrap().position;
        while world.store.outbox.position(Relay::CONSUMER).await.unwrap() < last {
            if relay.hand_on().await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
}

/// A consumer at work.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(broker: &Broker, work: Work, handler: Arc<dyn Handler>) -> Self {
        let (stop, stopping) = watch::channel(false);
        let consumer = Consumer::new(broker.clone(), work, handler);
        let task = tokio::spawn(async move { consumer.run(stopping).await });
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.send_replace(true);
        soon(self.task).await.unwrap();
    }
}

/// Tells of each entry that it is handed, and fails as it is told to.
pub struct Teller {
    told: mpsc::UnboundedSender<u64>,
    /// How often an entry still fails.
    failing: Mutex<BTreeMap<u64, u32>>,
    how: fn() -> Result<(), OtherError>,
}

pub struct Told(mpsc::UnboundedReceiver<u64>);

impl Teller {
    pub fn new() -> (Arc<Self>, Told) {
        Self::failing([], || Ok(()))
    }

    /// One for which each of these entries fails so often.
    pub fn failing(failing: impl IntoIterator<Item = (u64, u32)>, how: fn() -> Result<(), OtherError>) -> (Arc<Self>, Told) {
        let (told, tells) = mpsc::unbounded_channel();
        (Arc::new(Self { told, failing: Mutex::new(failing.into_iter().collect()), how }), Told(tells))
    }
}

#[async_trait]
impl Handler for Teller {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        _ = self.told.send(entry.position);
        let fails = {
            let mut failing = self.failing.lock().unwrap();
            let left = failing.entry(entry.position).or_default();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            fails
        };
        if fails { (self.how)() } else { Ok(()) }
    }
}

impl Told {
    pub async fn next(&mut self) -> u64 {
        soon(self.0.recv()).await.expect("the teller is there")
    }

    pub async fn take(&mut self, count: usize) -> Vec<u64> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(self.next().await);
        }
        told
    }

    /// These positions in the order in which they came first, once all have; others may have come between them.
    pub async fn firsts_of(&mut self, positions: &[u64]) -> Vec<u64> {
        let mut told = Vec::new();
        while told.len() < positions.len() {
            let next = self.next().await;
            if positions.contains(&next) && !told.contains(&next) {
                told.push(next);
            }
        }
        told
    }

    pub fn nothing_more(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// Counts how often each mail is handed over.
#[derive(Default)]
pub struct Post {
    pub handed_over: Mutex<BTreeMap<String, u32>>,
}

impl Post {
    pub fn mails(&self) -> usize {
        self.handed_over.lock().unwrap().len()
    }

    pub fn twice(&self) -> Vec<String> {
        let handed_over = self.handed_over.lock().unwrap();
        handed_over.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id.clone()).collect()
    }
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed> {
        *self.handed_over.lock().unwrap().entry(mail.id.clone()).or_default() += 1;
        Ok(())
    }
}

/// Notes each entry that is brought to a handler, as often as it is.
pub struct Noting {
    handler: Arc<dyn Handler>,
    brought: Mutex<Vec<u64>>,
}

impl Noting {
    pub fn before(handler: Arc<dyn Handler>) -> Arc<Self> {
        Arc::new(Self { handler, brought: Mutex::default() })
    }

    /// The entries in the order in which they came first, and how many times one came again.
    pub fn brought(&self) -> (Vec<u64>, usize) {
        let brought = self.brought.lock().unwrap();
        let mut seen = BTreeSet::new();
        let firsts = brought.iter().copied().filter(|position| seen.insert(*position)).collect::<Vec<_>>();
        let again = brought.len() - firsts.len();
        (firsts, again)
    }
}

#[async_trait]
impl Handler for Noting {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        self.brought.lock().unwrap().push(entry.position);
        self.handler.handle(entry).await
    }
}

/// What a process is made of.
pub fn events(world: &World) -> Arc<EventService> {
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let (clock, ids, store) = (world.clock.clone(), world.ids.clone(), world.store.clone());
    let (office, work) = BoxOffice::open(store.bookings.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    Arc::new(EventService::new(office, store.catalog, feed, clock, ids))
}

pub fn notifications(world: &World, mailer: Arc<dyn Mailer>) -> Arc<NotificationService> {
    let (store, clock, ids) = (world.store.clone(), world.clock.clone(), world.ids.clone());
    let (inbox, accounts, store) = (store.inbox, store.accounts, store.bookings);
    let events = events(world);
    Arc::new(NotificationService::new(NotificationParts { inbox, store, accounts, events, mailer, clock, ids }))
}

/// A store in memory where a customer with an address has bought `seats` seats, one at a time: four entries each, after two.
pub async fn sold(seats: u32) -> World {
    let world = World::new(MemoryPlace).await;
    let Actor::User(id, _) = customer(1) else { unreachable!("a customer has an account") };
    let email = Email::parse("ada@example.org").unwrap();
    let user = User { id, email, name: "Ada".to_owned(), role: Role::Customer, created_at: world.now() };
    world.store.accounts.add(&user, &PasswordHash("$2b$…".to_owned())).await.unwrap();
    let event = world.event(1, seats.max(1)).await;
    for seat in 0..seats {
        world.buy(&event, customer(1), &[seat]).await;
    }
    world
}

/// That these are all entries, and those of each booking are in the order in which they were written.
pub async fn are_all_in_order(world: &World, told: &[u64]) {
    let entries = world.store.outbox.after(0, u32::MAX).await.unwrap();
    let mut sorted = told.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, entries.iter().map(|entry| entry.position).collect::<Vec<_>>());
    let mut of_booking = BTreeMap::new();
    for position in told {
        let booking = entries[usize::try_from(position - 1).unwrap()].transition.booking_id();
        let before = of_booking.insert(booking, *position);
        assert!(before < Some(*position), "{position} of {booking:?} comes after {before:?}");
    }
}

/// A channel of somebody else's.
pub async fn channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// How many messages a queue has, without those that are on their way to somebody.
pub async fn waiting(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
}

/// The positions of all that was written.
pub async fn positions(world: &World) -> Vec<u64> {
    world.store.outbox.after(0, u32::MAX).await.unwrap().iter().map(|entry| entry.position).collect()
}
