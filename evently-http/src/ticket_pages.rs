//! Tickets to print or to carry on a phone: a page of a quarter of a sheet (A6) for each.

use evently_core::{
    domain::{Booking, BookingCode, Money, Ticket, TicketCode, Timestamp},
    services::EventView,
};
use fast_qr::{ECL, QRBuilder, QRCode};

use crate::pdf::{Colour, Document, Style, Weight};

const WIDTH: f32 = 297.6;
const HEIGHT: f32 = 419.5;
const MARGIN: f32 = 24.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// The QR code's side, without the blank margin that readers need, for which the page is wide enough.
const QR: f32 = 122.0;

const INK: Colour = [0.09, 0.09, 0.12];
const QUIET: Colour = [0.38, 0.38, 0.43];
const LINE: Colour = [0.80, 0.80, 0.84];

const TITLE: Style = Style { weight: Weight::Bold, size: 16.0, colour: INK };
const TEXT: Style = Style { weight: Weight::Regular, size: 9.5, colour: INK };
const VALUE: Style = Style { weight: Weight::Bold, size: 12.0, colour: INK };
const LABEL: Style = Style { weight: Weight::Regular, size: 7.0, colour: QUIET };

/// What a ticket says of its seat and its booking.
struct Words<'a> {
    event: &'a str,
    venue: &'a str,
    time: String,
    section: &'a str,
    row: &'a str,
    seat: &'a str,
    price: Money,
    booking_code: Option<BookingCode>,
    ticket_code: TicketCode,
    /// Which page of how many.
    page: (usize, usize),
}

/// The QR code of a ticket.
pub fn qr_code(code: TicketCode) -> QRCode {
    QRBuilder::new(code.to_string()).ecl(ECL::M).build().expect("36 characters fit a QR code")
}

/// A document with a page for each of these tickets of a booking.
pub fn document(view: &EventView, booking: &Booking, tickets: &[&Ticket]) -> Vec<u8> {
    let details = &view.event.details;
    let time = span(details.start_time, details.end_time);
    let mut document = Document::new(WIDTH, HEIGHT);
    for (i, ticket) in tickets.iter().enumerate() {
        let Some((section, row, seat)) = view.layout.seat(ticket.seat) else { continue };
        let booked = booking.seats.iter().find(|booked| booked.number == ticket.seat);
        let amount = booked.map_or_else(|| view.price(seat), |booked| booked.price);
        let words = Words {
            event: &details.name,
            venue: &view.venue.name,
            time: time.clone(),
            section: &section.name,
            row: &row.label,
            seat: &seat.label,
            price: Money { amount, currency: view.event.currency },
            booking_code: booking.code,
            ticket_code: ticket.code,
            page: (i + 1, tickets.len()),
        };
        page(&mut document, &words);
    }
    document.finish(&format!("{}: {}", if tickets.len() == 1 { "Ticket" } else { "Tickets" }, details.name))
}

fn page(document: &mut Document, words: &Words<'_>) {
    document.begin_page();
    let (number, of) = words.page;
    document.text(&format!("TICKET {number} OF {of}"), MARGIN, 34.0, LABEL);
    let price = words.price.to_string();
    document.text(&price, WIDTH - MARGIN - document.width(&price, LABEL), 34.0, LABEL);

    let mut y = 56.0;
    for line in lines(document, words.event, TITLE, 2) {
        document.text(&line, MARGIN, y, TITLE);
        y += 19.0;
    }
    y -= 2.0;
    for line in lines(document, words.venue, TEXT, 2).iter().chain(&lines(document, &words.time, TEXT, 2)) {
        document.text(line, MARGIN, y, TEXT);
        y += 13.0;
    }

    rule(document, 140.0);
    for (label, value, x, y, width) in [
        ("SECTION", words.section, MARGIN, 152.0, INNER),
        ("ROW", words.row, MARGIN, 181.0, 120.0),
        ("SEAT", words.seat, MARGIN + 130.0, 181.0, 120.0),
    ] {
        document.text(label, x, y, LABEL);
        document.text(&fitted(document, value, VALUE, width), x, y + 14.0, VALUE);
    }
    rule(document, 205.0);

    qr(document, &qr_code(words.ticket_code), (WIDTH - QR) / 2.0, 215.0);
    centred(document, &words.ticket_code.to_string(), 349.0, LABEL);
    if let Some(code) = words.booking_code {
        centred(document, &format!("Booking {code}"), 366.0, VALUE);
    }
    rule(document, 376.0);
    centred(document, "One entry only: the first to show this code is let in.", 389.0, LABEL);
    centred(document, "Keep it to yourself until you are at the door.", 399.0, LABEL);
}

fn rule(document: &mut Document, y: f32) {
    document.fill([[MARGIN, y, INNER, 0.6]], LINE);
}

fn centred(document: &mut Document, text: &str, y: f32, style: Style) {
    let x = (WIDTH - document.width(text, style)) / 2.0;
    document.text(text, x, y, style);
}

#[expect(clippy::cast_precision_loss, reason = "a QR code has at most 177 modules a side")]
fn qr(document: &mut Document, code: &QRCode, x: f32, y: f32) {
    let module = QR / code.size as f32;
    let mut bars = Vec::new();
    for row in 0..code.size {
        let mut column = 0;
        for run in code[row].chunk_by(|a, b| a.value() == b.value()) {
            if run[0].value() {
                let (left, top) = (x + column as f32 * module, y + row as f32 * module);
                // A little into the next row, or some programs show a hairline between the two.
                bars.push([left, top, run.len() as f32 * module, module * 1.02]);
            }
            column += run.len();
        }
    }
    document.fill(bars, [0.0, 0.0, 0.0]);
}

/// A text in at most so many lines of the page's width, broken at spaces where there are any, the last one cut short if need be.
fn lines(document: &Document, text: &str, style: Style, lines_max: usize) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = &*text;
    let mut lines = Vec::new();
    while lines.len() + 1 < lines_max && document.width(rest, style) > INNER {
        let end = fitting(document, rest, style, INNER);
        let space = if rest[end..].starts_with(' ') { Some(end) } else { rest[..end].rfind(' ') };
        let (line, after) = rest.split_at(space.unwrap_or(end));
        lines.push(line.to_owned());
        rest = after.trim_start();
    }
    lines.push(fitted(document, rest, style, INNER));
    lines
}

/// A text cut short to a width.
fn fitted(document: &Document, text: &str, style: Style, width: f32) -> String {
    if document.width(text, style) <= width {
        return text.to_owned();
    }
    let end = fitting(document, text, style, width - document.width("…", style));
    format!("{}…", text[..end].trim_end())
}

/// How many bytes of a text fit, at least one character.
fn fitting(document: &Document, text: &str, style: Style, width: f32) -> usize {
    let mut used = 0.0;
    for (i, c) in text.char_indices() {
        used += document.width(c.encode_utf8(&mut [0; 4]), style);
        if used > width && i > 0 {
            return i;
        }
    }
    text.len()
}

/// `Mon 1 February 2027, 19:00 to 21:00 UTC`, with both days where the event lasts beyond midnight.
fn span(from: Timestamp, to: Timestamp) -> String {
    let written = |at: Timestamp, format| match jiff::Timestamp::from_second(at.as_secs()) {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string(),
        Err(_) => at.to_string(),
    };
    let day = |at| written(at, "%a %-d %B %Y");
    let (from_day, to_day) = (day(from), day(to));
    let end = if from_day == to_day { String::new() } else { format!("{to_day}, ") };
    format!("{from_day}, {} to {end}{} UTC", written(from, "%H:%M"), written(to, "%H:%M"))
}
