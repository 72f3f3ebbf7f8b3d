//! Several handles on one database, as several processes have them: each tells what others have done from what it has done itself.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{BookingId, Command, Email, HoldTerms, Outcome, Request, RequestKey, Role, SessionId, Timestamp, User, UserId},
    memory::SeededIds,
    ports::{
        Accounts, Audit, BookingFilter, Bookings, Catalog, Chores, Elsewhere, Figures, Ids, Outbox, Page, PasswordHash, Rotation,
        Session, Sessions, StoreErrorKind, TokenDigest,
    },
};
use evently_postgres::{Options, PgStore, Pooler, Time};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use evently_testservers::{PgBouncer, Postgres, Proxy};

use crate::support::Place;

pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SEATS: u32 = 200;

pub async fn on_sale(store: &PgStore, ids: &SeededIds) -> Fixture {
    let event = Fixture::new(ids, NOW, 1, SEATS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    event
}

pub async fn hold(store: &PgStore, ids: &SeededIds, event: &Fixture, seat: u32) -> BookingId {
    let answer = store.apply(NOW, &[hold_of(ids, event, seat)]).await.unwrap().answers.remove(0);
    let Ok(Outcome::Booking(booking)) = answer.result else { panic!("{answer:?}") };
    booking.id
}

pub fn hold_of(ids: &SeededIds, event: &Fixture, seat: u32) -> Request {
    let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
    let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
    let seats = event.seats(&[seat]);
    let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
    Request::new(SYSTEM, command)
}

#[tokio::test]
async fn only_what_others_write_counts_and_only_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (ours, theirs) =
        (place.open_with(ids.clone(), &place.options()).await, place.open_with(ids.clone(), &place.options()).await);
    let event = on_sale(&ours, &ids).await;
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "our own writes do not count");
    assert_ne!(theirs.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    assert_eq!(theirs.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "it was asked before");

    hold(&theirs, &ids, &event, 0).await;
    hold(&ours, &ids, &event, 1).await;
    let changed = Elsewhere::Events([event.id()].into());
    assert_eq!(ours.changed_elsewhere().await.unwrap(), changed, "a write of ours afterwards hides nothing");
    assert_eq!(ours.clone().changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "a clone is the same");
}

/// Else a sale would read all seats of all events again and again.
#[tokio::test]
async fn who_writes_all_the_time_still_sees_that_nobody_else_does() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    let selling = async {
        for seat in 0..SEATS {
            hold(&store, &ids, &event, seat).await;
        }
    };
    let looking = async {
        loop {
            assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged, "nobody else writes");
        }
    };
    tokio::select! {
        () = selling => {}
        () = looking => {}
    }
}

/// So many entries are looked through, and whoever has written one beyond them must not be passed over.
#[tokio::test]
async fn what_others_wrote_after_much_else_counts_as_well() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (ours, theirs) =
        (place.open_with(ids.clone(), &place.options()).await, place.open_with(ids.clone(), &place.options()).await);
    let event = on_sale(&ours, &ids).await;
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    let much_of_ours = |entries: u32| {
        place.execute(&format!(
            "insert into journal (event_id, entries, content, writer, position, hash) \
                select j.event_id, 1, '{{}}', j.writer, h.position + n, h.hash \
                from (select event_id, writer from journal limit 1) j, journal_head h, generate_series(1, {entries}) n"
        ));
        place.execute(&format!("update journal_head set position = position + {entries}"));
    };
    much_of_ours(99_990);
    hold(&theirs, &ids, &event, 0).await;
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Events([event.id()].into()));
    much_of_ours(100_000);
    hold(&theirs, &ids, &event, 1).await;
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Anything);
    assert_eq!(ours.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
}

/// A store on the other side of a proxy.
async fn behind(place: &Place, ids: &Arc<SeededIds>) -> (Proxy, PgStore) {
    let proxy = Proxy::before(&place.options().url).unwrap();
    let store =
        place.open_with(ids.clone(), &Options { url: proxy.url(), patience: Duration::from_secs(3), ..place.options() }).await;
    (proxy, store)
}

/// The answer is found again by the next try, but not which seats have changed: whoever shows seats has to look.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_counts() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (proxy, store) = behind(&place, &ids).await;
    let event = on_sale(&store, &ids).await;
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);

    proxy.lose_answer_to_commit();
    hold(&store, &ids, &event, 0).await;
    assert!(proxy.has_lost_it());
    assert_ne!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
}

