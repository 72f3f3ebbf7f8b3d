//! What goes wrong with the instances themselves, and whether they are well when it is over.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{Principal, Role, SessionId, UserId},
    ports::{Catalog, Ids},
    services::Error,
};
use uuid::Uuid;

use super::{
    clock::off,
    executor::{Group, at_once, lock},
    faults::{Fault, dice},
    instance::Instance,
    rare::Rare,
    world::World,
};

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
        if world.strikes(Fault::Crash) {
            instance.crash();
            world.tasks.sleep(Duration::from_millis(dice.u64(100..8_000))).await;
            starts += 1;
            instance = start(&world, number, starts, &mut dice);
        } else if world.strikes(Fault::Pause) {
            let time = Duration::from_millis(dice.u64(100..40_000));
            world.say(&instance.name, || format!("stands still for {} ms", time.as_millis()));
            if time > world.plan.terms.ttl {
                world.met(Rare::PausedBeyondHold);
            }
            world.tasks.pause(instance.group);
            world.tasks.sleep(time).await;
            world.tasks.resume(instance.group);
        } else if world.strikes(Fault::ClockStep) {
            instance.clock.set(off(&world, &mut dice));
        }
    }
}

fn start(world: &Arc<World>, number: u32, starts: u32, dice: &mut fastrand::Rng) -> Arc<Instance> {
    let group = Group(number * 1_000 + starts);
    let instance = Instance::start(world, number, group, dice);
    world.say(&instance.name, || "is up".to_owned());
    lock(&world.instances)[number as usize - 1] = Some(Arc::clone(&instance));
    instance
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
            let given_up =
                instance.serve(move |instance| async move { instance.bookings.cancel(&by, id, None, None, None).await });
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use evently_core::domain::Timestamp;

    use super::*;
    use crate::simulation::{Plan, build, executor::Executor, faults::Rates};

    /// What is found first of an instance that dies after so many steps.
    fn found(steps: usize) -> Option<String> {
        let begin = Timestamp::from_secs(1_800_000_000);
        let plan = Plan { rates: Rates::none(), skew: Duration::ZERO, ..Plan::of(1) };
        let mut executor = Executor::new(begin, plan.order);
        let world = Arc::new(build(&plan, begin, &executor, false));
        let instance = start(&world, 1, 0, &mut dice(1, 1));
        world.spawn(probe(Arc::clone(&world), Arc::clone(&instance)));
        let end = begin + Duration::from_secs(30);
        if (0..steps).all(|_| executor.step(end).is_some()) {
            instance.crash();
        }
        while executor.step(end).is_some() {}
        let breaches = world.oracle.breaches();
        lock(&world.instances).clear();
        breaches.first().map(ToString::to_string)
    }

    #[test]
    fn whatever_an_instance_does_not_do_any_more_is_found() {
        assert_eq!(found(usize::MAX), None);
        let died = (0..400).filter_map(found).collect::<BTreeSet<_>>();
        let not = [
            "cannot answer: apply: the store is unavailable",
            "does not answer",
            "does not show the seats",
            "does not take a booking back",
        ];
        assert_eq!(died.into_iter().collect::<Vec<_>>(), not.map(|what| format!("I12: instance 1 {what}")));
    }
}
