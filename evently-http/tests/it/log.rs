//! What the log says of a sale.

use std::{
    io::{Read, Seek},
    sync::Arc,
};

use http::Method;
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp};

#[tokio::test]
async fn every_step_of_a_sale_says_who_did_what_about_which_event() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let mut paper = tempfile::tempfile().unwrap();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(Arc::new(paper.try_clone().unwrap())).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    app.post("/auth/login", None, json!({"email": "ada@example.org", "password": PASSWORD})).await.expect(200);
    let id = app.hold(&ada, event, &[0]).await;
    app.advance(60);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/extend"), Some(&ada), None).await.expect(200);
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), None).await.expect(200);
    drop(guard);
    let mut text = String::new();
    paper.rewind().unwrap();
    paper.read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.filter(|line| line["target"] == "evently_http::access").collect::<Vec<_>>();
    assert!(lines.iter().all(|line| line["duration_ms"].is_number()), "{lines:?}");
    let said = lines.iter().map(|line| [&line["action"], &line["user_id"], &line["event_id"]].map(Value::as_str));
    let event = event.to_string();
    let (ada, organizer, event) = (Some(&*ada.id), Some(&*organizer.id), Some(&*event));
    let expected = [
        [Some("login"), ada, None],
        [Some("booking_created"), ada, event],
        [Some("booking_extended"), ada, event],
        [Some("payment_made"), ada, event],
        [Some("booking_cancelled"), ada, event],
        [Some("event_cancelled"), organizer, event],
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
    assert!(!text.contains("ada@example.org") && !text.contains(PASSWORD), "no addresses and no secrets: {text}");
}
