use std::{future::ready, sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{GatewayReport, HoldTerms, Payment, Refund, Timestamp},
    memory::MemorySeatFeed,
    ports::{Charge, Charged, GatewayUnavailable, PaymentGateway, Webhook, WebhookError},
    services::{BoxOffice, OfficeSize, PaymentParts, PaymentService},
};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::app::{Person, TestApp};

const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that has captured the money, or not, some time before it says so.
struct Slow {
    gateway: Arc<dyn PaymentGateway>,
    meanwhile: Meanwhile,
}

type Meanwhile = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl Slow {
    /// The service with such a gateway.
    fn at(app: TestApp, terms: HoldTerms, meanwhile: Meanwhile) -> TestApp {
        app.altered(|app| {
            let (store, clock) = (app.store.clone(), app.clock.clone());
            let feed = Arc::new(MemorySeatFeed::new(store.catalog));
            let (office, work) = BoxOffice::open(store.bookings.clone(), feed, clock.clone(), OfficeSize::default());
            tokio::spawn(work);
            app.payments = Arc::new(PaymentService::new(PaymentParts {
                office,
                store: store.bookings,
                chores: store.chores,
                events: app.events.clone(),
                gateway: Arc::new(Self { gateway: app.sandbox.clone(), meanwhile }),
                clock,
                ids: app.ids.clone(),
                terms,
            }));
        })
    }
}

#[async_trait]
impl PaymentGateway for Slow {
    fn name(&self) -> &str {
        self.gateway.name()
    }

    fn check_token(&self, token: &str) -> Result<(), String> {
        self.gateway.check_token(token)
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        let charged = self.gateway.charge(charge).await;
        (self.meanwhile)().await;
        charged
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        self.gateway.look_up(payment).await
    }

    async fn refund(&self, refund: &Refund, payment: &Payment) -> Result<(), GatewayUnavailable> {
        self.gateway.refund(refund, payment).await
    }

    fn read_webhook(&self, body: &[u8], signature: Option<&str>, now: Timestamp) -> Result<Webhook, WebhookError> {
        self.gateway.read_webhook(body, signature, now)
    }
}

async fn booking(app: &TestApp, by: &Person, id: &str) -> Value {
    app.get(&format!("/api/v1/bookings/{id}"), Some(by)).await.expect(200)
}

async fn tickets(app: &TestApp, by: &Person, id: &str) -> usize {
    app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(by)).await.expect(200).as_array().unwrap().len()
}

#[tokio::test]
async fn money_at_once_confirms_and_gives_a_code_and_tickets() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0, 1]).await;
    let paid = app.pay(&ada, &id, "tok_visa").await.expect(200);
    assert_eq!((&paid["payment"]["status"], &paid["booking"]["status"]), (&json!("succeeded"), &json!("confirmed")));
    assert_eq!(paid["booking"]["code"].as_str().unwrap().len(), 8);
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    assert_eq!(tickets.as_array().unwrap().len(), 2);
    let qr = app.get(tickets[0]["qr_svg_url"].as_str().unwrap(), Some(&ada)).await;
    assert_eq!((qr.status.as_u16(), &qr.headers["content-type"]), (200, &http::HeaderValue::from_static("image/svg+xml")));
    assert_eq!(qr.headers["cache-control"], "private, no-store", "it opens the door");
    let calendar = app.get(&format!("/api/v1/bookings/{id}/calendar.ics"), Some(&ada)).await;
    assert!(calendar.bytes.starts_with(b"BEGIN:VCALENDAR\r\n"));
    app.pay(&ada, &id, "tok_visa").await.refused(409, "booking_not_pending");
}

#[tokio::test]
async fn a_declined_card_leaves_the_hold_and_another_pays() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_declined").await.refused(402, "payment_declined");
    let held = booking(&app, &ada, &id).await;
    assert_eq!((&held["status"], &held["expires_in"]), (&json!("pending"), &json!(300)));
    app.pay(&ada, &id, "tok_visa").await.expect(200);
}

