//! Catalog: what there is to be booked.

use std::time::Duration;

use evently_core::{
    domain::{Command, Event, EventChange, EventId, EventStatus, Outcome, SeatStatus, Stage, Timestamp, VenueId},
    ports::{Elsewhere, EventFilter, Page},
};

use crate::{Fixture, ORGANIZER, OTHER_ORGANIZER, World, customer, fixtures};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

pub async fn what_was_added_is_read_as_it_was(world: World) {
    let event = world.event(3, 5).await;
    let catalog = &world.store.catalog;
    assert_eq!(catalog.venue(event.venue.id).await.unwrap(), Some(event.venue.clone()));
    assert_eq!(catalog.layout(event.layout.id).await.unwrap().as_deref(), Some(&*event.layout));
    let read = catalog.event(event.id()).await.unwrap().unwrap();
    let published = Event { stage: Stage::Published, version: 2, ..Event::clone(&event.event) };
    assert_eq!(*read, published);
    let map = catalog.seat_map(event.id()).await.unwrap().unwrap();
    assert_eq!((map.seq(), map.counts().total, map.counts().available), (0, 15, 15));
}

pub async fn what_is_unknown_is_not_found(world: World) {
    let catalog = &world.store.catalog;
    let event = Fixture::new(&*world.ids, world.now(), 1, 1);
    assert_eq!(catalog.venue(event.venue.id).await.unwrap(), None);
    assert!(catalog.layout(event.layout.id).await.unwrap().is_none());
    assert_eq!(catalog.event(event.id()).await.unwrap(), None);
    assert_eq!(catalog.seat_map(event.id()).await.unwrap(), None);
}

pub async fn a_seat_map_has_every_committed_change(world: World) {
    let event = world.event(1, 4).await;
    world.buy(&event, customer(1), &[0]).await;
    world.hold(&event, customer(1), &[1]).await;
    world.ask(ORGANIZER, Command::Block { event_id: event.id(), seats: event.seats(&[2]) }).await.unwrap();
    let map = world.store.catalog.seat_map(event.id()).await.unwrap().unwrap();
    assert_eq!(map.statuses(), [SeatStatus::Booked, SeatStatus::Reserved, SeatStatus::Blocked, SeatStatus::Available]);
    assert_eq!(map.versions(), [2, 1, 1, 0]);
    assert_eq!(map.seq(), 4);
}

/// All seats at one moment: of a hold of many seats either all are seen or none.
pub async fn a_seat_map_is_of_one_moment(world: World) {
    let event = world.event_with(4, 16, |event| {
        event.details.max_seats_per_booking = 64;
        event.details.max_seats_held = 64;
    });
    let event = event.await;
    let (catalog, id) = (world.store.catalog.clone(), event.id());
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let counts = catalog.seat_map(id).await.unwrap().unwrap().counts();
            seen.push((counts.available, counts.reserved));
        }
        seen
    });
    let all = (0..64).collect::<Vec<_>>();
    for _ in 0..20 {
        let held = world.hold(&event, customer(1), &all).await;
        world.cancel(customer(1), held.id).await.unwrap();
    }
    for seen in reader.await.unwrap() {
        assert!(seen == (64, 0) || seen == (0, 64), "{seen:?}");
    }
}

pub async fn venues_are_listed_by_id_page_by_page(world: World) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        world.wait(Duration::from_millis(2));
        ids.push(world.event(1, 1).await.venue.id);
    }
    ids.sort_unstable();
    let list = async |after: Option<VenueId>, limit| {
        let venues = world.store.catalog.venues(Page { after, limit }).await.unwrap();
        venues.into_iter().map(|venue| venue.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 2).await, ids[..2]);
    assert_eq!(list(Some(ids[1]), 10).await, ids[2..]);
    assert_eq!(list(Some(ids[4]), 10).await, []);
}

pub async fn events_are_listed_by_start_and_id_page_by_page(world: World) {
    let start = world.now() + HOUR * 10;
    let mut expected = Vec::new();
    for hours in [3, 1, 1, 2] {
        let event = world.event_with(1, 1, |event| starts(event, start + HOUR * hours)).await;
        expected.push((start + HOUR * hours, event.id()));
    }
    expected.sort_unstable();
    let list = async |after: Option<(Timestamp, EventId)>, limit| {
        let events = world.store.catalog.events(&EventFilter::default(), Page { after, limit }).await.unwrap();
        events.iter().map(|event| (event.details.start_time, event.id)).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, expected);
    assert_eq!(list(None, 2).await, expected[..2]);
    assert_eq!(list(Some(expected[0]), 2).await, expected[1..3], "two begin at the same time");
    assert_eq!(list(Some(expected[3]), 2).await, []);
}

