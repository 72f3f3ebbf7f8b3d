//! The relay and the services behind it, run by several processes at once: each effect once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    cache::{Caches, Seal},
    domain::{
        Actor, BookingId, BookingStatus, Command, Email, Entry, Event, EventId, Fact, GatewayReport, Layout, LayoutId, Principal,
        Request, Role, Sales, SeatMap, SessionId, Timestamp, User, UserId, Venue, VenueId,
    },
    memory::{MemoryCache, MemoryMailer, MemorySeatFeed},
    ports::{
        Accounts, CLAIM_LASTS, Carrier, Catalog, Claim, Credentials, Elsewhere, EventFilter, Figures, Handler, Mail, MailFailed,
        Mailer, NotCarried, OtherError, Outbox, Page, PasswordHash, SalesFilter, StoreError, StoreErrorKind,
    },
    services::{
        AnalyticsService, BoxOffice, Error, EventService, InProcess, NotificationParts, NotificationService, OfficeSize, Relay,
        RelayParts, Trouble,
    },
};
use evently_testkit::{CountedBookings, MemoryPlace, ORGANIZER, World, customer};
use tokio::sync::Notify;
use uuid::Uuid;

fn relay(world: &World, carrier: Arc<dyn Carrier>) -> Relay {
    let (outbox, clock, ids) = (world.store.outbox.clone(), world.clock.clone(), world.ids.clone());
    Relay::new(RelayParts { outbox, carrier, clock, ids })
}

/// Keeps the positions that it was given, `at_once` at a time; takes none after `up_to`.
struct Recorder {
    positions: Mutex<Vec<u64>>,
    at_once: usize,
    up_to: Mutex<u64>,
}

impl Recorder {
    fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self { positions: Mutex::default(), at_once, up_to: Mutex::new(u64::MAX) })
    }

    fn positions(&self) -> Vec<u64> {
        self.positions.lock().unwrap().clone()
    }
}

#[async_trait]
impl Carrier for Recorder {
    fn at_once(&self) -> usize {
        self.at_once
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        // Lets the others try meanwhile.
        tokio::task::yield_now().await;
        let up_to = *self.up_to.lock().unwrap();
        for (taken, entry) in entries.iter().enumerate() {
            if entry.position > up_to {
                return Err(NotCarried { taken, source: "enough".into() });
            }
            self.positions.lock().unwrap().push(entry.position);
        }
        Ok(())
    }
}

/// A world in which seven entries have been written, of two bookings and their event.
async fn world() -> World {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 8).await;
    world.buy(&event, customer(1), &[0, 1]).await;
    world.hold(&event, customer(2), &[2]).await;
    world
}

const ENTRIES: u64 = 7;

/// A world in which more entries have been written than are read at a time, and how many these are.
async fn busy_world() -> (World, u64) {
    let world = World::new(MemoryPlace).await;
    // An event is created and put on sale.
    for _ in 0..=Relay::AT_ONCE / 2 {
        world.event(1, 1).await;
    }
    (world, u64::from(Relay::AT_ONCE) + 2)
}

#[test]
fn many_processes_hand_each_entry_on_once_and_in_order() {
    evently_testkit::run(async {
        let world = Arc::new(world().await);
        let recorder = Recorder::new(1);
        let relays = (0..16).map(|_| {
            let (world, recorder) = (world.clone(), recorder.clone());
            tokio::spawn(async move {
                while world.store.outbox.position(Relay::CONSUMER).await.unwrap() < ENTRIES {
                    relay(&world, recorder.clone()).hand_on().await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        });
        for relay in relays.collect::<Vec<_>>() {
            relay.await.unwrap();
        }
        assert_eq!(recorder.positions(), (1..=ENTRIES).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_not_taken_stops_the_rest_and_comes_again() {
    evently_testkit::run(async {
        let world = world().await;
        for at_once in [1, 3, 100] {
            let recorder = Recorder::new(at_once);
            let relay = relay(&world, recorder.clone());
            let start = world.store.outbox.position(Relay::CONSUMER).await.unwrap();
            *recorder.up_to.lock().unwrap() = start + 2;
            assert_eq!(relay.hand_on().await.unwrap(), 2);
            assert_eq!(relay.hand_on().await.unwrap(), 0);
            assert_eq!(recorder.positions(), [start + 1, start + 2]);
            assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), start + 2);
        }
        let recorder = Recorder::new(2);
        assert_eq!(relay(&world, recorder.clone()).hand_on().await.unwrap(), 1);
        assert_eq!(recorder.positions(), [ENTRIES]);
    });
}

/// Takes so long for its first entry that another process takes over and does all of it.
struct Slow {
    world: Arc<World>,
    other: Relay,
    carried: Mutex<usize>,
}

#[async_trait]
impl Carrier for Slow {
    fn at_once(&self) -> usize {
        1
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        *self.carried.lock().unwrap() += 1;
        assert_eq!(self.other.hand_on().await.unwrap(), 0, "it is not theirs yet");
        self.world.wait(CLAIM_LASTS);
        assert_eq!(self.other.hand_on().await.unwrap(), usize::try_from(ENTRIES).unwrap());
        Ok(())
    }
}

#[test]
fn a_relay_that_was_taken_over_leaves_the_rest_alone() {
    evently_testkit::run(async {
        let world = Arc::new(world().await);
        let recorder = Recorder::new(100);
        let other = relay(&world, recorder.clone());
        let slow = Arc::new(Slow { world: world.clone(), other, carried: Mutex::new(0) });
        assert_eq!(relay(&world, slow.clone()).hand_on().await.unwrap(), 1);
        assert_eq!((*slow.carried.lock().unwrap(), recorder.positions()), (1, (1..=ENTRIES).collect()));
        assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), ENTRIES);
    });
}

/// Says when entries after a position are read, and refuses to read after another.
struct Watched {
    outbox: Arc<dyn Outbox>,
    at: u64,
    read: Arc<Notify>,
    refused_after: Option<u64>,
}

#[async_trait]
impl Outbox for Watched {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        if position == self.at {
            self.read.notify_one();
        }
        if Some(position) == self.refused_after {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "after", "away"));
        }
        self.outbox.after(position, limit).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.outbox.position(consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.outbox.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.outbox.advance(consumer, position, claim).await
    }
}

fn watched(world: &World, carrier: Arc<dyn Carrier>, read: Arc<Notify>, refused_after: Option<u64>) -> Relay {
    let outbox = Arc::new(Watched { outbox: world.store.outbox.clone(), at: Relay::AT_ONCE.into(), read, refused_after });
    Relay::new(RelayParts { outbox, carrier, clock: world.clock.clone(), ids: world.ids.clone() })
}

/// Is done with its first entries when those after them are read.
struct Patient(Arc<Notify>);

#[async_trait]
impl Carrier for Patient {
    fn at_once(&self) -> usize {
        Relay::AT_ONCE as usize
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        if entries.len() < self.at_once() {
            return Ok(());
        }
        let given_up = async {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = self.0.notified() => Ok(()),
            () = given_up => Err(NotCarried { taken: 0, source: "nobody reads on".into() }),
        }
    }
}

#[test]
fn the_next_entries_are_read_while_the_last_are_on_their_way() {
    evently_testkit::run(async {
        let ((world, entries), read) = (busy_world().await, Arc::new(Notify::new()));
        let relay = watched(&world, Arc::new(Patient(read.clone())), read, None);
        assert_eq!(relay.hand_on().await.unwrap(), usize::try_from(entries).unwrap());
    });
}

#[test]
fn what_was_taken_is_kept_when_the_next_cannot_be_read() {
    evently_testkit::run(async {
        let (world, entries) = busy_world().await;
        let (recorder, taken) = (Recorder::new(1_000), u64::from(Relay::AT_ONCE));
        assert!(watched(&world, recorder.clone(), Arc::default(), Some(taken)).hand_on().await.is_err());
        assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), taken);
        let left = usize::try_from(entries - taken).unwrap();
        assert_eq!(relay(&world, recorder).hand_on().await.unwrap(), left, "and it is nobody's");
    });
}

