use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Body;
use evently_core::{
    domain::{Event, EventId, Layout, LayoutId, Role, SeatMap, Stage, Timestamp, Venue, VenueId},
    memory::MemorySeatFeed,
    ports::{Catalog, Elsewhere, EventFilter, Page, StoreError, StoreErrorKind},
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::app::{Away, TestApp, WITHOUT_REDIS};

#[tokio::test]
async fn an_event_goes_from_a_plan_to_a_sale() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 2).await;
    let event = app.draft(&organizer, &venue, json!({"description": "Bring a friend."})).await;
    app.get(&format!("/api/v1/events/{event}"), None).await.refused(404, "not_found");
    let managed = app.get(&format!("/api/v1/admin/events/{event}"), Some(&organizer)).await.expect(200);
    assert_eq!((&managed["status"], &managed["seats_total"]), (&json!("draft"), &json!(20)));
    for _ in 0..2 {
        let path = format!("/api/v1/admin/events/{event}/publish");
        assert_eq!(app.call(Method::POST, &path, Some(&organizer), None).await.expect(200)["status"], "upcoming");
    }
    let shown = app.get(&format!("/api/v1/events/{event}"), None).await.expect(200);
    assert_eq!(shown["price_from"], json!({"amount": 4500, "currency": "EUR"}));
    assert_eq!(shown["description"], "Bring a friend.");
    let list = app.get("/api/v1/events?q=NIGHT&status=upcoming", None).await.expect(200);
    assert_eq!(list["items"][0]["id"], json!(event));
    let none = app.get("/api/v1/events?q=opera", None).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn an_organizer_sees_and_changes_only_their_own() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let other = app.person("other", Role::Organizer).await;
    let admin = app.person("admin", Role::Admin).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    let edit = || Some(json!({"name": "Mine now"}));
    let path = format!("/api/v1/admin/events/{event}");
    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::PATCH, path.clone(), edit()),
        (Method::POST, format!("{path}/publish"), None),
        (Method::POST, format!("{path}/cancel"), None),
        (Method::POST, format!("{path}/seats/block"), Some(json!({"seat_ids": [app.seat(event, 1).await]}))),
        (Method::GET, format!("{path}/bookings"), None),
        (Method::GET, format!("{path}/analytics"), None),
        (Method::GET, format!("/api/v1/admin/bookings/{booking}"), None),
        (Method::POST, format!("/api/v1/admin/bookings/{booking}/cancel"), None),
    ] {
        app.call(method.clone(), &path, Some(&other), body.clone()).await.refused(404, "not_found");
        app.call(method.clone(), &path, None, body.clone()).await.refused(401, "token_invalid");
        let customer = app.call(method, &path, Some(&ada), body).await;
        assert!(matches!(customer.status.as_u16(), 403 | 404), "{path}");
    }
    // Nor do they learn that there is one.
    let detail = async |booking: &str| {
        let path = format!("/api/v1/admin/bookings/{booking}");
        app.get(&path, Some(&other)).await.refused(404, "not_found")["detail"].clone()
    };
    assert_eq!(detail(&booking).await, detail(&uuid::Uuid::nil().to_string()).await);
    assert_eq!(app.status_of(&ada, &booking).await, "pending");
    let bookings = format!("{path}/bookings");
    assert_eq!(app.get(&bookings, Some(&organizer)).await.expect(200)["items"][0]["id"], json!(booking));
    assert_eq!(app.call(Method::PATCH, &path, Some(&admin), edit()).await.expect(200)["name"], "Mine now");
    let list = app.get("/api/v1/admin/events", Some(&other)).await.expect(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_named() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let right = json!({
        "name": "A night out", "venue_id": venue, "start_time": "2027-02-01T19:00:00Z", "end_time": "2027-02-01T21:00:00Z",
        "currency": "EUR", "price_categories": [{"name": "Seats", "price": {"amount": 100, "currency": "EUR"}}],
    });
    app.post("/api/v1/admin/events", Some(&organizer), right.clone()).await.expect(201);
    for (field, value, named) in [
        ("name", json!(""), "name"),
        ("venue_id", json!(uuid::Uuid::nil()), "venue_id"),
        ("end_time", json!("2027-02-01T19:00:00Z"), "end_time"),
        ("start_time", json!("soon"), "start_time"),
        ("currency", json!("EURO"), "currency"),
        ("price_categories", json!([]), "price_categories"),
        ("price_categories", json!([{"name": "Stalls", "price": 1}]), "price_categories[0].name"),
        ("price_categories", json!([{"name": "Seats", "price": -1}]), "price_categories[0].price"),
        (
            "price_categories",
            json!([{"name": "Seats", "price": {"amount": 1, "currency": "USD"}}]),
            "price_categories[0].price.currency",
        ),
        ("max_seats_per_booking", json!(0), "max_seats_per_booking"),
        ("sales", json!({"closes_at": "2028-01-01T00:00:00Z"}), "sales.closes_at"),
        ("refunds", json!({"until": "2027-01-01T00:00:00Z", "percent": 101}), "refunds.percent"),
        ("status", json!("published"), "status"),
    ] {
        let mut wrong = right.clone();
        wrong[field] = value;
        let refused = app.post("/api/v1/admin/events", Some(&organizer), wrong).await.refused(422, "validation_failed");
        let fields = refused["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap());
        assert!(fields.clone().any(|field| field == named), "{named}: {refused}");
    }
    let list = app.get("/api/v1/admin/events", Some(&organizer)).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "nothing is half done");
}

