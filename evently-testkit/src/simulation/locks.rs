//! Seat locks that are away, get lost, or are given to two.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    memory::MemorySeatLocks,
    ports::{Clock, LockRequest, LocksAway, SeatLocks, Settled},
};

use super::{executor::lock, faults::Fault, office::Office, rare::Rare, world::World};

/// The seat locks of all instances.
pub(super) struct FaultyLocks {
    clock: Arc<dyn Clock>,
    there: Mutex<Arc<MemorySeatLocks>>,
}

impl FaultyLocks {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let there = Mutex::new(Arc::new(MemorySeatLocks::new(clock.clone())));
        Self { clock, there }
    }
}

/// The seat locks as an instance reaches them.
pub(super) struct ReachedLocks {
    pub world: Arc<World>,
    pub office: Arc<Office>,
}

impl ReachedLocks {
    async fn reach(&self) -> Result<Arc<MemorySeatLocks>, LocksAway> {
        let world = &self.world;
        world.takes(Fault::NetworkSlow, Duration::from_millis(2), Duration::from_millis(200)).await;
        if world.strikes(Fault::LocksAway) {
            world.met(Rare::LocksAwayStoreDecides);
            return Err(LocksAway("the simulation says so".into()));
        }
        if world.strikes(Fault::LocksLost) {
            *lock(&world.locks.there) = Arc::new(MemorySeatLocks::new(world.locks.clock.clone()));
        }
        Ok(Arc::clone(&lock(&world.locks.there)))
    }
}

#[async_trait]
impl SeatLocks for ReachedLocks {
    async fn acquire(&self, requests: &[LockRequest]) -> Result<Vec<Vec<u32>>, LocksAway> {
        let mut answers = self.reach().await?.acquire(requests).await?;
        for answer in answers.iter_mut().filter(|answer| !answer.is_empty()) {
            if self.world.strikes(Fault::LocksDoubled) {
                answer.clear();
            } else {
                self.world.met(Rare::LockRefuses);
            }
        }
        self.office.passed_locks(requests, &answers);
        Ok(answers)
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), LocksAway> {
        self.office.settles(settled);
        self.reach().await?.settle(settled).await
    }
}
