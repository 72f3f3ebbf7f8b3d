//! Work that an entry of the journal asks for at once. What it asks for stands in the store and is looked for there regularly as
//! well, so that a message is only ever a reason to look now.

use std::sync::Arc;

use async_trait::async_trait;

use super::{PaymentService, Upkeep};
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
            Fact::RefundDue { .. } => drop(self.payments.send_refunds().await?),
            Fact::Event { stage: Stage::Cancelled, .. } => while self.upkeep.cancel_called_off().await? > 0 {},
            _ => {}
        }
        Ok(())
    }
}
