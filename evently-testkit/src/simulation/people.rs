//! Those who buy, those who check tickets, and the house: each a task with habits of its own.

use std::{pin::Pin, sync::Arc, time::Duration};

use evently_core::{
    domain::{
        Admission, Booking, BookingId, BookingStatus, Principal, RefundPolicy, Rejection, RequestKey, Role, SeatId, SessionId,
        Ticket, UserId,
    },
    ports::{Audit, Bookings, Catalog, Ids},
    services::{Answered, Error, EventChange, PriceDraft},
};
use uuid::Uuid;

use super::{
    executor::{at_once, lock},
    faults::{Fault, dice},
    gateway::CARDS,
    instance::Instance,
    plan::{Buyer, Habit, House, HouseDoes},
    rare::Rare,
    world::World,
};
use crate::{DOOR, HOUSE, ORGANIZER};

/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often somebody asks again who has got no answer.
const TRIES: usize = 6;

type Answering<T> = Pin<Box<dyn Future<Output = Result<Answered<T>, Error>> + Send>>;

/// Somebody at a client.
struct Person {
    world: Arc<World>,
    name: String,
    by: Principal,
    dice: fastrand::Rng,
    /// Everything is sent to two instances.
    insists: bool,
    /// The key that was used last.
    last_key: Option<RequestKey>,
}

/// What came of a request in the end.
enum Got<T> {
    Answer(T),
    /// The rules say no.
    No(Error),
    /// Nobody has answered.
    Nothing,
}

impl<T> Got<T> {
    fn answer(self) -> Option<T> {
        if let Self::Answer(answer) = self { Some(answer) } else { None }
    }
}

impl Person {
    fn new(world: &Arc<World>, name: String, user_id: UserId, role: Role, dice: fastrand::Rng) -> Self {
        let by = Principal { user_id, role, session_id: SessionId::from_uuid(Uuid::nil()) };
        Self { world: Arc::clone(world), name, by, dice, insists: false, last_key: None }
    }

    /// A new key; now and then, by mistake, the one that was used last.
    fn key(&mut self) -> RequestKey {
        let mut key = RequestKey { id: [0; 32], fingerprint: [0; 32] };
        self.dice.fill(&mut key.id);
        self.dice.fill(&mut key.fingerprint);
        if let Some(last) = self.last_key.filter(|_| self.dice.u8(..40) == 0) {
            key.id = last.id;
        }
        self.last_key = Some(key);
        key
    }

    async fn thinks(&mut self, up_to: Duration) {
        let time = Duration::from_micros(self.dice.u64(..=super::plan::micros(up_to)));
        self.world.tasks.sleep(time).await;
    }

