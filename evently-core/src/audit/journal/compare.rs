//! Where the journal ends is where the rows stand.

use super::{Fold, FoldedBooking};
use crate::{
    audit::{Findings, Invariant, rows::Rows},
    domain::{Booking, BookingState, PaymentState, RefundState, SeatStatus, TicketState},
};

pub(super) fn check(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    event(fold, rows, found);
    seats(fold, rows, found);
    bookings(fold, rows, found);
    payments(fold, rows, found);
    refunds(fold, rows, found);
    tickets(fold, rows, found);
}

fn event(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    let event = &rows.records.event;
    if fold.event != Some((event.stage, event.version)) {
        let (stage, version) = fold.event.map_or(("nothing", 0), |(stage, version)| (stage.name(), version));
        let what = format!(
            "it is {} at version {}, and the journal ends at {stage} at version {version}",
            event.stage.name(),
            event.version
        );
        found.add(Invariant::Journal, format!("event {}", event.id), what);
    }
    let end = event.details.end_time;
    if let Some(said) = fold.ends.filter(|said| *said != end) {
        found.add(Invariant::Journal, format!("event {}", event.id), format!("it ends at {end}, and the journal says {said}"));
    }
}

fn seats(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    for seat in &rows.records.seats {
        let folded = fold.seats.get(&seat.number);
        let (status, owner, version) =
            folded.map_or((SeatStatus::Available, None, 0), |folded| (folded.status, folded.owner, folded.version));
        if (seat.status(), seat.owner(), seat.version) != (status, owner, version) {
            let (ours, of) =
                (seat.status().name(), |owner: Option<_>| owner.map_or(String::new(), |id| format!(" for booking {id}")));
            let what = format!(
                "it is {ours}{} at version {}, and the journal ends at {}{} at version {version}",
                of(seat.owner()),
                seat.version,
                status.name(),
                of(owner),
            );
            found.add(Invariant::Journal, rows.seat(seat.number), what);
        }
    }
    for number in fold.seats.keys().filter(|number| **number as usize >= rows.records.seats.len()) {
        found.add(Invariant::Journal, rows.seat(*number), "the journal moves it and it is not there");
    }
}

fn bookings(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    for booking in &rows.records.bookings {
        let wrong = match fold.bookings.get(&booking.id) {
            None => Some("the journal does not know of it".to_owned()),
            Some(folded) => self::booking(fold, folded, booking),
        };
        if let Some(what) = wrong {
            found.add(Invariant::Journal, format!("booking {}", booking.id), what);
        }
    }
    for id in fold.bookings.keys().filter(|id| rows.booking(**id).is_none()) {
        found.add(Invariant::Journal, format!("booking {id}"), "the journal knows of it and it is not there");
    }
}

fn booking(fold: &Fold, folded: &FoldedBooking, booking: &Booking) -> Option<String> {
    if (booking.status(), booking.version) != (folded.status, folded.version) {
        let (status, ends) = (booking.status().name(), folded.status.name());
        let versions = (booking.version, folded.version);
        return Some(format!(
            "it is {status} at version {}, and the journal ends at {ends} at version {}",
            versions.0, versions.1
        ));
    }
    if booking.user_id != folded.user_id {
        return Some(format!("it is of user {}, and the journal says {}", booking.user_id, folded.user_id));
    }
    if booking.created_at != folded.began {
        return Some(format!("it began at {}, and the journal says {}", booking.created_at, folded.began));
    }
    if let BookingState::Confirmed { at, .. } = booking.state
        && at != folded.at
    {
        return Some(format!("it was confirmed at {at}, and the journal says {}", folded.at));
    }
    if !booking.status().is_live() {
        return None;
    }
    let ours = |number| fold.seats.get(&number).filter(|seat| seat.owner == Some(booking.id));
    let differs = booking.seats.iter().find(|seat| ours(seat.number).is_none_or(|folded| folded.price != seat.price));
    if let Some(seat) = differs {
        return Some(format!("the journal does not give it seat {} at {}", seat.number, seat.price));
    }
    (booking.seats.len() != folded.seats)
        .then(|| format!("it has {} seats, and the journal says {}", booking.seats.len(), folded.seats))
}

fn payments(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    for payment in &rows.records.payments {
        let succeeded = matches!(payment.state, PaymentState::Succeeded { .. });
        let wrong = match fold.captured.get(&payment.id) {
            Some((booking, amount)) if succeeded && (*booking, *amount) == (payment.booking_id, payment.amount.amount) => None,
            Some((_, amount)) if succeeded => Some(format!("it is of {}, and the journal says {amount}", payment.amount.amount)),
            Some(_) => Some(format!("it is {}, and the journal says that it was captured", payment.status())),
            // Nothing is asked of a gateway where nothing is due.
            None if succeeded && payment.amount.amount > 0 => Some("the journal does not say that it was captured".to_owned()),
            None => None,
        };
        if let Some(what) = wrong {
            found.add(Invariant::Journal, format!("payment {}", payment.id), what);
        }
    }
    for id in fold.captured.keys().filter(|id| rows.payment(**id).is_none()) {
        found.add(Invariant::Journal, format!("payment {id}"), "the journal says that it was captured and it is not there");
    }
}

fn refunds(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    for refund in &rows.records.refunds {
        let sent = matches!(refund.state, RefundState::Succeeded { .. });
        let wrong = match fold.due.get(&refund.id) {
            None => "the journal does not say that it is owed",
            Some(due) if *due != (refund.payment_id, refund.amount.amount) => {
                "the journal says another amount, or another payment"
            }
            Some(_) if sent != fold.sent.contains(&refund.id) => "it and the journal do not agree on whether it was sent",
            Some(_) => continue,
        };
        found.add(Invariant::Journal, format!("refund {}", refund.id), wrong);
    }
    if rows.records.refunds.len() < fold.due.len() {
        let what = format!("there are {} refunds, and the journal says {}", rows.records.refunds.len(), fold.due.len());
        found.add(Invariant::Journal, format!("event {}", rows.records.event.id), what);
    }
}

fn tickets(fold: &Fold, rows: &Rows<'_>, found: &mut Findings) {
    let mut used = 0;
    for ticket in &rows.records.tickets {
        let said = fold.used.get(&ticket.id).copied();
        let at = if let TicketState::CheckedIn { at, .. } = ticket.state { Some(at) } else { None };
        used += usize::from(said.is_some());
        if said != at {
            let what = "it and the journal do not agree on whether, or when, somebody came in with it";
            found.add(Invariant::Journal, format!("ticket {}", ticket.id), what);
        }
    }
    if used < fold.used.len() {
        let what = "the journal says that somebody came in with a ticket that is not there";
        found.add(Invariant::Journal, format!("event {}", rows.records.event.id), what);
    }
}
