use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        Actor, Booking, BookingCode, BookingId, Command, EventId, HoldTerms, LayoutId, Payment, PaymentId, Rejection, SeatChange,
        SeatMap, Ticket, TicketId, Timestamp, UserId,
    },
    memory::ManualClock,
    ports::{BookingFilter, BookingRecords, Elsewhere, LockRequest, LocksAway, Page, Settled, Subscription},
    sync::{Mutex, lock},
};

/// What happens to a call with a request that the store cannot stand.
#[derive(Clone, Copy)]
enum Break {
    Error(StoreErrorKind),
    Panic,
}

/// Notes the numbers of the requests of each call, and answers each with its own, as often as it may.
struct Till {
    breaks: Option<(u64, Break)>,
    calls: Mutex<Vec<Vec<u64>>>,
    open: Arc<Semaphore>,
}

impl Default for Till {
    fn default() -> Self {
        Self { breaks: None, calls: Mutex::default(), open: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }
}

impl Till {
    fn breaking(number: u64, how: Break) -> Arc<Self> {
        Arc::new(Self { breaks: Some((number, how)), ..Self::default() })
    }

    fn calls(&self) -> Vec<Vec<u64>> {
        lock(&self.calls).clone()
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(Vec::len).collect()
    }
}

fn request(number: u64) -> Request {
    let booking_id = BookingId::from_uuid(Uuid::from_u128(number.into()));
    Request::new(Actor::System, Command::Expire { booking_id })
}

/// The same for the seat of that number.
fn hold(number: u32) -> Request {
    let id = Uuid::from_u128(number.into());
    let (booking_id, event_id, user_id) = (BookingId::from_uuid(id), EventId::from_uuid(id), UserId::from_uuid(id));
    let seats = vec![LayoutId::from_uuid(Uuid::nil()).seat(number)];
    Request::new(Actor::System, Command::Hold { booking_id, event_id, user_id, seats, terms: HoldTerms::default() })
}

fn number(request: &Request) -> u64 {
    let (Command::Expire { booking_id } | Command::Hold { booking_id, .. }) = &request.command else {
        unreachable!("these tests ask for nothing else")
    };
    booking_id.as_uuid().as_u64_pair().1
}

/// The number that an answer was given to.
fn answered(answer: Result<Answer, Error>) -> u64 {
    match answer {
        Ok(Answer { result: Err(Rejection::ExtensionLimit(at)), .. }) => at.as_micros().unsigned_abs(),
        other => panic!("it was to be answered: {other:?}"),
    }
}

fn failed(answer: Result<Answer, Error>) -> StoreErrorKind {
    match answer {
        Err(Error::Store(error)) => error.kind(),
        other => panic!("the store was to fail: {other:?}"),
    }
}

#[async_trait]
impl Bookings for Till {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let numbers = requests.iter().map(number).collect::<Vec<_>>();
        lock(&self.calls).push(numbers.clone());
        self.open.acquire().await.expect("it stays open").forget();
        match self.breaks {
            Some((culprit, Break::Error(kind))) if numbers.contains(&culprit) => {
                return Err(StoreError::new(kind, "apply", "no"));
            }
            Some((culprit, Break::Panic)) if numbers.contains(&culprit) => panic!("the till jams"),
            _ => {}
        }
        let echo = |number: u64| {
            let number = Timestamp::from_micros(i64::try_from(number).expect("it is small"));
            Answer { at: now, replayed: false, result: Err(Rejection::ExtensionLimit(number)) }
        };
        Ok(Applied { answers: numbers.into_iter().map(echo).collect(), changes: Vec::new() })
    }

    async fn booking(&self, _: BookingId) -> Result<Option<Booking>, StoreError> {
        unreachable!("a box office reads nothing")
    }

    async fn booking_by_code(&self, _: BookingCode) -> Result<Option<Booking>, StoreError> {
        unreachable!("a box office reads nothing")
    }

    async fn bookings(&self, _: &BookingFilter, _: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        unreachable!("a box office reads nothing")
    }

    async fn records(&self, _: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        unreachable!("a box office reads nothing")
    }

    async fn payment(&self, _: PaymentId) -> Result<Option<Payment>, StoreError> {
        unreachable!("a box office reads nothing")
    }

