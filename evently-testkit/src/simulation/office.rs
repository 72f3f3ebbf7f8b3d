//! The box office of one instance, watched from outside: who has come, what became of them on the way to the store, and whether whoever is
//! answered is so for a reason.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use evently_core::{
    domain::{BookingId, Fact, Rejection, Request, RequestKey, SeatMap, Timestamp},
    ports::{Bookings, Catalog, Clock, LockRequest, Settled},
    services::{Answered, Error},
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    clock::InstanceClock,
    executor::{Group, at_once, lock},
    world::World,
};

/// What is known of the office of an instance.
pub(super) struct Office {
    world: Arc<World>,
    group: Group,
    clock: Arc<InstanceClock>,
    /// How many may wait while the store decides.
    waiting_max: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: FxHashMap<RequestKey, Came>,
    /// Those that have not got to the store yet.
    waiting: FxHashSet<RequestKey>,
    /// Bookings that may have seat locks, and have not been settled since.
    locked: FxHashMap<BookingId, RequestKey>,
    /// What the instance has shown or told of each seat: it shows nothing older.
    versions: Vec<u32>,
}

/// A request, which comes again where its answer is not heard.
#[derive(Default)]
struct Came {
    /// How many times it is there now.
    here: usize,
    store_asked: bool,
    /// A seat lock was in the way.
    turned_away: bool,
}

impl Office {
    pub fn new(world: &Arc<World>, group: Group, clock: Arc<InstanceClock>) -> Self {
        let size = world.plan.size;
        // Behind the door, and on the way from there to the counter, there is a batch each.
        let waiting_max = size.queue + if world.plan.locks { 2 * size.batch } else { 0 };
        Self { world: Arc::clone(world), group, clock, waiting_max, seen: Mutex::default() }
    }

    /// Sees a request that is decided by the office alone through to its answer, and asks why that was given.
    pub async fn decides<T>(
        &self,
        key: RequestKey,
        request: impl Future<Output = Result<Answered<T>, Error>>,
    ) -> Result<Answered<T>, Error> {
        let came_at = self.world.now();
        {
            let seen = &mut *lock(&self.seen);
            seen.requests.entry(key).or_default().here += 1;
            seen.waiting.insert(key);
        }
        let answer = request.await;
        if let Err((invariant, what)) = self.has_a_reason(key, came_at, &answer)
            && self.is_open()
        {
            self.world.oracle.breach(&self.world, invariant, || what.to_owned());
        }
        answer
    }

    fn has_a_reason<T>(
        &self,
        key: RequestKey,
        came_at: Timestamp,
        answer: &Result<Answered<T>, Error>,
    ) -> Result<(), (&'static str, &'static str)> {
        let seen = &mut *lock(&self.seen);
        seen.waiting.remove(&key);
        let came = seen.requests.get_mut(&key).expect("it came");
        came.here -= 1;
        let keeps_locks = seen.locked.values().filter(|owner| **owner == key).count() > came.here;
        match answer {
            Err(Error::Overloaded) if keeps_locks || self.world.now() > came_at => {
                Err(("I13", "somebody is let in, and then told that there is too much to do"))
            }
            Err(Error::Overloaded) => Ok(()),
            _ if keeps_locks => Err(("I8", "somebody is answered, and nobody has said what becomes of their seat locks")),
            Err(Error::Rejected(Rejection::SeatsUnavailable(_))) if came.turned_away => Ok(()),
            _ if came.store_asked => Ok(()),
            _ => Err(("I8", "somebody is answered, and neither the store was asked nor a seat lock in the way")),
        }
    }

    /// Whoever comes to one that is not there any more is told so.
    fn is_open(&self) -> bool {
        self.world.up().iter().any(|instance| instance.group == self.group)
    }

    /// The store is asked. Nobody stands in a queue that is longer than it may be.
    pub fn asks_store(&self, requests: &[Request]) {
        let waiting = {
            let seen = &mut *lock(&self.seen);
            for key in requests.iter().filter_map(|request| request.key) {
                seen.waiting.remove(&key);
                if let Some(came) = seen.requests.get_mut(&key) {
                    came.store_asked = true;
                }
            }
            seen.waiting.len()
        };
        if waiting > self.waiting_max {
            let what = || format!("{waiting} wait where {} may, and nobody turns them away", self.waiting_max);
            self.world.oracle.breach(&self.world, "I13", what);
        }
    }

