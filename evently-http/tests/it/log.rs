//! What the log says of a sale.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::app::{PASSWORD, TestApp};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Paper {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn every_step_of_a_sale_says_who_did_what_about_which_event() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let paper = Paper::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(paper.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    app.post("/auth/login", None, json!({"email": "ada@example.org", "password": PASSWORD})).await.expect(200);
    let id = app.hold(&ada, event, &[0]).await;
    app.advance(60);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/extend"), Some(&ada), None).await.expect(200);
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), None).await.expect(200);
    drop(guard);
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
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
