use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use async_trait::async_trait;

use super::{
    MemoryStore,
    store::{BookingRows, State},
};
use crate::{
    domain::{
        Booking, BookingCode, BookingId, CLOCKS_APART, Entry, Event, EventId, Layout, LayoutId, Payment, PaymentId, Refund,
        RefundId, Request, Sales, SeatMap, Stage, Ticket, TicketId, Timestamp, Venue, VenueId, decide, decided_as_of,
    },
    ports::{
        Applied, Audit, BookingFilter, BookingRecords, Bookings, Catalog, Chores, Due, Elsewhere, EventFilter, EventRecords,
        Figures, Page, SalesFilter, StoreError,
    },
};

#[async_trait]
impl Bookings for MemoryStore {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let mut state = self.state();
        let latest = state.journal.last().filter(|_| !planted!(TimeGoesBack));
        let now = latest.map_or(now, |last| decided_as_of(now, last.at));
        let answers = requests
            .iter()
            .map(|request| {
                let Ok(answer) = decide(&mut *state, &*self.ids, now, request);
                answer
            })
            .collect();
        let changes = std::mem::take(&mut state.changes);
        if planted!(LosesAnswered) && state.bookings.len() == 3 {
            state.bookings.pop_first();
        }
        Ok(Applied { answers, changes })
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        Ok(self.state().bookings.get(&id).map(|rows| rows.booking.clone()))
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        let state = self.state();
        Ok(state.codes.get(&code).map(|id| state.bookings[id].booking.clone()))
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        let state = self.state();
        let below = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = state.bookings.range((Bound::Unbounded, below)).rev().map(|(_, rows)| &rows.booking);
        Ok(all.filter(|booking| matches_filter(booking, filter)).take(page.limit as usize).cloned().collect())
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        let state = self.state();
        Ok(state.bookings.get(&id).map(|rows| state.records(rows)))
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(self.state().payments.get(&id).map(|payment| Payment::clone(payment)))
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let state = self.state();
        Ok(state.ticket_codes.get(&id).map(|code| state.tickets[code].clone()))
    }
}

fn matches_filter(booking: &Booking, filter: &BookingFilter) -> bool {
    filter.user_id.is_none_or(|id| id == booking.user_id)
        && filter.event_id.is_none_or(|id| id == booking.event_id)
        && filter.status.is_none_or(|status| status == booking.status())
}

impl State {
    pub(super) fn entry(&self, position: u64) -> Entry {
        let at = usize::try_from(position - 1).expect("the journal is in memory");
        Entry { position, transition: self.journal[at].clone() }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        (1..).zip(&self.journal).map(|(position, transition)| Entry { position, transition: transition.clone() })
    }

    fn records(&self, rows: &BookingRows) -> BookingRecords {
        let mut tickets = rows.tickets.iter().map(|code| self.tickets[code].clone()).collect::<Vec<_>>();
        tickets.sort_by_key(|ticket| (ticket.seat, ticket.id));
        BookingRecords {
            booking: rows.booking.clone(),
            payments: rows.payments.iter().map(|id| Payment::clone(&self.payments[id])).collect(),
            refunds: rows.refunds.iter().map(|id| self.refunds[id].clone()).collect(),
            tickets,
            history: rows.history.iter().map(|position| self.entry(*position)).collect(),
        }
    }
}

#[async_trait]
impl Chores for MemoryStore {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        let state = self.state();
        let due = state.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
        Ok(due.take(limit as usize).map(|(_, id)| *id).collect())
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        let state = self.state();
        let live = state
            .events
            .values()
            .filter(|rows| rows.event.stage == Stage::Cancelled)
            .flat_map(|rows| rows.seats.iter().filter_map(crate::domain::Seat::owner));
        let ids = live.collect::<BTreeSet<_>>();
        Ok(ids.into_iter().take(limit as usize).collect())
    }

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        let state = self.state();
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = state.undecided_payments.range((after, Bound::Unbounded));
        let old = all.filter(|(at, _)| *at < before || *at > before + CLOCKS_APART);
        let theirs = old.map(|(_, id)| &*state.payments[id]).filter(|payment| payment.provider == provider);
        let due = theirs.map(|payment| ((payment.created_at, payment.id), Ok(payment.clone())));
        Ok(due.take(page.limit as usize).collect())
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        let state = self.state();
        let owed = state.owed_refunds.iter().map(|id| &state.refunds[id]);
        let mut owed = owed.map(|refund| (refund, &*state.payments[&refund.payment_id])).collect::<Vec<_>>();
        owed.retain(|(_, payment)| payment.provider == provider);
        owed.sort_by_key(|(refund, _)| (refund.created_at, refund.id));
        owed.retain(|(refund, _)| page.after.is_none_or(|after| (refund.created_at, refund.id) > after));
        let due =
            owed.into_iter().map(|(refund, payment)| ((refund.created_at, refund.id), Ok((refund.clone(), payment.clone()))));
        Ok(due.take(page.limit as usize).collect())
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut state = self.state();
        let old = state.inbox.iter().filter(|(_, row)| row.done && row.until < before).map(|(key, _)| key.clone());
        let old = old.take(limit as usize).collect::<Vec<_>>();
        for key in &old {
            state.inbox.remove(key);
        }
        Ok(old.len() as u64)
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        Ok(self.state().deadlines.len() as u64)
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut state = self.state();
        let old = state.answers.iter().filter(|(_, (_, answer))| answer.at < before).map(|(id, _)| *id);
        let old = old.take(limit as usize).collect::<Vec<_>>();
        for id in &old {
            state.answers.remove(id);
        }
        Ok(old.len() as u64)
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let state = &mut *self.state();
        let ended = |id| state.sessions.get(&id).is_some_and(|row| row.session.expires_at < before);
        let tokens = state.tokens.iter().filter(|(_, row)| ended(row.session_id)).map(|(digest, _)| *digest);
        let tokens = tokens.take(limit as usize).collect::<Vec<_>>();
        for digest in &tokens {
            state.tokens.remove(digest);
        }
        let bearing = state.tokens.values().map(|row| row.session_id).collect::<BTreeSet<_>>();
        let empty = state.sessions.values().map(|row| row.session).filter(|session| session.expires_at < before);
        let empty = empty.map(|session| session.id).filter(|id| !bearing.contains(id));
        let empty = empty.take(limit as usize - tokens.len()).collect::<Vec<_>>();
        for id in &empty {
            state.sessions.remove(id);
        }
        Ok((tokens.len() + empty.len()) as u64)
    }
}

