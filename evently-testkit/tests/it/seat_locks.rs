//! The box office behind seat locks: they spare the store work, and decide nothing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{Answer, Booking, BookingId, Command, Outcome, Rejection, Request, SeatStatus},
    memory::{MemorySeatFeed, MemorySeatLocks},
    ports::{DECIDING, LockRequest, LocksAway, SeatLocks, Settled},
    services::{BoxOffice, Error, HandedIn, OfficeSize},
};
use evently_testkit::{CountedBookings, Fixture, HOUSE, MemoryPlace, World, customer};
use proptest::{prelude::*, test_runner::TestRunner};

const SECOND: Duration = Duration::from_secs(1);

/// Notes how many locks are asked for.
#[derive(Default)]
struct Noted(Mutex<Vec<usize>>);

#[async_trait]
impl SeatLocks for Noted {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        self.0.lock().unwrap().extend(requests.iter().map(|request| request.seats.len()));
        Ok(vec![Vec::new(); requests.len()])
    }

    async fn settle(&self, _: &[Settled]) -> Result<(), LocksAway> {
        Ok(())
    }
}

/// Else one request could keep everybody from the whole hall, until the store has refused it.
#[tokio::test]
async fn who_asks_for_more_seats_than_any_booking_may_have_locks_none() {
    let noted = Arc::new(Noted::default());
    let shop = Shop::new(|_| noted.clone()).await;
    let refused = shop.try_hold(1, &(0..101).collect::<Vec<_>>()).await;
    assert!(matches!(refused, Err(Rejection::TooManySeats(_))), "{refused:?}");
    assert!(noted.0.lock().unwrap().is_empty());
    let _ = shop.try_hold(1, &(0..100).collect::<Vec<_>>()).await;
    assert_eq!(*noted.0.lock().unwrap(), [100]);
}

struct Shop {
    world: World,
    event: Fixture,
    store: Arc<CountedBookings>,
    office: BoxOffice,
}

impl Shop {
    async fn new(locks: impl FnOnce(&World) -> Arc<dyn SeatLocks>) -> Self {
        let world = World::new(MemoryPlace).await;
        let event = world.event(1, 8).await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
        let locks = locks(&world);
        let (office, work) = BoxOffice::open_behind(Some(locks), store.clone(), feed, world.clock.clone(), OfficeSize::default());
        tokio::spawn(work);
        Self { world, event, store, office }
    }

    /// Behind locks that do what they should.
    async fn honest() -> Self {
        Self::new(|world| Arc::new(MemorySeatLocks::new(world.clock.clone()))).await
    }

    fn asked(&self) -> usize {
        self.store.requests()
    }

    fn hold(&self, who: u32, seats: &[u32]) -> Request {
        Request::new(customer(who), self.world.hold_command(&self.event, customer(who), seats))
    }

    async fn answer(&self, request: Request) -> Answer {
        self.office.submit(request).await.expect("the store is at hand")
    }

    async fn try_hold(&self, who: u32, seats: &[u32]) -> Result<Booking, Rejection> {
        self.answer(self.hold(who, seats)).await.result.map(booking)
    }

    async fn ask(&self, command: Command) -> Result<Outcome, Rejection> {
        self.answer(Request::new(HOUSE, command)).await.result
    }

    /// Whether somebody else is turned away from the seats without the store having been asked.
    async fn is_locked(&self, seats: &[u32]) -> bool {
        let before = self.asked();
        let answer = self.try_hold(99, seats).await;
        let locked = self.asked() == before;
        if locked {
            assert_eq!(answer, Err(self.unavailable(seats)));
        } else if let Ok(booking) = answer {
            self.ask(Command::Cancel { booking_id: booking.id, expected: None, reason: None }).await.unwrap();
        }
        locked
    }

    fn unavailable(&self, seats: &[u32]) -> Rejection {
        let seats = self.event.seats(seats).into_iter();
        Rejection::SeatsUnavailable(seats.map(|seat| (seat, SeatStatus::Reserved)).collect())
    }
}

fn booking(outcome: Outcome) -> Booking {
    match outcome {
        Outcome::Booking(booking) | Outcome::PaymentStarted(_, booking) | Outcome::Payment(_, booking) => booking,
        other => panic!("the outcome has no booking: {other:?}"),
    }
}

fn run(test: impl Future<Output = ()>) {
    evently_testkit::run(test);
}

