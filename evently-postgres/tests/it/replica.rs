//! Browsing goes to a replica, and nobody notices but for the primary's load: who has written sees it, time never goes back, and a
//! replica that is not fit is not read from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use evently_core::{
    domain::{
        Actor, BookingId, BookingStatus, Command, Email, EventChange, GatewayReport, HoldTerms, Outcome, PaymentId, Request,
        Role, SessionId, Timestamp, User, VenueId,
    },
    memory::SeededIds,
    ports::{
        Accounts, BookingFilter, Bookings, Catalog, Chores, Elsewhere, EventFilter, Ids, Outbox, Page, PasswordHash, Session,
        Sessions, StoreErrorKind,
    },
};
use evently_postgres::{Options, PgStore, Pooler, Problem, Time, Way};
use evently_testkit::{Fixture, GATEWAY, HOUSE, ORGANIZER, customer};
use evently_testservers::{PgBouncer, Postgres, Proxy};

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{
    pair::{Pair, Replicated, until, until_in_use, until_up},
    support::until_said,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ALL: Page<VenueId> = Page { after: None, limit: 100 };

/// Made through the store, so that the replica has to have them before it answers again.
async fn make_venue(store: &PgStore, seed: u64) -> (Fixture, VenueId) {
    let event = Fixture::new(&SeededIds::new(seed), NOW, 1, 10);
    let applied = store.apply(NOW, &[event.create_venue(), event.create_event()].map(of_organizer)).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
    let venue = store.event(event.id()).await.unwrap().unwrap().venue_id;
    (event, venue)
}

fn of_organizer(command: Command) -> Request {
    Request::new(ORGANIZER, command)
}

async fn name_of(store: &PgStore, venue: VenueId) -> String {
    store.venue(venue).await.unwrap().unwrap().name
}

/// Has the replica read from, as of now, and then stand still.
async fn stand_still(pair: &Pair, store: &PgStore, venue: VenueId) {
    pair.execute("update venues set name = 'Before'");
    // Whoever has seen that at the primary sees it at the replica.
    until_in_use(store).await;
    pair.replayed("select distinct name from venues", "Before").await;
    pair.replay(false);
    // Only the replica answers with what the primary has not any more.
    pair.execute("update venues set name = 'After'");
    assert_eq!(name_of(store, venue).await, "Before", "the replica answers");
}

/// Another instance has changed it, and has told us before we have seen that in the store.
#[tokio::test]
async fn one_event_is_what_the_primary_says() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (event, venue) = make_venue(&store, 1).await;
    stand_still(&pair, &store, venue).await;
    pair.execute("update events set content = replace(content, 'Much Ado About Nothing', 'Changed')");
    assert_eq!(store.event(event.id()).await.unwrap().unwrap().details.name, "Changed");
    assert_eq!(name_of(&store, venue).await, "After", "whoever has seen that sees nothing older");
}

#[tokio::test]
async fn who_has_written_sees_it_and_the_others_what_the_replica_has() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (event, venue) = make_venue(&store, 1).await;
    stand_still(&pair, &store, venue).await;
    assert!(store.venues(ALL).await.unwrap().iter().all(|venue| venue.name == "Before"));

    store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
    assert_eq!(name_of(&store, venue).await, "After", "all that was written before is there as well");
    let filter = EventFilter { now: NOW, ..EventFilter::default() };
    let listed = store.events(&filter, Page { after: None, limit: 10 }).await.unwrap();
    assert_eq!(listed.len(), 1, "it is not a draft any more");

    pair.replay(true);
    stand_still(&pair, &store, venue).await;
    // Made elsewhere, it is not on the replica, and found all the same.
    let other = PgStore::open(Arc::new(SeededIds::new(8)), &Options { time: Time::Caller, ..Options::new(pair.primary.url()) })
        .await
        .unwrap();
    let (_, theirs) = make_venue(&other, 2).await;
    assert!(store.venue(theirs).await.unwrap().is_some());
    assert_eq!(name_of(&store, venue).await, "After", "who has seen the one sees the other");
}

