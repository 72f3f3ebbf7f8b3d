use evently_core::domain::Role;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::app::{Person, TestApp, WITHOUT_REDIS};

async fn act(app: &TestApp, by: &Person, booking: &str, what: &str) -> crate::app::Answer {
    app.call(Method::POST, &format!("/api/v1/bookings/{booking}/{what}"), Some(by), None).await
}

#[tokio::test]
async fn a_hold_names_its_seats_its_price_and_its_end() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(2).await;
    let ada = app.customer("ada").await;
    let body = app.hold_of(event, &[4, 3]).await;
    let booking = app.post("/api/v1/bookings", Some(&ada), body).await.expect(201);
    assert_eq!(booking["status"], "pending");
    assert_eq!(booking["total"], json!({"amount": 9000, "currency": "EUR"}));
    assert_eq!((&booking["expires_in"], &booking["next_to_each_other"]), (&json!(300), &json!(true)));
    let places = booking["seats"].as_array().unwrap().iter().map(|seat| (&seat["section"], &seat["row"], &seat["label"]));
    let expected = [(&json!("Stalls"), &json!("1"), &json!("4")), (&json!("Stalls"), &json!("1"), &json!("5"))];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert_eq!(booking["lock_tokens"].as_array().unwrap().len(), 2);
    let seats = app.get(&format!("/api/v1/events/{event}/seats?status=reserved"), None).await.expect(200);
    assert_eq!(seats["seats"].as_array().unwrap().len(), 2, "whoever has been answered finds the seats taken");
}

#[tokio::test]
async fn overlapping_hold_is_refused_whole_and_names_the_seats_in_the_way() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    app.hold(&ada, event, &[1]).await;
    let body = app.hold_of(event, &[0, 1, 2]).await;
    let refused = app.post("/api/v1/bookings", Some(&bob), body).await.refused(409, "seats_unavailable");
    assert_eq!(refused["seats"], json!([{"id": app.seat(event, 1).await, "status": "reserved"}]));
    app.hold(&bob, event, &[0, 2]).await;
}

#[tokio::test]
async fn of_five_hundred_who_want_one_seat_one_gets_it() {
    let app = std::sync::Arc::new(TestApp::new().await);
    let (_, event) = app.on_sale(1).await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(app.customer(&format!("p{n}")).await);
    }
    let body = app.hold_of(event, &[5]).await;
    let mut holds = tokio::task::JoinSet::new();
    for n in 0..500 {
        let (app, person, body) = (app.clone(), people[n % 8].clone(), body.clone());
        holds.spawn(async move { app.post("/api/v1/bookings", Some(&person), body).await.status.as_u16() });
    }
    let mut statuses = holds.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[..1], [201]);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
}

#[tokio::test]
async fn strange_seats_are_named_and_nothing_is_held() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let seat = app.seat(event, 0).await;
    let beyond = app.seat(event, 10).await;
    for (seats, field, code) in [
        (json!([]), "seat_ids", "required"),
        (json!([seat, beyond]), "seat_ids[1]", "unknown_seat"),
        (json!([event]), "seat_ids[0]", "unknown_seat"),
        (json!([seat, seat]), "seat_ids[1]", "duplicate_seat"),
        (json!(["x"]), "seat_ids[0]", "invalid"),
    ] {
        let body = json!({"event_id": event, "seat_ids": seats});
        let refused = app.post("/api/v1/bookings", Some(&ada), body).await.refused(422, "validation_failed");
        assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["code"]), (&json!(field), &json!(code)), "{refused}");
    }
    let counts = app.get(&format!("/api/v1/events/{event}/availability"), None).await.expect(200);
    assert_eq!((&counts["available"], &counts["total"]), (&json!(10), &json!(10)));
}