#[test]
fn who_wants_a_locked_seat_does_not_reach_the_store() {
    run(async {
        let shop = Shop::honest().await;
        shop.try_hold(1, &[1, 2]).await.unwrap();
        let before = shop.asked();
        assert_eq!(shop.try_hold(2, &[0, 1]).await, Err(shop.unavailable(&[1])));
        assert_eq!(shop.asked(), before);
        shop.try_hold(2, &[0, 3]).await.unwrap();
    });
}

#[test]
fn those_who_ask_at_once_are_decided_by_the_store() {
    run(async {
        let shop = Shop::honest().await;
        // The first of them is refused by the store; the others must not be turned away for its sake.
        let many = (0..11).map(|n| n % 8).collect::<Vec<_>>();
        let requests = [shop.hold(1, &many), shop.hold(2, &[3]), shop.hold(3, &[3])];
        let waiting = requests.map(|request| shop.office.hand_in(request).unwrap());
        let mut accepted = 0;
        for handed_in in waiting {
            accepted += usize::from(handed_in.wait().await.unwrap().result.is_ok());
        }
        assert_eq!(accepted, 1);
    });
}

#[test]
fn a_lock_lasts_as_long_as_its_hold() {
    run(async {
        let shop = Shop::honest().await;
        let terms = shop.world.terms;
        let held = shop.try_hold(1, &[1]).await.unwrap();
        shop.world.wait(terms.ttl.saturating_sub(SECOND));
        assert!(shop.is_locked(&[1]).await);
        shop.ask(Command::Extend { booking_id: held.id, terms }).await.unwrap();
        shop.world.wait(terms.ttl.saturating_sub(SECOND));
        assert!(shop.is_locked(&[1]).await, "it has been extended");
        shop.ask(shop.world.start_command(held.id)).await.unwrap();
        shop.world.wait(terms.payment_window.saturating_sub(SECOND));
        assert!(shop.is_locked(&[1]).await, "it is being paid");
        shop.world.wait(SECOND);
        assert!(shop.try_hold(2, &[1]).await.is_ok(), "it is taken over when it is due");
    });
}

#[test]
fn a_booking_that_ends_or_is_sold_releases_its_locks() {
    run(async {
        let shop = Shop::honest().await;
        let [cancelled, expired, sold] =
            [shop.try_hold(1, &[1]).await, shop.try_hold(1, &[2]).await, shop.try_hold(1, &[3]).await]
                .map(|held| held.unwrap().id);
        shop.ask(Command::Cancel { booking_id: cancelled, expected: None, reason: None }).await.unwrap();
        shop.ask(Command::Confirm { booking_id: sold, payment_id: shop.world.payment_id(), reference: None }).await.unwrap();
        assert_eq!((shop.is_locked(&[1]).await, shop.is_locked(&[2]).await, shop.is_locked(&[3]).await), (false, true, false));
        shop.world.wait(shop.world.terms.ttl);
        shop.ask(Command::Expire { booking_id: expired }).await.unwrap();
        assert!(!shop.is_locked(&[2]).await);
    });
}

#[test]
fn what_the_store_has_not_accepted_is_free_for_the_next() {
    run(async {
        let shop = Shop::honest().await;
        let no_seat = shop.try_hold(1, &[1, 1]).await.unwrap_err();
        assert!(matches!(no_seat, Rejection::Invalid(_)), "{no_seat:?}");
        assert!(!shop.is_locked(&[1]).await);
        shop.store.set_broken(true);
        assert!(matches!(shop.office.submit(shop.hold(1, &[1])).await, Err(Error::Store(_))));
        shop.store.set_broken(false);
        shop.try_hold(2, &[1]).await.unwrap();
    });
}

#[test]
fn a_repeated_request_gets_the_first_answer_whoever_has_the_lock() {
    run(async {
        let shop = Shop::honest().await;
        let request = |booking| Request { command: booking, ..shop.hold(1, &[1]) }.with_key(World::key("k", "1"));
        let again = || request(shop.world.hold_command(&shop.event, customer(1), &[1]));
        let first = shop.answer(again()).await;
        assert_eq!(shop.answer(again()).await, Answer { replayed: true, ..first.clone() }, "its own lock");
        assert!(shop.is_locked(&[1]).await, "which it still has");
        shop.world.wait(shop.world.terms.ttl);
        shop.try_hold(2, &[1]).await.unwrap();
        assert_eq!(shop.answer(again()).await, Answer { replayed: true, ..first }, "somebody else's");
        assert!(shop.is_locked(&[1]).await);
    });
}

