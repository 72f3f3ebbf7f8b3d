//! What the event service keeps in memory: read once by a crowd, and let go of whenever others have written.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use evently_core::{
    cache::{Caches, Seal},
    domain::{
        Actor, Command, Entry, Event, EventChange, EventId, EventStatus, Layout, LayoutId, Principal, Request, SeatChange,
        SeatMap, SeatStatus, SessionId, Stage, Timestamp, UserId, Venue, VenueId,
    },
    memory::{MemoryCache, MemorySeatFeed, SeededIds},
    ports::{
        Cache as _, Carrier, Catalog, Elsewhere, EventFilter, NotCarried, Page, SeatFeed, StoreError, StoreErrorKind,
        Subscription,
    },
    services::{BoxOffice, EventService, EventView, Forgetting, LayoutView, OfficeSize},
};
use evently_testkit::{Fixture, MemoryPlace, ORGANIZER, World, customer};
use tokio::{sync::Semaphore, task::JoinSet};
use uuid::Uuid;

/// A catalog that counts the layouts it is asked for, and says once what others have written, as it is told to.
struct Shelf {
    store: Arc<dyn Catalog>,
    written: Mutex<Elsewhere>,
    layouts: AtomicUsize,
    maps: AtomicUsize,
    /// Whether the next seat map cannot be read.
    torn: AtomicBool,
    /// Whether the next list, or the next seat map, is handed out only when it may be.
    holds_back: AtomicBool,
    listed: Semaphore,
    may_go: Semaphore,
}

impl Shelf {
    /// What is said of others when somebody asks.
    fn say(&self, written: Elsewhere) {
        *self.written.lock().unwrap() = written;
    }

    async fn hold_back(&self) {
        if self.holds_back.swap(false, SeqCst) {
            self.listed.add_permits(1);
            self.may_go.acquire().await.expect("it is not closed").forget();
        }
    }
}

#[async_trait]
impl Catalog for Shelf {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.store.venues(page).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        self.store.venue(id).await
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.layouts.fetch_add(1, SeqCst);
        // The others get their turn meanwhile.
        tokio::task::yield_now().await;
        self.store.layout(id).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.store.event(id).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        let events = self.store.events(filter, page).await;
        self.hold_back().await;
        events
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.maps.fetch_add(1, SeqCst);
        if self.torn.swap(false, SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "seat_map", "no"));
        }
        let map = self.store.seat_map(event).await;
        self.hold_back().await;
        map
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        Ok(std::mem::take(&mut self.written.lock().unwrap()))
    }
}

/// A feed that fails to read everything again when it is told to, and counts how often it has.
struct Board {
    feed: MemorySeatFeed,
    broken: AtomicBool,
    refreshed: AtomicUsize,
}

#[async_trait]
impl SeatFeed for Board {
    async fn publish(&self, changes: &[SeatChange]) {
        self.feed.publish(changes).await;
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        self.feed.seat_map(event).await
    }

    async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Option<Subscription>, StoreError> {
        self.feed.subscribe(event, since).await
    }

    async fn refresh(&self, elsewhere: &Elsewhere) -> Result<(), StoreError> {
        if self.broken.swap(false, SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "seat_map", "no"));
        }
        self.refreshed.fetch_add(1, SeqCst);
        self.feed.refresh(elsewhere).await
    }

    fn let_go(&self) {
        self.feed.let_go();
    }
}

struct House {
    world: World,
    event: EventId,
    shelf: Arc<Shelf>,
    board: Arc<Board>,
    service: Arc<EventService>,
}