/// An outbox whose position somebody else moves right after it was read.
struct Overtaken(Arc<dyn Outbox>);

#[async_trait]
impl Outbox for Overtaken {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.0.after(position, limit).await
    }

    async fn position(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.0.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.0.advance(consumer, position, claim).await
    }
}

#[test]
fn what_somebody_else_has_just_handed_on_is_left_out() {
    evently_testkit::run(async {
        let world = world().await;
        let recorder = Recorder::new(1);
        *recorder.up_to.lock().unwrap() = 4;
        assert_eq!(relay(&world, recorder.clone()).hand_on().await.unwrap(), 4);
        *recorder.up_to.lock().unwrap() = u64::MAX;
        let outbox = Arc::new(Overtaken(world.store.outbox.clone()));
        let (carrier, clock, ids) = (recorder.clone(), world.clock.clone(), world.ids.clone());
        assert_eq!(Relay::new(RelayParts { outbox, carrier, clock, ids }).hand_on().await.unwrap(), 3);
        assert_eq!(recorder.positions(), (1..=ENTRIES).collect::<Vec<_>>());
    });
}

/// Notes how far entries are known to have been handed on whenever it is given some.
struct Bookkeeper {
    outbox: Arc<dyn Outbox>,
    known: Mutex<Vec<u64>>,
}

#[async_trait]
impl Carrier for Bookkeeper {
    fn at_once(&self) -> usize {
        Relay::AT_ONCE as usize
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        let known = self.outbox.position(Relay::CONSUMER).await.expect("it is in memory");
        self.known.lock().unwrap().push(known);
        Ok(())
    }
}

/// So that whoever takes over after a crash does not begin from the start.
#[test]
fn what_was_handed_on_is_written_down_before_the_next_is() {
    evently_testkit::run(async {
        let (world, _) = busy_world().await;
        let books = Arc::new(Bookkeeper { outbox: world.store.outbox.clone(), known: Mutex::default() });
        relay(&world, books.clone()).hand_on().await.unwrap();
        assert_eq!(*books.known.lock().unwrap(), [0, u64::from(Relay::AT_ONCE)]);
    });
}

/// Whenever it carries something there is something new.
struct DuringASale(World);

#[async_trait]
impl Carrier for DuringASale {
    fn at_once(&self) -> usize {
        100
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        self.0.event(1, 1).await;
        self.0.wait(Duration::from_millis(100));
        Ok(())
    }
}

#[test]
fn a_sale_does_not_keep_a_round_going() {
    evently_testkit::run(async {
        let world = world().await;
        let (outbox, clock, ids) = (world.store.outbox.clone(), world.clock.clone(), world.ids.clone());
        let relay = Relay::new(RelayParts { outbox, carrier: Arc::new(DuringASale(world)), clock, ids });
        assert_eq!(relay.hand_on().await.unwrap(), usize::try_from(ENTRIES).unwrap());
        assert_eq!(relay.hand_on().await.unwrap(), 2, "what came meanwhile is next");
    });
}

/// Takes more than half a second for each entry.
struct Leisurely(Arc<World>);

