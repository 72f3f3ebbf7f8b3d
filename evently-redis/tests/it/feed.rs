use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{Event, EventId, Layout, LayoutId, Request, SeatChange, SeatMap, SeatStatus, Timestamp, Venue, VenueId},
    memory::SeatBoard,
    ports::{Catalog, Elsewhere, EventFilter, Page, SeatFeed, StoreError, StoreErrorKind, Subscription},
};
use evently_redis::{Options, Redis, RedisSeatFeed};
use evently_testkit::{Fixture, MemoryPlace, World, customer};
use evently_testservers::{Proxy, Redis as Server, shared_redis};
use futures_util::future::join_all;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, broadcast::error::TryRecvError},
    task,
    time::timeout,
};

use crate::support::{PATIENCE, connected, options};

fn feed(catalog: Arc<dyn Catalog>) -> Arc<dyn SeatFeed> {
    feed_of(shared_redis().unwrap(), catalog)
}

pub fn feed_of(url: &str, catalog: Arc<dyn Catalog>) -> Arc<dyn SeatFeed> {
    task::block_in_place(|| Handle::current().block_on(feed_at(&options(url), catalog))).1
}

pub async fn feed_at(options: &Options, catalog: Arc<dyn Catalog>) -> (Redis, Arc<RedisSeatFeed>) {
    let redis = connected(options).await;
    let feed = Arc::new(RedisSeatFeed::new(redis.clone(), catalog));
    assert!(feed.wait_until_listening(PATIENCE).await);
    (redis, feed)
}

evently_testkit::seat_feed_conformance!(feed);

/// Two instances before one store.
struct Two {
    world: World,
    event: Fixture,
    server: Server,
    options: Options,
    redis: [Redis; 2],
    feeds: [Arc<RedisSeatFeed>; 2],
}

impl Two {
    async fn new() -> Self {
        let world = World::new(MemoryPlace).await;
        let event = world.event(4, 16).await;
        let server = Server::start().unwrap();
        let options = options(&server.url());
        let (one, feed) = feed_at(&options, world.store.catalog.clone()).await;
        let (other, other_feed) = feed_at(&options, world.store.catalog.clone()).await;
        Self { world, event, server, options, redis: [one, other], feeds: [feed, other_feed] }
    }

    fn id(&self) -> EventId {
        self.event.id()
    }

    async fn commit(&self, seat: u32) -> Vec<SeatChange> {
        let hold = self.world.hold_command(&self.event, customer(seat), &[seat]);
        self.world.apply(&[Request::new(customer(seat), hold)]).await.changes
    }

    /// Holds a seat, and publishes it at an instance.
    async fn change(&self, at: usize, seat: u32) {
        let changes = self.commit(seat).await;
        self.feeds[at].publish(&changes).await;
    }

    async fn map(&self, at: usize) -> Arc<SeatMap> {
        self.feeds[at].seat_map(self.id()).await.unwrap().unwrap()
    }

    async fn subscribe(&self, at: usize, since: Option<u64>) -> Subscription {
        self.feeds[at].subscribe(self.id(), since).await.unwrap().unwrap()
    }

    /// Waits until an instance shows so many seats as reserved.
    async fn shown(&self, at: usize, reserved: u32) -> Arc<SeatMap> {
        loop {
            let map = self.map(at).await;
            if map.counts().reserved == reserved {
                return map;
            }
            task::yield_now().await;
        }
    }

    /// The store's map as of now.
    async fn stored(&self) -> SeatMap {
        self.world.store.catalog.seat_map(self.id()).await.unwrap().unwrap()
    }

    /// Under which names the server has the deltas, and the state.
    fn kept(&self) -> [String; 2] {
        let deltas = format!("{}:feed:{{{}}}", self.options.namespace, self.id());
        let state = format!("{deltas}:state");
        [deltas, state]
    }

    async fn wait_until_up(&self, up: bool) {
        for (redis, feed) in self.redis.iter().zip(&self.feeds) {
            assert!(redis.wait_until_up(up, PATIENCE).await);
            assert!(!up || feed.wait_until_listening(PATIENCE).await);
        }
    }
}

/// A client of the live feed, which moves from instance to instance.
struct Client {
    at: usize,
    map: SeatMap,
    subscription: Subscription,
    /// How often it has had to begin anew.
    begun: u32,
}

impl Client {
    async fn new(two: &Two, at: usize) -> Self {
        let subscription = two.subscribe(at, None).await;
        let map = SeatMap::clone(subscription.snapshot.as_deref().unwrap());
        Self { at, map, subscription, begun: 1 }
    }

    /// Goes on at an instance from the state at hand.
    async fn go_on(&mut self, two: &Two, at: usize) {
        (self.at, self.subscription) = (at, two.subscribe(at, Some(self.map.seq())).await);
        if let Some(snapshot) = self.subscription.snapshot.take() {
            (self.map, self.begun) = (SeatMap::clone(&snapshot), self.begun + 1);
        }
    }