impl House {
    async fn open() -> Self {
        let world = World::new(MemoryPlace).await;
        let event = world.event(1, 8).await.id();
        let store = world.store.catalog.clone();
        let shelf = Arc::new(Shelf {
            store,
            written: Mutex::default(),
            layouts: AtomicUsize::new(0),
            maps: AtomicUsize::new(0),
            torn: AtomicBool::new(false),
            holds_back: AtomicBool::new(false),
            listed: Semaphore::new(0),
            may_go: Semaphore::new(0),
        });
        let feed = MemorySeatFeed::new(shelf.clone());
        let board = Arc::new(Board { feed, broken: AtomicBool::new(false), refreshed: AtomicUsize::new(0) });
        let (office, _work) =
            BoxOffice::open(world.store.bookings.clone(), board.clone(), world.clock.clone(), OfficeSize::default());
        let service = EventService::new(office, shelf.clone(), board.clone(), world.clock.clone(), world.ids.clone());
        Self { world, event, shelf, board, service: Arc::new(service) }
    }
}

#[tokio::test]
async fn a_crowd_before_a_new_event_reads_it_once() {
    let house = House::open().await;
    let mut crowd = JoinSet::new();
    for _ in 0..64 {
        let service = house.service.clone();
        crowd.spawn(async move { service.view(house.event).await.unwrap().event.id });
    }
    assert!(crowd.join_all().await.into_iter().all(|seen| seen == house.event));
    assert_eq!(house.shelf.layouts.load(SeqCst), 1);
}

/// The store says only once that others have written.
#[tokio::test]
async fn what_could_not_be_read_again_is_read_again_later() {
    let house = House::open().await;
    house.shelf.say(Elsewhere::Anything);
    house.board.broken.store(true, SeqCst);
    assert!(house.service.refresh().await.is_err());
    assert!(house.service.refresh().await.unwrap(), "it is still due");
    assert_eq!(house.board.refreshed.load(SeqCst), 1);
    assert!(!house.service.refresh().await.unwrap(), "and then it is done");
}

/// Where the store knows which events they have written to, all others stay as they are.
#[tokio::test]
async fn what_others_have_made_of_an_event_is_shown() {
    let House { world, event, shelf, service, .. } = House::open().await;
    let another = world.event(1, 8).await.id();
    let stages = async || [service.view(event).await.unwrap().event.stage, service.view(another).await.unwrap().event.stage];
    assert_eq!(stages().await, [Stage::Published; 2]);
    for event_id in [event, another] {
        world.ask(ORGANIZER, Command::CancelEvent { event_id, reason: None }).await.unwrap();
    }
    shelf.say(Elsewhere::Events([event].into()));
    assert!(service.refresh().await.unwrap());
    assert_eq!(stages().await, [Stage::Cancelled, Stage::Published]);
}

/// Else who watches an event whose seats could not be read once would see them as they were until others write again.
#[tokio::test]
async fn seats_that_could_not_be_read_again_are_read_again_later() {
    let House { world, shelf, service, .. } = House::open().await;
    let event = world.event(1, 8).await;
    let seats = async || service.seat_map(event.id()).await.unwrap().statuses()[..2].to_vec();
    assert_eq!(seats().await, [SeatStatus::Available; 2]);
    world.hold(&event, customer(1), &[0]).await;
    shelf.say(Elsewhere::Anything);
    shelf.torn.store(true, SeqCst);
    assert!(service.refresh().await.is_err());
    assert_eq!(seats().await, [SeatStatus::Available; 2]);
    assert!(service.refresh().await.unwrap());
    assert_eq!(seats().await, [SeatStatus::Reserved, SeatStatus::Available]);
}

/// The store says once that they have, and what was read before that is not to be what is shown from then on.
#[tokio::test]
async fn what_others_write_while_seats_are_read_for_the_first_time_is_shown() {
    let House { world, shelf, service, .. } = House::open().await;
    let event = world.event(1, 8).await;
    shelf.holds_back.store(true, SeqCst);
    let (reader, id) = (service.clone(), event.id());
    let reads = tokio::spawn(async move { reader.seat_map(id).await.unwrap() });
    shelf.listed.acquire().await.unwrap().forget();
    world.hold(&event, customer(1), &[0]).await;
    shelf.say(Elsewhere::Anything);
    assert!(service.refresh().await.unwrap());
    shelf.may_go.add_permits(1);
    assert_eq!(reads.await.unwrap().statuses()[0], SeatStatus::Reserved);
}

