//! `evently doctor`: what it finds fault with, and what not.

use std::{
    fs::Permissions,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use evently_http::messages::{Topology, Work};
use evently_testservers::{fresh_database, fresh_namespace, shared_rabbitmq, shared_redis};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use serde_json::{Value, json};

use crate::evently::{Evently, Said, within_a_minute};

/// How one look has ended.
fn look(evently: &Evently, what: &str) -> Value {
    state(&evently.run(&["doctor", "--json"]), what)
}

fn state(report: &Said, what: &str) -> Value {
    check(report, what)["state"].clone()
}

/// One line of a report.
fn check(report: &Said, what: &str) -> Value {
    report.json()["checks"].as_array().unwrap().iter().find(|check| check["check"] == what).unwrap().clone()
}

/// What it says of one of the servers, and how it ends: with 1 exactly where that is of no use.
fn check_server(what: &str, setting: &'static str, url: &str) -> (String, String) {
    let said = Evently::new().with("EVENTLY__HTTP__LISTEN", "127.0.0.1:0").with(setting, url).run(&["doctor", "--json"]);
    let found = check(&said, what);
    assert_eq!(said.code, i32::from(found["state"] == "fail"), "{said:?}");
    assert!(!said.stdout.contains("hush"), "{said:?}");
    (found["state"].as_str().unwrap().to_owned(), format!("{} {}", found["found"], found["hint"]))
}

/// An address at which nobody is.
fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

#[test]
fn doctor_says_what_is_in_the_way_of_redis() {
    let url = shared_redis().unwrap();
    let look = |url: &str| check_server("redis", "EVENTLY__REDIS__URL", url);
    assert_eq!(look(url).0, "ok");
    let host = url.strip_prefix("redis://").unwrap().split('/').next().unwrap();
    for (wrong, problem, remedy) in [
        (format!("redis://{}", nobody()), "unreachable", "is the server up"),
        (format!("redis://me:hush@{host}"), "password", "redis://user:password@host:port"),
        (format!("redis://{host}/999999999"), "database", "redis://host:port/0"),
        ("redis://host:port".to_owned(), "not one of Redis", "redis.url"),
    ] {
        let (state, said) = look(&wrong);
        assert!(state == "fail" && said.contains(problem) && said.contains(remedy), "{wrong}: {said}");
    }
    let evently = Evently::new();
    assert!(!evently.run(&["doctor"]).stdout.contains("redis"), "there is to be none");
}

/// As the service does, which would not start.
#[test]
fn doctor_and_status_say_why_a_database_will_not_do() {
    let database = fresh_database().unwrap();
    let look = |url: &str| {
        let found = check(&Evently::new().with("EVENTLY__STORE__URL", url).run(&["doctor", "--json"]), "store");
        (found["state"].clone(), found["found"].to_string())
    };
    let status = |url: &str| Evently::new().with("EVENTLY__STORE__URL", url).run(&["db", "status", "--json"]);
    assert_eq!(Evently::new().with("EVENTLY__STORE__URL", database.url()).run(&["db", "migrate"]).code, 0);
    assert_eq!(look(database.url()).0, "ok");
    assert_eq!((status(database.url()).code, &status(database.url()).json()["problem"]), (0, &Value::Null));
    let ascii = format!("{}_ascii", database.name());
    database.execute(&format!("create database {ascii} encoding 'SQL_ASCII' locale 'C' template template0")).unwrap();
    let url = database.url().replace(database.name(), &ascii);
    let of_ascii = (look(&url), status(&url), "SQL_ASCII");
    database.execute(&format!("drop database {ascii} with (force)")).unwrap();
    let read_only = format!("alter database {} set default_transaction_read_only = on", database.name());
    database.execute(&read_only).unwrap();
    let of_read_only = (look(database.url()), status(database.url()), "takes no writes");
    for ((state, found), status, why) in [of_ascii, of_read_only] {
        assert!(state == "fail" && found.contains(why), "{state} {found}");
        assert!(status.code == 1 && status.json()["problem"].as_str().unwrap().contains(why), "{status:?}");
    }
}

#[test]
fn doctor_says_what_is_in_the_way_of_rabbitmq() {
    let url = shared_rabbitmq().unwrap();
    for (wrong, why) in [
        (format!("amqp://me:hush@{}", nobody()), "did not do as it was asked"),
        (url.replace("guest:guest", "guest:hush"), "does not let us in"),
        (url.replace("%2f", "nowhere"), "does not let us in"),
        ("amqp://host:port".to_owned(), "right would be amqp://"),
    ] {
        let (state, said) = check_server("rabbitmq", "EVENTLY__RABBITMQ__URL", &wrong);
        assert!(state == "fail" && said.contains(why), "{wrong}: {said}");
    }
}

#[tokio::test]
async fn doctor_looks_at_the_queues_and_makes_none() {
    let url = tokio::task::spawn_blocking(shared_rabbitmq).await.unwrap().unwrap();
    let prefix = fresh_namespace();
    let topology = Topology::try_new(&prefix).unwrap();
    let evently = Evently::new().with("EVENTLY__RABBITMQ__URL", &url).with("EVENTLY__RABBITMQ__PREFIX", &prefix);
    let evently = evently.with("EVENTLY__HTTP__LISTEN", "127.0.0.1:0");
    let look = || {
        let found = check(&evently.run(&["doctor", "--json"]), "rabbitmq");
        (found["state"].as_str().unwrap().to_owned(), found["found"].to_string())
    };
    let (jobs, parked) = (topology.queue(Work::Jobs), topology.parked(Work::Jobs));
    for _ in 0..2 {
        let (state, said) = look();
        let all = [topology.exchange(), jobs.clone(), topology.retry(Work::Notifications), topology.parked(Work::Analytics)];
        assert!(state == "ok" && all.iter().all(|name| said.contains(name)), "{said}");
    }
    assert_eq!(evently.json(&["queue", "list"]), json!({ "items": [] }));
    let (state, said) = look();
    assert!(state == "ok" && !said.contains(&prefix), "that has made them: {said}");

    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let how = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), parked.into(), how, b"what is this", BasicProperties::default());
    sent.await.unwrap().await.unwrap();
    let (state, said) = look();
    assert!(state == "warn" && said.contains("1 parked"), "{said}");

    channel.queue_delete(jobs.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    channel.queue_declare(jobs.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();
    let (state, said) = look();
    assert!(state == "fail" && said.contains(&format!("{jobs} exists at the broker with another shape")), "{said}");
}

#[test]
fn doctor_looks_at_everything_and_makes_nothing() {
    let evently = Evently::new().with("EVENTLY__HTTP__LISTEN", "127.0.0.1:0").with("EVENTLY__HTTP__CONNECTIONS_MAX", "10");
    let report = evently.run(&["doctor", "--json"]);
    assert_eq!(report.code, 0, "{report:?}");
    for check in report.json()["checks"].as_array().unwrap() {
        let small_disk = check["check"] == "disk space" && check["state"] == "warn";
        assert!(check["state"] == "ok" || small_disk, "{check}");
    }
    let checks = report.json()["checks"].as_array().unwrap().iter().map(|check| check["check"].clone()).collect::<Vec<_>>();
    for check in ["configuration", "clock", "open files", "data folder", "disk space", "port", "store", "secrets"] {
        assert!(checks.contains(&json!(check)), "{check} in {checks:?}");
    }
    assert_eq!(std::fs::read_dir(evently.data.path()).unwrap().count(), 0);
    std::fs::write(evently.data.path().join("evently.db"), "this is a letter to somebody".repeat(10)).unwrap();
    let said = evently.run(&["doctor"]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("is not an Evently store"), "{said:?}");
    for args in [&["user", "list"][..], &["worker"], &["serve", "--listen", "127.0.0.1:0"]] {
        let said = evently.run(args);
        assert_eq!(said.code, 3, "{args:?}: {said:?}");
        assert!(said.stderr.contains("hint: ") && said.stderr.contains("evently doctor"), "{args:?}: {said:?}");
    }
}

#[test]
fn doctor_says_in_production_that_nobody_delivers_the_mails() {
    let mails = |evently: &Evently| check(&evently.run(&["doctor", "--json"]), "mails");
    let evently = Evently::new();
    let folder = evently.data.path().join("mail");
    assert_eq!(mails(&evently)["state"], "ok");
    let secret = "5eed".repeat(16);
    let evently = evently.with("EVENTLY_PROFILE", "production").with("EVENTLY__AUTH__BCRYPT_COST", "10");
    let evently = evently.with("EVENTLY__AUTH__SECRET", &secret).with("EVENTLY__PAYMENT__WEBHOOK_SECRET", &secret);
    let said = mails(&evently.with("EVENTLY__PAYMENT__GATEWAY", "sandbox"));
    assert_eq!(said["state"], "warn", "{said}");
    assert!(said["found"].as_str().unwrap().contains(folder.to_str().unwrap()), "{said}");
    assert!(said["hint"].as_str().unwrap().contains("mail server"), "{said}");
}

#[test]
fn doctor_warns_of_a_store_that_others_can_get_at_and_not_of_others() {
    let evently = Evently::new();
    evently.account("ada@example.org", "customer");
    let access = || look(&evently, "store access");
    let allow = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let (folder, file) = (evently.data.path(), evently.data.path().join("evently.db"));
    for (folder_mode, file_mode, state) in [(0o700, 0o644, "ok"), (0o755, 0o644, "warn"), (0o755, 0o600, "ok")] {
        allow(folder, folder_mode);
        allow(&file, file_mode);
        assert_eq!(access(), state, "{folder_mode:o} {file_mode:o}");
    }
}

#[test]
fn doctor_finds_fault_with_a_secret_that_anybody_else_can_read() {
    let evently = Evently::new();
    drop(evently.serve());
    let secret = evently.data.path().join("auth.secret");
    for (mode, state) in [(0o600, "ok"), (0o640, "fail"), (0o604, "fail")] {
        std::fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
        assert_eq!(look(&evently, "secrets"), state, "{mode:o}");
    }
}

/// It looks at the file, without opening the store.
#[test]
fn doctor_knows_a_store_from_its_first_moment_on() {
    let evently = Evently::new().with("EVENTLY__HTTP__LISTEN", "127.0.0.1:0");
    let service = evently.serve_with(&["--no-workers"]);
    let beside = evently.run(&["doctor", "--json"]);
    assert_eq!((state(&beside, "store"), state(&beside, "store version")), (json!("ok"), json!("ok")), "{beside:?}");
    service.kill();
    let after = evently.run(&["doctor", "--json"]);
    assert_eq!((state(&after, "store"), state(&after, "store version")), (json!("ok"), json!("ok")), "{after:?}");
}

#[test]
fn doctor_sees_a_disk_on_which_files_stay_empty_and_a_limit_that_is_too_low() {
    let evently = Evently::new();
    let full = Said::from(evently.command_after("trap '' XFSZ; ulimit -f 0", &["doctor", "--json"]).output().unwrap());
    assert_eq!((full.code, state(&full, "data folder")), (1, json!("fail")), "{full:?}");
    assert_eq!(std::fs::read_dir(evently.data.path()).unwrap().count(), 0);
    // A hundred files are for what is no connection.
    for (connections, found) in [("400", "ok"), ("401", "warn")] {
        let evently = Evently::new().with("EVENTLY__HTTP__CONNECTIONS_MAX", connections);
        let said = Said::from(evently.command_after("ulimit -n 500 || exit 99", &["doctor", "--json"]).output().unwrap());
        assert_eq!(state(&said, "open files"), found, "{connections}");
    }
}

#[test]
fn doctor_knows_our_service_from_somebody_who_does_not_answer() {
    let mut evently = Evently::new();
    let service = evently.serve();
    evently.set("EVENTLY__HTTP__LISTEN", &service.target.to_string().replace("http://", ""));
    assert!(within_a_minute(|| look(&evently, "port") == "ok"), "it answers, in time as a rule");
    drop(service);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    evently.set("EVENTLY__HTTP__LISTEN", &silent.local_addr().unwrap().to_string());
    let said = evently.run(&["doctor", "--json"]);
    assert_eq!((said.code, state(&said, "port")), (1, json!("fail")), "{said:?}");
}

/// Whoever wants to have the service there would not get it.
#[test]
fn doctor_warns_of_somebody_else_who_answers_where_the_service_is_to_be() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let evently = Evently::new().with("EVENTLY__HTTP__LISTEN", &other.local_addr().unwrap().to_string());
    let answering = std::thread::spawn(move || {
        let (mut asked, _) = other.accept().unwrap();
        let lines = BufReader::new(&asked).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        assert_eq!(lines.collect::<Vec<_>>()[0], "GET /health/live HTTP/1.1");
        asked.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
        other
    });
    let said = evently.run(&["doctor", "--json"]);
    drop(answering.join().unwrap());
    assert_eq!((said.code, state(&said, "port")), (0, json!("warn")), "{said:?}");
    assert!(check(&said, "port")["found"].as_str().unwrap().contains("answers 404"), "{said:?}");
}

#[test]
fn doctor_knows_our_store_from_others_and_from_one_without_a_log() {
    let evently = Evently::new().with("EVENTLY__HTTP__LISTEN", "127.0.0.1:0");
    evently.account("ada@example.org", "customer");
    assert_eq!(look(&evently, "durability"), "ok");
    let file = evently.data.path().join("evently.db");
    let whole = std::fs::read(&file).unwrap();
    // How it is read and how it is written; where either is of old there is no write-ahead log.
    for at in [18, 19] {
        let mut changed = whole.clone();
        changed[at] = 1;
        std::fs::write(&file, changed).unwrap();
        assert_eq!(look(&evently, "durability"), "warn", "{at}");
    }
    let mut others = whole;
    others[68..72].copy_from_slice(b"ELSE");
    std::fs::write(&file, others).unwrap();
    let said = evently.run(&["doctor"]);
    assert!(said.code == 1 && said.stdout.contains("is not an Evently store"), "{said:?}");
}
