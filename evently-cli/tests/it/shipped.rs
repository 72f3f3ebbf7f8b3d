//! Files for operators: what they say about the settings, and what they do.

use std::{
    collections::HashMap,
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::evently::{Said, bare};

const ENVIRONMENT: &str = include_str!("../../../deploy/evently.env.example");
const CONTAINERS: &str = include_str!("../../../deploy/compose/compose.yaml");
const INSTANCE: &str = include_str!("../../../deploy/systemd/evently@.service");
const WORKER: &str = include_str!("../../../deploy/systemd/evently-worker.service");
const NGINX: &str = include_str!("../../../deploy/nginx/evently.conf");

/// What `config show` says with the settings of a file in which a secret stands for what has to be changed.
fn shown(environment: &str, secret: &str) -> Said {
    let environment = environment.replace("CHANGE_ME", secret);
    let settings = environment.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    Said::from(bare().envs(settings).args(["config", "show", "--json"]).output().expect("the binary can be run"))
}

/// The settings that operators end up with.
fn settings() -> HashMap<String, String> {
    let said = shown(ENVIRONMENT, &"5eed".repeat(16));
    assert_eq!(said.code, 0, "{said:?}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let said = said.json();
    let rows = said["settings"].as_array().expect("a list").iter();
    rows.map(|row| (text(&row["key"]), text(&row["value"]))).collect()
}

/// The first number after these words, whatever its unit.
fn number(text: &str, words: &str) -> u64 {
    let (_, after) = text.split_once(words).unwrap_or_else(|| panic!("there is no {words}"));
    let digits = after.split(|c: char| !c.is_ascii_digit()).next().filter(|digits| !digits.is_empty());
    digits.unwrap_or_else(|| panic!("no number after {words}")).parse().expect("a number")
}

/// The part of NGINX's file for some of the addresses.
fn location(address: &str) -> &'static str {
    let (_, after) = NGINX.split_once(&format!("location {address} {{")).unwrap_or_else(|| panic!("nothing for {address}"));
    after.split_once('}').expect("an end").0
}

#[test]
fn settings_that_are_shipped_are_taken_once_their_secrets_have_been_changed_and_not_before() {
    for environment in [ENVIRONMENT, include_str!("../../../deploy/compose/evently.env.example")] {
        let said = shown(environment, &"5eed".repeat(16));
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.json()["profile"], "production");
        let said = shown(environment, "CHANGE_ME");
        assert!(said.code != 0 && said.stderr.contains("auth.secret"), "{said:?}");
    }
    assert_eq!(settings()["http.trusted_proxies"], "127.0.0.1/32");
}

#[test]
fn whoever_stops_a_process_waits_until_it_has_finished() {
    let settings = settings();
    let longest = number(&settings["http.drain"], "") + number(&settings["http.shutdown_grace"], "");
    for (file, words) in [(INSTANCE, "TimeoutStopSec="), (WORKER, "TimeoutStopSec="), (CONTAINERS, "stop_grace_period: ")] {
        assert!(number(file, words) > longest, "{words}{} is not longer than {longest} s", number(file, words));
    }
}

#[test]
fn a_proxy_waits_longer_than_the_service_takes() {
    let settings = settings();
    let request = number(&settings["http.request_timeout"], "");
    assert!(number(NGINX, "proxy_read_timeout ") > request);
    assert!(number(location("= /api/v1/admin/venues"), "proxy_read_timeout ") > 6 * request);
    // Who only watches hears a ping every twenty seconds.
    assert!(number(location("~ ^/api/v1/events/[^/]+/live$"), "proxy_read_timeout ") > 2 * 20);
    let idle = number(NGINX, "keepalive_timeout ");
    for service in ["http.drain", "http.header_timeout"] {
        assert!(idle < number(&settings[service], ""), "connections are closed by {service}");
    }
}

#[test]
fn there_are_files_for_all_connections_that_are_taken() {
    let connections = number(&settings()["http.connections_max"], "");
    for (file, words) in [(INSTANCE, "LimitNOFILE="), (CONTAINERS, "nofile: ")] {
        assert!(number(file, words) > 2 * connections, "{words}{}", number(file, words));
    }
}

#[test]
fn only_nginx_is_spoken_to_from_elsewhere() {
    assert!(INSTANCE.contains(" --listen 127.0.0.1:%i "));
    let pool = include_str!("../../../deploy/pgbouncer/pgbouncer.ini");
    assert!(pool.contains("\nlisten_addr = 127.0.0.1\n"));
    // Containers speak to each other without ports of the machine.
    assert_eq!(CONTAINERS.matches("ports: ").count(), 1);
    let (_, nginx) = CONTAINERS.split_once("\n  nginx:\n").expect("there is one");
    assert!(nginx.contains("ports: "));
}