    /// Asks until there is an answer, or patience is at its end. Whoever asks again may reach another instance.
    async fn ask<T: Send + 'static>(&mut self, what: &str, ask: impl Fn(Arc<Instance>) -> Answering<T>) -> Got<T> {
        let world = Arc::clone(&self.world);
        let mut lost = false;
        for _ in 0..TRIES {
            let choice = self.dice.usize(..1024);
            let Some(instance) = world.any_up(choice) else {
                world.tasks.sleep(Duration::from_secs(1)).await;
                continue;
            };
            world.say(&self.name, || format!("{what}, at {}", instance.name));
            if self.insists || world.strikes(Fault::RequestTwice) {
                let other = world.any_up(choice + 1).expect("one is up");
                if other.group != instance.group {
                    world.met(Rare::SameKeyAtOnce);
                }
                drop(other.serve(&ask));
            }
            match self.send(&instance, &ask).await {
                Some(Ok(answered)) => {
                    if lost && answered.replayed {
                        world.met(Rare::HoldFoundAgain);
                    }
                    world.say(&self.name, || format!("is answered: {what}"));
                    return Got::Answer(answered.value);
                }
                Some(Err(error @ (Error::Store(_) | Error::Overloaded | Error::InFlight))) => {
                    world.must_be_for_now(&error);
                    if matches!(error, Error::Overloaded) {
                        world.met(Rare::Overloaded);
                    }
                    world.say(&self.name, || format!("is told: {error}"));
                }
                Some(Err(error)) => {
                    world.say(&self.name, || format!("is told no: {error}"));
                    return Got::No(error);
                }
                None => {
                    lost = true;
                    world.say(&self.name, || format!("hears nothing: {what}"));
                }
            }
            self.thinks(Duration::from_secs(1)).await;
        }
        Got::Nothing
    }

    /// Sends a request once; nothing if it, or its answer, is lost, or the instance crashes.
    async fn send<T: Send + 'static>(
        &self,
        instance: &Arc<Instance>,
        ask: &impl Fn(Arc<Instance>) -> Answering<T>,
    ) -> Option<Result<Answered<T>, Error>> {
        let world = &self.world;
        world.takes(Fault::NetworkSlow, Duration::from_millis(4), Duration::from_secs(2)).await;
        if world.strikes(Fault::RequestLost) {
            return None;
        }
        let answer = world.tasks.within(PATIENCE, instance.serve(ask)).await;
        if world.strikes(Fault::AnswerLost) {
            return None;
        }
        answer.flatten()
    }

    async fn hold(&mut self, seats: Vec<u32>) -> Option<Booking> {
        let (by, event, key) = (self.by, self.world.fixture.id(), Some(self.key()));
        let ids = self.world.fixture.seats(&seats);
        let what = if self.world.story.is_told() { format!("holds seats {seats:?}") } else { String::new() };
        let held = self.ask(&what, move |instance| {
            let ids: Vec<SeatId> = ids.clone();
            Box::pin(async move { instance.bookings.hold(&by, event, ids, key).await })
        });
        let booking = held.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        Some(booking)
    }

    async fn extend(&mut self, id: BookingId) -> Option<Booking> {
        let (by, key) = (self.by, Some(self.key()));
        let extended =
            self.ask("holds on", move |instance| Box::pin(async move { instance.bookings.extend(&by, id, key).await }));
        let booking = extended.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        Some(booking)
    }

    async fn pay(&mut self, id: BookingId, card: &'static str) -> Option<Booking> {
        let (by, key) = (self.by, Some(self.key()));
        let what = if self.world.story.is_told() { format!("pays with a card that is {card}") } else { String::new() };
        let paid =
            self.ask(&what, move |instance| Box::pin(async move { instance.payments.pay(&by, id, card.to_owned(), key).await }));
        let (payment, booking) = paid.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        if payment.booking_id != booking.id {
            self.world.oracle.breach(&self.world, "I3", || format!("payment {} is for another booking", payment.id));
        }
        Some(booking)
    }

    async fn cancel(&mut self, id: BookingId) -> Option<Booking> {
        let (by, key) = (self.by, Some(self.key()));
        let gone = self.ask("gives the booking up", move |instance| {
            Box::pin(async move { instance.bookings.cancel(&by, id, None, key).await })
        });
        let booking = gone.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        Some(booking)
    }

    /// Seats that somebody like this would want: mostly few, and mostly in front.
    fn seats(&mut self) -> Vec<u32> {
        let all = self.world.fixture.event.seats_total;
        let many = self.dice.u32(1..=3).min(all);
        let popular = if self.dice.bool() { all.div_ceil(2).max(many) } else { all };
        let mut seats = (0..popular).collect::<Vec<_>>();
        self.dice.shuffle(&mut seats);
        seats.truncate(many as usize);
        seats
    }

    fn card(&mut self) -> &'static str {
        if self.dice.bool() { "good" } else { CARDS[self.dice.usize(..CARDS.len())] }
    }
}

/// Somebody buys, as often as they come.
pub(super) async fn buyer(world: Arc<World>, buyer: Buyer) {
    let user = world.buyers[buyer.number as usize - 1].id;
    let mut person =
        Person::new(&world, format!("buyer {}", buyer.number), user, Role::Customer, dice(world.plan.seed, buyer.number.into()));
    person.insists = buyer.habit == Habit::Insists;
    world.tasks.sleep(buyer.comes).await;
    for _ in 0..buyer.visits {
        if world.time() > world.plan.lasts {
            return;
        }
        visit(&mut person, buyer.habit).await;
        person.thinks(Duration::from_secs(4)).await;
    }
}

