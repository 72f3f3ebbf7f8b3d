//! Runs tasks one step at a time, in an order that follows from a seed, in a time that passes only when nobody has anything to do.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use evently_core::domain::Timestamp;

/// Locks; there is one thread, so that nobody waits.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What runs in one process, and stops with it. Each start of an instance is a group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Group(pub u32);

impl Group {
    /// What is outside of all instances, and never stops.
    pub const WORLD: Self = Self(0);
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where tasks are started, and the time they have.
#[derive(Clone)]
pub(super) struct Handle(Arc<Shared>);

struct Shared {
    now: AtomicI64,
    ready: Arc<Mutex<Vec<usize>>>,
    timers: Mutex<BinaryHeap<Reverse<Timer>>>,
    orders: Mutex<Vec<Order>>,
    /// Timers of one moment ring in the order in which they were set.
    timers_set: AtomicI64,
}

/// What a task has asked of the executor. It is done after the task's step.
enum Order {
    Spawn(Group, Work),
    Kill(Group),
    Pause(Group),
    Resume(Group),
}

struct Timer {
    at: i64,
    number: i64,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Handle {
    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now.load(Relaxed))
    }

    /// Starts a task.
    pub fn spawn(&self, group: Group, work: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0.orders).push(Order::Spawn(group, Box::pin(work)));
    }

    /// Ends all tasks of a group where they stand.
    pub fn kill(&self, group: Group) {
        lock(&self.0.orders).push(Order::Kill(group));
    }

    /// Lets no task of a group go on until it is resumed.
    pub fn pause(&self, group: Group) {
        lock(&self.0.orders).push(Order::Pause(group));
    }

    /// Ends a pause.
    pub fn resume(&self, group: Group) {
        lock(&self.0.orders).push(Order::Resume(group));
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }

    /// Waits until then.
    pub async fn sleep_until(&self, then: Timestamp) {
        let mut set = false;
        poll_fn(|context| {
            if self.now() >= then {
                return Poll::Ready(());
            }
            if !mem::replace(&mut set, true) {
                let number = self.0.timers_set.fetch_add(1, Relaxed);
                lock(&self.0.timers).push(Reverse(Timer { at: then.as_micros(), number, waker: context.waker().clone() }));
            }
            Poll::Pending
        })
        .await;
    }

    /// What the future gives, if it does in time.
    pub async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut over = pin!(self.sleep(time));
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            over.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

struct Task {
    group: Group,
    work: Work,
    waker: Waker,
    flag: Arc<Flag>,
}

/// Puts its task among those that can go on.
struct Flag {
    task: usize,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Relaxed) {
            lock(&self.ready).push(self.task);
        }
    }
}

/// The tasks, and who is next.
pub(super) struct Executor {
    handle: Handle,
    tasks: Vec<Option<Task>>,
    paused: Vec<Group>,
    /// Those that could go on if their group were not paused.
    waiting: Vec<usize>,
    order: fastrand::Rng,
}