    /// Takes in what there is, as the page does: what does not follow on means to come back.
    async fn follow(&mut self, two: &Two) {
        let mut deltas = VecDeque::from(std::mem::take(&mut self.subscription.missed));
        loop {
            match self.subscription.deltas.try_recv() {
                Ok(delta) => deltas.push_back(delta),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed | TryRecvError::Lagged(_)) => {
                    // The feed, not the client, says when there is nothing to go on from.
                    self.go_on(two, self.at).await;
                    deltas = VecDeque::from(std::mem::take(&mut self.subscription.missed));
                }
            }
        }
        for delta in deltas {
            assert_eq!(delta.seq, self.map.seq() + 1, "deltas are numbered one after another");
            let news = self.map.take_in(delta.changes.iter().copied());
            assert_eq!(news.len(), delta.changes.len());
        }
    }

    /// Follows until it sees what the store has.
    async fn catches_up(&mut self, two: &Two) {
        let truth = two.world.statuses(&two.event).await;
        while self.map.statuses() != truth {
            self.follow(two).await;
            task::yield_now().await;
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    evently_testkit::run(test);
}

#[test]
fn instances_have_the_same_states_with_the_same_numbers() {
    run(async {
        let two = Two::new().await;
        let mut clients = [Client::new(&two, 0).await, Client::new(&two, 1).await];
        for seat in 0..20 {
            two.change(seat as usize % 2, seat).await;
        }
        let [one, other] = [two.shown(0, 20).await, two.shown(1, 20).await];
        assert_eq!(one, other);
        for client in &mut clients {
            client.catches_up(&two).await;
            assert_eq!((&client.map, client.begun), (&*one, 1));
        }
    });
}

#[test]
fn who_comes_back_elsewhere_gets_what_they_missed() {
    run(async {
        let two = Two::new().await;
        let mut client = Client::new(&two, 0).await;
        // Nobody has looked at the other instance yet.
        for seat in 0..5 {
            two.change(seat as usize % 2, seat).await;
        }
        client.go_on(&two, 1).await;
        client.catches_up(&two).await;
        assert_eq!(client.begun, 1);
        let (redis, feed) = feed_at(&two.options, two.world.store.catalog.clone()).await;
        let came_later = feed.subscribe(two.id(), Some(client.map.seq() - 2)).await.unwrap().unwrap();
        assert_eq!((came_later.snapshot.is_none(), came_later.missed.len()), (true, 2), "also at one that has just started");
        drop(redis);
    });
}

#[test]
fn what_is_published_where_nobody_looks_is_seen_elsewhere() {
    run(async {
        let two = Two::new().await;
        two.map(1).await;
        two.change(0, 3).await;
        two.shown(1, 1).await;
    });
}

#[test]
fn what_is_published_late_overwrites_nothing_newer() {
    run(async {
        let two = Two::new().await;
        let (_, _, free) = (two.map(0).await, two.map(1).await, two.stored().await);
        let booking = two.world.hold(&two.event, customer(3), &[3]).await;
        let reserved = two.stored().await;
        two.world.pay(&booking).await;
        let booked = two.stored().await;
        two.feeds[0].publish(&reserved.changes_to(two.id(), &booked)).await;
        two.feeds[1].publish(&free.changes_to(two.id(), &reserved)).await;
        let (_redis, came_later) = feed_at(&two.options, two.world.store.catalog.clone()).await;
        let map = came_later.seat_map(two.id()).await.unwrap().unwrap();
        assert_eq!((map.statuses()[3], map.versions()[3]), (SeatStatus::Booked, booked.versions()[3]));
    });
}

/// What is read from the store may be of before what others publish meanwhile.
#[test]
fn what_is_published_while_seats_are_read_is_not_overwritten() {
    run(async {
        let two = Two::new().await;
        let booking = two.world.hold(&two.event, customer(3), &[3]).await;
        let reserved = two.stored().await;
        let slow = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (_redis, feed) = feed_at(&two.options, slow.clone()).await;
        let looks = task::spawn({
            let (feed, event) = (feed.clone(), two.id());
            async move { feed.seat_map(event).await.unwrap().unwrap() }
        });
        slow.asked.acquire().await.unwrap().forget();
        two.world.pay(&booking).await;
        let booked = two.stored().await;
        let (_redis_too, other) = feed_at(&two.options, Gate::open(two.world.store.catalog.clone())).await;
        other.publish(&reserved.changes_to(two.id(), &booked)).await;
        slow.may_go.add_permits(1);
        let map = looks.await.unwrap();
        assert_eq!((map.statuses()[3], map.versions()[3]), (SeatStatus::Booked, booked.versions()[3]));
    });
}

/// Otherwise each of them would wait for as long as the first one, after all who came before.
#[test]
fn who_waited_for_seats_that_could_not_be_read_does_not_read_them_again() {
    run(async {
        let two = Two::new().await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        gate.is_away.store(true, SeqCst);
        let (_redis, feed) = feed_at(&two.options, gate.clone()).await;
        let looks = join_all((0..10).map(|_| feed.seat_map(two.id())));
        let fails = async {
            gate.asked.acquire().await.unwrap().forget();
            gate.may_go.add_permits(1);
        };
        let (maps, ()) = timeout(PATIENCE, async { tokio::join!(looks, fails) }).await.expect("nobody waits for another answer");
        assert!(maps.iter().all(|map| matches!(map, Err(error) if error.kind() == StoreErrorKind::Unavailable)));
        assert_eq!(gate.asked.available_permits(), 0, "it is asked once");
    });
}

#[test]
fn seats_that_are_long_to_read_keep_no_other_event_waiting() {
    run(async {
        let two = Two::new().await;
        let other = two.world.event(1, 4).await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (_redis, feed) = feed_at(&two.options, gate.clone()).await;
        let [_long, looks] = [two.id(), other.id()].map(|event| {
            let feed = feed.clone();
            task::spawn(async move { feed.seat_map(event).await.unwrap().unwrap() })
        });
        timeout(PATIENCE, gate.asked.acquire_many(2)).await.expect("both are read").unwrap().forget();
        gate.may_go.add_permits(2);
        assert_eq!(looks.await.unwrap().counts().available, 4);
    });
}

/// Both have begun its state, and read the store.
#[test]
fn of_two_who_join_an_event_at_once_one_numbers_it() {
    run(async {
        let two = Two::new().await;
        let gates = [(); 2].map(|()| Arc::new(Gate::closed(two.world.store.catalog.clone())));
        let (mut feeds, mut joining) = (Vec::new(), Vec::new());
        for gate in &gates {
            let (redis, feed) = feed_at(&two.options, gate.clone()).await;
            joining.push(task::spawn({
                let (feed, event) = (feed.clone(), two.id());
                async move { feed.seat_map(event).await.unwrap().unwrap() }
            }));
            feeds.push((redis, feed));
            gate.asked.acquire().await.unwrap().forget();
        }
        for gate in &gates {
            gate.may_go.add_permits(1);
        }
        let [one, other] = [joining.remove(0).await.unwrap(), joining.remove(0).await.unwrap()];
        assert_eq!(one, other);
    });
}

/// By hand: a delta that was kept, and of which nobody was told.
#[test]
fn who_hears_that_something_is_missing_asks_for_it() {
    run(async {
        let two = Two::new().await;
        let other = two.world.event(1, 4).await;
        let seen = async || two.feeds[0].seat_map(other.id()).await.unwrap().unwrap().counts().reserved;
        assert_eq!((two.map(0).await.counts().reserved, seen().await), (0, 0));
        let ([deltas, state], change) = (two.kept(), two.commit(3).await[0]);
        let value = (u64::from(change.version) * 4 + change.status as u64).to_string();
        let seq = two.server.query(&["hincrby", &state, "seq", "1"]).unwrap();
        two.server.query(&["hset", &state, "3", &value]).unwrap();
        two.server.query(&["xadd", &deltas, &format!("{seq}-0"), "d", &format!("3 {value}")]).unwrap();

        two.change(1, 4).await;
        let hold = two.world.hold_command(&other, customer(5), &[0]);
        two.feeds[1].publish(&two.world.apply(&[Request::new(customer(5), hold)]).await.changes).await;
        // It hears one after another.
        while seen().await == 0 {
            task::yield_now().await;
        }
        let map = two.map(0).await;
        assert_eq!((map.statuses()[3], map.statuses()[4]), (SeatStatus::Reserved, SeatStatus::Reserved));
    });
}

/// By hand: the server has an older state again, without having been started anew.
#[test]
fn a_state_that_went_back_does_not_hide_what_is_published() {
    run(async {
        let two = Two::new().await;
        two.map(0).await;
        for seat in 0..3 {
            two.change(0, seat).await;
        }
        let [deltas, state] = two.kept();
        two.server.query(&["del", &deltas]).unwrap();
        two.server.query(&["hdel", &state, "0", "1", "2"]).unwrap();
        two.server.query(&["hset", &state, "seq", "0"]).unwrap();
        two.change(0, 3).await;
        assert_eq!(two.map(0).await.statuses()[3], SeatStatus::Reserved, "whoever has published sees it");
        two.feeds[0].refresh(&Elsewhere::Anything).await.unwrap();
        assert_eq!(two.map(0).await.statuses(), two.world.statuses(&two.event).await);
    });
}

#[test]
fn what_is_kept_of_an_event_lasts_for_as_long_as_something_changes_or_somebody_comes() {
    run(async {
        let two = Two::new().await;
        two.map(0).await;
        two.change(0, 0).await;
        let ends_soon = || {
            for key in two.kept() {
                assert_eq!(two.server.query(&["expire", &key, "60"]).unwrap(), "1");
            }
        };
        let lasts = || {
            for key in two.kept() {
                let left = two.server.query(&["ttl", &key]).unwrap().parse::<u32>().unwrap();
                assert!(left > 60, "{key} ends in {left} s");
            }
        };
        ends_soon();
        two.change(0, 1).await;
        lasts();
        ends_soon();
        // Nobody has looked at the other instance yet.
        two.map(1).await;
        lasts();
    });
}

/// It would grow for as long as an event is on sale, and each who joins gets all of it.
#[test]
fn no_more_deltas_are_kept_than_an_instance_has_use_for() {
    run(async {
        let two = Two::new().await;
        let options = Options { timeout: PATIENCE, ..two.options.clone() };
        let (_redis, feed) = feed_at(&options, two.world.store.catalog.clone()).await;
        let seats = 0..feed.seat_map(two.id()).await.unwrap().unwrap().counts().total;
        for version in 1..=u32::try_from(SeatBoard::KEPT).unwrap() / seats.end + 1 {
            let changes =
                seats.clone().map(|number| [SeatChange { event_id: two.id(), number, status: SeatStatus::Reserved, version }]);
            join_all(changes.map(async |change| feed.publish(&change).await)).await;
        }
        let [deltas, _] = two.kept();
        assert_eq!(two.server.query(&["xlen", &deltas]).unwrap(), SeatBoard::KEPT.to_string());
    });
}

#[test]
fn an_emptied_server_costs_a_snapshot_and_no_more() {
    run(async {
        let two = Two::new().await;
        let mut clients = [Client::new(&two, 0).await, Client::new(&two, 1).await];
        for seat in 0..5 {
            two.change(0, seat).await;
        }
        for client in &mut clients {
            client.catches_up(&two).await;
        }
        two.server.flush().unwrap();
        two.change(0, 5).await;
        two.change(1, 6).await;
        assert_eq!(two.map(1).await.counts().reserved, 7, "whoever has published sees it");
        for client in &mut clients {
            client.catches_up(&two).await;
        }
        assert_eq!(two.shown(0, 7).await, two.shown(1, 7).await);
    });
}

/// What is published then is in the store already, and no news to whoever begins anew.
#[test]
fn who_publishes_to_an_emptied_server_tells_the_others() {
    run(async {
        let two = Two::new().await;
        assert_eq!((two.map(0).await.counts().reserved, two.map(1).await.counts().reserved), (0, 0));
        two.server.flush().unwrap();
        two.change(0, 5).await;
        timeout(PATIENCE, two.shown(1, 1)).await.expect("it is told");
    });
}

/// They would go on answering one another.
#[test]
fn who_only_asks_an_emptied_server_tells_nobody() {
    run(async {
        let two = Two::new().await;
        let before = two.map(0).await.seq();
        assert_eq!(two.map(1).await.seq(), before);
        two.server.flush().unwrap();
        two.server.query(&["config", "resetstat"]).unwrap();
        let [channel, _] = two.kept();
        two.server.query(&["publish", &channel, "of somebody else"]).unwrap();
        let begun_anew = async {
            loop {
                let [one, other] = [two.map(0).await.seq(), two.map(1).await.seq()];
                if one != before && one == other {
                    break;
                }
                task::yield_now().await;
            }
        };
        timeout(PATIENCE, begun_anew).await.expect("what they hear shows that there is nothing");
        let calls = two.server.query(&["info", "commandstats"]).unwrap();
        assert!(calls.contains("cmdstat_publish:calls=1,"), "{calls}");
    });
}

#[test]
fn while_the_server_is_away_each_instance_shows_what_it_publishes() {
    run(async {
        let two = Two::new().await;
        let mut clients = [Client::new(&two, 0).await, Client::new(&two, 1).await];
        two.change(0, 0).await;
        for client in &mut clients {
            client.catches_up(&two).await;
        }
        two.server.kill();
        two.wait_until_up(false).await;
        two.change(0, 1).await;
        two.change(1, 2).await;
        assert_eq!((two.map(0).await.counts().reserved, two.map(1).await.counts().reserved), (2, 2));
        for client in &mut clients {
            client.follow(&two).await;
            assert_eq!(client.map, *two.map(client.at).await);
            // Their states are not the same, and have not the same number.
            let elsewhere = two.subscribe(1 - client.at, Some(client.map.seq())).await;
            assert!(elsewhere.snapshot.is_some());
        }
        two.server.restart().unwrap();
        two.wait_until_up(true).await;
        let [one, other] = [two.shown(0, 3).await, two.shown(1, 3).await];
        assert_eq!(one.statuses(), other.statuses());
        two.change(1, 3).await;
        for client in &mut clients {
            client.catches_up(&two).await;
        }
        assert_eq!(two.shown(0, 4).await, two.shown(1, 4).await);
    });
}

/// Nobody tells it: what others published is over, and nothing comes after it.
#[test]
fn who_was_cut_off_while_others_published_asks_for_what_it_missed() {
    run(cut_off_meanwhile(|_| ()));
}

/// The deltas have a key of their own, and it may be the one that the server has let go of.
#[test]
fn who_was_cut_off_and_can_be_told_nothing_of_it_begins_anew() {
    run(cut_off_meanwhile(|two| {
        let [deltas, _] = two.kept();
        assert_eq!(two.server.query(&["del", &deltas]).unwrap(), "1");
    }));
}

async fn cut_off_meanwhile(and: impl FnOnce(&Two)) {
    let two = Two::new().await;
    let proxy = Proxy::before(&two.server.url()).unwrap();
    let options = Options { url: proxy.url(), ..two.options.clone() };
    let (redis, feed) = feed_at(&options, two.world.store.catalog.clone()).await;
    let mut subscription = feed.subscribe(two.id(), None).await.unwrap().unwrap();
    proxy.close();
    assert!(redis.wait_until_up(false, PATIENCE).await);
    two.change(0, 3).await;
    and(&two);
    proxy.open();
    let shown = async {
        while subscription.snapshot.take().is_none_or(|map| map.statuses()[3] != SeatStatus::Reserved) {
            // It is told, or has to begin anew.
            let _ = subscription.deltas.recv().await;
            subscription = feed.subscribe(two.id(), None).await.unwrap().unwrap();
        }
    };
    timeout(PATIENCE, shown).await.expect("it is told");
}

/// What Redis keeps of an event outlasts a broken connection.
#[test]
fn what_was_published_while_cut_off_is_shown_by_all_when_that_is_over() {
    run(async {
        for somebody_looks_here in [true, false] {
            let two = Two::new().await;
            let proxy = Proxy::before(&two.server.url()).unwrap();
            let options = Options { url: proxy.url(), ..two.options.clone() };
            let (redis, feed) = feed_at(&options, two.world.store.catalog.clone()).await;
            let reserved = async || feed.seat_map(two.id()).await.unwrap().unwrap().counts().reserved;
            assert_eq!(two.map(1).await.counts().reserved, 0);
            if somebody_looks_here {
                assert_eq!(reserved().await, 0);
            }
            proxy.close();
            assert!(redis.wait_until_up(false, PATIENCE).await);
            feed.publish(&two.commit(3).await).await;
            proxy.open();
            timeout(PATIENCE, two.shown(1, 1)).await.expect("it is told");
            assert_eq!(reserved().await, 1);
        }
    });
}

/// The feed's server stands still while the store's is lost, and what was under way would be shown as of the next.
#[test]
fn what_was_committed_at_the_lost_server_is_not_shown_here_as_of_the_next() {
    run(async {
        let two = Two::new().await;
        let catalog = Gate::open(two.world.store.catalog.clone());
        let (_redis, feed) = feed_at(&two.options, catalog.clone()).await;
        let booked = async || feed.seat_map(two.id()).await.unwrap().unwrap().counts().booked;
        assert_eq!(booked().await, 0);
        two.server.pause();
        let lost = [SeatChange { event_id: two.id(), number: 3, status: SeatStatus::Booked, version: 1 }];
        let mut publishing = feed.publish(&lost);
        tokio::select! { biased; () = &mut publishing => panic!("nobody answers"), () = std::future::ready(()) => {} }
        catalog.run.store(2, SeqCst);
        feed.refresh(&Elsewhere::AnotherRun).await.unwrap();
        let ((), shown) = tokio::join!(publishing, booked());
        assert_eq!((shown, booked().await), (0, 0));
        two.server.resume();
    });
}

/// A catalog that shows seats as they were when it was asked, and only when it may, of a store whose server may become another one.
pub struct Gate {
    catalog: Arc<dyn Catalog>,
    run: AtomicU64,
    /// Whether whoever asks is told nothing.
    is_away: AtomicBool,
    pub asked: Semaphore,
    may_go: Semaphore,
}

#[async_trait]
impl Catalog for Gate {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.catalog.venues(page).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        self.catalog.venue(id).await
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.catalog.layout(id).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.catalog.event(id).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        self.catalog.events(filter, page).await
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        let map = self.catalog.seat_map(event).await;
        self.asked.add_permits(1);
        self.may_go.acquire().await.expect("it is not closed").forget();
        if self.is_away.load(SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "seat_map", "no"));
        }
        map
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.catalog.changed_elsewhere().await
    }

    fn run(&self) -> u64 {
        self.run.load(SeqCst)
    }
}