async fn visit(person: &mut Person, habit: Habit) {
    match habit {
        Habit::Intrudes => return intrude(person).await,
        Habit::Lurks => lurk(person).await,
        _ => {}
    }
    look(person).await;
    let seats = person.seats();
    let Some(booking) = person.hold(seats).await else { return };
    match habit {
        Habit::Races | Habit::Insists | Habit::Lurks | Habit::Intrudes => {
            let card = person.card();
            person.pay(booking.id, card).await;
        }
        Habit::Abandons => {
            for _ in 0..person.dice.u8(..4) {
                person.thinks(person.world.plan.terms.ttl).await;
                person.extend(booking.id).await;
            }
            if person.dice.bool() {
                person.cancel(booking.id).await;
            }
        }
        Habit::PaysLate => pay_late(person, &booking).await,
        Habit::Cancels => {
            let card = person.card();
            let paid = person.pay(booking.id, card).await;
            if paid.is_some_and(|booking| booking.status() == BookingStatus::Confirmed) {
                person.thinks(Duration::from_secs(3)).await;
            }
            person.cancel(booking.id).await;
        }
        Habit::ChangesCards => {
            for _ in 0..3 {
                // Mostly one that does not answer at once, so that the next one is tried.
                let card = if person.dice.u8(..4) == 0 { person.card() } else { CARDS[person.dice.usize(2..CARDS.len())] };
                let paid = person.pay(booking.id, card).await;
                if paid.is_some_and(|booking| booking.status() == BookingStatus::Confirmed) {
                    break;
                }
                person.thinks(Duration::from_secs(9)).await;
            }
        }
        Habit::Hoards => hoard(person).await,
        Habit::Shares => share(person, &booking).await,
    }
}

/// Looks at the event and its seats.
async fn look(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let Some(instance) = world.any_up(person.dice.usize(..1024)) else { return };
    let event = world.fixture.id();
    let looked = instance.serve(move |instance| async move {
        let view = instance.events.view(event).await?;
        Ok::<_, Error>((view, instance.events.seat_map(event).await?))
    });
    let Some(Some(Ok((view, map)))) = world.tasks.within(PATIENCE, looked).await else { return };
    let stands = at_once(Catalog::event(&*world.store, event)).expect("nothing in memory fails").expect("the event is there");
    if view.event.version < stands.version {
        world.met(Rare::StaleView);
    }
    let seats = at_once(world.store.seat_map(event)).expect("nothing in memory fails").expect("the event is there");
    if map.statuses() != seats.statuses() {
        world.met(Rare::StaleSeats);
    }
}

/// Waits for a hold of somebody else to run out, and wants its seats in that very moment.
async fn lurk(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
    let holds = records.expect("the event is there").bookings;
    let next = holds.iter().filter_map(|booking| Some((booking.hold()?.expires_at(), booking))).min_by_key(|(end, _)| *end);
    let Some((end, booking)) = next.filter(|(end, _)| end.since(world.now()) < world.plan.terms.cap) else { return };
    let seats = booking.seats.iter().map(|seat| seat.number).collect();
    world.tasks.sleep_until(end).await;
    if let Some(booking) = person.hold(seats).await {
        person.pay(booking.id, "good").await;
    }
}

/// Pays when the hold is about to run out: just before, just after, or in that very moment.
async fn pay_late(person: &mut Person, booking: &Booking) {
    let world = Arc::clone(&person.world);
    let end = booking.hold().map_or(world.now(), evently_core::domain::Hold::expires_at);
    let around = Duration::from_millis(person.dice.u64(..40));
    let then = match person.dice.u8(..4) {
        0 => end,
        1 => end + around,
        _ => end - around,
    };
    world.tasks.sleep_until(then).await;
    if person.dice.u8(..3) == 0 {
        person.extend(booking.id).await;
    }
    let card = person.card();
    person.pay(booking.id, card).await;
}

/// Wants more and more at once.
async fn hoard(person: &mut Person) {
    let world = Arc::clone(&person.world);
    for number in 0..3 {
        let mut other =
            Person::new(&world, format!("{} ({number})", person.name), person.by.user_id, Role::Customer, person.dice.fork());
        let seats = other.seats();
        world.spawn(async move { drop(other.hold(seats).await) });
    }
    let seats = person.seats();
    if let Some(booking) = person.hold(seats).await {
        let card = person.card();
        person.pay(booking.id, card).await;
    }
}

/// Pays, and comes to two doors with the same ticket.
async fn share(person: &mut Person, booking: &Booking) {
    let world = Arc::clone(&person.world);
    person.pay(booking.id, "good").await;
    person.thinks(Duration::from_secs(5)).await;
    let records = at_once(world.store.records(booking.id)).expect("nothing in memory fails");
    let Some(ticket) = records.and_then(|records| records.tickets.first().cloned()) else { return };
    for number in 1..=2 {
        world.spawn(door(Arc::clone(&world), number, ticket.clone(), person.dice.fork()));
    }
    person.thinks(Duration::from_secs(2)).await;
    if person.dice.bool() {
        person.cancel(booking.id).await;
    }
    if person.dice.bool() {
        world.spawn(door(Arc::clone(&world), 3, ticket, person.dice.fork()));
    }
}

