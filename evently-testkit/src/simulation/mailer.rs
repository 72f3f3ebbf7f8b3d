//! A mailer that is away, or does not say that it has sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use evently_core::ports::{Mail, MailFailed, Mailer};

use super::{executor::lock, faults::Fault, rare::Rare, world::World};

/// Everything that was sent, by the ids of the mails. A mail that comes again is the same mail.
#[derive(Default)]
pub(super) struct FaultyMailer {
    pub sent: Mutex<BTreeMap<String, u32>>,
}

/// The mailer as an instance reaches it.
pub(super) struct ReachedMailer(pub Arc<World>);

#[async_trait]
impl Mailer for ReachedMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed> {
        let world = &self.0;
        if world.strikes(Fault::MailerAway) {
            return Err(MailFailed::ForNow("the simulation says so".into()));
        }
        let times = *lock(&world.mailer.sent).entry(mail.id.clone()).and_modify(|times| *times += 1).or_insert(1);
        world.say("mailer", || format!("{}, to {}", mail.subject, mail.to.as_str()));
        if times > 1 {
            world.met(Rare::MailAgain);
        }
        if world.strikes(Fault::MailerMute) {
            return Err(MailFailed::ForNow("the simulation says so".into()));
        }
        Ok(())
    }
}