impl Gate {
    pub fn open(catalog: Arc<dyn Catalog>) -> Arc<Self> {
        Arc::new(Self { may_go: Semaphore::new(1000), ..Self::closed(catalog) })
    }

    fn closed(catalog: Arc<dyn Catalog>) -> Self {
        let [asked, may_go] = [(); 2].map(|()| Semaphore::new(0));
        Self { catalog, run: AtomicU64::new(1), is_away: AtomicBool::new(false), asked, may_go }
    }
}

#[test]
fn what_is_published_while_seats_are_read_without_the_server_is_shown() {
    run(async {
        let two = Two::new().await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (redis, feed) = feed_at(&two.options, gate.clone()).await;
        two.server.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await);
        let looks = task::spawn({
            let (feed, event) = (feed.clone(), two.id());
            async move { feed.seat_map(event).await.unwrap().unwrap() }
        });
        gate.asked.acquire().await.unwrap().forget();
        feed.publish(&two.commit(3).await).await;
        gate.may_go.add_permits(1);
        assert_eq!(looks.await.unwrap().statuses(), two.stored().await.statuses());
    });
}

/// Its user may publish and not listen, so that it has a state of its own, as in its first moments.
#[test]
fn what_is_published_while_seats_are_read_by_who_does_not_listen_is_shown() {
    run(async {
        let two = Two::new().await;
        two.server.query(&["acl", "setuser", "deaf", "on", ">p", "+@all", "-psubscribe", "~*", "&*"]).unwrap();
        let options = Options { url: two.options.url.replace("redis://", "redis://deaf:p@"), ..two.options.clone() };
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let feed = Arc::new(RedisSeatFeed::new(connected(&options).await, gate.clone()));
        let looks = task::spawn({
            let (feed, event) = (feed.clone(), two.id());
            async move { feed.seat_map(event).await.unwrap().unwrap() }
        });
        gate.asked.acquire().await.unwrap().forget();
        feed.publish(&two.commit(3).await).await;
        gate.may_go.add_permits(1);
        assert_eq!(looks.await.unwrap().statuses(), two.stored().await.statuses());
        assert!(!feed.wait_until_listening(Duration::ZERO).await);
    });
}

