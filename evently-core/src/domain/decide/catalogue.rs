//! Venues and events, and what the house does with its seats.

use std::sync::Arc;

use super::{Decision, Desk, Stop, step, used_before};
use crate::domain::{
    Event, EventChange, EventId, Fact, Invalid, Layout, Ledger, Outcome, Rejection, SeatAction, SeatId, SeatState, SeatStatus,
    Stage, Thing, Venue,
};

impl<L: Ledger> Desk<'_, L> {
    pub(super) fn create_venue(&mut self, venue: &Venue, layout: &Arc<Layout>) -> Decision<Outcome, L> {
        if self.ledger.venue(venue.id).map_err(Stop::Failed)?.is_some() {
            return Err(used_before("venue_id").into());
        }
        if self.ledger.layout_known(layout.id).map_err(Stop::Failed)? {
            return Err(used_before("layout_id").into());
        }
        self.ledger.create_venue(venue, layout).map_err(Stop::Failed)?;
        Ok(Outcome::Venue(venue.clone()))
    }

    pub(super) fn create_event(&mut self, event: &Arc<Event>, seats: &[u16]) -> Decision<Outcome, L> {
        let venue = self.ledger.venue(event.venue_id).map_err(Stop::Failed)?.ok_or(Rejection::NotFound(Thing::Venue))?;
        event.check()?;
        check_seats(event, seats, &venue)?;
        if self.ledger.event(event.id).map_err(Stop::Failed)?.is_some() {
            return Err(used_before("event_id").into());
        }
        self.ledger.create_event(event, seats).map_err(Stop::Failed)?;
        self.record_event(event, None)?;
        Ok(Outcome::Event(Arc::clone(event)))
    }

    fn record_event(&mut self, event: &Event, reason: Option<&str>) -> Decision<(), L> {
        let fact = Fact::Event { stage: event.stage, version: event.version, end_time: Some(event.details.end_time) };
        self.record(event.id, fact, Vec::new(), reason)
    }

    fn put_event(&mut self, event: Event, reason: Option<&str>) -> Decision<Outcome, L> {
        let event = Arc::new(Event { version: event.version + 1, ..event });
        self.ledger.put_event(&event).map_err(Stop::Failed)?;
        self.record_event(&event, reason)?;
        Ok(Outcome::Event(event))
    }

    pub(super) fn edit_event(&mut self, id: EventId, change: &EventChange) -> Decision<Outcome, L> {
        let event = self.event(id)?;
        if event.stage == Stage::Cancelled {
            return Err(Rejection::EventCancelled.into());
        }
        let event = event.changed(change)?;
        event.check()?;
        self.put_event(event, Some("edited"))
    }

    pub(super) fn publish_event(&mut self, id: EventId) -> Decision<Outcome, L> {
        let event = self.event(id)?;
        match event.stage {
            Stage::Published => Ok(Outcome::Event(event)),
            Stage::Cancelled => Err(Rejection::EventCancelled.into()),
            Stage::Draft => self.put_event(Event { stage: Stage::Published, ..Event::clone(&event) }, Some("published")),
        }
    }

    pub(super) fn cancel_event(&mut self, id: EventId, reason: Option<&str>) -> Decision<Outcome, L> {
        let event = self.event(id)?;
        if event.stage == Stage::Cancelled {
            return Ok(Outcome::Event(event));
        }
        let withdrawn = event.stage == Stage::Draft;
        self.put_event(Event { stage: Stage::Cancelled, withdrawn, ..Event::clone(&event) }, reason)
    }

    /// Blocks or unblocks seats, all or none.
    pub(super) fn house(&mut self, id: EventId, seats: &[SeatId], action: SeatAction) -> Decision<Outcome, L> {
        let event = self.event(id)?;
        let numbers = Self::seat_numbers(&event, seats)?;
        let (mut due, mut in_the_way) = (Vec::new(), Vec::new());
        for &number in &numbers {
            let seat = self.numbered_seat(id, number)?;
            match seat.state {
                _ if seat.apply(action).is_some() => {}
                SeatState::Reserved(owner) if action == SeatAction::Block && self.is_due(owner)? => due.push(owner),
                _ => in_the_way.push((event.layout_id.seat(number), seat.status())),
            }
        }
        if !in_the_way.is_empty() {
            return Err(Rejection::SeatsUnavailable(in_the_way).into());
        }
        self.take_over(due)?;
        let mut moved = Vec::with_capacity(numbers.len());
        for &number in &numbers {
            let seat = self.numbered_seat(id, number)?.apply(action);
            moved
                .extend(seat.or_else(|| if planted!(TakesOverWithoutEnding) { None } else { unreachable!("it is free by now") }));
        }
        let mut steps = Vec::with_capacity(moved.len());
        for seat in &moved {
            self.ledger.put_seat(id, seat).map_err(Stop::Failed)?;
            steps.push(step(seat, 0));
        }
        let to = if action == SeatAction::Block { SeatStatus::Blocked } else { SeatStatus::Available };
        let seats = moved.iter().map(|seat| event.layout_id.seat(seat.number)).collect();
        self.record(id, Fact::House { to }, steps, None)?;
        Ok(Outcome::Seats(id, seats, to))
    }
}

/// Whether the seats are those of the venue's layout, as many as the event says, and each of a category that it has.
fn check_seats(event: &Event, seats: &[u16], venue: &Venue) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    invalid.require(event.layout_id == venue.layout_id, "layout_id", "unknown_layout", "the venue has another layout");
    let all = seats.len() == event.seats_total as usize && !seats.is_empty();
    invalid.require(all, "seats", "wrong_number", format!("one category for each of the {} seats", event.seats_total));
    let known = seats.iter().all(|category| usize::from(*category) < event.categories.len());
    invalid.require(known, "seats", "unknown_category", "the event has no such price category");
    invalid.into_result()
}