#[async_trait]
impl Carrier for Leisurely {
    fn at_once(&self) -> usize {
        1
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        self.0.wait(Duration::from_millis(600));
        Ok(())
    }
}

#[test]
fn a_round_ends_after_a_second_however_much_is_left() {
    evently_testkit::run(async {
        let world = Arc::new(world().await);
        let relay = relay(&world, Arc::new(Leisurely(world.clone())));
        for done in [2, 4, 6, 7] {
            relay.hand_on().await.unwrap();
            assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), done);
        }
    });
}

#[test]
fn what_waits_is_counted() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        let recorder = Recorder::new(1);
        let relay = relay(&world, recorder.clone());
        assert_eq!(relay.waiting().await.unwrap(), 0);
        let event = world.event(10, 10).await;
        for seat in 0..100 {
            world.hold(&event, customer(seat), &[seat]).await;
            assert_eq!(relay.waiting().await.unwrap(), 3 + u64::from(seat));
        }
        *recorder.up_to.lock().unwrap() = 42;
        relay.hand_on().await.unwrap();
        assert_eq!(relay.waiting().await.unwrap(), 60);
        assert_eq!(self::relay(&world, recorder).waiting().await.unwrap(), 60, "also for one that knows nothing yet");
    });
}

/// An outbox of which a failover takes the end.
struct CutOff {
    outbox: Arc<dyn Outbox>,
    after: Mutex<u64>,
}

#[async_trait]
impl Outbox for CutOff {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let end = *self.after.lock().unwrap();
        let mut entries = self.outbox.after(position, limit).await?;
        entries.retain(|entry| entry.position <= end);
        Ok(entries)
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.outbox.position(consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.outbox.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.outbox.advance(consumer, position, claim).await
    }
}

/// Or the gauge would say that something waits for as long as nothing happens.
#[test]
fn what_a_failover_has_lost_does_not_wait() {
    evently_testkit::run(async {
        let world = world().await;
        let outbox = Arc::new(CutOff { outbox: world.store.outbox.clone(), after: Mutex::new(u64::MAX) });
        let (carrier, clock, ids) = (Recorder::new(1), world.clock.clone(), world.ids.clone());
        *carrier.up_to.lock().unwrap() = 2;
        let relay = Relay::new(RelayParts { outbox: outbox.clone(), carrier, clock, ids });
        relay.hand_on().await.unwrap();
        assert_eq!(relay.waiting().await.unwrap(), ENTRIES - 2);
        for (end, waiting) in [(4, 2), (2, 0), (5, 3)] {
            *outbox.after.lock().unwrap() = end;
            assert_eq!(relay.waiting().await.unwrap(), waiting);
        }
    });
}

/// Panics at an entry as often as it is told to.
struct Panics(Mutex<u32>);