#[tokio::test]
async fn each_field_of_an_event_can_be_changed_and_the_others_stay() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let event = app.draft(&organizer, &venue, json!({})).await;
    let path = format!("/api/v1/admin/events/{event}");
    let mut expected = app.get(&path, Some(&organizer)).await.expect(200);
    assert_eq!(expected["refunds"]["until"], expected["start_time"], "nothing comes back once it has begun");
    let hours = |hours| json!(app.now() + std::time::Duration::from_hours(hours));
    for (field, value) in [
        ("name", json!("Another night")),
        ("description", json!("Late")),
        ("sales", json!({"opens_at": hours(1), "closes_at": hours(20)})),
        ("max_seats_per_booking", json!(3)),
        ("max_seats_held", json!(7)),
        ("refunds", json!({"until": hours(12), "percent": 50})),
        ("end_time", hours(30)),
        ("start_time", hours(25)),
    ] {
        let edited = app.call(Method::PATCH, &path, Some(&organizer), Some(json!({field: value}))).await.expect(200);
        expected[field] = value;
        for (field, value) in expected.as_object().unwrap() {
            if !["version", "updated_at"].contains(&field.as_str()) {
                assert_eq!(&edited[field], value, "{field}");
            }
        }
    }
    let edited = app.call(Method::PATCH, &path, Some(&organizer), Some(json!({"refunds": {"percent": 30}}))).await.expect(200);
    assert_eq!(edited["refunds"], json!({"until": hours(12), "percent": 30}));
}

#[tokio::test]
async fn two_who_change_an_event_at_once_undo_nothing_of_each_other() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let admin = app.person("admin", Role::Admin).await;
    let venue = app.venue(&organizer, 1).await;
    let event = app.draft(&organizer, &venue, json!({})).await;
    let path = format!("/api/v1/admin/events/{event}");
    for round in 1..=20 {
        let [name, description] = ["name", "description"].map(|field| format!("{field} {round}"));
        let edit = async |by, edit| app.call(Method::PATCH, &path, Some(by), Some(edit)).await.expect(200);
        tokio::join!(edit(&organizer, json!({"name": name})), edit(&admin, json!({"description": description})));
        let shown = app.get(&path, Some(&organizer)).await.expect(200);
        assert_eq!((&shown["name"], &shown["description"]), (&json!(name), &json!(description)));
    }
}

/// Whoever changes an event may hang up at any moment.
#[tokio::test]
async fn an_event_is_shown_as_it_was_changed_though_nobody_waited_for_the_answer() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let other = app.draft(&organizer, &venue, json!({})).await;
    let mut left_published = 0;
    for polls in 1..=12 {
        let event = app.draft(&organizer, &venue, json!({})).await;
        let path = format!("/api/v1/admin/events/{event}");
        assert_eq!(app.get(&path, Some(&organizer)).await.expect(200)["status"], "draft");
        let publish = format!("{path}/publish");
        let mut publishing = Box::pin(app.call(Method::POST, &publish, Some(&organizer), None));
        let mut is_done = false;
        for _ in 0..polls {
            is_done = is_done || poll_fn(|context| Poll::Ready(publishing.as_mut().poll(context).is_ready())).await;
            tokio::task::yield_now().await;
        }
        drop(publishing);
        // What was asked for before is decided by then.
        let edit = Some(json!({"name": polls.to_string()}));
        app.call(Method::PATCH, &format!("/api/v1/admin/events/{other}"), Some(&organizer), edit).await.expect(200);
        if app.app.store.catalog.event(event).await.unwrap().unwrap().stage == Stage::Published {
            left_published += u32::from(!is_done);
            let shown = async {
                while app.get(&format!("/api/v1/events/{event}"), None).await.status != 200 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(20), shown).await.expect("it is shown");
        }
    }
    assert!(left_published > 0);
}

/// What a request asks for in its address is a part of it.
#[tokio::test]
async fn a_key_is_for_one_address_with_all_that_stands_in_it() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let plan = "section,row,seat,category\nStalls,A,1,Front\n";
    let mut names = Vec::new();
    for name in ["Odeon", "Globe", "Odeon"] {
        let request = Request::post(format!("/api/v1/admin/venues?format=csv&name={name}"))
            .header("authorization", format!("Bearer {}", organizer.token))
            .header("content-type", "text/csv")
            .header("idempotency-key", "one-key-for-all")
            .body(plan.into())
            .unwrap();
        let venue = app.send(request).await.expect(201);
        names.push((venue["name"].as_str().unwrap().to_owned(), venue["id"].clone()));
    }
    assert_eq!([&*names[0].0, &*names[1].0], ["Odeon", "Globe"]);
    assert_eq!(names[2], names[0], "asked for again it is the same");
}

