//! Tickets to print.

use std::io::Read;

use evently_core::domain::{EventId, Role};
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