#[async_trait]
impl Handler for Panics {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        let left = self.0.lock().unwrap().checked_sub(1);
        if let (Some(left), 3) = (left, entry.position) {
            *self.0.lock().unwrap() = left;
            panic!("out of its mind");
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_panics_does_not_take_the_relay_along() {
    evently_testkit::run(async {
        let world = world().await;
        let relay = relay(&world, Arc::new(InProcess::new(vec![Arc::new(Panics(Mutex::new(2)))])));
        assert_eq!(relay.hand_on().await.unwrap(), 2);
        assert_eq!(relay.hand_on().await.unwrap(), 0);
        assert_eq!(relay.hand_on().await.unwrap(), 5);
    });
}

#[test]
fn what_is_passed_over_is_not_handed_on() {
    evently_testkit::run(async {
        let world = world().await;
        let recorder = Recorder::new(1);
        let relay = relay(&world, recorder.clone());
        relay.pass_over().await.unwrap();
        assert_eq!((relay.hand_on().await.unwrap(), recorder.positions()), (0, Vec::new()));
    });
}

/// An outbox that is so slow to read that somebody else takes over meanwhile.
struct Usurped(Arc<World>);

#[async_trait]
impl Outbox for Usurped {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.0.wait(CLAIM_LASTS);
        let theirs = Claim::new(&*self.0.ids, &*self.0.clock);
        self.0.store.outbox.claim(Relay::CONSUMER, &theirs).await?;
        self.0.store.outbox.after(position, limit).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.0.store.outbox.position(consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.0.store.outbox.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.0.store.outbox.advance(consumer, position, claim).await
    }
}

/// Whoever believes it would have mails sent that are not to be.
#[test]
fn nobody_who_was_taken_over_is_told_that_all_was_passed_over() {
    evently_testkit::run(async {
        let world = Arc::new(world().await);
        let outbox = Arc::new(Usurped(world.clone()));
        let (carrier, clock, ids) = (Recorder::new(1), world.clock.clone(), world.ids.clone());
        let passed_over = Relay::new(RelayParts { outbox, carrier, clock, ids }).pass_over().await;
        assert!(matches!(passed_over, Err(Error::InFlight)), "{passed_over:?}");
        assert_eq!(world.store.outbox.position(Relay::CONSUMER).await.unwrap(), 0);
    });
}

/// Counts what is sent, and fails as often as it is told to.
#[derive(Default)]
struct Post {
    sent: MemoryMailer,
    handed_over: Mutex<usize>,
    failures: Mutex<usize>,
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed> {
        tokio::task::yield_now().await;
        {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(MailFailed::ForNow("the post is closed".into()));
            }
        }
        *self.handed_over.lock().unwrap() += 1;
        self.sent.send(mail).await
    }
}

/// What a process is made of.
fn events(world: &World) -> Arc<EventService> {
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let (clock, ids, store) = (world.clock.clone(), world.ids.clone(), world.store.clone());
    let (office, work) = BoxOffice::open(store.bookings.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    Arc::new(EventService::new(office, store.catalog, feed, clock, ids))
}

fn notifications(world: &World, mailer: Arc<dyn Mailer>) -> Arc<NotificationService> {
    let (store, clock, ids) = (world.store.clone(), world.clock.clone(), world.ids.clone());
    let (inbox, accounts, store) = (store.inbox, store.accounts, store.bookings);
    let events = events(world);
    Arc::new(NotificationService::new(NotificationParts { inbox, store, accounts, events, mailer, clock, ids }))
}

async fn with_account(world: &World) {
    let email = Email::parse("ada@example.org").unwrap();
    let Actor::User(id, _) = customer(1) else { unreachable!("a customer has an account") };
    let user = User { id, email, name: "Ada".to_owned(), role: Role::Customer, created_at: world.now() };
    world.store.accounts.add(&user, &PasswordHash("$2b$…".to_owned())).await.unwrap();
}

#[test]
fn a_mail_is_sent_once_however_often_and_wherever_its_entry_is_handled() {
    evently_testkit::run(async {
        let world = Arc::new(world().await);
        with_account(&world).await;
        let post = Arc::new(Post::default());
        let entries = Arc::new(world.store.outbox.after(0, 100).await.unwrap());
        let processes = (0..8).map(|_| {
            let (service, entries) = (notifications(&world, post.clone()), entries.clone());
            tokio::spawn(async move {
                for _ in 0..3 {
                    for entry in entries.iter().rev() {
                        // An error says that somebody else is at it.
                        _ = service.handle(entry).await;
                    }
                }
            })
        });
        for process in processes.collect::<Vec<_>>() {
            process.await.unwrap();
        }
        assert_eq!(*post.handed_over.lock().unwrap(), 1, "the buyer's booking was confirmed");
    });
}

/// What says that a booking was confirmed.
async fn confirmation(world: &World) -> Entry {
    let mut entries = world.store.outbox.after(0, 100).await.unwrap();
    entries.retain(|entry| matches!(entry.transition.fact, Fact::Booking { to: BookingStatus::Confirmed, .. }));
    entries.remove(0)
}

/// A replica that takes over may lack what has been handed on already, and gives its position to what happens next.
#[test]
fn of_what_a_failover_has_lost_nobody_is_told_and_who_gets_its_position_is() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        world.buy(&event, customer(1), &[0]).await;
        let confirmed = confirmation(&world).await;
        let pending = world.hold(&event, customer(1), &[1]).await;
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        for lost in [BookingId::from_uuid(Uuid::nil()), pending.id] {
            let mut entry = confirmed.clone();
            let Fact::Booking { id, .. } = &mut entry.transition.fact else { unreachable!("it is about a booking") };
            *id = lost;
            service.handle(&entry).await.unwrap();
        }
        assert_eq!(*post.handed_over.lock().unwrap(), 0, "the seats are theirs on hold, and were not given up");
        // The same booking was confirmed before, which was lost.
        let mut before = confirmed.clone();
        before.transition.at = before.transition.at - Duration::from_micros(1);
        service.handle(&before).await.unwrap();
        assert_eq!(*post.handed_over.lock().unwrap(), 0);
        service.handle(&confirmed).await.unwrap();
        assert_eq!(*post.handed_over.lock().unwrap(), 1);
    });
}

/// A mailer that says when it has got a mail, and nothing after that.
#[derive(Default)]
struct Deaf {
    has_got_one: Notify,
}

#[async_trait]
impl Mailer for Deaf {
    async fn send(&self, _: &Mail) -> Result<(), MailFailed> {
        self.has_got_one.notify_one();
        std::future::pending().await
    }
}

/// A mail that kills whoever sends it would else be tried for ever, and keep back all others.
#[test]
fn each_sender_who_is_killed_is_one_failure_of_the_mail_which_is_sent_after_that() {
    evently_testkit::run(async {
        let world = world().await;
        with_account(&world).await;
        let confirmed = &confirmation(&world).await;
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        for _ in 0..2 {
            let deaf = Arc::new(Deaf::default());
            let killed = notifications(&world, deaf.clone());
            tokio::select! {
                handled = killed.handle(confirmed) => panic!("it hangs, but {handled:?}"),
                () = deaf.has_got_one.notified() => {}
            }
            let trouble = async || Trouble::of(&service.handle(confirmed).await.unwrap_err());
            assert_eq!(trouble().await, Trouble::Elsewhere);
            world.clock.advance(CLAIM_LASTS.saturating_sub(Duration::from_micros(1)));
            assert_eq!(trouble().await, Trouble::Elsewhere);
            world.clock.advance(Duration::from_micros(1));
            assert_eq!(trouble().await, Trouble::ForNow, "once");
        }
        assert_eq!(*post.handed_over.lock().unwrap(), 0);
        service.handle(confirmed).await.unwrap();
        assert_eq!(*post.handed_over.lock().unwrap(), 1);
    });
}

#[test]
fn a_mail_that_could_not_be_handed_over_is_sent_with_the_next_call() {
    evently_testkit::run(async {
        let world = world().await;
        with_account(&world).await;
        let post = Arc::new(Post { failures: Mutex::new(2), ..Post::default() });
        let service = notifications(&world, post.clone());
        let relay = relay(&world, Arc::new(InProcess::new(vec![service])));
        for _ in 0..2 {
            relay.hand_on().await.unwrap();
            assert_eq!(*post.handed_over.lock().unwrap(), 0);
        }
        while relay.hand_on().await.unwrap() > 0 {}
        assert_eq!(post.sent.sent()[0].to.as_str(), "ada@example.org");
        assert_eq!(*post.handed_over.lock().unwrap(), 1);
    });
}