#[tokio::test]
async fn limits_count_seats_in_a_booking_and_seats_on_hold() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 2).await;
    let event = app.draft(&organizer, &venue, json!({"max_seats_per_booking": 3, "max_seats_held": 4})).await;
    act_on_event(&app, &organizer, event, "publish").await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let body = app.hold_of(event, &[0, 1, 2, 3]).await;
    app.post("/api/v1/bookings", Some(&ada), body).await.refused(422, "too_many_seats");
    let first = app.hold(&ada, event, &[0, 1, 2]).await;
    let body = app.hold_of(event, &[3, 4]).await;
    app.post("/api/v1/bookings", Some(&ada), body.clone()).await.refused(422, "too_many_seats");
    app.hold(&bob, event, &[5]).await;
    app.pay(&ada, &first, "tok_visa").await.expect(200);
    app.post("/api/v1/bookings", Some(&ada), body).await.expect(201);
}

/// Who is offered more seats in a booking can have them.
#[tokio::test]
async fn seats_on_hold_may_be_as_many_as_a_booking_may_have() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(2).await;
    let edit = async |change: Value| {
        app.call(Method::PATCH, &format!("/api/v1/admin/events/{event}"), Some(&organizer), Some(change)).await
    };
    let event_is = edit(json!({"max_seats_per_booking": 15})).await.expect(200);
    assert_eq!((&event_is["max_seats_per_booking"], &event_is["max_seats_held"]), (&json!(15), &json!(15)));
    app.hold(&app.customer("ada").await, event, &(0..15).collect::<Vec<_>>()).await;
    // What is said is done, and less is no reason to take any away.
    let event_is = edit(json!({"max_seats_per_booking": 5})).await.expect(200);
    assert_eq!((&event_is["max_seats_per_booking"], &event_is["max_seats_held"]), (&json!(5), &json!(15)));
    let event_is = edit(json!({"max_seats_per_booking": 20, "max_seats_held": 18})).await.expect(200);
    assert_eq!((&event_is["max_seats_per_booking"], &event_is["max_seats_held"]), (&json!(20), &json!(18)));
}

#[tokio::test]
async fn a_new_event_lets_a_customer_hold_ten_seats_or_as_many_as_a_booking_may_have() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 2).await;
    for (per_booking, held) in [(3, 10), (10, 10), (15, 15)] {
        let event = app.draft(&organizer, &venue, json!({"max_seats_per_booking": per_booking})).await;
        let event_is = app.get(&format!("/api/v1/admin/events/{event}"), Some(&organizer)).await.expect(200);
        assert_eq!(event_is["max_seats_held"], json!(held), "{per_booking}");
    }
}

async fn act_on_event(app: &TestApp, by: &Person, event: evently_core::domain::EventId, what: &str) -> Value {
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/{what}"), Some(by), None).await.expect(200)
}

#[tokio::test]
async fn a_hold_ends_on_time_and_its_seats_go_to_the_next_at_once() {
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let (_, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let first = app.hold(&ada, event, &[0]).await;
    app.advance(299);
    let body = app.hold_of(event, &[0]).await;
    app.post("/api/v1/bookings", Some(&bob), body.clone()).await.refused(409, "seats_unavailable");
    app.advance(1);
    act(&app, &ada, &first, "extend").await.refused(409, "booking_expired");
    app.pay(&ada, &first, "tok_visa").await.refused(409, "booking_expired");
    app.post("/api/v1/bookings", Some(&bob), body).await.expect(201);
    assert_eq!(app.status_of(&ada, &first).await, "expired");
}

#[tokio::test]
async fn the_sweeper_ends_what_is_due_and_nothing_else() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let first = app.hold(&ada, event, &[0]).await;
    app.advance(200);
    let second = app.hold(&ada, event, &[1]).await;
    app.advance(100);
    assert_eq!(app.app.upkeep.expire_holds().await.unwrap(), 1);
    assert_eq!(app.status_of(&ada, &first).await, "expired");
    assert_eq!(app.status_of(&ada, &second).await, "pending");
}