/// A payment that began just before the hold had to end may be declined after it.
#[tokio::test]
async fn whose_card_is_declined_is_told_to_try_another_only_while_the_seats_are_held() {
    let app = TestApp::with(&[("booking.hold_cap", "5m")]).await;
    let clock = app.clock.clone();
    let meanwhile = move || {
        clock.advance(Duration::from_secs(2));
        ready(()).boxed()
    };
    let app = Slow::at(app, HoldTerms { cap: Duration::from_mins(5), ..HoldTerms::default() }, Box::new(meanwhile));
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let declined = app.pay(&ada, &id, "tok_declined").await.refused(402, "payment_declined");
    assert_eq!(declined["detail"], "the card was declined; the seats stay on hold, try another card");
    app.advance(297);
    let path = format!("/api/v1/bookings/{id}/payment");
    let body = json!({"method": {"type": "card", "token": "tok_declined"}});
    for _ in 0..2 {
        let key = [("idempotency-key", id.as_str())];
        let declined = app.call_with(Method::POST, &path, Some(&ada), Some(body.clone()), &key).await;
        let declined = declined.refused(402, "payment_declined");
        assert_eq!(declined["detail"], "the card was declined; the hold has run out");
    }
}

#[tokio::test]
async fn a_card_that_is_none_is_refused_before_anything_is_done() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let refused = app.pay(&ada, &id, "4242424242424242").await.refused(422, "validation_failed");
    assert_eq!(refused["errors"][0]["field"], "method.token");
    assert_eq!(booking(&app, &ada, &id).await["payments"], json!([]));
}

#[tokio::test]
async fn a_payment_that_needs_the_buyer_or_time_confirms_by_webhook() {
    for (card, status) in [
        ("tok_3ds", "requires_action"),
        ("tok_slow", "processing"),
        ("tok_duplicate_webhook", "processing"),
        ("tok_out_of_order", "processing"),
    ] {
        let app = TestApp::new().await;
        let (_, event) = app.on_sale(1).await;
        let ada = app.customer("ada").await;
        let id = app.hold(&ada, event, &[0]).await;
        let paying = app.pay(&ada, &id, card).await.expect(200);
        assert_eq!((&paying["payment"]["status"], &paying["booking"]["status"]), (&json!(status), &json!("pending")), "{card}");
        assert_eq!(paying["booking"]["expires_in"], 1800, "the payment keeps the hold alive");
        for _ in 0..3 {
            app.advance(3);
            app.deliver_webhooks().await;
        }
        let paid = booking(&app, &ada, &id).await;
        assert_eq!((&paid["status"], &paid["payments"][0]["status"]), (&json!("confirmed"), &json!("succeeded")), "{card}");
        assert_eq!((tickets(&app, &ada, &id).await, paid["refunds"].as_array().unwrap().len()), (1, 0), "{card}");
    }
}

#[tokio::test]
async fn a_webhook_that_never_comes_is_found_out() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_slow").await.expect(200);
    app.advance(3);
    assert_eq!(app.app.payments.reconcile().await.unwrap(), 0, "the gateway is given time");
    app.advance(3);
    assert_eq!(app.app.payments.reconcile().await.unwrap(), 1);
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
    app.deliver_webhooks().await;
    assert_eq!(tickets(&app, &ada, &id).await, 1);
}