/// A catalog that cannot be asked for an event while it is blind.
struct Dim {
    catalog: Arc<dyn Catalog>,
    is_blind: AtomicBool,
    /// One that somebody has spoilt.
    spoilt: OnceLock<EventId>,
}

impl Dim {
    /// Put in front of the catalog of a world.
    fn before(world: &mut World) -> Arc<Self> {
        let dim =
            Arc::new(Self { catalog: world.store.catalog.clone(), is_blind: AtomicBool::new(false), spoilt: OnceLock::new() });
        world.store.catalog = dim.clone();
        dim
    }
}

#[async_trait]
impl Catalog for Dim {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.catalog.venues(page).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        self.catalog.venue(id).await
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.catalog.layout(id).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        if self.is_blind.load(Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "event", "no"));
        }
        if self.spoilt.get() == Some(&id) {
            return Err(StoreError::new(StoreErrorKind::Corrupt, "event", "no"));
        }
        self.catalog.event(id).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        self.catalog.events(filter, page).await
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.catalog.seat_map(event).await
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.catalog.changed_elsewhere().await
    }
}

/// What cannot be read is not the same as what is not there, of which nobody is told.
#[test]
fn a_mail_that_could_not_be_written_is_sent_when_the_store_can_be_read() {
    evently_testkit::run(async {
        let mut world = world().await;
        with_account(&world).await;
        let confirmed = confirmation(&world).await;
        let (catalog, bookings) = (Dim::before(&mut world), Arc::new(CountedBookings::new(world.store.bookings.clone())));
        world.store.bookings = bookings.clone();
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        for (booking, event) in [(true, false), (false, true)] {
            bookings.set_blind(booking);
            catalog.is_blind.store(event, Relaxed);
            assert_eq!(Trouble::of(&service.handle(&confirmed).await.unwrap_err()), Trouble::StoreAway);
        }
        catalog.is_blind.store(false, Relaxed);
        service.handle(&confirmed).await.unwrap();
        assert_eq!(*post.handed_over.lock().unwrap(), 1);
    });
}

/// Accounts that cannot be looked up while they are shut.
struct Register {
    accounts: Arc<dyn Accounts>,
    is_shut: AtomicBool,
}

#[async_trait]
impl Accounts for Register {
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        self.accounts.add(user, password).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        if self.is_shut.load(Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "user", "no"));
        }
        self.accounts.user(id).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        self.accounts.credentials(email).await
    }

    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        self.accounts.users(page).await
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError> {
        self.accounts.set_role(id, role).await
    }
}

#[test]
fn a_mail_to_somebody_who_cannot_be_looked_up_is_sent_when_they_can() {
    evently_testkit::run(async {
        let mut world = world().await;
        with_account(&world).await;
        let confirmed = confirmation(&world).await;
        let register = Arc::new(Register { accounts: world.store.accounts.clone(), is_shut: AtomicBool::new(true) });
        world.store.accounts = register.clone();
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        assert_eq!(Trouble::of(&service.handle(&confirmed).await.unwrap_err()), Trouble::StoreAway);
        register.is_shut.store(false, Relaxed);
        service.handle(&confirmed).await.unwrap();
        assert_eq!(*post.handed_over.lock().unwrap(), 1);
    });
}

/// Else they would wait for their seats.
#[test]
fn that_money_goes_back_is_told_though_its_event_could_not_be_read_at_first() {
    evently_testkit::run(async {
        let mut world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 1).await;
        let late = world.start_payment(&world.hold(&event, customer(1), &[0]).await).await;
        world.wait(world.terms.payment_window);
        world.buy(&event, customer(2), &[0]).await;
        world.report(late.id, GatewayReport::Succeeded).await;
        let due = world.store.outbox.after(0, 100).await.unwrap().pop().unwrap();
        assert!(matches!(due.transition.fact, Fact::RefundDue { .. }), "{due:?}");
        let catalog = Dim::before(&mut world);
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        catalog.is_blind.store(true, Relaxed);
        assert_eq!(Trouble::of(&service.handle(&due).await.unwrap_err()), Trouble::StoreAway);
        catalog.is_blind.store(false, Relaxed);
        service.handle(&due).await.unwrap();
        assert!(post.sent.sent()[0].subject.ends_with("goes back"));
    });
}

