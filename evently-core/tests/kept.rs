//! What stores keep as JSON: events, layouts, entries of the journal and answers. Stores that were written by any version are read by all later
//! ones, so that nothing here may be called otherwise.

#![cfg(not(loom))]

use std::fmt::Debug;

use evently_core::domain::{Answer, Event, Layout, Transition};
use serde::{Serialize, de::DeserializeOwned};

/// Each is read, and written as it was.
fn are_kept<T: Serialize + DeserializeOwned + Debug>(texts: &[&str]) {
    for text in texts {
        let json = text.replace("$id", "0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001").replace("$at", "2026-11-22T19:30:00Z");
        let read = serde_json::from_str::<T>(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}

const EVENT: &str = r#"{"id":"$id","venue_id":"$id","layout_id":"$id","organizer_id":"$id","stage":"published","details":{"name":"Hamlet","description":"","start_time":"$at","end_time":"$at","on_sale":{"opens_at":"$at","closes_at":"$at"},"max_seats_per_booking":4,"max_seats_held":10,"refunds":{"until":"$at","percent":50}},"currency":"EUR","categories":[{"id":"$id","name":"Stalls","price":4500}],"seats_total":2,"created_at":"$at","version":2}"#;

#[test]
fn events_are_read_as_they_were_written_by_any_version() {
    let [draft, cancelled] = ["draft", "cancelled"].map(|stage| EVENT.replace("published", stage));
    let withdrawn = cancelled.replace(r#""version":2"#, r#""version":2,"withdrawn":true"#);
    are_kept::<Event>(&[EVENT, &draft, &cancelled, &withdrawn]);
}

#[test]
fn layouts_are_read_as_they_were_written_by_any_version() {
    let sections = r#""sections":[{"id":"$id","name":"Stalls","rows":[{"id":"$id","label":"A","seats":[{"id":"$id","label":"1","x":0.5,"y":2.0,"category":0,"attributes":["accessible","companion","restricted_view","aisle"]}]}]}]"#;
    let areas = r##""areas":[{"id":"$id","kind":"rectangle","width":9.0,"height":5.0,"x":1.0,"y":2.0,"rotation":45.0,"text":"Stage","color":"#cccccc"},{"id":"$id","kind":"ellipse","width":9.0,"height":5.0,"x":1.0,"y":2.0,"rotation":0.0},{"id":"$id","kind":"polygon","points":[[0.0,0.0],[1.0,0.0],[1.0,1.0]],"x":1.0,"y":2.0,"rotation":0.0},{"id":"$id","kind":"text","x":1.0,"y":2.0,"rotation":0.0,"text":"Bar"}]"##;
    let categories = r##""categories":[{"name":"Stalls","color":"#4466aa"},{"name":"Balcony"}]"##;
    are_kept::<Layout>(&[&format!(r#"{{"id":"$id",{categories},{sections},{areas}}}"#)]);
}

#[test]
fn the_journal_is_read_as_it_was_written_by_any_version() {
    are_kept::<Transition>(&[
        r#"{"e":"$id","t":"$at","a":{"user":["$id","organizer"]},"f":{"event":{"stage":"published","version":2}},"r":"published"}"#,
        r#"{"e":"$id","t":"$at","a":{"user":["$id","admin"]},"f":{"house":{"to":"blocked"}},"s":[{"n":7,"v":1,"to":"blocked"}]}"#,
        r#"{"e":"$id","t":"$at","a":{"user":["$id","customer"]},"f":{"booking":{"id":"$id","user_id":"$id","from":null,"to":"pending","version":1}},"s":[{"n":0,"v":1,"to":"reserved","p":4500}]}"#,
        r#"{"e":"$id","t":"$at","a":"gateway","f":{"booking":{"id":"$id","user_id":"$id","from":"pending","to":"confirmed","version":3}},"s":[{"n":0,"v":2,"to":"booked","p":4500}]}"#,
        r#"{"e":"$id","t":"$at","a":"system","f":{"booking":{"id":"$id","user_id":"$id","from":"expired","to":"cancelled","version":3}}}"#,
        r#"{"e":"$id","t":"$at","a":"system","f":{"booking":{"id":"$id","user_id":"$id","from":"confirmed","to":"refunded","version":4}},"s":[{"n":0,"v":3,"to":"available","p":4500}]}"#,
        r#"{"e":"$id","t":"$at","a":"gateway","f":{"captured":{"payment_id":"$id","booking_id":"$id","amount":4500}}}"#,
        r#"{"e":"$id","t":"$at","a":"gateway","f":{"refund_due":{"refund_id":"$id","payment_id":"$id","booking_id":"$id","amount":4500}},"r":"paid_too_late"}"#,
        r#"{"e":"$id","t":"$at","a":"gateway","f":{"refund_sent":{"refund_id":"$id","booking_id":"$id"}}}"#,
        r#"{"e":"$id","t":"$at","a":{"user":["$id","staff"]},"f":{"checked_in":{"ticket_id":"$id","booking_id":"$id","seat":0}}}"#,
    ]);
}

/// In this state, with these terms of refunds.
fn booking(state: &str, refunds: &str) -> String {
    let money = r#""seats":[{"number":0,"price":4500}],"total":{"amount":4500,"currency":"EUR"}"#;
    format!(
        r#"{{"id":"$id","event_id":"$id","user_id":"$id",{money},{refunds}"code":"34679ACD","state":{state},"created_at":"$at","version":3}}"#
    )
}

fn payment(state: &str) -> String {
    let money = r#""amount":{"amount":4500,"currency":"EUR"}"#;
    format!(
        r#"{{"id":"$id","booking_id":"$id","event_id":"$id",{money},"state":{state},"provider":"sandbox","reference":"ch_1","refunded":0,"created_at":"$at"}}"#
    )
}

/// What was answered before an upgrade is answered after it as well, or a payment would be asked for twice.
#[test]
fn answers_are_read_as_they_were_written_by_any_version() {
    let terms = r#""refunds":{"until":"$at","percent":50},"#;
    let pending = booking(r#"{"pending":{"until":"$at","payment":["$id","$at"]}}"#, terms);
    let ticket = |state| {
        let code = "EVT-000000000000000000000000000000FF";
        format!(r#"{{"id":"$id","booking_id":"$id","event_id":"$id","seat":0,"code":"{code}","state":{state}}}"#)
    };
    let [good, used, void] = [r#""valid""#, r#"{"checked_in":{"at":"$at","by":"$id"}}"#, r#""void""#].map(ticket);
    let mut accepted = vec![
        r#"{"venue":{"id":"$id","name":"Globe","layout_id":"$id"}}"#.to_owned(),
        format!(r#"{{"event":{EVENT}}}"#),
        format!(r#"{{"booking":{pending}}}"#),
        format!(r#"{{"payment_started":[{},{pending}]}}"#, payment(r#""processing""#)),
        r#"{"refunded":"$id"}"#.to_owned(),
        r#"{"seats":["$id",["$id"],"available"]}"#.to_owned(),
        format!(r#"{{"check_in":["admitted",{good}]}}"#),
        format!(r#"{{"check_in":[{{"already_admitted":{{"at":"$at"}}}},{used}]}}"#),
        format!(r#"{{"check_in":["cancelled",{void}]}}"#),
        r#"{"check_in":["wrong_event",null]}"#.to_owned(),
        r#"{"check_in":["invalid",null]}"#.to_owned(),
    ];
    for state in [r#"{"confirmed":{"payment":"$id","at":"$at"}}"#, r#""expired""#, r#""cancelled""#, r#""refunded""#] {
        accepted.push(format!(r#"{{"booking":{}}}"#, booking(state, "")));
    }
    for state in [
        r#"{"requires_action":{"client_secret":"x"}}"#,
        r#"{"succeeded":{"at":"$at"}}"#,
        r#"{"failed":{"reason":"card_declined"}}"#,
    ] {
        accepted.push(format!(r#"{{"payment":[{},{pending}]}}"#, payment(state)));
    }
    let refused = [
        r#"{"not_found":"event"}"#,
        r#"{"invalid":{"fields":[{"field":"seat_ids[0]","code":"unknown_seat","message":"this event has no such seat"}]}}"#,
        r#"{"seats_unavailable":[["$id","booked"],["$id","reserved"]]}"#,
        r#"{"too_many_seats":{"per_booking":{"max":4}}}"#,
        r#"{"too_many_seats":{"held":{"max":4,"held":3}}}"#,
        r#"{"not_on_sale":"draft"}"#,
        r#"{"not_on_sale":"cancelled"}"#,
        r#"{"not_on_sale":{"not_yet":"$at"}}"#,
        r#"{"not_on_sale":{"over":"$at"}}"#,
        r#"{"not_pending":"cancelled"}"#,
        r#"{"status_changed":"confirmed"}"#,
        r#""hold_expired""#,
        r#"{"extension_limit":"$at"}"#,
        r#""payment_in_progress""#,
        r#"{"cancellation_closed":"$at"}"#,
        r#""ticket_used""#,
        r#""event_cancelled""#,
        r#""key_reused""#,
    ];
    let answers = accepted.iter().map(|outcome| format!(r#"{{"at":"$at","result":{{"Ok":{outcome}}}}}"#));
    let answers = answers.chain(refused.map(|rejection| format!(r#"{{"at":"$at","result":{{"Err":{rejection}}}}}"#)));
    answers.for_each(|answer| are_kept::<Answer>(&[&answer]));
}
