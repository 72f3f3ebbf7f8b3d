//! Those who buy, those who check tickets, and the house: each a task with habits of its own.

mod habits;
mod house;

use std::{pin::Pin, sync::Arc, time::Duration};

use evently_core::{
    domain::{Booking, BookingId, BookingStatus, Principal, RequestKey, Role, SeatId, SessionId, UserId},
    ports::StoreErrorKind,
    services::{Answered, Error},
};
use uuid::Uuid;

pub(super) use self::{habits::buyer, house::house};
use super::{
    faults::Fault,
    gateway::{self, CARDS},
    instance::Instance,
    plan::micros,
    rare::Rare,
    world::World,
};

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

/// Whether whoever is told this may believe that nothing has changed.
fn says_nothing_was_done(error: &Error) -> bool {
    match error {
        Error::Store(error) => error.kind() != StoreErrorKind::InDoubt,
        Error::Overloaded => true,
        _ => false,
    }
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
        let time = Duration::from_micros(self.dice.u64(..=micros(up_to)));
        self.world.tasks.sleep(time).await;
    }

    /// Asks until there is an answer, or patience is at its end. Whoever asks again may reach another instance.
    async fn ask<T: Send + 'static>(&mut self, what: &str, ask: impl Fn(Arc<Instance>) -> Answering<T>) -> Got<T> {
        let world = Arc::clone(&self.world);
        let mut lost = false;
        // As far as anybody has said.
        let mut nothing_was_done = true;
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
                nothing_was_done = false;
            }
            match self.send(&instance, &ask).await {
                Some(Ok(answered)) => {
                    self.was_undone(nothing_was_done && answered.replayed, what);
                    if lost && answered.replayed {
                        world.met(Rare::HoldFoundAgain);
                    }
                    world.say(&self.name, || format!("is answered: {what}"));
                    return Got::Answer(answered.value);
                }
                Some(Err(error @ (Error::Store(_) | Error::Overloaded | Error::InFlight))) => {
                    world.must_be_for_now(&error);
                    nothing_was_done &= says_nothing_was_done(&error);
                    if matches!(error, Error::Overloaded) {
                        world.met(Rare::Overloaded);
                    }
                    world.say(&self.name, || format!("is told: {error}"));
                }
                Some(Err(error)) => {
                    self.was_undone(nothing_was_done && matches!(error, Error::RejectedBefore(_)), what);
                    world.say(&self.name, || format!("is told no: {error}"));
                    return Got::No(error);
                }
                None => {
                    (lost, nothing_was_done) = (true, false);
                    world.say(&self.name, || format!("hears nothing: {what}"));
                }
            }
            self.thinks(Duration::from_secs(1)).await;
        }
        Got::Nothing
    }

    /// Whoever was told every time that nothing was done gets no answer that was given before.
    fn was_undone(&self, given_before: bool, what: &str) {
        if given_before {
            self.world.oracle.breach(&self.world, "I13", || format!("was told that nothing was done, and it was: {what}"));
        }
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
        let (by, event, key) = (self.by, self.world.fixture.id(), self.key());
        let ids = self.world.fixture.seats(&seats);
        let what = if self.world.story.is_told() { format!("holds seats {seats:?}") } else { String::new() };
        let held = self.ask(&what, move |instance| {
            let ids: Vec<SeatId> = ids.clone();
            Box::pin(async move {
                let held = instance.office.decides(key, instance.bookings.hold(&by, event, ids, Some(key))).await;
                if let Ok(Answered { value: booking, replayed: false, .. }) = &held {
                    instance.office.told(booking.id, booking.version);
                }
                held
            })
        });
        let booking = held.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        Some(booking)
    }

    async fn extend(&mut self, id: BookingId) -> Option<Booking> {
        let (by, key) = (self.by, self.key());
        let extended = self.ask("holds on", move |instance| {
            Box::pin(async move { instance.office.decides(key, instance.bookings.extend(&by, id, Some(key))).await })
        });
        let booking = extended.await.answer()?;
        self.world.oracle.promised(&self.world, &booking);
        Some(booking)
    }

    async fn pay(&mut self, id: BookingId, card: &'static str) -> Option<Booking> {
        let (by, key) = (self.by, Some(self.key()));
        let what = if self.world.story.is_told() { format!("pays with a card that is {card}") } else { String::new() };
        let paid = self
            .ask(&what, move |instance| Box::pin(async move { instance.payments.pay(&by, id, gateway::token(card), key).await }));
        let (payment, booking) = paid.await.answer()?;
        self.world.oracle.paid(&self.world, &payment, &booking);
        Some(booking)
    }

    async fn cancel(&mut self, id: BookingId, expected: Option<BookingStatus>) -> Option<Booking> {
        let (by, key) = (self.by, self.key());
        let gone = self.ask("gives the booking up", move |instance| {
            Box::pin(
                async move { instance.office.decides(key, instance.bookings.cancel(&by, id, expected, None, Some(key))).await },
            )
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