/// Somebody checks a ticket at a door.
async fn door(world: Arc<World>, number: u32, ticket: Ticket, dice: fastrand::Rng) {
    let mut person = Person::new(&world, format!("door {number}"), crate::fixtures::user_of(DOOR), Role::Staff, dice);
    let (by, key, event, code) = (person.by, Some(person.key()), world.fixture.id(), ticket.code);
    let checked = person.ask("checks a ticket", move |instance| {
        Box::pin(async move { instance.bookings.check_in(&by, code, Some(event), key).await })
    });
    if let Got::Answer((Admission::Admitted, Some(ticket))) = checked.await {
        world.oracle.admitted(&world, ticket.id);
    }
}

/// Tries what can be done with somebody else's booking.
async fn intrude(person: &mut Person) {
    let world = Arc::clone(&person.world);
    let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
    let others = records.expect("the event is there").bookings;
    let others = others.iter().filter(|booking| booking.user_id != person.by.user_id).collect::<Vec<_>>();
    if others.is_empty() {
        return person.thinks(Duration::from_secs(2)).await;
    }
    let id = others[person.dice.usize(..others.len())].id;
    let by = person.by;
    let key = Some(person.key());
    let got = match person.dice.u8(..4) {
        0 => {
            person.ask("is after a booking", move |i| Box::pin(async move { i.bookings.cancel(&by, id, None, key).await })).await
        }
        1 => person.ask("is after a booking", move |i| Box::pin(async move { i.bookings.extend(&by, id, key).await })).await,
        2 => {
            let paid = person.ask("is after a booking", move |i| {
                Box::pin(async move {
                    let answered = i.payments.pay(&by, id, "good".to_owned(), key).await?;
                    Ok(Answered { value: answered.value.1, at: answered.at, replayed: answered.replayed })
                })
            });
            paid.await
        }
        _ => {
            let seen = person.ask("is after a booking", move |i| {
                Box::pin(async move {
                    let value = i.bookings.own_records(&by, id).await?.booking;
                    Ok(Answered { at: value.created_at, value, replayed: false })
                })
            });
            seen.await
        }
    };
    match got {
        Got::Answer(booking) => world.oracle.breach(&world, "I11", || format!("booking {} is shown to a stranger", booking.id)),
        Got::No(error) if !error.is_not_found() && !matches!(error, Error::Rejected(Rejection::KeyReused)) => {
            world
                .oracle
                .breach(&world, "I11", || format!("a stranger is told more of a booking than that there is none: {error}"));
        }
        Got::No(_) | Got::Nothing => {}
    }
}

/// The organizer does something.
pub(super) async fn house(world: Arc<World>, house: House) {
    let (user, role) = if house.does == HouseDoes::CallsIn { (HOUSE, Role::Admin) } else { (ORGANIZER, Role::Organizer) };
    let dice = dice(world.plan.seed, 1_000 + u64::from(house.number));
    let mut person = Person::new(&world, "organizer".to_owned(), crate::fixtures::user_of(user), role, dice);
    world.tasks.sleep(house.when).await;
    let (by, event, key) = (person.by, world.fixture.id(), Some(person.key()));
    match house.does {
        HouseDoes::Blocks => {
            let seats = world.fixture.seats(&person.seats());
            let named = seats.clone();
            let blocked = person.ask("takes seats out of sale", move |i| {
                let seats = named.clone();
                Box::pin(async move { i.events.house(&by, event, seats, true, key).await })
            });
            if blocked.await.answer().is_some() {
                person.thinks(Duration::from_secs(9)).await;
                let key = Some(person.key());
                let freed = person.ask("puts seats back", move |i| {
                    let seats = seats.clone();
                    Box::pin(async move { i.events.house(&by, event, seats, false, key).await })
                });
                freed.await;
            }
        }
        HouseDoes::Edits => {
            let price = person.dice.i64(1..9_000);
            let percent = person.dice.u8(..=100);
            let until = world.fixture.event.details.refunds.until;
            let edited = person.ask("changes the prices", move |i| {
                let change = EventChange {
                    prices: vec![PriceDraft { name: "Front".to_owned(), price }],
                    refunds: Some(RefundPolicy { until, percent }),
                    ..EventChange::default()
                };
                Box::pin(async move { i.events.edit_event(&by, event, change, key).await })
            });
            edited.await;
        }
        HouseDoes::CallsIn => {
            let records = at_once(world.store.event_records(event)).expect("nothing in memory fails");
            let bookings = records.expect("the event is there").bookings;
            if bookings.is_empty() {
                return;
            }
            let id = bookings[person.dice.usize(..bookings.len())].id;
            let called_in = person
                .ask("calls a booking in", move |i| Box::pin(async move { i.bookings.cancel_for(&by, id, None, key).await }));
            called_in.await;
        }
        HouseDoes::CallsOff => {
            let called_off =
                person.ask("calls the event off", move |i| Box::pin(async move { i.events.cancel(&by, event, None, key).await }));
            called_off.await;
        }
    }
}

