//! Mails to buyers, for what the journal says has happened.

use std::sync::Arc;

use super::{Error, EventService, calendar, calendar::seat_list};
use crate::{
    domain::{BookingId, BookingStatus, Entry, Fact, Money, Rejection},
    ports::{Accounts, Attachment, BookingRecords, Bookings, Clock, Mail, MailFailed, Mailer, Outbox},
};

/// How many entries are taken at a time.
const BATCH: u32 = 200;

/// Writes to buyers.
pub struct NotificationService {
    parts: NotificationParts,
}

/// The ports of a [`NotificationService`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct NotificationParts {
    pub outbox: Arc<dyn Outbox>,
    pub store: Arc<dyn Bookings>,
    pub accounts: Arc<dyn Accounts>,
    pub events: Arc<EventService>,
    pub mailer: Arc<dyn Mailer>,
    pub clock: Arc<dyn Clock>,
}

/// What a buyer is told of.
enum News {
    Confirmed,
    GivenUp,
    PaidTooLate(Money),
}

impl NotificationService {
    /// The name under which the outbox knows how far we have come.
    pub const CONSUMER: &str = "notifications";

    /// The service over these ports.
    pub const fn new(parts: NotificationParts) -> Self {
        Self { parts }
    }

    /// Sends what has not been sent yet, in order. How many journal entries were dealt with.
    ///
    /// A mail that cannot be handed over stops the rest; it is tried again with the next call.
    pub async fn send_due(&self) -> Result<usize, Error> {
        let done = self.parts.outbox.position(Self::CONSUMER).await?;
        let entries = self.parts.outbox.after(done, BATCH).await?;
        let mut sent = 0;
        let mut last = done;
        for entry in &entries {
            if let Err(error) = self.tell(entry).await? {
                tracing::error!(error = &error as &dyn std::error::Error, position = entry.position, "mail not handed over");
                break;
            }
            last = entry.position;
            sent += 1;
        }
        if last > done {
            self.parts.outbox.advance(Self::CONSUMER, last).await?;
        }
        Ok(sent)
    }

    async fn tell(&self, entry: &Entry) -> Result<Result<(), MailFailed>, Error> {
        let (booking, news) = match entry.transition.fact {
            Fact::Booking { id, from: Some(from), to: BookingStatus::Confirmed, .. } if from != BookingStatus::Confirmed => {
                (id, News::Confirmed)
            }
            Fact::Booking { id, from: Some(BookingStatus::Confirmed), .. } => (id, News::GivenUp),
            Fact::RefundDue { booking_id, amount, .. }
                if matches!(entry.transition.reason.as_deref(), Some("paid_too_late" | "already_paid")) =>
            {
                let event = self.parts.events.view(entry.transition.event_id).await?;
                (booking_id, News::PaidTooLate(event.event.money(amount)))
            }
            _ => return Ok(Ok(())),
        };
        match self.mail(entry, booking, &news).await? {
            Some(mail) => Ok(self.parts.mailer.send(&mail).await),
            None => Ok(Ok(())),
        }
    }

    async fn mail(&self, entry: &Entry, id: BookingId, news: &News) -> Result<Option<Mail>, Error> {
        let Some(records) = self.parts.store.records(id).await? else { return Ok(None) };
        let Some(user) = self.parts.accounts.user(records.booking.user_id).await? else { return Ok(None) };
        let view = match self.parts.events.view(records.booking.event_id).await {
            Err(Error::Rejected(Rejection::NotFound(_))) => return Ok(None),
            view => view?,
        };
        let BookingRecords { booking, tickets, .. } = &records;
        let details = &view.event.details;
        let seats = seat_list(&view, booking);
        let when = format!("{}, {}", details.start_time, view.venue.name);
        let (subject, text, attachments) = match news {
            News::Confirmed => {
                let codes = tickets.iter().filter(|ticket| ticket.state != crate::domain::TicketState::Void);
                let codes = codes.map(|ticket| ticket.code.to_string()).collect::<Vec<_>>().join("\n");
                let text = format!(
                    "Your seats for {} are booked.\n\n{when}\n{seats}\nTotal {}\n\nYour tickets, one for each seat; show \
                     them at the door:\n{codes}\n",
                    details.name, booking.total
                );
                let calendar = Attachment {
                    name: "booking.ics".into(),
                    media_type: "text/calendar",
                    content: calendar(&view, booking, self.parts.clock.now()).into_bytes(),
                };
                (format!("Your booking for {}", details.name), text, vec![calendar])
            }
            News::GivenUp => {
                let money = if booking.status() == BookingStatus::Refunded {
                    "Your money is on its way back to you."
                } else {
                    "No money goes back for it."
                };
                let text = format!("Your booking for {} has been cancelled. {money}\n\n{when}\n{seats}\n", details.name);
                (format!("Your booking for {} is cancelled", details.name), text, Vec::new())
            }
            News::PaidTooLate(money) => {
                let text = format!(
                    "Your payment of {money} for {} came when it could no longer buy your seats. We have sent it back.\n\n{when}\n",
                    details.name
                );
                (format!("Your payment for {} goes back", details.name), text, Vec::new())
            }
        };
        let id = format!("{:012}-{id}", entry.position);
        Ok(Some(Mail { id, to: user.email, name: user.name, subject, text, attachments }))
    }
}