#[tokio::test]
async fn plans_of_all_formats_are_taken_and_wrong_ones_leave_nothing() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let send = |path: &str, content: &str, body: Vec<u8>| {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", organizer.token))
            .header("content-type", content)
            .body(body.into());
        app.send(request.unwrap())
    };
    let csv = "section,row,seat,category\nStalls,1,1,A\nStalls,1,2,A\n";
    let venue = send("/api/v1/admin/venues?format=csv&name=Barn", "text/csv", csv.into()).await.expect(201);
    assert_eq!((&venue["name"], &venue["seats_total"]), (&json!("Barn"), &json!(2)));
    for (path, body) in [
        ("/api/v1/admin/venues?format=csv&name=Barn", csv.replace("1,2", "1,1")),
        ("/api/v1/admin/venues?format=csv", csv.to_owned()),
        ("/api/v1/admin/venues?format=pretix&name=X", "{}".to_owned()),
        ("/api/v1/admin/venues?format=pdf", String::new()),
        ("/api/v1/admin/venues", "[".repeat(100_000)),
        ("/api/v1/admin/venues", r#"{"name":"Empty","sections":[]}"#.to_owned()),
    ] {
        let refused = send(path, "application/json", body.into()).await.refused(422, "validation_failed");
        assert!(!refused["errors"].as_array().unwrap().is_empty(), "{refused}");
    }
    let venues = app.get("/api/v1/admin/venues", Some(&organizer)).await.expect(200);
    assert_eq!(venues["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn house_seats_are_blocked_all_or_none_and_cannot_be_held() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    app.hold(&ada, event, &[2]).await;
    let mut seats = Vec::new();
    for number in 0..3 {
        seats.push(app.seat(event, number).await);
    }
    let path = format!("/api/v1/admin/events/{event}/seats");
    let block = |what: &str, seats: Value| {
        let path = format!("{path}/{what}");
        let (app, organizer) = (&app, &organizer);
        async move { app.post(&path, Some(organizer), json!({"seat_ids": seats})).await }
    };
    block("block", json!(seats)).await.refused(409, "seats_unavailable");
    let blocked = block("block", json!(seats[..2])).await.expect(200);
    assert_eq!(blocked["status"], "blocked");
    let body = app.hold_of(event, &[0]).await;
    app.post("/api/v1/bookings", Some(&ada), body.clone()).await.refused(409, "seats_unavailable");
    assert_eq!(block("unblock", json!(seats[..2])).await.expect(200)["status"], "available");
    app.post("/api/v1/bookings", Some(&ada), body).await.expect(201);
}

#[tokio::test]
async fn calling_an_event_off_refunds_everybody() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let (ada, bob) = (app.customer("ada").await, app.customer("bob").await);
    let paid = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &paid, "tok_visa").await.expect(200);
    let held = app.hold(&bob, event, &[1]).await;
    let cancel = app.post(&format!("/api/v1/admin/events/{event}/cancel"), Some(&organizer), json!({"reason": "storm"})).await;
    assert_eq!(cancel.expect(200)["status"], "cancelled");
    let body = app.hold_of(event, &[5]).await;
    app.post("/api/v1/bookings", Some(&bob), body).await.refused(409, "event_not_on_sale");
    assert_eq!(app.app.upkeep.cancel_called_off().await.unwrap(), 2);
    assert_eq!(app.app.payments.send_refunds().await.unwrap(), 1);
    assert_eq!(app.status_of(&ada, &paid).await, "refunded");
    assert_eq!(app.status_of(&bob, &held).await, "cancelled");
    let booking = app.get(&format!("/api/v1/bookings/{held}"), Some(&bob)).await.expect(200);
    assert_eq!(booking["event_status"], "cancelled", "its seats are not on sale again");
    let edit = Some(json!({"name": "Again"}));
    app.call(Method::PATCH, &format!("/api/v1/admin/events/{event}"), Some(&organizer), edit)
        .await
        .refused(409, "event_cancelled");
}

#[tokio::test]
async fn bookings_are_found_by_their_code() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let other = app.person("other", Role::Organizer).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let code = app.pay(&ada, &id, "tok_visa").await.expect(200)["booking"]["code"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/admin/bookings?code={}", code.to_lowercase());
    assert_eq!(app.get(&path, Some(&organizer)).await.expect(200)["items"][0]["id"], json!(id));
    assert_eq!(app.get(&path, Some(&other)).await.expect(200)["items"], json!([]));
    app.get("/api/v1/admin/bookings?code=x", Some(&organizer)).await.refused(422, "validation_failed");
    app.get("/api/v1/admin/bookings", Some(&organizer)).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_ticket_opens_the_door_once() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let staff = app.person("staff", Role::Staff).await;
    let other = app.person("other", Role::Organizer).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0, 1]).await;
    app.pay(&ada, &id, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{id}/tickets"), Some(&ada)).await.expect(200);
    let check_in = |by: &crate::app::Person, body: Value| {
        let (app, by) = (&app, by.clone());
        async move { app.post("/api/v1/admin/check-ins", Some(&by), body).await }
    };
    let code = &tickets[0]["code"];
    let named = app.get(&format!("/api/v1/events/{event}"), None).await.expect(200)["name"].clone();
    check_in(&ada, json!({"code": code})).await.refused(403, "forbidden");
    check_in(&organizer, json!({"code": code})).await.refused(422, "validation_failed");
    check_in(&other, json!({"code": code, "event_id": event})).await.refused(404, "not_found");
    let wrong = json!({"code": code, "event_id": uuid::Uuid::nil()});
    assert_eq!(check_in(&staff, wrong).await.expect(200)["result"], "wrong_event");
    // Somebody may have to type it.
    let typed = code.as_str().unwrap().to_lowercase();
    assert_eq!(check_in(&staff, json!({"code": typed})).await.expect(200)["result"], "admitted");
    let again = check_in(&organizer, json!({"code": code, "event_id": event})).await.expect(200);
    assert_eq!((&again["result"], &again["ticket"]["seat"]["label"]), (&json!("already_admitted"), &json!("1")));
    assert_eq!(again["event_name"], named);
    assert_eq!(check_in(&staff, json!({"code": "EVT-0"})).await.expect(200)["result"], "invalid");
    let cancel = format!("/api/v1/bookings/{id}/cancel");
    app.call(Method::POST, &cancel, Some(&ada), None).await.refused(409, "ticket_used");
    app.call(Method::POST, &format!("/api/v1/admin/bookings/{id}/cancel"), Some(&organizer), None).await.expect(200);
    let void = check_in(&staff, json!({"code": tickets[1]["code"]})).await.expect(200);
    assert_eq!(void["result"], "cancelled");
}

/// Whoever has it can show it to the gateway in the buyer's place.
#[tokio::test]
async fn what_a_buyers_browser_shows_to_the_gateway_is_shown_to_nobody_else() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let admin = app.person("admin", Role::Admin).await;
    let ada = app.customer("ada").await;
    let id = app.hold(&ada, event, &[0]).await;
    let secret = app.pay(&ada, &id, "tok_3ds").await.expect(200)["payment"]["client_secret"].clone();
    let own = app.get(&format!("/api/v1/bookings/{id}"), Some(&ada)).await.expect(200);
    assert_eq!((own["payments"][0]["client_secret"].clone(), secret.is_string()), (secret.clone(), true));
    for by in [organizer, admin] {
        let shown = app.get(&format!("/api/v1/admin/bookings/{id}"), Some(&by)).await.expect(200);
        assert_eq!(shown["payments"][0]["status"], "requires_action");
        assert!(!shown.to_string().contains(secret.as_str().unwrap()), "{shown}");
    }
}