/// What it is answered is from before the extension.
#[test]
fn a_repeated_request_takes_no_lock_from_a_hold_that_was_extended() {
    run(async {
        let shop = Shop::honest().await;
        let terms = shop.world.terms;
        let ask = || shop.hold(1, &[1]).with_key(World::key("k", "1"));
        let held = booking(shop.answer(ask()).await.result.unwrap());
        shop.world.wait(terms.ttl.saturating_sub(SECOND));
        shop.ask(Command::Extend { booking_id: held.id, terms }).await.unwrap();
        shop.world.wait(SECOND);
        assert!(shop.answer(ask()).await.replayed);
        assert!(shop.is_locked(&[1]).await);
    });
}

#[test]
fn a_lock_that_an_instance_has_left_behind_soon_ends() {
    run(async {
        let shop = Shop::new(|world| {
            let locks = Arc::new(MemorySeatLocks::new(world.clock.clone()));
            Arc::new(Lying::new(locks, vec![Lie::SettlesNothing]))
        });
        let shop = shop.await;
        shop.store.set_broken(true);
        assert!(shop.office.submit(shop.hold(1, &[1])).await.is_err());
        shop.store.set_broken(false);
        assert!(shop.is_locked(&[1]).await);
        shop.world.wait(DECIDING);
        shop.try_hold(2, &[1]).await.unwrap();
    });
}

/// What locks do that cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lie {
    Nothing,
    /// Everybody is let through.
    Lost,
    /// Seats are in the way that nobody has, and some that nobody has asked for.
    Invented(Vec<u32>),
    /// Fewer answers than requests.
    Short,
    Away,
    /// They do as they are told, and then say that they are away.
    DoneAndAway,
    Panics,
    SettlesNothing,
    /// They take a while.
    Slow,
}

/// Locks that tell one lie a call, over and over.
struct Lying {
    locks: Arc<dyn SeatLocks>,
    lies: Vec<Lie>,
    calls: AtomicUsize,
}

impl Lying {
    fn new(locks: Arc<dyn SeatLocks>, lies: Vec<Lie>) -> Self {
        Self { locks, lies, calls: AtomicUsize::new(0) }
    }

    fn lie(&self) -> Lie {
        let call = self.calls.fetch_add(1, SeqCst);
        self.lies.get(call % self.lies.len().max(1)).cloned().unwrap_or(Lie::Nothing)
    }
}

#[async_trait]
impl SeatLocks for Lying {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        match self.lie() {
            Lie::Nothing | Lie::SettlesNothing => self.locks.acquire(requests).await,
            Lie::Lost => Ok(vec![Vec::new(); requests.len()]),
            Lie::Invented(seats) => Ok(vec![seats; requests.len()]),
            Lie::Short => self.locks.acquire(requests).await.map(|answers| answers.into_iter().skip(1).collect()),
            Lie::Away => Err(LocksAway("they are elsewhere".into())),
            Lie::DoneAndAway => self.locks.acquire(requests).await.and(Err(LocksAway("the answer was lost".into()))),
            Lie::Panics => panic!("the locks jam"),
            Lie::Slow => {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                self.locks.acquire(requests).await
            }
        }
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), LocksAway> {
        match self.lie() {
            Lie::SettlesNothing | Lie::Lost => Ok(()),
            Lie::Away => Err(LocksAway("they are elsewhere".into())),
            Lie::Panics => panic!("the locks jam"),
            _ => self.locks.settle(settled).await,
        }
    }
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        Just(Lie::Nothing),
        Just(Lie::Lost),
        proptest::collection::vec(0_u32..10, 0..3).prop_map(Lie::Invented),
        Just(Lie::Short),
        Just(Lie::Away),
        Just(Lie::DoneAndAway),
        Just(Lie::Panics),
        Just(Lie::SettlesNothing),
        Just(Lie::Slow),
    ]
}

/// What is asked. Bookings and keys are named by numbers.
#[derive(Debug, Clone)]
enum Ask {
    Hold { who: u32, seats: Vec<u32>, key: Option<u8> },
    Extend(usize),
    Cancel(usize),
    Confirm(usize),
    Expire(usize),
}

/// Asked at once, and then time passes.
type Step = (Vec<Ask>, u64);

