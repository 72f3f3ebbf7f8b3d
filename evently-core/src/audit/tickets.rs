//! A confirmed booking has one good ticket for each of its seats; no other booking has one that opens the door.

use rustc_hash::FxHashSet;

use super::{Findings, Invariant, rows::Rows};
use crate::domain::{Booking, BookingStatus, Ticket, TicketState};

pub(super) fn check(rows: &Rows<'_>, found: &mut Findings) {
    codes(rows, found);
    for ticket in &rows.records.tickets {
        if rows.booking(ticket.booking_id).is_none() {
            let what = format!("its booking {} does not exist", ticket.booking_id);
            found.add(Invariant::Tickets, format!("ticket {}", ticket.id), what);
        }
    }
    for booking in &rows.records.bookings {
        let tickets = rows.tickets_of(booking.id);
        match booking.status() {
            BookingStatus::Confirmed => one_each(booking, tickets, found),
            // Somebody may have been in before the house gave the booking up.
            BookingStatus::Cancelled | BookingStatus::Refunded => none_valid(booking, tickets, found),
            BookingStatus::Pending | BookingStatus::Expired if !tickets.is_empty() => {
                let what = format!("it has {} tickets and was never confirmed", tickets.len());
                found.add(Invariant::Tickets, format!("booking {}", booking.id), what);
            }
            BookingStatus::Pending | BookingStatus::Expired => {}
        }
        let confirmed = !matches!(booking.status(), BookingStatus::Pending | BookingStatus::Expired);
        if booking.status() == BookingStatus::Confirmed && booking.code.is_none() {
            found.add(Invariant::Tickets, format!("booking {}", booking.id), "it is confirmed and has no code");
        }
        if !confirmed && booking.code.is_some() {
            found.add(Invariant::Tickets, format!("booking {}", booking.id), "it has a code and was never confirmed");
        }
    }
}

fn one_each(booking: &Booking, tickets: &[&Ticket], found: &mut Findings) {
    let good = |number| tickets.iter().filter(|ticket| ticket.seat == number && ticket.state != TicketState::Void).count();
    for seat in &booking.seats {
        let count = good(seat.number);
        if count != 1 {
            let what = format!("it has {count} good tickets for seat {} instead of one", seat.number);
            found.add(Invariant::Tickets, format!("booking {}", booking.id), what);
        }
    }
    let ours = |number| booking.seats.iter().any(|seat| seat.number == number);
    for ticket in tickets.iter().filter(|ticket| ticket.state != TicketState::Void && !ours(ticket.seat)) {
        let what = format!("it has a good ticket for seat {}, which is not its own", ticket.seat);
        found.add(Invariant::Tickets, format!("booking {}", booking.id), what);
    }
}

fn none_valid(booking: &Booking, tickets: &[&Ticket], found: &mut Findings) {
    for ticket in tickets.iter().filter(|ticket| ticket.state == TicketState::Valid) {
        let what = format!("it is {} and its ticket for seat {} is still good", booking.status().name(), ticket.seat);
        found.add(Invariant::Tickets, format!("booking {}", booking.id), what);
    }
}

fn codes(rows: &Rows<'_>, found: &mut Findings) {
    let mut tickets = FxHashSet::default();
    for ticket in rows.records.tickets.iter().filter(|ticket| !tickets.insert(ticket.code)) {
        found.add(Invariant::Tickets, format!("ticket {}", ticket.id), "another ticket has the same code");
    }
    let mut bookings = FxHashSet::default();
    for booking in &rows.records.bookings {
        if booking.code.is_some_and(|code| !bookings.insert(code)) {
            found.add(Invariant::Tickets, format!("booking {}", booking.id), "another booking has the same code");
        }
    }
}
