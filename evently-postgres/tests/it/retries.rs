//! A batch that is tried again is decided again.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{Request, Timestamp},
    memory::SeededIds,
    ports::Bookings,
};
use evently_testkit::{Fixture, ORGANIZER};

use crate::support::Place;

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