#[tokio::test]
async fn the_cap_of_a_hold_is_a_setting() {
    let app = TestApp::with(&[("booking.hold_cap", "10m"), WITHOUT_REDIS]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.advance(250);
    assert_eq!(act(&app, &ada, &booking, "extend").await.expect(200)["expires_in"], 300);
    app.advance(250);
    assert_eq!(act(&app, &ada, &booking, "extend").await.expect(200)["expires_in"], 100);
}

#[tokio::test]
async fn extending_starts_the_time_anew_up_to_the_cap() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    for _ in 0..5 {
        app.advance(250);
        assert_eq!(act(&app, &ada, &booking, "extend").await.expect(200)["expires_in"], 300);
    }
    app.advance(280); // 1530 s after the hold, of 1800
    assert_eq!(act(&app, &ada, &booking, "extend").await.expect(200)["expires_in"], 270);
    act(&app, &ada, &booking, "extend").await.refused(409, "extension_limit");
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_byte_for_byte() {
    // Who is turned away by a seat lock has not been answered by the store.
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let (_, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let body = app.hold_of(event, &[0]).await;
    let key = [("idempotency-key", "k-1")];
    let post = |by: Person, body: Value| {
        let app = &app;
        async move { app.call_with(Method::POST, "/api/v1/bookings", Some(&by), Some(body), &key).await }
    };
    let first = post(ada.clone(), body.clone()).await;
    app.advance(20);
    let again = post(ada.clone(), body.clone()).await;
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let other = app.hold_of(event, &[1]).await;
    post(ada.clone(), other).await.refused(422, "idempotency_key_reused");
    let refused = post(bob.clone(), body.clone()).await;
    assert!(!refused.headers.contains_key("idempotent-replayed"));
    refused.refused(409, "seats_unavailable");
    app.advance(300);
    let refusal = post(bob, body).await;
    assert_eq!(refusal.headers["idempotent-replayed"], "true", "a refusal is an answer too");
    refusal.refused(409, "seats_unavailable");
}

#[tokio::test]
async fn of_a_hundred_equal_requests_one_takes_effect() {
    let app = std::sync::Arc::new(TestApp::new().await);
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let body = app.hold_of(event, &[0]).await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, ada, body) = (app.clone(), ada.clone(), body.clone());
        posts.spawn(async move {
            let key = [("idempotency-key", "same")];
            app.call_with(Method::POST, "/api/v1/bookings", Some(&ada), Some(body), &key).await.expect(201)
        });
    }
    let bookings = posts.join_all().await;
    assert!(bookings.iter().all(|booking| booking == &bookings[0]));
    let list = app.get("/api/v1/bookings", Some(&ada)).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn keys_must_be_visible_ascii() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let long = "k".repeat(256);
    for key in ["", "a b", &long] {
        let body = app.hold_of(event, &[0]).await;
        let answer = app.call_with(Method::POST, "/api/v1/bookings", Some(&ada), Some(body), &[("idempotency-key", key)]).await;
        answer.refused(400, "malformed_header");
    }
}

#[tokio::test]
async fn a_strangers_booking_is_not_there() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let booking = app.hold(&ada, event, &[0]).await;
    for by in [&bob, &organizer] {
        for path in ["", "/history", "/tickets", "/calendar.ics"] {
            let path = format!("/api/v1/bookings/{booking}{path}");
            app.get(&path, Some(by)).await.refused(404, "not_found");
        }
        act(&app, by, &booking, "extend").await.refused(404, "not_found");
        act(&app, by, &booking, "cancel").await.refused(404, "not_found");
        app.pay(by, &booking, "tok_visa").await.refused(404, "not_found");
    }
    app.get("/api/v1/bookings/7", Some(&ada)).await.refused(404, "not_found");
}

