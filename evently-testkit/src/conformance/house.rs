//! Bookings: events from draft to their end, and what the house does with its seats.

use evently_core::domain::{
    BookingStatus, Command, Event, EventChange, EventDetails, Layout, NotOnSale, Outcome, PriceDraft, RefundPolicy, Rejection,
    Request, SeatStatus, Stage, Thing, Venue,
};

use crate::{
    Fixture, ORGANIZER, World, customer,
    fixtures::{booking, wrong},
};

async fn change(world: &World, command: Command) -> Event {
    match world.ask(ORGANIZER, command).await {
        Ok(Outcome::Event(event)) => Event::clone(&event),
        other => panic!("the event was to change: {other:?}"),
    }
}

fn edit(event: &Fixture, change: EventChange) -> Command {
    Command::EditEvent { event_id: event.id(), change }
}

fn named(name: &str) -> EventChange {
    EventChange { name: Some(name.to_owned()), ..EventChange::default() }
}

fn priced(category: &str, price: i64) -> EventChange {
    EventChange { prices: vec![PriceDraft { name: category.to_owned(), price }], ..EventChange::default() }
}

pub async fn a_draft_is_not_booked(world: World) {
    let event = Fixture::new(&*world.ids, world.now(), 1, 4);
    let early = world.ask(ORGANIZER, event.create_event()).await;
    assert_eq!(early, Err(Rejection::NotFound(Thing::Venue)), "an event needs its venue");
    world.ask(ORGANIZER, event.create_venue()).await.unwrap();
    world.ask(ORGANIZER, event.create_event()).await.unwrap();
    assert_eq!(world.try_hold(&event, customer(1), &[0]).await, Err(Rejection::NotOnSale(NotOnSale::Draft)));
    let published = change(&world, event.publish()).await;
    assert_eq!((published.stage, published.version), (Stage::Published, 2));
    assert_eq!(change(&world, event.publish()).await.version, 2, "whoever asks twice gets no error");
    world.hold(&event, customer(1), &[0]).await;
    world.audited(&event).await;
}

pub async fn a_new_price_is_for_new_bookings(world: World) {
    let event = world.event(2, 4).await;
    let before = world.hold(&event, customer(1), &[0, 4]).await;
    let changed = change(&world, edit(&event, EventChange { prices: priced("Back", 2600).prices, ..named("Macbeth") })).await;
    assert_eq!((changed.details.name.as_str(), changed.version), ("Macbeth", 3));
    let after = world.hold(&event, customer(1), &[1, 5]).await;
    assert_eq!((before.total.amount, after.total.amount), (7000, 7100));
    let (_, paid) = world.pay(&before).await;
    assert_eq!(paid.total.amount, 7000);
    world.audited(&event).await;
}

/// Somebody else may change something of the event at the same time.
pub async fn what_an_edit_does_not_name_stays_as_it_is(world: World) {
    let event = world.event(2, 4).await;
    let before = event.event.details.clone();
    let edits = [
        named("Macbeth"),
        EventChange { description: Some("Bring a friend.".to_owned()), ..EventChange::default() },
        priced("Back", 2600),
        EventChange { max_seats_held: Some(3), refund_percent: Some(20), ..EventChange::default() },
    ];
    let edits = edits.map(|change| Request::new(ORGANIZER, edit(&event, change)));
    assert!(world.apply(&edits).await.answers.iter().all(|answer| answer.result.is_ok()));
    let changed = world.records(&event).await.event;
    let refunds = RefundPolicy { percent: 20, ..before.refunds };
    let after = EventDetails {
        name: "Macbeth".to_owned(),
        description: "Bring a friend.".to_owned(),
        max_seats_held: 3,
        refunds,
        ..before
    };
    assert_eq!((changed.details, changed.categories[1].price, changed.version), (after, 2600, 6));
    world.audited(&event).await;
}