/// The pooler says that it has lost the server, in the server's words.
#[tokio::test]
async fn a_commit_whose_answer_a_pooler_has_lost_counts() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let proxy = Proxy::before(&place.options().url).unwrap();
    let port = proxy.url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let pooler = PgBouncer::before(port).unwrap();
    let options = Options { url: pooler.url(place.database()), pooler: Pooler::Transaction, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = on_sale(&store, &ids).await;
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);

    proxy.lose_answer_to_commit();
    hold(&store, &ids, &event, 0).await;
    assert!(proxy.has_lost_it());
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Anything);
}

/// Nobody sees it before the replica has it, and whoever has looked meanwhile sees it then.
#[tokio::test]
async fn a_commit_that_can_be_seen_long_after_it_was_in_doubt_counts() {
    let primary = Postgres::options().set("synchronous_commit", "on").start().unwrap();
    let replica = primary.replica().unwrap();
    let ids = Arc::new(SeededIds::new(7));
    let brief = Duration::from_secs(2);
    let options =
        Options { connections: 4, patience: brief, statement_timeout: brief, time: Time::Caller, ..Options::new(primary.url()) };
    let store = PgStore::open(ids.clone(), &options).await.unwrap();
    let event = on_sale(&store, &ids).await;
    // Or else positions were to be given, which is a commit as well.
    store.after(0, 100).await.unwrap();
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);

    primary.wait_for_replica().unwrap();
    replica.pause();
    let error = store.apply(NOW, &[hold_of(&ids, &event, 0)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InDoubt, "{error:?}");
    let looked = async { while !matches!(store.changed_elsewhere().await, Ok(Elsewhere::Unchanged)) {} };
    tokio::time::timeout(Duration::from_mins(1), looked).await.expect("it can be asked while no commit goes through");
    let bookings = || primary.query("evently", &["select count(*) from bookings"]).unwrap();
    assert_eq!(bookings(), "0");

    replica.resume();
    crate::pair::until("the booking is there", || bookings() == "1").await;
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Events([event.id()].into()));
    assert_eq!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
}

async fn logged_in(store: &PgStore, ids: &SeededIds, token: TokenDigest) -> Session {
    let (user_id, id) = (UserId::from_uuid(ids.uuid(NOW)), SessionId::from_uuid(ids.uuid(NOW)));
    let user = User {
        id: user_id,
        email: Email::parse("ada@example.org").unwrap(),
        name: "Ada".to_owned(),
        role: Role::Customer,
        created_at: NOW,
    };
    Accounts::add(store, &user, &PasswordHash("x".to_owned())).await.unwrap();
    let session = Session { id, user_id, expires_at: NOW + Duration::from_hours(1) };
    Sessions::open(store, &session, &token).await.unwrap();
    session
}

/// It may be spent, and the next one good.
#[tokio::test]
async fn a_login_of_which_nobody_can_tell_whether_it_was_renewed_is_in_doubt() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (proxy, store) = behind(&place, &ids).await;
    logged_in(&store, &ids, [1; 32]).await;
    proxy.lose_answer_to_commit_and_close();
    assert_eq!(store.rotate(&[1; 32], &[2; 32], NOW).await.unwrap_err().kind(), StoreErrorKind::InDoubt);
}

/// Whoever asks again would be taken for somebody who has stolen the token.
#[tokio::test]
async fn a_login_that_was_renewed_without_an_answer_is_told_so() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (proxy, store) = behind(&place, &ids).await;
    let session = logged_in(&store, &ids, [1; 32]).await;

    proxy.lose_answer_to_commit();
    assert_eq!(store.rotate(&[1; 32], &[2; 32], NOW).await.unwrap(), Rotation::Rotated(session));
    assert!(proxy.has_lost_it());
    assert_eq!(store.rotate(&[2; 32], &[3; 32], NOW).await.unwrap(), Rotation::Rotated(session));
    assert_eq!(store.rotate(&[1; 32], &[4; 32], NOW).await.unwrap(), Rotation::Reused, "somebody else has it");
}