#[tokio::test]
async fn an_overview_has_the_sales_of_ones_own_events() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let other = app.person("other", Role::Organizer).await;
    let venue = app.venue(&other, 1).await;
    let others = app.draft(&other, &venue, json!({"name": "Another night"})).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{others}/publish"), Some(&other), None).await.expect(200);
    let (admin, ada) = (app.person("admin", Role::Admin).await, app.customer("ada").await);
    for (event, seats) in [(event, &[0, 1][..]), (others, &[5])] {
        let booking = app.hold(&ada, event, seats).await;
        assert_eq!(app.pay(&ada, &booking, "tok_visa").await.status, 200);
    }
    app.app.analytics.rebuild().await.unwrap();
    let path = "/api/v1/admin/analytics/overview";
    for (by, events, sold) in [(&organizer, vec![event], 2), (&other, vec![others], 1), (&admin, vec![event, others], 3)] {
        let overview = app.get(path, Some(by)).await.expect(200);
        let found = overview["events"].as_array().unwrap().iter();
        let mut found = found.map(|event| (event["event_id"].clone(), event["event_name"].clone())).collect::<Vec<_>>();
        let name = |id| if id == event { "A night out" } else { "Another night" };
        let mut events = events.into_iter().map(|id| (json!(id), json!(name(id)))).collect::<Vec<_>>();
        found.sort_by_key(|(id, _)| id.to_string());
        events.sort_by_key(|(id, _)| id.to_string());
        assert_eq!(found, events);
        let revenue = json!({"amount": sold * 4500, "currency": "EUR"});
        assert_eq!(overview["totals"], json!([{"currency": "EUR", "seats_sold": sold, "revenue": revenue}]));
    }
    app.get(path, Some(&ada)).await.refused(403, "forbidden");
}

#[tokio::test]
async fn the_bookings_of_an_event_are_those_of_no_other() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let venue = app.venue(&organizer, 1).await;
    let other = app.draft(&organizer, &venue, json!({})).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{other}/publish"), Some(&organizer), None).await.expect(200);
    let ada = app.customer("ada").await;
    for event in [event, other] {
        let booking = app.hold(&ada, event, &[0]).await;
        let list = app.get(&format!("/api/v1/admin/events/{event}/bookings"), Some(&organizer)).await.expect(200);
        let found = list["items"].as_array().unwrap().iter().map(|booking| booking["id"].clone()).collect::<Vec<_>>();
        assert_eq!(found, [json!(booking)]);
    }
}

#[tokio::test]
async fn a_venue_has_a_name_that_fits_on_a_line() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = json!({"label": "1", "x": 0, "y": 0, "category": "Seats"});
    let plan = |name: &str| json!({"name": name, "sections": [{"name": "S", "rows": [{"label": "1", "seats": [seat]}]}]});
    for name in ["Odeon\u{7}", &"O".repeat(121)] {
        let refused = app.post("/api/v1/admin/venues", Some(&organizer), plan(name)).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], "name", "{refused}");
    }
    app.post("/api/v1/admin/venues", Some(&organizer), plan(&"O".repeat(120))).await.expect(201);
}

#[tokio::test]
async fn each_category_has_its_own_price() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = |n: usize, category: &str| json!({"label": n.to_string(), "x": n, "y": 0, "category": category});
    let row = json!({"label": "1", "seats": [seat(1, "Near"), seat(2, "Far")]});
    let plan = json!({"name": "Odeon", "sections": [{"name": "S", "rows": [row]}]});
    let venue = app.post("/api/v1/admin/venues", Some(&organizer), plan).await.expect(201);
    let price = |name: &str, price: i64| json!({"name": name, "price": price});
    let event = |prices: Value| {
        json!({
            "name": "A night out", "venue_id": venue["id"], "start_time": "2027-02-01T19:00:00Z", "end_time": "2027-02-01T21:00:00Z",
            "currency": "EUR", "price_categories": prices,
        })
    };
    for (prices, field) in [
        (json!([price("Near", 2), price("Far", 1), price("Near", 3)]), "price_categories[2].name"),
        (json!([price("Near", 2)]), "price_categories"),
    ] {
        let refused = app.post("/api/v1/admin/events", Some(&organizer), event(prices)).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let made = event(json!([price("Far", 1000), price("Near", 4500)]));
    let made = app.post("/api/v1/admin/events", Some(&organizer), made).await.expect(201);
    let path = format!("/api/v1/admin/events/{}", made["id"].as_str().unwrap());
    let shown = async || {
        let event = app.get(&path, Some(&organizer)).await.expect(200);
        let category = |category: &Value| (category["name"].as_str().unwrap().to_owned(), category["price"]["amount"].clone());
        event["price_categories"].as_array().unwrap().iter().map(category).collect::<Vec<_>>()
    };
    let named = |near: i64, far: i64| vec![("Near".to_owned(), json!(near)), ("Far".to_owned(), json!(far))];
    assert_eq!(shown().await, named(4500, 1000));
    app.call(Method::POST, &format!("{path}/publish"), Some(&organizer), None).await.expect(200);
    let list = app.get("/api/v1/events", None).await.expect(200);
    assert_eq!(list["items"][0]["price_from"]["amount"], 1000, "the cheapest");
    let counts = app.get(&format!("/api/v1/events/{}/availability", made["id"].as_str().unwrap()), None).await.expect(200);
    let of = |category: &Value| (category["name"].clone(), category["available"].clone());
    let counts = counts["by_price_category"].as_array().unwrap().iter().map(of).collect::<Vec<_>>();
    assert_eq!(counts, [(json!("Near"), json!(1)), (json!("Far"), json!(1))]);
    let edit = json!({"price_categories": [price("Far", 1200)]});
    app.call(Method::PATCH, &path, Some(&organizer), Some(edit)).await.expect(200);
    assert_eq!(shown().await, named(4500, 1200));
    let edit = json!({"price_categories": [price("Middle", 1)]});
    app.call(Method::PATCH, &path, Some(&organizer), Some(edit)).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn customers_and_staff_neither_make_nor_see_venues_and_drafts() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let plan = json!({"name": "Mine", "sections": [{"name": "S", "rows": [{"label": "1", "seats": [
        {"label": "1", "x": 0, "y": 0, "category": "Seats"},
    ]}]}]});
    let event = json!({
        "name": "Mine", "venue_id": venue, "start_time": "2027-02-01T19:00:00Z", "end_time": "2027-02-01T21:00:00Z",
        "currency": "EUR", "price_categories": [{"name": "Seats", "price": 100}],
    });
    for (name, role) in [("ada", Role::Customer), ("door", Role::Staff)] {
        let by = app.person(name, role).await;
        app.post("/api/v1/admin/venues", Some(&by), plan.clone()).await.refused(403, "forbidden");
        app.post("/api/v1/admin/events", Some(&by), event.clone()).await.refused(403, "forbidden");
        for path in ["/api/v1/admin/venues".to_owned(), format!("/api/v1/admin/venues/{venue}")] {
            app.get(&path, Some(&by)).await.refused(403, "forbidden");
            app.get(&path, Some(&organizer)).await.expect(200);
        }
    }
    app.post("/api/v1/admin/events", Some(&organizer), event).await.expect(201);
}