#[tokio::test]
async fn a_gateway_that_never_answers_keeps_nobody_waiting() {
    let app = TestApp::with(&[("payment.gateway_timeout", "50ms")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let paying = app.pay(&ada, &id, "tok_timeout").await.expect(200);
    assert_eq!(paying["payment"]["status"], "processing");
    app.pay(&ada, &id, "tok_visa").await.refused(409, "request_in_flight");
    app.advance(15);
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    assert_eq!(booking(&app, &ada, &id).await["payments"][0]["failure"], "superseded");
}

#[tokio::test]
async fn who_asks_twice_with_one_key_is_told_when_to_ask_again() {
    let app = TestApp::with(&[("payment.gateway_timeout", "200ms")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let path = format!("/api/v1/bookings/{}/payment", app.hold(&ada, event, &[0]).await);
    let pay = || {
        let body = json!({"method": {"type": "card", "token": "tok_timeout"}});
        app.call_with(Method::POST, &path, Some(&ada), Some(body), &[("idempotency-key", "once-and-no-more")])
    };
    let (first, second) = tokio::join!(pay(), pay());
    assert_eq!(second.headers["retry-after"], "1");
    second.refused(409, "request_in_flight");
    let first = first.expect(200);
    assert_eq!(pay().await.expect(200)["payment"]["id"], first["payment"]["id"]);
}

/// Whoever has charged the card stands still, and another one is asked; then the first one goes on.
#[tokio::test]
async fn whose_payment_is_given_up_without_an_answer_is_told_what_becomes_of_money_that_comes_all_the_same() {
    let settings = [("booking.payment_window", "1m")];
    for (called_off, told, becomes) in [
        (
            false,
            "the seats stay on hold, try another card; money that comes all the same buys the booking, or goes back",
            ["confirmed", "succeeded"],
        ),
        (true, "the booking is cancelled; money that comes all the same goes back", ["cancelled", "refunded"]),
    ] {
        let (charged, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stands_still = {
            let (charged, goes_on) = (Arc::clone(&charged), Arc::clone(&goes_on));
            move || {
                charged.notify_one();
                let goes_on = Arc::clone(&goes_on);
                async move { goes_on.notified().await }.boxed()
            }
        };
        let app = TestApp::with(&settings).await;
        let terms = HoldTerms { payment_window: Duration::from_mins(1), ..HoldTerms::default() };
        let app = Slow::at(app, terms, Box::new(stands_still));
        let (organizer, event) = app.on_sale(1).await;
        let ada = app.customer("ada").await;
        let id = app.hold(&ada, event, &[0]).await;
        let path = format!("/api/v1/bookings/{id}/payment");
        let pay = async |app: &TestApp| {
            let body = json!({"method": {"type": "card", "token": "tok_visa"}});
            app.call_with(Method::POST, &path, Some(&ada), Some(body), &[("idempotency-key", "asked-here-and-there")]).await
        };
        tokio::select! {
            _ = pay(&app) => panic!("it stands still"),
            () = charged.notified() => {}
        }
        if called_off {
            app.post(&format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), json!({})).await.expect(200);
        }
        let other = app.beside(&settings).await;
        other.advance(66);
        assert_eq!(other.app.payments.reconcile().await.unwrap(), 1);
        let given_up = pay(&other).await.refused(402, "payment_declined");
        assert_eq!(given_up["detail"], format!("the gateway has not answered; {told}"));

        goes_on.notify_one();
        let came = async {
            while booking(&other, &ada, &id).await["payments"][0]["status"] == "failed" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, came).await.expect("the money is written down");
        let booking = booking(&other, &ada, &id).await;
        assert_eq!([&booking["status"], &booking["payments"][0]["status"]], becomes.map(|status| json!(status)).each_ref());
        assert_eq!(tickets(&other, &ada, &id).await, usize::from(!called_off));
        let again = pay(&other).await.refused(402, "payment_declined");
        assert_eq!(again["detail"], given_up["detail"], "what was answered once stays so");
    }
}

/// A booking whose money comes after its hold has run out.
async fn paid_late(app: &TestApp) -> (Person, String, evently_core::domain::EventId) {
    let (_, event) = app.on_sale(2).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0, 1]).await;
    app.pay(&ada, &id, "tok_late").await.expect(200);
    app.advance(1800);
    assert_eq!(app.app.upkeep.expire_holds().await.unwrap(), 1);
    assert_eq!(app.status_of(&ada, &id).await, "expired");
    app.advance(1);
    (ada, id, event)
}

#[tokio::test]
async fn late_money_takes_the_same_seats_if_they_are_free() {
    let app = TestApp::new().await;
    let (ada, id, event) = paid_late(&app).await;
    app.deliver_webhooks().await;
    let paid = booking(&app, &ada, &id).await;
    assert_eq!((&paid["status"], &paid["refunds"]), (&json!("confirmed"), &json!([])));
    assert_eq!(paid["seats"][0]["id"], json!(app.seat(event, 0).await));
    assert_eq!(tickets(&app, &ada, &id).await, 2);
}

#[tokio::test]
async fn late_money_takes_the_nearest_seats_of_the_kind_if_its_own_are_gone() {
    let app = TestApp::new().await;
    let (ada, id, event) = paid_late(&app).await;
    app.hold(&app.customer("bob").await, event, &[1]).await;
    app.deliver_webhooks().await;
    let paid = booking(&app, &ada, &id).await;
    assert_eq!((&paid["status"], &paid["total"]["amount"]), (&json!("confirmed"), &json!(9000)));
    let seats = [app.seat(event, 10).await, app.seat(event, 11).await];
    assert_eq!([&paid["seats"][0]["id"], &paid["seats"][1]["id"]], [&json!(seats[0]), &json!(seats[1])], "one row behind");
}

#[tokio::test]
async fn late_money_goes_back_once_if_nothing_is_left() {
    let app = TestApp::new().await;
    let (ada, id, event) = paid_late(&app).await;
    let (bob, eve) = (app.customer("bob").await, app.customer("eve").await);
    app.hold(&bob, event, &(0..10).collect::<Vec<_>>()).await;
    app.hold(&eve, event, &(10..20).collect::<Vec<_>>()).await;
    app.deliver_webhooks().await;
    app.advance(10);
    app.app.payments.reconcile().await.unwrap();
    assert_eq!(app.app.payments.send_refunds().await.unwrap(), 1);
    assert_eq!(app.app.payments.send_refunds().await.unwrap(), 0);
    let booking = booking(&app, &ada, &id).await;
    assert_eq!((&booking["status"], &booking["payments"][0]["status"]), (&json!("expired"), &json!("refunded")));
    assert_eq!(booking["refunds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_payment_gets_the_first_answer_and_charges_once() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for (seat, card, status) in [(0, "tok_visa", 200), (1, "tok_declined", 402), (2, "tok_3ds", 200)] {
        let id = app.hold(&ada, event, &[seat]).await;
        let path = format!("/api/v1/bookings/{id}/payment");
        let body = json!({"method": {"type": "card", "token": card}});
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = app.call_with(Method::POST, &path, Some(&ada), Some(body.clone()), &[("idempotency-key", &id)]).await;
            assert_eq!(answer.status.as_u16(), status);
            answers.push(answer);
        }
        assert_eq!(answers[1].headers["idempotent-replayed"], "true", "{card}");
        let strip = |answer: &crate::app::Answer| {
            let mut body = answer.json();
            body.as_object_mut().unwrap().remove("trace_id");
            body
        };
        assert_eq!(strip(&answers[0]), strip(&answers[1]), "{card}");
        assert_eq!(booking(&app, &ada, &id).await["payments"].as_array().unwrap().len(), 1, "{card}");
    }
}

#[tokio::test]
async fn only_the_gateway_can_send_webhooks() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_slow").await.expect(200);
    app.advance(2);
    let [delivery] = &app.app.sandbox.deliveries(app.now())[..] else { panic!("one webhook") };
    let post = |provider: &str, signature: Option<&str>| {
        let mut request = Request::post(format!("/webhooks/payments/{provider}")).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("evently-signature", signature);
        }
        app.send(request.body(delivery.body.clone().into()).unwrap())
    };
    post("sandbox", None).await.refused(400, "signature_invalid");
    post("sandbox", Some("t=1,v1=00")).await.refused(400, "signature_invalid");
    post("stripe", Some(&delivery.signature)).await.refused(404, "not_found");
    assert_eq!(app.status_of(&ada, &id).await, "pending");
    for _ in 0..3 {
        post("sandbox", Some(&delivery.signature)).await.expect(204);
    }
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
    assert_eq!(tickets(&app, &ada, &id).await, 1);
}

