//! What goes on beside the requests: the audit, and the mails where there is no broker.

use std::{sync::Arc, time::Duration};

use evently_core::ports::{CLAIM_LASTS, Claim};
use evently_http::{auditor, metrics::metrics_text};
use tokio::time::{sleep, timeout};

use crate::app::TestApp;

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until an audit has said that nothing contradicts itself, though another figure was there.
async fn until_audited(when: &str) {
    let audited = async {
        while !metrics_text().lines().any(|line| line == "evently_invariant_violations 0") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, audited).await.unwrap_or_else(|_| panic!("nothing is audited {when}"));
    metrics::gauge!("evently_invariant_violations").set(7.0);
}

/// A process that is killed says nothing to the next one, and that is when one wants to know. The figures are those of the whole process,
/// which is why all of it is in one test.
#[tokio::test]
async fn whoever_follows_a_process_that_audits_audits_soon() {
    let app = TestApp::new().await;
    let killed = tokio::spawn(auditor::run(Arc::clone(&app.app)));
    until_audited("at the start").await;
    killed.abort();

    let next = app.beside(&[]).await;
    next.advance(CLAIM_LASTS.as_secs());
    let stopped = tokio::spawn(auditor::run(Arc::clone(&next.app)));
    until_audited("after one that was killed").await;
    next.app.stopping.send_replace(true);
    timeout(PATIENCE, stopped).await.expect("it stops").unwrap();

    let last = app.beside(&[]).await;
    last.advance(CLAIM_LASTS.as_secs());
    let audits = tokio::spawn(auditor::run(Arc::clone(&last.app)));
    until_audited("after one that was stopped").await;
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