/// Makes `to` the master and `from` its replica, as Sentinels would; neither is started anew.
async fn fail_over(from: &Server, to: &Server) {
    to.query(&["replicaof", "no", "one"]).unwrap();
    from.query(&["replicaof", "127.0.0.1", &to.port().to_string()]).unwrap();
    until(|| from.info("replication").unwrap().contains("master_link_status:up")).await;
}

async fn until(is_so: impl Fn() -> bool) {
    let becomes_so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, becomes_so).await.expect("it takes too long");
}

/// While another one was the master, nobody told what that one had of it.
#[test]
fn what_a_server_had_when_it_was_the_master_before_is_not_believed() {
    run(async {
        let world = World::new(MemoryPlace).await;
        let event = world.event(4, 16).await;
        let first = Server::start().unwrap();
        let second = first.replica().unwrap();
        let options = options(&first.url());
        let (redis, feed) = feed_at(&options, world.store.catalog.clone()).await;
        feed.seat_map(event.id()).await.unwrap().unwrap();
        drop((redis, feed));
        let state = format!("{}:feed:{{{}}}:state", options.namespace, event.id());
        until(|| second.query(&["hexists", &state, "seq"]).unwrap() == "1").await;

        fail_over(&first, &second).await;
        let there = Options { url: second.url(), ..options.clone() };
        let (_, feed) = feed_at(&there, world.store.catalog.clone()).await;
        let hold = world.hold_command(&event, customer(3), &[3]);
        feed.publish(&world.apply(&[Request::new(customer(3), hold)]).await.changes).await;
        drop(feed);

        fail_over(&second, &first).await;
        let (_, feed) = feed_at(&options, world.store.catalog.clone()).await;
        let stored = world.store.catalog.seat_map(event.id()).await.unwrap().unwrap();
        assert_eq!(feed.seat_map(event.id()).await.unwrap().unwrap().statuses(), stored.statuses());
    });
}

