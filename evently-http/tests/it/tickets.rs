//! Tickets to print.

use std::{collections::HashMap, io::Read};

use evently_core::domain::{EventId, Role};
use fast_qr::{ECL, QRBuilder};
use flate2::read::ZlibDecoder;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Person, TestApp};

async fn paid(app: &TestApp, by: &Person, event: EventId, seats: &[u32]) -> String {
    let id = app.hold(by, event, seats).await;
    app.pay(by, &id, "tok_visa").await.expect(200);
    id
}

fn pages(document: &[u8]) -> usize {
    String::from_utf8_lossy(document).matches("/Type /Page\n").count()
}

/// What of a document is packed, and text.
fn streams(document: &[u8]) -> impl Iterator<Item = String> {
    let begin = (0..document.len()).filter(|at| document[*at..].starts_with(b"stream\n"));
    begin.filter_map(|at| {
        let mut text = String::new();
        ZlibDecoder::new(&document[at + 7..]).read_to_string(&mut text).ok().map(|_| text)
    })
}

/// The QR code of each page: what is black.
fn codes(document: &[u8]) -> Vec<String> {
    streams(document).filter_map(|text| Some(text.split("0 0 0 rg").nth(1)?.split("\nf").next()?.to_owned())).collect()
}

/// The characters that the fonts of a document say they show.
fn characters(document: &[u8]) -> String {
    let mut characters = Vec::new();
    for text in streams(document).filter(|text| text.contains("begincmap")) {
        for line in text.lines() {
            let Some((_, unicode)) = line.strip_prefix('<').and_then(|line| line.split_once("> <")) else { continue };
            let units = unicode.trim_end_matches('>').as_bytes().chunks(4);
            characters.extend(units.map(|unit| u16::from_str_radix(str::from_utf8(unit).unwrap(), 16).unwrap()));
        }
    }
    String::from_utf16_lossy(&characters)
}

/// What a font of a document means by its numbers.
fn meanings(cmap: &str) -> HashMap<u16, char> {
    let hex = |text: &str| u16::from_str_radix(text, 16).unwrap();
    let entries = cmap.lines().filter_map(|line| line.strip_prefix('<')?.strip_suffix('>')?.split_once("> <"));
    entries.map(|(number, unicode)| (hex(number), char::from_u32(hex(unicode).into()).unwrap())).collect()
}

/// The bytes of a string in a document, from behind its opening parenthesis.
fn string(written: &str) -> Vec<u8> {
    let mut characters = written.bytes();
    let (mut bytes, mut open) = (Vec::new(), 1);
    while let Some(byte) = characters.next() {
        open += i32::from(byte == b'(') - i32::from(byte == b')');
        if open == 0 {
            break;
        }
        let escaped = if byte == b'\\' { characters.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(digit @ b'0'..=b'7') => [digit, characters.next().unwrap(), characters.next().unwrap()]
                .into_iter()
                .fold(0, |value, digit| value * 8 + (digit - b'0')),
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(itself) => itself,
        });
    }
    bytes
}

/// What each page says, text by text.
fn texts(document: &[u8]) -> Vec<Vec<String>> {
    let cmaps = streams(document).filter(|text| text.contains("begincmap")).map(|text| meanings(&text)).collect::<Vec<_>>();
    let [regular, bold] = &cmaps[..] else { panic!("there are two fonts") };
    let page = |content: String| {
        let shown = content.split(" Tf\n(").zip(content.split(" Tf\n(").skip(1));
        let shown = shown.map(|(before, written)| {
            let font = if before.rsplit('/').next().unwrap().starts_with("Bold") { bold } else { regular };
            string(written).chunks(2).map(|number| font[&u16::from_be_bytes([number[0], number[1]])]).collect()
        });
        shown.collect()
    };
    streams(document).filter(|text| text.contains(" Tf\n(")).map(page).collect()
}

/// The ticket of somebody who has bought a seat of an event like this.
async fn printed(app: &TestApp, event: Value) -> bytes::Bytes {
    let who = app.app.ids.uuid(app.now());
    let organizer = app.person(&format!("organizer-{who}"), Role::Organizer).await;
    let buyer = app.customer(&format!("buyer-{who}")).await;
    let venue = app.venue(&organizer, 1).await;
    let event = app.draft(&organizer, &venue, event).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/publish"), Some(&organizer), None).await.expect(200);
    let id = paid(app, &buyer, event, &[0]).await;
    app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&buyer)).await.bytes
}