/// Both write the rows of the same seats.
pub async fn a_price_changes_while_seats_are_held(world: World) {
    let event = world.event(1, 4).await;
    let hold = |who, seats: &[u32]| Request::new(who, world.hold_command(&event, who, seats));
    let dearer = Request::new(ORGANIZER, edit(&event, priced("Front", 9900)));
    let applied = world.apply(&[hold(customer(1), &[0]), dearer, hold(customer(2), &[1])]).await;
    let paid =
        applied.answers.into_iter().step_by(2).map(|answer| booking(answer.result.unwrap()).total.amount).collect::<Vec<_>>();
    assert_eq!(paid, [event.event.categories[0].price, 9900]);
    assert_eq!(world.hold(&event, customer(3), &[2]).await.total.amount, 9900);
    world.audited(&event).await;
}

pub async fn an_edit_that_makes_no_sense_is_refused(world: World) {
    let event = world.event(1, 4).await;
    let before = world.records(&event).await;
    let prices = [("Front", 1), ("Back", 2), ("Front", 3)].map(|(name, price)| PriceDraft { name: name.to_owned(), price });
    let twice = EventChange { prices: prices.to_vec(), ..EventChange::default() };
    for (change, said) in [
        (named(""), "name invalid_name"),
        (priced("Front", -1), "price_categories[0].price out_of_range"),
        (priced("Gallery", 1), "price_categories[0].name unknown_category"),
        (twice, "price_categories[2].name duplicate_category"),
    ] {
        assert_eq!(wrong(&world.ask(ORGANIZER, edit(&event, change)).await), [said]);
    }
    assert_eq!(world.records(&event).await, before);
}

pub async fn an_event_that_was_called_off_stays_so(world: World) {
    let event = world.event(1, 4).await;
    let cancel = || Command::CancelEvent { event_id: event.id(), reason: Some("the roof leaks".to_owned()) };
    assert_eq!(change(&world, cancel()).await.stage, Stage::Cancelled);
    assert_eq!(change(&world, cancel()).await.version, 3, "whoever asks twice gets no error");
    assert_eq!(world.try_hold(&event, customer(1), &[0]).await, Err(Rejection::NotOnSale(NotOnSale::Cancelled)));
    assert_eq!(world.ask(ORGANIZER, event.publish()).await, Err(Rejection::EventCancelled));
    assert_eq!(world.ask(ORGANIZER, edit(&event, named("Macbeth"))).await, Err(Rejection::EventCancelled));
    let records = world.audited(&event).await;
    assert_eq!(records.journal.last().unwrap().transition.reason.as_deref(), Some("the roof leaks"));
}

pub async fn blocked_seats_are_not_sold_until_they_are_unblocked(world: World) {
    let event = world.event(1, 6).await;
    let block = |seats: &[u32]| Command::Block { event_id: event.id(), seats: event.seats(seats) };
    let unblock = |seats: &[u32]| Command::Unblock { event_id: event.id(), seats: event.seats(seats) };
    let outcome = world.ask(ORGANIZER, block(&[3, 1])).await.unwrap();
    assert_eq!(outcome, Outcome::Seats(event.id(), event.seats(&[1, 3]), SeatStatus::Blocked));
    let refused = world.try_hold(&event, customer(1), &[0, 1]).await;
    assert_eq!(refused, Err(Rejection::SeatsUnavailable(vec![(event.seats(&[1])[0], SeatStatus::Blocked)])));
    world.ask(ORGANIZER, unblock(&[1])).await.unwrap();
    world.hold(&event, customer(1), &[0, 1]).await;
    assert_eq!(world.statuses(&event).await[3], SeatStatus::Blocked);
    world.audited(&event).await;
}

/// Nobody has to wait until somebody has seen to it.
pub async fn a_seat_whose_hold_has_run_out_can_be_blocked(world: World) {
    let event = world.event(1, 6).await;
    let late = world.hold(&event, customer(1), &[1, 2]).await;
    world.wait(world.terms.ttl / 2);
    world.hold(&event, customer(2), &[3]).await;
    world.wait_until(late.hold().unwrap().until);
    let block = |seats: &[u32]| Command::Block { event_id: event.id(), seats: event.seats(seats) };
    let in_the_way = vec![(event.seats(&[3])[0], SeatStatus::Reserved)];
    assert_eq!(world.ask(ORGANIZER, block(&[1, 3])).await, Err(Rejection::SeatsUnavailable(in_the_way)));
    assert_eq!(world.booking(late.id).await.status(), BookingStatus::Pending, "all or none");
    world.ask(ORGANIZER, block(&[1])).await.unwrap();
    assert_eq!(world.booking(late.id).await.status(), BookingStatus::Expired);
    let statuses = world.statuses(&event).await;
    assert_eq!(statuses[1..4], [SeatStatus::Blocked, SeatStatus::Available, SeatStatus::Reserved]);
    world.audited(&event).await;
}