/// Else each that was ever asked for would be kept, and read again whenever others write.
#[tokio::test]
async fn states_of_seats_that_nobody_looks_at_are_let_go_of() {
    let house = House::open().await;
    let [followed, asked_for] = [house.event, house.world.event(1, 8).await.id()];
    let (service, reads) = (&house.service, || house.shelf.maps.swap(0, SeqCst));
    let follower = service.subscribe(followed, None).await.unwrap();
    service.seat_map(asked_for).await.unwrap();
    assert_eq!(reads(), 2);
    let refresh = async || {
        house.shelf.say(Elsewhere::Anything);
        assert!(service.refresh().await.unwrap());
    };
    for _ in 0..3 {
        service.let_go();
        service.seat_map(asked_for).await.unwrap();
        refresh().await;
        assert_eq!(reads(), 2, "each is compared, and was at hand");
    }
    service.let_go();
    service.let_go();
    refresh().await;
    assert_eq!(reads(), 1, "only one is followed");
    drop(follower);
    service.let_go();
    refresh().await;
    assert_eq!(reads(), 0);
}

/// Else a list that was on its way while somebody wrote would put the old event into memory, for as long as nobody writes again.
#[tokio::test]
async fn what_was_listed_before_others_wrote_is_not_kept() {
    let house = House::open().await;
    house.shelf.holds_back.store(true, SeqCst);
    let service = house.service.clone();
    let listing = tokio::spawn(async move {
        let page = Page { after: None, limit: 10 };
        service.list(&EventFilter { drafts: true, ..EventFilter::default() }, page).await.unwrap().len()
    });
    house.shelf.listed.acquire().await.unwrap().forget();
    let (world, cancel) = (&house.world, Command::CancelEvent { event_id: house.event, reason: None });
    let applied = world.store.bookings.apply(world.now(), &[Request::new(ORGANIZER, cancel)]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
    house.shelf.say(Elsewhere::Anything);
    assert!(house.service.refresh().await.unwrap());
    house.shelf.may_go.add_permits(1);
    assert_eq!(listing.await.unwrap(), 1);
    assert_eq!(house.service.view(house.event).await.unwrap().event.stage, Stage::Cancelled);
}

/// Nor does one process take its own states for earlier ones of the same map, when it has read it again.
#[tokio::test]
async fn processes_that_know_nothing_of_each_other_number_seats_apart() {
    let House { event, shelf, .. } = House::open().await;
    let read = async |feed: &MemorySeatFeed| feed.seat_map(event).await.unwrap().unwrap();
    let (ours, theirs) = (MemorySeatFeed::beside_others(shelf.clone(), 0), MemorySeatFeed::beside_others(shelf.clone(), 1 << 40));
    let (first, other) = (read(&ours).await, read(&theirs).await);
    ours.refresh(&Elsewhere::AnotherRun).await.unwrap();
    let again = read(&ours).await;
    assert_eq!((first.statuses(), first.statuses()), (other.statuses(), again.statuses()));
    assert!(!first.is_numbered_like(other.seq()) && !first.is_numbered_like(again.seq()) && !other.is_numbered_like(again.seq()));
    assert!(!first.is_numbered_like(read(&MemorySeatFeed::new(shelf)).await.seq()));
}

/// The next page goes on after the last event where it stood, wherever it stands by now.
#[tokio::test]
async fn what_was_listed_is_shown_as_it_was_read() {
    let house = House::open().await;
    house.shelf.holds_back.store(true, SeqCst);
    let service = house.service.clone();
    let listing = tokio::spawn(async move {
        let page = Page { after: None, limit: 10 };
        service.list(&EventFilter { drafts: true, ..EventFilter::default() }, page).await.unwrap().remove(0)
    });
    house.shelf.listed.acquire().await.unwrap().forget();
    let (world, before) = (&house.world, house.world.store.catalog.event(house.event).await.unwrap().unwrap());
    let end_time = before.details.end_time + std::time::Duration::from_hours(1);
    let change = EventChange { start_time: Some(before.details.end_time), end_time: Some(end_time), ..EventChange::default() };
    let edit = Command::EditEvent { event_id: house.event, change };
    let applied = world.store.bookings.apply(world.now(), &[Request::new(ORGANIZER, edit)]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
    assert_eq!(house.service.view(house.event).await.unwrap().event.version, before.version + 1);
    house.shelf.may_go.add_permits(1);
    assert_eq!(listing.await.unwrap().event.details, before.details);
    assert_eq!(house.service.view(house.event).await.unwrap().event.version, before.version + 1, "nothing older is kept");
}

#[tokio::test]
async fn of_the_last_events_none_is_listed_twice() {
    let house = House::open().await;
    let world = &house.world;
    for _ in 0..101 {
        world.event(1, 1).await;
    }
    house.shelf.holds_back.store(true, SeqCst);
    let service = house.service.clone();
    let listing = tokio::spawn(async move { service.list_last(&EventFilter::default()).await.unwrap() });
    house.shelf.listed.acquire().await.unwrap().forget();
    let first = world.store.catalog.events(&EventFilter::default(), Page { after: None, limit: 100 }).await.unwrap();
    let details = &first[50].details;
    // From the page that has been read to the one that comes next.
    let times = (Some(details.end_time), Some(details.end_time + std::time::Duration::from_hours(1)));
    let change = EventChange { start_time: times.0, end_time: times.1, ..EventChange::default() };
    let edit = Command::EditEvent { event_id: first[50].id, change };
    let applied = world.store.bookings.apply(world.now(), &[Request::new(ORGANIZER, edit)]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
    house.shelf.may_go.add_permits(1);
    let last = listing.await.unwrap();
    assert_eq!((last.len(), last.iter().filter(|view| view.event.id == first[50].id).count()), (100, 1));
    assert_eq!(last.last().unwrap().event.id, first[50].id, "it is where it stands now");
}

#[test]
fn a_view_knows_where_a_seat_is_and_what_it_costs() {
    let fixture = Fixture::new(&SeededIds::new(1), Timestamp::from_secs(1_800_000_000), 3, 4);
    let layout = Arc::new(LayoutView::new(fixture.layout.clone()));
    let view = EventView::new(fixture.event.clone(), fixture.venue.clone(), layout.clone());
    let price = |number| layout.seat(number).map(|(.., seat)| view.price(seat));
    assert_eq!([0, 4, 11, 12].map(price), [Some(4500), Some(2500), Some(2500), None]);
    assert_eq!([0, 3, 4, 11, 12].map(|number| layout.section(number)), [Some(0), Some(0), Some(1), Some(1), None]);
    for (numbers, adjacent) in
        [(&[1, 2, 0][..], true), (&[5], true), (&[0, 2], false), (&[7, 8], false), (&[3, 4], false), (&[11, 12], false)]
    {
        assert_eq!(layout.adjacent(numbers), adjacent, "{numbers:?}");
    }
}

/// A plan may have all of its seats in one row.
#[test]
fn a_hall_of_one_long_row_can_be_looked_at() {
    let seats = (0..70_000).fold(String::new(), |seats, number| seats + &format!("Stalls,A,{number},Normal\n"));
    let plan = format!("section,row,seat,category\n{seats}");
    let id = evently_core::domain::LayoutId::new(Uuid::from_u128(7 << 76));
    let read = evently_core::import::read(evently_core::import::Format::Csv, plan.as_bytes(), id).unwrap();
    let view = LayoutView::new(Arc::new(read.layout));
    assert!(view.seat(69_999).is_some() && view.adjacent(&[65_535, 65_536]));
}

/// Two instances over one store that share a cache, each with an office at work.
fn instances(world: &World) -> [Arc<EventService>; 2] {
    instances_with(world, &Arc::new(MemoryCache::new(world.clock.clone())))
}

fn instances_with(world: &World, cache: &Arc<MemoryCache>) -> [Arc<EventService>; 2] {
    [(); 2].map(|()| {
        let (store, clock, ids) = (world.store.clone(), world.clock.clone(), world.ids.clone());
        let feed = Arc::new(MemorySeatFeed::new(store.catalog.clone()));
        let (office, work) = BoxOffice::open(store.bookings, feed.clone(), clock.clone(), OfficeSize::default());
        tokio::spawn(work);
        let caches = Caches::shared(clock.clone(), cache.clone(), Seal::new(b"secret"));
        Arc::new(EventService::new(office, store.catalog, feed, clock, ids).with_caches(&caches))
    })
}

fn organizer() -> Principal {
    let Actor::User(user_id, role) = ORGANIZER else { unreachable!("organizers have accounts") };
    Principal { user_id, role, session_id: SessionId::from_uuid(Uuid::nil()) }
}

async fn stage(service: &EventService, event: EventId) -> Stage {
    service.view(event).await.unwrap().event.stage
}

#[tokio::test]
async fn what_one_instance_changes_the_others_show_at_once() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await.id();
    let [here, elsewhere] = instances(&world);
    assert_eq!([stage(&here, event).await, stage(&elsewhere, event).await], [Stage::Published; 2]);
    here.cancel(&organizer(), event, None, None).await.unwrap();
    assert_eq!([stage(&here, event).await, stage(&elsewhere, event).await], [Stage::Cancelled; 2]);
}

/// Keeps what it is given, three at a time.
#[derive(Default)]
struct Courier(Mutex<Vec<Entry>>);

#[async_trait]
impl Carrier for Courier {
    fn at_once(&self) -> usize {
        3
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }
}

#[tokio::test]
async fn what_another_program_changes_is_shown_when_its_entry_has_been_handed_on() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await.id();
    let [here, elsewhere] = instances(&world);
    let courier = Arc::new(Courier::default());
    let carrier = Forgetting::before(courier.clone(), here.clone());
    assert_eq!(stage(&elsewhere, event).await, Stage::Published);
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event, reason: None }).await.unwrap();
    assert_eq!(stage(&elsewhere, event).await, Stage::Published, "nobody has told");
    let entries = world.store.outbox.after(0, 10).await.unwrap();
    carrier.carry(&entries).await.unwrap();
    assert_eq!([stage(&here, event).await, stage(&elsewhere, event).await], [Stage::Cancelled; 2]);
    assert_eq!((carrier.at_once(), &*courier.0.lock().unwrap()), (3, &entries), "and everything goes on as it came");
}