pub async fn events_are_found_by_what_is_asked(world: World) {
    let now = world.now();
    let named = |name: &'static str, at| {
        move |event: &mut Event| {
            name.clone_into(&mut event.details.name);
            starts(event, at);
        }
    };
    let hamlet = world.event_with(1, 1, named("Hamlet, 100% _pure_", now + HOUR * 5)).await;
    let macbeth = world.event_with(1, 1, named("MACBETH ÄÖÜ", now + HOUR * 6)).await;
    let others = world.event_with(1, 1, |event| event.organizer_id = fixtures::user_of(OTHER_ORGANIZER)).await;
    let draft = Fixture::new(&*world.ids, now, 1, 1).with(|event| starts(event, now + HOUR));
    for command in [draft.create_venue(), draft.create_event()] {
        world.ask(ORGANIZER, command).await.unwrap();
    }
    let found = async |filter: EventFilter| {
        let page = Page { after: None, limit: 100 };
        let events = world.store.catalog.events(&EventFilter { now, ..filter }, page).await.unwrap();
        events.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let none = EventFilter::default;
    let text = |text: &str| EventFilter { text: Some(text.to_owned()), ..none() };
    assert_eq!(found(none()).await, [hamlet.id(), macbeth.id(), others.id()], "without drafts");
    assert_eq!(found(EventFilter { drafts: true, ..none() }).await[0], draft.id());
    assert_eq!(found(text("macbeth")).await, [macbeth.id()]);
    assert_eq!(found(text("äöü")).await, [macbeth.id()], "in any case");
    assert_eq!(found(text("0% _P")).await, [hamlet.id()], "nothing in it is a pattern");
    assert_eq!(found(text("h_mlet")).await, []);
    assert_eq!(found(text("the GLOBE")).await.len(), 3, "the venue counts");
    assert_eq!(found(EventFilter { from: Some(now + HOUR * 6), ..none() }).await, [macbeth.id(), others.id()]);
    assert_eq!(found(EventFilter { to: Some(now + HOUR * 6), ..none() }).await, [hamlet.id()]);
    assert_eq!(found(EventFilter { venue_id: Some(macbeth.venue.id), ..none() }).await, [macbeth.id()]);
    let organizer_id = Some(fixtures::user_of(OTHER_ORGANIZER));
    assert_eq!(found(EventFilter { organizer_id, ..none() }).await, [others.id()]);
    let ours = EventFilter { organizer_id: Some(fixtures::user_of(ORGANIZER)), ..none() };
    assert_eq!(found(ours.clone()).await, [draft.id(), hamlet.id(), macbeth.id()], "with drafts");
    let upcoming = EventFilter { status: Some(EventStatus::Upcoming), ..ours };
    assert_eq!(found(upcoming).await, [hamlet.id(), macbeth.id()]);
}

