//! Mails to buyers, for what the journal says has happened.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, EventService, calendar, calendar::seat_list};
use crate::{
    domain::{Actor, BookingId, BookingStatus, Entry, Fact, Rejection, Role, Transition},
    ports::{
        Accounts, Attachment, BegunElsewhere, BookingRecords, Bookings, Claim, Clock, Handler, Ids, Inbox, Mail, Mailer,
        OtherError, Taken,
    },
};

/// Writes to buyers.
pub struct NotificationService {
    parts: NotificationParts,
}

/// The ports of a [`NotificationService`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct NotificationParts {
    pub inbox: Arc<dyn Inbox>,
    pub store: Arc<dyn Bookings>,
    pub accounts: Arc<dyn Accounts>,
    pub events: Arc<EventService>,
    pub mailer: Arc<dyn Mailer>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// What a buyer is told of.
enum News {
    Confirmed,
    GivenUp,
    /// A payment of so many minor units has bought nothing, because of this.
    GoesBack(i64, &'static str),
}

impl News {
    fn of(entry: &Entry) -> Option<(BookingId, Self)> {
        match entry.transition.fact {
            Fact::Booking { id, from: Some(from), to: BookingStatus::Confirmed, .. } if from != BookingStatus::Confirmed => {
                Some((id, Self::Confirmed))
            }
            Fact::Booking { id, from: Some(BookingStatus::Confirmed), to, .. } if to != BookingStatus::Confirmed => {
                Some((id, Self::GivenUp))
            }
            Fact::Booking { id, from: Some(BookingStatus::Pending), to: BookingStatus::Expired, .. }
                if planted!(MailsUnasked) =>
            {
                Some((id, Self::GivenUp))
            }
            Fact::RefundDue { booking_id, amount, .. } => {
                let why = match entry.transition.reason.as_deref() {
                    Some("paid_too_late" | "paid_after_cancelling") => "it could no longer buy your seats",
                    Some("already_paid") => "your seats had been paid for already",
                    _ => return None,
                };
                Some((booking_id, Self::GoesBack(amount, why)))
            }
            _ => None,
        }
    }
}

impl NotificationService {
    /// The name under which the inbox knows us.
    pub const CONSUMER: &str = "notifications";

    /// The service over these ports.
    pub const fn new(parts: NotificationParts) -> Self {
        Self { parts }
    }

    /// What is known of the booking, if the entry is in its history. A replica that has taken over may lack what was handed on already, and
    /// has given its position to something else since.
    async fn records_with(&self, entry: &Entry, booking: BookingId) -> Result<Option<BookingRecords>, Error> {
        let is_it = |known: &Entry| (known.position, known.transition.at) == (entry.position, entry.transition.at);
        let records = self.parts.store.records(booking).await?;
        Ok(records.filter(|records| records.history.iter().any(is_it)))
    }

    async fn tell(&self, entry: &Entry, records: &BookingRecords, news: &News) -> Result<(), OtherError> {
        if let Some(mail) = self.mail(entry, records, news).await? {
            if planted!(LogsAddresses) {
                tracing::info!("writing to {}", mail.to);
            }
            self.parts.mailer.send(&mail).await?;
        }
        Ok(())
    }

