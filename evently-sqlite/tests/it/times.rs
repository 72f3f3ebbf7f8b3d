//! What time brings: holds that run out, events that come and go.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{ANSWERS_KEPT, Actor, Command, Event, EventDetails, EventId, EventStatus, Request, Timestamp},
    ports::{Bookings, Catalog, Chores, EventFilter, Page},
};
use evently_sqlite::SqliteStore;
use uuid::Uuid;

use crate::support::{NOW, Place, apply, assert_sound, booking_id, confirm, hold, put_on_sale};

const INSTANT: Duration = Duration::from_micros(1);

#[tokio::test]
async fn due_holds_are_found_at_their_end_and_not_before() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0])).await.unwrap();
    apply(&store, NOW + Duration::from_secs(1), hold(&event, 2, &[1])).await.unwrap();
    apply(&store, NOW, hold(&event, 3, &[2])).await.unwrap();
    apply(&store, NOW, confirm(3)).await.unwrap();
    let end = NOW + Duration::from_mins(5);
    let just_before = end - Duration::from_micros(1);
    assert_eq!(store.due_holds(just_before, 10).await.unwrap(), []);
    assert_eq!(store.due_holds(end, 10).await.unwrap(), [booking_id(1)]);
    assert_eq!(store.due_holds(NOW + Duration::from_secs(301), 10).await.unwrap(), [booking_id(1), booking_id(2)]);
}

#[tokio::test]
async fn a_due_hold_is_taken_over() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0, 1])).await.unwrap();
    let end = NOW + Duration::from_mins(5);
    apply(&store, end, hold(&event, 2, &[1])).await.unwrap();
    assert_eq!(store.due_holds(end, 10).await.unwrap(), []);
    assert_sound(&store, event.id).await;
}

#[tokio::test]
async fn bookings_of_a_cancelled_event_are_called_off() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    apply(&store, NOW, hold(&event, 1, &[0])).await.unwrap();
    apply(&store, NOW, hold(&event, 2, &[1])).await.unwrap();
    apply(&store, NOW, confirm(2)).await.unwrap();
    assert_eq!(store.called_off(10).await.unwrap(), []);
    let call_off = Command::CancelEvent { event_id: event.id, reason: None };
    apply(&store, NOW, Request::new(Actor::System, call_off)).await.unwrap();
    let mut called_off = store.called_off(10).await.unwrap();
    called_off.sort_unstable();
    assert_eq!(called_off, [booking_id(1), booking_id(2)]);
}

#[tokio::test]
async fn only_answers_that_are_old_are_forgotten() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    for n in 1..=4 {
        let at = NOW + Duration::from_secs(n);
        apply(&store, at, hold(&event, n.into(), &[u32::try_from(n).unwrap()])).await.unwrap();
    }
    let before = NOW + Duration::from_secs(3);
    assert_eq!(store.forget_answers(before, 1).await.unwrap(), 1);
    assert_eq!(store.forget_answers(before, 10).await.unwrap(), 1);
    assert_eq!(store.forget_answers(before, 10).await.unwrap(), 0);
    assert!(store.apply(before, &[hold(&event, 3, &[3])]).await.unwrap().answers[0].replayed);
}

/// They stand in front of those that were written when it was right again.
#[tokio::test]
async fn answers_of_a_clock_that_was_ahead_keep_no_other_from_being_forgotten() {
    let place = Place::new();
    let store = place.open();
    let event = put_on_sale(&store, 10).await;
    for (n, at) in [(1, NOW + ANSWERS_KEPT * 9), (2, NOW + ANSWERS_KEPT * 9), (3, NOW), (4, NOW + ANSWERS_KEPT)] {
        store.apply(at, &[hold(&event, n.into(), &[n])]).await.unwrap();
    }
    let forgotten = async |now: Timestamp| {
        let mut forgotten = Vec::new();
        for _ in 0..4 {
            forgotten.push(store.forget_answers(now - ANSWERS_KEPT, 1).await.unwrap());
        }
        forgotten
    };
    assert_eq!(
        forgotten(NOW + ANSWERS_KEPT).await,
        [0, 0, 0, 0],
        "the third may be asked for, and is younger than the first two"
    );
    assert_eq!(forgotten(NOW + ANSWERS_KEPT + INSTANT).await, [1, 1, 1, 0]);
    assert!(store.apply(NOW + ANSWERS_KEPT, &[hold(&event, 4, &[4])]).await.unwrap().answers[0].replayed);
}

