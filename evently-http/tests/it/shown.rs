//! What is shown where there is more than one of everything: sections, price categories, venues, days.

use evently_core::domain::{EventId, Role};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::Method;
use serde_json::{Value, json};

use crate::app::{Person, TestApp};

const DAY: u64 = 24 * 3600;

/// A venue of two sections with two seats each, the first of which is `Near` and the other `Far`.
async fn hall(app: &TestApp, organizer: &Person, name: &str) -> String {
    let seat = |n: usize, category: &str| json!({"label": n.to_string(), "x": n, "y": 0, "category": category});
    let row = json!({"label": "A", "seats": [seat(1, "Near"), seat(2, "Far")]});
    let sections = ["Stalls", "Balcony"].map(|name| json!({"name": name, "rows": [row]}));
    let venue = app.post("/api/v1/admin/venues", Some(organizer), json!({"name": name, "sections": sections})).await.expect(201);
    venue["id"].as_str().unwrap().to_owned()
}

/// An event there in so many days, a draft.
async fn draft(app: &TestApp, organizer: &Person, venue: &str, days: u64) -> EventId {
    let start = app.now() + std::time::Duration::from_secs(days * DAY);
    let prices = json!([{"name": "Near", "price": 4500}, {"name": "Far", "price": 1000}]);
    let more = json!({"start_time": start, "end_time": start + std::time::Duration::from_hours(30), "price_categories": prices});
    app.draft(organizer, venue, more).await
}

async fn publish(app: &TestApp, organizer: &Person, event: EventId) {
    app.call(Method::POST, &format!("/api/v1/admin/events/{event}/publish"), Some(organizer), None).await.expect(200);
}

