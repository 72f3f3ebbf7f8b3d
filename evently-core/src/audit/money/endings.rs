//! How bookings that had been paid were given up, as the journal tells it.

use rustc_hash::FxHashMap;

use super::super::{may_come_before, rows::Rows};
use crate::domain::{Actor, Booking, BookingId, BookingStatus, Entry, EventDetails, Fact, RefundPolicy, Role, Stage, Timestamp};

/// What a paid booking that was given up sends back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything: the house gave it up, or the event had been called off.
    Whole,
    /// So much of the price.
    Percent(u8),
    /// What the event said, and no less than this much, which was promised: what it said then nobody knows, because it has been edited since, or
    /// was edited or called off beside it.
    AtLeast(u8),
    /// Nothing may have happened: its customer could no longer give it up.
    TooLate,
}

/// A customer's giving up of a paid booking.
struct GivenUp {
    at: Timestamp,
    called_off: bool,
    /// Whether the event was over, where that is known.
    over: Option<bool>,
    /// So soon after the event was edited or called off that it may have been decided before.
    beside: bool,
    by_customer: bool,
    /// How often the event had been edited by then.
    edits: u32,
}

pub(super) struct Endings {
    given_up: FxHashMap<BookingId, GivenUp>,
    edits: u32,
}

impl Endings {
    pub fn of(rows: &Rows<'_>) -> Self {
        let mut endings = Self { given_up: FxHashMap::default(), edits: 0 };
        let (mut stage, mut changed) = (None, None::<Timestamp>);
        for entry in &rows.records.journal {
            let Entry { transition, .. } = entry;
            match transition.fact {
                Fact::Event { stage: to, .. } => {
                    // Only an edit leaves the stage as it is.
                    let edited = stage == Some(to);
                    endings.edits += u32::from(edited);
                    if edited || to == Stage::Cancelled {
                        changed = Some(transition.at);
                    }
                    stage = Some(to);
                }
                Fact::Booking { id, from: Some(BookingStatus::Confirmed), .. } => {
                    let by_customer = matches!(transition.actor, Actor::User(_, Role::Customer));
                    let called_off = stage == Some(Stage::Cancelled);
                    let beside = may_come_before(transition.at, changed, rows.records.decided_beside);
                    let over = rows.ends.over(entry);
                    let (at, edits) = (transition.at, endings.edits);
                    let given_up = GivenUp { at, called_off, over, beside, by_customer, edits };
                    endings.given_up.insert(id, given_up);
                }
                _ => {}
            }
        }
        endings
    }

    /// How the booking was given up; `None` if it was not, or not after it had been paid.
    pub fn of_booking(&self, booking: &Booking, event: &EventDetails) -> Option<Ending> {
        let given_up = self.given_up.get(&booking.id)?;
        let by = |terms: &RefundPolicy| (given_up.at < terms.until).then_some(terms.percent);
        let not_edited_since = given_up.edits == self.edits && !given_up.beside;
        // What the journal of an earlier version does not say, the event does.
        let over = given_up.over.or_else(|| not_edited_since.then(|| event.end_time <= given_up.at));
        let promised = booking.refunds.as_ref().filter(|_| over == Some(false)).and_then(by);
        Some(if !given_up.by_customer || given_up.called_off && !given_up.beside {
            Ending::Whole
        } else if not_edited_since {
            promised.max(by(&event.refunds)).map_or(Ending::TooLate, Ending::Percent)
        } else {
            Ending::AtLeast(promised.unwrap_or(0))
        })
    }
}
