//! What nobody can act on is set aside, where no broker has a queue for it: a mail that no mailer takes must not keep back all others.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    domain::Entry,
    ports::{Handler, OtherError},
    services::Trouble,
};

/// A handler whose hopeless failures count as done, with a line in the log and a figure that say so. The journal keeps the entry.
pub struct SetAside {
    handler: Arc<dyn Handler>,
}

impl SetAside {
    /// Of this handler.
    pub fn new(handler: Arc<dyn Handler>) -> Self {
        metrics::describe_counter!("evently_set_aside_total", "Entries of the journal that nobody could act on, ever.");
        Self { handler }
    }
}

#[async_trait]
impl Handler for SetAside {
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        match self.handler.handle(entry).await {
            Err(error) if Trouble::of(&error) == Trouble::ForGood => {
                let error = &*error as &dyn std::error::Error;
                tracing::error!(position = entry.position, error, "an entry was set aside; somebody has to look at it");
                metrics::counter!("evently_set_aside_total").increment(1);
                Ok(())
            }
            handled => handled,
        }
    }
}

#[cfg(test)]
mod tests {
    use evently_core::{
        domain::{Actor, EventId, Fact, SeatStatus, Timestamp, Transition},
        ports::MailFailed,
    };

    use super::*;

    /// Fails as it is told to.
    struct Fails(fn() -> OtherError);

    #[async_trait]
    impl Handler for Fails {
        async fn handle(&self, _: &Entry) -> Result<(), OtherError> {
            Err((self.0)())
        }
    }

    #[tokio::test]
    async fn only_what_will_never_go_well_is_set_aside() {
        let transition = Transition {
            event_id: EventId::from_uuid(uuid::Uuid::from_u128(1)),
            at: Timestamp::from_secs(1),
            actor: Actor::System,
            fact: Fact::House { to: SeatStatus::Blocked },
            reason: None,
            seats: Vec::new(),
        };
        let entry = Entry { position: 7, transition };
        let handle = async |how| SetAside::new(Arc::new(Fails(how))).handle(&entry).await;
        crate::metrics::install();
        assert!(handle(|| MailFailed::ForNow("the post is closed".into()).into()).await.is_err());
        assert!(!crate::metrics::metrics_text().contains("\nevently_set_aside_total"));
        assert!(handle(|| MailFailed::ForGood("nobody is called that".into()).into()).await.is_ok());
        assert!(crate::metrics::metrics_text().contains("\nevently_set_aside_total 1\n"));
    }
}