/// An application, an organizer, and an event in the hall, on sale.
async fn open() -> (TestApp, Person, EventId) {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = hall(&app, &organizer, "Odeon").await;
    let event = draft(&app, &organizer, &venue, 1).await;
    publish(&app, &organizer, event).await;
    (app, organizer, event)
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn strings(events: &[EventId]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn nothing_of_a_draft_is_shown_to_strangers() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = hall(&app, &organizer, "Odeon").await;
    let event = draft(&app, &organizer, &venue, 1).await;
    let ada = app.customer("ada").await;
    for part in ["", "/layout", "/seats", "/availability", "/live"] {
        for by in [None, Some(&ada), Some(&organizer)] {
            app.get(&format!("/api/v1/events/{event}{part}"), by).await.refused(404, "not_found");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_draft_that_was_called_off_is_shown_to_strangers() {
    let app = TestApp::new().await;
    let organizer = app.person("organizer", Role::Organizer).await;
    let venue = hall(&app, &organizer, "Odeon").await;
    let event = draft(&app, &organizer, &venue, 1).await;
    let managed = format!("/api/v1/admin/events/{event}");
    let status = async || app.get(&managed, Some(&organizer)).await.expect(200)["status"].clone();
    assert_eq!(status().await, "draft");
    let off = app.call(Method::POST, &format!("{managed}/cancel"), Some(&organizer), None).await.expect(200);
    assert_eq!(off["status"], "cancelled");
    let ada = app.customer("ada").await;
    for by in [None, Some(&ada), Some(&organizer)] {
        for part in ["", "/layout", "/seats", "/availability", "/live"] {
            app.get(&format!("/api/v1/events/{event}{part}"), by).await.refused(404, "not_found");
        }
        for query in ["", "?status=cancelled", "?q=odeon", &format!("?venue_id={venue}&status=cancelled")] {
            assert_eq!(ids(&app.get(&format!("/api/v1/events{query}"), by).await.expect(200)), strings(&[]), "{query}");
        }
    }
    app.post("/api/v1/bookings", Some(&ada), app.hold_of(event, &[0]).await).await.refused(404, "not_found");
    assert_eq!(status().await, "cancelled");
    for query in ["", "?status=cancelled"] {
        let list = app.get(&format!("/api/v1/admin/events{query}"), Some(&organizer)).await.expect(200);
        assert_eq!(ids(&list), strings(&[event]), "{query}");
    }
}

#[tokio::test]
async fn events_and_figures_are_for_those_who_manage_some() {
    let (app, organizer, event) = open().await;
    let venue = hall(&app, &organizer, "Rex").await;
    let draft = draft(&app, &organizer, &venue, 2).await;
    let admin = app.person("admin", Role::Admin).await;
    let (door, ada) = (app.person("door", Role::Staff).await, app.customer("ada").await);
    let (list, overview) = ("/api/v1/admin/events", "/api/v1/admin/analytics/overview");
    for path in [list, overview] {
        for by in [&door, &ada] {
            app.get(path, Some(by)).await.refused(403, "forbidden");
        }
    }
    for by in [&organizer, &admin] {
        assert_eq!(ids(&app.get(list, Some(by)).await.expect(200)), strings(&[event, draft]), "drafts included");
    }
    let other = app.person("other", Role::Organizer).await;
    assert!(ids(&app.get(list, Some(&other)).await.expect(200)).is_empty());
}

#[tokio::test]
async fn seats_are_those_of_the_section_that_was_asked_for_at_the_price_of_their_category() {
    let (app, _, event) = open().await;
    let layout = app.get(&format!("/api/v1/events/{event}/layout"), None).await.expect(200);
    let shown = app.get(&format!("/api/v1/events/{event}"), None).await.expect(200);
    let category = |name: &str| {
        let categories = shown["price_categories"].as_array().unwrap();
        categories.iter().find(|category| category["name"] == name).unwrap()["id"].clone()
    };
    for section in layout["sections"].as_array().unwrap() {
        let seats = section["rows"][0]["seats"].as_array().unwrap();
        let of = |key: &str| seats.iter().map(|seat| seat[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("price_category_id"), [category("Near"), category("Far")]);
        for named in ["name", "id"] {
            let path = format!("/api/v1/events/{event}/seats?section={}", section[named].as_str().unwrap());
            let found = app.get(&path, None).await.expect(200);
            let found =
                found["seats"].as_array().unwrap().iter().map(|seat| (seat["id"].clone(), seat["price"]["amount"].clone()));
            // The cheapest first.
            let [near, far] = &of("id")[..] else { panic!("two seats") };
            let expected = [(far.clone(), json!(1000)), (near.clone(), json!(4500))];
            assert_eq!(found.collect::<Vec<_>>(), expected, "{named}");
        }
    }
}

#[tokio::test]
async fn free_seats_are_counted_where_they_are() {
    let (app, _, event) = open().await;
    let ada = app.customer("ada").await;
    // The second of the second section.
    app.hold(&ada, event, &[3]).await;
    let counts = app.get(&format!("/api/v1/events/{event}/availability"), None).await.expect(200);
    let of = |part: &str, name: &str| {
        let parts = counts[part].as_array().unwrap().iter();
        parts.map(|part| (part[name].clone(), part["available"].clone(), part["reserved"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(of("by_section", "section"), [(json!("Stalls"), json!(2), json!(0)), (json!("Balcony"), json!(1), json!(1))]);
    assert_eq!(of("by_price_category", "name"), [(json!("Near"), json!(2), json!(0)), (json!("Far"), json!(1), json!(1))]);
}

#[tokio::test]
async fn what_has_changed_has_another_entity_tag() {
    let (app, organizer, event) = open().await;
    let (shown, counts) = (format!("/api/v1/events/{event}"), format!("/api/v1/events/{event}/availability"));
    let tag = async |path: &str| app.get(path, None).await.headers["etag"].to_str().unwrap().to_owned();
    let before = [tag(&shown).await, tag(&counts).await];
    let known = [("if-none-match", &*before[1])];
    assert_eq!(app.call_with(Method::GET, &counts, None, None, &known).await.status, 304);
    let renamed = json!({"name": "Another night out"});
    app.call(Method::PATCH, &format!("/api/v1/admin/events/{event}"), Some(&organizer), Some(renamed)).await.expect(200);
    let renamed = [tag(&shown).await, tag(&counts).await];
    assert_ne!(before[0], renamed[0], "it has another name");
    app.hold(&app.customer("ada").await, event, &[0]).await;
    let held = [tag(&shown).await, tag(&counts).await];
    assert!(renamed[0] != held[0] && renamed[1] != held[1], "a seat is gone");
}

#[tokio::test]
async fn events_are_found_by_venue_and_day_and_read_part_by_part() {
    let (app, organizer, first) = open().await;
    let (odeon, rex) = (hall(&app, &organizer, "Odeon").await, hall(&app, &organizer, "Rex").await);
    // Each begins before the one before it is over.
    let second = draft(&app, &organizer, &rex, 2).await;
    let third = draft(&app, &organizer, &odeon, 3).await;
    for event in [second, third] {
        publish(&app, &organizer, event).await;
    }
    let day = |days: u64| app.now() + std::time::Duration::from_secs(days * DAY);
    for path in ["/api/v1/events", "/api/v1/admin/events"] {
        let found = async |query: String| ids(&app.get(&format!("{path}?{query}"), Some(&organizer)).await.expect(200));
        assert_eq!(found(format!("venue_id={rex}")).await, strings(&[second]));
        assert_eq!(found(format!("from={}", day(2))).await, strings(&[second, third]));
        assert_eq!(found(format!("to={}", day(2))).await, strings(&[first]));
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let part = app.get(&format!("{path}?limit=1{cursor}"), Some(&organizer)).await.expect(200);
            seen.extend(ids(&part));
            let Some(next) = part["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, strings(&[first, second, third]));
    }
}

#[tokio::test]
async fn the_bookings_of_an_event_are_those_that_were_asked_for() {
    let (app, organizer, event) = open().await;
    let ada = app.customer("ada").await;
    let (paid, held) = (app.hold(&ada, event, &[0]).await, app.hold(&ada, event, &[1]).await);
    app.pay(&ada, &paid, "tok_visa").await.expect(200);
    for (status, booking) in [("confirmed", &paid), ("pending", &held)] {
        let path = format!("/api/v1/admin/events/{event}/bookings?status={status}");
        assert_eq!(ids(&app.get(&path, Some(&organizer)).await.expect(200)), std::slice::from_ref(booking), "{status}");
        let path = format!("/api/v1/bookings?status={status}");
        assert_eq!(ids(&app.get(&path, Some(&ada)).await.expect(200)), std::slice::from_ref(booking), "{status}");
    }
}

#[tokio::test]
async fn the_overview_is_of_the_time_that_was_asked_for() {
    let (app, organizer, event) = open().await;
    let ada = app.customer("ada").await;
    let early = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &early, "tok_visa").await.expect(200);
    app.advance(3600);
    let later = app.now();
    let late = app.hold(&ada, event, &[1]).await;
    app.pay(&ada, &late, "tok_visa").await.expect(200);
    for (query, sold, revenue) in
        [(String::new(), 2, 5500), (format!("?from={later}"), 1, 1000), (format!("?to={later}"), 1, 4500)]
    {
        let overview = app.get(&format!("/api/v1/admin/analytics/overview{query}"), Some(&organizer)).await.expect(200);
        let totals = &overview["totals"][0];
        assert_eq!((&totals["seats_sold"], &totals["revenue"]["amount"]), (&json!(sold), &json!(revenue)), "{query}");
    }
}

#[tokio::test]
async fn figures_of_an_event_are_what_was_sold() {
    let (app, organizer, event) = open().await;
    let path = format!("/api/v1/admin/events/{event}");
    let figures = async || app.get(&format!("{path}/analytics"), Some(&organizer)).await.expect(200);
    let none = figures().await;
    assert_eq!(
        [&none["conversion"], &none["sell_through"], &none["by_section"][0]["sell_through"]],
        [0.0, 0.0, 0.0].map(|none| json!(none)).each_ref()
    );
    app.call(Method::PATCH, &path, Some(&organizer), Some(json!({"refunds": {"percent": 50}}))).await.expect(200);
    let ada = app.customer("ada").await;
    let sold = app.hold(&ada, event, &[0, 1, 2]).await;
    app.pay(&ada, &sold, "tok_visa").await.expect(200);
    let given_up = app.hold(&ada, event, &[3]).await;
    app.pay(&ada, &given_up, "tok_visa").await.expect(200);
    let cancel = async |id: &str| app.post(&format!("/api/v1/bookings/{id}/cancel"), Some(&ada), json!({})).await.expect(200);
    cancel(&given_up).await;
    let expired = app.hold(&ada, event, &[3]).await;
    app.advance(300);
    assert_eq!(app.app.upkeep.expire_holds().await.unwrap(), 1, "{expired}");
    for _ in 0..2 {
        cancel(&app.hold(&ada, event, &[3]).await).await;
    }
    app.hold(&ada, event, &[3]).await;
    let said = figures().await;
    let euros = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let totals = json!({
        "holds": 6, "confirmed": 2, "expired": 1, "cancelled": 3, "seats_sold": 3, "seats_value": euros(10000),
        "revenue": euros(10500), "captured": euros(11000), "refunded": euros(500),
    });
    assert_eq!(said["totals"], totals);
    let sections = json!([
        {"section": "Stalls", "seats_total": 2, "seats_sold": 2, "seats_value": euros(5500), "sell_through": 1.0},
        {"section": "Balcony", "seats_total": 2, "seats_sold": 1, "seats_value": euros(4500), "sell_through": 0.5},
    ]);
    assert_eq!(said["by_section"], sections);
    let share = |what: &str| said[what].as_f64().unwrap();
    assert!((share("conversion") - 2.0 / 6.0).abs() < 1e-9 && (share("sell_through") - 0.75).abs() < 1e-9, "{said}");
}

#[tokio::test]
async fn money_is_on_its_way_back_until_it_was_sent() {
    let (app, _, event) = open().await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    app.call(Method::POST, &format!("/api/v1/bookings/{booking}/cancel"), Some(&ada), None).await.expect(200);
    let refund = async || {
        let booking = app.get(&format!("/api/v1/bookings/{booking}"), Some(&ada)).await.expect(200);
        (booking["refunds"][0]["status"].clone(), booking["refunds"][0]["amount"]["amount"].clone())
    };
    assert_eq!(refund().await, (json!("pending"), json!(4500)));
    app.app.payments.send_refunds().await.unwrap();
    assert_eq!(refund().await, (json!("succeeded"), json!(4500)));
}

#[tokio::test]
async fn who_comes_in_twice_is_told_when_they_came_first() {
    let (app, organizer, event) = open().await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    app.pay(&ada, &booking, "tok_visa").await.expect(200);
    let tickets = app.get(&format!("/api/v1/bookings/{booking}/tickets"), Some(&ada)).await.expect(200);
    let reading = json!({"code": tickets[0]["code"], "event_id": event});
    let check_in = async || app.post("/api/v1/admin/check-ins", Some(&organizer), reading.clone()).await.expect(200);
    let first = app.now();
    assert_eq!(check_in().await["result"], "admitted");
    app.advance(60);
    let again = check_in().await;
    assert_eq!((&again["result"], &again["admitted_at"]), (&json!("already_admitted"), &json!(first)));
}

/// Their usual values are those of others, so that one could be taken for another.
#[tokio::test]
async fn terms_are_those_of_the_settings() {
    let settings = [("booking.payment_window", "10m"), ("auth.refresh_ttl", "1h"), ("auth.access_ttl", "30m")];
    let app = TestApp::with(&settings).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let booking = app.hold(&ada, event, &[0]).await;
    assert_eq!(app.pay(&ada, &booking, "tok_slow").await.expect(200)["booking"]["expires_in"], 600);
    app.advance(3600);
    let refresh = json!({"refresh_token": ada.refresh_token});
    assert_eq!(app.post("/auth/refresh", None, refresh).await.status, 401);
}

/// In front of a store that takes its time: somebody else writes in it.
#[tokio::test]
async fn no_more_wait_for_the_store_than_the_settings_say() {
    let app = TestApp::with(&[("box_office.queue", "1"), ("box_office.batch", "1")]).await;
    let (_, event) = app.on_sale(1).await;
    let ada = app.customer("ada").await;
    let store = rusqlite::Connection::open(app.app.config.store_file().unwrap()).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    store.execute_batch("begin immediate").unwrap();
    let hold = async |seat| app.post("/api/v1/bookings", Some(&ada), app.hold_of(event, &[seat]).await).await;
    let mut holds = (0..10).map(hold).collect::<FuturesUnordered<_>>();
    for _ in 0..5 {
        holds.next().await.unwrap().refused(503, "overloaded");
    }
    store.execute_batch("rollback").unwrap();
    assert_eq!(holds.count().await, 5);
}

#[tokio::test]
async fn pages_of_other_origins_may_do_what_there_is_to_do() {
    let app = TestApp::with(&[("cors.origins", "https://app.example.org")]).await;
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        let headers = [("origin", "https://app.example.org"), ("access-control-request-method", method)];
        let answer = app.call_with(Method::OPTIONS, "/api/v1/events", None, None, &headers).await;
        let allowed = answer.headers["access-control-allow-methods"].to_str().unwrap();
        assert!(allowed.split(',').any(|allowed| allowed.trim() == method), "{method}: {allowed}");
    }
}

#[tokio::test]
async fn events_are_found_by_what_they_are_and_what_they_are_called() {
    let (app, organizer, upcoming) = open().await;
    let venue = hall(&app, &organizer, "Rex").await;
    let (called_off, in_draft) = (draft(&app, &organizer, &venue, 2).await, draft(&app, &organizer, &venue, 3).await);
    publish(&app, &organizer, called_off).await;
    app.call(Method::POST, &format!("/api/v1/admin/events/{called_off}/cancel"), Some(&organizer), None).await.expect(200);
    for (path, drafts) in [("/api/v1/events", vec![]), ("/api/v1/admin/events", vec![in_draft])] {
        let found = async |query: &str| ids(&app.get(&format!("{path}?{query}"), Some(&organizer)).await.expect(200));
        assert_eq!(found("status=upcoming").await, strings(&[upcoming]), "{path}");
        assert_eq!(found("status=cancelled").await, strings(&[called_off]), "{path}");
        assert_eq!(found("status=draft").await, strings(&drafts), "{path}");
        assert_eq!(found("q=odeon").await, strings(&[upcoming]), "{path}");
    }
}

#[tokio::test]
async fn the_bookings_of_an_event_are_read_part_by_part() {
    let (app, organizer, event) = open().await;
    let ada = app.customer("ada").await;
    let mut newest_first = Vec::new();
    for seat in 0..3 {
        newest_first.insert(0, app.hold(&ada, event, &[seat]).await);
        app.advance(1);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    // Whoever is given the same part again would read for ever.
    while seen.len() < newest_first.len() {
        let path = format!("/api/v1/admin/events/{event}/bookings?limit=2{cursor}");
        let part = app.get(&path, Some(&organizer)).await.expect(200);
        seen.extend(ids(&part));
        let Some(next) = part["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, newest_first);
}
