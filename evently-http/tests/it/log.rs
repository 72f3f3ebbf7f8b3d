//! What the log says of requests, and what it does not.

use std::{
    fs::File,
    io::{self, Read, Seek},
    sync::{Arc, Once},
};

use http::{Method, Request};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

use crate::app::{PASSWORD, Person, TestApp};

/// What is logged until it is read.
pub struct Log {
    paper: File,
    _kept: DefaultGuard,
}

impl Log {
    pub fn begin() -> Self {
        // Whether anybody wants a kind of line is kept for all threads as it is found the first time. Where tests share a process that may
        // be on a thread that listens to nothing, so that somebody has to listen everywhere.
        static EVERYWHERE: Once = Once::new();
        EVERYWHERE.call_once(|| tracing_subscriber::fmt().with_writer(io::sink).init());
        let paper = tempfile::tempfile().unwrap();
        let writer = Arc::new(paper.try_clone().unwrap());
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(writer).finish();
        Self { paper, _kept: tracing::subscriber::set_default(subscriber) }
    }

    /// All of it, and the lines of requests.
    pub fn read(mut self) -> (String, Vec<Value>) {
        let mut text = String::new();
        self.paper.rewind().unwrap();
        self.paper.read_to_string(&mut text).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["target"] == "evently_http::access").collect();
        (text, lines)
    }
}

#[tokio::test]
async fn every_step_of_a_sale_says_who_did_what_about_which_event() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let log = Log::begin();
    app.post("/auth/login", None, json!({"email": "ada@example.org", "password": PASSWORD})).await.expect(200);
    let id = app.hold(&ada, event, &[0]).await;
    app.advance(60);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/extend"), Some(&ada), None).await.expect(200);
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), None).await.expect(200);
    let (text, lines) = log.read();
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

/// Some type their password where the address belongs.
#[tokio::test]
async fn nothing_that_was_typed_at_a_refused_login_is_in_the_log() {
    let app = TestApp::new().await;
    app.customer("ada").await;
    let log = Log::begin();
    let typed = ["ada@example.org", "bob@example.org", PASSWORD, "wrong-password"];
    for email in &typed[..3] {
        let body = json!({"email": email, "password": typed[3]});
        app.post("/auth/login", None, body).await.refused(401, "invalid_credentials");
    }
    let (text, lines) = log.read();
    assert_eq!(lines.iter().filter(|line| line["action"] == "login").count(), 3, "{text}");
    for typed in typed {
        assert!(!text.contains(typed), "{typed} is in {text}");
    }
}

#[tokio::test]
async fn nothing_of_a_body_that_cannot_be_read_is_in_the_log() {
    let app = TestApp::new().await;
    let log = Log::begin();
    let secret = "hush-hush";
    let bodies = [
        ("/auth/login", format!(r#"{{"email": "ada@example.org", "password": "{secret}""#), 400),
        ("/auth/login", format!(r#"{{"email": "ada@example.org", "password": "{secret}"}} {secret}"#), 400),
        ("/auth/login", format!(r#"{{"email": "ada@example.org", "password": ["{secret}"]}}"#), 422),
        ("/auth/refresh", format!(r#"{{"refresh_token": {secret}}}"#), 400),
        ("/auth/refresh", format!(r#"{{"token": "{secret}"}}"#), 422),
    ];
    let sent = bodies.len();
    for (path, body, status) in bodies {
        let request = Request::post(path).header("content-type", "application/json");
        app.send(request.body(body.into()).unwrap()).await.expect(status);
    }
    let (text, lines) = log.read();
    assert_eq!(lines.len(), sent, "{text}");
    assert!(!text.contains(secret) && !text.contains("ada@example.org"), "{text}");
}

/// Whoever reads a log could else pay with somebody's card, act in their name, or come in with their ticket.
#[tokio::test]
async fn nothing_that_lets_somebody_in_or_pays_is_in_the_log() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    app.customer("ada").await;
    let log = Log::begin();
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let first = app.post("/auth/login", None, login).await.expect(200);
    let second = app.post("/auth/refresh", None, json!({"refresh_token": first["refresh_token"]})).await.expect(200);
    let token = |tokens: &Value, kind: &str| tokens[kind].as_str().unwrap().to_owned();
    let [token, refresh_token] = ["access_token", "refresh_token"].map(|kind| token(&second, kind));
    let ada = Person { id: String::new(), token, refresh_token };
    let (paid, declined) = (app.hold(&ada, event, &[0]).await, app.hold(&ada, event, &[1]).await);
    app.pay(&ada, &declined, "tok_declined").await.expect(402);
    app.pay(&ada, &paid, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{paid}/tickets"), Some(&ada)).await.expect(200);
    let code = tickets[0]["code"].as_str().unwrap();
    let reading = json!({"code": code, "event_id": event});
    for result in ["admitted", "already_admitted"] {
        let told = app.post("/api/v1/admin/check-ins", Some(&organizer), reading.clone()).await.expect(200);
        assert_eq!(told["result"], result);
    }
    app.post("/auth/logout", None, json!({"refresh_token": ada.refresh_token})).await.expect(204);
    let (text, lines) = log.read();
    assert!(lines.iter().any(|line| line["action"] == "payment_made") && lines.iter().any(|line| line["action"] == "check_in"));
    let first = ["access_token", "refresh_token"].map(|kind| first[kind].as_str().unwrap());
    for secret in [first[0], first[1], &ada.token, &ada.refresh_token, "tok_visa", "tok_declined", code] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Whoever looks after the service looks for what went wrong on its side.
#[tokio::test]
async fn what_could_not_be_answered_stands_out_in_the_log() {
    let house = TestApp::new().await;
    let (_, event) = house.on_sale(1).await;
    let app = house.beside_without_events().await;
    let log = Log::begin();
    app.get(&format!("/api/v1/events/{event}"), None).await.refused(503, "store_unavailable");
    app.get("/api/v1/events/nothing", None).await.refused(404, "not_found");
    let (_, lines) = log.read();
    let levels = lines.iter().map(|line| (line["status"].as_u64().unwrap(), line["level"].as_str().unwrap()));
    assert_eq!(levels.collect::<Vec<_>>(), [(503, "WARN"), (404, "INFO")]);
}