/// Somebody has logged out between the commit that was in doubt and the look at what has become of it.
#[tokio::test]
async fn a_login_that_was_taken_back_after_it_was_renewed_is_not_told_as_renewed() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let session = logged_in(&store, &ids, [1; 32]).await;
    assert_eq!(store.rotate(&[1; 32], &[2; 32], NOW).await.unwrap(), Rotation::Rotated(session));
    store.revoke(&[2; 32]).await.unwrap();
    assert_ne!(store.rotate(&[1; 32], &[2; 32], NOW).await.unwrap(), Rotation::Rotated(session));
}

/// What was read is known before the transaction ends, and nothing was to be done.
#[tokio::test]
async fn a_read_whose_end_was_lost_is_answered() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let direct = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&direct, &ids).await;
    let mut seats = 0..SEATS;
    hold(&direct, &ids, &event, seats.next().unwrap()).await;
    let filter = BookingFilter { event_id: Some(event.id()), ..BookingFilter::default() };
    let booking = direct.bookings(&filter, Page { after: None, limit: 1 }).await.unwrap().pop().unwrap();
    for pooler in [Pooler::None, Pooler::Transaction] {
        let proxy = Proxy::before(&place.options().url).unwrap();
        let store = place.open_with(ids.clone(), &Options { url: proxy.url(), pooler, ..place.options() }).await;
        let losing_times = |times| {
            assert!(proxy.has_lost_it(), "what was read before ended");
            proxy.lose_answers_to_commits(times);
        };
        let losing = || losing_times(1);
        losing();
        assert_eq!(store.records(booking.id).await.unwrap().unwrap().booking, booking);
        losing();
        assert_eq!(store.records(BookingId::from_uuid(ids.uuid(NOW))).await.unwrap(), None);
        losing();
        assert!(store.seat_map(event.id()).await.unwrap().is_some());
        losing();
        assert!(store.owed_refunds("sandbox", Page { after: None, limit: 1 }).await.unwrap().is_empty());
        losing();
        assert_eq!(Figures::all(&store).await.unwrap().0, 0);
        losing();
        assert!(store.event_records(event.id()).await.unwrap().is_some());
        losing();
        store.time(&|| Duration::ZERO).await.unwrap();
        // Whoever reads the journal gives it positions, in a transaction that is no change of theirs either.
        for (times, expected) in [(1, Ok(())), (2, Err(StoreErrorKind::Unavailable))] {
            hold(&direct, &ids, &event, seats.next().unwrap()).await;
            losing_times(times);
            assert_eq!(store.after(0, 100).await.map(drop).map_err(|error| error.kind()), expected);
        }
        assert!(proxy.has_lost_it());
        if pooler == Pooler::Transaction {
            losing();
            assert_eq!(store.booking(booking.id).await.unwrap(), Some(booking.clone()));
            assert!(proxy.has_lost_it());
        }
    }
}

/// It is found under its key, and was given to nobody.
#[tokio::test]
async fn an_answer_that_was_lost_with_its_commit_is_given_for_the_first_time() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (proxy, store) = behind(&place, &ids).await;
    let event = on_sale(&store, &ids).await;
    let keyed = |seat: u32, id: u8| {
        let key = RequestKey { id: [id; 32], fingerprint: [id; 32] };
        hold_of(&ids, &event, seat).with_key(Some(key))
    };
    let (early, late) = (keyed(0, 1), keyed(1, 2));
    store.apply(NOW, std::slice::from_ref(&early)).await.unwrap();
    proxy.lose_answer_to_commit();
    let applied = store.apply(NOW, &[late.clone(), early, late]).await.unwrap();
    assert!(proxy.has_lost_it());
    let replayed = applied.answers.iter().map(|answer| answer.replayed).collect::<Vec<_>>();
    assert_eq!(replayed, [false, true, true], "one is new, one was given before, one came twice");
}

/// Whoever asked must not be told that nothing was done.
#[tokio::test]
async fn what_nobody_can_look_up_after_its_commit_is_in_doubt() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (proxy, store) = behind(&place, &ids).await;
    let event = Fixture::new(&*ids, NOW, 1, SEATS);
    let make = [Request::new(ORGANIZER, event.create_venue())];
    proxy.lose_answer_to_commit_and_close();
    assert_eq!(store.apply(NOW, &make).await.unwrap_err().kind(), StoreErrorKind::InDoubt);
    assert_eq!(store.apply(NOW, &make).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    proxy.open();
    while let Err(error) = store.apply(NOW, &make).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}
