//! A batch that is tried again is decided again, and one that stands still is given up.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use evently_core::{
    domain::{Actor, BookingId, Command, HoldTerms, Request, RequestKey, TicketState, Timestamp},
    memory::SeededIds,
    ports::{Audit, Bookings, Ids, StoreErrorKind},
};
use evently_postgres::{Options, Time};
use evently_testkit::{DOOR, Fixture, ORGANIZER, World, customer};
use evently_testservers::Proxy;
use sqlx::Connection as _;

use crate::{
    elsewhere::{hold_of, on_sale},
    support::Place,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The first who writes to the journal meets somebody, and notices late. A sequence remembers it, whatever becomes of the transaction.
const SOMEBODY_IN_THE_WAY: &str = "
    create sequence tries;
    create function meet_somebody() returns trigger language plpgsql as $$
    begin
        if nextval('tries') = 1 then
            perform pg_sleep(0.2);
            raise exception using errcode = 'serialization_failure';
        end if;
        return new;
    end $$;
    create trigger meet_somebody before insert on journal for each statement execute function meet_somebody();
";

/// Otherwise it would stand behind what others have decided meanwhile, and seem to have been decided before.
#[tokio::test]
async fn what_is_tried_again_is_decided_as_of_then() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = Fixture::new(&*ids, NOW, 1, 1);
    let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
    store.apply(NOW, &make).await.unwrap();
    place.execute(SOMEBODY_IN_THE_WAY);
    let answer = store.apply(NOW, &[Request::new(ORGANIZER, event.publish())]).await.unwrap().answers.remove(0);
    assert!(answer.result.is_ok());
    assert!(answer.at >= NOW + Duration::from_millis(200), "{}", answer.at);
}

/// What others have done while it waited for an answer stands before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_waited_for_the_server_is_decided_as_of_then() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = Fixture::new(&*ids, NOW, 1, 1);
    let make = [Request::new(ORGANIZER, event.create_venue())];
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut in_the_way = other.begin().await.unwrap();
    sqlx::query("lock table venues in access exclusive mode").execute(&mut *in_the_way).await.unwrap();
    let late = Duration::from_millis(2100);
    let goes_away = async {
        tokio::time::sleep(late).await;
        in_the_way.rollback().await.unwrap();
    };
    let (applied, ()) = tokio::join!(store.apply(NOW, &make), goes_away);
    let answer = applied.unwrap().answers.remove(0);
    assert!(answer.result.is_ok() && answer.at >= NOW + late, "{answer:?}");
}

/// Here an event that is listed and stands nowhere, so that it seems to be on its way to another month.
#[tokio::test]
async fn what_is_in_the_way_for_ever_is_not_waited_for() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    place.execute("delete from events");
    let request = [hold_of(&ids, &event, 0)];
    let given_up = tokio::time::timeout(Duration::from_mins(1), store.apply(NOW, &request)).await;
    assert_eq!(given_up.expect("it is given up").unwrap_err().kind(), StoreErrorKind::Contended);
}

/// Counts who writes to the journal, whatever becomes of their transaction.
const COUNTED: &str = "
    create sequence tries;
    create function count_it() returns trigger language plpgsql as $$
    begin
        perform nextval('tries');
        return new;
    end $$;
    create trigger count_it before insert on journal for each statement execute function count_it();
";

