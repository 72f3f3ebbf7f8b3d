//! Work that an entry of the journal asks for at once. What it asks for stands in the store and is looked for there regularly as
//! well, so that a message is only ever a reason to look now.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, PaymentService, Trouble, Upkeep};
use crate::{
    domain::{Entry, Fact, Stage},
    ports::{Handler, OtherError},
};

/// Sends refunds and calls off bookings as soon as that is due.
pub struct Jobs {
    payments: Arc<PaymentService>,
    upkeep: Arc<Upkeep>,
}

impl Jobs {
    /// The name under which the queue of jobs is known.
    pub const CONSUMER: &str = "jobs";

    /// Jobs of these services.
    pub const fn new(payments: Arc<PaymentService>, upkeep: Arc<Upkeep>) -> Self {
        Self { payments, upkeep }
    }
}

#[async_trait]
impl Handler for Jobs {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        match entry.transition.fact {
            Fact::RefundDue { .. } => unless_away(self.payments.send_refunds().await.map(drop)),
            Fact::Event { stage: Stage::Cancelled, .. } => {
                let all = async {
                    while self.upkeep.cancel_called_off().await? > 0 {}
                    Ok(())
                };
                unless_away(all.await)
            }
            _ => Ok(()),
        }
    }
}

/// What cannot be done for one of them is for somebody to look at, and the regular round says so. This entry may ask for another one.
fn unless_away(done: Result<(), Error>) -> Result<(), OtherError> {
    match done.map_err(OtherError::from) {
        Err(error) if Trouble::of(&error) == Trouble::StoreAway => Err(error),
        _ => Ok(()),
    }
}