/// Whoever sells events buys seats as everybody does.
#[tokio::test]
async fn a_bookings_history_says_what_happened_and_as_what_somebody_did_it() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let booking = app.hold(&organizer, event, &[0]).await;
    app.advance(7);
    app.pay(&organizer, &booking, "tok_visa").await.expect(200);
    act(&app, &organizer, &booking, "cancel").await.expect(200);
    let history = app.get(&format!("/api/v1/bookings/{booking}/history"), Some(&organizer)).await.expect(200);
    let entries = history.as_array().unwrap().iter().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap_or("nothing");
        (text("from"), text("to"), text("actor"), text("reason"))
    });
    let expected = [
        ("nothing", "pending", "customer", "nothing"),
        ("pending", "pending", "customer", "payment_started"),
        ("nothing", "payment_captured", "gateway", "nothing"),
        ("pending", "confirmed", "gateway", "nothing"),
        ("confirmed", "refunded", "customer", "nothing"),
        ("nothing", "refund_due", "customer", "booking_cancelled"),
    ];
    assert_eq!(entries.collect::<Vec<_>>(), expected);
    assert_eq!((&history[0]["at"], &history[1]["at"]), (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-15T08:00:07Z")));
}

#[tokio::test]
async fn an_event_is_booked_only_while_it_is_on_sale() {
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let ada = app.customer("ada").await;
    let opens_at = app.now() + std::time::Duration::from_mins(1);
    let event = app.draft(&organizer, &venue, json!({"sales": {"opens_at": opens_at}})).await;
    let body = app.hold_of(event, &[0]).await;
    app.post("/api/v1/bookings", Some(&ada), body.clone()).await.refused(404, "not_found");
    act_on_event(&app, &organizer, event, "publish").await;
    app.post("/api/v1/bookings", Some(&ada), body.clone()).await.refused(409, "event_not_on_sale");
    app.advance(60);
    app.post("/api/v1/bookings", Some(&ada), body.clone()).await.expect(201);
    app.advance(24 * 3600 - 60);
    app.post("/api/v1/bookings", Some(&app.customer("bob").await), body).await.refused(409, "event_not_on_sale");
}

#[tokio::test]
async fn cancelling_frees_a_hold_and_refunds_a_confirmed_booking_once() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let held = app.hold(&ada, event, &[0]).await;
    assert_eq!(act(&app, &ada, &held, "cancel").await.expect(200)["status"], "cancelled");
    let paid = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &paid, "tok_visa").await.expect(200);
    for _ in 0..2 {
        assert_eq!(act(&app, &ada, &paid, "cancel").await.expect(200)["status"], "refunded");
    }
    assert_eq!(app.app.payments.send_refunds().await.unwrap(), 1);
    let booking = app.get(&format!("/api/v1/bookings/{paid}"), Some(&ada)).await.expect(200);
    assert_eq!(booking["payments"][0]["status"], "refunded");
    assert_eq!(booking["refunds"].as_array().unwrap().len(), 1);
    app.hold(&ada, event, &[0]).await;
}

#[tokio::test]
async fn who_gives_seats_back_as_unpaid_keeps_them_where_they_have_been_paid_for() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    for (by, path) in
        [(&ada, format!("/api/v1/bookings/{id}/cancel")), (&organizer, format!("/api/v1/admin/bookings/{id}/cancel"))]
    {
        for wrong in ["pending", "expired"] {
            let changed = app.post(&path, Some(by), json!({"expected_status": wrong})).await.refused(409, "booking_changed");
            assert_eq!(changed["booking_status"], "confirmed");
            assert_eq!(changed["detail"], "the booking is confirmed by now; nothing was changed");
        }
        for nonsense in [
            json!("cancelled"),
            json!("refunded"),
            json!("Pending"),
            json!(""),
            json!(1),
            json!(["pending"]),
            json!({"pending": null}),
        ] {
            let refused = app.post(&path, Some(by), json!({"expected_status": nonsense})).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["field"], "expected_status", "{nonsense}");
        }
    }
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
    let cancel = format!("/api/v1/bookings/{id}/cancel");
    let cancelled = app.post(&cancel, Some(&ada), json!({"expected_status": "confirmed", "reason": "ill"})).await;
    assert_eq!(cancelled.expect(200)["status"], "refunded");
    let changed = app.post(&cancel, Some(&ada), json!({"expected_status": "confirmed"})).await.refused(409, "booking_changed");
    assert_eq!(changed["booking_status"], "refunded");
    assert_eq!(app.post(&cancel, Some(&ada), json!({"expected_status": null})).await.expect(200)["status"], "refunded");

    let off = format!("/api/v1/admin/events/{event}/cancel");
    app.post(&off, Some(&organizer), json!({"expected_status": "pending"})).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn what_a_booking_is_taken_for_is_part_of_the_request_that_a_key_stands_for() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let cancel = async |body: Value| {
        let path = format!("/api/v1/bookings/{id}/cancel");
        app.call_with(Method::POST, &path, Some(&ada), Some(body), &[("idempotency-key", "k-1")]).await
    };
    let first = cancel(json!({"expected_status": "confirmed"})).await;
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(first.refused(409, "booking_changed")["booking_status"], "pending");
    for other in [json!({"expected_status": "pending"}), json!({})] {
        cancel(other).await.refused(422, "idempotency_key_reused");
    }
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    let again = cancel(json!({"expected_status": "confirmed"})).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.refused(409, "booking_changed")["booking_status"], "pending", "as it was answered first");
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
}