/// Takes so many of the entries that it is given, and then no more.
struct Stuck(AtomicUsize);

#[async_trait]
impl Carrier for Stuck {
    fn at_once(&self) -> usize {
        usize::MAX
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        Err(NotCarried { taken: self.0.swap(0, SeqCst), source: "it is away".into() })
    }
}

/// Whatever waits for a broker is tried several times a second.
#[tokio::test]
async fn what_was_forgotten_is_not_forgotten_again_while_its_entry_waits() {
    let world = World::new(MemoryPlace).await;
    let cache = Arc::new(MemoryCache::new(world.clock.clone()));
    let [here, _] = instances_with(&world, &cache);
    for _ in 0..2 {
        world.event(1, 4).await;
    }
    let forgets = |told: &mut tokio::sync::broadcast::Receiver<_>| {
        let mut told_of = 0;
        while told.try_recv().is_ok() {
            told_of += 1;
        }
        told_of
    };
    let mut told = cache.forgotten();
    let stuck = Arc::new(Stuck(AtomicUsize::new(0)));
    let carrier = Forgetting::before(stuck.clone(), here);
    let mut entries = world.store.outbox.after(0, 10).await.unwrap();
    assert_eq!(entries.len(), 4, "each is made and published");
    let mut carry = async |entries: &[Entry]| {
        assert!(carrier.carry(entries).await.is_err());
        forgets(&mut told)
    };
    assert_eq!([carry(&entries[..3]).await, carry(&entries[..3]).await], [3, 0]);
    stuck.0.store(1, SeqCst);
    assert_eq!([carry(&entries).await, carry(&entries[1..]).await], [1, 0], "what is new, and nothing of what is left");
    // A failover has lost the last, and somebody has made something else of its event.
    entries[3].transition.at = Timestamp::from_micros(1);
    assert_eq!(carry(&entries[1..]).await, 1);
}