/// The server comes back for a moment, and before the seats are read anew it and the store are away.
#[test]
fn what_is_published_while_seats_are_read_in_vain_is_shown_with_what_there_was() {
    run(async {
        let two = Two::new().await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (redis, feed) = feed_at(&two.options, gate.clone()).await;
        gate.may_go.add_permits(1);
        feed.seat_map(two.id()).await.unwrap().unwrap();
        gate.asked.acquire().await.unwrap().forget();
        two.server.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await);
        feed.publish(&two.commit(3).await).await;
        two.server.restart().unwrap();
        timeout(PATIENCE, gate.asked.acquire()).await.expect("it is read anew").unwrap().forget();
        two.server.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await);
        feed.publish(&two.commit(4).await).await;
        gate.is_away.store(true, SeqCst);
        gate.may_go.add_permits(1);
        let shown = feed.seat_map(two.id()).await.unwrap().unwrap();
        assert_eq!(shown.statuses(), two.stored().await.statuses());
    });
}

/// By somebody who tells nobody, such as the command line.
#[test]
fn what_others_write_while_seats_are_read_for_the_first_time_is_shown() {
    run(async {
        let two = Two::new().await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (_redis, feed) = feed_at(&two.options, gate.clone()).await;
        let looks = task::spawn({
            let (feed, event) = (feed.clone(), two.id());
            async move { feed.seat_map(event).await.unwrap().unwrap() }
        });
        gate.asked.acquire().await.unwrap().forget();
        two.commit(3).await;
        let goes_on = async { gate.may_go.add_permits(10) };
        let (refreshed, ()) = tokio::join!(feed.refresh(&Elsewhere::Anything), goes_on);
        refreshed.unwrap();
        looks.await.unwrap();
        let shown = feed.seat_map(two.id()).await.unwrap().unwrap();
        assert_eq!(shown.statuses(), two.stored().await.statuses());
    });
}

