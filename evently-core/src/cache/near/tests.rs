use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::{
    cache::{CacheCounts, Caches},
    domain::Timestamp,
    memory::ManualClock,
    sync::ready,
};

const TTL: Duration = Duration::from_mins(5);

type Cached = Near<u32, u32, &'static str>;
type Asking<'a> = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + 'a>>;

/// What was read, and where is told how it ends.
type Load = (u32, oneshot::Sender<bool>);

/// A store that is read slowly: what was read is told when the test says so.
struct Slow {
    clock: Arc<ManualClock>,
    near: Cached,
    version: RefCell<u32>,
    /// Reads under way: what they have read, and how they are told to end.
    loads: Rc<RefCell<Vec<Load>>>,
}

impl Slow {
    fn new(ttl: Duration, most: usize) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let near = Caches::local(clock.clone()).near("test", ttl, most);
        Self { clock, near, version: RefCell::new(0), loads: Rc::default() }
    }

    fn ask(&self, key: u32) -> Asking<'_> {
        let load = move || async {
            let read = *self.version.borrow();
            let (end, ended) = oneshot::channel();
            self.loads.borrow_mut().push((read, end));
            if ended.await.unwrap_or(false) { Ok(read) } else { Err("away") }
        };
        Box::pin(async move { self.near.get(&key, load).await })
    }

    fn write(&self, key: u32) {
        *self.version.borrow_mut() += 1;
        self.near.forget(&key);
    }

    /// Lets the read that has been under way longest end.
    fn end(&self, well: bool) {
        let (_, end) = self.loads.borrow_mut().remove(0);
        let _ = end.send(well);
    }

    fn under_way(&self) -> usize {
        self.loads.borrow().len()
    }
}

fn poll(asking: &mut Asking<'_>) -> Poll<Result<u32, &'static str>> {
    asking.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn answer(asking: &mut Asking<'_>) -> Result<u32, &'static str> {
    match poll(asking) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("there is no answer yet"),
    }
}

#[test]
fn of_many_who_ask_one_loads() {
    let slow = Slow::new(TTL, 10);
    let mut crowd = (0..1000).map(|_| slow.ask(1)).collect::<Vec<_>>();
    assert!(crowd.iter_mut().all(|asking| poll(asking).is_pending()));
    assert_eq!(slow.under_way(), 1);
    slow.end(true);
    assert!(crowd.iter_mut().all(|asking| answer(asking) == Ok(0)));
    assert_eq!(answer(&mut slow.ask(1)), Ok(0), "it is kept");
    assert!(poll(&mut slow.ask(2)).is_pending(), "another key is another value");
}

#[test]
fn a_load_that_failed_fails_all_who_waited_and_is_not_kept() {
    let slow = Slow::new(TTL, 10);
    let mut crowd = (0..10).map(|_| slow.ask(1)).collect::<Vec<_>>();
    assert!(crowd.iter_mut().all(|asking| poll(asking).is_pending()));
    slow.end(false);
    assert!(crowd.iter_mut().all(|asking| answer(asking) == Err("away")));
    assert_eq!(slow.under_way(), 0, "a store that is away is asked once");
    let mut next = slow.ask(1);
    assert!(poll(&mut next).is_pending());
    slow.end(true);
    assert_eq!(answer(&mut next), Ok(0));
}

#[test]
fn where_whoever_loads_goes_away_somebody_else_loads() {
    let slow = Slow::new(TTL, 10);
    let mut leader = slow.ask(1);
    let mut followers = [slow.ask(1), slow.ask(1)];
    assert!(poll(&mut leader).is_pending());
    assert!(followers.iter_mut().all(|asking| poll(asking).is_pending()));
    drop(leader);
    assert!(followers.iter_mut().all(|asking| poll(asking).is_pending()));
    assert_eq!(slow.under_way(), 2, "that of whoever went, and one more");
    slow.end(true);
    slow.end(true);
    assert!(followers.iter_mut().all(|asking| answer(asking) == Ok(0)));
}

#[test]
fn where_whoever_loads_panics_somebody_else_loads() {
    let slow = Slow::new(TTL, 10);
    let (explode, fuse) = oneshot::channel::<()>();
    let mut leader: Asking<'_> = Box::pin(slow.near.get(&1, || async {
        let _ = fuse.await;
        panic!("a bug in the store")
    }));
    let mut follower = slow.ask(1);
    assert!(poll(&mut leader).is_pending() && poll(&mut follower).is_pending());
    drop(explode);
    let panicked = catch_unwind(AssertUnwindSafe(|| poll(&mut leader)));
    assert!(panicked.is_err());
    drop(leader);
    assert!(poll(&mut follower).is_pending());
    slow.end(true);
    assert_eq!(answer(&mut follower), Ok(0));
}