/// Nobody who buys keeps others from the replica, and nobody misses in it what they have bought.
#[tokio::test]
async fn what_is_ones_own_and_what_is_due_is_what_the_primary_says() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (event, venue) = make_venue(&store, 1).await;
    store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
    stand_still(&pair, &store, venue).await;

    let (ids, terms, ada) = (SeededIds::new(9), HoldTerms::default(), customer(1));
    let Actor::User(user_id, _) = ada else { unreachable!("customers have accounts") };
    let [bought, held] = [(); 2].map(|()| BookingId::from_uuid(ids.uuid(NOW)));
    let (payment_id, event_id) = (PaymentId::from_uuid(ids.uuid(NOW)), event.id());
    let hold = |booking_id, seat| Command::Hold { booking_id, event_id, user_id, seats: event.seats(&[seat]), terms };
    let start = Command::StartPayment { payment_id, booking_id: bought, provider: "sandbox".to_owned(), terms };
    let (report, reference, message, instead, answers) = (GatewayReport::Succeeded, None, None, Vec::new(), None);
    let settle = Command::SettlePayment { payment_id, report, reference, message, instead, terms, answers };
    let buy = [(ada, hold(bought, 0)), (ada, start), (GATEWAY, settle), (ada, hold(held, 1))];
    let applied = store.apply(NOW, &buy.map(|(by, command)| Request::new(by, command))).await.unwrap();
    assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");

    let records = store.records(bought).await.unwrap().unwrap();
    assert_eq!((records.booking.status(), records.payments.len()), (BookingStatus::Confirmed, 1));
    for filter in [(Some(user_id), None), (Some(user_id), Some(event_id)), (None, Some(event_id)), (None, None)] {
        let (filter, page) =
            (BookingFilter { user_id: filter.0, event_id: filter.1, status: None }, Page { after: None, limit: 9 });
        assert_eq!(store.bookings(&filter, page).await.unwrap().len(), 2, "{filter:?}");
    }
    assert_eq!(store.booking(bought).await.unwrap(), Some(records.booking.clone()));
    assert_eq!(store.booking_by_code(records.booking.code.unwrap()).await.unwrap(), Some(records.booking.clone()));
    assert_eq!(store.payment(payment_id).await.unwrap(), Some(records.payments[0].clone()));
    assert_eq!(store.ticket(records.tickets[0].id).await.unwrap(), Some(records.tickets[0].clone()));
    assert_eq!(store.seat_map(event_id).await.unwrap().unwrap().counts().available, 8);
    assert_eq!(store.due_holds(NOW + terms.ttl, 9).await.unwrap(), [held]);
    let give_up = Command::Cancel { booking_id: bought, expected: None, reason: None };
    store.apply(NOW, &[Request::new(HOUSE, give_up)]).await.unwrap();
    assert_eq!(store.owed_refunds("sandbox", Page { after: None, limit: 9 }).await.unwrap().len(), 1);
    let last = store.after(0, 100).await.unwrap().pop().unwrap();
    assert_eq!(last.transition.booking_id(), Some(bought));

    let email = Email::parse("ada@example.org").unwrap();
    let user = User { id: user_id, email: email.clone(), name: "Ada".to_owned(), role: Role::Customer, created_at: NOW };
    assert!(Accounts::add(&store, &user, &PasswordHash("x".to_owned())).await.unwrap());
    let session = Session { id: SessionId::from_uuid(ids.uuid(NOW)), user_id, expires_at: NOW + terms.ttl };
    Sessions::open(&store, &session, &[1; 32]).await.unwrap();
    assert!(store.user(user_id).await.unwrap().is_some() && store.credentials(&email).await.unwrap().is_some());
    assert_eq!(store.users(Page { after: None, limit: 9 }).await.unwrap(), std::slice::from_ref(&user));
    assert_eq!(store.holder(session.id).await.unwrap(), Some(user));
    store.revoke(&[1; 32]).await.unwrap();
    assert_eq!(store.holder(session.id).await.unwrap(), None);
    assert_eq!(store.taken_back(0).await.unwrap().sessions, [session.id]);
    assert_eq!(name_of(&store, venue).await, "Before", "the replica answers all the while");
}

