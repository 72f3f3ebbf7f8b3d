//! A whole on-sale in one thread, with everything that can go wrong, as it follows from a seed.
//!
//! The real services and the real box office run as several instances over ports that fail: stores, locks, caches, brokers, gateways and
//! mailers that are away, slow, or silent at the worst moment; a network that loses, repeats and delays; instances that crash and stand
//! still; clocks that are wrong. Buyers with habits and an organizer use them. Which of that there is, how often it happens, and the order
//! of all steps follow from the seed, so that the same seed is the same run, to the last byte.
//!
//! First things go wrong, and after each transaction it is checked that nothing happened that must never happen. Then everything is
//! healed, everybody goes home, and everything must come to its end.
//!
//! ```
//! use evently_testkit::simulation::{Plan, run};
//!
//! let plan = Plan::of(42);
//! let outcome = run(&plan);
//! assert_eq!(outcome.breaches, []);
//! assert_eq!(run(&plan).fingerprint, outcome.fingerprint);
//! ```

mod broker;
mod cache;
mod clock;
mod executor;
mod faults;
mod feed;
mod gateway;
mod instance;
mod locks;
mod logs;
mod mailer;
mod many;
mod names;
mod office;
mod oracle;
mod people;
mod plan;
mod rare;
mod shrink;
mod store;
mod weather;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use evently_core::{
    domain::{Email, Request, Role, Timestamp, User, UserId},
    memory::{MemoryStore, SeededIds},
    ports::{Accounts, Bookings, Clock, Ids, PasswordHash},
};

use self::{
    clock::TrueClock,
    executor::{Executor, at_once, lock},
    faults::Faults,
    oracle::Oracle,
    world::{Story, World},
};
pub use self::{
    faults::Fault,
    many::{Many, cores, run_many},
    oracle::Breach,
    plan::Plan,
    rare::{Met, Rare},
    shrink::shrunk,
};
use crate::{Fixture, ORGANIZER};

/// More steps than this mean that a run does not end.
const STEPS_MAX: u64 = 1_000_000;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many steps it took: each lets one task go on until it waits.
    pub steps: u64,
    /// How many transactions were committed.
    pub entries: u64,
    /// What must never happen, and has; the run ends with the first.
    pub breaches: Vec<Breach>,
    /// Which rare states it was in.
    pub met: Met,
    /// Of all steps and all entries of the journal: the same run has the same.
    pub fingerprint: u64,
    /// What happened, a line each, where it was asked for.
    pub story: Vec<String>,
}

/// Runs a plan.
pub fn run(plan: &Plan) -> Outcome {
    play(plan, false)
}

/// Runs a plan, and tells what happens.
pub fn tell(plan: &Plan) -> Outcome {
    play(plan, true)
}

fn play(plan: &Plan, told: bool) -> Outcome {
    let begin = Timestamp::from_secs(1_800_000_000);
    let mut executor = Executor::new(begin, plan.order);
    let world = Arc::new(build(plan, begin, &executor, told));
    let mut steps = 0;
    let played = catch_unwind(AssertUnwindSafe(|| play_out(&world, &mut executor, &mut steps)));
    if let Err(panic) = played {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        world.oracle.breach(&world, "panic", || said.unwrap_or("something panicked").to_owned());
    }
    // What is left in the middle when the run is over has not crashed.
    let outcome = Outcome {
        steps,
        entries: world.oracle.journal_len(),
        breaches: world.oracle.breaches(),
        met: world.rare.so_far(),
        fingerprint: world.oracle.fingerprint(),
        story: names::short(&world.story.lines()),
    };
    // Those that know each other let go.
    lock(&world.instances).clear();
    drop(executor);
    outcome
}