/// Looks at an event before it takes entries.
struct Onlooker(Arc<EventService>, EventId, Mutex<Vec<Stage>>);

#[async_trait]
impl Carrier for Onlooker {
    fn at_once(&self) -> usize {
        1
    }

    async fn carry(&self, _: &[Entry]) -> Result<(), NotCarried> {
        let seen = stage(&self.0, self.1).await;
        self.2.lock().unwrap().push(seen);
        Ok(())
    }
}

#[tokio::test]
async fn whoever_is_told_of_a_change_sees_it() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await.id();
    let [here, elsewhere] = instances(&world);
    assert_eq!(stage(&elsewhere, event).await, Stage::Published);
    let onlooker = Arc::new(Onlooker(elsewhere, event, Mutex::default()));
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event, reason: None }).await.unwrap();
    let entries = world.store.outbox.after(0, 10).await.unwrap();
    Forgetting::before(onlooker.clone(), here).carry(&entries[entries.len() - 1..]).await.unwrap();
    assert_eq!(*onlooker.2.lock().unwrap(), [Stage::Cancelled]);
}

#[tokio::test]
async fn a_list_shows_events_as_they_are_whatever_was_looked_at_before() {
    let House { world, event, service, .. } = House::open().await;
    assert_eq!(stage(&service, event).await, Stage::Published);
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event, reason: None }).await.unwrap();
    let listed = service.list(&EventFilter::default(), Page { after: None, limit: 10 }).await.unwrap();
    assert_eq!(listed.iter().map(|view| view.event.stage).collect::<Vec<_>>(), [Stage::Cancelled]);
    assert_eq!(stage(&service, event).await, Stage::Cancelled, "what was read for the list is kept");
}