#[test]
fn who_asks_after_a_change_does_not_get_what_was_read_before() {
    let slow = Slow::new(TTL, 10);
    let mut before = slow.ask(1);
    assert!(poll(&mut before).is_pending());
    slow.write(1);
    let mut after = slow.ask(1);
    assert!(poll(&mut after).is_pending());
    slow.end(true);
    assert_eq!(answer(&mut before), Ok(0));
    assert!(poll(&mut after).is_pending(), "it waits for a load of its own");
    slow.end(true);
    assert_eq!(answer(&mut after), Ok(1));
    assert_eq!(answer(&mut slow.ask(1)), Ok(1), "the old value has not come back");
}

#[test]
fn what_is_kept_ends() {
    let slow = Slow::new(TTL, 10);
    let mut asking = slow.ask(1);
    assert!(poll(&mut asking).is_pending());
    slow.end(true);
    assert_eq!(answer(&mut asking), Ok(0));
    slow.clock.advance((TTL * 9 / 10).saturating_sub(Duration::from_micros(1)));
    assert_eq!(slow.near.peek(&1), Some(0));
    slow.clock.advance(TTL / 10 + Duration::from_micros(1));
    assert_eq!(slow.near.peek(&1), None);
    assert!(poll(&mut slow.ask(1)).is_pending());
}

#[test]
fn what_is_not_to_be_kept_is_shared_by_those_who_wait_and_no_longer() {
    let slow = Slow::new(Duration::ZERO, 10);
    let mut both = [slow.ask(1), slow.ask(1)];
    assert!(both.iter_mut().all(|asking| poll(asking).is_pending()));
    slow.end(true);
    assert!(both.iter_mut().all(|asking| answer(asking) == Ok(0)));
    assert!(poll(&mut slow.ask(1)).is_pending());
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let slow = Slow::new(TTL, 100);
    for key in 0..1000 {
        slow.near.keep(slow.near.mark(), key, key);
        assert_eq!(slow.near.peek(&key), Some(key), "the latest is kept");
    }
    let kept = (0..1000).filter(|key| slow.near.peek(key).is_some()).count();
    assert!((50..=100).contains(&kept), "{kept}");
}

#[test]
fn where_there_is_no_room_a_tenth_is_let_go_and_first_what_has_ended() {
    let slow = Slow::new(TTL, 100);
    let keep = |keys: std::ops::Range<u32>| keys.for_each(|key| slow.near.keep(slow.near.mark(), key, key));
    let kept = |keys: std::ops::Range<u32>| keys.filter(|key| slow.near.peek(key).is_some()).count();
    keep(0..100);
    assert_eq!(kept(0..100), 100);
    keep(100..101);
    assert_eq!((kept(0..101), slow.near.peek(&100)), (90, Some(100)));
    slow.clock.advance(TTL);
    keep(200..210);
    assert_eq!(kept(200..210), 10);
    keep(300..301);
    assert_eq!((kept(200..210), kept(300..301)), (10, 1), "what had ended has made room");

    slow.near.forget_all();
    keep(0..50);
    slow.clock.advance(TTL / 2);
    keep(50..100);
    slow.clock.advance(TTL / 2);
    keep(100..101);
    assert_eq!(kept(50..101), 51, "and nothing else was let go");
}

