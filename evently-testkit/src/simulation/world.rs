//! What all of a run share: the time, the dice, the store, everybody who is there, and what is told of it.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use evently_core::{
    domain::{Timestamp, User},
    memory::{MemoryStore, SeededIds},
    services::Error,
};

use super::{
    broker::Broker,
    cache::FaultyCache,
    executor::{Group, Handle, lock},
    faults::{Fault, Faults},
    gateway::Gateway,
    instance::Instance,
    locks::FaultyLocks,
    logs::Logs,
    mailer::FaultyMailer,
    oracle::Oracle,
    plan::Plan,
    rare::{Counting, Rare},
};
use crate::Fixture;

/// All of a run.
pub(super) struct World {
    pub plan: Plan,
    pub begin: Timestamp,
    pub tasks: Handle,
    pub faults: Faults,
    pub rare: Counting,
    pub store: Arc<MemoryStore>,
    pub ids: Arc<SeededIds>,
    pub fixture: Fixture,
    pub buyers: Vec<User>,
    pub locks: Arc<FaultyLocks>,
    pub gateway: Arc<Gateway>,
    pub broker: Arc<Broker>,
    pub mailer: Arc<FaultyMailer>,
    pub cache: Arc<FaultyCache>,
    pub oracle: Oracle,
    /// By number; nothing while it is down.
    pub instances: Mutex<Vec<Option<Arc<Instance>>>>,
    pub story: Story,
    pub logs: Arc<Logs>,
}

impl World {
    pub fn now(&self) -> Timestamp {
        self.tasks.now()
    }

    /// Since the beginning.
    pub fn time(&self) -> Duration {
        self.now().since(self.begin)
    }

    /// Counts a rare state, and tells of it.
    pub fn met(&self, rare: Rare) {
        self.rare.met(rare);
        self.say("", || format!("({})", rare.name()));
    }

    /// Whether it goes wrong now; told if it does.
    pub fn strikes(&self, fault: Fault) -> bool {
        let strikes = self.faults.strikes(fault);
        if strikes {
            self.say("!", || fault.name().to_owned());
        }
        strikes
    }

    /// Tells, where anybody listens.
    pub fn say(&self, who: &str, what: impl FnOnce() -> String) {
        self.story.tell(|| {
            let time = self.time();
            let mut line = format!("{:>3}.{:06} ", time.as_secs(), time.subsec_micros());
            let _ = write!(line, "{who:<12} {}", what());
            line
        });
    }

    /// Something takes a moment; sometimes much longer.
    pub async fn takes(&self, fault: Fault, usual: Duration, slow: Duration) {
        let time = if self.strikes(fault) { slow } else { usual };
        // Half of what is usual takes no time at all, so that things happen in the very same moment.
        let micros = self.faults.draw(fault, 2 * super::plan::micros(time));
        if time == slow || micros.is_multiple_of(2) {
            self.tasks.sleep(Duration::from_micros(micros / 2)).await;
        }
    }

    /// Notices if what it stands for never comes to its end, because whoever was at it has crashed.
    pub fn unless_done(self: &Arc<Self>, rare: Rare) -> UnlessDone {
        UnlessDone { world: Arc::clone(self), rare, done: false }
    }

    /// An error that does not pass is a fault: the store in memory holds nothing that cannot be, unless the rules have put it there.
    pub fn must_be_for_now(&self, error: &Error) {
        if let Error::Store(error) = error
            && !error.is_retryable()
        {
            self.oracle.breach(self, "I13", || error.to_string());
        }
    }

    /// The instances that are up.
    pub fn up(&self) -> Vec<Arc<Instance>> {
        lock(&self.instances).iter().flatten().cloned().collect()
    }

    /// One that is up; which one follows from `choice`.
    pub fn any_up(&self, choice: usize) -> Option<Arc<Instance>> {
        let up = self.up();
        (!up.is_empty()).then(|| Arc::clone(&up[choice % up.len()]))
    }

    /// Starts something that no instance has a hand in.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(Group::WORLD, work);
    }
}

/// Something that has begun.
pub(super) struct UnlessDone {
    world: Arc<World>,
    rare: Rare,
    done: bool,
}

impl UnlessDone {
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for UnlessDone {
    fn drop(&mut self) {
        if !self.done {
            self.world.met(self.rare);
        }
    }
}

/// What is told of a run.
#[derive(Default)]
pub(super) struct Story(Option<Mutex<Vec<String>>>);

impl Story {
    pub fn new(told: bool) -> Self {
        Self(told.then(Mutex::default))
    }

    pub const fn is_told(&self) -> bool {
        self.0.is_some()
    }

    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.0 {
            let line = line();
            lock(lines).push(line);
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.as_ref().map(|lines| lock(lines).clone()).unwrap_or_default()
    }
}