impl Executor {
    /// One whose time is `now`, and whose order follows from the seed.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        let handle = Handle(Arc::new(Shared {
            now: AtomicI64::new(now.as_micros()),
            ready: Arc::default(),
            timers: Mutex::default(),
            orders: Mutex::default(),
            timers_set: AtomicI64::new(0),
        }));
        let order = fastrand::Rng::with_seed(seed);
        Self { handle, tasks: Vec::new(), paused: Vec::new(), waiting: Vec::new(), order }
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Lets one task go on until it waits, and says which; where none can, time passes. Nothing where there is nothing to wait for, or
    /// only something later than `end`.
    pub fn step(&mut self, end: Timestamp) -> Option<usize> {
        loop {
            self.follow_orders();
            let next = {
                let mut ready = lock(&self.handle.0.ready);
                (!ready.is_empty()).then(|| ready.len()).map(|len| self.order.usize(..len)).map(|at| ready.swap_remove(at))
            };
            let Some(number) = next else {
                if self.pass_time(end) {
                    continue;
                }
                return None;
            };
            let Some(task) = &mut self.tasks[number] else { continue };
            if self.paused.contains(&task.group) {
                self.waiting.push(number);
                continue;
            }
            task.flag.queued.store(false, Relaxed);
            let were_ready = lock(&self.handle.0.ready).len();
            if task.work.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready() {
                self.tasks[number] = None;
            }
            // Some channels wake those who wait in an order of their own, which is another one each time.
            lock(&self.handle.0.ready)[were_ready..].sort_unstable();
            return Some(number);
        }
    }

    /// Goes on to the next moment at which somebody wants to be woken. False if there is none by `end`.
    fn pass_time(&self, end: Timestamp) -> bool {
        let mut timers = lock(&self.handle.0.timers);
        let Some(at) = timers.peek().map(|Reverse(timer)| timer.at).filter(|at| *at <= end.as_micros()) else { return false };
        self.handle.0.now.fetch_max(at, Relaxed);
        while timers.peek().is_some_and(|Reverse(timer)| timer.at <= at) {
            let Reverse(timer) = timers.pop().expect("it has just been seen");
            timer.waker.wake();
        }
        true
    }

    fn follow_orders(&mut self) {
        loop {
            let orders = mem::take(&mut *lock(&self.handle.0.orders));
            if orders.is_empty() {
                return;
            }
            for order in orders {
                match order {
                    Order::Spawn(group, work) => self.start(group, work),
                    Order::Kill(group) => {
                        for task in &mut self.tasks {
                            // Others are told when it is dropped, and may have orders of their own.
                            drop(task.take_if(|task| task.group == group));
                        }
                    }
                    Order::Pause(group) => self.paused.push(group),
                    Order::Resume(group) => {
                        self.paused.retain(|paused| *paused != group);
                        lock(&self.handle.0.ready).append(&mut self.waiting);
                    }
                }
            }
        }
    }

    fn start(&mut self, group: Group, work: Work) {
        let task = self.tasks.len();
        let flag = Arc::new(Flag { task, queued: AtomicBool::new(false), ready: Arc::clone(&self.handle.0.ready) });
        let waker = Waker::from(Arc::clone(&flag));
        waker.wake_by_ref();
        self.tasks.push(Some(Task { group, work, waker, flag }));
    }
}

impl Drop for Executor {
    /// What was ordered and not done knows the tasks, and the tasks know this.
    fn drop(&mut self) {
        self.tasks.clear();
        lock(&self.handle.0.orders).clear();
        lock(&self.handle.0.timers).clear();
    }
}

/// Does something that never waits: something in memory.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in memory waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_when_nobody_has_anything_to_do_and_in_order() {
        let begin = Timestamp::from_secs(1_000);
        let mut executor = Executor::new(begin, 1);
        let handle = executor.handle().clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for seconds in [3, 1, 2] {
            let (handle, seen) = (handle.clone(), seen.clone());
            handle.clone().spawn(Group::WORLD, async move {
                handle.sleep(Duration::from_secs(seconds)).await;
                lock(&seen).push(handle.now().since(begin).as_secs());
            });
        }
        while executor.step(begin + Duration::from_secs(2)).is_some() {}
        assert_eq!(*lock(&seen), [1, 2]);
        while executor.step(begin + Duration::from_secs(9)).is_some() {}
        assert_eq!(*lock(&seen), [1, 2, 3]);
    }

    #[test]
    fn a_group_can_be_paused_and_killed() {
        let begin = Timestamp::from_secs(1_000);
        let mut executor = Executor::new(begin, 1);
        let handle = executor.handle().clone();
        let count = Arc::new(AtomicI64::new(0));
        let counted = count.clone();
        handle.clone().spawn(Group(1), {
            let handle = handle.clone();
            async move {
                loop {
                    handle.sleep(Duration::from_secs(1)).await;
                    counted.fetch_add(1, Relaxed);
                }
            }
        });
        handle.spawn(Group::WORLD, {
            let handle = handle.clone();
            async move { handle.sleep(Duration::from_secs(10)).await }
        });
        let mut until = |seconds| while executor.step(begin + Duration::from_secs(seconds)).is_some() {};
        until(2);
        handle.pause(Group(1));
        until(10);
        assert_eq!(count.load(Relaxed), 2);
        handle.resume(Group(1));
        until(11);
        assert_eq!(count.load(Relaxed), 4, "what it waited for came while it was paused, once; and then it waited again");
        handle.kill(Group(1));
        until(20);
        assert_eq!(Arc::strong_count(&count), 1, "the task is gone");
    }
}