/// Nobody can tell whether it got there, so that the next try has to find that it did not.
#[tokio::test]
async fn a_commit_that_never_got_there_is_tried_again_and_done_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let proxy = Proxy::before(&place.options().url).unwrap();
    let store = place.open_with(ids.clone(), &Options { url: proxy.url(), ..place.options() }).await;
    let event = Fixture::new(&*ids, NOW, 1, 1);
    let make = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    store.apply(NOW, &make).await.unwrap();
    place.execute(COUNTED);

    let booking_id = BookingId::from_uuid(ids.uuid(NOW));
    let by = customer(1);
    let Actor::User(user_id, _) = by else { unreachable!("customers have accounts") };
    let command =
        Command::Hold { booking_id, event_id: event.id(), user_id, seats: event.seats(&[0]), terms: HoldTerms::default() };
    let hold = Request::new(by, command).with_key(Some(RequestKey { id: [1; 32], fingerprint: [1; 32] }));
    proxy.lose_commit();
    let answer = store.apply(NOW, std::slice::from_ref(&hold)).await.unwrap().answers.remove(0);
    assert!(proxy.has_lost_it() && answer.result.is_ok() && !answer.replayed, "{answer:?}");
    assert!(answer.at > NOW, "the answer of the first try is true of nothing");
    let records = store.event_records(event.id()).await.unwrap().unwrap();
    let held = records.journal.iter().filter(|entry| entry.transition.booking_id() == Some(booking_id)).collect::<Vec<_>>();
    assert!(matches!(held[..], [once] if once.transition.at == answer.at), "{held:?}");
    let mut watcher = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let tries = sqlx::query_scalar::<_, i64>("select last_value from tries").fetch_one(&mut watcher).await.unwrap();
    assert_eq!(tries, 2);
    let again = store.apply(NOW, &[hold]).await.unwrap().answers.remove(0);
    assert!(again.replayed && (again.at, &again.result) == (answer.at, &answer.result), "{again:?}");
}

/// Nobody would find it in the history of its booking.
#[tokio::test]
async fn what_happens_to_a_booking_is_not_done_where_that_cannot_be_told_of_it() {
    let place = Arc::new(Place::new());
    let world = World::new(place.clone()).await;
    let event = world.event(1, 1).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    let code = world.tickets(sold.id).await[0].code;
    place.execute(
        "create function keep() returns trigger language plpgsql as 'begin return null; end'; \
         create trigger keep before update on bookings for each row execute function keep()",
    );
    let check_in = [Request::new(DOOR, Command::CheckIn { code, event_id: None })];
    let refused = world.store.bookings.apply(world.now(), &check_in).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Contended);
    assert_eq!(world.tickets(sold.id).await[0].state, TicketState::Valid);
}

/// Time to stop whoever writes to the journal first.
const TIME_TO_STOP: &str = "
    create sequence tries;
    create function rest() returns trigger language plpgsql as $$
    begin
        if nextval('tries') = 1 then
            perform pg_sleep(1);
        end if;
        return new;
    end $$;
    create trigger rest before insert on journal for each statement execute function rest();
";
const RESTING: &str =
    "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')";

const WAITING: &str =
    "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";

/// As when its machine is moved. What it had locked is free again in time, and it has done nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_stands_still_in_the_middle_of_a_batch_holds_nobody_up() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = Fixture::new(&*ids, NOW, 1, 1);
    let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
    store.apply(NOW, &make).await.unwrap();
    place.execute(TIME_TO_STOP);

    let proxy = Proxy::before(&place.options().url).unwrap();
    let brief = Duration::from_secs(2);
    let options = Options { url: proxy.url(), statement_timeout: brief, ..place.options() };
    let still = place.open_with(Arc::new(SeededIds::new(8)), &options).await;
    let publish = [Request::new(ORGANIZER, event.publish())];
    let stopped = tokio::spawn({
        let publish = publish.clone();
        async move { still.apply(NOW, &publish).await }
    });
    let mut watcher = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    while !sqlx::query_scalar::<_, bool>(RESTING).fetch_one(&mut watcher).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.hold();
    let others = tokio::time::timeout(Duration::from_secs(30), store.apply(NOW, &publish)).await;
    let answer = others.expect("the others go on").unwrap().answers.remove(0);
    assert!(answer.result.is_ok(), "{answer:?}");
    proxy.open();
    assert_eq!(stopped.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
}

/// However long that was. It waited for nobody's row.
#[tokio::test]
async fn who_has_stood_still_in_the_middle_of_a_batch_begins_anew() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let options = Options { statement_timeout: Duration::from_secs(20), ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    place.execute(
        "create sequence tries;
        create function stand_still() returns trigger language plpgsql as $$
        begin
            if nextval('tries') = 1 then
                perform pg_sleep(5.5);
                raise exception using errcode = 'idle_in_transaction_session_timeout';
            end if;
            return new;
        end $$;
        create trigger stand_still before insert on journal for each statement execute function stand_still();",
    );
    let event = Fixture::new(&*ids, NOW, 1, 1);
    let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
    store.apply(NOW, &make).await.unwrap();
}

