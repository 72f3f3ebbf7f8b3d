//! The clocks of instances: none is quite right.

use std::{
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::Duration,
};

use evently_core::{domain::Timestamp, ports::Clock};

use super::{executor::Handle, rare::Rare, world::World};

/// The true time.
pub(super) struct TrueClock(pub Handle);

impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// The time as one instance knows it. It never goes back: where it was set back it stands still until the time has caught up.
pub(super) struct InstanceClock {
    tasks: Handle,
    ahead: AtomicI64,
    last: AtomicI64,
}

impl InstanceClock {
    pub fn new(tasks: Handle, ahead: i64) -> Self {
        Self { tasks, ahead: AtomicI64::new(ahead), last: AtomicI64::new(0) }
    }

    /// Sets it so many microseconds ahead of the true time, or behind it.
    pub fn set(&self, ahead: i64) {
        self.ahead.store(ahead, Relaxed);
    }
}

impl Clock for InstanceClock {
    fn now(&self) -> Timestamp {
        let now = self.tasks.now().as_micros() + self.ahead.load(Relaxed);
        Timestamp::from_micros(self.last.fetch_max(now, Relaxed).max(now))
    }
}

/// How far a clock is off from now on, either way; not at all when everything is healed.
pub(super) fn off(world: &World, dice: &mut fastrand::Rng) -> i64 {
    let skew = if world.time() < world.plan.lasts { world.plan.skew } else { Duration::ZERO };
    let skew = i64::try_from(skew.as_micros()).expect("a skew is short");
    let ahead = dice.i64(-skew..=skew);
    if u128::from(ahead.unsigned_abs()) > world.plan.terms.ttl.as_micros() {
        world.met(Rare::ClockBeyondHold);
    }
    ahead
}
