//! Several instances on one database, with a Redis between them.

use std::time::Duration;

use evently_core::domain::EventId;
use evently_testservers::Redis;
use serde_json::Value;

use crate::app::{Person, TestApp};

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn readiness(app: &TestApp) -> Value {
    app.get("/health/ready", None).await.expect(200)
}

/// Waits until the service says so of itself.
async fn until_ready(app: &TestApp, status: &str) -> Value {
    let ready = async {
        loop {
            let health = readiness(app).await;
            if health["status"] == status {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.unwrap_or_else(|_| panic!("it never says {status}"))
}

async fn until_shown(app: &TestApp, event: EventId, number: usize, status: &str) {
    let shown = async {
        while app.get(&format!("/api/v1/events/{event}/seats"), None).await.expect(200)["seats"][number]["status"] != status {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("seat {number} is never shown as {status}"));
}

async fn hold(app: &TestApp, by: &Person, event: EventId, number: u32) -> crate::app::Answer {
    let body = app.hold_of(event, &[number]).await;
    app.post("/api/v1/bookings", Some(by), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_sells_the_other_shows_and_refuses_with_redis_and_without() {
    let redis = Redis::start().unwrap();
    let settings = [("redis.url", redis.url())];
    let settings = settings.each_ref().map(|(key, url)| (*key, url.as_str()));
    let one = TestApp::with(&settings).await;
    let other = one.beside(&settings).await;
    for app in [&one, &other] {
        assert_eq!(until_ready(app, "ok").await["dependencies"][1]["name"], "redis");
    }
    let (_, event) = one.on_sale(1).await;
    let (ada, bob) = (one.customer("ada").await, other.customer("bob").await);
    until_shown(&other, event, 0, "available").await;

    hold(&one, &ada, event, 0).await.expect(201);
    let refused = hold(&other, &bob, event, 0).await.refused(409, "seats_unavailable");
    assert_eq!(refused["seats"].as_array().unwrap().len(), 1);
    until_shown(&other, event, 0, "reserved").await;

    redis.kill();
    for app in [&one, &other] {
        until_ready(app, "degraded").await;
    }
    hold(&other, &bob, event, 1).await.expect(201);
    hold(&one, &ada, event, 1).await.refused(409, "seats_unavailable");
    hold(&one, &ada, event, 2).await.expect(201);

    redis.restart().unwrap();
    for app in [&one, &other] {
        until_ready(app, "ok").await;
    }
    hold(&other, &bob, event, 2).await.refused(409, "seats_unavailable");
    hold(&other, &bob, event, 3).await.expect(201);
    until_shown(&one, event, 3, "reserved").await;
}

/// Named as a replica of itself, a primary is none, which is no reason to sell less.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_the_service_is_degraded_and_goes_on() {
    let primary = evently_testservers::shared_postgres().unwrap().admin_url("postgres");
    let app = TestApp::with(&[("store.replica_url", &primary)]).await;
    let health = until_ready(&app, "degraded").await;
    assert_eq!(health["dependencies"][1]["name"], "replica");
    assert_eq!(health["dependencies"][1]["status"], "down");
    let (_, event) = app.on_sale(1).await;
    assert_eq!(app.get("/api/v1/events", None).await.expect(200)["items"][0]["id"], event.to_string());
    let ada = app.customer("ada").await;
    hold(&app, &ada, event, 0).await.expect(201);
}