/// It is in nobody's way, and a busy machine may give it no time between two statements.
#[tokio::test(flavor = "multi_thread")]
async fn who_checks_everything_may_stand_still_in_the_middle() {
    let place = Place::new();
    let proxy = Proxy::before(&place.options().url).unwrap();
    let brief = Duration::from_secs(5);
    let options = Options { url: proxy.url(), statement_timeout: brief, ..place.options() };
    let store = place.open_with(Arc::new(SeededIds::new(7)), &options).await;
    let mut other = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    let mut in_the_way = other.begin().await.unwrap();
    sqlx::query("lock table answers in access exclusive mode").execute(&mut *in_the_way).await.unwrap();
    let checking = tokio::spawn(async move { store.self_check().await });
    let mut watcher = sqlx::PgConnection::connect(&place.options().url).await.unwrap();
    while !sqlx::query_scalar::<_, bool>(WAITING).fetch_one(&mut watcher).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.hold();
    in_the_way.rollback().await.unwrap();
    tokio::time::sleep(brief + Duration::from_secs(1)).await;
    proxy.open();
    assert_eq!(checking.await.unwrap().unwrap(), Vec::<String>::new());
}

/// A pooler keeps no settings, so that each transaction says for how long it may be waited for.
#[tokio::test]
async fn who_stands_still_in_the_middle_of_a_batch_is_given_up_through_a_pooler_as_well() {
    for place in [Place::new(), Place::pooled()] {
        let ids = Arc::new(SeededIds::new(7));
        let options = Options { statement_timeout: Duration::from_millis(12_345), ..place.options() };
        let store = place.open_with(ids.clone(), &options).await;
        place.execute(
            "create function look() returns trigger language plpgsql as $$
            begin
                if current_setting('idle_in_transaction_session_timeout') <> '12345ms' then
                    raise exception 'it is waited for for %', current_setting('idle_in_transaction_session_timeout');
                end if;
                return new;
            end $$;
            create trigger look before insert on journal for each statement execute function look();",
        );
        let event = Fixture::new(&*ids, NOW, 1, 1);
        let make = [event.create_venue(), event.create_event()].map(|command| Request::new(ORGANIZER, command));
        store.apply(NOW, &make).await.unwrap();
    }
}

/// Whoever asks may have read their clock before others, wait, and be decided after them; or have a clock that is wrong.
#[tokio::test]
async fn time_does_not_go_back_whatever_the_clocks_of_those_who_ask_say() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let options = Options { time: Time::Server, ..place.options() };
    let (here, there) = (place.open_with(ids.clone(), &options).await, place.open_with(ids.clone(), &options).await);
    #[expect(clippy::disallowed_methods, reason = "the server's time is the real one")]
    let now = Timestamp::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let event = Fixture::new(&*ids, now - Duration::from_mins(1), 1, 4);
    let make = [event.create_venue(), event.create_event(), event.publish()].map(|command| Request::new(ORGANIZER, command));
    here.apply(now, &make).await.unwrap();

    let terms = HoldTerms { ttl: Duration::from_mins(1), ..HoldTerms::default() };
    let booking_id = BookingId::from_uuid(ids.uuid(now));
    let by = customer(1);
    let Actor::User(user_id, _) = by else { unreachable!("customers have accounts") };
    let hold = Command::Hold { booking_id, event_id: event.id(), user_id, seats: event.seats(&[0]), terms };
    let ahead = now + Duration::from_mins(10);
    let held = here.apply(ahead, &[Request::new(by, hold)]).await.unwrap().answers.remove(0);
    assert!(held.at < now + Duration::from_mins(1), "{} is not the server's time", held.at);
    there.apply(ahead, &[Request::new(by, Command::Extend { booking_id, terms })]).await.unwrap();
    let behind = now - Duration::from_mins(10);
    here.apply(behind, &[Request::new(by, Command::Cancel { booking_id, expected: None, reason: None })]).await.unwrap();
    let records = here.event_records(event.id()).await.unwrap().unwrap();
    assert_eq!(evently_core::audit::check(&records, Some(&event.layout), ahead), []);
    assert_eq!(records.journal.len(), 5);
}
