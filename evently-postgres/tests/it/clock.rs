//! The server's time, which is gone by.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{Request, Timestamp},
    memory::SeededIds,
    ports::Bookings,
};
use evently_postgres::{Options, Time};
use evently_testkit::{Fixture, ORGANIZER};

use crate::support::Place;

/// In which nobody will run this: the server's time has to be before the event.
const FAR_FUTURE: Timestamp = Timestamp::from_secs(4_000_000_000);

/// A clock that somebody else sets.
const ANOTHER_CLOCK: &str = "
    create schema set_by_hand;
    create table set_by_hand.back (by interval not null);
    insert into set_by_hand.back values ('0 s');
    create function set_by_hand.clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() - by from set_by_hand.back';
";

/// As after a failover to a machine whose clock is behind.
#[tokio::test]
async fn what_is_decided_later_is_of_no_earlier_time_when_the_servers_clock_is_set_back() {
    let place = Place::new();
    place.execute(ANOTHER_CLOCK);
    place.execute(&format!("alter database \"{}\" set search_path = set_by_hand, pg_catalog, public", place.database()));
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &Options { time: Time::Server, ..place.options() }).await;
    let event = Fixture::new(&*ids, FAR_FUTURE, 1, 1);
    let decided = async |command| {
        let answer = store.apply(FAR_FUTURE, &[Request::new(ORGANIZER, command)]).await.unwrap().answers.remove(0);
        assert!(answer.result.is_ok(), "{answer:?}");
        answer.at
    };
    let first = decided(event.create_venue()).await;
    place.execute("update set_by_hand.back set by = '1 min'");
    let second = decided(event.create_event()).await;
    assert!(second >= first, "{first}, then {second}");
    // It is this clock that is gone by.
    place.execute("update set_by_hand.back set by = '-1 h'");
    let third = decided(event.publish()).await;
    assert!(third.since(second) >= Duration::from_mins(59), "{second}, then {third}");
}
