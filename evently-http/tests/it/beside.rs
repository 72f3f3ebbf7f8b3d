//! What goes on beside the requests: the audit, and the mails where there is no broker.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{PaymentId, PaymentState},
    ports::{CLAIM_LASTS, Claim},
};
use evently_http::{auditor, metrics::metrics_text, workers};
use http::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{app::TestApp, broker::until};

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the figure of the audit is this one.
async fn until_found(figure: &str, when: &str) {
    let says = async {
        while found() != figure {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, says).await.unwrap_or_else(|_| panic!("{} {when}, not {figure}", found()));
}

fn found() -> String {
    figure("evently_invariant_violations")
}

fn figure(name: &str) -> String {
    let text = metrics_text();
    let mut figures = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    figures.next().unwrap_or("none").to_owned()
}

/// Makes the store contradict itself.
fn spoil(app: &TestApp) {
    let store = rusqlite::Connection::open(app.app.config.data.dir.join("evently.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    assert_eq!(store.execute("update seats set status = 3 where number = 2", []).unwrap(), 1);
}

/// The figure is that of the whole process, which is why all of it is in one test.
#[tokio::test]
async fn whoever_follows_a_process_that_audits_goes_on_in_its_rhythm() {
    let app = TestApp::with(&[("workers.audit", "1h")]).await;
    app.on_sale(1).await;
    let audits = |app: &TestApp| tokio::spawn(auditor::run(Arc::clone(&app.app)));
    let killed = audits(&app);
    until_found("0", "at the start").await;
    killed.abort();
    spoil(&app);

    let next = app.beside(&[("workers.audit", "1h")]).await;
    next.advance(CLAIM_LASTS.as_secs());
    metrics::gauge!("evently_invariant_violations").set(7.0);
    let stopped = audits(&next);
    until_found("0", "as it was found last, and is not looked at before its time").await;
    next.app.stopping.send_replace(true);
    timeout(PATIENCE, stopped).await.expect("it stops").unwrap();
    let newcomer = Claim::new(&*next.app.ids, &*next.clock);
    let claim = async |claim: &Claim| next.app.store.outbox.claim("audit", claim).await.unwrap();
    assert!(claim(&newcomer).await.is_some(), "nobody has to wait for whoever has stopped");
    claim(&newcomer.over(next.now())).await;

    let late = app.beside(&[("workers.audit", "1h")]).await;
    late.advance(3600);
    let killed = audits(&late);
    until_found("1", "after an hour").await;
    killed.abort();

    // However seldom the next one looks: that something was found counts, and not when nothing was before that.
    let next = app.beside(&[("workers.audit", "1d")]).await;
    next.advance(3600 + CLAIM_LASTS.as_secs());
    metrics::gauge!("evently_invariant_violations").set(7.0);
    let killed = audits(&next);
    until_found("1", "at once after somebody who has found something").await;
    killed.abort();

    let taken_over = app.beside(&[("workers.audit", "1s")]).await;
    taken_over.advance(3600 + 2 * CLAIM_LASTS.as_secs());
    metrics::gauge!("evently_invariant_violations").set(7.0);
    let audits = audits(&taken_over);
    until_found("1", "as before").await;
    let owner = app.app.ids.uuid(app.now());
    let later = taken_over.now() + 2 * CLAIM_LASTS;
    let another = Claim { owner, now: later, until: later + 10 * CLAIM_LASTS };
    assert!(app.app.store.outbox.claim("audit", &another).await.unwrap().is_some());
    sleep(Duration::from_secs(3)).await;
    assert_eq!(found(), "1", "what was found stands until whoever has taken over had the time to look");
    taken_over.advance(1);
    until_found("NaN", "where another has taken over").await;
    audits.abort();
}

#[tokio::test]
async fn where_nothing_is_to_be_audited_nobody_takes_it_on() {
    let app = TestApp::with(&[("workers.audit", "0s")]).await;
    timeout(PATIENCE, auditor::run(Arc::clone(&app.app))).await.expect("there is nothing to do");
    let claim = Claim::new(&*app.app.ids, &*app.clock);
    assert!(app.app.store.outbox.claim("audit", &claim).await.unwrap().is_some());
}

#[tokio::test]
async fn bookings_that_are_pending_are_counted() {
    let app = TestApp::with(&[("workers.enabled", "false")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for seat in 0..3 {
        app.hold(&ada, event, &[seat]).await;
    }
    let sold = app.hold(&ada, event, &[3]).await;
    app.pay(&ada, &sold, "tok_visa").await.expect(200);
    let workers = workers::start(&app.app);
    until("the gauges say so", async || ["active_bookings_total", "evently_pending_bookings"].map(figure) == ["3", "3"]).await;
    drop(workers);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_taken_in_keeps_back_no_other() {
    let app = TestApp::with(&[("workers.enabled", "false")]).await;
    let (_, event) = app.on_sale(1).await;
    let mut bookings = Vec::new();
    for (seat, name) in [(0, "ada"), (1, "bob")] {
        let buyer = app.customer(name).await;
        let booking = app.hold(&buyer, event, &[seat]).await;
        app.pay(&buyer, &booking, "tok_slow").await.expect(200);
        bookings.push((buyer, booking));
    }
    let store = rusqlite::Connection::open(app.app.config.data.dir.join("evently.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let spoils = "update payments set currency = '?' where hex(booking_id) = upper(replace(?1, '-', ''))";
    assert_eq!(store.execute(spoils, [&bookings[0].1]).unwrap(), 1);
    app.advance(60);
    let workers = workers::start(&app.app);
    until("the other one is paid", async || app.status_of(&bookings[1].0, &bookings[1].1).await == "confirmed").await;
    drop(workers);
}

/// A payment of which the gateway has said nothing.
async fn unanswered() -> (TestApp, PaymentId) {
    let app = TestApp::with(&[("payment.gateway_timeout", "50ms")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let paying = app.pay(&ada, &id, "tok_timeout").await.expect(200);
    let id = paying["payment"]["id"].as_str().unwrap().parse().unwrap();
    (app, id)
}

/// Money that was taken after all would else stay with the house.
#[tokio::test]
async fn what_was_given_up_is_asked_about_for_a_day() {
    let (app, id) = unanswered().await;
    let became = async || app.app.store.bookings.payment(id).await.unwrap().unwrap().state;
    let failed = |reason: &str| PaymentState::Failed { reason: reason.to_owned() };
    app.advance(3600);
    app.app.payments.reconcile().await.unwrap();
    assert_eq!(became().await, failed("no_answer"));
    app.advance(24 * 3600);
    let workers = workers::start(&app.app);
    until("it is asked about", async || became().await == failed("never_charged")).await;
    drop(workers);
}

#[tokio::test]
async fn without_a_broker_too_a_mail_that_cannot_be_sent_keeps_back_no_other() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    for (seat, name) in [(0, "ada"), (1, "bob")] {
        let buyer = app.customer(name).await;
        let booking = app.hold(&buyer, event, &[seat]).await;
        app.pay(&buyer, &booking, "tok_visa").await.expect(200);
    }
    let data = &app.app.config.data.dir;
    let store = rusqlite::Connection::open(data.join("evently.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    assert_eq!(store.execute("update users set email = 'nowhere' where name = 'ada'", []).unwrap(), 1);
    while app.app.relay.hand_on().await.unwrap() > 0 {}
    assert_eq!(app.app.relay.waiting().await.unwrap(), 0);
    let mails = std::fs::read_dir(data.join("mail")).unwrap().map(|mail| std::fs::read_to_string(mail.unwrap().path()).unwrap());
    let mails = mails.collect::<Vec<_>>();
    assert!(mails.len() == 1 && mails[0].contains("To: bob <bob@example.org>"), "{mails:?}");
}

/// Without anybody who asks for it, and without a broker.
#[tokio::test]
async fn what_was_paid_for_an_event_that_was_called_off_goes_back_by_itself() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    app.post(&format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), json!({})).await.expect(200);
    let workers = workers::start(&app.app);
    let path = format!("/api/v1/bookings/{id}");
    until("it goes back", async || app.get(&path, Some(&ada)).await.expect(200)["payments"][0]["status"] == "refunded").await;
    drop(workers);
    assert_eq!(app.status_of(&ada, &id).await, "refunded");
}

/// Else it would be pending for ever, and its buyer could not even pay again.
#[tokio::test]
async fn a_gateway_that_never_said_anything_is_asked() {
    let (app, id) = unanswered().await;
    app.advance(3600);
    let workers = workers::start(&app.app);
    until("it is asked about", async || {
        app.app.store.bookings.payment(id).await.unwrap().unwrap().state != PaymentState::Processing
    })
    .await;
    drop(workers);
}

/// Nobody misses what is not forgotten, and the table grows.
#[tokio::test]
async fn answers_that_nobody_may_ask_for_any_more_are_forgotten() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for (seat, key) in [(0, "k-1"), (1, "k-2")] {
        let body = app.hold_of(event, &[seat]).await;
        app.call_with(Method::POST, "/api/v1/bookings", Some(&ada), Some(body), &[("idempotency-key", key)]).await.expect(201);
    }
    let store = rusqlite::Connection::open(app.app.config.data.dir.join("evently.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let answers = || store.query_one("select count(*) from answers", [], |row| row.get::<_, u32>(0)).unwrap();
    assert!(answers() > 1);
    app.advance(25 * 3600);
    let workers = workers::start(&app.app);
    // The last one stays, so that its number is not given again.
    until("they are forgotten", async || answers() == 1).await;
    drop(workers);
}