/// Whoever does not find what they have made makes it again.
#[tokio::test]
async fn who_has_made_a_venue_or_a_draft_sees_it_in_lists() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (_, venue) = make_venue(&store, 1).await;
    let event = Fixture::new(&SeededIds::new(2), NOW, 1, 10);
    let made = async |command| {
        stand_still(&pair, &store, venue).await;
        let applied = store.apply(NOW, &[of_organizer(command)]).await.unwrap();
        assert!(applied.answers[0].result.is_ok(), "{applied:?}");
    };
    made(event.create_venue()).await;
    assert_eq!(store.venues(ALL).await.unwrap().len(), 2);
    pair.replay(true);
    made(event.create_event()).await;
    let drafts = EventFilter { now: NOW, drafts: true, ..EventFilter::default() };
    assert_eq!(store.events(&drafts, Page { after: None, limit: 10 }).await.unwrap().len(), 2);
}

/// A list that is older than their own change would be taken for newer.
#[tokio::test]
async fn who_has_changed_an_event_or_called_it_off_sees_that_in_lists() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (event, venue) = make_venue(&store, 1).await;
    store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
    let (event_id, filter) = (event.id(), EventFilter { now: NOW, ..EventFilter::default() });
    let change = EventChange { name: Some("Twelfth Night".to_owned()), ..EventChange::default() };
    for command in [Command::EditEvent { event_id, change }, Command::CancelEvent { event_id, reason: None }] {
        stand_still(&pair, &store, venue).await;
        let answer = store.apply(NOW, &[of_organizer(command)]).await.unwrap().answers.remove(0);
        let Ok(Outcome::Event(changed)) = answer.result else { panic!("{answer:?}") };
        assert_eq!(store.events(&filter, Page { after: None, limit: 10 }).await.unwrap(), [changed]);
        pair.replay(true);
    }
}

/// It was asked before, and answers after.
#[tokio::test]
async fn what_is_written_while_the_replica_answers_is_not_missing_from_the_answer() {
    let pair = Pair::start();
    let proxy = Proxy::before(&pair.replica.url()).unwrap();
    let store = pair.open_with(&Options { replica_url: Some(proxy.url()), ..pair.options() }).await;
    let (event, venue) = make_venue(&store, 1).await;
    stand_still(&pair, &store, venue).await;
    assert!(store.replica().unwrap().in_use);
    proxy.delay(Duration::from_mins(1));
    // The reader is the first to go, and has asked the replica when the writer begins.
    let written = async {
        store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
        proxy.open();
    };
    let (name, ()) = tokio::join!(name_of(&store, venue), written);
    assert_eq!(name, "After", "the replica has not replayed it, and is not to be believed");
}

/// Nobody knows what has become of the change, and whoever asked for it looks.
#[tokio::test]
async fn who_may_have_written_sees_what_there_is() {
    let pair = Pair::start();
    let proxy = Proxy::before(&pair.primary.url()).unwrap();
    let (url, replica_lag_max) = (proxy.url(), Duration::from_mins(5));
    let store = pair.open_with(&Options { url, replica_lag_max, ..pair.options() }).await;
    let (event, venue) = make_venue(&store, 1).await;
    stand_still(&pair, &store, venue).await;
    proxy.lose_answer_to_commit_and_close();
    let error = store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InDoubt);
    proxy.open();
    let shown = loop {
        // Until the primary is found again.
        if let Ok(venue) = store.venue(venue).await {
            break venue.unwrap().name;
        }
    };
    assert_eq!(shown, "After");
}

