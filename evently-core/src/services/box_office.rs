//! The box office: requests queue, and are decided a batch at a time.
//!
//! An on-sale is thousands of requests in the same second, and one transaction each is the wall that they all run into. Here
//! one batch is being committed while the next one gathers, and everybody is told of the one before. There is no timer: a request that is
//! alone waits for nobody.
//!
//! Where there are seat locks there is a door in front: whoever comes is asked about there, all that wait in one call, while the store
//! decides about those who came before. Whoever wants a seat that somebody else has locked is refused as if the store had been asked; that
//! leaves no trace in it.

mod locks;

use std::{
    future::{Future, poll_fn},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::Error;
use crate::{
    domain::{Answer, Request},
    ports::{Applied, Bookings, Clock, SeatFeed, SeatLocks, StoreError, StoreErrorKind},
};
use locks::Locks;

/// Where requests are handed in. Clones share one queue.
#[derive(Clone)]
pub struct BoxOffice {
    queue: mpsc::Sender<Waiting>,
}

/// How much a box office takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfficeSize {
    /// How many requests may wait; one more is turned away at once. Up to two batches of those who have come to the front are not counted.
    pub queue: usize,
    /// How many are decided in one transaction.
    pub batch: usize,
}

impl Default for OfficeSize {
    fn default() -> Self {
        Self { queue: 4096, batch: 256 }
    }
}

/// So many share what a transaction costs beside them, and what one more would save is less than is lost while the store, or the locks, do
/// nothing (holds on 64 connections, two cores).
const ENOUGH: usize = 16;

struct Waiting {
    request: Request,
    answer: Reply,
}

/// Where the answer to a request goes.
type Reply = oneshot::Sender<Result<Answer, Error>>;

impl BoxOffice {
    /// A box office, and the work it does: a future that ends when the last handle is gone and everything has been answered. If it is
    /// dropped before, whoever comes is told that the store is unavailable, and whoever waits that it is in doubt.
    pub fn open(
        store: Arc<dyn Bookings>,
        feed: Arc<dyn SeatFeed>,
        clock: Arc<dyn Clock>,
        size: OfficeSize,
    ) -> (Self, impl Future<Output = ()> + Send) {
        Self::open_behind(None, store, feed, clock, size)
    }

    /// The same with seat locks in front of the store.
    pub fn open_behind(
        locks: Option<Arc<dyn SeatLocks>>,
        store: Arc<dyn Bookings>,
        feed: Arc<dyn SeatFeed>,
        clock: Arc<dyn Clock>,
        size: OfficeSize,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, waiting) = mpsc::channel(if planted!(QueuesForEver) { 4096 } else { size.queue });
        let clerk = Clerk { locks: locks.map(Locks::new), store, feed, clock };
        (Self { queue }, clerk.serve(waiting, size.batch))
    }

    /// Hands a request in and waits for its answer.
    pub async fn submit(&self, request: Request) -> Result<Answer, Error> {
        self.hand_in(request)?.wait().await
    }

    /// Hands a request in. It is then decided, whether or not anybody waits for the answer.
    pub fn hand_in(&self, request: Request) -> Result<HandedIn, Error> {
        let (answer, answered) = oneshot::channel();
        let is_last = planted!(RefusesTheLast) && matches!(self.queue.capacity(), 1);
        match self.queue.try_send(Waiting { request, answer }) {
            Ok(()) if is_last => Err(Error::Overloaded),
            Ok(()) => Ok(HandedIn(answered)),
            Err(TrySendError::Full(_)) => Err(Error::Overloaded),
            Err(TrySendError::Closed(_)) => Err(closed(StoreErrorKind::Unavailable)),
        }
    }
}

/// The work has ended.
fn closed(kind: StoreErrorKind) -> Error {
    Error::Store(StoreError::new(kind, "apply", "the box office is closed"))
}

/// Whether every request would fail in this way.
const fn is_away(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::InDoubt)
}

/// A request that will be decided.
pub struct HandedIn(oneshot::Receiver<Result<Answer, Error>>);

impl HandedIn {
    /// Waits for the answer.
    pub async fn wait(self) -> Result<Answer, Error> {
        self.0.await.unwrap_or_else(|_| Err(closed(StoreErrorKind::InDoubt)))
    }
}

/// Adds to a batch what comes while every other task that can run does so once, and again for as long as something comes. Those who
/// have just been answered often ask again at once; without this the first of them would be a batch of one, and hold up the rest. A batch
/// that has [`ENOUGH`] waits for nobody.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, most: usize) {
    let mut before = 0;
    while before < batch.len() && batch.len() < most.min(ENOUGH) {
        before = batch.len();
        others_first().await;
        while batch.len() < most
            && let Ok(one) = waiting.try_recv()
        {
            batch.push(one);
        }
    }
}

/// Goes to the end of the queue of tasks that can run.
async fn others_first() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Something that was called has panicked. What it said went to the panic hook.
#[derive(Debug, thiserror::Error)]
#[error("it has panicked")]
struct Panicked;