    async fn ticket(&self, _: TicketId) -> Result<Option<Ticket>, StoreError> {
        unreachable!("a box office reads nothing")
    }
}

/// Counts what it is told; the first so many times it panics. It is done as often as it may be.
struct Board {
    panics: usize,
    told: AtomicUsize,
    done: Arc<Semaphore>,
}

impl Default for Board {
    fn default() -> Self {
        Self { panics: 0, told: AtomicUsize::new(0), done: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }
}

#[async_trait]
impl SeatFeed for Board {
    async fn publish(&self, _: &[SeatChange]) {
        assert!(self.told.fetch_add(1, Ordering::Relaxed) >= self.panics, "the board falls off the wall");
        self.done.acquire().await.expect("it stays open").forget();
    }

    async fn seat_map(&self, _: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        unreachable!("a box office only tells")
    }

    async fn subscribe(&self, _: EventId, _: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        unreachable!("a box office only tells")
    }

    async fn refresh(&self, _: &Elsewhere) -> Result<(), StoreError> {
        unreachable!("a box office only tells")
    }

    fn let_go(&self) {
        unreachable!("a box office only tells")
    }
}

const SIZE: OfficeSize = OfficeSize { queue: 64, batch: 16 };

fn open(till: &Arc<Till>, size: OfficeSize) -> (BoxOffice, impl Future<Output = ()> + Send + use<>) {
    open_with(till, Board::default(), size)
}

fn open_with(till: &Arc<Till>, board: Board, size: OfficeSize) -> (BoxOffice, impl Future<Output = ()> + Send + use<>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    BoxOffice::open(till.clone(), Arc::new(board), clock, size)
}

/// Hands in requests with these numbers, which then wait together.
fn queue(office: &BoxOffice, numbers: impl IntoIterator<Item = u64>) -> Vec<HandedIn> {
    numbers.into_iter().map(|number| office.hand_in(request(number)).expect("there is room")).collect()
}

#[tokio::test]
async fn a_batch_that_fails_is_split_until_the_culprit_is_alone() {
    for (how, kind) in [
        (Break::Error(StoreErrorKind::Corrupt), StoreErrorKind::Corrupt),
        (Break::Error(StoreErrorKind::Contended), StoreErrorKind::Contended),
        (Break::Panic, StoreErrorKind::Corrupt),
    ] {
        let till = Till::breaking(5, how);
        let (office, work) = open(&till, SIZE);
        let waiting = queue(&office, 0..8);
        tokio::spawn(work);
        for (number, handed_in) in (0..).zip(waiting) {
            let answer = handed_in.wait().await;
            if number == 5 { assert_eq!(failed(answer), kind) } else { assert_eq!(answered(answer), number) }
        }
        let expected: [&[u64]; 7] = [&[0, 1, 2, 3, 4, 5, 6, 7], &[0, 1, 2, 3], &[4, 5, 6, 7], &[4, 5], &[4], &[5], &[6, 7]];
        assert_eq!(till.calls(), expected, "in their order, and each decided once");
        assert_eq!(answered(office.submit(request(9)).await), 9, "it goes on");
    }
}

#[tokio::test]
async fn while_the_store_is_away_all_fail_at_once() {
    for away in [StoreErrorKind::Unavailable, StoreErrorKind::InDoubt] {
        let till = Till::breaking(5, Break::Error(away));
        let (office, work) = open(&till, SIZE);
        let waiting = queue(&office, 0..8);
        tokio::spawn(work);
        for handed_in in waiting {
            assert_eq!(failed(handed_in.wait().await), away);
        }
        assert_eq!(till.sizes(), [8], "it is not asked once for each of them");
    }
}

#[tokio::test]
async fn one_more_than_may_wait_is_turned_away_at_once() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, OfficeSize { queue: 3, ..SIZE });
    let waiting = queue(&office, 0..3);
    assert!(matches!(office.hand_in(request(3)), Err(Error::Overloaded)));
    assert!(matches!(office.submit(request(3)).await, Err(Error::Overloaded)));
    tokio::spawn(work);
    for (number, handed_in) in (0..).zip(waiting) {
        assert_eq!(answered(handed_in.wait().await), number);
    }
    assert_eq!(answered(office.submit(request(4)).await), 4, "there is room again");
    assert_eq!(till.calls(), [vec![0, 1, 2], vec![4]], "who was turned away is not decided");
}