#[test]
fn what_the_store_lost_with_its_server_is_shown_by_no_instance() {
    run(async {
        let two = Two::new().await;
        let catalogs = [(); 3].map(|()| Gate::open(two.world.store.catalog.clone()));
        let mut feeds = Vec::new();
        for catalog in &catalogs[..2] {
            feeds.push(feed_at(&two.options, catalog.clone()).await);
        }
        let map = async |feed: &RedisSeatFeed| feed.seat_map(two.id()).await.unwrap().unwrap();
        let before = [map(&feeds[0].1).await, map(&feeds[1].1).await];
        // Committed, and published, and then the server was lost and another one took over.
        feeds[0].1.publish(&[SeatChange { event_id: two.id(), number: 3, status: SeatStatus::Booked, version: 1 }]).await;
        let lost = map(&feeds[0].1).await;
        assert_eq!((before[0].counts().booked, lost.counts().booked), (0, 1));
        for (catalog, (_, feed)) in catalogs.iter().zip(&feeds) {
            catalog.run.store(2, SeqCst);
            feed.refresh(&Elsewhere::AnotherRun).await.unwrap();
        }
        catalogs[2].run.store(2, SeqCst);
        feeds.push(feed_at(&two.options, catalogs[2].clone()).await);
        let stored = two.stored().await;
        for (_, feed) in &feeds {
            assert_eq!(map(feed).await.statuses(), stored.statuses());
            for known in [&before[0], &lost] {
                let subscription = feed.subscribe(two.id(), Some(known.seq())).await.unwrap().unwrap();
                assert!(subscription.snapshot.is_some(), "no number of the other run goes on");
            }
        }
        let changes = two.commit(3).await;
        feeds[1].1.publish(&changes).await;
        assert_eq!(map(&feeds[1].1).await.statuses()[3], SeatStatus::Reserved, "what is committed now counts again");
    });
}