pub async fn seats_are_blocked_all_or_none(world: World) {
    let event = world.event(1, 6).await;
    world.hold(&event, customer(1), &[2]).await;
    world.buy(&event, customer(1), &[3]).await;
    let block = Command::Block { event_id: event.id(), seats: event.seats(&[1, 2, 3]) };
    let [two, three] = event.seats(&[2, 3])[..] else { unreachable!() };
    let in_the_way = vec![(two, SeatStatus::Reserved), (three, SeatStatus::Booked)];
    assert_eq!(world.ask(ORGANIZER, block).await, Err(Rejection::SeatsUnavailable(in_the_way)));
    let unblock = Command::Unblock { event_id: event.id(), seats: event.seats(&[0]) };
    assert!(matches!(world.ask(ORGANIZER, unblock).await, Err(Rejection::SeatsUnavailable(_))));
    assert_eq!(world.statuses(&event).await[1], SeatStatus::Available);
    world.audited(&event).await;
}

pub async fn an_event_whose_seats_do_not_fit_is_refused(world: World) {
    let event = Fixture::new(&*world.ids, world.now(), 2, 3);
    let elsewhere = Fixture::new(&*world.ids, world.now(), 2, 3);
    for command in [event.create_venue(), elsewhere.create_venue()] {
        world.ask(ORGANIZER, command).await.unwrap();
    }
    let with_seats = |seats: &[u16]| Command::CreateEvent { event: event.event.clone(), seats: seats.into() };
    let foreign = event.clone().with(|event| event.layout_id = elsewhere.layout.id);
    let empty = event.clone().with(|event| event.seats_total = 0);
    for (command, said) in [
        (Command::CreateEvent { event: empty.event.clone(), seats: Vec::new().into() }, "seats wrong_number"),
        (with_seats(&[0; 5]), "seats wrong_number"),
        (with_seats(&[0; 7]), "seats wrong_number"),
        (with_seats(&[]), "seats wrong_number"),
        (with_seats(&[0, 0, 2, 1, 1, 1]), "seats unknown_category"),
        (foreign.create_event(), "layout_id unknown_layout"),
    ] {
        assert_eq!(wrong(&world.ask(ORGANIZER, command).await), [said]);
        assert_eq!(world.store.catalog.event(event.id()).await.unwrap(), None);
    }
    world.ask(ORGANIZER, event.create_event()).await.unwrap();
    world.audited(&event).await;
}

pub async fn a_venue_and_an_event_are_made_once(world: World) {
    let event = world.event(1, 4).await;
    world.hold(&event, customer(1), &[0]).await;
    let before = world.records(&event).await;
    let other = Fixture::new(&*world.ids, world.now(), 1, 3);
    let venue = |venue, layout: &std::sync::Arc<Layout>| Command::CreateVenue { venue, layout: layout.clone() };
    let same_venue = Venue { layout_id: other.layout.id, ..event.venue.clone() };
    let same_layout = Venue { layout_id: event.layout.id, ..other.venue.clone() };
    let good = Request::new(ORGANIZER, other.create_venue());
    let refused =
        [event.create_venue(), venue(same_venue, &other.layout), venue(same_layout, &event.layout), event.create_event()];
    let requests = refused.into_iter().map(|command| Request::new(ORGANIZER, command)).chain([good]).collect::<Vec<_>>();
    let mut answers = world.apply(&requests).await.answers;
    assert!(answers.pop().unwrap().result.is_ok(), "the rest of the call goes on");
    let said = answers.iter().map(|answer| wrong(&answer.result).join(", ")).collect::<Vec<_>>();
    assert_eq!(said, ["venue_id used_before", "venue_id used_before", "layout_id used_before", "event_id used_before"]);
    assert_eq!(world.records(&event).await, before);
    assert_eq!(world.store.catalog.venue(event.venue.id).await.unwrap(), Some(event.venue.clone()));
    world.audited(&event).await;
}