#[test]
fn a_buyer_is_told_once_of_each_thing_that_becomes_of_a_booking() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        let strict = world.event_with(1, 1, |event| event.details.refunds.percent = 0).await;
        let ada = customer(1);
        let kind = world.event_with(1, 1, |event| event.details.refunds.percent = 100).await;
        let [refunded, lost] = [world.buy(&event, ada, &[0, 1]).await, world.buy(&strict, ada, &[0]).await];
        let whole = world.buy(&kind, ada, &[0]).await;
        let codes = world.tickets(refunded.id).await.into_iter().map(|ticket| ticket.code.to_string()).collect::<Vec<_>>();
        let post = Arc::new(Post::default());
        let service = notifications(&world, post.clone());
        let relay = relay(&world, Arc::new(InProcess::new(vec![service])));
        let mails = async || {
            while relay.hand_on().await.unwrap() > 0 {}
            post.sent.sent().into_iter().map(|mail| (mail.subject, mail.text)).collect::<Vec<_>>()
        };
        let told = mails().await;
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told.iter().all(|(subject, _)| subject.starts_with("Your booking for")), "{told:#?}");
        assert!(codes.iter().all(|code| told[0].1.contains(code)) && codes.len() == 2, "{told:#?}");
        assert!(told[0].1.contains("Front, row A, seat 2"), "{told:#?}");
        let when = format!("\n{}, {}\n", event.event.details.start_time, event.venue.name);
        assert!(told[0].1.contains(&when) && told[0].1.contains(&format!("Total {}\n", refunded.total)), "{told:#?}");
        let calendar = &post.sent.sent()[0].attachments[0];
        assert!(calendar.name == "booking.ics" && calendar.content.starts_with(b"BEGIN:VCALENDAR"));

        world.cancel(ada, refunded.id).await.unwrap();
        world.cancel(ada, lost.id).await.unwrap();
        world.cancel(ada, whole.id).await.unwrap();
        let held = world.hold(&event, ada, &[3]).await;
        world.cancel(ada, held.id).await.unwrap();
        let told = mails().await.split_off(3);
        assert_eq!(told.len(), 3, "of a hold nobody is told: {told:#?}");
        assert!(told.iter().all(|(subject, _)| subject.ends_with("is cancelled")), "{told:#?}");
        assert!(told[0].1.contains("Of the 90.00 EUR that you paid 45.00 EUR are on their way back"), "{told:#?}");
        assert!(told[1].1.contains("No money goes back"), "{told:#?}");
        assert!(told[2].1.contains(" Your 45.00 EUR are on their way back"), "{told:#?}");

        let held = world.hold(&event, ada, &[4]).await;
        let payment = world.start_payment(&held).await;
        world.wait(world.terms.payment_window);
        world.buy(&event, customer(2), &[4]).await;
        world.report(payment.id, GatewayReport::Succeeded).await;
        let told = mails().await.split_off(6);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].0.ends_with("goes back") && told[0].1.contains("came when it could no longer buy"), "{told:#?}");
        assert!(told[0].1.contains(&format!("Your payment of {} for", held.total)) && told[0].1.contains(&when), "{told:#?}");

        // Nobody waits for the bank to give seats back.
        let held = world.hold(&event, ada, &[5]).await;
        let payment = world.start_payment(&held).await;
        world.cancel(ada, held.id).await.unwrap();
        world.report(payment.id, GatewayReport::Succeeded).await;
        let told = mails().await.split_off(7);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].0.ends_with("goes back") && told[0].1.contains("came when it could no longer buy"), "{told:#?}");
    });
}

/// They may have seen that it was over, and gone.
#[test]
fn who_is_given_other_seats_than_they_chose_is_told_so() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        let mut payments = Vec::new();
        for seat in [0, 1] {
            payments.push(world.start_payment(&world.hold(&event, customer(1), &[seat]).await).await.id);
        }
        world.wait(world.terms.payment_window);
        world.buy(&event, customer(2), &[0]).await;
        for (payment_id, instead) in [(payments[0], vec![3]), (payments[1], Vec::new())] {
            let (report, terms) = (GatewayReport::Succeeded, world.terms);
            let captured =
                Command::SettlePayment { payment_id, report, reference: None, message: None, instead, terms, answers: None };
            world.answer(Request::new(Actor::Gateway, captured)).await.result.unwrap();
        }
        let post = Arc::new(Post::default());
        let relay = relay(&world, Arc::new(InProcess::new(vec![notifications(&world, post.clone())])));
        while relay.hand_on().await.unwrap() > 0 {}
        let told = post.sent.sent().into_iter().map(|mail| mail.text).collect::<Vec<_>>();
        assert!(told[0].contains("the seats that you had chosen were sold") && told[0].contains("seat 4"), "{told:#?}");
        assert!(!told[1].contains("chosen") && told[1].contains("seat 2"), "{told:#?}");
    });
}

#[test]
fn whose_booking_somebody_else_gives_up_is_told_why() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        let mut bought = Vec::new();
        for seat in 0..4 {
            bought.push(world.buy(&event, customer(1), &[seat]).await.id);
        }
        for (by, booking_id, reason) in [
            (customer(1), bought[0], Some("my own affair")),
            (ORGANIZER, bought[1], Some("duplicate")),
            (ORGANIZER, bought[2], None),
            (Actor::System, bought[3], Some("event_cancelled")),
        ] {
            let cancel = Command::Cancel { booking_id, expected: None, reason: reason.map(str::to_owned) };
            world.answer(Request::new(by, cancel)).await.result.unwrap();
        }
        let post = Arc::new(Post::default());
        let relay = relay(&world, Arc::new(InProcess::new(vec![notifications(&world, post.clone())])));
        while relay.hand_on().await.unwrap() > 0 {}
        let told = post.sent.sent().split_off(4).into_iter().map(|mail| mail.text);
        let told = told.map(|text| text.split_once(". ").unwrap().0.split_once(" has been ").unwrap().1.to_owned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "cancelled",
                "cancelled by the house (“duplicate”)",
                "cancelled by the house",
                "cancelled, because the event was called off"
            ]
        );
    });
}

