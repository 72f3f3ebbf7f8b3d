//! The box office: requests queue, and are decided a batch at a time.
//!
//! An on-sale is thousands of requests in the same second, and one transaction each is the wall that they all run into. Here
//! one batch is being committed while the next one gathers. There is no timer: a request that is alone waits for nobody.
//!
//! Where there are seat locks, a batch first goes to them, in one call. Whoever wants a seat that somebody else has locked is refused as if
//! the store had been asked; that leaves no trace in it.

mod locks;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
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
    /// How many requests may wait; one more is turned away at once.
    pub queue: usize,
    /// How many are decided in one transaction.
    pub batch: usize,
}

impl Default for OfficeSize {
    fn default() -> Self {
        Self { queue: 4096, batch: 256 }
    }
}

struct Waiting {
    request: Request,
    answer: Reply,
}

/// Where the answer to a request goes.
type Reply = oneshot::Sender<Result<Answer, Error>>;

impl BoxOffice {
    /// A box office, and the work it does: a future that ends when the last handle is gone and everything has been answered. If it is
    /// dropped before, whoever waits and whoever comes is told that the store is unavailable.
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
        let (queue, waiting) = mpsc::channel(size.queue);
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
        match self.queue.try_send(Waiting { request, answer }) {
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
/// have just been answered often ask again at once; without this the first of them would be a batch of one, and hold up the rest.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, most: usize) {
    let mut before = 0;
    while before < batch.len() && batch.len() < most {
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

impl Clerk {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Waiting>, most: usize) {
        let mut batch = Vec::with_capacity(most);
        while waiting.recv_many(&mut batch, most).await > 0 {
            gather(&mut waiting, &mut batch, most).await;
            if let Some(locks) = &mut self.locks {
                locks.turn_away(&mut batch, self.clock.now()).await;
            }
            let (requests, answers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|Waiting { request, answer }| (request, answer)).unzip();
            if !requests.is_empty() {
                self.decide(&requests, answers).await;
            }
        }
    }

    /// A store that panics has failed at a batch that it cannot stand. The transaction went with the panic, and the office goes on: if it
    /// ended here, every request from now on would be refused, and nobody would know why.
    async fn apply(&self, requests: &[Request]) -> Result<Applied, StoreError> {
        let applied = caught(self.store.apply(self.clock.now(), requests)).await;
        applied.unwrap_or_else(|panicked| Err(StoreError::new(StoreErrorKind::Corrupt, "apply", panicked)))
    }

    async fn settle_locks(&mut self, requests: &[Request], answers: &[Answer]) {
        if let Some(locks) = &mut self.locks {
            locks.settle(requests, answers, self.clock.now()).await;
        }
    }

    /// Decides a batch. One that fails is split, so that a request that breaks the store breaks nobody else's.
    async fn decide(&mut self, requests: &[Request], answers: Vec<Reply>) {
        let mut parts = vec![(requests, answers)];
        while let Some((requests, mut answers)) = parts.pop() {
            match self.apply(requests).await {
                Ok(applied) => {
                    // The feed and the locks first: whoever has been answered finds both caught up.
                    if let Err(Panicked) = caught(self.feed.publish(&applied.changes)).await {
                        tracing::error!("the feed has panicked; it may have lost changes");
                    }
                    self.settle_locks(requests, &applied.answers).await;
                    for (answer, sender) in applied.answers.into_iter().zip(answers) {
                        // Whoever asked may have gone.
                        let _ = sender.send(Ok(answer));
                    }
                }
                Err(error) if requests.len() > 1 && !is_away(&error) => {
                    let half = requests.len() / 2;
                    let rest = answers.split_off(half);
                    parts.push((&requests[half..], rest));
                    parts.push((&requests[..half], answers));
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, requests = requests.len(), "batch failed");
                    self.settle_locks(requests, &[]).await;
                    for sender in answers {
                        let _ = sender.send(Err(Error::Store(StoreError::new(error.kind(), "apply", error.to_string()))));
                    }
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