#[tokio::test]
async fn a_ticket_says_what_it_is_for() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = paid(&app, &ada, event, &[2, 5]).await;
    let booking = app.get(&format!("/api/v1/bookings/{id}"), Some(&ada)).await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    let answer = app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&ada)).await;
    let pages = texts(&answer.bytes);
    assert_eq!(pages.len(), 2);
    for (i, page) in pages.iter().enumerate() {
        let (seat, text) = (&booking["seats"][i], page.join("\n"));
        let of = |name: &str| seat[name].as_str().unwrap();
        assert_ne!(of("row"), of("label"), "or they could be turned around");
        let place = format!("SECTION\n{}\nROW\n{}\nSEAT\n{}\n", of("section"), of("row"), of("label"));
        assert!(text.contains(&place), "{text}");
        assert!(text.starts_with(&format!("TICKET {} OF 2\n", i + 1)), "{text}");
        let (code, booking_code) = (tickets[i]["code"].as_str().unwrap(), booking["code"].as_str().unwrap());
        assert!(text.contains(code) && text.contains(&format!("Booking {booking_code}\n")), "{text}");
        assert!(text.contains(booking["event_name"].as_str().unwrap()), "{text}");
        // A day after the test's time began, for two hours.
        assert!(text.contains("\nOdeon\nSat 16 January 2027, 08:00 to 10:00 UTC\n"), "{text}");
        assert!(text.contains("\n45.00 EUR\n"), "{text}");
    }
}

/// Whatever the event asks for by the time of printing.
#[tokio::test]
async fn a_ticket_says_what_was_paid_for_its_seat() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = |label: &str, category: &str| json!({"label": label, "x": label.len(), "y": 0, "category": category});
    let seats = [seat("1", "Front"), seat("02", "Back")];
    let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [{"label": "A", "seats": seats}]}]});
    let venue = app.post("/api/v1/admin/venues", Some(&organizer), plan).await.expect(201);
    let prices = |front, back| json!({"price_categories": [{"name": "Front", "price": front}, {"name": "Back", "price": back}]});
    let event = app.draft(&organizer, venue["id"].as_str().unwrap(), prices(4500, 2000)).await;
    let path = format!("/api/v1/admin/events/{event}");
    app.call(Method::POST, &format!("{path}/publish"), Some(&organizer), None).await.expect(200);
    let ada = app.customer("ada").await;
    let id = paid(&app, &ada, event, &[0, 1]).await;
    app.call(Method::PATCH, &path, Some(&organizer), Some(prices(9900, 8800))).await.expect(200);
    let answer = app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&ada)).await;
    let pages = texts(&answer.bytes);
    for (page, price) in pages.iter().zip(["45.00 EUR", "20.00 EUR"]) {
        assert!(page[1] == price, "{price}: {page:?}");
    }
    assert_eq!(pages.len(), 2);
}

/// Which of so many modules a side are black, read from what is painted.
fn painted(code: &str, side: u8) -> Vec<bool> {
    let bars = code.lines().filter_map(|line| line.strip_suffix(" re"));
    let bars =
        bars.map(|bar| bar.split(' ').map(|number| number.parse::<f32>().unwrap()).collect::<Vec<_>>()).collect::<Vec<_>>();
    let left = bars.iter().map(|bar| bar[0]).fold(f32::MAX, f32::min);
    let right = bars.iter().map(|bar| bar[0] + bar[2]).fold(f32::MIN, f32::max);
    let top = bars.iter().map(|bar| bar[1] + bar[3]).fold(f32::MIN, f32::max);
    let module = (right - left) / f32::from(side);
    let covers =
        |bar: &Vec<f32>, x: f32, y: f32| (bar[0]..bar[0] + bar[2]).contains(&x) && (bar[1]..bar[1] + bar[3]).contains(&y);
    let black = |row: u8, column: u8| {
        let (x, y) = (left + (f32::from(column) + 0.5) * module, top - (f32::from(row) + 0.5) * module);
        bars.iter().any(|bar| covers(bar, x, y))
    };
    (0..side).flat_map(|row| (0..side).map(move |column| (row, column))).map(|(row, column)| black(row, column)).collect()
}

#[tokio::test]
async fn what_is_printed_can_be_read_at_the_door() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = paid(&app, &ada, event, &[2, 5]).await;
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    let answer = app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&ada)).await;
    let printed = codes(&answer.bytes);
    assert_eq!(printed.len(), 2);
    for (i, printed) in printed.iter().enumerate() {
        let code = tickets[i]["code"].as_str().unwrap();
        let code = QRBuilder::new(code).ecl(ECL::M).build().unwrap();
        let modules = (0..code.size).flat_map(|row| code[row].iter().map(|module| module.value())).collect::<Vec<_>>();
        assert_eq!(painted(printed, u8::try_from(code.size).unwrap()), modules);
    }
}