    async fn mail(&self, entry: &Entry, records: &BookingRecords, news: &News) -> Result<Option<Mail>, Error> {
        let Some(user) = self.parts.accounts.user(records.booking.user_id).await? else { return Ok(None) };
        let view = match self.parts.events.view(records.booking.event_id).await {
            Err(Error::Rejected(Rejection::NotFound(_))) => return Ok(None),
            view => view?,
        };
        let BookingRecords { booking, tickets, refunds, .. } = records;
        let details = &view.event.details;
        let seats = seat_list(&view, booking);
        let when = format!("{}, {}", details.start_time, view.venue.name);
        let (subject, text, attachments) = match news {
            // Each thing that has happened is told, but a mail that is late must not be the last to say that the seats are theirs.
            News::Confirmed if booking.status() != BookingStatus::Confirmed => {
                let text = format!(
                    "Your seats for {} were booked, and have been given up since.\n\n{when}\n{seats}\nTotal {}\n",
                    details.name, booking.total
                );
                (format!("Your booking for {}", details.name), text, Vec::new())
            }
            News::Confirmed => {
                let codes = tickets.iter().filter(|ticket| ticket.state != crate::domain::TicketState::Void);
                let codes = codes.map(|ticket| ticket.code.to_string()).collect::<Vec<_>>().join("\n");
                let others = match entry.transition.reason.as_deref() {
                    Some("paid_late_other_seats") => {
                        " Your payment came when the seats that you had chosen were sold, so they are others, as near to those as there were."
                    }
                    _ => "",
                };
                let text = format!(
                    "Your seats for {} are booked.{others}\n\n{when}\n{seats}\nTotal {}\n\nYour tickets, one for each seat; show \
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
                let money = match refunds.iter().find(|refund| refund.is_of_given_up()).map(|refund| refund.amount) {
                    None => "No money goes back for it.".to_owned(),
                    Some(back) if back == booking.total => format!("Your {back} are on their way back to you."),
                    Some(back) => format!("Of the {} that you paid {back} are on their way back to you.", booking.total),
                };
                let why = why(&entry.transition);
                let text = format!("Your booking for {} has been cancelled{why}. {money}\n\n{when}\n{seats}\n", details.name);
                (format!("Your booking for {} is cancelled", details.name), text, Vec::new())
            }
            News::GoesBack(amount, why) => {
                let money = view.event.money(*amount);
                let text =
                    format!("Your payment of {money} for {} came when {why}. We have sent it back.\n\n{when}\n", details.name);
                (format!("Your payment for {} goes back", details.name), text, Vec::new())
            }
        };
        let id = format!("{:012}-{}", entry.position, booking.id);
        Ok(Some(Mail { id, to: user.email, name: user.name, subject, text, attachments }))
    }
}

/// Why a booking was given up by somebody else than its customer, as the rest of a sentence about it.
fn why(transition: &Transition) -> String {
    match (transition.actor, transition.reason.as_deref()) {
        (Actor::System, Some("event_cancelled")) => ", because the event was called off".to_owned(),
        (Actor::User(_, Role::Organizer | Role::Admin), Some(reason)) => format!(" by the house (\u{201c}{reason}\u{201d})"),
        (Actor::User(_, Role::Organizer | Role::Admin), None) => " by the house".to_owned(),
        _ => String::new(),
    }
}

#[async_trait]
impl Handler for NotificationService {
    /// Sends the mail that the entry is a reason for, if it is one for any.
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        let Some((booking, news)) = News::of(entry) else { return Ok(()) };
        let Some(records) = self.records_with(entry, booking).await? else { return Ok(()) };
        let NotificationParts { inbox, clock, ids, .. } = &self.parts;
        let claim = Claim::new(&**ids, &**clock);
        match inbox.take(Self::CONSUMER, entry.position, &claim).await? {
            Taken::Done => return Ok(()),
            Taken::Others => return Err(BegunElsewhere.into()),
            // A mail that crashes whoever sends it is to count as one that fails, or it would be tried for ever.
            Taken::TakenOver => {
                inbox.let_go(Self::CONSUMER, entry.position, claim.owner).await?;
                return Err("whoever had begun with it crashed, or was cut off".into());
            }
            Taken::Ours => {}
        }
        if planted!(MailIsDoneFirst) {
            inbox.done(Self::CONSUMER, entry.position, claim.owner).await?;
        }
        if let Err(error) = self.tell(entry, &records, &news).await {
            if planted!(MailsOnlyOnce) {
                return Ok(());
            }
            inbox.let_go(Self::CONSUMER, entry.position, claim.owner).await?;
            return Err(error);
        }
        // Where somebody has taken over meanwhile, they send the same mail with the same id, and the mailer does what it can.
        inbox.done(Self::CONSUMER, entry.position, claim.owner).await?;
        Ok(())
    }
}