/// Another instance knows of the new server already, and has begun a state of it; what is read from the old one must not get there.
#[test]
fn what_was_read_from_the_lost_server_is_not_shown_as_of_the_next() {
    run(async {
        let two = Two::new().await;
        let [slow, other] = [(); 2].map(|()| Arc::new(Gate::closed(two.world.store.catalog.clone())));
        other.run.store(2, SeqCst);
        let mut joining = Vec::new();
        let mut feeds = Vec::new();
        for gate in [&slow, &other] {
            let (redis, feed) = feed_at(&two.options, gate.clone()).await;
            let id = two.id();
            joining.push(tokio::spawn({
                let feed = feed.clone();
                async move { feed.seat_map(id).await.unwrap().unwrap() }
            }));
            feeds.push((redis, feed));
            gate.asked.acquire().await.unwrap().forget();
        }
        slow.run.store(2, SeqCst);
        slow.may_go.add_permits(1);
        tokio::select! {
            _ = &mut joining[0] => panic!("it is shown"),
            again = slow.asked.acquire() => again.unwrap().forget(),
        }
        for gate in [&slow, &other] {
            gate.may_go.add_permits(100);
        }
        let stored = two.stored().await;
        for map in joining {
            assert_eq!(map.await.unwrap().statuses(), stored.statuses());
        }
    });
}

/// It is on its way when the server is lost, and has to begin anew meanwhile.
#[test]
fn what_was_committed_at_the_lost_server_is_not_published_as_of_the_next() {
    run(async {
        let two = Two::new().await;
        let [slow, other] = [(); 2].map(|()| Gate::open(two.world.store.catalog.clone()));
        let (_redis, feed) = feed_at(&two.options, slow.clone()).await;
        let (_redis_too, next) = feed_at(&two.options, other.clone()).await;
        let map = async |feed: &RedisSeatFeed| feed.seat_map(two.id()).await.unwrap().unwrap();
        assert_eq!(map(&feed).await.counts().booked, 0);
        slow.may_go.forget_permits(1000);
        let asked = u32::try_from(slow.asked.available_permits()).unwrap();
        // Whoever publishes finds no state, gets it anew, and publishes once more.
        two.server.flush().unwrap();
        let lost = SeatChange { event_id: two.id(), number: 3, status: SeatStatus::Booked, version: 1 };
        let publishing = tokio::spawn({
            let feed = feed.clone();
            async move { feed.publish(&[lost]).await }
        });
        drop(slow.asked.acquire_many(asked + 1).await.unwrap());
        for catalog in [&slow, &other] {
            catalog.run.store(2, SeqCst);
        }
        next.refresh(&Elsewhere::AnotherRun).await.unwrap();
        assert_eq!(map(&next).await.counts().booked, 0);
        slow.may_go.add_permits(100);
        publishing.await.unwrap();
        feed.refresh(&Elsewhere::AnotherRun).await.unwrap();
        for feed in [&feed, &next] {
            assert_eq!(map(feed).await.counts().booked, 0);
        }
    });
}

