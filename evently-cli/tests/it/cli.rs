//! What each command says, and what it ends with.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use evently_cli::http1::Request;
use evently_testservers::fresh_database;
use serde_json::{Value, json};

use crate::{
    evently::{Evently, Said, bare, within_a_minute},
    load::Hall,
};

fn plan(evently: &Evently, name: &str, content: &str) -> String {
    let path = evently.data.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

const PLAN: &str = "section,row,seat,category,x,y\nFloor,A,1,Stalls,1,1\nFloor,A,2,Stalls,2,1\nFloor,B,1,Circle,1,2\n";

fn hint_of(said: &Said) -> &str {
    said.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default()
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_would_be_right() {
    let evently = Evently::new();
    for args in [&["sell"][..], &["venue"], &["event", "create", "--name", "Gala"], &["user", "role", "a@b.example", "king"]] {
        let said = evently.run(args);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{args:?}: {said:?}");
        assert!(!said.stderr.is_empty());
    }
    let said = evently.command(&["config", "show"]).env("EVENTLY__HTTP__LISEN", "x").output().map(Said::from).unwrap();
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("EVENTLY__HTTP__LISTEN"), "{said:?}");
}

/// What is left out is not to be guessed: it may be all messages, or other seeds than were meant.
#[test]
fn what_is_left_out_or_goes_with_nothing_else_is_wrong_usage() {
    let evently = Evently::new();
    for args in [
        &["queue", "drop", "jobs"][..],
        &["queue", "replay", "jobs"],
        &["queue", "drop", "jobs", "7", "--all"],
        &["queue", "drop", "mails", "--all"],
        &["seats", "block", "Gala"],
        &["simulate", "--seed", "1", "--seeds", "0..2"],
        &["simulate", "--seeds", "0..2", "--trace"],
        &["simulate", "--seed", "1", "--minutes", "1"],
        &["simulate", "--seed", "1", "--threads", "2"],
        &["simulate", "--seed", "1", "--steps", "0"],
        &["simulate", "--seeds", "0..2", "--minutes", "0"],
        &["db", "partitions", "--months", "121"],
        &["bench", "on-sale", "--rate", "0"],
        &["bench", "on-sale", "--rate", "inf"],
        &["bench", "on-sale", "--abandon", "101%"],
        &["event", "create", "--file", "-", "--refund-percent", "101"],
    ] {
        let said = evently.run(args);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{args:?}: {said:?}");
        assert!(!said.stderr.contains("there is no broker"), "it is seen before anybody is asked: {args:?}: {said:?}");
    }
}

#[test]
fn help_goes_to_stdout_and_names_the_exit_codes() {
    let said = Said::from(bare().arg("--help").output().unwrap());
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for word in ["Exit codes", "serve", "verify", "bench", "doctor"] {
        assert!(said.stdout.contains(word), "{word}");
    }
}

#[test]
fn looking_for_something_makes_nothing() {
    let evently = Evently::new();
    let said = evently.run(&["venue", "list"]);
    assert_eq!(said.code, 3);
    assert!(said.stderr.starts_with("error: there is no store at "), "{said:?}");
    assert!(hint_of(&said).contains("--data"));
    assert_eq!(std::fs::read_dir(evently.data.path()).unwrap().count(), 0);
}

#[test]
fn a_venue_goes_in_and_comes_out_again() {
    let evently = Evently::new();
    let file = plan(&evently, "odeon.csv", PLAN);
    let venue = evently.json(&["venue", "import", &file]);
    assert_eq!((venue["name"].as_str(), venue["seats_total"].as_u64()), (Some("odeon"), Some(3)));
    let exported = evently.run(&["venue", "export", "odeon", "--format", "evently"]);
    let again = evently.run_with(&["venue", "import", "-", "--name", "Twin", "--json"], &exported.stdout);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.json()["sections"][0]["seats"], 3);
    let list = evently.run(&["venue", "list"]);
    assert_eq!(list.stdout.lines().count(), 3, "{}", list.stdout);
    assert!(list.stdout.lines().all(|line| line.len() <= 80 && line.trim_end() == line));
    // It is no terminal.
    let narrow = Said::from(evently.command(&["venue", "list"]).env("COLUMNS", "40").output().unwrap());
    assert_eq!(narrow.stdout, list.stdout);
    let listed = evently.json(&["venue", "list"]);
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["seats_total"]), (2, &json!(3)));
    assert_eq!(venue["categories"][0]["seats"], 2);
    let shown = evently.run(&["venue", "show", "odeon"]).stdout;
    let words = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
    for line in [&["Floor", "2", "3"][..], &["Stalls", "2"], &["Circle", "1"]] {
        assert!(words.iter().any(|words| words == line), "{line:?}: {shown}");
    }
    let said = evently.run(&["venue", "show", "Nowhere"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let said = evently.run_with(&["venue", "import", "-"], PLAN);
    assert_eq!(said.code, 2);
    assert!(hint_of(&said).contains("--name"), "{said:?}");
}

#[test]
fn a_plan_is_in_the_format_that_is_said() {
    let evently = Evently::new();
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    for format in ["evently", "pretix", "csv"] {
        let exported = evently.run(&["venue", "export", "odeon", "--format", format]);
        assert_eq!(exported.code, 0, "{exported:?}");
        let seats = |said: &Said| (said.code, said.json()["seats_total"].as_u64());
        for verb in [&["venue", "lint", "-"][..], &["venue", "import", "-", "--name", format]] {
            let found = evently.run_with(&[verb, &["--json"]].concat(), &exported.stdout);
            assert_eq!(seats(&found), (0, Some(3)), "{verb:?}: {found:?}");
        }
        // Its name says something else.
        let file = plan(&evently, "export.csv", &exported.stdout);
        let lint = evently.run(&["venue", "lint", &file, "--format", format, "--json"]);
        assert_eq!((seats(&lint), &lint.json()["format"]), ((0, Some(3)), &json!(format)));
        let import = evently.run(&["venue", "import", &file, "--format", format, "--name", "Twin", "--json"]);
        assert_eq!(seats(&import), (0, Some(3)), "{import:?}");
        let wrong = if format == "csv" { "evently" } else { "csv" };
        assert_eq!(evently.run(&["venue", "import", &file, "--format", wrong, "--name", "Twin"]).code, 1);
    }
}

/// What is odd about it is no reason to refuse it.
#[test]
fn a_plan_that_looks_odd_is_taken_and_says_so() {
    let evently = Evently::new();
    let file = plan(&evently, "odeon.csv", PLAN);
    let linted = evently.json(&["venue", "lint", &file]);
    assert!(linted["importable"] == true && linted["warnings"].as_array().is_some_and(|found| !found.is_empty()), "{linted}");
    let mixed = "section,row,seat,category,x,y\nFloor,A,1,Stalls,1,1\nFloor,A,2,Stalls,3,1\nFloor,A,3,Stalls,2,1\n";
    let said = evently.run(&["venue", "import", &plan(&evently, "mixed.csv", mixed), "--json"]);
    assert!(said.code == 0 && said.stderr.contains("warning: "), "{said:?}");
    assert!(said.json()["warnings"].as_array().is_some_and(|found| !found.is_empty()), "{said:?}");
}

/// Both can be written in the same way, and only one of them was meant.
#[test]
fn a_place_that_may_be_two_seats_is_neither() {
    let evently = Evently::new();
    let slashes = "section,row,seat,category,x,y\nA,B/1,2,Stalls,1,1\nA/B,1,2,Stalls,1,9\n";
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", slashes)]);
    let create = ["event", "create", "--venue", "odeon", "--name", "Gala", "--start", "2099-05-01T19:30:00+02:00"];
    evently.json(&[&create[..], &["--end", "2099-05-01T22:00:00+02:00", "--price", "Stalls=45", "--publish"]].concat());
    let said = evently.run(&["seats", "block", "Gala", "A/B/1/2"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains(" (section A/B, row 1, seat 2)"), "{said:?}");
    assert_eq!(evently.json(&["event", "show", "Gala"])["availability"]["blocked"], 0);
    let (id, _) = said.stderr.split_once(" (section A, row B/1, seat 2)").unwrap();
    let id = id.rsplit(' ').next().unwrap();
    assert_eq!(evently.json(&["seats", "block", "Gala", id])["seat_ids"], json!([id]));
}

#[test]
fn a_plan_that_is_wrong_changes_nothing_and_names_every_fault() {
    let evently = Evently::new();
    let file = plan(&evently, "twice.csv", &format!("{PLAN}Floor,A,1,Stalls,1,1\n"));
    let said = evently.run(&["venue", "import", &file]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("line 5") && !said.stderr.contains("more problems"), "{said:?}");
    assert_eq!(evently.json(&["venue", "list"]), json!({ "items": [] }));
    let linted = evently.run(&["venue", "lint", &file, "--json"]);
    assert_eq!(linted.code, 1);
    assert_eq!(linted.json()["problems"].as_array().unwrap().len(), 1);
    let missing = evently.run(&["venue", "lint", "/nowhere/plan.json"]);
    assert_eq!(missing.code, 3);
    let many = plan(&evently, "many.csv", &(PLAN.to_owned() + &"Floor,A,1,Stalls,1,1\n".repeat(25)));
    let more = evently.run(&["venue", "lint", &many, "--json"]).json()["more_problems"].as_u64().unwrap();
    assert!(more > 0);
    for verb in ["import", "lint"] {
        let said = evently.run(&["venue", verb, &many]);
        assert!(format!("{}{}\n", said.stdout, said.stderr).contains(&format!("and {more} more problems\n")), "{said:?}");
    }
}

#[test]
fn an_event_goes_on_sale_and_its_seats_are_blocked_by_their_names() {
    let evently = Evently::new();
    let file = plan(&evently, "odeon.csv", PLAN);
    evently.json(&["venue", "import", &file]);
    let create = ["event", "create", "--venue", "odeon", "--name", "Gala", "--start", "2099-05-01T19:30:00+02:00"];
    let create = [&create[..], &["--end", "2099-05-01T22:00:00+02:00", "--price", "Stalls=45.00", "--price"]].concat();
    let said = evently.run(&[&create[..], &["Circle=9.999"]].concat());
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("--price Circle"), "{said:?}");
    let said = evently.run(&[&create[..], &["Balcony=9.99"]].concat());
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("Stalls, Circle"), "{said:?}");
    let event = evently.json(&[&create[..], &["Circle=9.99"]].concat());
    assert_eq!(event["status"], "draft");
    assert_eq!(event["start_time"], "2099-05-01T17:30:00Z");
    assert_eq!(event["price_categories"][1]["price"], json!({ "amount": 999, "currency": "EUR" }));
    assert_eq!(evently.json(&["event", "publish", "Gala"])["status"], "upcoming");
    let blocked = evently.json(&["seats", "block", "Gala", "Floor/A/1", "Floor/B/1"]);
    assert_eq!((blocked["seat_ids"].as_array().unwrap().len(), &blocked["status"]), (2, &json!("blocked")));
    let said = evently.run(&["seats", "block", "Gala", "Floor/A/1", "Floor/A/2"]);
    assert_eq!(said.code, 1, "one is blocked already");
    assert!(said.stderr.contains("Floor/A/1 is blocked"), "{said:?}");
    let said = evently.run(&["seats", "unblock", "Gala", "Floor/A/1", "Floor/Z/9"]);
    assert_eq!(said.code, 1);
    assert!(hint_of(&said).contains("Floor/A/1"), "{said:?}");
    assert_eq!(evently.json(&["event", "show", "Gala"])["availability"]["blocked"], 2, "all or none");
    let list = evently.run(&["event", "list"]).stdout;
    assert!(list.contains("2099-05-01 17:30Z  upcoming") && list.lines().count() == 2, "{list}");
    let shown = evently.run(&["event", "show", "Gala"]).stdout;
    let stalls = shown.lines().find(|line| line.starts_with("Stalls")).unwrap_or_default();
    assert_eq!(stalls.split_whitespace().collect::<Vec<_>>(), ["Stalls", "45.00", "EUR", "2", "1", "0", "0", "1"], "{shown}");
    assert_eq!(evently.run(&["seats", "unblock", "Gala", "Floor/B/1"]).stdout, "1 seat is available\n");
    assert_eq!(evently.run(&["seats", "block", "Gala", "Floor/B/1", "Floor/A/2"]).stdout, "2 seats are blocked\n");
    let said = evently.run(&["event", "cancel", "Gal"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "a part of a name is no name: {said:?}");
    assert_eq!(evently.json(&["event", "show", "Gala"])["status"], "upcoming");
    assert_eq!(evently.json(&["event", "cancel", "Gala", "--reason", "Rain"])["status"], "cancelled");
    assert_eq!(evently.json(&["event", "list", "--status", "cancelled"])["items"].as_array().unwrap().len(), 1);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let why = "select count(*) from journal where content ->> '$.r' = 'Rain'";
    assert_eq!(store.query_row(why, [], |row| row.get::<_, u32>(0)).unwrap(), 1, "the buyers are told");
}

#[test]
fn an_event_is_made_as_it_was_asked_for() {
    let evently = Evently::new();
    let organizer = evently.account("ada@example.org", "organizer");
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    let asked = [
        ("venue", "odeon"),
        ("name", "Gala"),
        ("description", "In the evening"),
        ("start", "2099-05-01T19:30:00Z"),
        ("end", "2099-05-01T22:00:00Z"),
        ("currency", "CHF"),
        ("price", "Stalls=45.00"),
        ("price", "Circle=9.99"),
        ("opens", "2099-01-01T00:00:00Z"),
        ("closes", "2099-04-30T00:00:00Z"),
        ("max-seats", "4"),
        ("max-held", "6"),
        ("refund-until", "2099-03-01T00:00:00Z"),
        ("refund-percent", "40"),
        ("organizer", "ada@example.org"),
    ];
    let asked = asked.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]).collect::<Vec<_>>();
    let create = ["event", "create"].into_iter().chain(asked.iter().map(String::as_str)).collect::<Vec<_>>();
    let event = evently.json(&create);
    for (key, value) in [
        ("name", json!("Gala")),
        ("description", json!("In the evening")),
        ("start_time", json!("2099-05-01T19:30:00Z")),
        ("end_time", json!("2099-05-01T22:00:00Z")),
        ("currency", json!("CHF")),
        ("sales", json!({"opens_at": "2099-01-01T00:00:00Z", "closes_at": "2099-04-30T00:00:00Z"})),
        ("max_seats_per_booking", json!(4)),
        ("max_seats_held", json!(6)),
        ("refunds", json!({"until": "2099-03-01T00:00:00Z", "percent": 40})),
        ("organizer_id", json!(organizer)),
    ] {
        assert_eq!(event[key], value, "{key}");
    }
}