#[async_trait]
impl Catalog for MemoryStore {
    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        let state = self.state();
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let venues = state.venues.range((after, Bound::Unbounded)).map(|(_, venue)| venue.clone());
        Ok(venues.take(page.limit as usize).collect())
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        Ok(self.state().venues.get(&id).cloned())
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        Ok(self.state().layouts.get(&id).cloned())
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.state().events.get(&id).map(|rows| Arc::clone(&rows.event)))
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        let state = self.state();
        let mut events = state.events.values().map(|rows| &rows.event).filter(|event| shows(&state, event, filter));
        let mut events = events.by_ref().map(Arc::clone).collect::<Vec<_>>();
        events.retain(|event| page.after.is_none_or(|after| (event.details.start_time, event.id) > after));
        events.sort_by_key(|event| (event.details.start_time, event.id));
        events.truncate(page.limit as usize);
        Ok(events)
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        let state = self.state();
        let seats = state.events.get(&event).map(|rows| &rows.seats);
        Ok(seats.map(|seats| SeatMap::new(seats.iter().map(|seat| (seat.status(), seat.version)))))
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        Ok(Elsewhere::Unchanged)
    }
}

fn shows(state: &State, event: &Event, filter: &EventFilter) -> bool {
    let details = &event.details;
    let contains = |text: &String| {
        let text = text.to_lowercase();
        let venue = state.venues.get(&event.venue_id).map_or("", |venue| &venue.name);
        details.name.to_lowercase().contains(&text) || venue.to_lowercase().contains(&text)
    };
    filter.status.is_none_or(|status| event.status(filter.now) == status)
        && (filter.shows_unpublished() || event.is_public())
        && filter.text.as_ref().is_none_or(contains)
        && filter.from.is_none_or(|from| from <= details.start_time)
        && filter.to.is_none_or(|to| details.start_time < to)
        && filter.venue_id.is_none_or(|id| id == event.venue_id)
        && filter.organizer_id.is_none_or(|id| id == event.organizer_id)
}

#[async_trait]
impl Figures for MemoryStore {
    async fn position(&self) -> Result<u64, StoreError> {
        Ok(self.state().sales_position)
    }

    async fn add(&self, from: u64, to: u64, sales: &Sales) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.sales_position != from && !planted!(FiguresCountTwice) {
            return Ok(false);
        }
        for (key, row) in &sales.rows {
            state.sales.add(key.clone(), row);
        }
        state.sales_position = to;
        Ok(true)
    }

    async fn reset(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        state.sales = Sales::default();
        state.sales_position = 0;
        Ok(())
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Sales, StoreError> {
        let mut sales = self.state().sales.clone();
        sales.rows.retain(|key, _| {
            filter.event_id.is_none_or(|id| id == key.event_id)
                && filter.from.is_none_or(|from| from <= key.hour)
                && filter.to.is_none_or(|to| key.hour < to)
        });
        Ok(sales)
    }

    async fn all(&self) -> Result<(u64, Sales), StoreError> {
        let state = self.state();
        Ok((state.sales_position, state.sales.clone()))
    }
}

#[async_trait]
impl Audit for MemoryStore {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        let mut ids = self.state().events.keys().copied().collect::<Vec<_>>();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        let state = self.state();
        let Some(rows) = state.events.get(&id) else { return Ok(None) };
        let records = state.bookings.values().filter(|rows| rows.booking.event_id == id);
        let records = records.map(|rows| state.records(rows)).collect::<Vec<_>>();
        Ok(Some(EventRecords {
            event: Event::clone(&rows.event),
            seats: rows.seats.clone(),
            bookings: records.iter().map(|records| records.booking.clone()).collect(),
            payments: records.iter().flat_map(|records| records.payments.clone()).collect(),
            refunds: records.iter().flat_map(|records| records.refunds.clone()).collect(),
            tickets: records.iter().flat_map(|records| records.tickets.clone()).collect(),
            journal: state.entries().filter(|entry| entry.transition.event_id == id).collect(),
            decided_beside: None,
        }))
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