/// A plan may be long, and whoever may not add one must not keep the service busy with it.
#[tokio::test]
async fn who_may_not_add_a_venue_is_refused_before_any_of_its_plan_has_come() {
    let app = TestApp::new().await;
    for (name, role) in [("ada", Role::Customer), ("door", Role::Staff)] {
        let by = app.person(name, role).await;
        let request = Request::post("/api/v1/admin/venues")
            .header("content-type", "application/json")
            .header("content-length", "30000000")
            .header("authorization", format!("Bearer {}", by.token));
        let never = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let refused = tokio::time::timeout(Duration::from_secs(10), app.send(request.body(never).unwrap())).await;
        refused.expect("nobody waits for it").refused(403, "forbidden");
    }
}

/// What was sent before must not be taken for what is so now, by whoever asks with its entity tag.
#[tokio::test]
async fn an_entity_tag_is_that_of_one_form_and_of_what_it_shows() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let (seats, shown) = (format!("/api/v1/events/{event}/seats"), format!("/api/v1/events/{event}"));
    let tag = async |path: &str, headers: &[(&str, &str)]| {
        app.call_with(Method::GET, path, None, None, headers).await.headers["etag"].to_str().unwrap().to_owned()
    };
    let compact = [("accept", "application/vnd.evently.seatmap")];
    let gzip = [("accept-encoding", "gzip")];
    for form in ["application/vnd.evently.seatmap; q=1", "text/html, application/vnd.evently.seatmap ;q=0.5"] {
        assert_eq!(tag(&seats, &[("accept", form)]).await, tag(&seats, &compact).await, "{form}");
    }
    let forms = [tag(&seats, &[]).await, tag(&seats, &compact).await, tag(&seats, &gzip).await];
    assert!(forms[0] != forms[1] && forms[1] != forms[2] && forms[0] != forms[2], "{forms:?}");
    for refused in ["gzip;q=0", "gzip; q=0", "gzip;q=0.0", "br"] {
        assert_eq!(tag(&seats, &[("accept-encoding", refused)]).await, forms[0], "{refused}");
    }

    let dearer = json!({"price_categories": [{"name": "Seats", "price": 4600}]});
    app.call(Method::PATCH, &format!("/api/v1/admin/events/{event}"), Some(&organizer), Some(dearer)).await.expect(200);
    assert_ne!(tag(&seats, &[]).await, forms[0], "its seats have another price");
    let list = app.get(&seats, None).await.expect(200);
    assert!(list["seats"].as_array().unwrap().iter().all(|seat| seat["price"]["amount"] == 4600), "{list}");
    let before = tag(&shown, &[]).await;
    app.advance(24 * 3600);
    assert_ne!(tag(&shown, &[]).await, before, "it has begun");
}