#[test]
fn an_event_that_was_made_and_not_published_is_named_with_what_to_do() {
    let evently = Evently::new();
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    store.execute_batch("create trigger broken before update on events begin select raise(abort, 'broken'); end").unwrap();
    let create = ["event", "create", "--venue", "odeon", "--name", "Gala", "--start", "2099-05-01T19:30:00+02:00"];
    let create = [&create[..], &["--end", "2099-05-01T22:00:00+02:00", "--price", "Stalls=45", "Circle=9", "--publish"]].concat();
    let said = evently.run(&create);
    assert_eq!(said.code, 1, "{said:?}");
    let events = evently.json(&["event", "list"]);
    let id = events["items"][0]["id"].as_str().unwrap();
    assert!(said.stderr.starts_with(&format!("error: the event {id} was made, but publishing it failed: ")), "{said:?}");
    let publish = hint_of(&said).split('`').nth(1).unwrap();
    assert_eq!(publish, format!("evently event publish {id}"));

    store.execute_batch("drop trigger broken").unwrap();
    let publish = publish.split(' ').skip(1).collect::<Vec<_>>();
    assert_eq!(evently.json(&publish)["status"], "upcoming");
}

/// A script tries again what failed, and there would be two.
#[test]
fn what_was_done_and_cannot_be_shown_is_no_failure() {
    let evently = Evently::new();
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let spoils = |on: &str| {
        let spoils = "begin update events set content = '{}' where event_key = new.event_key; end";
        store.execute_batch(&format!("create trigger spoils_{on} after {on} on events {spoils}")).unwrap();
    };
    let done = |args: &[&str], done: &str| {
        let said = evently.run(&[args, &["--json"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stderr.contains("it cannot be shown: "), "{said:?}");
        let id = said.json()["id"].as_str().unwrap().to_owned();
        let content: String =
            store.query_row("select content from events order by event_key desc", [], |row| row.get(0)).unwrap();
        assert_eq!(content, "{}", "{done}");
        id
    };
    let create = ["event", "create", "--venue", "odeon", "--start", "2099-05-01T19:30:00+02:00"];
    let create = [&create[..], &["--end", "2099-05-01T22:00:00+02:00", "--price", "Stalls=45", "Circle=9", "--name"]].concat();
    let id = evently.json(&[&create[..], &["Gala"]].concat())["id"].as_str().unwrap().to_owned();
    spoils("update");
    assert_eq!(done(&["event", "publish", &id], "published"), id);
    spoils("insert");
    done(&[&create[..], &["Matinee"]].concat(), "made");
}

#[test]
fn an_event_can_come_from_a_file_as_the_service_takes_it() {
    let evently = Evently::new();
    let file = plan(&evently, "odeon.csv", PLAN);
    let venue = evently.json(&["venue", "import", &file]);
    let event = json!({
        "name": "Gala", "venue_id": venue["id"], "start_time": "2099-05-01T19:30:00Z", "end_time": "2099-05-01T22:00:00Z",
        "currency": "JPY", "price_categories": [{ "name": "Stalls", "price": 4500 },
            { "name": "Circle", "price": { "amount": 900, "currency": "JPY" } }],
    });
    let said = evently.run_with(&["event", "create", "--file", "-", "--json"], &event.to_string());
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["price_categories"][0]["price"]["amount"], 4500);
    let mut abroad = event.clone();
    abroad["price_categories"][1]["price"]["currency"] = json!("EUR");
    let said = evently.run_with(&["event", "create", "--file", "-"], &abroad.to_string());
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("the price of Circle is in EUR, and the event in JPY"), "{said:?}");
    let mut strange = event;
    strange["refunds"] = json!({ "until": "2099-04-01T00:00:00Z", "percent": 40 });
    let said = evently.run_with(&["event", "create", "--file", "-", "--json"], &strange.to_string());
    assert_eq!(said.json()["refunds"], strange["refunds"]);
    let said = evently.run(&["event", "publish", "Gala"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("there are 2 of the name `Gala`"), "{said:?}");
    let time = "2099-01-01T00:00:00Z";
    let flags = [
        ("description", "Late"),
        ("opens", time),
        ("closes", time),
        ("max-seats", "1"),
        ("max-held", "1"),
        ("refund-until", time),
    ];
    for (flag, value) in flags.into_iter().chain([("refund-percent", "0"), ("currency", "JPY")]) {
        let said = evently.run_with(&["event", "create", "--file", "-", &format!("--{flag}"), value], &strange.to_string());
        assert_eq!(said.code, 2, "the file says it: {flag}: {said:?}");
        assert!(said.stderr.contains("cannot be used with"), "{flag}: {said:?}");
    }
    assert_eq!(evently.json(&["event", "list"])["items"].as_array().unwrap().len(), 2);
    strange["colour"] = json!("red");
    let said = evently.run_with(&["event", "create", "--file", "-"], &strange.to_string());
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("colour"), "{said:?}");
}

