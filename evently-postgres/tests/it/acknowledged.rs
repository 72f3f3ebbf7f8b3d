//! A crowd that buys while one primary after the other is killed and its replica promoted: whoever was told that a seat is theirs has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::{
    domain::{Actor, Booking, BookingId, Command, HoldTerms, Outcome, Rejection, Request, RequestKey, Timestamp},
    memory::{ManualClock, MemorySeatFeed, SeededIds},
    ports::{Audit as _, Bookings as _, EventRecords, Ids as _, Store},
    services::{BoxOffice, OfficeSize},
};
use evently_postgres::{Options, PgStore, Time};
use evently_testkit::{Fixture, ORGANIZER, customer};
use evently_testservers::{
    Postgres, Proxy,
    knobs::{keep, rounds},
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::pair::until;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// More than are sold.
const SEATS: u32 = 6_000;
/// So many ask at the same time, two for each seat.
const CUSTOMERS: usize = 512;
const FAILOVERS: u64 = 3;
/// The primary is killed after so many were acknowledged, so that three of them are good for more than 5,000.
const BEFORE: usize = 1_700;
/// So many more are acknowledged by the replica that has taken over.
const AFTERWARDS: usize = 300;

/// A primary and a replica.
struct Servers {
    primary: Arc<Postgres>,
    replica: Postgres,
    /// By which the replica follows.
    following: Proxy,
    /// By which customers come to the primary.
    asking: Proxy,
}

/// What happens just before a primary is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The replica hears nothing any more for half a second.
    ReplicaCutOff,
    /// A commit is made, and nobody is told.
    AnswersLost,
}

impl Servers {
    async fn behind(primary: Arc<Postgres>) -> Self {
        let replica = primary.replica().unwrap();
        let [following, asking] = [(); 2].map(|()| Proxy::before(&primary.url()).unwrap());
        let follow = format!("alter system set primary_conninfo = '{}'", following.url());
        replica.query("evently", &[&follow, "select pg_reload_conf()"]).unwrap();
        until("the replica follows by the way that can be cut", || following.connections() > 0).await;
        Self { primary, replica, following, asking }
    }

    /// A store at the primary, and at the replica once that has taken over.
    async fn store(&self, seed: u64) -> PgStore {
        let (asking, replica) = (self.asking.url(), self.replica.port());
        let url = format!("{},127.0.0.1:{replica}/evently", asking.strip_suffix("/evently").unwrap());
        // Whoever asks is told before the replica has taken over that nothing can be said, and asks again.
        let patience = Duration::from_secs(1);
        let options = Options { connections: 4, patience, time: Time::Caller, ..Options::new(url) };
        PgStore::open(Arc::new(SeededIds::new(seed)), &options).await.unwrap()
    }

    /// What is committed from here on does not get to the replica.
    fn cut_off(&self) {
        self.following.hold();
    }

    async fn suffer(&self, before: Before) {
        match before {
            Before::Nothing => {}
            Before::ReplicaCutOff => {
                self.cut_off();
                sleep(Duration::from_millis(500)).await;
            }
            Before::AnswersLost => {
                self.asking.lose_answer_to_commit_and_close();
                until("a commit is made", || self.asking.has_lost_it()).await;
            }
        }
    }

    /// Kills the primary, and gives what has taken its place.
    async fn fail_over(self) -> Arc<Postgres> {
        let primary = self.primary.clone();
        spawn_blocking(move || {
            primary.kill();
            self.replica.promote().unwrap();
            Arc::new(self.replica)
        })
        .await
        .unwrap()
    }
}

/// Durable, as in production; a replica comes back to its primary at once.
fn first() -> Arc<Postgres> {
    Arc::new(Postgres::options().durable(true).set("wal_retrieve_retry_interval", "100ms").start().unwrap())
}

/// Customers of an event, two for each seat, who ask until they are answered.
struct Crowd {
    office: BoxOffice,
    ids: Arc<SeededIds>,
    event: Fixture,
    next: AtomicU32,
    goes_home: AtomicBool,
    acknowledged: Mutex<Vec<Booking>>,
    refused: Mutex<BTreeSet<u32>>,
    /// Requests that got no answer at first; and those of them that had been served, as they were told later.
    unanswered: AtomicUsize,
    served: AtomicUsize,
}