#[tokio::test]
async fn a_confirmed_booking_has_a_page_for_each_ticket() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = paid(&app, &ada, event, &[0, 1, 2]).await;
    let answer = app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&ada)).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/pdf".parse().unwrap()));
    assert_eq!(answer.headers["cache-control"], "private, no-store");
    assert!(answer.bytes.starts_with(b"%PDF-"));
    assert_eq!(pages(&answer.bytes), 3);
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    let mut alone = Vec::new();
    for ticket in tickets.as_array().unwrap() {
        let one = app.get(ticket["pdf_url"].as_str().unwrap(), Some(&ada)).await;
        assert_eq!((one.status.as_u16(), pages(&one.bytes)), (200, 1));
        alone.extend(codes(&one.bytes));
    }
    assert_eq!(codes(&answer.bytes), alone, "each page has its own code");
    assert!(alone[0] != alone[1] && alone[0] != alone[2] && alone[1] != alone[2]);
}

#[tokio::test]
async fn only_who_has_bought_tickets_can_print_them() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let id = app.hold(&ada, event, &[0]).await;
    let path = format!("/api/v1/bookings/{id}/tickets.pdf");
    app.get(&path, Some(&ada)).await.refused(404, "not_found");
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    assert_eq!(app.get(&path, Some(&ada)).await.status, 200);
    app.get(&path, None).await.refused(401, "token_invalid");
    let ticket = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200)[0].clone();
    let [one, qr] = ["pdf_url", "qr_svg_url"].map(|url| ticket[url].as_str().unwrap());
    for stranger in [&bob, &organizer] {
        app.get(&path, Some(stranger)).await.refused(404, "not_found");
        app.get(one, Some(stranger)).await.refused(404, "not_found");
        app.get(qr, Some(stranger)).await.refused(404, "not_found");
    }
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
    app.get(&path, Some(&ada)).await.refused(404, "not_found");
    app.get(one, Some(&ada)).await.refused(404, "not_found");
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    assert_eq!((&tickets[0]["status"], &tickets[0]["pdf_url"]), (&json!("void"), &Value::Null));
}

#[tokio::test]
async fn names_of_any_language_can_be_printed() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let ada = app.customer("ada").await;
    let long = "w".repeat(200);
    for (name, shown) in [
        ("Dvořák: Rusalka", "ř"),
        ("Пікова дама", "П"),
        ("Οιδίπους", "ί"),
        ("🎻 emoji", "🎻"),
        ("東京の夜", ""),
        ("서울의 밤", ""),
        (&long, "…"),
    ] {
        let event = app.draft(&organizer, &venue, json!({"name": name})).await;
        app.call(Method::POST, &format!("/api/v1/admin/events/{event}/publish"), Some(&organizer), None).await.expect(200);
        let id = paid(&app, &ada, event, &[0]).await;
        let answer = app.get(&format!("/api/v1/bookings/{id}/tickets.pdf"), Some(&ada)).await;
        assert_eq!((answer.status.as_u16(), pages(&answer.bytes)), (200, 1), "{name}");
        assert!(answer.bytes.len() < 60_000, "{} bytes", answer.bytes.len());
        let characters = characters(&answer.bytes);
        assert!(characters.contains(shown) && characters.contains('T'), "{name}: {characters}");
    }
}

/// What the calendar file of a booking says of it.
async fn calendar_status(app: &TestApp, by: &Person, id: &str) -> String {
    calendar_line(app, by, id, "STATUS:").await
}

async fn calendar_line(app: &TestApp, by: &Person, id: &str, begins: &str) -> String {
    let file = app.get(&format!("/api/v1/bookings/{id}/calendar.ics"), Some(by)).await;
    let text = str::from_utf8(&file.bytes).unwrap();
    text.lines().find_map(|line| line.strip_prefix(begins)).unwrap().to_owned()
}