/// What the future gives, or that it panicked.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // Nothing of the future is looked at again once it has panicked.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(Err(Panicked)), |poll| poll.map(Ok))
    })
    .await
}

struct Clerk {
    locks: Option<Locks>,
    store: Arc<dyn Bookings>,
    feed: Arc<dyn SeatFeed>,
    clock: Arc<dyn Clock>,
}

/// What is left to do about a batch that has been decided: to tell everybody.
type Telling<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

/// Goes on telling until the work beside it is done.
async fn beside<T>(telling: &mut Option<Telling<'_>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        if telling.as_mut().is_some_and(|telling| telling.as_mut().poll(context).is_ready()) {
            *telling = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

impl Clerk {
    async fn serve(self, waiting: mpsc::Receiver<Waiting>, most: usize) {
        let Some(locks) = &self.locks else { return self.counter(waiting, most).await };
        let (let_in, admitted) = mpsc::channel(most);
        // First who may give seats back, then who wants some.
        tokio::join!(biased; self.counter(admitted, most), self.door(locks, waiting, let_in, most));
    }

    /// Lets those in who want no seat that somebody else has locked, as many as are decided in one batch; then the next ones wait outside.
    async fn door(&self, locks: &Locks, mut waiting: mpsc::Receiver<Waiting>, let_in: mpsc::Sender<Waiting>, most: usize) {
        let mut batch = Vec::with_capacity(most);
        while waiting.recv_many(&mut batch, most).await > 0 {
            gather(&mut waiting, &mut batch, most).await;
            locks.turn_away(&mut batch, self.clock.now()).await;
            for one in batch.drain(..) {
                if planted!(RefusesLate) {
                    if let Err(TrySendError::Full(one)) = let_in.try_send(one) {
                        let _ = one.answer.send(Err(Error::Overloaded));
                    }
                    continue;
                }
                // The counter is open for as long as the door is.
                let _ = let_in.send(one).await;
            }
        }
    }

    /// While one batch is being decided everybody is told of the one before. Nobody is told of a batch before all have been told of the
    /// one before it.
    async fn counter(&self, mut waiting: mpsc::Receiver<Waiting>, most: usize) {
        let mut telling = None;
        let mut batch = Vec::with_capacity(most);
        while beside(&mut telling, waiting.recv_many(&mut batch, most)).await > 0 {
            beside(&mut telling, gather(&mut waiting, &mut batch, most)).await;
            let mut parts = vec![mem::take(&mut batch).into_iter().map(|waiting| (waiting.request, waiting.answer)).unzip()];
            while let Some((requests, answers)) = parts.pop() {
                self.decide(requests, answers, &mut parts, &mut telling).await;
            }
        }
        if let Some(telling) = telling {
            telling.await;
        }
    }

    /// Decides a part of a batch. One that fails is split, so that a request that breaks the store breaks nobody else's.
    async fn decide<'c>(
        &'c self,
        mut requests: Vec<Request>,
        mut answers: Vec<Reply>,
        parts: &mut Vec<(Vec<Request>, Vec<Reply>)>,
        telling: &mut Option<Telling<'c>>,
    ) {
        if requests.is_empty() {
            return;
        }
        let applied = beside(telling, self.apply(&requests)).await;
        match &applied {
            Err(error) if requests.len() > 1 && !is_away(error) => {
                let half = requests.len() / 2;
                parts.push((requests.split_off(half), answers.split_off(half)));
                parts.push((requests, answers));
            }
            _ => {
                if let Some(before) = telling.take() {
                    before.await;
                }
                *telling = Some(Box::pin(self.tell(requests, applied, answers)));
            }
        }
    }

    /// A store that panics has failed at a batch that it cannot stand. The transaction went with the panic, and the office goes on: if it
    /// ended here, every request from now on would be refused, and nobody would know why.
    async fn apply(&self, requests: &[Request]) -> Result<Applied, StoreError> {
        let applied = caught(self.store.apply(self.clock.now(), requests)).await;
        applied.unwrap_or_else(|panicked| Err(StoreError::new(StoreErrorKind::Corrupt, "apply", panicked)))
    }

    /// The locks and the feed first: whoever has been answered finds both caught up.
    async fn tell(&self, requests: Vec<Request>, applied: Result<Applied, StoreError>, answers: Vec<Reply>) {
        let settled = applied.as_ref().map_or(&[][..], |applied| &applied.answers);
        if let Some(locks) = &self.locks {
            locks.settle(&requests, settled, self.clock.now()).await;
        }
        match applied {
            Ok(Applied { answers: given, changes }) => {
                let changes = if planted!(PublishesNothing) { Vec::new() } else { changes };
                if let Err(Panicked) = caught(self.feed.publish(&changes)).await {
                    tracing::error!("the feed has panicked; it may have lost changes");
                }
                for (answer, reply) in given.into_iter().zip(answers) {
                    // Whoever asked may have gone.
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, requests = requests.len(), "batch failed");
                for reply in answers {
                    let _ = reply.send(Err(Error::Store(StoreError::new(error.kind(), "apply", error.to_string()))));
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
