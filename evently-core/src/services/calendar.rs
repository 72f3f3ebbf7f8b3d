//! A booking as a calendar entry, RFC 5545.

use std::fmt::Write;

use super::EventView;
use crate::domain::{Booking, BookingState, Stage, Timestamp};

/// Lines are folded so that none is longer than that many bytes (RFC 5545, section 3.1).
const LINE_BYTES_MAX: usize = 75;

/// The calendar file of a booking, as of `now`.
pub fn calendar(view: &EventView, booking: &Booking, now: Timestamp) -> String {
    let details = &view.event.details;
    let mut file = String::new();
    let mut line = |text: &str| fold(&mut file, text);
    line("BEGIN:VCALENDAR");
    line("VERSION:2.0");
    line("PRODID:-//Evently//Evently//EN");
    line("CALSCALE:GREGORIAN");
    line("METHOD:PUBLISH");
    line("BEGIN:VEVENT");
    line(&format!("UID:{}@evently", booking.id));
    // Calendars take what is later for later, and an event that is moved is no other booking.
    line(&format!("SEQUENCE:{}", u64::from(booking.version) + u64::from(view.event.version)));
    line(&format!("DTSTAMP:{}", utc(now)));
    line(&format!("DTSTART:{}", utc(details.start_time)));
    line(&format!("DTEND:{}", utc(details.end_time)));
    line(&format!("SUMMARY:{}", escaped(&details.name)));
    line(&format!("LOCATION:{}", escaped(&view.venue.name)));
    line(&format!("DESCRIPTION:{}", escaped(&seat_list(view, booking))));
    line(&format!("STATUS:{}", status(view, booking, now)));
    line("END:VEVENT");
    line("END:VCALENDAR");
    file
}

/// Whether one is going (RFC 5545, section 3.8.1.11). A hold that has run out and an event that was called off are over before
/// anybody has seen to the booking.
fn status(view: &EventView, booking: &Booking, now: Timestamp) -> &'static str {
    match &booking.state {
        _ if view.event.stage == Stage::Cancelled => "CANCELLED",
        BookingState::Pending(hold) if hold.is_live(now) => "TENTATIVE",
        BookingState::Confirmed { .. } => "CONFIRMED",
        BookingState::Pending(_) | BookingState::Expired | BookingState::Cancelled | BookingState::Refunded => "CANCELLED",
    }
}

/// The seats of a booking in words, with its code: a line each.
pub(super) fn seat_list(view: &EventView, booking: &Booking) -> String {
    let mut text = String::new();
    if let Some(code) = booking.code {
        let _ = write!(text, "Booking code {code}");
    }
    for booked in &booking.seats {
        if let Some((section, row, seat)) = view.layout.seat(booked.number) {
            let _ = write!(text, "\n{}, row {}, seat {}", section.name, row.label, seat.label);
        }
    }
    text
}

/// `20261122T193000Z`.
fn utc(at: Timestamp) -> String {
    let text = Timestamp::from_secs(at.as_secs()).to_string();
    text.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

fn fold(file: &mut String, line: &str) {
    let mut room = LINE_BYTES_MAX;
    for c in line.chars() {
        if c.len_utf8() > room {
            file.push_str("\r\n ");
            room = LINE_BYTES_MAX - 1;
        }
        file.push(c);
        room -= c.len_utf8();
    }
    file.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut file = String::new();
        fold(&mut file, &"é".repeat(100));
        let lines = file.split("\r\n").collect::<Vec<_>>();
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX), "{lines:?}");
        assert_eq!(file.replace("\r\n ", "").trim_end(), "é".repeat(100));
    }

    #[test]
    fn a_line_is_as_long_as_it_may_be() {
        let folded = |length: usize| {
            let mut file = String::new();
            fold(&mut file, &"x".repeat(length));
            file.lines().map(str::len).collect::<Vec<_>>()
        };
        assert_eq!(folded(75), [75]);
        assert_eq!(folded(75 + 74), [75, 75], "the space in front counts");
        assert_eq!(folded(75 + 74 + 1), [75, 75, 2]);
    }

    #[test]
    fn times_are_those_of_greenwich_to_the_second() {
        assert_eq!(utc("2026-11-22T20:30:00.5+01:00".parse().unwrap()), "20261122T193000Z");
    }

    #[test]
    fn text_cannot_end_its_line() {
        assert_eq!(escaped("a,b;c\\d\r\nBEGIN:X"), "a\\,b\\;c\\\\d\\nBEGIN:X");
    }
}