/// Adds a published event that begins `hours` from now and lasts three.
async fn add_event(store: &SqliteStore, like: &Event, n: u128, hours: i64, name: &str) {
    let from = |hours: i64| Timestamp::from_secs(NOW.as_secs() + 3600 * hours);
    let details = EventDetails { name: name.into(), start_time: from(hours), end_time: from(hours + 3), ..like.details.clone() };
    let on_sale = evently_core::domain::OnSale { opens_at: from(hours - 9), closes_at: from(hours) };
    let details = EventDetails { on_sale, ..details };
    let event = Event { id: EventId::from_uuid(Uuid::from_u128(100 + n)), details, ..like.clone() };
    let (event_id, seats) = (event.id, vec![0; event.seats_total as usize].into());
    for command in [Command::CreateEvent { event: Arc::new(event), seats }, Command::PublishEvent { event_id }] {
        apply(store, NOW, Request::new(Actor::System, command)).await.unwrap();
    }
}

async fn names(store: &SqliteStore, filter: EventFilter) -> Vec<String> {
    let page = Page { after: None, limit: 10 };
    let events = store.events(&EventFilter { now: NOW, ..filter }, page).await.unwrap();
    events.iter().map(|event| event.details.name.clone()).collect()
}

#[tokio::test]
async fn events_are_found_by_what_they_are_now() {
    let place = Place::new();
    let store = place.open();
    let soon = put_on_sale(&store, 1).await;
    add_event(&store, &soon, 1, -3, "Over").await;
    add_event(&store, &soon, 2, 0, "On").await;
    let with = |status| EventFilter { status: Some(status), ..EventFilter::default() };
    assert_eq!(names(&store, with(EventStatus::Completed)).await, ["Over"]);
    assert_eq!(names(&store, with(EventStatus::Ongoing)).await, ["On"]);
    assert_eq!(names(&store, with(EventStatus::Upcoming)).await, ["Così fan tutte"]);
    assert_eq!(names(&store, EventFilter::default()).await, ["Over", "On", "Così fan tutte"]);
    let bounds = EventFilter { from: Some(NOW), to: Some(soon.details.start_time), ..EventFilter::default() };
    assert_eq!(names(&store, bounds).await, ["On"]);
}

#[tokio::test]
async fn pages_of_events_go_on_where_the_last_ended() {
    let place = Place::new();
    let store = place.open();
    let like = put_on_sale(&store, 1).await;
    for n in 1..=3 {
        add_event(&store, &like, n, 5, &n.to_string()).await;
    }
    let filter = EventFilter { now: NOW, ..EventFilter::default() };
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.events(&filter, Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.details.start_time, last.id));
        seen.extend(page.iter().map(|event| event.details.name.clone()));
    }
    assert_eq!(seen, ["1", "2", "3", "Così fan tutte"]);
}

#[tokio::test]
async fn text_is_found_in_any_case_and_taken_as_it_is() {
    let place = Place::new();
    let store = place.open();
    let like = put_on_sale(&store, 1).await;
    add_event(&store, &like, 1, 5, "100 % Jazz_Night").await;
    let with = |text: &str| EventFilter { text: Some(text.into()), ..EventFilter::default() };
    assert_eq!(names(&store, with("COSÌ")).await, ["Così fan tutte"]);
    assert_eq!(names(&store, with("%")).await, ["100 % Jazz_Night"]);
    assert_eq!(names(&store, with("jazz_n")).await, ["100 % Jazz_Night"]);
    assert_eq!(names(&store, with("jazz%n")).await, Vec::<String>::new());
    assert_eq!(names(&store, with("grand THÉÂTRE")).await.len(), 2, "the venue's name counts too");
}