/// Puts a program there that does this in a shell.
fn stand_in(folder: &Path, name: &str, does: &str) {
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\n{does}\n")).expect("it can be written");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("it can be run");
}

#[test]
fn the_command_line_has_the_settings_as_systemd_reads_them() {
    const SETTINGS: &str = r#"# What follows is `no command`.
; $(exit 9)

EVENTLY__STORE__URL=postgres://evently:p$1'`@127.0.0.1/evently?sslmode=require&application_name=a b
 EVENTLY__AUTH__SECRET="quoted & \ = kept"
EVENTLY__CORS__ORIGINS='https://one.example'
no setting
EVENTLY_PROFILE=production"#;
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("evently.env");
    fs::write(&file, SETTINGS).expect("it can be written");
    let shown = ["STORE__URL", "AUTH__SECRET", "CORS__ORIGINS"].map(|name| format!("\"$EVENTLY__{name}\""));
    let shows = format!("printf '%s\\n' {} \"$EVENTLY_PROFILE\" \"$*\"", shown.join(" "));
    stand_in(folder.path(), "setpriv", &shows);
    let script = include_str!("../../../deploy/evently-admin");
    assert!(script.contains("/etc/evently/evently.env"));
    let script = script.replace("/etc/evently/evently.env", file.to_str().expect("a text"));
    let output =
        Command::new("/bin/sh").args(["-c", &script, "evently-admin", "user", "list"]).env("PATH", folder.path()).output();
    let said = Said::from(output.expect("a shell can be run"));
    assert!(said.code == 0 && said.stderr.is_empty(), "{said:?}");
    let lines = said.stdout.lines().collect::<Vec<_>>();
    assert_eq!(
        lines,
        [
            "postgres://evently:p$1'`@127.0.0.1/evently?sslmode=require&application_name=a b",
            r"quoted & \ = kept",
            "https://one.example",
            "production",
            "--reuid=evently --regid=evently --clear-groups /usr/local/bin/evently user list --data /var/lib/evently/admin",
        ]
    );
}

/// A server that is away for some seconds at a start would end a unit for good, by systemd's limit on starts.
#[test]
fn a_process_is_started_again_for_as_long_as_it_takes() {
    for unit in [INSTANCE, WORKER] {
        let (about, service) = unit.split_once("\n[Service]\n").expect("there is one");
        assert!(about.contains("\nStartLimitIntervalSec=0\n") && service.contains("\nRestart=always\n"), "{unit}");
    }
}

/// The script that restarts instances, where one of them does not get ready; what it has done, a line a step.
fn restarted(unready: &str) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let at = folder.path();
    let tools = [
        ("systemctl", r#"echo "$*" >> "$STEPS""#.to_owned()),
        (
            "curl",
            format!("case \"$*\" in *--fail*:{unready}/health/ready) exit 22 ;; *--fail*/health/ready) ;; *) exit 2 ;; esac"),
        ),
        ("sleep", String::new()),
    ];
    for (name, does) in tools {
        stand_in(at, name, &does);
    }
    let steps = at.join("steps");
    let mut script = Command::new("/bin/sh");
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/rolling-restart.sh"));
    let output = script.env("PATH", at).env("STEPS", &steps).output().expect("the script can be run");
    let steps = fs::read_to_string(steps).expect("it has done something");
    (output, steps.lines().map(str::to_owned).collect())
}

#[test]
fn instances_are_restarted_one_by_one() {
    let (output, steps) = restarted("none");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(steps, ["restart evently@8081", "restart evently@8082", "restart evently@8083"]);
}

#[test]
fn the_others_are_left_alone_when_one_does_not_get_ready() {
    let (output, steps) = restarted("8082");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(steps, ["restart evently@8081", "restart evently@8082"]);
}

/// Docker gives addresses away from the lowest on, and NGINX starts when nine others have theirs.
#[test]
fn the_address_that_is_trusted_is_given_to_no_other_container() {
    let after = |words| CONTAINERS.split_once(words).unwrap_or_else(|| panic!("there is no {words}")).1;
    let word = |text: &'static str| text.split([' ', '}', ',', '\n']).next().expect("a word");
    let address = word(after("ipv4_address: ")).parse::<Ipv4Addr>().expect("an address");
    let (first, bits) = word(after("ip_range: ")).split_once('/').expect("a range");
    let first = first.parse::<Ipv4Addr>().expect("an address");
    let shift = 32 - bits.parse::<u32>().expect("bits");
    assert_ne!(address.to_bits() >> shift, first.to_bits() >> shift, "{address} is in the range");
    let environment = include_str!("../../../deploy/compose/evently.env.example");
    assert!(environment.contains(&format!("EVENTLY__HTTP__TRUSTED_PROXIES={address}\n")));
}
