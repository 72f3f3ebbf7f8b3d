//! Mail into a folder, one file each, for a service without a mail server. Any mail program opens them.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use evently_core::ports::{Mail, MailFailed, Mailer};
use lettre::{
    Message,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
};
use sha2::{Digest, Sha256};
use tokio::task;

const SENDER: &str = "Evently <tickets@evently.com>";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Writes each mail to `ID.eml`. A mail that is there is not written again.
#[derive(Debug, Clone)]
pub struct EmlMailer {
    folder: PathBuf,
}

impl EmlMailer {
    /// Mails into this folder, which is made if it is not there.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

#[async_trait]
impl Mailer for EmlMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailed> {
        let path = self.folder.join(file_name(&mail.id));
        let message = message(mail).map_err(MailFailed::ForGood)?.formatted();
        let written = task::spawn_blocking(move || write_once(&path, &message)).await.expect("writing does not panic");
        written.map_err(|error| MailFailed::ForNow(error.into()))
    }
}

/// The id, where it can be the name of a file anywhere, and otherwise a digest of it.
fn file_name(id: &str) -> String {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain && (1..=100).contains(&id.len()) {
        return format!("{id}.eml");
    }
    let digest: [u8; 32] = Sha256::digest(id).into();
    let half = digest.first_chunk().expect("it has 32 bytes");
    format!("{:032x}.eml", u128::from_be_bytes(*half))
}

fn message(mail: &Mail) -> Result<Message, Error> {
    let sender: Mailbox = SENDER.parse().expect("it is one");
    let name = mail.name.replace(char::is_control, " ");
    let builder = Message::builder()
        .from(sender)
        .to(Mailbox::new(Some(name), mail.to.as_str().parse()?))
        .subject(mail.subject.replace(char::is_control, " "))
        .message_id(Some(format!("<{}@evently.com>", file_name(&mail.id).trim_end_matches(".eml"))));
    let text = SinglePart::plain(mail.text.clone());
    if mail.attachments.is_empty() {
        return Ok(builder.singlepart(text)?);
    }
    let mut parts = MultiPart::mixed().singlepart(text);
    for attachment in &mail.attachments {
        let name = attachment.name.replace(char::is_control, " ");
        parts =
            parts.singlepart(Attachment::new(name).body(attachment.content.clone(), ContentType::parse(attachment.media_type)?));
    }
    Ok(builder.multipart(parts)?)
}

/// Writes the file, whole or not at all, unless it is there. What this has returned for survives a crash of the machine.
fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().expect("it is in the folder");
    fs::create_dir_all(folder)?;
    // Two may write the same mail at the same time, and either may win.
    let draft = path.with_extension(format!("{}-{}.draft", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let written = fs::File::create(&draft).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&draft, path));
    if moved.is_err() {
        let _ = fs::remove_file(&draft);
    }
    moved?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use evently_core::domain::Email;

    use super::*;

    fn mail() -> Mail {
        Mail {
            id: "booking-confirmed-7".to_owned(),
            to: Email::parse("ada@example.org").unwrap(),
            name: "Ada Lövelace".to_owned(),
            subject: "Deine Plätze 🎟".to_owned(),
            text: "Reihe 2, Plätze 4–5\n\nBis bald!".to_owned(),
            attachments: Vec::new(),
        }
    }

    async fn sent(mail: &Mail) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        EmlMailer::new(folder.path().join("mail")).send(mail).await.unwrap();
        let path = folder.path().join("mail").join(file_name(&mail.id));
        let text = fs::read_to_string(path).unwrap();
        (folder, text)
    }

    #[tokio::test]
    async fn a_mail_is_a_file_that_mail_programs_read() {
        let (_folder, text) = sent(&mail()).await;
        assert!(text.is_ascii(), "everything else is encoded");
        for line in [
            "From: Evently <tickets@evently.com>\r\n",
            "Message-ID: <booking-confirmed-7@evently.com>\r\n",
            "Subject: ",
            "Date: ",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.contains("Content-Type: text/plain; charset=utf-8\r\n"));
    }

    #[tokio::test]
    async fn attachments_go_with_it() {
        let ticket = evently_core::ports::Attachment {
            name: "ticket.svg".to_owned(),
            media_type: "image/svg+xml",
            content: b"<svg/>".to_vec(),
        };
        let (_folder, text) = sent(&Mail { attachments: vec![ticket], ..mail() }).await;
        assert!(text.contains("Content-Type: multipart/mixed;"));
        assert!(text.contains("Content-Disposition: attachment; filename=\"ticket.svg\""));
        assert!(text.contains("Content-Type: image/svg+xml"));
    }

    #[tokio::test]
    async fn nobody_writes_headers_of_their_own() {
        let evil =
            Mail { name: "A\r\nBcc: eve@example.org".to_owned(), subject: "B\r\nBcc: eve@example.org".to_owned(), ..mail() };
        let (_folder, text) = sent(&evil).await;
        assert!(!text.contains("\nBcc:"), "{text}");
    }

    #[tokio::test]
    async fn the_same_mail_is_written_once() {
        let (folder, first) = sent(&mail()).await;
        let mailer = EmlMailer::new(folder.path().join("mail"));
        mailer.send(&Mail { text: "again".to_owned(), ..mail() }).await.unwrap();
        let files: Vec<_> = fs::read_dir(folder.path().join("mail")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "and no drafts are left: {files:?}");
        assert_eq!(fs::read_to_string(&files[0]).unwrap(), first);
    }

    #[test]
    fn an_id_is_no_way_out_of_the_folder() {
        for id in ["../../etc/passwd", "", "a/b", "con.txt", &"x".repeat(300)] {
            let name = file_name(id);
            assert!(name.len() == 36 && !name.contains('/'), "{name}");
        }
    }
}
