//! Every seat is there once, and has at most one live booking, which knows of it.

use super::{Findings, Invariant, rows::Rows};
use crate::domain::{Booking, BookingId, BookingStatus, Layout, Seat, SeatState};

pub(super) fn check(rows: &Rows<'_>, layout: Option<&Layout>, found: &mut Findings) {
    conservation(rows, layout, found);
    claims(rows, found);
    for seat in &rows.records.seats {
        owner(rows, seat, found);
    }
}

fn conservation(rows: &Rows<'_>, layout: Option<&Layout>, found: &mut Findings) {
    let (event, seats) = (&rows.records.event, &rows.records.seats);
    let subject = || format!("event {}", event.id);
    if seats.len() != event.seats_total as usize {
        let what = format!("it has {} seats instead of {}", seats.len(), event.seats_total);
        found.add(Invariant::Conservation, subject(), what);
    }
    if let Some((at, seat)) = (0..).zip(seats).find(|(at, seat)| seat.number != *at) {
        let what = format!("its seats are not numbered without a gap: number {at} is followed by {}", seat.number);
        found.add(Invariant::Conservation, subject(), what);
    }
    for seat in seats.iter().filter(|seat| usize::from(seat.category) >= event.categories.len()) {
        found.add(Invariant::Conservation, rows.seat(seat.number), "it has no price category");
    }
    let Some(layout) = layout else { return };
    if layout.id != event.layout_id {
        let what = format!("its seats were made from layout {} and not from {}", event.layout_id, layout.id);
        found.add(Invariant::Conservation, subject(), what);
    }
    if layout.seats_total() != event.seats_total {
        let what = format!("it counts {} seats where its layout has {}", event.seats_total, layout.seats_total());
        found.add(Invariant::Conservation, subject(), what);
    }
    for (seat, _) in seats.iter().zip(layout.places()).filter(|(seat, place)| seat.category != place.seat.category) {
        found.add(Invariant::Conservation, rows.seat(seat.number), "it is not of the category that its layout gives it");
    }
}

/// What the live bookings claim.
fn claims(rows: &Rows<'_>, found: &mut Findings) {
    let seats = &rows.records.seats;
    let mut claimed = vec![None::<BookingId>; seats.len()];
    for booking in &rows.records.bookings {
        let subject = || format!("booking {}", booking.id);
        if booking.seats.is_empty() {
            found.add(Invariant::Exclusivity, subject(), "it has no seats");
        }
        if !booking.seats.is_sorted_by_key(|seat| seat.number) {
            found.add(Invariant::Exclusivity, subject(), "its seats are not in order");
        }
        for booked in booking.seats.iter().filter(|_| booking.status().is_live()) {
            let number = booked.number;
            let Some(claim) = claimed.get_mut(number as usize) else {
                found.add(Invariant::Exclusivity, subject(), format!("it claims seat {number}, which the event does not have"));
                continue;
            };
            if let Some(other) = claim.replace(booking.id) {
                let what = format!("claimed by booking {other} and by booking {}, both live", booking.id);
                found.add(Invariant::Exclusivity, rows.seat(number), what);
            }
            let seat = &seats[number as usize];
            if seat.owner() != Some(booking.id) {
                let what = format!("booking {} is {} and has lost it: it is {}", booking.id, booking.status().name(), says(seat));
                found.add(Invariant::Exclusivity, rows.seat(number), what);
            }
        }
    }
}

/// What the seat says of its booking.
fn owner(rows: &Rows<'_>, seat: &Seat, found: &mut Findings) {
    let (id, needs) = match seat.state {
        SeatState::Reserved(id) => (id, BookingStatus::Pending),
        SeatState::Booked(id) => (id, BookingStatus::Confirmed),
        SeatState::Available | SeatState::Blocked => return,
    };
    let claims = |booking: &Booking| booking.seats.iter().any(|booked| booked.number == seat.number);
    let wrong = match rows.booking(id) {
        None => "which does not exist".to_owned(),
        Some(booking) if booking.status() != needs => format!("which is {}", booking.status().name()),
        Some(booking) if !claims(booking) => "which does not claim it".to_owned(),
        Some(_) => return,
    };
    found.add(Invariant::Exclusivity, rows.seat(seat.number), format!("{}, {wrong}", says(seat)));
}

fn says(seat: &Seat) -> String {
    match seat.owner() {
        Some(booking) => format!("{} for booking {booking}", seat.status().name()),
        None => seat.status().name().to_owned(),
    }
}