#[test]
fn who_paid_twice_is_told_of_each_what_goes_back() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        let held = world.hold(&event, customer(1), &[0, 1]).await;
        let first = world.start_payment(&held).await;
        world.wait(Duration::from_secs(20));
        for payment in [world.start_payment(&held).await, first] {
            world.report(payment.id, GatewayReport::Succeeded).await;
        }
        world.cancel(customer(1), held.id).await.unwrap();
        let post = Arc::new(Post::default());
        let relay = relay(&world, Arc::new(InProcess::new(vec![notifications(&world, post.clone())])));
        while relay.hand_on().await.unwrap() > 0 {}
        let told = post.sent.sent();
        let about = |subject: &str| told.iter().find(|mail| mail.subject.ends_with(subject)).unwrap().text.clone();
        assert!(about("goes back").contains("Your payment of 90.00 EUR"), "{told:#?}");
        assert!(about("goes back").contains("came when your seats had been paid for already."), "they have them: {told:#?}");
        assert!(about("is cancelled").contains("Of the 90.00 EUR that you paid 45.00 EUR are on their way back"), "{told:#?}");
    });
}

/// The mail could not be sent for a while.
#[test]
fn nobody_is_told_late_that_seats_are_theirs_which_they_have_given_up() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        with_account(&world).await;
        let event = world.event(1, 8).await;
        let sold = world.buy(&event, customer(1), &[0]).await;
        world.cancel(customer(1), sold.id).await.unwrap();
        let post = Arc::new(Post::default());
        let relay = relay(&world, Arc::new(InProcess::new(vec![notifications(&world, post.clone())])));
        while relay.hand_on().await.unwrap() > 0 {}
        let told = post.sent.sent();
        assert_eq!(told.len(), 2);
        assert!(told[0].text.contains("have been given up since") && told[0].attachments.is_empty(), "{:?}", told[0]);
        assert!(told[1].subject.ends_with("is cancelled"), "{:?}", told[1]);
    });
}

#[test]
fn figures_count_an_entry_once_in_whatever_order_it_is_handled() {
    evently_testkit::run(async {
        let world = world().await;
        let services = [events(&world), events(&world)];
        let services =
            services.map(|events| AnalyticsService::new(world.store.outbox.clone(), world.store.figures.clone(), events));
        let entries = world.store.outbox.after(0, 100).await.unwrap();
        for at in [4, 1, 4, 6, 0, 5] {
            for service in &services {
                service.handle(&entries[at]).await.unwrap();
                assert!(world.store.figures.position().await.unwrap() >= entries[at].position);
            }
        }
        let found = evently_core::audit::audit_figures(&*world.store.figures, &*world.store.outbox, &*world.store.catalog);
        assert_eq!(found.await.unwrap(), []);
    });
}

/// Each entry is taken in once, so that what went to no section would stay there.
#[test]
fn figures_wait_for_an_event_that_cannot_be_read() {
    evently_testkit::run(async {
        let mut world = world().await;
        let catalog = Dim::before(&mut world);
        let (outbox, figures) = (world.store.outbox.clone(), world.store.figures.clone());
        let service = AnalyticsService::new(outbox, figures.clone(), events(&world));
        catalog.is_blind.store(true, Relaxed);
        assert!(service.take_in().await.is_err());
        assert_eq!(figures.position().await.unwrap(), 0);
        catalog.is_blind.store(false, Relaxed);
        while service.take_in().await.unwrap() {}
        assert_eq!(figures.position().await.unwrap(), ENTRIES);
        let found = evently_core::audit::audit_figures(&*figures, &*world.store.outbox, &*world.store.catalog);
        assert_eq!(found.await.unwrap(), []);
    });
}

/// Counts how often it is asked where it is, and may have gone on whenever it is.
struct WatchedFigures {
    figures: Arc<dyn Figures>,
    asked: Mutex<u32>,
    hurries: bool,
}

#[async_trait]
impl Figures for WatchedFigures {
    async fn position(&self) -> Result<u64, StoreError> {
        *self.asked.lock().unwrap() += 1;
        let position = self.figures.position().await?;
        if self.hurries {
            assert!(*self.asked.lock().unwrap() < 100, "it is asked for ever");
            assert!(self.figures.add(position, position + 1, &Sales::default()).await?);
        }
        Ok(position)
    }

    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError> {
        self.figures.add(from, to, sales).await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.figures.reset().await
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        self.figures.sales(filter).await
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        self.figures.all().await
    }
}

#[test]
fn of_entries_in_a_row_figures_ask_the_store_for_the_first_alone() {
    evently_testkit::run(async {
        let world = world().await;
        let figures = Arc::new(WatchedFigures { figures: world.store.figures.clone(), asked: Mutex::new(0), hurries: false });
        let service = || AnalyticsService::new(world.store.outbox.clone(), figures.clone(), events(&world));
        for done in [false, true] {
            let service = service();
            for entry in world.store.outbox.after(0, 100).await.unwrap() {
                service.handle(&entry).await.unwrap();
            }
            assert_eq!(std::mem::take(&mut *figures.asked.lock().unwrap()), 1, "taken in before: {done}");
        }
        assert_eq!(world.store.figures.position().await.unwrap(), ENTRIES);
    });
}