#[tokio::test]
async fn a_booking_says_the_terms_of_refunds_it_was_held_under_and_keeps_them() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let before = app.get(&format!("/api/v1/events/{event}"), None).await.expect(200)["refunds"].clone();
    assert_eq!(before["percent"], 100);
    let body = app.hold_of(event, &[0]).await;
    let held = app.post("/api/v1/bookings", Some(&ada), body).await.expect(201);
    assert_eq!(held["refund_terms"], before);
    let first = held["id"].as_str().unwrap().to_owned();
    app.pay(&ada, &first, "tok_visa").await.expect(200);

    let edit = json!({"refunds": {"percent": 20}});
    let path = format!("/api/v1/admin/events/{event}");
    let after = app.call(Method::PATCH, &path, Some(&organizer), Some(edit)).await.expect(200)["refunds"].clone();
    assert_eq!(after, json!({"until": before["until"], "percent": 20}));
    let second = app.hold(&bob, event, &[1]).await;
    app.pay(&bob, &second, "tok_visa").await.expect(200);
    for (who, id, terms, back) in [(&ada, &first, before, 4500), (&bob, &second, after, 900)] {
        let shown = app.get(&format!("/api/v1/bookings/{id}"), Some(who)).await.expect(200);
        assert_eq!(shown["refund_terms"], terms);
        act(&app, who, id, "cancel").await.expect(200);
        let booking = app.get(&format!("/api/v1/admin/bookings/{id}"), Some(&organizer)).await.expect(200);
        assert_eq!((&booking["refund_terms"], &booking["refunds"][0]["amount"]["amount"]), (&terms, &json!(back)));
    }
}