impl Crowd {
    /// Before an event of its own.
    async fn gather(servers: &Servers, seed: u64) -> Arc<Self> {
        let store = servers.store(seed).await;
        let ids = Arc::new(SeededIds::new(seed));
        let event = Fixture::new(&*ids, NOW, 20, SEATS / 20);
        let make = [event.create_venue(), event.create_event(), event.publish()];
        // By somebody who has more patience.
        let options = Options { time: Time::Caller, ..Options::new(servers.primary.url()) };
        let house = PgStore::open(ids.clone(), &options).await.unwrap();
        house.apply(NOW, &make.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
        let Store { bookings, catalog, .. } = Store::new(Arc::new(store));
        let (feed, clock) = (Arc::new(MemorySeatFeed::new(catalog)), Arc::new(ManualClock::new(NOW)));
        let (office, work) = BoxOffice::open(bookings, feed, clock, OfficeSize::default());
        tokio::spawn(work);
        let (next, goes_home, acknowledged, refused) = Default::default();
        let (unanswered, served) = Default::default();
        Arc::new(Self { office, ids, event, next, goes_home, acknowledged, refused, unanswered, served })
    }

    /// All buy, until they are told to go home.
    async fn buy(self: Arc<Self>) {
        let customers = (0..CUSTOMERS).map(|_| {
            let crowd = Arc::clone(&self);
            tokio::spawn(async move {
                while !crowd.goes_home.load(SeqCst) {
                    crowd.want(crowd.next.fetch_add(1, SeqCst)).await;
                }
            })
        });
        for customer in customers.collect::<Vec<_>>() {
            customer.await.unwrap();
        }
    }

    /// Wants a seat that somebody else wants, too, and asks with the same key until there is an answer.
    async fn want(&self, number: u32) {
        let seat = number / 2;
        assert!(seat < SEATS, "all are sold before anything has happened");
        let who = customer(number);
        let key = RequestKey::new(&["crowd", &self.event.id().to_string()], &number.to_string(), &seat.to_be_bytes());
        let mut asked = 0;
        let answer = loop {
            asked += 1;
            match self.office.submit(self.hold(who, seat).with_key(Some(key))).await {
                Ok(answer) => break answer,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        };
        if asked > 1 {
            self.unanswered.fetch_add(1, SeqCst);
            self.served.fetch_add(usize::from(answer.replayed && answer.result.is_ok()), SeqCst);
        }
        match answer.result {
            Ok(Outcome::Booking(booking)) => self.acknowledged.lock().unwrap().push(booking),
            Err(Rejection::SeatsUnavailable(_)) => _ = self.refused.lock().unwrap().insert(seat),
            other => panic!("{other:?}"),
        }
    }

    /// Another booking each time, as of a request over HTTP.
    fn hold(&self, who: Actor, seat: u32) -> Request {
        let Actor::User(user_id, _) = who else { unreachable!("customers have accounts") };
        let booking_id = BookingId::from_uuid(self.ids.uuid(NOW));
        let seats = self.event.seats(&[seat]);
        Request::new(who, Command::Hold { booking_id, event_id: self.event.id(), user_id, seats, terms: HoldTerms::default() })
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    async fn until_acknowledged(&self, many: usize) {
        until("so many are served", || self.acknowledged() >= many).await;
    }

    /// What was acknowledged, and is not there as it was acknowledged.
    fn lost(&self, records: &EventRecords) -> Vec<BookingId> {
        let there = records.bookings.iter().map(|booking| (booking.id, booking)).collect::<BTreeMap<_, _>>();
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.iter().filter(|booking| there.get(&booking.id) != Some(booking)).map(|booking| booking.id).collect()
    }

    /// That there is what was acknowledged and nothing else, and each seat has one owner.
    async fn has_what_it_was_told(&self, store: &PgStore) {
        let records = store.event_records(self.event.id()).await.unwrap().unwrap();
        assert_eq!(self.lost(&records), []);
        assert_eq!(records.bookings.len(), self.acknowledged(), "nobody was served twice, or without an answer");
        let taken = records.bookings.iter().flat_map(|booking| &booking.seats).map(|seat| seat.number).collect::<BTreeSet<_>>();
        assert_eq!(taken.len(), records.bookings.len(), "no seat has two");
        assert!(taken.is_superset(&self.refused.lock().unwrap()), "who was refused was refused for somebody else");
        assert_eq!(evently_core::audit::check(&records, Some(&self.event.layout), NOW), []);
    }
}

/// Each server comes after the one before, so that what the first has acknowledged has gone through all failovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thousands_of_acknowledgements_over_three_failovers_none_is_lost() {
    let mut primary = first();
    let (mut crowds, mut faults, mut before) = (Vec::new(), Vec::new(), 0);
    let kinds = [Before::Nothing, Before::ReplicaCutOff, Before::AnswersLost].into_iter().cycle();
    for (failover, happens) in (0..FAILOVERS * rounds()).zip(kinds) {
        let servers = Servers::behind(primary).await;
        let crowd = Crowd::gather(&servers, 1_000 + failover).await;
        servers.primary.wait_for_replica().unwrap();
        let buying = tokio::spawn(crowd.clone().buy());
        crowd.until_acknowledged(BEFORE).await;
        servers.suffer(happens).await;
        let acknowledged = crowd.acknowledged();
        primary = servers.fail_over().await;
        crowd.until_acknowledged(acknowledged + AFTERWARDS).await;
        crowd.goes_home.store(true, SeqCst);
        buying.await.unwrap();

        let [unanswered, served] = [&crowd.unanswered, &crowd.served].map(|count| count.load(SeqCst));
        println!(
            "killed after {acknowledged} acknowledgements ({happens:?}), {} in all; {unanswered} answers never came, {served} of them that a seat is theirs",
            crowd.acknowledged(),
        );
        faults.push(serde_json::json!({
            "before": format!("{happens:?}"), "acknowledged_before": acknowledged, "acknowledged": crowd.acknowledged(),
            "answers_lost": unanswered, "of_those_served": served,
        }));
        before += acknowledged;
        crowds.push(crowd);
    }
    let store = PgStore::open(Arc::new(SeededIds::new(7)), &Options::new(primary.url())).await.unwrap();
    for crowd in &crowds {
        crowd.has_what_it_was_told(&store).await;
    }
    assert_eq!(store.self_check().await.unwrap(), Vec::<String>::new());
    assert!(before >= 5_000, "only {before} were acknowledged by servers that were killed");
    println!("0 of {before} lost that were acknowledged before {} failovers", crowds.len());
    keep(serde_json::json!({ "rounds": rounds(), "faults": faults, "acknowledged_before": before, "lost": 0 }));
}

/// The test above would see it: without a synchronous replica all is lost that is acknowledged while the replica hears nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_synchronous_replica_acknowledgements_are_lost() {
    let servers = Servers::behind(first()).await;
    let crowd = Crowd::gather(&servers, 1_001).await;
    let has_all =
        || servers.replica.query("evently", &["select count(*) from seats"]).is_ok_and(|count| count == SEATS.to_string());
    until("the replica has the event", has_all).await;
    servers.cut_off();
    let buying = tokio::spawn(crowd.clone().buy());
    crowd.until_acknowledged(AFTERWARDS).await;
    let primary = servers.fail_over().await;
    let acknowledged = crowd.acknowledged();
    crowd.until_acknowledged(acknowledged + AFTERWARDS).await;
    crowd.goes_home.store(true, SeqCst);
    buying.await.unwrap();
    let store = PgStore::open(Arc::new(SeededIds::new(7)), &Options::new(primary.url())).await.unwrap();
    let records = store.event_records(crowd.event.id()).await.unwrap().unwrap();
    let lost = crowd.lost(&records).len();
    println!("{lost} of {} acknowledgements lost", crowd.acknowledged());
    assert!(lost >= AFTERWARDS, "{lost}");
}