#[tokio::test]
async fn what_others_have_written_is_seen_once_it_is_known() {
    let pair = Pair::start();
    let (store, other) = (pair.open().await, pair.open().await);
    let (event, venue) = make_venue(&store, 1).await;
    stand_still(&pair, &store, venue).await;
    other.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
    assert_eq!(name_of(&store, venue).await, "Before", "nobody has told us");
    assert_ne!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
    assert_eq!(name_of(&store, venue).await, "After");
}

/// Somebody writes all the time, the replica is held up and goes on again, and fences come in between.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_time_go_back() {
    let pair = Arc::new(Pair::start());
    let store = pair.open().await;
    let (_, venue) = make_venue(&store, 1).await;
    pair.execute(&format!("update venues set name = '0' where id = '{venue}'"));
    pair.replayed("select name from venues", "0").await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = std::thread::spawn({
        let (pair, stop) = (pair.clone(), stop.clone());
        move || {
            let count = format!("update venues set name = (name::bigint + 1)::text where id = '{venue}'");
            while !stop.load(SeqCst) {
                pair.primary.query("evently", &[&*count; 50]).unwrap();
            }
        }
    });
    let mut readers = Vec::new();
    for _ in 0..4 {
        let (store, stop, reads) = (store.clone(), stop.clone(), reads.clone());
        readers.push(tokio::spawn(async move {
            let mut last = 0;
            while !stop.load(SeqCst) {
                let name = name_of(&store, venue).await.parse::<u64>().unwrap();
                assert!(name >= last, "{name} after {last}");
                last = name;
                reads.fetch_add(1, SeqCst);
            }
        }));
    }
    for round in 0..8 {
        if round % 2 == 0 {
            pair.replay(false);
        }
        // News of others, which all readers then see.
        let other = PgStore::open(
            Arc::new(SeededIds::new(10 + round)),
            &Options { time: Time::Caller, ..Options::new(pair.primary.url()) },
        )
        .await
        .unwrap();
        make_venue(&other, 10 + round).await;
        assert_ne!(store.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
        let seen = reads.load(SeqCst);
        until("reads", || reads.load(SeqCst) > seen + 50).await;
        pair.replay(true);
        until_in_use(&store).await;
        let seen = reads.load(SeqCst);
        until("more reads", || reads.load(SeqCst) > seen + 200).await;
    }
    stop.store(true, SeqCst);
    writer.join().unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_replica_that_lags_is_not_read_from_until_it_has_caught_up() {
    let pair = Pair::start();
    let store = pair.open_with(&Options { replica_lag_max: Duration::from_millis(500), ..pair.options() }).await;
    let (_, venue) = make_venue(&store, 1).await;
    pair.replay(false);
    pair.execute("update venues set name = 'After'");
    until_up(&store, false).await;
    let health = store.replica().unwrap();
    assert_eq!(health.why.as_deref(), Some("it is too far behind"));
    assert_eq!(name_of(&store, venue).await, "After");
    pair.replay(true);
    until_up(&store, true).await;
    assert!(store.replica().unwrap().lag.unwrap() <= Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_replica_hangs_or_is_down_the_primary_answers() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (_, venue) = make_venue(&store, 1).await;
    until_shown_by_replica(&pair, &store, venue).await;
    pair.replica.pause();
    // Those who wait for it when it is found out turn to the primary, and nobody else waits for it.
    for _ in 0..3 {
        let readers = (0..32).map(|_| {
            tokio::spawn({
                let store = store.clone();
                async move { store.venue(venue).await }
            })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert!(reader.await.unwrap().unwrap().is_some());
        }
    }
    until_up(&store, false).await;
    pair.replica.resume();
    until_shown_by_replica(&pair, &store, venue).await;

    pair.replica.kill();
    assert!(store.venue(venue).await.unwrap().is_some());
    // Whoever finds out first says so, and then the keeper does.
    let said = || store.replica().unwrap().why.is_some_and(|why| why.starts_with("it cannot be reached"));
    crate::pair::until("the keeper says that it is away", said).await;
    pair.replica.restart().unwrap();
    until_shown_by_replica(&pair, &store, venue).await;
}

/// There is an alert for it. The figures are of this test alone, which runs on one thread.
#[tokio::test]
async fn a_replica_that_is_away_is_in_the_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (figures, _here) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let pair = Pair::start();
    let _store = pair.open().await;
    until_said(&figures, "postgres_replica_up 1").await;
    pair.replica.kill();
    until_said(&figures, "postgres_replica_up 0").await;
    pair.replica.restart().unwrap();
    until_said(&figures, "postgres_replica_up 1").await;
}

/// Waits until it is the replica that answers.
async fn until_shown_by_replica(pair: &Pair, store: &PgStore, venue: VenueId) {
    stand_still(pair, store, venue).await;
    pair.replay(true);
}

#[tokio::test]
async fn a_replica_that_was_promoted_is_none_any_more() {
    let pair = Pair::start();
    let store = pair.open().await;
    let (_, venue) = make_venue(&store, 1).await;
    pair.replica.promote().unwrap();
    until_up(&store, false).await;
    assert_eq!(store.replica().unwrap().why.as_deref(), Some("it follows no other server"));
    pair.replica.query("evently", &["update venues set name = 'Fork'"]).unwrap();
    assert_ne!(name_of(&store, venue).await, "Fork");
}

#[tokio::test]
async fn a_replica_of_another_primary_is_not_read_from() {
    let (pair, stranger) = (Pair::start(), Postgres::start().unwrap());
    let store = pair.open().await;
    let (_, venue) = make_venue(&store, 1).await;
    let elsewhere = Options { replica_url: Some(pair.replica.url()), ..Options::new(stranger.url()) };
    let strange = PgStore::open(Arc::new(SeededIds::new(9)), &elsewhere).await.unwrap();
    let is_found_out = || strange.replica().unwrap().why.as_deref() == Some("it follows another primary than that of the store");
    until("strange", is_found_out).await;
    assert_eq!(strange.venue(venue).await.unwrap(), None);
}

#[tokio::test]
async fn it_is_the_same_through_poolers() {
    let pair = Pair::start();
    let poolers = [PgBouncer::start(&pair.primary).unwrap(), PgBouncer::start(&pair.replica).unwrap()];
    let [url, replica_url] = poolers.each_ref().map(|pooler| pooler.url("evently"));
    let direct_url = Some(pair.primary.url());
    let options = Options { url, direct_url, replica_url: Some(replica_url), pooler: Pooler::Transaction, ..pair.options() };
    let store = pair.open_with(&options).await;
    let (event, venue) = make_venue(&store, 1).await;
    until_shown_by_replica(&pair, &store, venue).await;
    stand_still(&pair, &store, venue).await;
    store.apply(NOW, &[of_organizer(event.publish())]).await.unwrap();
    assert_eq!(name_of(&store, venue).await, "After");
    pair.replay(true);
    until_in_use(&store).await;
    poolers[1].kill();
    assert_eq!(name_of(&store, venue).await, "After");
    until_up(&store, false).await;
    poolers[1].restart().unwrap();
    until_up(&store, true).await;
}

#[test]
fn random_histories_agree_with_the_model() {
    evently_testkit::model::run(Replicated::new, 8);
}

#[test]
fn a_url_that_is_none_is_named() {
    let options =
        Options { replica_url: Some("postgres://me:hush@localhost:port/evently".to_owned()), ..Pair::shared().options() };
    let opened = evently_testkit::run(PgStore::open(Arc::new(SeededIds::new(1)), &options));
    let error = opened.err().unwrap();
    assert_eq!((error.way, &error.problem), (Way::ReplicaUrl, &Problem::Url));
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}
