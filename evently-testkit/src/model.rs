//! A model of the booking rules, and random histories that a store and the model must agree on.
//!
//! The model is the rules told a second time, in the plainest way: a few lists and one function for each request, for one
//! event, without indexes, transactions, journal or concurrency. It shares the domain's data types and none of its decisions.
//!
//! A history is a list of [`Step`]s: requests that go to the store in one call, and a wait. After each step the answers, all
//! rows, the changes of seats and the invariants are compared. [`run`] makes random histories; what it finds it shrinks and prints
//! request by request, so that a failure is made into a test by writing it down for [`play`].

mod check;
mod driver;
mod rules;
mod step;
mod view;

use std::{collections::BTreeMap, fmt, sync::Mutex};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};

pub use self::step::{Ask, By, Instead, Keyed, Says, Step};
use crate::{StorePlace, World};

/// What happened in histories, and how often: the facts of journals with their reasons, and refusals. A test that looks at it knows
/// that the rare was not missed.
pub type Seen = BTreeMap<String, u64>;

/// Plays as many random histories as `cases`, each on a store at a place of its own.
///
/// # Panics
/// If the store and the model do not agree, with the shortest history that shows it.
pub fn run<P: StorePlace + 'static>(place: impl Fn() -> P, cases: u32) -> Seen {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 20_000, max_shrink_time: 60_000, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the machine has a thread to spare");
    let seen = Mutex::new(Seen::new());
    let histories = proptest::collection::vec(step::step(), 1..24).prop_map(History);
    let result = TestRunner::new(config).run(&histories, |history| {
        let result = runtime.block_on(try_play(World::of(Box::new(place())), &history.0));
        let happened = result.map_err(TestCaseError::fail)?;
        let mut seen = seen.lock().expect("nobody panics with it");
        for (what, count) in happened {
            *seen.entry(what).or_default() += count;
        }
        Ok(())
    });
    match result {
        Ok(()) => seen.into_inner().expect("nobody panics with it"),
        Err(TestError::Fail(reason, history)) => panic!("{reason}\nafter these steps:\n{history:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Plays one history, and gives what happened in it.
///
/// # Panics
/// If the store and the model do not agree.
pub async fn play(place: impl StorePlace + 'static, steps: &[Step]) -> Seen {
    try_play(World::new(place), steps).await.unwrap_or_else(|reason| panic!("{reason}"))
}

async fn try_play(world: impl Future<Output = World>, steps: &[Step]) -> Result<Seen, String> {
    driver::Driver::new(world.await).await.play(steps).await
}

/// Prints a line for each request.
#[derive(Clone)]
struct History(Vec<Step>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Step { asks, wait }) in self.0.iter().enumerate() {
            writeln!(f, "step {number}, then {wait} s")?;
            for Keyed { ask, key } in asks {
                writeln!(f, "    {ask:?}, key: {key:?}")?;
            }
        }
        Ok(())
    }
}