pub async fn events_are_found_by_what_they_look_like_then(world: World) {
    let now = world.now();
    let [sooner, later] = [
        world.event_with(1, 1, |event| starts(event, now + HOUR)).await,
        world.event_with(1, 1, |event| starts(event, now + HOUR * 3)).await,
    ];
    let off = world.event(1, 1).await;
    world.ask(ORGANIZER, Command::CancelEvent { event_id: off.id(), reason: None }).await.unwrap();
    let found = async |status, now| {
        let filter = EventFilter { status: Some(status), now, ..EventFilter::default() };
        let events = world.store.catalog.events(&filter, Page { after: None, limit: 100 }).await.unwrap();
        events.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(found(EventStatus::Upcoming, now).await, [sooner.id(), later.id()]);
    assert_eq!(found(EventStatus::Ongoing, now + HOUR).await, [sooner.id()], "it begins then");
    assert_eq!(found(EventStatus::Upcoming, now + HOUR).await, [later.id()], "what has begun is no more to come");
    assert_eq!(found(EventStatus::Completed, now + HOUR).await, []);
    assert_eq!(found(EventStatus::Completed, now + HOUR * 2).await, [sooner.id()], "it is over then");
    assert_eq!(found(EventStatus::Ongoing, now + HOUR * 2).await, []);
    assert_eq!(found(EventStatus::Upcoming, now + HOUR * 2).await, [later.id()]);
    assert_eq!(found(EventStatus::Upcoming, now + HOUR * 3).await, []);
    assert_eq!(found(EventStatus::Cancelled, now).await, [off.id()]);
    assert_eq!(found(EventStatus::Draft, now).await, []);
}

/// Nobody was told of it, and nobody is with its end.
pub async fn a_draft_that_was_called_off_is_found_by_whoever_manages_it_alone(world: World) {
    let now = world.now();
    // What people write is not taken for what the event says of itself.
    let announced = world.event_with(1, 1, |event| {
        starts(event, now + HOUR);
        "\0, \"withdrawn\":true".clone_into(&mut event.details.description);
    });
    let announced = announced.await;
    let draft = Fixture::new(&*world.ids, now, 1, 1).with(|event| starts(event, now + HOUR * 2));
    for command in [draft.create_venue(), draft.create_event()] {
        world.ask(ORGANIZER, command).await.unwrap();
    }
    for event_id in [announced.id(), draft.id()] {
        let off = world.ask(ORGANIZER, Command::CancelEvent { event_id, reason: None }).await.unwrap();
        assert!(matches!(off, Outcome::Event(event) if event.stage == Stage::Cancelled));
    }
    let found = async |filter: EventFilter| {
        let events = world.store.catalog.events(&filter, Page { after: None, limit: 100 }).await.unwrap();
        events.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let (both, organizer_id) = ([announced.id(), draft.id()], Some(fixtures::user_of(ORGANIZER)));
    for status in [None, Some(EventStatus::Cancelled)] {
        let all = EventFilter { status, now, ..EventFilter::default() };
        assert_eq!(found(all.clone()).await, [announced.id()], "{status:?}");
        assert_eq!(found(EventFilter { venue_id: Some(draft.venue.id), ..all.clone() }).await, [], "{status:?}");
        assert_eq!(found(EventFilter { organizer_id, ..all.clone() }).await, both, "{status:?}");
        assert_eq!(found(EventFilter { drafts: true, ..all }).await, both, "{status:?}");
    }
    for status in [EventStatus::Draft, EventStatus::Upcoming, EventStatus::Ongoing, EventStatus::Completed] {
        assert_eq!(found(EventFilter { status: Some(status), now, drafts: true, ..EventFilter::default() }).await, []);
    }
}

/// Its start is kept beside the event in some stores, for the lists, and says where the event itself is.
pub async fn an_event_that_was_moved_is_found_where_it_is(world: World) {
    let now = world.now();
    world.store.chores.make_room(now).await.unwrap();
    let still = world.event_with(1, 1, |event| starts(event, now + DAY * 10)).await;
    let moved = world.event_with(1, 4, |event| starts(event, now + DAY * 5)).await;
    let list = async |filter: EventFilter, after, limit| {
        let events = world.store.catalog.events(&filter, Page { after, limit }).await.unwrap();
        events.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let all = EventFilter::default;
    // Later, into another month, and back to before it was at first.
    for (seat, days) in (0..).zip([15, 45, 2]) {
        let start = now + DAY * days;
        let end = start + HOUR * 2;
        let change = EventChange { start_time: Some(start), end_time: Some(end), ..EventChange::default() };
        world.ask(ORGANIZER, Command::EditEvent { event_id: moved.id(), change }).await.unwrap();
        let read = world.store.catalog.event(moved.id()).await.unwrap().expect("it is still there");
        assert_eq!((read.details.start_time, read.details.end_time), (start, end));
        let order = if days > 10 { [still.id(), moved.id()] } else { [moved.id(), still.id()] };
        assert_eq!(list(all(), None, 10).await, order, "on day {days}");
        let first = list(all(), None, 1).await;
        let first = world.store.catalog.event(first[0]).await.unwrap().unwrap();
        let after = Some((first.details.start_time, first.id));
        assert_eq!(list(all(), after, 10).await, order[1..], "on day {days}, page by page");
        let that_day = EventFilter { from: Some(start), to: Some(start + HOUR), ..all() };
        assert_eq!(list(that_day, None, 10).await, [moved.id()]);
        let ongoing = |at| EventFilter { status: Some(EventStatus::Ongoing), now: at, ..all() };
        assert_eq!(list(ongoing(end - Duration::from_micros(1)), None, 10).await, [moved.id()]);
        assert_eq!(list(ongoing(end), None, 10).await, []);
        world.buy(&moved, customer(seat), &[seat]).await;
    }
    world.audited(&moved).await;
    assert_eq!(world.store.audit.self_check().await.unwrap(), Vec::<String>::new());
}

pub async fn a_renamed_event_is_found_by_its_new_name(world: World) {
    let event = world.event(1, 1).await;
    let found = async |text: &str| {
        let filter = EventFilter { text: Some(text.to_owned()), ..EventFilter::default() };
        let events = world.store.catalog.events(&filter, Page { after: None, limit: 10 }).await.unwrap();
        events.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(found("much ado").await, [event.id()]);
    let change = EventChange { name: Some("KÖNIG Lear".to_owned()), ..EventChange::default() };
    world.ask(ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await.unwrap();
    assert_eq!(found("könig lear").await, [event.id()]);
    assert_eq!(found("much ado").await, []);
    assert_eq!(found("the globe").await, [event.id()], "the venue is the same");
}

pub async fn nothing_has_changed_elsewhere_while_nobody_writes(world: World) {
    world.event(1, 4).await;
    world.store.catalog.changed_elsewhere().await.unwrap();
    assert_eq!(world.store.catalog.changed_elsewhere().await.unwrap(), Elsewhere::Unchanged);
}

/// Lets an event of an hour begin then.
fn starts(event: &mut Event, at: Timestamp) {
    event.details.start_time = at;
    event.details.end_time = at + HOUR;
    event.details.on_sale.closes_at = at;
}
