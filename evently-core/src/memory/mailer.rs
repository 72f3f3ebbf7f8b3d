use async_trait::async_trait;

use crate::{
    ports::{Mail, MailFailed, Mailer},
    sync::{Mutex, lock},
};

/// Keeps mails instead of sending them.
#[derive(Debug)]
pub struct MemoryMailer(Mutex<Vec<Mail>>);

impl Default for MemoryMailer {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl MemoryMailer {
    /// The mails so far, oldest first, each once.
    pub fn sent(&self) -> Vec<Mail> {
        lock(&self.0).clone()
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed> {
        let mut sent = lock(&self.0);
        if !sent.iter().any(|other| other.id == mail.id) {
            sent.push(mail.clone());
        }
        Ok(())
    }
}
