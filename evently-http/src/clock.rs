//! The time: this machine's, or that of the store's server.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use evently_core::{domain::Timestamp, ports::Clock};
use evently_postgres::{PgStore, TimeSample};

/// The wall clock, except that it never goes back. Where the wall clock was set back, this one runs at half its pace until that
/// has caught up.
pub struct SystemClock {
    started: Instant,
    steady: Mutex<Steady>,
}

impl SystemClock {
    /// The clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self { started: Instant::now(), steady: Mutex::default() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        steady.at(Timestamp::from_secs(0) + since_epoch, Instant::now().duration_since(self.started))
    }
}

/// How often the server is asked for its time.
const SAMPLED: Duration = Duration::from_secs(5);
/// How often at the start.
const SAMPLES_AT_START: usize = 4;
/// By how much the counter of a machine may go wrong in a second: more than any does.
const DRIFT: u32 = 1_000;

/// The time of the store's server, so that all instances have the same, whatever their machines say. Between two samples of it the
/// counter of this machine goes on, and while the server is away too. It never goes back: where the server's clock was set back, this one
/// runs at half its pace until that has caught up.
pub struct StoreClock {
    /// For how long this machine has been running, from a moment of its own choice. No wall clock: those are set.
    running: Box<dyn Fn() -> Duration + Send + Sync>,
    followed: Mutex<Followed>,
}

struct Followed {
    offset: Offset,
    steady: Steady,
}

/// How far the server's clock is from this machine's counter.
#[derive(Clone, Copy)]
struct Offset {
    /// The server's time when the counter stood at 0, in microseconds.
    zero: i64,
    /// By how much that may be wrong.
    error: Duration,
    /// What the counter said when this was found out.
    since: Duration,
}

impl Offset {
    fn of(sample: &TimeSample) -> Self {
        let journey = sample.after.saturating_sub(sample.before);
        let zero = sample.time.as_micros() - micros(sample.before + journey / 2);
        Self { zero, error: journey / 2, since: sample.after }
    }