#[test]
fn a_state_that_nobody_waited_for_is_let_go_of() {
    run(async {
        let two = Two::new().await;
        let gate = Arc::new(Gate::closed(two.world.store.catalog.clone()));
        let (_redis, feed) = feed_at(&two.options, gate.clone()).await;
        let waiting = tokio::spawn({
            let (feed, id) = (feed.clone(), two.id());
            async move { feed.seat_map(id).await.unwrap() }
        });
        gate.asked.acquire().await.unwrap().forget();
        waiting.abort();
        assert!(waiting.await.is_err());
        gate.may_go.add_permits(100);
        feed.refresh(&Elsewhere::Anything).await.unwrap();
        assert_eq!(gate.asked.available_permits(), 0, "nothing is at hand");
        assert!(feed.seat_map(two.id()).await.unwrap().is_some());
    });
}

#[test]
fn states_that_nobody_looks_at_are_let_go_of() {
    run(async {
        let two = Two::new().await;
        let catalog = Gate::open(two.world.store.catalog.clone());
        let (_redis, feed) = feed_at(&two.options, catalog.clone()).await;
        let reads = || catalog.asked.forget_permits(usize::MAX);
        let follower = feed.subscribe(two.id(), None).await.unwrap();
        feed.let_go();
        feed.let_go();
        reads();
        feed.refresh(&Elsewhere::Anything).await.unwrap();
        assert_eq!(reads(), 1, "it is followed");
        drop(follower);
        feed.seat_map(two.id()).await.unwrap();
        feed.let_go();
        feed.refresh(&Elsewhere::Anything).await.unwrap();
        assert_eq!(reads(), 1, "it was asked for");
        feed.let_go();
        feed.refresh(&Elsewhere::Anything).await.unwrap();
        assert_eq!(reads(), 0);
    });
}

/// What it was told while it was joining does not fit what it has then.
#[test]
fn an_event_is_there_however_much_was_missed_while_an_instance_joined() {
    run(async {
        let two = Two::new().await;
        let catalog = two.world.store.catalog.clone();
        let gate = Arc::new(Gate::closed(catalog));
        let (redis, feed) = feed_at(&two.options, gate.clone()).await;
        let joining = tokio::spawn({
            let (feed, id) = (feed.clone(), two.id());
            async move { feed.seat_map(id).await.unwrap() }
        });
        gate.asked.acquire().await.unwrap().forget();
        let changes = two.commit(0).await;
        two.server.kill();
        assert!(redis.wait_until_up(false, PATIENCE).await);
        feed.publish(&changes).await;
        two.server.restart().unwrap();
        assert!(redis.wait_until_up(true, PATIENCE).await && feed.wait_until_listening(PATIENCE).await);
        gate.may_go.add_permits(100);
        assert_eq!(joining.await.unwrap().expect("there is such an event").counts().reserved, 1);
    });
}

#[test]
fn however_often_the_server_fails_everybody_sees_the_truth_in_the_end() {
    run(async {
        let two = Arc::new(Two::new().await);
        let mut clients = vec![Client::new(&two, 0).await, Client::new(&two, 1).await];
        let publisher = {
            let two = two.clone();
            tokio::spawn(async move {
                for seat in 0..64 {
                    two.change(seat as usize % 2, seat).await;
                    task::yield_now().await;
                }
            })
        };
        for round in 0..6 {
            match round % 3 {
                0 => two.server.flush().unwrap(),
                1 => two.server.restart().unwrap(),
                _ => {
                    two.server.pause();
                    two.server.resume();
                }
            }
            two.wait_until_up(true).await;
            for client in &mut clients {
                client.follow(&two).await;
                client.go_on(&two, 1 - client.at).await;
            }
        }
        publisher.await.unwrap();
        two.wait_until_up(true).await;
        for feed in &two.feeds {
            feed.refresh(&Elsewhere::Anything).await.unwrap();
        }
        assert_eq!(two.shown(0, 64).await.statuses(), two.shown(1, 64).await.statuses());
        for client in &mut clients {
            client.catches_up(&two).await;
        }
    });
}
