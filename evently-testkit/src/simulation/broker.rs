//! A message broker that is away, does not confirm what it has taken, and delivers twice and out of order.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::Entry,
    ports::{Carrier, Handler, NotCarried},
};

use super::{
    executor::{Group, lock},
    faults::Fault,
    rare::Rare,
    world::World,
};

/// The queues, one for each kind of work.
#[derive(Default)]
pub(super) struct Broker {
    pub queues: [Mutex<Queue>; 3],
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Notifications,
    Analytics,
    Jobs,
}

impl Work {
    pub const ALL: [Self; 3] = [Self::Notifications, Self::Analytics, Self::Jobs];
}

#[derive(Default)]
pub(super) struct Queue {
    pub waiting: VecDeque<Entry>,
    /// What somebody acts on, and who.
    pub in_hand: Vec<(Group, Entry)>,
    /// The latest position that was acted on.
    latest: u64,
}

impl Broker {
    /// Whether nothing waits and nobody acts on anything.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| {
            let queue = lock(queue);
            queue.waiting.is_empty() && queue.in_hand.is_empty()
        })
    }

    /// Somebody is done with a message, or leaves it to others.
    fn let_go(&self, world: &World, group: Group, work: Work, entry: Entry, acted_on: bool) {
        let mut queue = lock(&self.queues[work as usize]);
        if let Some(at) = queue.in_hand.iter().position(|(owner, held)| *owner == group && held.position == entry.position) {
            queue.in_hand.swap_remove(at);
        }
        match entry.position.cmp(&queue.latest) {
            _ if !acted_on => queue.waiting.push_back(entry),
            Ordering::Less => world.rare.met(Rare::MessageOvertaken),
            Ordering::Equal => world.rare.met(Rare::MessageAgain),
            Ordering::Greater => queue.latest = entry.position,
        }
    }

    /// Those who have stopped leave what they had in hand.
    pub fn closed(&self, group: Group) {
        for queue in &self.queues {
            let mut queue = lock(queue);
            let (theirs, others) = std::mem::take(&mut queue.in_hand).into_iter().partition(|(owner, _)| *owner == group);
            queue.in_hand = others;
            let theirs: Vec<(Group, Entry)> = theirs;
            for (_, entry) in theirs.into_iter().rev() {
                queue.waiting.push_front(entry);
            }
        }
    }
}

/// The broker as an instance reaches it.
pub(super) struct ReachedBroker(pub Arc<World>);

#[async_trait]
impl Carrier for ReachedBroker {
    fn at_once(&self) -> usize {
        8
    }

    async fn carry(&self, entries: &[Entry]) -> Result<(), NotCarried> {
        let world = &self.0;
        let not = |taken| NotCarried { taken, source: "the simulation says so".into() };
        world.takes(Fault::NetworkSlow, Duration::from_millis(4), Duration::from_secs(3)).await;
        for (taken, entry) in entries.iter().enumerate() {
            if world.strikes(Fault::BrokerAway) {
                return Err(not(taken));
            }
            let times = if world.strikes(Fault::MessageTwice) { 2 } else { 1 };
            for queue in &world.broker.queues {
                let mut queue = lock(queue);
                for _ in 0..times {
                    queue.waiting.push_back(entry.clone());
                }
            }
            if world.strikes(Fault::ConfirmLost) {
                return Err(not(taken));
            }
        }
        Ok(())
    }
}

/// Acts on what a queue brings, for as long as its instance is up.
pub(super) async fn consume(world: Arc<World>, group: Group, work: Work, handler: Arc<dyn Handler>) {
    loop {
        let next = {
            let mut queue = lock(&world.broker.queues[work as usize]);
            // What was given back comes out of turn.
            let at = usize::from(queue.waiting.len() > 1 && world.faults.strikes(Fault::MessageTwice));
            let next = queue.waiting.remove(at);
            queue.in_hand.extend(next.clone().map(|entry| (group, entry)));
            next
        };
        let Some(entry) = next else {
            world.tasks.sleep(world.plan.pause).await;
            continue;
        };
        let acted = handler.handle(&entry).await;
        let acted_on = acted.is_ok();
        world.broker.let_go(&world, group, work, entry, acted_on);
        if !acted_on {
            world.tasks.sleep(Duration::from_secs(1)).await;
        }
    }
}
