//! Holds end, and a payment that keeps one alive is there and may still be decided.

use std::time::Duration;

use super::{Findings, Invariant, rows::Rows};
use crate::domain::{Booking, Hold, HoldTerms, PaymentState, Timestamp};

pub(super) fn check(rows: &Rows<'_>, now: Timestamp, found: &mut Findings) {
    for (booking, hold) in pending(rows) {
        if hold.until < booking.created_at {
            found.add(Invariant::Expiry, subject(booking), "its hold ends before it began");
        }
        if let Some(wrong) = payment_under_way(rows, booking, hold, now) {
            found.add(Invariant::Expiry, subject(booking), wrong);
        }
        for payment in rows.payments_of(booking.id) {
            if payment.is_open() && hold.payment.is_none_or(|(id, _)| id != payment.id) {
                let what = format!("payment {} is under way and its hold does not know of it", payment.id);
                found.add(Invariant::Expiry, subject(booking), what);
            }
        }
    }
}

fn payment_under_way(rows: &Rows<'_>, booking: &Booking, hold: &Hold, now: Timestamp) -> Option<String> {
    let (id, until) = hold.payment?;
    let Some(payment) = rows.payment(id) else {
        return Some(format!("its hold waits for payment {id}, which does not exist"));
    };
    if payment.booking_id != booking.id {
        return Some(format!("its hold waits for payment {id}, which is for booking {}", payment.booking_id));
    }
    if until < payment.created_at {
        return Some(format!("its hold waits for payment {id} until before that began"));
    }
    match &payment.state {
        // One that is refused when the hold has run out leaves it as it is, to be ended.
        PaymentState::Failed { .. } if hold.is_live(now) => Some(format!("its hold waits for payment {id}, which has failed")),
        PaymentState::Succeeded { .. } => Some(format!("it is pending although payment {id} has been made")),
        _ => None,
    }
}

pub(super) fn check_terms(rows: &Rows<'_>, terms: &HoldTerms, found: &mut Findings) {
    let longer = |from: Timestamp, until: Timestamp, than: Duration| until.since(from) > than;
    for (booking, hold) in pending(rows) {
        if longer(booking.created_at, hold.until, terms.cap) {
            let what = format!("its hold lasts until {}, longer than the cap of {:?}", hold.until, terms.cap);
            found.add(Invariant::Expiry, subject(booking), what);
        }
        if let Some((id, until)) = hold.payment
            && longer(booking.created_at, until, terms.cap.saturating_add(terms.payment_window))
        {
            let what = format!("payment {id} keeps it until {until}, beyond the cap and one window");
            found.add(Invariant::Expiry, subject(booking), what);
        }
        if let Some((id, until)) = hold.payment
            && let Some(payment) = rows.payment(id)
            && longer(payment.created_at, until, terms.payment_window)
        {
            let what = format!("payment {id} keeps it until {until}, longer than the window of {:?}", terms.payment_window);
            found.add(Invariant::Expiry, subject(booking), what);
        }
    }
}

fn pending<'a>(rows: &Rows<'a>) -> impl Iterator<Item = (&'a Booking, &'a Hold)> {
    rows.records.bookings.iter().filter_map(|booking| booking.hold().map(|hold| (booking, hold)))
}

fn subject(booking: &Booking) -> String {
    format!("booking {}", booking.id)
}
