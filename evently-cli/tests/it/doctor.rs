//! `evently doctor`: what it finds fault with, and what not.

use std::{fs::Permissions, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::evently::{Evently, Said, within_a_minute};

/// How one look has ended.
fn look(evently: &Evently, what: &str) -> Value {
    state(&evently.run(&["doctor", "--json"]), what)
}

fn state(report: &Said, what: &str) -> Value {
    report.json()["checks"].as_array().unwrap().iter().find(|check| check["check"] == what).unwrap()["state"].clone()
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