#[tokio::test]
async fn a_gateway_is_known_by_the_secret_that_was_set() {
    let app = TestApp::with(&[("payment.webhook_secret", &"5eed".repeat(16))]).await;
    let stranger = app.beside(&[("payment.webhook_secret", &"feed".repeat(16))]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_slow").await.expect(200);
    app.advance(2);
    let [delivery] = &app.app.sandbox.deliveries(app.now())[..] else { panic!("one webhook") };
    for (app, status) in [(&stranger, 400), (&app, 204)] {
        let request = Request::post("/webhooks/payments/sandbox")
            .header("content-type", "application/json")
            .header("evently-signature", &delivery.signature);
        app.send(request.body(delivery.body.clone().into()).unwrap()).await.expect(status);
    }
}

/// A gateway sends again what was refused, and nothing else.
#[tokio::test]
async fn a_webhook_that_cannot_be_taken_in_is_refused_and_counts_when_it_comes_again() {
    let app = TestApp::new().await;
    let closed = app.beside(&[]).await.altered(|app| {
        let (store, clock) = (app.store.clone(), app.clock.clone());
        let feed = Arc::new(MemorySeatFeed::new(store.catalog));
        // Nobody works there.
        let (office, _) = BoxOffice::open(store.bookings.clone(), feed, clock.clone(), OfficeSize::default());
        app.payments = Arc::new(PaymentService::new(PaymentParts {
            office,
            store: store.bookings,
            chores: store.chores,
            events: app.events.clone(),
            gateway: app.sandbox.clone(),
            clock,
            ids: app.ids.clone(),
            terms: HoldTerms::default(),
        }));
    });
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_slow").await.expect(200);
    app.advance(2);
    let [delivery] = &app.app.sandbox.deliveries(app.now())[..] else { panic!("one webhook") };
    for (app, status) in [(&closed, 503), (&app, 204)] {
        let request = Request::post("/webhooks/payments/sandbox")
            .header("content-type", "application/json")
            .header("evently-signature", &delivery.signature);
        app.send(request.body(delivery.body.clone().into()).unwrap()).await.expect(status);
    }
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
}

#[tokio::test]
async fn the_buyer_gets_a_mail_for_what_has_happened() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
    while app.app.relay.hand_on().await.unwrap() > 0 {}
    let folder = app.app.config.data.dir.join("mail");
    let mut mails = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    mails.sort();
    let texts = mails.iter().map(|mail| std::fs::read_to_string(mail).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts.len(), 2, "{mails:?}");
    assert!(texts[0].contains("To: ada <ada@example.org>") && texts[0].contains("Your booking for A night out"), "{}", texts[0]);
    assert!(texts[1].contains("is cancelled"), "{}", texts[1]);
}