#[tokio::test]
async fn whoever_stops_waiting_stops_nobody_else() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, SIZE);
    let mut waiting = queue(&office, 0..4);
    drop(waiting.remove(1));
    tokio::spawn(work);
    for (number, handed_in) in [0, 2, 3].into_iter().zip(waiting) {
        assert_eq!(answered(handed_in.wait().await), number);
    }
    assert_eq!(till.sizes(), [4], "what was handed in is decided all the same");
}

/// The first of so many asks, then it is the office's turn, and then that of the others.
async fn one_before_the_others(all: u64, size: OfficeSize) -> Vec<usize> {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, size);
    let caller = |number| {
        let office = office.clone();
        tokio::spawn(async move { assert_eq!(answered(office.submit(request(number)).await), number) })
    };
    let mut callers = vec![caller(0)];
    tokio::spawn(work);
    callers.extend((1..all).map(caller));
    for caller in callers {
        caller.await.unwrap();
    }
    till.sizes()
}

#[tokio::test]
async fn those_who_ask_at_once_share_a_batch() {
    assert_eq!(one_before_the_others(8, SIZE).await, [8]);
    assert_eq!(one_before_the_others(8, OfficeSize { batch: 3, ..SIZE }).await, [3, 3, 2], "as many as it may have");
}

#[tokio::test]
async fn a_batch_that_is_large_enough_waits_for_nobody() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, OfficeSize { queue: 64, batch: 64 });
    let waiting = queue(&office, 0..ENOUGH as u64);
    let later = {
        let office = office.clone();
        async move { office.submit(request(99)).await }
    };
    // The work comes first, and it would let the other one run before it goes on.
    tokio::spawn(work);
    let later = tokio::spawn(later);
    for handed_in in waiting {
        handed_in.wait().await.unwrap();
    }
    assert_eq!(answered(later.await.unwrap()), 99);
    assert_eq!(till.sizes(), [ENOUGH, 1]);
}

#[tokio::test]
async fn no_batch_is_larger_than_it_may_be() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, OfficeSize { batch: 3, ..SIZE });
    let waiting = queue(&office, 0..8);
    tokio::spawn(work);
    for (number, handed_in) in (0..).zip(waiting) {
        assert_eq!(answered(handed_in.wait().await), number);
    }
    assert_eq!(till.calls(), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
}

#[tokio::test]
async fn the_work_ends_when_nobody_can_ask_any_more_and_all_is_answered() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, OfficeSize { batch: 2, ..SIZE });
    let mut work = pin!(work);
    let waiting = queue(&office, 0..5);
    let other = office.clone();
    drop(office);
    assert!(soon(work.as_mut()).await.is_none(), "somebody may still ask");
    let last = queue(&other, [5]);
    drop(other);
    assert_eq!(soon(work.as_mut()).await, Some(()));
    for (number, handed_in) in (0..).zip(waiting.into_iter().chain(last)) {
        assert_eq!(answered(handed_in.wait().await), number);
    }
}

/// What the future gives if it needs nothing that this test does not do.
async fn soon<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    for _ in 0..100 {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(value) = polled {
            return Some(value);
        }
    }
    None
}

#[tokio::test]
async fn a_board_that_falls_down_keeps_nobody_from_their_answer() {
    let till = Arc::new(Till::default());
    let (office, work) = open_with(&till, Board { panics: 1, ..Board::default() }, SIZE);
    tokio::spawn(work);
    for number in 0..2 {
        assert_eq!(answered(office.submit(request(number)).await), number);
    }
}

/// Telling takes journeys where the seats are shared with other instances.
#[tokio::test]
async fn the_next_batch_is_decided_while_everybody_is_told_of_the_one_before() {
    let till = Arc::new(Till::default());
    let board = Board { done: Arc::new(Semaphore::new(0)), ..Board::default() };
    let done = Arc::clone(&board.done);
    let (office, work) = open_with(&till, board, OfficeSize { batch: 2, ..SIZE });
    let mut work = pin!(work);
    let mut waiting = queue(&office, 0..6).into_iter().map(|handed_in| Box::pin(handed_in.wait())).collect::<Vec<_>>();
    for decided in [2, 3] {
        assert!(soon(work.as_mut()).await.is_none());
        assert_eq!(till.calls().len(), decided, "no further: the one before is not told of");
        let (first, then) = waiting.split_at_mut(2);
        for handed_in in first.iter_mut().chain(then) {
            assert!(soon(handed_in.as_mut()).await.is_none(), "nobody is told before the board is done");
        }
        done.add_permits(1);
        assert!(soon(work.as_mut()).await.is_none());
        for handed_in in waiting.drain(..2) {
            assert!(soon(Box::pin(handed_in).as_mut()).await.is_some());
        }
    }
    assert!(soon(waiting[0].as_mut()).await.is_none());
}

