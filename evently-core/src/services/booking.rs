//! Bookings: holding seats, holding on to them, giving them up; and the door.

use std::sync::Arc;

use super::{Answered, BoxOffice, Error, EventService, event::may_organize};
use crate::{
    domain::{
        Actor, Admission, Booking, BookingCode, BookingId, BookingStatus, Command, EventId, HoldTerms, Outcome, Principal,
        Request, RequestKey, Role, SeatId, Thing, Ticket, TicketCode, TicketId,
    },
    ports::{BookingFilter, BookingRecords, Bookings, Clock, Ids, Page},
};

/// Sells seats.
pub struct BookingService {
    office: BoxOffice,
    store: Arc<dyn Bookings>,
    events: Arc<EventService>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    terms: HoldTerms,
}

impl BookingService {
    /// The service over these ports.
    pub fn new(
        office: BoxOffice,
        store: Arc<dyn Bookings>,
        events: Arc<EventService>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        terms: HoldTerms,
    ) -> Self {
        Self { office, store, events, clock, ids, terms }
    }

    /// Reserves seats, all or none.
    pub async fn hold(
        &self,
        by: &Principal,
        event_id: EventId,
        seats: Vec<SeatId>,
        key: Option<RequestKey>,
    ) -> Result<Answered<Booking>, Error> {
        let booking_id = BookingId::from_uuid(self.ids.uuid(self.clock.now()));
        let command = Command::Hold { booking_id, event_id, user_id: by.user_id, seats, terms: self.terms };
        self.submit(customer(by), command, key).await
    }

    /// Starts the hold's time anew.
    pub async fn extend(
        &self,
        by: &Principal,
        booking_id: BookingId,
        key: Option<RequestKey>,
    ) -> Result<Answered<Booking>, Error> {
        self.submit(customer(by), Command::Extend { booking_id, terms: self.terms }, key).await
    }

    /// Gives a booking of one's own up, if it still is what is `expected`.
    pub async fn cancel(
        &self,
        by: &Principal,
        booking_id: BookingId,
        expected: Option<BookingStatus>,
        reason: Option<String>,
        key: Option<RequestKey>,
    ) -> Result<Answered<Booking>, Error> {
        self.submit(customer(by), Command::Cancel { booking_id, expected, reason }, key).await
    }

    /// Gives a customer's booking up, for the house, if it still is what is `expected`: all money goes back.
    pub async fn cancel_for(
        &self,
        by: &Principal,
        booking_id: BookingId,
        expected: Option<BookingStatus>,
        reason: Option<String>,
        key: Option<RequestKey>,
    ) -> Result<Answered<Booking>, Error> {
        self.managed(by, booking_id).await?;
        self.submit(Actor::User(by.user_id, by.role), Command::Cancel { booking_id, expected, reason }, key).await
    }

    async fn submit(&self, actor: Actor, command: Command, key: Option<RequestKey>) -> Result<Answered<Booking>, Error> {
        let answer = self.office.submit(Request::new(actor, command).with_key(key)).await?;
        Answered::read(answer, |outcome| match outcome {
            Outcome::Booking(booking) => Some(booking),
            _ => None,
        })
    }

    /// A booking of one's own; a stranger's is not there.
    pub async fn own(&self, by: &Principal, id: BookingId) -> Result<Booking, Error> {
        let booking = self.store.booking(id).await?.filter(|booking| booking.user_id == by.user_id);
        booking.ok_or(Error::not_found(Thing::Booking))
    }

    /// A booking of one's own with all that belongs to it.
    pub async fn own_records(&self, by: &Principal, id: BookingId) -> Result<BookingRecords, Error> {
        let records =
            self.store.records(id).await?.filter(|records| records.booking.user_id == by.user_id || planted!(AnybodyMayRead));
        records.ok_or(Error::not_found(Thing::Booking))
    }

    /// A ticket of one's own.
    pub async fn own_ticket(&self, by: &Principal, id: TicketId) -> Result<Ticket, Error> {
        let ticket = self.store.ticket(id).await?.ok_or(Error::not_found(Thing::Booking))?;
        self.own(by, ticket.booking_id).await?;
        Ok(ticket)
    }

    /// One's own bookings, newest first.
    pub async fn list_own(&self, by: &Principal, filter: BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, Error> {
        Ok(self.store.bookings(&BookingFilter { user_id: Some(by.user_id), ..filter }, page).await?)
    }

    /// The bookings of an event that `by` manages, newest first.
    pub async fn list_managed(
        &self,
        by: &Principal,
        event_id: EventId,
        filter: BookingFilter,
        page: Page<BookingId>,
    ) -> Result<Vec<Booking>, Error> {
        self.events.managed(by, event_id).await?;
        Ok(self.store.bookings(&BookingFilter { event_id: Some(event_id), ..filter }, page).await?)
    }

    /// The booking with this code, of an event that `by` manages.
    pub async fn by_code(&self, by: &Principal, code: BookingCode) -> Result<Booking, Error> {
        may_organize(by)?;
        let booking = self.store.booking_by_code(code).await?.ok_or(Error::not_found(Thing::Booking))?;
        self.events.managed(by, booking.event_id).await.map_err(hide_event)?;
        Ok(booking)
    }

    /// A booking of an event that `by` manages, with all that belongs to it.
    pub async fn managed(&self, by: &Principal, id: BookingId) -> Result<BookingRecords, Error> {
        // Before it is looked up: what comes of that would tell whether there is one.
        may_organize(by)?;
        let records = self.store.records(id).await?.ok_or(Error::not_found(Thing::Booking))?;
        self.events.managed(by, records.booking.event_id).await.map_err(hide_event)?;
        Ok(records)
    }

    /// Uses a ticket at the door. An organizer's door admits to their own events only.
    pub async fn check_in(
        &self,
        by: &Principal,
        code: TicketCode,
        event_id: Option<EventId>,
        key: Option<RequestKey>,
    ) -> Result<Answered<(Admission, Option<Ticket>)>, Error> {
        match (by.role, event_id) {
            (Role::Staff | Role::Admin, _) => {}
            (Role::Organizer, Some(event_id)) => drop(self.events.managed(by, event_id).await?),
            (Role::Organizer, None) => {
                let invalid = crate::domain::Invalid::field("event_id", "required", "name the event whose door this is");
                return Err(invalid.into());
            }
            (Role::Customer, _) => return Err(Error::Forbidden),
        }
        if planted!(LogsTickets) {
            tracing::trace!(%code, "a ticket is shown");
        }
        let request = Request::new(Actor::User(by.user_id, by.role), Command::CheckIn { code, event_id }).with_key(key);
        Answered::read(self.office.submit(request).await?, |outcome| match outcome {
            Outcome::CheckIn(admission, ticket) => Some((admission, ticket)),
            _ => None,
        })
    }
}

/// Whoever asks for a booking of their own is its customer, whatever else their account may do.
pub(super) fn customer(by: &Principal) -> Actor {
    Actor::User(by.user_id, Role::Customer)
}

fn hide_event(error: Error) -> Error {
    if error.is_not_found() { Error::not_found(Thing::Booking) } else { error }
}