#[tokio::test]
async fn figures_rebuilt_from_the_journal_come_out_equal() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(2).await;
    let ada = app.customer("ada").await;
    for (seat, card) in [(0, "tok_visa"), (1, "tok_declined"), (2, "tok_visa"), (3, "tok_slow")] {
        let id = app.hold(&ada, event, &[seat, seat + 10]).await;
        app.pay(&ada, &id, card).await;
        if seat == 2 {
            app.call(Method::POST, &format!("/api/v1/bookings/{id}/cancel"), Some(&ada), None).await.expect(200);
        }
        app.clock.advance(Duration::from_secs(1900));
        app.app.upkeep.expire_holds().await.unwrap();
        app.deliver_webhooks().await;
    }
    let path = format!("/api/v1/admin/events/{event}/analytics");
    let figures = app.get(&path, Some(&organizer)).await.expect(200);
    assert_eq!(figures["totals"]["seats_sold"], 4);
    assert_eq!(figures["totals"]["revenue"], json!({"amount": 18000, "currency": "EUR"}));
    assert_eq!((&figures["totals"]["holds"], &figures["totals"]["expired"]), (&json!(4), &json!(2)));
    app.app.analytics.rebuild().await.unwrap();
    assert_eq!(app.get(&path, Some(&organizer)).await.expect(200), figures);
}

/// Whoever closes the page while the card is being charged has paid all the same.
#[tokio::test]
async fn a_buyer_who_hangs_up_tears_no_payment_in_two() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for seat in 0..10 {
        let id = app.hold(&ada, event, &[seat]).await;
        let mut paying = Box::pin(app.pay(&ada, &id, "tok_visa"));
        let begun = async {
            while booking(&app, &ada, &id).await["payments"] == json!([]) {
                // Each time somebody looks, the request gets a little further.
                if (&mut paying).now_or_never().is_some() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.expect("the payment begins");
        drop(paying);
        let confirmed = async { while app.status_of(&ada, &id).await != "confirmed" {} };
        tokio::time::timeout(PATIENCE, confirmed).await.expect("it goes on without its buyer");
        app.post(&format!("/api/v1/bookings/{id}/cancel"), Some(&ada), json!({})).await.expect(200);
    }
}

/// Neither side has to change its secret at the same moment as the other.
#[tokio::test]
async fn while_a_gateways_secret_is_changed_both_are_taken_and_the_first_one_signs() {
    let (old, new) = ("5eed".repeat(16), "feed".repeat(16));
    let before = TestApp::with(&[("payment.webhook_secret", &old)]).await;
    let meanwhile = before.beside(&[("payment.webhook_secret", &format!("{new},{old}"))]).await;
    let after = before.beside(&[("payment.webhook_secret", &new)]).await;
    let (_, event) = before.on_sale(1).await;
    let ada = before.customer("ada").await;
    for (seat, sender, refused_by, taken_by) in [(0, &before, &after, &meanwhile), (1, &meanwhile, &before, &after)] {
        let id = sender.hold(&ada, event, &[seat]).await;
        sender.pay(&ada, &id, "tok_slow").await.expect(200);
        for app in [&before, &meanwhile, &after] {
            app.advance(2);
        }
        let [delivery] = &sender.app.sandbox.deliveries(sender.now())[..] else { panic!("one webhook") };
        for (app, status) in [(refused_by, 400), (taken_by, 204)] {
            let request = Request::post("/webhooks/payments/sandbox")
                .header("content-type", "application/json")
                .header("evently-signature", &delivery.signature);
            app.send(request.body(delivery.body.clone().into()).unwrap()).await.expect(status);
        }
        assert_eq!(taken_by.status_of(&ada, &id).await, "confirmed");
    }
}
