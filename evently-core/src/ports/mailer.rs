use async_trait::async_trait;

use super::OtherError;
use crate::domain::Email;

/// Sends mail.
///
/// # Contract
/// - **At least once.** A mail that is sent again with the same id may arrive again; an adapter that can tell keeps it from
///   doing so.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands the mail over; `Ok` means that it will not be lost.
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed>;
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The same mail has the same id.
    pub id: String,
    /// Whom it is for.
    pub to: Email,
    /// How to address them.
    pub name: String,
    /// What it is about.
    pub subject: String,
    /// Plain text, a paragraph a line.
    pub text: String,
    /// What goes with it.
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: Vec<u8>,
}

/// The mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailFailed {
    /// It may be later: whoever takes mails is away, or busy.
    #[error("the mail could not be handed over")]
    ForNow(#[source] OtherError),
    /// It never will be: nobody takes this mail as it is.
    #[error("the mail cannot be sent as it is")]
    ForGood(#[source] OtherError),
}
