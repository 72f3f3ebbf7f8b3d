//! Seats were sold as their event says: at its prices and on its terms of refunds, while it was on sale, no more of them than it allows, and
//! none once it was over.
//!
//! What an event said before it was edited is not in the journal, but for its end. So prices are looked at of what was held after the last edit, and the rest
//! only where there was none since the event was published: what was decided beside an edit may be written down after it, unless both
//! change the same seats, as a new price does.

use rustc_hash::FxHashMap;

use super::{Findings, Invariant, rows::Rows};
use crate::domain::{BookingId, BookingStatus, Entry, Fact, OnSale, Stage, Timestamp, UserId};

pub(super) fn check(rows: &Rows<'_>, found: &mut Findings) {
    let journal = &rows.records.journal;
    let Edits { last, since_published } = Edits::of(journal);
    for entry in journal.iter().filter(|entry| entry.position > last) {
        if let Fact::Booking { id, from: None, .. } = entry.transition.fact {
            prices(rows, id, found);
        }
    }
    if !since_published {
        limits(rows, found);
    }
    over(rows, found);
}

/// How an event was edited.
#[derive(Default)]
struct Edits {
    /// The position of the last one; 0 if there was none.
    last: u64,
    /// Whether there was one since it was published.
    since_published: bool,
}

impl Edits {
    fn of(journal: &[Entry]) -> Self {
        let (mut edits, mut before) = (Self::default(), None);
        for Entry { position, transition } in journal {
            let Fact::Event { stage, .. } = transition.fact else { continue };
            // Only an edit leaves the stage as it is.
            if before.replace(stage) == Some(stage) {
                edits.last = *position;
                edits.since_published |= stage == Stage::Published;
            }
        }
        edits
    }
}

fn prices(rows: &Rows<'_>, id: BookingId, found: &mut Findings) {
    for booked in rows.booking(id).map_or(&[][..], |booking| &booking.seats) {
        let seat = rows.records.seats.get(booked.number as usize);
        let category = seat.and_then(|seat| rows.records.event.categories.get(usize::from(seat.category)));
        if let Some(category) = category.filter(|category| category.price != booked.price) {
            let what = format!("its seat {} is {} where its category costs {}", booked.number, booked.price, category.price);
            found.add(Invariant::Money, format!("booking {id}"), what);
        }
    }
}

fn limits(rows: &Rows<'_>, found: &mut Findings) {
    let details = &rows.records.event.details;
    let OnSale { opens_at, closes_at } = details.on_sale;
    let lasting = Lasting::of(&rows.records.journal);
    let mut holds = FxHashMap::<UserId, Vec<(BookingId, usize)>>::default();
    for Entry { position, transition } in &rows.records.journal {
        let Fact::Booking { id, user_id, from, to, .. } = transition.fact else { continue };
        let theirs = holds.entry(user_id).or_default();
        let (at, seats) = (transition.at, transition.seats.len());
        let mut wrong = |what: String| found.add(Invariant::Limits, format!("booking {id}"), what);
        if from.is_some() {
            theirs.retain(|(other, _)| to == BookingStatus::Pending || *other != id);
            continue;
        }
        if rows.booking(id).and_then(|booking| booking.refunds).is_some_and(|kept| kept != details.refunds) {
            wrong("it keeps terms of refunds that its event never had".to_owned());
        }
        if at < opens_at || closes_at <= at {
            wrong(format!("it was made at {at}, while its event was not on sale"));
        }
        if seats > details.max_seats_per_booking as usize {
            wrong(format!("it has {seats} seats where {} may be", details.max_seats_per_booking));
        }
        let known = theirs.iter().filter(|(other, _)| lasting.beyond(rows, *other, *position, at));
        let held = seats + known.map(|(_, seats)| seats).sum::<usize>();
        if held > details.max_seats_held as usize {
            wrong(format!("with it its customer has {held} seats on hold where {} may be", details.max_seats_held));
        }
        theirs.push((id, seats));
    }
}

fn over(rows: &Rows<'_>, found: &mut Findings) {
    for entry in &rows.records.journal {
        let Fact::Booking { id, from, to, .. } = entry.transition.fact else { continue };
        let goes_on = to == BookingStatus::Confirmed || from.is_some() && to == BookingStatus::Pending;
        if goes_on && rows.ends.over(entry) == Some(true) {
            let what = format!("it becomes {} at {}, when its event was over", to.name(), entry.transition.at);
            found.add(Invariant::Limits, format!("booking {id}"), what);
        }
    }
}

/// When something was last done with each hold that only one does with that has not run out. When holds run out the journal does not say.
struct Lasting(FxHashMap<BookingId, (u64, Timestamp)>);

impl Lasting {
    fn of(journal: &[Entry]) -> Self {
        let lasted = |Entry { position, transition }: &Entry| match transition.fact {
            Fact::Booking {
                id,
                from: Some(BookingStatus::Pending),
                to: BookingStatus::Pending | BookingStatus::Confirmed,
                ..
            } => Some((id, (*position, transition.at))),
            _ => None,
        };
        Self(journal.iter().filter_map(lasted).collect())
    }

    /// Whether a hold is known to have lasted beyond this entry: none comes back after it has run out.
    fn beyond(&self, rows: &Rows<'_>, id: BookingId, position: u64, at: Timestamp) -> bool {
        let later = self.0.get(&id).is_some_and(|(last, then)| position < *last && at <= *then);
        later || rows.booking(id).and_then(|booking| booking.hold()).is_some_and(|hold| hold.is_live(at))
    }
}