#[test]
fn figures_that_somebody_has_just_asked_for_are_shared_for_a_minute() {
    evently_testkit::run(async {
        let world = World::new(MemoryPlace).await;
        let [event, other] = [world.event(1, 8).await, world.event(1, 8).await];
        let cache = Arc::new(MemoryCache::new(world.clock.clone()));
        let [first, second] = [(); 2].map(|()| {
            let caches = Caches::shared(world.clock.clone(), cache.clone(), Seal::new(b"secret"));
            let (outbox, figures) = (world.store.outbox.clone(), world.store.figures.clone());
            AnalyticsService::new(outbox, figures, events(&world)).with_caches(&caches)
        });
        let Actor::User(user_id, role) = ORGANIZER else { unreachable!("organizers have accounts") };
        let by = Principal { user_id, role, session_id: SessionId::from_uuid(Uuid::nil()) };
        let holds =
            async |service: &AnalyticsService, from, to| service.event(&by, event.id(), from, to).await.unwrap().total.holds;
        assert_eq!(first.event(&by, other.id(), None, None).await.unwrap().total.holds, 0, "each event has its own");
        world.hold(&event, customer(1), &[0]).await;
        assert_eq!(holds(&first, None, None).await, 1);
        world.hold(&event, customer(2), &[1]).await;
        assert_eq!((holds(&first, None, None).await, holds(&second, None, None).await), (1, 1));
        assert_eq!(holds(&second, Some(world.now().hour()), None).await, 2, "of other hours they are others");
        assert_eq!(holds(&second, None, Some(world.now().hour())).await, 0, "nothing was sold before this one");
        world.wait(Duration::from_mins(1));
        assert_eq!((holds(&first, None, None).await, holds(&second, None, None).await), (2, 2));
    });
}

#[test]
fn with_an_entry_figures_take_in_all_before_it_however_much_that_is() {
    evently_testkit::run(async {
        let (world, entries) = busy_world().await;
        let service = AnalyticsService::new(world.store.outbox.clone(), world.store.figures.clone(), events(&world));
        let last = world.store.outbox.after(entries - 1, 1).await.unwrap();
        service.handle(&last[0]).await.unwrap();
        assert_eq!(world.store.figures.position().await.unwrap(), entries);
    });
}

/// An outbox in which something is new whenever it is read, up to fifty times.
struct Growing {
    world: World,
    read: Mutex<u32>,
}

#[async_trait]
impl Outbox for Growing {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let read = {
            let mut read = self.read.lock().unwrap();
            *read += 1;
            *read
        };
        if read < 50 {
            self.world.event(1, 1).await;
        }
        self.world.store.outbox.after(position, limit).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.world.store.outbox.position(consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        self.world.store.outbox.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.world.store.outbox.advance(consumer, position, claim).await
    }
}

#[test]
fn whoever_wants_figures_does_not_wait_for_the_end_of_a_sale() {
    evently_testkit::run(async {
        let world = world().await;
        let (figures, events) = (world.store.figures.clone(), events(&world));
        let outbox = Arc::new(Growing { world, read: Mutex::new(0) });
        AnalyticsService::new(outbox.clone(), figures.clone(), events).rebuild().await.unwrap();
        assert_eq!(figures.position().await.unwrap(), ENTRIES + 2);
        assert_eq!(*outbox.read.lock().unwrap(), 1);
    });
}

/// What it has sold counts all the same, for no section. A store that is away is waited for.
#[test]
fn an_event_that_cannot_be_read_holds_up_no_figures_of_others() {
    evently_testkit::run(async {
        let mut world = world().await;
        let spoilt = world.event(1, 2).await;
        world.buy(&spoilt, customer(3), &[1]).await;
        let catalog = Dim::before(&mut world);
        catalog.spoilt.set(spoilt.id()).unwrap();
        let figures = world.store.figures.clone();
        let service = AnalyticsService::new(world.store.outbox.clone(), figures.clone(), events(&world));
        catalog.is_blind.store(true, Relaxed);
        assert!(matches!(service.take_in().await, Err(Error::Store(error)) if error.kind() == StoreErrorKind::Unavailable));
        assert_eq!(figures.position().await.unwrap(), 0);
        catalog.is_blind.store(false, Relaxed);
        while service.take_in().await.unwrap() {}
        let (position, sales) = figures.all().await.unwrap();
        assert_eq!(position, world.store.outbox.after(0, 1000).await.unwrap().last().unwrap().position);
        let sold = sales.rows.iter().filter(|(_, row)| row.seats > 0);
        let sold = sold.map(|(key, row)| (key.event_id == spoilt.id(), key.section.is_empty(), row.seats));
        assert_eq!(sold.collect::<BTreeSet<_>>(), BTreeSet::from([(false, false, 2), (true, true, 1)]));
    });
}

/// It may be checked in the middle of a sale.
#[test]
fn figures_that_go_on_all_the_time_can_be_checked() {
    evently_testkit::run(async {
        let world = world().await;
        let figures = WatchedFigures { figures: world.store.figures.clone(), asked: Mutex::new(0), hurries: true };
        let found = evently_core::audit::audit_figures(&figures, &*world.store.outbox, &*world.store.catalog);
        assert_eq!(found.await.unwrap(), []);
    });
}

/// Figures of which somebody else is always quicker to add the first entry.
struct Contested {
    figures: Arc<dyn Figures>,
    quicker: Mutex<bool>,
}

#[async_trait]
impl Figures for Contested {
    async fn position(&self) -> Result<u64, StoreError> {
        self.figures.position().await
    }

    async fn add(&self, from: u64, up_to: u64, sales: &Sales) -> Result<bool, StoreError> {
        let quicker = std::mem::take(&mut *self.quicker.lock().unwrap());
        if quicker {
            assert!(self.figures.add(from, from + 1, &Sales::default()).await?);
        }
        self.figures.add(from, up_to, sales).await
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        self.figures.sales(filter).await
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        self.figures.all().await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.figures.reset().await
    }
}

#[test]
fn figures_are_complete_for_whoever_asks_though_somebody_else_is_quicker() {
    evently_testkit::run(async {
        let world = world().await;
        let figures = Arc::new(Contested { figures: world.store.figures.clone(), quicker: Mutex::new(true) });
        AnalyticsService::new(world.store.outbox.clone(), figures.clone(), events(&world)).rebuild().await.unwrap();
        assert_eq!(figures.position().await.unwrap(), ENTRIES);
    });
}