/// Looks whether an instance answers at all, once everything is healed.
pub(super) async fn probe(world: Arc<World>, instance: Arc<Instance>) {
    let by = Principal {
        user_id: UserId::from_uuid(world.ids.uuid(world.now())),
        role: Role::Customer,
        session_id: SessionId::from_uuid(Uuid::nil()),
    };
    let (event, seats) = (world.fixture.id(), world.fixture.seats(&[0]));
    let held = instance.serve(move |instance| async move { instance.bookings.hold(&by, event, seats, None).await });
    match world.tasks.within(Duration::from_secs(2), held).await.flatten() {
        Some(Ok(answered)) => {
            let id = answered.value.id;
            let given_up = instance.serve(move |instance| async move { instance.bookings.cancel(&by, id, None, None).await });
            if !matches!(world.tasks.within(Duration::from_secs(2), given_up).await.flatten(), Some(Ok(_))) {
                world.oracle.breach(&world, "I12", || format!("{} does not take a booking back", instance.name));
            }
        }
        Some(Err(Error::Rejected(_))) => {}
        Some(Err(error)) => world.oracle.breach(&world, "I12", || format!("{} cannot answer: {error}", instance.name)),
        None => world.oracle.breach(&world, "I12", || format!("{} does not answer", instance.name)),
    }
    // By now it has been told of everything.
    world.tasks.sleep(world.plan.pause * 4 + Duration::from_secs(1)).await;
    let shown = instance.serve(move |instance| async move { instance.events.seat_map(event).await });
    let Some(Some(Ok(shown))) = world.tasks.within(Duration::from_secs(2), shown).await else {
        return world.oracle.breach(&world, "I12", || format!("{} does not show the seats", instance.name));
    };
    let stand = at_once(world.store.seat_map(event)).expect("nothing in memory fails").expect("the event is there");
    if shown.statuses() != stand.statuses() {
        world.oracle.breach(&world, "I9", || {
            format!("{} shows {:?} where the seats are {:?}", instance.name, shown.statuses(), stand.statuses())
        });
    }
}

/// What goes wrong with the instances themselves.
pub(super) async fn weather(world: Arc<World>, number: u32) {
    let mut dice = dice(world.plan.seed, 2_000 + u64::from(number));
    let mut starts = 0;
    let mut instance = start(&world, number, starts, &mut dice);
    loop {
        world.tasks.sleep(Duration::from_millis(500)).await;
        if world.time() > world.plan.lasts {
            return;
        }
        if world.faults.strikes(Fault::Crash) {
            instance.crash();
            world.tasks.sleep(Duration::from_millis(dice.u64(100..8_000))).await;
            starts += 1;
            instance = start(&world, number, starts, &mut dice);
        } else if world.faults.strikes(Fault::Pause) {
            let time = Duration::from_millis(dice.u64(100..40_000));
            world.say(&instance.name, || format!("stands still for {} ms", time.as_millis()));
            if time > world.plan.terms.ttl {
                world.met(Rare::PausedBeyondHold);
            }
            world.tasks.pause(instance.group);
            world.tasks.sleep(time).await;
            world.tasks.resume(instance.group);
        } else if world.faults.strikes(Fault::ClockStep) {
            instance.clock.set(super::clock::off(world.plan.skew, &mut dice));
        }
    }
}

fn start(world: &Arc<World>, number: u32, starts: u32, dice: &mut fastrand::Rng) -> Arc<Instance> {
    let group = super::executor::Group(number * 1_000 + starts);
    let instance = Instance::start(world, number, group, dice);
    world.say(&instance.name, || "is up".to_owned());
    lock(&world.instances)[number as usize - 1] = Some(Arc::clone(&instance));
    instance
}