    /// Whether it says more than the other: it is more exact, or the other cannot be true any more.
    fn is_better_than(&self, other: &Self) -> bool {
        let age = self.since.saturating_sub(other.since);
        let error = other.error.saturating_add(age / DRIFT);
        let apart = Duration::from_micros(self.zero.abs_diff(other.zero));
        self.error <= error || apart > error.saturating_add(self.error)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl StoreClock {
    /// A clock that follows the server of this store for as long as somebody has it. Until the server has answered for the first time it
    /// shows the time of this machine.
    pub async fn following(store: PgStore) -> Arc<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let started = Instant::now();
        let clock = Arc::new(Self::beginning_at(SystemClock::new().now(), move || started.elapsed()));
        for _ in 0..SAMPLES_AT_START {
            clock.sample(&store).await;
        }
        let sample = move |clock: Arc<Self>| {
            let store = store.clone();
            async move { clock.sample(&store).await }
        };
        tokio::spawn(follow(Arc::downgrade(&clock), sample));
        clock
    }

    /// A clock that shows `time` and goes on from there until it has a sample, on a machine with this counter.
    pub fn beginning_at(time: Timestamp, running: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let since = running();
        // Whatever the server says is better.
        let offset = Offset { zero: time.as_micros() - micros(since), error: Duration::MAX, since };
        Self { running: Box::new(running), followed: Mutex::new(Followed { offset, steady: Steady::default() }) }
    }

    /// Asks the server for its time. One that is away is asked again later.
    pub async fn sample(&self, store: &PgStore) {
        match store.time(&*self.running).await {
            Ok(sample) => self.take(&sample),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the server's time is not known any better"),
        }
    }

    /// Goes by the sample, if it says more than the one there is.
    pub fn take(&self, sample: &TimeSample) {
        let new = Offset::of(sample);
        let mut followed = self.followed();
        if new.is_better_than(&followed.offset) {
            followed.offset = new;
        }
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let mut followed = self.followed();
        let running = (self.running)();
        let server = Timestamp::from_micros(followed.offset.zero.saturating_add(micros(running)));
        followed.steady.at(server, running)
    }
}

/// Takes samples for as long as somebody has the clock.
async fn follow(clock: Weak<StoreClock>, sample: impl AsyncFn(Arc<StoreClock>)) {
    loop {
        tokio::time::sleep(SAMPLED).await;
        let Some(clock) = clock.upgrade() else { return };
        sample(clock).await;
    }
}

/// What was answered last.
#[derive(Default)]
struct Steady {
    last: Timestamp,
    /// Where the wall clock was first found to have been set back: what this one said, and how long it had been running.
    behind_since: Option<(Timestamp, Duration)>,
}

impl Steady {
    /// The time, where the wall clock says `wall` and the machine has been running for `running`.
    fn at(&mut self, wall: Timestamp, running: Duration) -> Timestamp {
        if wall >= self.last {
            self.behind_since = None;
            self.last = wall;
        } else {
            let (time, then) = *self.behind_since.get_or_insert((self.last, running));
            self.last = self.last.max(time + running.saturating_sub(then) / 2);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_never_stands_still_for_long() {
        let mut steady = Steady::default();
        let at =
            |steady: &mut Steady, wall, running| steady.at(Timestamp::from_secs(wall), Duration::from_secs(running)).as_secs();
        assert_eq!(at(&mut steady, 1000, 0), 1000);
        assert_eq!(at(&mut steady, 900, 10), 1000, "set back");
        assert_eq!(at(&mut steady, 920, 30), 1010, "half the pace");
        assert_eq!(at(&mut steady, 910, 20), 1010);
        assert_eq!(at(&mut steady, 1200, 400), 1200, "caught up");
        assert_eq!(at(&mut steady, 1100, 400), 1200, "and set back again");
        assert_eq!(at(&mut steady, 1110, 410), 1205);
    }

    /// A machine's counter, which the test sets.
    #[derive(Clone, Default)]
    struct Machine(Arc<Mutex<Duration>>);

    impl Machine {
        fn runs_to(&self, millis: u64) {
            *self.0.lock().unwrap() = Duration::from_millis(millis);
        }

        fn clock(&self, time: i64) -> StoreClock {
            let counter = self.0.clone();
            StoreClock::beginning_at(Timestamp::from_secs(time), move || *counter.lock().unwrap())
        }
    }

    /// The server said this between these two moments.
    fn sample(before: u64, millis: i64, after: u64) -> TimeSample {
        let (before, after) = (Duration::from_millis(before), Duration::from_millis(after));
        TimeSample { time: Timestamp::from_micros(millis * 1000), before, after }
    }

    fn millis(clock: &StoreClock) -> i64 {
        clock.now().as_micros() / 1000
    }

    #[test]
    fn machines_whose_clocks_are_apart_have_the_same_time() {
        let (one, other) = (Machine::default(), Machine::default());
        other.runs_to(7_000_000);
        let (early, late) = (one.clock(1_000), other.clock(1_600));
        assert_eq!(late.now().as_secs() - early.now().as_secs(), 600);
        early.take(&sample(0, 1_300_000, 10));
        late.take(&sample(7_000_000, 1_300_000, 7_000_010));
        one.runs_to(5_005);
        other.runs_to(7_005_005);
        assert_eq!(millis(&early), 1_305_000);
        // It had shown a later time already, and waits for it at half its pace.
        assert_eq!(millis(&late), 1_600_000);
        other.runs_to(7_700_005);
        assert_eq!(millis(&late), 2_000_000);
    }

    #[test]
    fn the_shortest_journey_counts_until_it_is_old_or_wrong() {
        let machine = Machine::default();
        let clock = machine.clock(0);
        clock.take(&sample(0, 1_000_001, 2));
        machine.runs_to(1_000);
        clock.take(&sample(1_000, 1_001_090, 1_100));
        assert_eq!(millis(&clock), 1_001_000, "a long journey may have been long on either way");
        machine.runs_to(100_000);
        clock.take(&sample(100_000, 1_100_030, 100_080));
        assert_eq!(millis(&clock), 1_099_990, "after so long the counter may be worse");
        clock.take(&sample(100_000, 5_000_000, 100_500));
        assert_eq!(millis(&clock), 4_999_750, "the server's clock was set");
    }

    #[test]
    fn it_goes_on_without_the_server_and_never_back() {
        let machine = Machine::default();
        let clock = machine.clock(0);
        clock.take(&sample(0, 1_000_000, 0));
        machine.runs_to(60_000);
        assert_eq!(millis(&clock), 1_060_000);
        clock.take(&sample(60_000, 1_000_000, 60_000));
        assert_eq!(millis(&clock), 1_060_000);
        machine.runs_to(62_000);
        assert_eq!(millis(&clock), 1_061_000, "at half its pace");
        machine.runs_to(300_000);
        assert_eq!(millis(&clock), 1_240_000, "caught up");
    }

    /// Machines drift apart by more than a hold can stand, in hours.
    #[tokio::test(start_paused = true)]
    async fn the_server_is_asked_every_few_seconds_for_as_long_as_somebody_has_the_clock() {
        let clock = Arc::new(Machine::default().clock(0));
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        let following = tokio::spawn(follow(Arc::downgrade(&clock), async move |_| *count.lock().unwrap() += 1));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let in_a_minute = *asked.lock().unwrap();
        assert!((6..=60).contains(&in_a_minute), "{in_a_minute} times");
        drop(clock);
        following.await.unwrap();
        assert_eq!(*asked.lock().unwrap(), in_a_minute, "nobody has it any more");
    }

    #[test]
    fn the_real_one_is_in_this_century() {
        let clock = SystemClock::new();
        let first = clock.now();
        assert!(first > "2026-01-01T00:00:00Z".parse().unwrap());
        assert!(clock.now() >= first);
    }
}