/// Otherwise it keeps what it had (RFC 5545, section 3.8.7.4).
#[tokio::test]
async fn a_calendar_is_told_that_what_has_changed_is_later() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let sequence = async || calendar_line(&app, &ada, &id, "SEQUENCE:").await.parse::<u64>().unwrap();
    let held = sequence().await;
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    let confirmed = sequence().await;
    let moved = json!({"start_time": "2027-01-17T08:00:00Z", "end_time": "2027-01-17T10:00:00Z"});
    app.call(Method::PATCH, &format!("/api/v1/admin/events/{event}"), Some(&organizer), Some(moved)).await.expect(200);
    assert_eq!(calendar_line(&app, &ada, &id, "DTSTART:").await, "20270117T080000Z");
    let moved = sequence().await;
    app.post(&format!("/api/v1/bookings/{id}/cancel"), Some(&ada), json!({})).await.expect(200);
    let all = [held, confirmed, moved, sequence().await];
    assert!(all.is_sorted_by(|before, after| before < after), "{all:?}");
}

#[tokio::test]
async fn a_calendar_is_told_what_is_held_what_is_booked_and_what_is_over() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let status = async |id: &str| calendar_status(&app, &ada, id).await;
    let cancel = async |id: &str| app.post(&format!("/api/v1/bookings/{id}/cancel"), Some(&ada), json!({})).await.expect(200);

    let file = app.get(&format!("/api/v1/bookings/{}/calendar.ics", app.hold(&ada, event, &[9]).await), Some(&ada)).await;
    let text = str::from_utf8(&file.bytes).unwrap();
    for line in ["DTSTART:20270116T080000Z", "DTEND:20270116T100000Z", "SUMMARY:A night out", "LOCATION:Odeon"] {
        assert!(text.lines().any(|said| said == line), "{line}: {text}");
    }
    let given_up = app.hold(&ada, event, &[0]).await;
    assert_eq!(status(&given_up).await, "TENTATIVE", "it is only held");
    cancel(&given_up).await;
    assert_eq!(status(&given_up).await, "CANCELLED");

    let run_out = app.hold(&ada, event, &[1]).await;
    app.advance(299);
    assert_eq!(status(&run_out).await, "TENTATIVE");
    app.advance(1);
    assert_eq!(app.status_of(&ada, &run_out).await, "pending", "nobody has seen to it yet");
    assert_eq!(status(&run_out).await, "CANCELLED");
    app.app.upkeep.expire_holds().await.unwrap();
    assert_eq!(app.status_of(&ada, &run_out).await, "expired");
    assert_eq!(status(&run_out).await, "CANCELLED");

    let paying = app.hold(&ada, event, &[2]).await;
    app.pay(&ada, &paying, "tok_slow").await.expect(200);
    app.advance(301);
    assert_eq!(status(&paying).await, "TENTATIVE", "the payment keeps it");

    let refunded = paid(&app, &ada, event, &[3]).await;
    assert_eq!(status(&refunded).await, "CONFIRMED");
    cancel(&refunded).await;
    assert_eq!(app.status_of(&ada, &refunded).await, "refunded");
    assert_eq!(status(&refunded).await, "CANCELLED");

    let (held, booked) = (app.hold(&ada, event, &[4]).await, paid(&app, &ada, event, &[5]).await);
    app.post(&format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), json!({})).await.expect(200);
    for id in [&held, &booked] {
        assert_eq!(status(id).await, "CANCELLED", "the event is called off, whether or not its bookings have been seen to");
    }
}

/// Whoever comes by the last train must know that it is another day by then.
#[tokio::test]
async fn a_ticket_for_a_night_names_the_days_on_which_it_begins_and_ends() {
    let app = TestApp::new().await;
    let night = json!({"start_time": "2027-01-16T20:00:00Z", "end_time": "2027-01-17T02:30:00Z"});
    let text = texts(&printed(&app, night).await)[0].join(" ");
    assert!(text.contains(" Sat 16 January 2027, 20:00 to Sun 17 January 2027, 02:30 UTC "), "{text}");
}

#[tokio::test]
async fn a_long_name_goes_on_in_a_second_line_between_two_words() {
    let app = TestApp::new().await;
    let name = "A Midsummer Night’s Dream in the Old Town";
    let ticket = &texts(&printed(&app, json!({"name": name})).await)[0];
    assert_eq!(ticket[2..4].join(" "), name);
}

/// Which go along in none of our documents: without its name the reader's program does not know what to write with.
#[tokio::test]
async fn a_document_names_the_font_of_a_language_that_readers_have_themselves() {
    let app = TestApp::new().await;
    for (name, font) in [("東京の夜", "HeiseiKakuGo-W5"), ("서울의 밤", "HYGoThic-Medium"), ("國家大劇院", "STSong-Light")]
    {
        let document = printed(&app, json!({"name": name})).await;
        assert!(String::from_utf8_lossy(&document).contains(&format!("/BaseFont /{font}")), "{name}");
    }
}