    /// The seat locks have answered.
    pub fn passed_locks(&self, requests: &[LockRequest], in_the_way: &[Vec<u32>]) {
        let seen = &mut *lock(&self.seen);
        for (LockRequest { booking_id, key, .. }, in_the_way) in requests.iter().zip(in_the_way) {
            let Some(key) = *key else { continue };
            let Some(came) = seen.requests.get_mut(&key) else { continue };
            if in_the_way.is_empty() {
                seen.locked.insert(*booking_id, key);
            } else {
                came.turned_away = true;
                seen.waiting.remove(&key);
            }
        }
    }

    /// The seat locks are told what has become of bookings. None lasts longer than the hold that it is for.
    pub fn settles(&self, settled: &[Settled]) {
        let now = self.clock.now();
        for Settled { booking_id, held, .. } in settled {
            lock(&self.seen).locked.remove(booking_id);
            let Some(until) = held.map(|held| now + held) else { continue };
            if self.world.oracle.hold_ended(*booking_id).is_none_or(|end| end < until) {
                let what =
                    || format!("the seats of booking {booking_id} are locked until {until}, for longer than they are held");
                self.world.oracle.breach(&self.world, "I8", what);
            }
        }
    }

    /// A booking was told of that has just been made: whoever looks finds its seats as they were then, or as they were later.
    pub fn told(&self, id: BookingId, version: u32) {
        let records = at_once(self.world.store.records(id)).expect("nothing in memory fails");
        let Some(records) = records else { return };
        let made = records.history.into_iter().find(
            |entry| matches!(entry.transition.fact, Fact::Booking { id: of, version: made, .. } if (of, made) == (id, version)),
        );
        let seen = &mut *lock(&self.seen);
        for step in made.into_iter().flat_map(|entry| entry.transition.seats) {
            seen.shows(step.number as usize, step.version);
        }
    }

    /// The seats are shown: as they are or were, and none as it was before what has been shown or told of it already.
    pub fn shows(&self, shown: &SeatMap) {
        let event = self.world.fixture.id();
        let stand = at_once(self.world.store.seat_map(event)).expect("nothing in memory fails").expect("the event is there");
        let seats = shown.versions().iter().zip(stand.versions()).enumerate();
        let wrong = {
            let seen = &mut *lock(&self.seen);
            let wrong = seats.map(|(seat, (&shown, &stands))| {
                let before = seen.shows(seat, shown);
                (before > shown || shown > stands)
                    .then(|| format!("seat {seat} of version {shown} is shown, after {before}, where {stands} stands"))
            });
            wrong.fold(None, Option::or)
        };
        if let Some(wrong) = wrong {
            self.world.oracle.breach(&self.world, "I9", || wrong);
        }
    }
}

impl Seen {
    /// A version of a seat that has been shown or told of; and which one was, as the latest, before.
    fn shows(&mut self, seat: usize, version: u32) -> u32 {
        if self.versions.len() <= seat {
            self.versions.resize(seat + 1, 0);
        }
        let latest = version.max(self.versions[seat]);
        mem::replace(&mut self.versions[seat], latest)
    }
}

#[cfg(test)]
mod tests {
    use evently_core::domain::{SeatChange, SeatStatus};

    use super::*;
    use crate::simulation::{Plan, build, executor::Executor};

    #[test]
    fn seats_as_they_have_never_been_or_are_no_more_are_found() {
        let (plan, begin) = (Plan::of(1), Timestamp::from_secs(1_800_000_000));
        let world = Arc::new(build(&plan, begin, &Executor::new(begin, plan.order), false));
        let office = Office::new(&world, Group(1_000), Arc::new(InstanceClock::new(world.tasks.clone(), 0)));
        let event_id = world.fixture.id();
        let stand = at_once(world.store.seat_map(event_id)).unwrap().unwrap();
        office.shows(&stand);
        assert_eq!(world.oracle.breaches(), []);
        let mut shown = stand.clone();
        shown.take_in([SeatChange { event_id, number: 0, status: SeatStatus::Booked, version: 1 }]);
        office.shows(&shown);
        assert!(matches!(&world.oracle.breaches()[..], [breach] if breach.invariant == "I9"));
        office.shows(&stand);
        assert!(matches!(&world.oracle.breaches()[..], [_, breach] if breach.invariant == "I9"));
    }
}