#[tokio::test]
async fn one_sees_ones_own_bookings_newest_first_part_by_part() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let mut held = Vec::new();
    for seat in 0..3 {
        app.advance(1);
        held.push(app.hold(&ada, event, &[seat]).await);
    }
    app.hold(&bob, event, &[5]).await;
    held.reverse();
    let mut seen = Vec::new();
    let mut path = "/api/v1/bookings?limit=2".to_owned();
    loop {
        let list = app.get(&path, Some(&ada)).await.expect(200);
        seen.extend(list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = list["next_cursor"].as_str() else { break };
        path = format!("/api/v1/bookings?limit=2&cursor={next}");
    }
    assert_eq!(seen, held);
    let none = app.get("/api/v1/bookings?status=confirmed", Some(&ada)).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

/// What is shown with a booking is read when it has been changed, and may not be there any more.
#[tokio::test]
async fn who_was_served_is_not_told_that_nothing_was_done() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let used = app.hold(&ada, event, &[2]).await;
    app.pay(&ada, &used, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{used}/tickets"), Some(&ada)).await.expect(200);
    let id = app.hold(&ada, event, &[1]).await;
    app.advance(1);
    let away = app.beside_without_events().await;
    let code = json!({"code": tickets[0]["code"], "event_id": event});
    let admitted = away.post("/api/v1/admin/check-ins", Some(&organizer), code).await.expect(200);
    assert_eq!((&admitted["result"], &admitted["ticket"]), (&json!("admitted"), &Value::Null), "they are let in");
    let extended = act(&away, &ada, &id, "extend").await;
    let paid = away.pay(&ada, &id, "tok_visa").await;
    assert_eq!(app.status_of(&ada, &id).await, "confirmed");
    let cancelled = away.post(&format!("/api/v1/bookings/{id}/cancel"), Some(&ada), json!({})).await;
    assert_ne!(app.status_of(&ada, &id).await, "confirmed");
    for answer in [extended, paid, cancelled] {
        let told = answer.refused(503, "store_unavailable");
        assert_eq!(told["detail"], "it is not known whether it was done; ask again with the same key in a moment");
    }
}

#[tokio::test]
async fn a_key_is_for_one_booking_and_not_for_another() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let (first, second) = (app.hold(&ada, event, &[0]).await, app.hold(&ada, event, &[1]).await);
    for booking in [&first, &second] {
        let path = format!("/api/v1/bookings/{booking}/cancel");
        let answer = app.call_with(Method::POST, &path, Some(&ada), None, &[("idempotency-key", "k-1")]).await;
        assert!(!answer.headers.contains_key("idempotent-replayed"), "{booking}");
        assert_eq!(&answer.expect(200)["id"], booking);
    }
    assert_eq!(app.status_of(&ada, &second).await, "cancelled");
}

#[tokio::test]
async fn ones_own_bookings_of_one_event_are_those_of_no_other() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let venue = app.venue(&organizer, 1).await;
    let other = app.draft(&organizer, &venue, json!({})).await;
    act_on_event(&app, &organizer, other, "publish").await;
    let ada = app.customer("ada").await;
    for event in [event, other] {
        let booking = app.hold(&ada, event, &[0]).await;
        let list = app.get(&format!("/api/v1/bookings?event_id={event}"), Some(&ada)).await.expect(200);
        let found = list["items"].as_array().unwrap().iter().map(|booking| booking["id"].clone()).collect::<Vec<_>>();
        assert_eq!(found, [json!(booking)]);
    }
}

#[tokio::test]
async fn a_reason_is_a_little_plain_text() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    let cancel =
        async |reason: &str| app.post(&format!("/api/v1/bookings/{booking}/cancel"), Some(&ada), json!({"reason": reason})).await;
    for wrong in ["é".repeat(501).as_str(), "a bell\u{7}", "a tab\t", "a line\r"] {
        let refused = cancel(wrong).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], "reason", "{wrong:?}");
    }
    assert_eq!(app.status_of(&ada, &booking).await, "pending");
    assert_eq!(cancel(&format!("two\nlines{}", "é".repeat(491))).await.expect(200)["status"], "cancelled");
}

/// Else what was asked for beyond the address would be passed over, and a booking given up that is confirmed by now.
#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_refused_and_nothing_is_done() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    let cancel = format!("/api/v1/bookings/{booking}/cancel");
    let send = async |path: &str, kind: Option<&str>, body: String| {
        let mut request = Request::post(path).header("authorization", format!("Bearer {}", ada.token));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        app.send(request.body(body.into()).unwrap()).await
    };
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        let hold = app.hold_of(event, &[1]).await;
        for (path, body) in [(&*cancel, json!({"expected_status": "pending"})), ("/api/v1/bookings", hold)] {
            send(path, kind, body.to_string()).await.refused(415, "unsupported_media_type");
        }
    }
    let bookings = app.get("/api/v1/bookings", Some(&ada)).await.expect(200);
    assert_eq!(bookings["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.status_of(&ada, &booking).await, "confirmed");
    for kind in [None, Some("application/json")] {
        send("/api/v1/bookings", kind, String::new()).await.refused(422, "validation_failed");
    }
    send(&cancel, Some("application/json"), String::new()).await.expect(200);
}
