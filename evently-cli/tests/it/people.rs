//! What people read, and what they type.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, Stdio},
    time::Duration,
};

use evently_cli::http1::Request;
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use serde_json::{Value, json};

use crate::{
    evently::{Evently, Said, body_of, within_a_minute},
    load::Hall,
};

/// What a command says to somebody who types each line once it is asked for. What they type is not shown.
fn at_a_terminal(mut command: Command, typed: &[(&str, &str)]) -> Said {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut keyboard = File::from(keyboard);
    let shows = || tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO);
    command.stdin(terminal.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stderr, mut said) = (child.stderr.take().unwrap(), String::new());
    for (prompt, line) in typed {
        // The line does not end there.
        while !said.ends_with(prompt) {
            let mut byte = [0];
            stderr.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {said}"));
            said.push(char::from(byte[0]));
        }
        // What is typed before it is hidden is thrown away.
        assert!(within_a_minute(|| !shows()), "what is typed is shown");
        keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(shows(), "what is typed next is shown again");
    Said { stderr: said, ..Said::from(output) }
}

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let evently = Evently::new();
    let create = ["user", "create", "--email", "ada@example.org", "--name", "Ada"];
    let ask = |second| at_a_terminal(evently.command(&create), &[("Password: ", "correct horse"), ("Once more: ", second)]);
    let said = ask("correct house");
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert_eq!(said.stderr, "Password: \nOnce more: \nerror: the passwords are not the same\n");
    let said = ask("correct horse");
    assert_eq!((said.code, said.stderr.as_str()), (0, "Password: \nOnce more: \n"), "{said:?}");
    assert_eq!(evently.json(&["user", "list"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn who_gives_up_at_a_password_sees_again_what_they_type() {
    let evently = Evently::new();
    let create = ["user", "create", "--email", "ada@example.org", "--name", "Ada"];
    let given_up = at_a_terminal(evently.command(&create), &[("Password: ", "correct h\u{3}")]);
    assert_eq!((given_up.code, given_up.stderr.as_str()), (-1, "Password: \n"), "ended by the signal");
    assert_eq!(evently.json(&["user", "list"])["items"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_all_that_belongs_to_a_booking() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    evently.account("door@example.org", "staff");
    let event = evently.event(3);
    let service = evently.serve();
    let (ada, door) = (service.log_in("ada@example.org").await, service.log_in("door@example.org").await);
    let hall = Hall::of(event.clone(), service.connection()).await;
    let mut connection = service.connection();
    let mut ask = async |request: Request<'_>| {
        let answer = connection.send(&request).await.unwrap();
        assert!(answer.status < 300, "{:?}", body_of(&answer));
        body_of(&answer)
    };
    let hold = json!({ "event_id": event, "seat_ids": &hall.seats[..2] }).to_string();
    let booking = ask(Request::post("/api/v1/bookings", hold.as_bytes()).by(&ada)).await;
    let id = booking["id"].as_str().unwrap();
    let shown = evently.run(&["booking", "show", id]).stdout;
    assert!(shown.contains("pending until ") && !shown.contains("PAYMENT") && !shown.contains("REFUND"), "{shown}");

    let card = br#"{"method":{"type":"card","token":"tok_visa"}}"#;
    ask(Request::post(&format!("/api/v1/bookings/{id}/payment"), card).by(&ada)).await;
    let tickets = ask(Request::get(&format!("/api/v1/bookings/{id}/tickets")).by(&ada)).await;
    let second = tickets.as_array().unwrap().iter().find(|ticket| ticket["seat"]["id"] == hall.seats[1].as_str()).unwrap();
    let reading = json!({ "code": second["code"], "event_id": event }).to_string();
    assert_eq!(ask(Request::post("/api/v1/admin/check-ins", reading.as_bytes()).by(&door)).await["result"], "admitted");
    let json = evently.json(&["booking", "show", id]);
    assert_eq!((&json["seats"][0]["ticket"], &json["seats"][1]["ticket"]), (&json!("valid"), &json!("checked_in")));
    let shown = evently.run(&["booking", "show", id]).stdout;
    for (place, ticket) in [("Floor/A/1", "valid"), ("Floor/A/2", "checked_in")] {
        let line = shown.lines().find(|line| line.starts_with(place)).unwrap_or_default();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [place, "45.00", "EUR", ticket], "{shown}");
    }
    assert!(shown.contains("succeeded") && !shown.contains("REFUND"), "{shown}");
    let history = evently.run(&["booking", "history", id]).stdout;
    let started = history.lines().find(|line| line.contains("payment_started")).unwrap_or_default();
    assert!(started.contains("customer"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_what_the_house_has_given_up_and_what_has_run_out() {
    let evently = Evently::new().with("EVENTLY__WORKERS__ENABLED", "false");
    evently.account("ada@example.org", "customer");
    let event = evently.event(3);
    let service = evently.serve();
    let ada = service.log_in("ada@example.org").await;
    let hall = Hall::of(event.clone(), service.connection()).await;
    let mut connection = service.connection();
    let mut ask = async |path: &str, body: Value| {
        let body = body.to_string();
        let answer = connection.send(&Request::post(path, body.as_bytes()).by(&ada)).await.unwrap();
        assert!(answer.status < 300, "{:?}", body_of(&answer));
        body_of(&answer)
    };
    let bought = ask("/api/v1/bookings", json!({ "event_id": event, "seat_ids": &hall.seats[..2] })).await;
    let bought = bought["id"].as_str().unwrap();
    ask(&format!("/api/v1/bookings/{bought}/payment"), json!({ "method": { "type": "card", "token": "tok_visa" } })).await;
    let said = evently.run(&["booking", "cancel", bought, "--reason", "duplicate"]);
    assert!(said.code == 0 && said.stdout.contains("booking_cancelled  90.00 EUR"), "{said:?}");
    let history = evently.run(&["booking", "history", bought]).stdout;
    let given_up = history.lines().find(|line| line.contains("confirmed -> refunded")).unwrap_or_default();
    assert!(given_up.ends_with("command line  duplicate"), "{history}");

    let late = ask("/api/v1/bookings", json!({ "event_id": event, "seat_ids": &hall.seats[2..] })).await;
    let late = late["id"].as_str().unwrap();
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    store.busy_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(store.execute("update bookings set hold_until = 1, expires_at = 1 where status = 'pending'", []).unwrap(), 1);
    let shown = evently.run(&["booking", "show", late]).stdout;
    assert!(shown.contains("pending, but its time ran out at 1970-01-01T"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_says_in_its_log_what_it_does_and_nothing_of_a_demo() {
    let evently = Evently::new().with("EVENTLY__LOG__LEVEL", "info").with("EVENTLY__LOG__FORMAT", "json");
    let service = evently.serve();
    service.process.ask_to_stop();
    let said = tokio::task::spawn_blocking(|| service.process.ended()).await.unwrap();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(lines.filter(|line| line["service"] == "evently" && line["message"] == "stopping").count(), 1, "{said}");
    assert!(!said.contains("demo accounts"), "{said}");
}

#[test]
fn a_worker_says_in_its_log_what_it_cannot_do() {
    let evently = Evently::new().with("EVENTLY__LOG__LEVEL", "warn");
    evently.event(1);
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    let broken = "create trigger broken before update on sales_position begin select raise(abort, 'broken'); end";
    store.execute_batch(broken).unwrap();
    drop(evently.work_until("worker will try again"));
}

/// As it is started beside a worker.
#[test]
fn a_service_leaves_the_work_to_others_where_it_is_told_to() {
    let [leaves_it, works] = [Evently::new(), Evently::new()];
    for evently in [&leaves_it, &works] {
        evently.event(1);
    }
    let _services = [leaves_it.serve_with(&["--no-workers"]), works.serve_with(&[])];
    // How far the figures of sales have come.
    let figures = |evently: &Evently| {
        let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
        store.busy_timeout(Duration::from_secs(30)).unwrap();
        store.query_row("select max(position) from sales_position", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert!(within_a_minute(|| figures(&works) > 0), "by itself it does it");
    // The other could have done so by now, and does not while this one does it twice.
    let first = figures(&works);
    works.event(1);
    assert!(within_a_minute(|| figures(&works) > first), "it goes on");
    assert_eq!(figures(&leaves_it), 0);
}