fn play_out(world: &Arc<World>, executor: &mut Executor, steps: &mut u64) {
    let _listening = world.logs.listen();
    for number in 1..=world.plan.instances {
        world.spawn(weather::weather(Arc::clone(world), number));
    }
    for &buyer in &world.plan.buyers {
        world.spawn(people::buyer(Arc::clone(world), buyer));
    }
    for &house in &world.plan.house {
        world.spawn(people::house(Arc::clone(world), house));
    }
    let healing = world.begin + world.plan.lasts;
    if go_on(world, executor, steps, healing) == Stopped::ForGood {
        return;
    }
    world.faults.heal();
    for instance in world.up() {
        instance.clock.set(0);
    }
    world.say("", || "everything is healed".to_owned());
    let settled = world.begin + world.plan.settled();
    if go_on(world, executor, steps, settled) == Stopped::ForGood {
        return;
    }
    world.oracle.settled(world);
    for instance in world.up() {
        world.spawn(weather::probe(Arc::clone(world), instance));
    }
    go_on(world, executor, steps, settled + Duration::from_secs(30));
}

/// Why a run has stopped.
#[derive(PartialEq, Eq)]
enum Stopped {
    /// It is time for what comes next.
    ForNow,
    /// Something is wrong, or it was not to go on for longer.
    ForGood,
}

/// Goes on until then, or until something is wrong.
fn go_on(world: &World, executor: &mut Executor, steps: &mut u64, until: Timestamp) -> Stopped {
    let most = world.plan.steps_max.unwrap_or(u64::MAX);
    while let Some(task) = executor.step(until) {
        *steps += 1;
        world.oracle.mix(task as u64 ^ world.now().as_micros().unsigned_abs() << 16);
        if *steps > STEPS_MAX {
            world.oracle.breach(world, "I12", || "it does not end".to_owned());
        }
        if let Some(wrong) = world.logs.wrong() {
            world.oracle.breach(world, "I14", || wrong);
        }
        if !world.oracle.is_content() || *steps >= most {
            return Stopped::ForGood;
        }
    }
    Stopped::ForNow
}

fn build(plan: &Plan, begin: Timestamp, executor: &Executor, told: bool) -> World {
    let ids = Arc::new(SeededIds::new(plan.seed));
    let store = Arc::new(MemoryStore::new(ids.clone()));
    let fixture = Fixture::new(&*ids, begin, plan.rows, plan.seats_per_row).with(|event| {
        event.details.max_seats_held = plan.seats_held_max;
        event.details.max_seats_per_booking = plan.seats_booked_max.min(plan.seats_held_max);
        if !plan.seats_cost {
            event.categories.iter_mut().for_each(|category| category.price = 0);
        }
    });
    let tasks = executor.handle().clone();
    let time: Arc<dyn Clock> = Arc::new(TrueClock(tasks.clone()));
    let world = World {
        plan: plan.clone(),
        begin,
        tasks,
        faults: Faults::new(plan.rates.clone(), plan.seed),
        rare: rare::Counting::default(),
        oracle: Oracle::new(fixture.id()),
        buyers: buyers(plan, &store, &*ids, begin),
        store,
        ids,
        fixture,
        locks: Arc::new(locks::FaultyLocks::new(time.clone())),
        gateway: Arc::default(),
        broker: Arc::default(),
        mailer: Arc::default(),
        cache: Arc::new(cache::FaultyCache::new(time)),
        instances: Mutex::new(vec![None; plan.instances as usize]),
        story: Story::new(told),
        logs: Arc::default(),
    };
    world.story.tell(|| format!("seed {}: {}", plan.seed, plan.in_words()));
    let requests = [world.fixture.create_venue(), world.fixture.create_event(), world.fixture.publish()];
    let requests = requests.map(|command| Request::new(ORGANIZER, command));
    let applied = at_once(world.store.apply(begin, &requests)).expect("nothing in memory fails");
    world.oracle.decided(&world, &requests, &applied.answers);
    world
}

/// An account for each buyer, so that they can be written to.
fn buyers(plan: &Plan, store: &MemoryStore, ids: &dyn Ids, now: Timestamp) -> Vec<User> {
    let last = plan.buyers.iter().map(|buyer| buyer.number).max().unwrap_or_default();
    let user = |number| User {
        id: UserId::from_uuid(ids.uuid(now)),
        email: Email::parse(&format!("buyer{number}@example.com")).expect("it is an address"),
        name: format!("Buyer {number}"),
        role: Role::Customer,
        created_at: now,
    };
    let users = (1..=last).map(user).collect::<Vec<_>>();
    for user in &users {
        at_once(store.add(user, &PasswordHash(String::new()))).expect("nothing in memory fails");
    }
    users
}