#[tokio::test]
async fn the_overview_has_the_hundred_events_that_begin_last() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    for day in 1..=101 {
        let start = app.now() + std::time::Duration::from_hours(24 * day);
        let end = start + std::time::Duration::from_hours(2);
        app.draft(&organizer, &venue, json!({"name": day.to_string(), "start_time": start, "end_time": end})).await;
    }
    let overview = app.get("/api/v1/admin/analytics/overview", Some(&organizer)).await.expect(200);
    let names = overview["events"].as_array().unwrap().iter().map(|event| event["event_name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), (2..=101).map(|day| day.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn figures_tell_money_that_came_from_money_that_went_and_are_of_the_time_that_was_asked_for() {
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let (organizer, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    for seats in [&[0, 1][..], &[2]] {
        let booking = app.hold(&ada, event, seats).await;
        app.pay(&ada, &booking, "tok_visa").await.expect(200);
        if seats.len() == 1 {
            app.post(&format!("/api/v1/bookings/{booking}/cancel"), Some(&ada), json!({})).await.expect(200);
        }
    }
    app.advance(3_600);
    let later = app.now();
    app.hold(&ada, event, &[3]).await;
    app.app.payments.send_refunds().await.unwrap();
    let path = format!("/api/v1/admin/events/{event}/analytics");
    let euros = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let all = app.get(&path, Some(&organizer)).await.expect(200);
    let totals = &all["totals"];
    assert_eq!((&totals["captured"], &totals["refunded"]), (&euros(13_500), &euros(4_500)));
    assert_eq!((&totals["revenue"], &totals["holds"], &totals["seats_sold"]), (&euros(9_000), &json!(3), &json!(2)));
    assert_eq!((&all["by_section"][0]["section"], &all["by_section"][0]["seats_sold"]), (&json!("Stalls"), &json!(2)));
    let holds = async |query: String| {
        let figures = app.get(&format!("{path}?{query}"), Some(&organizer)).await.expect(200);
        let of = |figures: &Value| figures["holds"].as_i64().unwrap();
        (of(&figures["totals"]), figures["over_time"].as_array().unwrap().iter().map(of).collect::<Vec<_>>())
    };
    assert_eq!(holds("interval=hour".to_owned()).await, (3, vec![2, 1]));
    assert_eq!(holds("interval=day".to_owned()).await, (3, vec![3]));
    assert_eq!(holds(format!("to={later}")).await, (2, vec![2]));
    assert_eq!(holds(format!("from={later}")).await, (1, vec![1]));
}

#[tokio::test]
async fn money_of_two_currencies_is_not_added_up() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let venue = app.venue(&organizer, 1).await;
    let abroad = app.draft(&organizer, &venue, json!({"currency": "USD"})).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{abroad}/publish"), Some(&organizer), None).await.expect(200);
    let ada = app.customer("ada").await;
    for (event, seats) in [(event, &[0, 1][..]), (abroad, &[5])] {
        let booking = app.hold(&ada, event, seats).await;
        app.pay(&ada, &booking, "tok_visa").await.expect(200);
    }
    app.app.analytics.rebuild().await.unwrap();
    let overview = app.get("/api/v1/admin/analytics/overview", Some(&organizer)).await.expect(200);
    let mut totals = overview["totals"].as_array().unwrap().clone();
    totals.sort_by_key(|totals| totals["currency"].to_string());
    let of = |currency, sold| json!({"currency": currency, "seats_sold": sold, "revenue": {"amount": sold * 4500, "currency": currency}});
    assert_eq!(totals, [of("EUR", 2), of("USD", 1)]);
}

/// Whoever got no answer asks again with the same key. A guest is sent away as somebody who is in already if it does not count, and other
/// things are done twice.
#[tokio::test]
async fn every_change_that_is_asked_for_again_with_its_key_is_made_once_and_answered_the_same() {
    // The time of Redis is its own.
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let ada = app.customer("ada").await;
    let twice = async |by: &crate::app::Person, method: Method, path: &str, body: Value| {
        let key = [("idempotency-key", path)];
        let first = app.call_with(method.clone(), path, Some(by), Some(body.clone()), &key).await;
        assert!(first.status.is_success() && !first.headers.contains_key("idempotent-replayed"), "{path}: {first:?}");
        app.advance(20);
        let again = app.call_with(method, path, Some(by), Some(body), &key).await;
        assert_eq!(again.headers.get("idempotent-replayed").map(http::HeaderValue::as_bytes), Some(&b"true"[..]), "{path}");
        assert_eq!((first.status, &first.bytes), (again.status, &again.bytes), "{path}");
        first.json()
    };
    let seat = |n: usize| json!({"label": n.to_string(), "x": n, "y": 1, "category": "Seats"});
    let row = json!({"label": "1", "seats": (1..=4).map(seat).collect::<Vec<_>>()});
    let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [row]}]});
    let venue = twice(&organizer, Method::POST, "/api/v1/admin/venues", plan).await;
    let event = json!({
        "name": "A night out", "venue_id": venue["id"], "start_time": "2027-02-01T19:00:00Z", "end_time": "2027-02-01T21:00:00Z",
        "currency": "EUR", "price_categories": [{"name": "Seats", "price": 4500}],
    });
    let event = twice(&organizer, Method::POST, "/api/v1/admin/events", event).await;
    for list in ["venues", "events"] {
        let list = app.get(&format!("/api/v1/admin/{list}"), Some(&organizer)).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    }
    let event = event["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/v1/admin/events/{event}");
    twice(&organizer, Method::PATCH, &path, json!({"name": "Another night out"})).await;
    twice(&organizer, Method::POST, &format!("{path}/publish"), json!({})).await;
    for change in ["block", "unblock"] {
        let seats = json!({"seat_ids": [app.seat(event, 3).await]});
        twice(&organizer, Method::POST, &format!("{path}/seats/{change}"), seats).await;
    }

    let (paid, called_off) = (app.hold(&ada, event, &[0]).await, app.hold(&ada, event, &[1]).await);
    app.advance(20);
    let extended = twice(&ada, Method::POST, &format!("/api/v1/bookings/{paid}/extend"), json!({})).await;
    let now = app.get(&format!("/api/v1/bookings/{paid}"), Some(&ada)).await.expect(200);
    assert_eq!((&extended["expires_in"], &now["expires_in"]), (&json!(300), &json!(280)), "it is not extended once more");
    app.pay(&ada, &paid, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{paid}/tickets"), Some(&ada)).await.expect(200);
    let code = json!({"code": tickets[0]["code"], "event_id": event});
    assert_eq!(twice(&organizer, Method::POST, "/api/v1/admin/check-ins", code).await["result"], "admitted");
    twice(&organizer, Method::POST, &format!("/api/v1/admin/bookings/{called_off}/cancel"), json!({})).await;
    twice(&organizer, Method::POST, &format!("{path}/cancel"), json!({})).await;
}