fn ask() -> impl Strategy<Value = Ask> {
    let hold = (1_u32..5, proptest::collection::vec(0_u32..8, 1..4), proptest::option::of(0_u8..4))
        .prop_map(|(who, seats, key)| Ask::Hold { who, seats, key });
    prop_oneof![
        5 => hold,
        1 => (0_usize..8).prop_map(Ask::Extend),
        1 => (0_usize..8).prop_map(Ask::Cancel),
        1 => (0_usize..8).prop_map(Ask::Confirm),
        1 => (0_usize..8).prop_map(Ask::Expire),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((proptest::collection::vec(ask(), 1..6), 0_u64..200), 1..12)
}

impl Shop {
    fn request(&self, ask: &Ask, known: &[BookingId]) -> Option<Request> {
        let known = |at: usize| known.get(at).copied();
        let command = match ask {
            Ask::Hold { who, seats, key } => {
                let key = key.and_then(|key| World::key(&key.to_string(), &format!("{seats:?}{who}")));
                return Some(self.hold(*who, seats).with_key(key));
            }
            Ask::Extend(at) => Command::Extend { booking_id: known(*at)?, terms: self.world.terms },
            Ask::Cancel(at) => Command::Cancel { booking_id: known(*at)?, expected: None, reason: None },
            Ask::Confirm(at) => {
                Command::Confirm { booking_id: known(*at)?, payment_id: self.world.payment_id(), reference: None }
            }
            Ask::Expire(at) => Command::Expire { booking_id: known(*at)? },
        };
        Some(Request::new(HOUSE, command))
    }

    /// Plays a history, and checks after each step that every invariant holds, and that what was accepted is in the store.
    ///
    /// Where the locks are honest, nobody is turned away from a seat that was free all the time.
    async fn play(&self, steps: &[Step], honest: bool) {
        let mut known = Vec::new();
        let mut keys = BTreeSet::new();
        for (asks, secs) in steps {
            let free = self.world.statuses(&self.event).await;
            let due = self.due().await;
            let requests = asks.iter().filter_map(|ask| self.request(ask, &known)).collect::<Vec<_>>();
            let waiting = requests.into_iter().map(|request| {
                // What a repetition is told is how it was then.
                let is_new = request.key.is_none_or(|key| keys.insert(key.id));
                (is_new, self.office.hand_in(request).unwrap())
            });
            let waiting = waiting.collect::<Vec<(bool, HandedIn)>>();
            let mut turned_away = Vec::new();
            for (is_new, handed_in) in waiting {
                match handed_in.wait().await.unwrap().result {
                    Ok(outcome) => {
                        let accepted = booking(outcome);
                        assert!(self.world.store.bookings.booking(accepted.id).await.unwrap().is_some());
                        known.push(accepted.id);
                    }
                    Err(Rejection::SeatsUnavailable(seats)) if is_new => turned_away.extend(seats),
                    Err(_) => {}
                }
            }
            self.world.audited(&self.event).await;
            let then = self.world.statuses(&self.event).await;
            for (seat, _) in turned_away.into_iter().filter(|_| honest) {
                let number = seat.number().unwrap();
                let at = number as usize;
                let was_free = (free[at] == SeatStatus::Available || due.contains(&number)) && then[at] == SeatStatus::Available;
                assert!(!was_free, "seat {at} was free");
            }
            self.world.wait(Duration::from_secs(*secs));
        }
    }

    /// The seats of holds that have run out.
    async fn due(&self) -> Vec<u32> {
        let records = self.world.records(&self.event).await;
        let now = self.world.now();
        let due = records.bookings.iter().filter(|booking| booking.hold().is_some_and(|hold| !hold.is_live(now)));
        due.flat_map(|booking| booking.seats.iter().map(|seat| seat.number)).collect()
    }
}

fn play_many(cases: u32, strategy: impl Strategy<Value = (Vec<Step>, Vec<Lie>)>, honest: bool) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = Mutex::new(0);
    let result = TestRunner::new(config).run(&strategy, |(steps, lies)| {
        runtime.block_on(async {
            let mut lying = None;
            let shop = Shop::new(|world| {
                let locks = Arc::new(Lying::new(Arc::new(MemorySeatLocks::new(world.clock.clone())), lies));
                lying = Some(locks.clone());
                locks
            });
            shop.await.play(&steps, honest).await;
            *calls.lock().unwrap() += lying.map_or(0, |locks| locks.calls.load(SeqCst));
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(*calls.lock().unwrap() > 1000, "they were hardly asked");
}

#[test]
fn whatever_the_locks_say_no_invariant_is_broken() {
    play_many(400, (steps(), proptest::collection::vec(lie(), 1..12)), false);
}

#[test]
fn nobody_is_turned_away_from_a_seat_that_is_free() {
    play_many(400, (steps(), Just(Vec::new())), true);
}
