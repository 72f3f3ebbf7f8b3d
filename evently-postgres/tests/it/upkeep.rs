//! Thousands of holds end in the same second, and several instances see to them at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::{
    audit,
    domain::{BookingStatus, Fact, Request, SeatState, Timestamp},
    memory::{ManualClock, MemorySeatFeed, SeededIds},
    ports::{Audit as _, Bookings as _, Chores as _, Store},
    services::{BoxOffice, OfficeSize, Upkeep},
};
use evently_postgres::{Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER};
use evently_testservers::{
    Proxy,
    knobs::{keep, rounds},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    elsewhere::{hold, hold_of, on_sale},
    pair::until,
    support::Place,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// All of them begin within a second, and have the same time.
const HOLDS: u32 = 10_000;
const BATCH: u32 = 250;
const BATCHES_APART: Duration = Duration::from_millis(25);
/// When the last of them is over.
const OVER: Duration = Duration::from_secs(5 * 60 + 1);
/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A worker of an instance, with a store of its own.
struct Worker {
    upkeep: Upkeep,
    /// How many it has found ended when it was through with them, by itself or by somebody else; and how often it has failed.
    ended: AtomicUsize,
    failed: AtomicUsize,
}

impl Worker {
    async fn open(place: &Place, options: &Options, number: u64) -> Arc<Self> {
        let store = place.open_with(Arc::new(SeededIds::new(100 + number)), options).await;
        let Store { bookings, catalog, chores, .. } = Store::new(Arc::new(store));
        let (feed, clock) = (Arc::new(MemorySeatFeed::new(catalog)), Arc::new(ManualClock::new(NOW + OVER)));
        let (office, work) = BoxOffice::open(bookings, feed, clock.clone(), OfficeSize::default());
        tokio::spawn(work);
        let upkeep = Upkeep::new(office, chores, clock);
        Arc::new(Self { upkeep, ended: AtomicUsize::new(0), failed: AtomicUsize::new(0) })
    }

    /// Ends holds until there are no more.
    async fn work(self: Arc<Self>) {
        loop {
            match self.upkeep.expire_holds().await {
                Ok(0) => return,
                Ok(ended) => _ = self.ended.fetch_add(ended, SeqCst),
                Err(_) => {
                    self.failed.fetch_add(1, SeqCst);
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Where more are over than are ended at a time, none is left for last because of where it stands.
#[tokio::test]
async fn holds_that_are_over_come_the_longest_due_first_wherever_they_stand() {
    let (place, ids) = (Place::new(), Arc::new(SeededIds::new(7)));
    place.without_indexes();
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    let mut held = Vec::new();
    for seat in 0..4 {
        held.push(hold(&store, &ids, &event, seat).await);
    }
    place.execute(
        "update bookings set hold_until = hold_until - seats[1] * interval '1 s', \
            expires_at = expires_at - seats[1] * interval '1 s'",
    );
    assert_eq!(store.due_holds(NOW + OVER, 2).await.unwrap(), [held[3], held[2]]);
}

/// An event all of whose seats are held, one in each booking.
async fn held(store: &PgStore, ids: &SeededIds) -> Fixture {
    let event = Fixture::new(ids, NOW, 20, HOLDS / 20);
    let make = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &make.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    for batch in 0..HOLDS / BATCH {
        let holds = (batch * BATCH..(batch + 1) * BATCH).map(|seat| hold_of(ids, &event, seat)).collect::<Vec<_>>();
        let applied = store.apply(NOW + BATCHES_APART * batch, &holds).await.unwrap();
        assert!(applied.answers.iter().all(|answer| answer.result.is_ok()));
    }
    event
}

/// Stops everything on the way of somebody who is in the middle of a transaction.
async fn stop_in_the_middle(place: &Place, way: &Proxy) {
    // Nobody else is waited for by their server for so long.
    const IN_THE_MIDDLE: &str = "do $$ begin if not exists (select from pg_stat_activity where datname = current_database() \
        and state = 'idle in transaction' and state_change < clock_timestamp() - interval '200 ms') then \
        raise exception 'nobody is'; end if; end $$";
    let stopped = async {
        way.hold();
        sleep(Duration::from_millis(300)).await;
        while place.try_execute(IN_THE_MIDDLE).is_err() {
            way.open();
            sleep(Duration::from_millis(10)).await;
            way.hold();
            sleep(Duration::from_millis(300)).await;
        }
    };
    timeout(PATIENCE, stopped).await.expect("it is in the middle of something now and then");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_holds_that_end_in_the_same_second_each_is_ended_once() {
    let mut reports = Vec::new();
    for round in 0..rounds() {
        let (place, ids) = (Place::new(), Arc::new(SeededIds::new(7 + round)));
        let store = place.open_with(ids.clone(), &place.options()).await;
        let event = held(&store, &ids).await;
        assert_eq!(store.pending_total().await.unwrap(), u64::from(HOLDS));

        let way = Proxy::before(&place.options().url).unwrap();
        let stands_still = Worker::open(&place, &Options { url: way.url(), ..place.options() }, 0).await;
        let others = [Worker::open(&place, &place.options(), 1).await, Worker::open(&place, &place.options(), 2).await];
        let began = Instant::now();
        let still = tokio::spawn(stands_still.clone().work());
        let working = others.clone().map(|worker| tokio::spawn(worker.work()));
        until("it has ended some", || stands_still.ended.load(SeqCst) > 0).await;
        stop_in_the_middle(&place, &way).await;
        for worker in working {
            worker.await.unwrap();
        }
        let took = began.elapsed();
        assert_eq!(store.pending_total().await.unwrap(), 0, "the others have ended all");
        way.open();
        timeout(PATIENCE, still).await.expect("it finds out that there is nothing to do").unwrap();

        let records = store.event_records(event.id()).await.unwrap().unwrap();
        let mut ends = BTreeMap::new();
        for entry in &records.journal {
            if let Fact::Booking { id, to: BookingStatus::Expired, .. } = entry.transition.fact {
                *ends.entry(id).or_insert(0) += 1;
            }
        }
        assert_eq!((ends.len(), ends.values().all(|times| *times == 1)), (HOLDS as usize, true), "each was ended, and once");
        assert!(records.seats.iter().all(|seat| seat.state == SeatState::Available), "all seats are free again");
        assert_eq!(store.due_holds(NOW + OVER, 1).await.unwrap(), []);
        assert_eq!(audit::check(&records, Some(&event.layout), NOW + OVER), []);
        assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());

        let [one, two] = others.map(|worker| worker.ended.load(SeqCst));
        let [before, failed] = [&stands_still.ended, &stands_still.failed].map(|count| count.load(SeqCst));
        println!(
            "{HOLDS} holds ended in {took:.1?}; {one} and {two} of them were under the hands of two workers, {before} under those of a \
             third, which stood still in the middle and failed {failed} times"
        );
        reports.push(serde_json::json!({
            "holds": HOLDS, "ended_after_ms": u64::try_from(took.as_millis()).unwrap(), "seen_by_each": [one, two, before], "failed": failed,
        }));
    }
    keep(serde_json::json!({ "rounds": rounds(), "faults": reports }));
}