/// Notes how many it is asked about in each call. Seat 9 is somebody else's.
#[derive(Default)]
struct Porter(Mutex<Vec<usize>>);

#[async_trait]
impl SeatLocks for Porter {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        lock(&self.0).push(requests.len());
        Ok(requests.iter().map(|request| request.seats.iter().copied().filter(|seat| *seat == 9).collect()).collect())
    }

    async fn settle(&self, _: &[Settled]) -> Result<(), LocksAway> {
        Ok(())
    }
}

#[tokio::test]
async fn who_comes_while_the_store_decides_is_asked_about_at_the_door() {
    let (till, porter) = (Arc::new(Till { open: Arc::new(Semaphore::new(0)), ..Till::default() }), Arc::new(Porter::default()));
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let size = OfficeSize { queue: 3, batch: 2 };
    let (office, work) = BoxOffice::open_behind(Some(porter.clone()), till.clone(), Arc::new(Board::default()), clock, size);
    let mut work = pin!(work);
    let hand_in = |number| Box::pin(office.hand_in(hold(number)).expect("there is room").wait());

    let first = hand_in(1);
    assert!(soon(work.as_mut()).await.is_none());
    let (next, mut late) = (hand_in(2), hand_in(9));
    assert!(soon(work.as_mut()).await.is_none());
    assert_eq!((lock(&porter.0).clone(), till.calls()), (vec![1, 2], vec![vec![1]]), "the store is still at the first");
    let answer = soon(late.as_mut()).await.expect("nobody waits for the store who is turned away").unwrap();
    assert!(matches!(answer.result, Err(Rejection::SeatsUnavailable(_))), "{answer:?}");

    let mut crowd = Vec::new();
    for number in 100..200 {
        crowd.extend(office.hand_in(hold(number)).map(HandedIn::wait).ok());
        assert!(soon(work.as_mut()).await.is_none());
    }
    assert_eq!(crowd.len(), size.queue + 2, "those in the queue, one at the door, and one inside, where another has been let in");
    till.open.add_permits(10);
    assert!(soon(work.as_mut()).await.is_none());
    assert_eq!(answered(first.await), 1);
    assert_eq!(answered(next.await), 2);
    for (number, handed_in) in (100..).zip(crowd) {
        assert_eq!(answered(handed_in.await), number);
    }
    assert!(till.sizes().into_iter().all(|size| size <= 2), "{:?}", till.sizes());
}

#[tokio::test]
async fn behind_locks_the_work_ends_as_well_when_all_is_answered() {
    let till = Arc::new(Till::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let size = OfficeSize { queue: 64, batch: 2 };
    let locks = Arc::new(Porter::default());
    let (office, work) = BoxOffice::open_behind(Some(locks), till.clone(), Arc::new(Board::default()), clock, size);
    let mut work = pin!(work);
    let waiting = (100..107).map(|number| office.hand_in(hold(number)).expect("there is room")).collect::<Vec<_>>();
    drop(office);
    assert_eq!(soon(work.as_mut()).await, Some(()));
    for (number, handed_in) in (100..).zip(waiting) {
        assert_eq!(answered(handed_in.wait().await), number);
    }
}

#[tokio::test]
async fn who_waits_is_told_when_there_is_nobody_left_to_decide() {
    let till = Arc::new(Till::default());
    let (office, work) = open(&till, SIZE);
    let waiting = queue(&office, [0]);
    drop(work);
    for handed_in in waiting {
        assert_eq!(failed(handed_in.wait().await), StoreErrorKind::InDoubt);
    }
    assert_eq!(failed(office.submit(request(1)).await), StoreErrorKind::Unavailable, "and it is no matter of waiting");
}