#[tokio::test]
async fn who_asks_again_for_a_change_of_an_event_is_told_what_it_was_then() {
    let app = TestApp::with(&[WITHOUT_REDIS]).await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = |n: usize| json!({"label": n.to_string(), "x": n, "y": 1, "category": "Seats"});
    let row = json!({"label": "1", "seats": (1..=4).map(seat).collect::<Vec<_>>()});
    let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [row]}]});
    let venue = app.post("/api/v1/admin/venues", Some(&organizer), plan).await.expect(201);
    let [start, end] = [10, 15].map(|minutes| app.now() + Duration::from_mins(minutes));
    let draft = json!({
        "name": "A night out", "venue_id": venue["id"], "start_time": start, "end_time": end,
        "currency": "EUR", "price_categories": [{"name": "Seats", "price": 4500}],
    });
    let ask = async |method: &Method, path: &str, body: &Value, key: &str| {
        app.call_with(method.clone(), path, Some(&organizer), Some(body.clone()), &[("idempotency-key", key)]).await
    };
    let events = "/api/v1/admin/events".to_owned();
    let made = ask(&Method::POST, &events, &draft, "make").await;
    let event = format!("{events}/{}", made.json()["id"].as_str().unwrap());
    let mut changes = vec![(Method::POST, events, draft, "make", made)];
    for (method, path, body, key, status) in [
        (Method::PATCH, event.clone(), json!({"name": "Another night out"}), "name", "draft"),
        (Method::POST, format!("{event}/publish"), json!({}), "publish", "upcoming"),
        (Method::PATCH, event.clone(), json!({"name": "A night in"}), "name-again", "upcoming"),
        (Method::POST, format!("{event}/cancel"), json!({"reason": "rain"}), "call-off", "cancelled"),
    ] {
        let answer = ask(&method, &path, &body, key).await;
        assert_eq!((answer.status.is_success(), &answer.json()["status"]), (true, &json!(status)), "{key}: {answer:?}");
        changes.push((method, path, body, key, answer));
    }
    // Until it would be over.
    app.advance(20 * 60);
    for (method, path, body, key, first) in changes {
        let again = ask(&method, &path, &body, key).await;
        assert_eq!((first.status, &first.bytes), (again.status, &again.bytes), "{key}");
        assert!(again.headers.contains_key("idempotent-replayed"), "{key}");
    }
}

#[tokio::test]
async fn of_a_plan_with_much_wrong_the_first_is_told_and_how_much_more_there_is() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seats = (0..25).map(|n| json!({"label": "", "x": n, "y": 1, "category": "Seats"})).collect::<Vec<_>>();
    let plan = json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [{"label": "1", "seats": seats}]}]});
    let refused = app.post("/api/v1/admin/venues", Some(&organizer), plan).await.refused(422, "validation_failed");
    let errors = refused["errors"].as_array().unwrap();
    assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!("sections[0].rows[0].seats[0].label"), &json!("invalid_plan")));
    assert_eq!(errors.len(), 21);
    assert_eq!(errors[20], json!({"field": "body", "code": "invalid_plan", "message": "and 5 more"}));
}

/// As it says beforehand how long it is.
#[tokio::test]
async fn a_plan_may_be_as_long_as_a_file_and_nothing_else_may() {
    let app = TestApp::with(&[("http.body_limit", "1KiB"), ("http.import_limit", "8KiB")]).await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let send = async |path: &str, body: &Value| {
        let length = body.to_string().len().to_string();
        app.call_with(Method::POST, path, Some(&organizer), Some(body.clone()), &[("content-length", &length)]).await
    };
    let seat = |n: usize| json!({"label": n.to_string(), "x": n, "y": 1, "category": "Seats"});
    let plan = |seats: usize| {
        let row = json!({"label": "1", "seats": (1..=seats).map(seat).collect::<Vec<_>>()});
        json!({"name": "Odeon", "sections": [{"name": "Stalls", "rows": [row]}]})
    };
    let venue = send("/api/v1/admin/venues", &plan(50)).await.expect(201);
    send("/api/v1/admin/venues", &plan(200)).await.refused(413, "body_too_large");
    let event = |description: &str| {
        json!({
            "name": "A night out", "description": description, "venue_id": venue["id"], "start_time": "2027-02-01T19:00:00Z",
            "end_time": "2027-02-01T21:00:00Z", "currency": "EUR", "price_categories": [{"name": "Seats", "price": 100}],
        })
    };
    send("/api/v1/admin/events", &event("Bring a friend.")).await.expect(201);
    send("/api/v1/admin/events", &event(&"Bring a friend. ".repeat(100))).await.refused(413, "body_too_large");
}

/// Whoever says what a venue is called knows better than its plan, which may have been drawn for another.
#[tokio::test]
async fn a_venue_is_called_what_is_said_and_else_what_its_plan_says() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = json!({"label": "1", "x": 0, "y": 0, "category": "Seats"});
    let plan = json!({"name": "Odeon", "sections": [{"name": "S", "rows": [{"label": "1", "seats": [seat]}]}]});
    for (query, name) in [("", "Odeon"), ("?name=Globe", "Globe"), ("?name=%20Old%20Vic%20", "Old Vic")] {
        let venue = app.post(&format!("/api/v1/admin/venues{query}"), Some(&organizer), plan.clone()).await.expect(201);
        assert_eq!(venue["name"], name);
    }
    app.post("/api/v1/admin/venues?name=%20", Some(&organizer), plan).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn what_looks_odd_in_a_plan_is_told_and_no_reason_to_refuse_it() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    // The third seat stands between the first and the second.
    let plan = "section,row,seat,category,x,y\nFloor,A,1,Stalls,1,1\nFloor,A,2,Stalls,3,1\nFloor,A,3,Stalls,2,1\n";
    let request = Request::post("/api/v1/admin/venues?format=csv&name=Odeon")
        .header("authorization", format!("Bearer {}", organizer.token))
        .header("content-type", "text/csv")
        .body(plan.into());
    let venue = app.send(request.unwrap()).await.expect(201);
    assert_eq!(venue["warnings"].as_array().map(Vec::len), Some(1), "{venue}");
}

