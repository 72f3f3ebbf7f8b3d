//! Several instances on one database, with a Redis between them.

use std::time::Duration;

use evently_core::domain::{Actor, Command, EventChange, EventId, Request, Role};
use evently_testservers::Redis;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Person, TestApp, WITHOUT_REDIS};

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

#[tokio::test]
async fn the_first_request_already_finds_redis() {
    let app = TestApp::new().await;
    assert!(app.app.shared.redis.as_ref().unwrap().health().up);
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

/// Two instances that share a Redis, which they have found.
async fn two() -> (Redis, TestApp, TestApp) {
    let redis = Redis::start().unwrap();
    let url = redis.url();
    let settings = [("redis.url", url.as_str())];
    let one = TestApp::with(&settings).await;
    let other = one.beside(&settings).await;
    for app in [&one, &other] {
        until_ready(app, "ok").await;
    }
    (redis, one, other)
}

async fn until_answered(app: &TestApp, path: &str, by: &Person, status: u16) {
    let answered = async {
        while app.get(path, Some(by)).await.status != status {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("{path} is never answered {status}"));
}

async fn until_named(app: &TestApp, event: EventId, name: &str) {
    let named = async {
        while app.get(&format!("/api/v1/events/{event}"), None).await.expect(200)["name"] != name {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, named).await.unwrap_or_else(|_| panic!("it is never shown as {name}"));
}

async fn rename(app: &TestApp, by: &Person, event: EventId, name: &str) {
    let path = format!("/api/v1/admin/events/{event}");
    app.call(Method::PATCH, &path, Some(by), Some(json!({"name": name}))).await.expect(200);
}

fn log_out(person: &Person) -> Value {
    json!({"refresh_token": person.refresh_token})
}

/// By the clocks of the instances no time passes, so that nothing is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_and_another_role_count_at_the_other_instance_at_once() {
    let (_redis, one, other) = two().await;
    let (ada, admin) = (one.customer("ada").await, one.person("admin", Role::Admin).await);
    for app in [&one, &other] {
        app.get("/api/v1/me", Some(&ada)).await.expect(200);
        app.get("/api/v1/admin/users", Some(&admin)).await.expect(200);
    }
    one.post("/auth/logout", None, log_out(&ada)).await.expect(204);
    one.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
    until_answered(&other, "/api/v1/me", &ada, 401).await;
    let path = format!("/api/v1/admin/users/{}", admin.id);
    one.call(Method::PATCH, &path, Some(&admin), Some(json!({"role": "customer"}))).await.expect(200);
    one.get("/api/v1/admin/users", Some(&admin)).await.refused(403, "forbidden");
    until_answered(&other, "/api/v1/admin/users", &admin, 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_logout_counts_at_the_other_instance_within_five_seconds() {
    let (redis, one, other) = two().await;
    let (ada, bob) = (one.customer("ada").await, one.customer("bob").await);
    for app in [&one, &other] {
        app.get("/api/v1/me", Some(&ada)).await.expect(200);
        app.get("/api/v1/me", Some(&bob)).await.expect(200);
    }
    redis.pause();
    one.post("/auth/logout", None, log_out(&ada)).await.expect(204);
    one.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
    other.advance(5);
    other.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
    other.get("/api/v1/me", Some(&bob)).await.expect(200);
    // It comes back with what it had.
    redis.resume();
    for app in [&one, &other] {
        until_ready(app, "ok").await;
        app.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
    }
    let late = one.beside(&[("redis.url", &redis.url())]).await;
    until_ready(&late, "ok").await;
    late.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_at_one_instance_is_shown_by_the_other_and_what_one_has_read_the_other_need_not() {
    let (redis, one, other) = two().await;
    let (organizer, event) = one.on_sale(1).await;
    until_named(&one, event, "A night out").await;
    until_named(&other, event, "A night out").await;
    let far = other.app.caches.counts().into_iter().find(|counts| (counts.cache, counts.level) == ("event", "far")).unwrap();
    assert!(far.hits >= 1, "{far:?}");
    rename(&one, &organizer, event, "Another night").await;
    assert_eq!(one.get(&format!("/api/v1/events/{event}"), None).await.expect(200)["name"], "Another night");
    until_named(&other, event, "Another night").await;
    // An edit of one field leaves what the other instance has edited.
    let path = format!("/api/v1/admin/events/{event}");
    other.call(Method::PATCH, &path, Some(&organizer), Some(json!({"description": "Late"}))).await.expect(200);
    until_named(&other, event, "Another night").await;
    redis.flush().unwrap();
    rename(&other, &organizer, event, "The last night").await;
    until_named(&one, event, "The last night").await;
    redis.kill();
    rename(&one, &organizer, event, "Without Redis").await;
    until_named(&one, event, "Without Redis").await;
    assert!(other.app.events.refresh().await.unwrap());
    until_named(&other, event, "Without Redis").await;
    let metrics = one.get("/metrics", None).await;
    let metrics = String::from_utf8_lossy(&metrics.bytes);
    for figure in
        ["cache_requests_total{", "cache_loads_total{", "cache_unreadable_total{", "postgres_lock_duration_seconds_count"]
    {
        assert!(metrics.contains(figure), "{figure} in {metrics}");
    }
}

/// As if an instance had been killed between its commit and what it tells the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_which_nobody_was_told_is_found_in_the_journal() {
    let (_redis, one, other) = two().await;
    let (organizer, event) = one.on_sale(1).await;
    while one.app.relay.hand_on().await.unwrap() > 0 {}
    until_named(&one, event, "A night out").await;
    until_named(&other, event, "A night out").await;
    let change = EventChange { name: Some("Another night".to_owned()), ..EventChange::default() };
    let by = Actor::User(organizer.id.parse().unwrap(), Role::Organizer);
    let edit = Request::new(by, Command::EditEvent { event_id: event, change });
    one.app.store.bookings.apply(one.now(), &[edit]).await.unwrap().answers[0].result.as_ref().unwrap();
    while other.app.relay.hand_on().await.unwrap() > 0 {}
    until_named(&one, event, "Another night").await;
    until_named(&other, event, "Another night").await;
}

/// Figures of sales may be a minute old where they are shared.
#[tokio::test(flavor = "multi_thread")]
async fn figures_are_the_same_at_all_instances_and_a_minute_old_at_most() {
    let (redis, one, other) = two().await;
    let (organizer, event) = one.on_sale(1).await;
    let ada = one.customer("ada").await;
    let path = format!("/api/v1/admin/events/{event}/analytics");
    let holds = async |app: &TestApp| app.get(&path, Some(&organizer)).await.expect(200)["totals"]["holds"].clone();
    assert_eq!(holds(&one).await, 0);
    hold(&one, &ada, event, 0).await.expect(201);
    assert_eq!((holds(&one).await, holds(&other).await), (json!(0), json!(0)));
    for app in [&one, &other] {
        app.advance(60);
    }
    // What is too old by our clocks is none, whatever Redis thinks.
    assert_eq!((holds(&other).await, holds(&one).await), (json!(1), json!(1)));
    redis.kill();
    hold(&one, &ada, event, 1).await.expect(201);
    assert_eq!(holds(&other).await, 2);
}

/// Whoever gets at Redis can put anything there, and must not be able to say who somebody is.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_under_another_secret_is_not_believed() {
    let redis = Redis::start().unwrap();
    let url = redis.url();
    let one = TestApp::with(&[("redis.url", &url)]).await;
    let (_, event) = one.on_sale(1).await;
    let stranger = one.beside(&[("redis.url", &url), ("auth.secret", &"5eed".repeat(16))]).await;
    let shown = async |app: &TestApp| {
        app.get(&format!("/api/v1/events/{event}"), None).await.expect(200);
        app.app.caches.counts().into_iter().find(|counts| (counts.cache, counts.level) == ("event", "far")).unwrap()
    };
    shown(&one).await;
    let other = one.beside(&[("redis.url", &url)]).await;
    assert_eq!((shown(&other).await.hits, shown(&other).await.unreadable), (1, 0));
    assert_eq!((shown(&stranger).await.hits, shown(&stranger).await.unreadable), (0, 1));
}

#[tokio::test]
async fn requests_and_wrong_passwords_are_counted_at_all_instances_together() {
    for rates in [
        [("rate_limit.auth", "4/minute"), ("rate_limit.login", "100/15m")],
        [("rate_limit.auth", "1000000/minute"), ("rate_limit.login", "4/15m")],
    ] {
        let settings = [&rates[..], &[("rate_limit.enabled", "true")]].concat();
        let one = TestApp::with(&settings).await;
        let other = one.beside(&settings).await;
        let mut statuses = Vec::new();
        for app in [&one, &other, &one, &other, &one, &other] {
            let login = json!({"email": "ada@example.org", "password": "a guess at it"});
            statuses.push(app.post("/auth/login", None, login).await.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 401, 429, 429], "{rates:?}");
    }
}

/// Where nothing numbers the states for all of them, a number of one says nothing at another.
#[tokio::test]
async fn without_redis_no_instance_takes_the_state_of_another_for_its_own() {
    let one = TestApp::with(&[WITHOUT_REDIS]).await;
    let other = one.beside(&[WITHOUT_REDIS]).await;
    let (_, event) = one.on_sale(1).await;
    let ada = one.customer("ada").await;
    let path = format!("/api/v1/events/{event}/seats");
    one.get(&path, None).await.expect(200);
    one.hold(&ada, event, &[0, 1]).await;
    let shown = other.get(&path, None).await;
    one.hold(&ada, event, &[7]).await;
    let known = [("if-none-match", shown.headers["etag"].to_str().unwrap())];
    let elsewhere = one.call_with(Method::GET, &path, None, None, &known).await.expect(200);
    assert_eq!(elsewhere["seats"][7]["status"], "reserved");
}

/// There is an alert for it. The figures are of this test alone, which runs on one thread.
#[tokio::test]
async fn a_redis_that_has_gone_is_in_the_metrics() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let until = async |figure: &str| {
        let said = async {
            while !figures.render().lines().any(|line| line == figure) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("it does not say {figure}"));
    };
    let redis = Redis::start().unwrap();
    let _app = TestApp::with(&[("redis.url", &redis.url())]).await;
    until("redis_up 1").await;
    redis.kill();
    until("redis_up 0").await;
}
