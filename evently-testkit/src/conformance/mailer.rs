//! Mailers.

use std::{fmt::Write, sync::Arc};

use evently_core::{
    domain::Email,
    ports::{Attachment, Mail, Mailer},
};

/// A mailer, and where its mails arrive.
pub struct MailerUnderTest {
    /// The mailer.
    pub mailer: Arc<dyn Mailer>,
    /// The mails that have arrived, oldest first.
    pub arrived: Box<dyn Fn() -> Vec<Mail> + Send + Sync>,
}

fn mail(id: &str) -> Mail {
    Mail {
        id: id.to_owned(),
        to: Email::parse("ada@example.org").expect("it is an address"),
        name: "Ada".to_owned(),
        subject: "Ihre Plätze".to_owned(),
        text: "Grüße\nund viel Vergnügen".to_owned(),
        attachments: vec![Attachment {
            name: "ticket.ics".to_owned(),
            media_type: "text/calendar",
            content: vec![0, 159, 146, 150],
        }],
    }
}

pub async fn a_mail_arrives_as_it_was_sent(test: MailerUnderTest) {
    test.mailer.send(&mail("a")).await.unwrap();
    assert_eq!((test.arrived)(), [mail("a")]);
}

pub async fn every_mail_arrives(test: MailerUnderTest) {
    let mut missing = String::new();
    for n in 0..20 {
        test.mailer.send(&mail(&n.to_string())).await.unwrap();
    }
    let arrived = (test.arrived)();
    for n in (0..20).filter(|n| !arrived.iter().any(|mail| mail.id == n.to_string())) {
        write!(missing, "{n} ").expect("a string takes everything");
    }
    assert_eq!(missing, "");
}