#[test]
fn a_value_is_not_kept_to_the_instant_at_which_it_ends() {
    let slow = Slow::new(TTL, 10);
    slow.near.keep(slow.near.mark(), 1, 1);
    slow.clock.advance(spread(TTL, &1).saturating_sub(Duration::from_micros(1)));
    assert_eq!(slow.near.peek(&1), Some(1));
    slow.clock.advance(Duration::from_micros(1));
    assert_eq!(slow.near.peek(&1), None);
}

#[test]
fn what_was_read_before_something_was_forgotten_is_not_kept() {
    let slow = Slow::new(TTL, 10);
    let mark = slow.near.mark();
    slow.near.keep(mark, 1, 1);
    assert_eq!(slow.near.peek(&1), Some(1));
    slow.near.forget_those(|value| *value == 1);
    assert_eq!(slow.near.peek(&1), None);
    slow.near.keep(mark, 1, 1);
    assert_eq!(slow.near.peek(&1), None);
    slow.near.keep(slow.near.mark(), 1, 2);
    assert_eq!(slow.near.peek(&1), Some(2));
}

#[derive(Debug, Clone)]
enum Step {
    Ask,
    End(bool),
    GiveUp(prop::sample::Index),
    Write,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ask),
        3 => proptest::bool::weighted(0.8).prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
        1 => Just(Step::Write),
        1 => Just(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whichever order: nobody gets what was changed before they asked, there is no more than one read for each
    /// version, and everybody gets an answer in the end.
    #[test]
    fn nobody_gets_what_is_old_or_waits_for_ever(steps in proptest::collection::vec(step(), 1..120)) {
        let slow = Slow::new(TTL, 10);
        let mut asking: Vec<(u32, Asking<'_>)> = Vec::new();
        let settle = |asking: &mut Vec<(u32, Asking<'_>)>| {
            // Whoever is polled first may have to wait for somebody who is polled later.
            for _ in 0..3 {
                let mut old = None;
                asking.retain_mut(|(version, asking)| match poll(asking) {
                    Poll::Ready(Ok(read)) if read < *version => {
                        old = Some((read, *version));
                        false
                    }
                    Poll::Ready(_) => false,
                    Poll::Pending => true,
                });
                prop_assert_eq!(old, None);
            }
            Ok(())
        };
        for step in steps {
            match step {
                Step::Ask => asking.push((*slow.version.borrow(), slow.ask(1))),
                Step::End(well) if slow.under_way() > 0 => slow.end(well),
                Step::GiveUp(which) if !asking.is_empty() => {
                    let at = which.index(asking.len());
                    drop(asking.swap_remove(at));
                    // Whoever gave up reads no more.
                    slow.loads.borrow_mut().retain(|(_, end)| !end.is_closed());
                }
                Step::Write => slow.write(1),
                Step::Wait => slow.clock.advance(TTL / 3),
                Step::End(_) | Step::GiveUp(_) => {}
            }
            settle(&mut asking)?;
            let mut versions = slow.loads.borrow().iter().map(|(version, _)| *version).collect::<Vec<_>>();
            versions.dedup();
            prop_assert_eq!(versions.len(), slow.under_way());
        }
        while slow.under_way() > 0 {
            slow.end(true);
            settle(&mut asking)?;
        }
        prop_assert!(asking.is_empty());
    }
}

/// The figures of the process have them from here.
#[test]
fn what_a_cache_was_good_for_is_told() {
    let caches = Caches::local(Arc::new(ManualClock::new(Timestamp::default())));
    let near: Cached = caches.near("test", TTL, 10);
    for _ in 0..3 {
        assert_eq!(ready(near.get(&1, || async { Ok(7) })), Ok(7));
    }
    let expected = CacheCounts { cache: "test", level: "near", hits: 2, misses: 1, loads: 1, unreadable: 0 };
    assert_eq!(caches.counts(), [expected]);
}