/// A venue is read when it has been made, and may not be there any more.
#[tokio::test]
async fn who_has_made_a_venue_is_not_told_that_nothing_was_done() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let seat = json!({"label": "1", "x": 0, "y": 0, "category": "Seats"});
    let plan = json!({"name": "Odeon", "sections": [{"name": "S", "rows": [{"label": "1", "seats": [seat]}]}]});
    let away = app.beside_without_events().await;
    let told = away.post("/api/v1/admin/venues", Some(&organizer), plan).await.refused(503, "store_unavailable");
    assert_eq!(told["detail"], "it is not known whether it was done; ask again with the same key in a moment");
    let venues = app.get("/api/v1/admin/venues", Some(&organizer)).await.expect(200);
    assert_eq!(venues["items"][0]["name"], "Odeon");
}

/// Else anybody could find out which codes there are.
#[tokio::test]
async fn who_manages_nothing_learns_nothing_of_codes() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let (ada, door) = (app.customer("ada").await, app.person("door", Role::Staff).await);
    let id = app.hold(&ada, event, &[0]).await;
    let code = app.pay(&ada, &id, "tok_visa").await.expect(200)["booking"]["code"].as_str().unwrap().to_owned();
    for by in [&ada, &door] {
        for code in [&code, "33333333"] {
            app.get(&format!("/api/v1/admin/bookings?code={code}"), Some(by)).await.refused(403, "forbidden");
        }
    }
}

/// Nor of bookings: the answer is the same whether there is one or not.
#[tokio::test]
async fn who_manages_nothing_learns_nothing_of_bookings() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let (ada, bob, door) = (app.customer("ada").await, app.customer("bob").await, app.person("door", Role::Staff).await);
    let id = app.hold(&ada, event, &[0]).await;
    for by in [&bob, &door] {
        for id in [&id, &uuid::Uuid::nil().to_string()] {
            let path = format!("/api/v1/admin/bookings/{id}");
            app.get(&path, Some(by)).await.refused(403, "forbidden");
            app.post(&format!("{path}/cancel"), Some(by), json!({})).await.refused(403, "forbidden");
        }
    }
}

/// A catalogue that is away every second time that it is asked for a venue: for the answer to what was done before.
struct AwayLater {
    catalog: Arc<dyn Catalog>,
    asked: AtomicUsize,
}

#[async_trait]
impl Catalog for AwayLater {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.catalog.event(id).await
    }

    async fn venues(&self, page: Page<VenueId>) -> Result<Vec<Venue>, StoreError> {
        self.catalog.venues(page).await
    }

    async fn venue(&self, id: VenueId) -> Result<Option<Venue>, StoreError> {
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return self.catalog.venue(id).await;
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "catalogue", "it is away"))
    }

    async fn layout(&self, id: LayoutId) -> Result<Option<Arc<Layout>>, StoreError> {
        self.catalog.layout(id).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<(Timestamp, EventId)>) -> Result<Vec<Arc<Event>>, StoreError> {
        self.catalog.events(filter, page).await
    }

    async fn seat_map(&self, event: EventId) -> Result<Option<SeatMap>, StoreError> {
        self.catalog.seat_map(event).await
    }

    async fn changed_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        self.catalog.changed_elsewhere().await
    }
}

#[tokio::test]
async fn of_a_change_to_an_event_that_cannot_be_shown_nobody_is_told_that_nothing_was_done() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = app.venue(&organizer, 1).await;
    let catalog = &app.app.store.catalog;
    let start = app.now() + Duration::from_hours(24);
    let new = json!({
        "name": "Another", "venue_id": venue, "start_time": start, "end_time": start + Duration::from_hours(2),
        "currency": "EUR", "price_categories": [{"name": "Seats", "price": 4500}],
    });
    for missing in ["its venue", "its seats"] {
        let draft = app.draft(&organizer, &venue, json!({})).await;
        let away = if missing == "its seats" {
            app.beside_showing(catalog.clone(), Arc::new(MemorySeatFeed::new(Arc::new(Away)))).await
        } else {
            let later = Arc::new(AwayLater { catalog: catalog.clone(), asked: AtomicUsize::new(0) });
            app.beside_showing(later, Arc::new(MemorySeatFeed::new(catalog.clone()))).await
        };
        let publish = format!("/api/v1/admin/events/{draft}/publish");
        for answer in [
            away.call(Method::POST, &publish, Some(&organizer), None).await,
            away.post("/api/v1/admin/events", Some(&organizer), new.clone()).await,
        ] {
            let told = answer.refused(503, "store_unavailable");
            assert_eq!(
                told["detail"], "it is not known whether it was done; ask again with the same key in a moment",
                "{missing}"
            );
        }
        assert_eq!(catalog.event(draft).await.unwrap().unwrap().stage, Stage::Published);
    }
    let events = app.get("/api/v1/admin/events", Some(&organizer)).await.expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), 4);
}

/// Everybody who has booked is shown it.
#[tokio::test]
async fn an_event_is_called_off_for_no_reason_that_is_no_plain_text() {
    let app = TestApp::new().await;
    let (organizer, event) = app.on_sale(1).await;
    let path = format!("/api/v1/admin/events/{event}");
    let cancel = async |reason: &str| app.post(&format!("{path}/cancel"), Some(&organizer), json!({"reason": reason})).await;
    for reason in ["\u{1b}[2J", "storm\u{0}", "storm\u{85}", &"é".repeat(501)] {
        let refused = cancel(reason).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], "reason");
    }
    assert_eq!(app.get(&path, Some(&organizer)).await.expect(200)["status"], "upcoming");
    cancel(&format!("{}\n", "é".repeat(499))).await.expect(200);
}