#[tokio::test]
async fn everybody_sees_the_same_list_whatever_they_ask_for() {
    let House { world, event, service, .. } = House::open().await;
    let fixture = Fixture::new(&*world.ids, world.now(), 1, 4);
    for command in [fixture.create_venue(), fixture.create_event()] {
        world.ask(ORGANIZER, command).await.unwrap();
    }
    let shown = async |filter| {
        let views = service.list_public(filter, Page { after: None, limit: 10 }).await.unwrap();
        views.iter().map(|view| view.event.id).collect::<Vec<_>>()
    };
    let all = EventFilter::default();
    assert_eq!(shown(all.clone()).await, [event]);
    assert_eq!(shown(EventFilter { drafts: true, ..all.clone() }).await, [event]);
    assert_eq!(shown(EventFilter { organizer_id: Some(organizer().user_id), ..all.clone() }).await, [event]);
    let nobody = Some(UserId::from_uuid(Uuid::nil()));
    assert_eq!(shown(EventFilter { organizer_id: nobody, ..all.clone() }).await, [event], "it is not theirs to choose by");
    let of = |status| EventFilter { status: Some(status), ..all.clone() };
    assert_eq!(shown(of(EventStatus::Draft)).await, []);
    assert_eq!((shown(of(EventStatus::Upcoming)).await, shown(of(EventStatus::Ongoing)).await), (vec![event], vec![]));
    world.wait_until(fixture.event.details.start_time);
    assert_eq!((shown(of(EventStatus::Upcoming)).await, shown(of(EventStatus::Ongoing)).await), (vec![], vec![event]));
}
