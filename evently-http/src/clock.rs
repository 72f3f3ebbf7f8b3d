//! The time of this machine.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use evently_core::{domain::Timestamp, ports::Clock};

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

    #[test]
    fn the_real_one_is_in_this_century() {
        let clock = SystemClock::new();
        let first = clock.now();
        assert!(first > "2026-01-01T00:00:00Z".parse().unwrap());
        assert!(clock.now() >= first);
    }
}
