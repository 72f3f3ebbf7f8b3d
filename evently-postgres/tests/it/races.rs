//! Three instances on one database, and callers that race for the same seats: each guard alone keeps a seat from being sold twice.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use evently_core::{
    domain::{
        ANSWERS_KEPT, BookingId, Command, Email, EventChange, EventId, HoldTerms, Outcome, Rejection, Request, Role, Sales,
        SessionId, Timestamp, User, UserId,
    },
    memory::{ManualClock, SeededIds},
    ports::{
        Accounts, Audit, Bookings, CLAIM_LASTS, Catalog, Chores, Claim, EventRecords, Figures, Ids, Inbox, PasswordHash,
        Rotation, Session, Sessions, StoreErrorKind, Taken,
    },
};
use evently_postgres::{Guards, Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM, World, customer};
use sqlx::{Connection as _, PgConnection};

use crate::{
    elsewhere::{hold_of, on_sale},
    support::Place,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const CALLERS: u32 = 64;
const SEATS: u32 = 24;

/// What became of the seats when everybody wanted all of them.
struct Aftermath {
    records: EventRecords,
    accepted: usize,
}

impl Aftermath {
    /// Seats that more than one live booking has.
    fn sold_twice(&self) -> usize {
        let mut seen = BTreeSet::new();
        let live = self.records.bookings.iter().filter(|booking| booking.status().is_live());
        live.flat_map(|booking| &booking.seats).filter(|seat| !seen.insert(seat.number)).count()
    }
}

async fn race(place: &Place, guards: Guards) -> Aftermath {
    let ids = Arc::new(SeededIds::new(7));
    // They wait for connections as well, which is not what this is about.
    let options = Options { guards, patience: Duration::from_mins(1), ..place.options() };
    let mut instances = Vec::new();
    for instance in 0..3 {
        instances.push(place.open_with(Arc::new(SeededIds::new(100 + instance)), &options).await);
    }
    let event = Fixture::new(&*ids, NOW, 1, SEATS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    let requests = commands.map(|command| Request::new(ORGANIZER, command));
    assert!(instances[0].apply(NOW, &requests).await.unwrap().answers.iter().all(|answer| answer.result.is_ok()));

    let callers = (0..CALLERS).map(|caller| {
        let store = instances[caller as usize % 3].clone();
        let (ids, event) = (ids.clone(), event.clone());
        tokio::spawn(async move { want_every_seat(&store, &*ids, &event, caller).await })
    });
    let mut accepted = 0;
    for caller in callers.collect::<Vec<_>>() {
        accepted += caller.await.unwrap();
    }
    let records = instances[0].event_records(event.id()).await.unwrap().unwrap();
    Aftermath { records, accepted }
}

/// Asks for one seat after the other, beginning where the caller's number says; how many it got.
async fn want_every_seat(store: &PgStore, ids: &dyn Ids, event: &Fixture, caller: u32) -> usize {
    let mut got = 0;
    for seat in (0..SEATS).map(|n| (n + caller / 8) % SEATS) {
        let user_id = UserId::from_uuid(ids.uuid(NOW));
        let hold = Command::Hold {
            booking_id: BookingId::from_uuid(ids.uuid(NOW)),
            event_id: event.id(),
            user_id,
            seats: event.seats(&[seat]),
            terms: HoldTerms::default(),
        };
        match store.apply(NOW, &[Request::new(SYSTEM, hold)]).await {
            Ok(applied) => got += usize::from(applied.answers[0].result.is_ok()),
            // Nothing was done; an answer all the same.
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Contended, "{error:?}"),
        }
    }
    got
}

fn assert_sold_once(aftermath: &Aftermath) {
    assert_eq!(aftermath.sold_twice(), 0);
    assert_eq!(aftermath.records.bookings.len(), aftermath.accepted, "who was refused has no booking");
    assert_eq!(aftermath.accepted, SEATS as usize, "and every seat was sold");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_guards_every_seat_is_sold_once() {
    let place = Place::new();
    assert_sold_once(&race(&place, Guards::default()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn serializable_transactions_are_enough() {
    let place = Place::new();
    place.drop_the_constraint();
    assert_sold_once(&race(&place, Guards { versions: false, ..Guards::default() }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_enough() {
    let place = Place::new();
    place.drop_the_constraint();
    assert_sold_once(&race(&place, Guards { serializable: false, ..Guards::default() }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_constraint_is_enough() {
    let place = Place::new();
    let aftermath = race(&place, Guards { serializable: false, versions: false }).await;
    assert_eq!(aftermath.sold_twice(), 0);
}

/// The test can see what it says never happens. It is a matter of chance, so that one race may end well.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_guard_seats_are_sold_twice() {
    for _ in 0..20 {
        let place = Place::new();
        place.drop_the_constraint();
        if race(&place, Guards { serializable: false, versions: false }).await.sold_twice() > 0 {
            return;
        }
    }
    panic!("nothing was sold twice in twenty races");
}

/// An id that is sent to several instances at once, each time for something else, makes one thing; the others are told so.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_something_of_one_id_one_does() {
    for serializable in [true, false] {
        make_of_one_id(Guards { serializable, ..Guards::default() }).await;
    }
}

async fn make_of_one_id(guards: Guards) {
    let place = Place::new();
    // They wait for connections as well, which is not what this is about.
    let options = Options { guards, patience: Duration::from_mins(1), ..place.options() };
    let ids = SeededIds::new(7);
    let mut instances = Vec::new();
    for instance in 0..3 {
        instances.push(place.open_with(Arc::new(SeededIds::new(100 + instance)), &options).await);
    }
    let event = Fixture::new(&ids, NOW, 1, SEATS);
    let made = together(&instances, |_| event.create_venue()).await;
    assert_eq!(made, 1, "venues");
    let made = together(&instances, |_| event.create_event()).await;
    assert_eq!(made, 1, "events");
    let publish = Request::new(ORGANIZER, event.publish());
    assert!(instances[0].apply(NOW, &[publish]).await.unwrap().answers[0].result.is_ok());
    let booking_id = BookingId::from_uuid(ids.uuid(NOW));
    let made = together(&instances, |caller| Command::Hold {
        booking_id,
        event_id: event.id(),
        user_id: UserId::from_uuid(ids.uuid(NOW)),
        seats: event.seats(&[caller]),
        terms: HoldTerms::default(),
    });
    assert_eq!(made.await, 1, "bookings");
}

/// Has as many callers as there are seats send a command each, all at once; how many were not refused because of their id.
async fn together(instances: &[PgStore], command: impl Fn(u32) -> Command) -> usize {
    let callers = (0..SEATS).map(|caller| {
        let (store, request) = (instances[caller as usize % 3].clone(), Request::new(ORGANIZER, command(caller)));
        tokio::spawn(async move { store.apply(NOW, &[request]).await.unwrap().answers.remove(0).result })
    });
    let mut made = 0;
    for caller in callers.collect::<Vec<_>>() {
        match caller.await.unwrap() {
            Ok(Outcome::Venue(_) | Outcome::Event(_) | Outcome::Booking(_)) => made += 1,
            Err(Rejection::Invalid(invalid)) => assert_eq!(invalid.fields[0].code, "used_before"),
            other => panic!("{other:?}"),
        }
    }
    made
}

/// For rows, and not for their turn.
const TWO_WAIT: &str = "select count(*) >= 2 from pg_stat_activity \
    where datname = current_database() and wait_event in ('transactionid', 'tuple')";

/// Has two do the same at the same moment: both have come to the rows that the statement locks before either gets further.
pub async fn two_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    place: &Place,
    lock: &'static str,
    each: impl Fn(u8) -> F,
) -> [T; 2] {
    let url = place.options().url;
    let (mut holder, mut watcher) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    let mut locked = holder.begin().await.unwrap();
    sqlx::query(lock).execute(&mut *locked).await.unwrap();
    let [one, other] = [0, 1].map(|n| tokio::spawn(each(n)));
    while !sqlx::query_scalar::<_, bool>(TWO_WAIT).fetch_one(&mut watcher).await.unwrap() {
        assert!(!one.is_finished() && !other.is_finished(), "nobody gets past the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    locked.rollback().await.unwrap();
    [one.await.unwrap(), other.await.unwrap()]
}

/// Many who do so at random seldom meet in the middle.
#[tokio::test]
async fn of_two_who_spend_a_token_at_once_the_second_ends_the_session() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let id = UserId::from_uuid(ids.uuid(NOW));
    let email = Email::parse("ada@example.org").unwrap();
    let ada = User { id, email, name: "Ada".to_owned(), role: Role::Customer, created_at: NOW };
    assert!(Accounts::add(&store, &ada, &PasswordHash("x".to_owned())).await.unwrap());
    let session = Session { id: SessionId::from_uuid(ids.uuid(NOW)), user_id: id, expires_at: NOW + Duration::from_hours(1) };
    Sessions::open(&store, &session, &[0; 32]).await.unwrap();
    let mut rotations = two_at_once(&place, "select from session_tokens for update", |n| {
        let store = store.clone();
        async move { store.rotate(&[0; 32], &[n + 1; 32], NOW).await.map_err(|error| error.kind()) }
    })
    .await;
    rotations.sort_by_key(|rotation| *rotation != Ok(Rotation::Rotated(session)));
    assert_eq!(rotations, [Ok(Rotation::Rotated(session)), Ok(Rotation::Reused)]);
    assert_eq!(store.holder(session.id).await.unwrap(), None, "somebody has stolen it");
}

/// Both find that whoever had it has crashed.
#[tokio::test]
async fn of_two_who_take_a_message_over_at_once_one_has_it() {
    let place = Place::new();
    let (ids, clock) = (Arc::new(SeededIds::new(7)), ManualClock::new(NOW));
    let store = place.open_with(ids.clone(), &place.options()).await;
    assert_eq!(store.take("mail", 7, &Claim::new(&*ids, &clock)).await.unwrap(), Taken::Ours);
    clock.advance(CLAIM_LASTS);
    let mut taken = two_at_once(&place, "select from inbox for update", |_| {
        let (store, claim) = (store.clone(), Claim::new(&*ids, &clock));
        async move { store.take("mail", 7, &claim).await.unwrap() }
    })
    .await;
    taken.sort_by_key(|taken| *taken != Taken::TakenOver);
    assert_eq!(taken, [Taken::TakenOver, Taken::Others]);
}

/// An extension changes the booking and none of its seats.
#[tokio::test]
async fn versions_keep_two_from_changing_a_booking_at_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let options = Options { guards: Guards { serializable: false, ..Guards::default() }, ..place.options() };
    let instances = [place.open_with(ids.clone(), &options).await, place.open_with(ids.clone(), &options).await];
    let event = Fixture::new(&*ids, NOW, 1, SEATS);
    let (booking_id, terms) = (BookingId::from_uuid(ids.uuid(NOW)), HoldTerms::default());
    let user_id = UserId::from_uuid(ids.uuid(NOW));
    let hold = Command::Hold { booking_id, event_id: event.id(), user_id, seats: event.seats(&[0]), terms };
    let commands = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    let requests = commands.into_iter().chain([Request::new(SYSTEM, hold)]).collect::<Vec<_>>();
    assert!(instances[0].apply(NOW, &requests).await.unwrap().answers.iter().all(|answer| answer.result.is_ok()));
    let answers = two_at_once(&place, "select from bookings for update", |n| {
        let store = instances[usize::from(n)].clone();
        let extend = Request::new(SYSTEM, Command::Extend { booking_id, terms });
        async move { store.apply(NOW + Duration::from_mins(1), &[extend]).await.unwrap().answers.remove(0).result }
    });
    // Who is second may find that there is nothing to extend any more.
    let accepted = answers.await.iter().filter(|answer| answer.is_ok()).count();
    let booking = instances[0].booking(booking_id).await.unwrap().unwrap();
    assert_eq!(booking.version, 1 + u32::try_from(accepted).unwrap(), "what was answered was done");
}

#[tokio::test]
async fn versions_keep_two_from_changing_an_event_at_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let options = Options { guards: Guards { serializable: false, ..Guards::default() }, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event_id = on_sale(&store, &ids).await.id();
    let version = async || Catalog::event(&store, event_id).await.unwrap().unwrap().version;
    let before = version().await;
    let answers = two_at_once(&place, "select from events for update", |n| {
        let change = EventChange { name: Some(format!("Act {n}")), ..EventChange::default() };
        let (store, edit) = (store.clone(), Request::new(ORGANIZER, Command::EditEvent { event_id, change }));
        async move { store.apply(NOW, &[edit]).await.unwrap().answers.remove(0).result.is_ok() }
    });
    assert_eq!(answers.await, [true, true]);
    assert_eq!(version().await, before + 2, "what was answered was done");
}

const ONE_WAITS: &str = "select count(*) >= 1 from pg_stat_activity \
    where datname = current_database() and wait_event_type = 'Lock'";

/// What has read the event before it was changed, and is written down after that.
#[tokio::test]
async fn what_is_decided_beside_a_change_of_its_event_is_no_fault() {
    let call_off = |event_id| Command::CancelEvent { event_id, reason: None };
    let better = |event_id| {
        let change = EventChange { refund_percent: Some(90), ..EventChange::default() };
        Command::EditEvent { event_id, change }
    };
    let hold = |world: &World, event: &Fixture, _| world.hold_command(event, customer(1), &[1]);
    let give_up = |_: &World, _: &Fixture, booking_id| Command::Cancel { booking_id, expected: None, reason: None };
    written_behind(hold, call_off).await;
    written_behind(give_up, call_off).await;
    written_behind(give_up, better).await;
}

async fn written_behind(ask: impl FnOnce(&World, &Fixture, BookingId) -> Command, change: impl FnOnce(EventId) -> Command) {
    let place = Place::new();
    let url = place.options().url;
    let world = World::new(place).await;
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let (mut holder, mut watcher) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    let mut locked = holder.begin().await.unwrap();
    sqlx::query("select from seats for update").execute(&mut *locked).await.unwrap();
    let (bookings, now) = (world.store.bookings.clone(), world.now());
    let request = Request::new(customer(1), ask(&world, &event, sold.id));
    let asks = tokio::spawn(async move { bookings.apply(now, &[request]).await.unwrap().answers.remove(0).result });
    while !sqlx::query_scalar::<_, bool>(ONE_WAITS).fetch_one(&mut watcher).await.unwrap() {
        assert!(!asks.is_finished(), "it does not get past the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = world.store.outbox.after(0, 99).await.unwrap().len();
    world.ask(ORGANIZER, change(event.id())).await.unwrap();
    assert_eq!(world.store.outbox.after(0, 99).await.unwrap().len(), before + 1, "it has its position first");
    locked.rollback().await.unwrap();
    assert!(asks.await.unwrap().is_ok(), "one after the other, it came first");
    world.audited(&event).await;
}

/// What others are adding when figures are begun anew goes with the rest, or it would be counted twice.
#[tokio::test]
async fn figures_that_are_begun_anew_keep_nothing_of_what_is_being_added() {
    let place = Place::new();
    let store = place.open_with(Arc::new(SeededIds::new(7)), &place.options()).await;
    let url = place.options().url;
    let (mut other, mut watcher) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    let adding = "begin; update sales_position set position = 7; \
        insert into sales (event_id, hour, section, holds, confirmed, expired, cancelled, seats, value, captured, refunded) \
        values (gen_random_uuid(), now(), 'Stalls', 1, 0, 0, 0, 1, 4500, 0, 0)";
    sqlx::raw_sql(adding).execute(&mut other).await.unwrap();
    let reset = tokio::spawn({
        let store = store.clone();
        async move { Figures::reset(&store).await }
    });
    while !sqlx::query_scalar::<_, bool>(ONE_WAITS).fetch_one(&mut watcher).await.unwrap() {
        assert!(!reset.is_finished(), "nobody gets past whoever is adding");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    reset.await.unwrap().unwrap();
    assert_eq!(Figures::all(&store).await.unwrap(), (0, Sales::default()));
}

/// It is found while it is old, and comes to be deleted when it has been replaced.
#[tokio::test]
async fn an_answer_that_is_replaced_meanwhile_is_not_forgotten() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    // Nobody gives up before the other one has come.
    let options = Options { statement_timeout: Duration::from_mins(1), ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = on_sale(&store, &ids).await;
    let keyed = |seat| [hold_of(&ids, &event, seat).with_key(World::key("a", ""))];
    store.apply(NOW, &keyed(0)).await.unwrap();
    let later = NOW + ANSWERS_KEPT;

    let url = place.options().url;
    let (mut holder, mut watcher) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    let mut locked = holder.begin().await.unwrap();
    sqlx::query("select from answers for update").execute(&mut *locked).await.unwrap();
    // Who comes to the row first has it first.
    let (asks, anew) = (store.clone(), keyed(1));
    let asks = tokio::spawn(async move { asks.apply(later, &anew).await.unwrap().answers.remove(0) });
    while !sqlx::query_scalar::<_, bool>(ONE_WAITS).fetch_one(&mut watcher).await.unwrap() {
        assert!(!asks.is_finished(), "it does not get past the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let forgets = store.clone();
    let forgets = tokio::spawn(async move { forgets.forget_answers(later, 10).await.unwrap() });
    while !sqlx::query_scalar::<_, bool>(TWO_WAIT).fetch_one(&mut watcher).await.unwrap() {
        assert!(!asks.is_finished() && !forgets.is_finished(), "nobody gets past the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    locked.rollback().await.unwrap();
    assert!(!asks.await.unwrap().replayed);
    assert_eq!(forgets.await.unwrap(), 0);
    assert!(store.apply(later, &keyed(2)).await.unwrap().answers[0].replayed);
}

/// Otherwise a booking would be shown with what has become of it since.
#[tokio::test]
async fn what_is_read_by_several_statements_is_of_one_moment() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    // Whoever waits in the middle does not give up.
    let options = Options { statement_timeout: Duration::from_mins(1), ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = on_sale(&store, &ids).await;
    let answer = store.apply(NOW, &[hold_of(&ids, &event, 0)]).await.unwrap().answers.remove(0);
    let Ok(Outcome::Booking(held)) = answer.result else { panic!("{answer:?}") };
    let before = store.records(held.id).await.unwrap();

    let url = place.options().url;
    let (mut other, mut watcher) = (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    // The booking comes before its payments, and its history after them.
    sqlx::raw_sql("begin; lock table payments in access exclusive mode").execute(&mut other).await.unwrap();
    let reader = store.clone();
    let reads = tokio::spawn(async move { reader.records(held.id).await.unwrap() });
    while !sqlx::query_scalar::<_, bool>(ONE_WAITS).fetch_one(&mut watcher).await.unwrap() {
        assert!(!reads.is_finished(), "it does not get past the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let extend = Command::Extend { booking_id: held.id, terms: HoldTerms::default() };
    store.apply(NOW + Duration::from_mins(1), &[Request::new(SYSTEM, extend)]).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(reads.await.unwrap(), before);
    assert_ne!(store.records(held.id).await.unwrap(), before, "it was extended meanwhile");
}