#[test]
fn a_file_says_of_an_event_all_that_can_be_asked_for() {
    let evently = Evently::new();
    let venue = evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    let event = json!({
        "name": "Gala", "description": "In the evening", "venue_id": venue["id"], "start_time": "2099-05-01T19:30:00Z",
        "end_time": "2099-05-01T22:00:00Z", "currency": "EUR",
        "price_categories": [{ "name": "Stalls", "price": 4500 }, { "name": "Circle", "price": 900 }],
        "sales": { "opens_at": "2099-01-01T00:00:00Z", "closes_at": "2099-04-30T00:00:00Z" },
        "max_seats_per_booking": 4, "max_seats_held": 6,
    });
    let said = evently.run_with(&["event", "create", "--file", "-", "--publish", "--json"], &event.to_string());
    assert_eq!(said.code, 0, "{said:?}");
    for key in ["name", "description", "start_time", "end_time", "sales", "max_seats_per_booking", "max_seats_held"] {
        assert_eq!(said.json()[key], event[key], "{key}");
    }
    assert_eq!(said.json()["status"], "upcoming");
}

#[test]
fn events_are_listed_that_are_looked_for() {
    let evently = Evently::new();
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    for name in ["Gala", "Ball"] {
        let create = ["event", "create", "--venue", "odeon", "--name", name, "--start", "2099-05-01T19:30:00Z"];
        evently.json(&[&create[..], &["--end", "2099-05-01T22:00:00Z", "--price", "Stalls=45", "Circle=9"]].concat());
    }
    let names = |search: &str| {
        let found = evently.json(&["event", "list", "--search", search]);
        found["items"].as_array().unwrap().iter().map(|event| event["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names("gal"), names("ODEON").len(), names("opera").len()), (vec![json!("Gala")], 2, 0));
}

/// More than are read at a time. Whoever names one of them means it, and not nobody.
#[test]
fn venues_and_events_are_found_however_many_there_are() {
    let evently = Evently::new();
    let event = evently.event(1);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let others =
        "create temp table n as with recursive n (n) as (select 1 union all select n + 1 from n where n < 1200) select n,
            printf('ffffffff-0000-4000-8000-%012x', n) as text from n;
        insert into venues (id, name, search, layout_id)
        select unhex(replace(text, '-', '')), 'Hall ' || n, 'hall ' || n, layout_id from venues, n;
        insert into events (id, venue_id, layout_id, organizer_id, stage, start_time, end_time, search, version, content)
        select unhex(replace(text, '-', '')), venue_id, layout_id, organizer_id, stage, start_time, end_time, search, version,
            json_set(content, '$.id', text) from events, n;";
    store.execute_batch(others).unwrap();
    assert_eq!(evently.json(&["venue", "show", "Hall 1200"])["seats_total"], 1);
    let said = evently.run(&["event", "show", "Gala"]);
    assert!(said.stderr.contains("there are 1201 of the name `Gala`"), "{said:?}");
    assert_eq!(evently.json(&["event", "show", &event])["availability"]["total"], 1);
}

/// A deployment that waits for it goes on with it.
#[test]
fn a_database_is_right_when_it_has_the_schema_of_this_version() {
    let database = fresh_database().unwrap();
    let evently = Evently::new().with("EVENTLY__STORE__URL", database.url());
    let status = || evently.run(&["db", "status", "--json"]);
    let said = status();
    assert_eq!((said.code, &said.json()["schema"]), (1, &json!(0)), "{said:?}");
    let made = evently.run(&["db", "migrate"]);
    assert!(made.code == 0 && made.stdout.ends_with(" migrations made\n"), "{made:?}");
    assert_eq!(evently.run(&["db", "migrate"]).stdout, "up to date already\n");
    let said = status();
    assert_eq!((said.code, &said.json()["replica"]), (0, &json!(false)), "{said:?}");
    let told = evently.run(&["db", "status"]).stdout;
    assert!(told.contains(", up to date\n") && told.contains("primary, with 0 replicas"), "{told}");
    assert_eq!(said.json()["schema"], said.json()["schema_known"]);
    assert_eq!(Evently::new().run(&["db", "status"]).code, 2, "there is no server to ask");
    let new = |said: &Said| said.stdout.lines().filter(|line| line.ends_with("  new")).count();
    let made = evently.run(&["db", "partitions", "--months", "40"]);
    let others = made.stdout.lines().count() - new(&made);
    assert!(
        new(&made) > 0 && others > 2,
        "beside the heading and the count there is the one for whatever has no month: {made:?}"
    );
    // One less, should a month have begun meanwhile.
    assert_eq!(new(&evently.run(&["db", "partitions", "--months", "39"])), 0, "they are there already");
    let plans = evently.run(&["db", "explain"]);
    assert!(plans.code == 0 && plans.stdout.contains("changed_seats"), "{plans:?}");
}

#[test]
fn accounts_are_made_once_and_get_roles() {
    let evently = Evently::new();
    let id = evently.account("Ada@Example.org", "customer");
    let twice = ["user", "create", "--email", "ada@example.org", "--name", "Ada", "--password-stdin"];
    assert_eq!(evently.run_with(&twice, "correct horse\n").code, 1);
    let short = ["user", "create", "--email", "bob@example.org", "--name", "Bob", "--password-stdin"];
    let said = evently.run_with(&short, "abc\n");
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("password"), "{said:?}");
    let no_terminal = ["user", "create", "--email", "bob@example.org", "--name", "Bob"];
    assert!(hint_of(&evently.run(&no_terminal)).contains("--password-stdin"));
    assert_eq!(evently.json(&["user", "role", "ada@example.org", "organizer"])["role"], "organizer");
    assert_eq!(evently.json(&["user", "role", &id, "admin"])["role"], "admin");
    let users = evently.json(&["user", "list"]);
    assert_eq!(users["items"][0]["email"], "ada@example.org");
    assert!(evently.run(&["user", "list"]).stdout.contains("admin  ada@example.org"));
    assert!(!users.to_string().contains("$2b$"), "hashes are nobody's");
}

/// Whoever looks for somebody who may do everything finds them, however many there are.
#[test]
fn all_accounts_are_listed() {
    let evently = Evently::new();
    let first = evently.account("ada@example.org", "customer");
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let others = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1200)
        insert into users (id, email, name, role, password, created_at)
        select randomblob(16), n || '@example.org', name, role, password, created_at from n, users";
    assert_eq!(store.execute(others, []).unwrap(), 1200);
    let users = evently.json(&["user", "list"]);
    let ids = users["items"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert!(ids.len() == 1201 && ids.contains(first.as_str()), "{}", ids.len());
}

#[test]
fn a_booking_that_is_not_there_is_a_no() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    assert_eq!(evently.run(&["booking", "show", "0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001"]).code, 1);
    assert_eq!(evently.run(&["booking", "show", "7KXR4MQD"]).code, 1);
    assert_eq!(evently.run(&["booking", "history", "what"]).code, 2);
}

#[test]
fn settings_are_shown_with_who_says_so() {
    let evently = Evently::new().with("EVENTLY__AUTH__SECRET", "0123456789abcdef0123456789abcdef");
    let settings = evently.json(&["config", "show"]);
    let find = |key: &str| settings["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(find("data.dir")["source"], "--data");
    assert_eq!(find("rate_limit.enabled")["source"], "EVENTLY__RATE_LIMIT__ENABLED");
    let shown = evently.run(&["config", "show"]).stdout;
    assert!(shown.contains("auth.secret") && shown.contains("EVENTLY__AUTH__SECRET"), "{shown}");
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_and_its_event_are_told_as_the_service_tells_them() {
    let evently = Evently::new();
    let ada = evently.account("ada@example.org", "customer");
    let event = evently.event(2);
    let service = evently.serve();
    let token = service.log_in("ada@example.org").await;
    let mut connection = service.connection();
    let mut ask = async |request: Request<'_>| crate::evently::body_of(&connection.send(&request).await.unwrap());
    let seats = ask(Request::get(&format!("/api/v1/events/{event}/seats"))).await;
    let hold = json!({ "event_id": event, "seat_ids": [seats["seats"][1]["id"]] }).to_string();
    let held = ask(Request::post("/api/v1/bookings", hold.as_bytes()).by(&token)).await;
    let id = held["id"].as_str().unwrap();
    let shown = evently.json(&["booking", "show", id]);
    for key in ["id", "event_id", "event_name", "status", "total", "expires_at", "created_at", "refund_terms"] {
        assert!(!held[key].is_null() && shown[key] == held[key], "{key}: {shown} {held}");
    }
    for key in ["id", "section", "row", "label", "price"] {
        assert!(!held["seats"][0][key].is_null() && shown["seats"][0][key] == held["seats"][0][key], "{key}: {shown} {held}");
    }
    assert_eq!((&shown["user_id"], &shown["payments"]), (&json!(ada), &json!([])));
    let card = br#"{"method":{"type":"card","token":"tok_visa"}}"#;
    let paid = ask(Request::post(&format!("/api/v1/bookings/{id}/payment"), card).by(&token)).await;
    let shown = evently.json(&["booking", "show", id]);
    assert_eq!((&shown["code"], &shown["expires_at"]), (&paid["booking"]["code"], &Value::Null));
    let payment = json!({ "id": paid["payment"]["id"], "status": "succeeded", "amount": held["total"], "provider": "sandbox" });
    assert_eq!(shown["payments"], json!([payment]));

    let (told, shown) = (ask(Request::get(&format!("/api/v1/events/{event}"))).await, evently.json(&["event", "show", &event]));
    let listed = &evently.json(&["event", "list"])["items"][0];
    for key in ["id", "name", "start_time", "end_time", "status", "currency", "seats_total"] {
        assert!(!told[key].is_null() && shown[key] == told[key] && listed[key] == told[key], "{key}: {shown} {listed} {told}");
    }
    for key in ["description", "sales", "max_seats_per_booking", "max_seats_held", "refunds"] {
        assert!(!told[key].is_null() && shown[key] == told[key], "{key}: {shown} {told}");
    }
    for key in ["id", "name", "price"] {
        let told = &told["price_categories"][0][key];
        assert!(!told.is_null() && shown["price_categories"][0][key] == *told, "{key}: {shown}");
    }
    assert_eq!((&shown["venue"]["id"], &listed["venue"]["id"]), (&told["venue"]["id"], &told["venue"]["id"]));
    assert_eq!((&shown["availability"]["booked"], &listed["seats_available"]), (&json!(1), &json!(1)));
}

/// More than are cancelled in one go.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_called_off_has_no_booking_left() {
    const BOOKINGS: u32 = 540;
    let evently = Evently::new();
    let event = evently.event(BOOKINGS);
    let service = evently.serve();
    let hall = Hall::of(event.clone(), service.connection()).await;
    let mut connection = service.connection();
    let mut tokens = Vec::new();
    for number in 0..6 {
        let email = format!("customer{number}@example.org");
        evently.account(&email, "customer");
        tokens.push(service.log_in(&email).await);
    }
    for (seat, token) in hall.seats.iter().zip(tokens.iter().cycle()) {
        let hold = json!({ "event_id": event, "seat_ids": [seat] }).to_string();
        let held = connection.send(&Request::post("/api/v1/bookings", hold.as_bytes()).by(token)).await.unwrap();
        assert_eq!(held.status, 201);
    }
    service.kill();
    evently.json(&["event", "cancel", &event]);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let count = |status: &str| {
        store.query_row("select count(*) from bookings where status = ?1", [status], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!((count("pending"), count("cancelled")), (0, BOOKINGS));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_called_off_before_its_bookings_fail_is_said_to_be_off() {
    let evently = Evently::new();
    let event = evently.event(1);
    evently.account("ada@example.org", "customer");
    let service = evently.serve();
    let ada = service.log_in("ada@example.org").await;
    let hall = Hall::of(event.clone(), service.connection()).await;
    let hold = json!({ "event_id": event, "seat_ids": hall.seats }).to_string();
    let held = service.connection().send(&Request::post("/api/v1/bookings", hold.as_bytes()).by(&ada)).await.unwrap();
    assert_eq!(held.status, 201);
    service.kill();
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    store.execute_batch("create trigger broken before update on bookings begin select raise(abort, 'broken'); end").unwrap();
    let said = evently.run(&["event", "cancel", &event]);
    let off = format!("error: the event {event} is called off, but cancelling its bookings failed: ");
    assert!(said.code == 1 && said.stderr.starts_with(&off), "{said:?}");
    assert!(hint_of(&said).contains("evently verify"), "{said:?}");
    assert_eq!(evently.json(&["event", "show", &event])["status"], "cancelled");
}

#[test]
fn a_store_from_the_future_is_told_and_left_alone() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    let path = evently.data.path().join("evently.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let doctor = evently.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("schema 999"), "{doctor:?}");
    let said = evently.run(&["user", "list"]);
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("newer version"), "{said:?}");
}

/// What a command does stands in the journal, from where the instances hand it on.
#[test]
fn a_command_does_without_the_broker() {
    // It takes connections and never says a word.
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    broker.set_nonblocking(true).unwrap();
    let url = format!("amqp://guest:guest@{}", broker.local_addr().unwrap());
    let evently = Evently::new().with("EVENTLY__RABBITMQ__URL", &url);
    evently.event(2);
    assert_eq!(evently.run(&["event", "list"]).code, 0);
    assert_eq!(broker.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came");
}

#[test]
fn whoever_stops_reading_is_nobodys_panic() {
    for args in [&["man"][..], &["completions", "bash"], &["--help"], &["config", "show"]] {
        let mut child = bare().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn whoever_stops_reading_a_no_is_told_it_all_the_same() {
    let evently = Evently::new();
    let lint = ["venue", "lint", &plan(&evently, "hall.csv", "this is no plan")];
    let mut child = evently.command(&lint).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
}

/// Or half a plan is taken for a backup.
#[test]
fn what_could_not_be_written_is_not_done() {
    let evently = Evently::new();
    evently.json(&["venue", "import", &plan(&evently, "odeon.csv", PLAN)]);
    for args in [&["venue", "export", "odeon"][..], &["venue", "list", "--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let said = Said::from(evently.command(args).stdout(full).output().unwrap());
        assert_eq!(said.code, 3, "{args:?}: {said:?}");
        assert!(said.stderr.starts_with("error: stdout: "), "{said:?}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let evently = Evently::new();
    let dir = evently.data.path().join("man");
    assert_eq!(evently.run(&["man", "--dir", dir.to_str().unwrap()]).code, 0);
    for page in ["evently.1", "evently-venue-import.1", "evently-bench-on-sale.1"] {
        assert!(dir.join(page).exists(), "{page}");
    }
    let page = Said::from(bare().args(["man", "venue", "import"]).output().unwrap());
    assert!(page.stdout.lines().any(|line| line.starts_with(".TH evently")), "{page:?}");
    let said = Said::from(bare().args(["man", "venue", "sell"]).output().unwrap());
    assert_eq!((said.code, said.stderr.as_str()), (2, "error: there is no command `venue sell`\n"));
    let script = Said::from(bare().args(["completions", "zsh"]).output().unwrap());
    assert!(script.stdout.starts_with("#compdef evently"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_beside_a_running_service() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    let event = evently.event(4);
    let service = evently.serve();
    let token = service.log_in("ada@example.org").await;
    let mut connection = service.connection();
    let mut ask = async |request: Request<'_>| {
        let answer = connection.send(&request).await.unwrap();
        (answer.status, crate::evently::body_of(&answer))
    };
    let (_, seats) = ask(Request::get(&format!("/api/v1/events/{event}/seats"))).await;
    let seat = seats["seats"][0]["id"].as_str().unwrap();
    let hold = json!({ "event_id": event, "seat_ids": [seat] }).to_string();
    evently.json(&["seats", "block", &event, seat]);
    let blocked = ask(Request::post("/api/v1/bookings", hold.as_bytes()).by(&token)).await;
    assert_eq!((blocked.0, blocked.1["code"].as_str()), (409, Some("seats_unavailable")));
    evently.json(&["seats", "unblock", &event, seat]);
    let (status, booking) = ask(Request::post("/api/v1/bookings", hold.as_bytes()).by(&token)).await;
    assert_eq!(status, 201, "{booking}");
    let id = booking["id"].as_str().unwrap();
    let card = br#"{"method":{"type":"card","token":"tok_visa"}}"#;
    let (status, paid) = ask(Request::post(&format!("/api/v1/bookings/{id}/payment"), card).by(&token)).await;
    assert_eq!(status, 200, "{paid}");
    let code = paid["booking"]["code"].as_str().unwrap();
    let shown = evently.json(&["booking", "show", &code.to_lowercase()]);
    assert_eq!((shown["status"].as_str(), shown["seats"][0]["ticket"].as_str()), (Some("confirmed"), Some("valid")));
    let changed = evently.run(&["booking", "cancel", id, "--expect", "pending"]);
    assert_eq!((changed.code, changed.stderr.contains("the booking is confirmed by now")), (1, true), "{}", changed.stderr);
    assert_eq!(evently.run(&["booking", "cancel", id, "--expect", "cancelled"]).code, 2);
    let cancelled = evently.json(&["booking", "cancel", id, "--expect", "confirmed", "--reason", "duplicate"]);
    assert_eq!(
        (cancelled["status"].as_str(), cancelled["refunds"][0]["amount"]["amount"].as_i64()),
        (Some("refunded"), Some(4500))
    );
    let history = evently.json(&["booking", "history", id]);
    let steps = history["items"].as_array().unwrap().iter().filter(|step| step["from"].is_string() || step["to"] == "pending");
    let steps = steps.map(|step| step["to"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(history["items"][0]["actor"], "customer", "{history}");
    let ours = |step: &Value| step["actor"] == "command line" && step["reason"] == "duplicate";
    assert!(history["items"].as_array().unwrap().iter().any(ours), "{history}");
    assert_eq!((steps.first().map(String::as_str), steps.last().map(String::as_str)), (Some("pending"), Some("refunded")));
    let report = evently.json(&["verify"]);
    assert_eq!((report["ok"].as_bool(), report["checked"]["bookings"].as_u64()), (Some(true), Some(1)));
}

/// Restored as `evently db backup --help` says.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_store_as_it_was_when_it_was_made() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    let event = evently.event(4);
    let service = evently.serve();
    let token = service.log_in("ada@example.org").await;
    let mut connection = service.connection();
    let mut ask = async |request: Request<'_>| crate::evently::body_of(&connection.send(&request).await.unwrap());
    let seats = ask(Request::get(&format!("/api/v1/events/{event}/seats"))).await;
    let mut sell = async |seat: usize| {
        let hold = json!({ "event_id": event, "seat_ids": [seats["seats"][seat]["id"]] }).to_string();
        let held = ask(Request::post("/api/v1/bookings", hold.as_bytes()).by(&token)).await;
        let id = held["id"].as_str().unwrap().to_owned();
        let card = br#"{"method":{"type":"card","token":"tok_visa"}}"#;
        let paid = ask(Request::post(&format!("/api/v1/bookings/{id}/payment"), card).by(&token)).await;
        assert_eq!(paid["booking"]["status"], "confirmed", "{paid}");
        id
    };
    let first = sell(0).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    let said = evently.json(&["db", "backup", backup.to_str().unwrap()]);
    let file = std::fs::metadata(&backup).unwrap();
    assert_eq!((&said["file"], &said["bytes"]), (&json!(backup.to_str()), &json!(file.len())));
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let second = sell(1).await;
    let again = evently.run(&["db", "backup", backup.to_str().unwrap()]);
    assert!(again.code == 1 && again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no draft is left");
    service.kill();
    for name in ["evently.db", "evently.db-wal", "evently.db-shm"] {
        std::fs::rename(evently.data.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    std::fs::copy(&backup, evently.data.path().join("evently.db")).unwrap();
    assert_eq!(evently.json(&["verify"])["ok"], true);
    assert_eq!(evently.json(&["booking", "show", &first])["status"], "confirmed");
    assert_eq!(evently.run(&["booking", "show", &second]).code, 1);
}

#[test]
fn only_a_store_that_is_there_is_backed_up_and_of_a_server_another_tool_is_named() {
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    let command = ["db", "backup", backup.to_str().unwrap()];
    let evently = Evently::new();
    assert_eq!(evently.run(&command).code, 3);
    let database = fresh_database().unwrap();
    let said = evently.with("EVENTLY__STORE__URL", database.url()).run(&command);
    assert!(said.code == 2 && hint_of(&said).contains("pg_dump"), "{said:?}");
    assert!(!backup.exists());
}

#[test]
fn of_backups_that_are_made_to_one_name_at_once_one_is() {
    let evently = Evently::new();
    evently.event(60);
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    let make = || evently.run(&["db", "backup", backup.to_str().unwrap()]);
    let said = std::thread::scope(|scope| [(); 4].map(|()| scope.spawn(make)).map(|run| run.join().unwrap()));
    let (made, refused) = said.iter().partition::<Vec<_>, _>(|said| said.code == 0);
    assert_eq!(made.len(), 1, "{said:?}");
    assert!(refused.iter().all(|said| said.code == 1 && said.stderr.contains("is there already")), "{said:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_backup_that_cannot_be_whole_leaves_nothing() {
    let evently = Evently::new();
    evently.event(60);
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    // Without this whoever writes too much would be killed.
    let mut command = evently.command_after("trap '' XFSZ; ulimit -f 16", &["db", "backup", backup.to_str().unwrap()]);
    let said = Said::from(command.output().unwrap());
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{said:?}");
}

#[test]
fn a_backup_is_on_the_disk_before_it_has_its_name_and_its_name_before_it_is_told() {
    let evently = Evently::new();
    evently.event(4);
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, trace) = (elsewhere.path().join("backup.db"), evently.data.path().join("trace"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=fsync,renameat2,link,linkat,rename", "-o", trace.to_str().unwrap()]);
    let output = evently.command_by(strace, &["db", "backup", backup.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    let place = elsewhere.path().canonicalize().unwrap();
    let about_it = trace.lines().filter(|line| line.contains(place.to_str().unwrap()) && line.ends_with("= 0"));
    let calls = about_it.map(|line| line.split_whitespace().nth(1).unwrap().split('(').next().unwrap()).collect::<Vec<_>>();
    assert!(calls.ends_with(&["fsync", "renameat2", "fsync"]), "{trace}");
}

#[test]
fn what_is_away_ends_with_3() {
    let evently = Evently::new().with("EVENTLY__RABBITMQ__URL", "amqp://localhost:1/%2f");
    let said = evently.run(&["queue", "list"]);
    assert!(said.code == 3 && said.stderr.contains("is away"), "{said:?}");
    let evently = evently.with("EVENTLY__STORE__URL", "postgres://localhost:1/evently");
    for command in ["migrate", "status", "partitions", "explain"] {
        let said = evently.run(&["db", command]);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{command}: {said:?}");
    }
}

#[test]
fn verify_names_what_was_planted_and_ends_with_1() {
    let evently = Evently::new();
    evently.event(60);
    assert_eq!(evently.run(&["verify"]).code, 0);
    let file = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let changed = file.execute("update seats set status = 2, booking_id = randomblob(16), version = 1 where number = 2", []);
    assert_eq!(changed.unwrap(), 1);
    let said = evently.run(&["verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("violation: I1 exclusivity"), "{}", said.stdout);
    assert!(!said.stdout.contains("--json names them all"), "{}", said.stdout);
    let report = evently.run(&["verify", "--json"]).json();
    assert_eq!(report["ok"], Value::Bool(false));
    assert!(report["violations"].as_array().unwrap().iter().all(|violation| violation["subject"].is_string()));
    file.execute("update seats set status = 2, booking_id = randomblob(16), version = 1", []).unwrap();
    let all = evently.run(&["verify", "--json"]).json()["violations"].as_array().unwrap().len();
    let said = evently.run(&["verify"]).stdout;
    assert_eq!(said.lines().filter(|line| line.starts_with("violation: ")).count(), 50);
    assert!(all > 50 && said.contains(&format!("and {} more; --json names them all", all - 50)), "{all}: {said}");
}

#[test]
fn figures_that_do_not_agree_with_the_journal_are_built_anew() {
    let evently = Evently::new();
    evently.event(4);
    let file = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    file.execute("insert into sales values (randomblob(16), 0, 'Stalls', 1, 0, 0, 0, 0, 0, 0, 0)", []).unwrap();
    let said = evently.run(&["verify"]);
    assert_eq!((said.code, said.stdout.contains("1 violation")), (1, true), "{said:?}");
    let rebuilt = evently.json(&["figures", "rebuild"]);
    let entries = file.query_row("select max(position) from journal", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rebuilt["position"], entries);
    assert_eq!(evently.run(&["verify"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_sale_sells_every_seat_once_and_agrees_with_the_service() {
    let evently = Evently::new();
    evently.account("organizer@example.org", "organizer");
    let service = evently.serve();
    let url = service.target.to_string();
    let args = ["bench", "on-sale", "--url", &url, "--email", "organizer@example.org", "--password", crate::evently::PASSWORD];
    let sizes = ["--seats", "100", "--buyers", "80", "--connections", "16", "--accounts", "4"];
    let report = evently.json(&[&args[..], &sizes].concat());
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(report["verify"]["ok"], true);
    assert_eq!(report["errors"], json!({}));
    assert!(report["sold_seats"].as_u64().unwrap() >= 80, "{report}");
    let hot = [
        "--seats",
        "1",
        "--seats-per-buyer",
        "1",
        "--buyers",
        "50",
        "--connections",
        "50",
        "--accounts",
        "4",
        "--hot",
        "--abandon",
        "0%",
    ];
    let report = evently.json(&[&args[..], &hot].concat());
    assert_eq!((report["steps"]["hold"]["count"].as_u64(), report["steps"]["conflict"]["count"].as_u64()), (Some(1), Some(49)));
    let said = evently.run(&["bench", "on-sale", "--url", &url, "--password", "wrong password"]);
    assert_eq!(said.code, 1);
    service.kill();
    let said = evently.run(&["bench", "on-sale", "--url", &url]);
    assert_eq!(said.code, 3);
    assert!(hint_of(&said).contains("evently serve"), "{said:?}");
}

/// A seat whose hold has ended while the service stood still is the next one's, who may have come long before.
#[tokio::test(flavor = "multi_thread")]
async fn who_waited_while_a_hold_ended_has_not_held_beside_it() {
    let evently = Evently::new().with("EVENTLY__BOOKING__HOLD_TTL", "2s");
    evently.account("organizer@example.org", "organizer");
    let service = evently.serve();
    let url = service.target.to_string();
    let sizes = ["--seats", "1", "--seats-per-buyer", "1", "--connections", "1", "--accounts", "1", "--abandon", "100%"];
    let args = ["bench", "on-sale", "--url", &url, "--email", "organizer@example.org", "--password", crate::evently::PASSWORD];
    let args = [&args[..], &sizes, &["--hot", "--buyers", "40", "--rate", "20"]].concat();
    let report = std::thread::scope(|scope| {
        let bench = scope.spawn(|| evently.json(&args));
        let file = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
        let held = || file.query_row("select count(*) from bookings", [], |row| row.get::<_, u32>(0)).unwrap() > 0;
        assert!(within_a_minute(held));
        service.process.pause();
        std::thread::sleep(std::time::Duration::from_millis(2500));
        service.process.resume();
        bench.join().unwrap()
    });
    assert!(report["steps"]["hold"]["count"].as_u64().unwrap() > 1, "{report}");
    assert_eq!(report["ok"], true, "{report}");
}

#[test]
fn the_same_seed_is_told_in_the_same_words() {
    let evently = Evently::new();
    let told = evently.run(&["simulate", "--seed", "3", "--trace"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.lines().count() > 50 && told.stdout.ends_with("every invariant held\n"), "{}", told.stdout);
    assert_eq!(evently.run(&["simulate", "--seed", "3", "--trace"]).stdout, told.stdout);
    let left = evently.json(&["simulate", "--seed", "3", "--steps", "100"]);
    assert_eq!((left["steps"].as_u64(), left["violations"].as_array().map(Vec::len)), (Some(100), Some(0)));
    assert_eq!(left["trace"], json!([]), "nobody asked for it");
    assert!(told.stdout.contains("\nseed 3: "), "{}", told.stdout);
}

#[test]
fn many_seeds_say_what_they_met() {
    let evently = Evently::new();
    let many = evently.json(&["simulate", "--seeds", "10..40", "--threads", "2"]);
    assert_eq!((many["seeds"].as_u64(), many["smallest"].clone()), (Some(30), Value::Null));
    assert_eq!(evently.json(&["simulate", "--seeds", "0..5", "--minutes", "1"])["seeds"], 5);
    assert!(many["rare_states"]["all seats are sold"].as_u64() > Some(0), "{many}");
    for wrong in ["40..10", "10", "a..b"] {
        let said = evently.run(&["simulate", "--seeds", wrong]);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{wrong}");
        assert!(said.stderr.contains("seed"), "{said:?}");
    }
    assert_eq!(evently.run(&["simulate"]).code, 2, "one of the two");
}
