//! The service with a RabbitMQ, without it, and with one that is of no use.

use std::{sync::Arc, time::Duration};

use evently_core::memory::ManualClock;
use evently_http::{
    compose,
    config::{Config, Sources},
    workers,
};
use evently_testservers::RabbitMq;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::app::{Person, TestApp};

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until it holds.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// What the service says of itself and of its broker.
async fn readiness(app: &TestApp) -> (Value, Value) {
    let health = app.get("/health/ready", None).await.expect(200);
    let mut dependencies = health["dependencies"].as_array().unwrap().iter();
    let broker = dependencies.find(|dependency| dependency["name"] == "rabbitmq").unwrap();
    (health["status"].clone(), broker["status"].clone())
}

async fn figures(app: &TestApp) -> String {
    String::from_utf8(app.get("/metrics", None).await.bytes.to_vec()).unwrap()
}

async fn buy(app: &TestApp, by: &Person, event: evently_core::domain::EventId, seat: u32) {
    let booking = app.hold(by, event, &[seat]).await;
    app.pay(by, &booking, "tok_visa").await.expect(200);
}

/// Why the service does not start with these settings.
async fn refusal(url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let flags = [("data.dir", folder.path().to_str().unwrap()), ("rabbitmq.url", url)];
    let flags = flags.map(|(key, value)| ("test", key, value.to_owned())).to_vec();
    match Config::load(&Sources { flags, ..Sources::default() }) {
        Err(error) => error.to_string(),
        Ok(config) => {
            let clock = Arc::new(ManualClock::new(evently_core::domain::Timestamp::from_secs(1_800_000_000)));
            compose::open_at(config, clock).await.err().unwrap_or_else(|| panic!("{url} will do")).to_string()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_of_no_use_is_an_error_that_names_its_setting_and_what_to_do() {
    let right = tokio::task::spawn_blocking(evently_testservers::shared_rabbitmq).await.unwrap().unwrap();
    for (url, remedy) in [
        ("rabbit.example.org".to_owned(), "amqp://user:password@host:5672/%2f"),
        ("http://guest:hush@127.0.0.1/".to_owned(), "amqp://user:password@host:5672/%2f"),
        ("amqp://guest:hush@127.0.0.1:port/".to_owned(), "amqp://user:password@host:5672/%2f"),
        ("amqps://guest:hush@127.0.0.1/".to_owned(), "feature"),
        (right.replace("guest:guest", "guest:hush"), "check the user, the password and the virtual host"),
        (right.replace("%2f", "hush"), "check the user, the password and the virtual host"),
    ] {
        let said = refusal(&url).await;
        assert!(said.contains("rabbitmq.url") && said.contains(remedy), "{url}: {said}");
        assert!(!said.contains(":hush"), "{url}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_never_says_a_word_is_away_and_seats_are_sold() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
    evently_http::metrics::install();
    let app = TestApp::with(&[("rabbitmq.url", &url)]).await;
    assert_eq!(readiness(&app).await, ("degraded".into(), "down".into()));
    assert!(figures(&app).await.contains("\nrabbitmq_up 0\n"));
    let (_, event) = app.on_sale(1).await;
    buy(&app, &app.customer("ada").await, event, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_costs_no_sale_and_no_mail() {
    let rabbitmq = Arc::new(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap().unwrap());
    evently_http::metrics::install();
    let app = TestApp::with(&[("rabbitmq.url", &rabbitmq.url())]).await;
    let mut workers = workers::start(&app.app);
    let mails = || std::fs::read_dir(app.app.config.data.dir.join("mail")).map_or(0, Iterator::count);
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    assert_eq!(readiness(&app).await, ("ok".into(), "up".into()));
    buy(&app, &ada, event, 0).await;
    until("the mail comes by the broker", async || mails() == 1).await;

    let killed = rabbitmq.clone();
    tokio::task::spawn_blocking(move || killed.kill()).await.unwrap();
    until("it says that its broker is away", async || readiness(&app).await == ("degraded".into(), "down".into())).await;
    for seat in 1..4 {
        buy(&app, &ada, event, seat).await;
    }
    until("it says how much waits", async || figures(&app).await.contains("\nevently_outbox_waiting 12\n")).await;
    assert_eq!(mails(), 1);

    let restarted = rabbitmq.clone();
    tokio::task::spawn_blocking(move || restarted.restart().unwrap()).await.unwrap();
    until("the mails come", async || mails() == 4).await;
    until("nothing waits", async || figures(&app).await.contains("\nevently_outbox_waiting 0\n")).await;
    assert_eq!(readiness(&app).await, ("ok".into(), "up".into()));
    let figures = figures(&app).await;
    for figure in [
        "rabbitmq_up 1",
        r#"rabbitmq_messages_total{what="confirmed",at="transitions"} "#,
        r#"rabbitmq_entries_total{what="confirmed",at="transitions"} 18"#,
    ] {
        assert!(figures.contains(figure), "{figure} is not in {figures}");
    }
    // The broker may have died before it heard that the first one was done, and then it came again, for nothing.
    let consumed = |count| figures.contains(&format!(r#"rabbitmq_entries_total{{what="consumed",at="notifications"}} {count}"#));
    assert!(consumed(4) || consumed(5), "{figures}");
    assert_eq!(mails(), 4);
    app.app.stopping.send_replace(true);
    while workers.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_done_for_all_is_left_to_those_who_are_to_do_it() {
    let app = TestApp::with(&[("workers.enabled", "false")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.advance(300);
    let mut idle = workers::start(&app.app);
    let other = app.beside(&[]).await;
    other.clock.advance(app.now().since(other.now()));
    app.app.stopping.send_replace(true);
    // Each does a round before it looks whether it is to end.
    while idle.join_next().await.is_some() {}
    assert_eq!(app.app.store.chores.pending_total().await.unwrap(), 1, "nobody has ended it");
    let mut busy = workers::start(&other.app);
    until("the hold is ended", async || app.app.store.chores.pending_total().await.unwrap() == 0).await;
    assert_eq!(app.status_of(&ada, &booking).await, "expired");
    other.app.stopping.send_replace(true);
    while busy.join_next().await.is_some() {}
}
