use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use evently_testservers::{SHARED_POSTGRES, SHARED_RABBITMQ, SHARED_REDIS};

fn run(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evently-testservers"));
    command.arg("run").args(arguments);
    for variable in [SHARED_POSTGRES, SHARED_REDIS, SHARED_RABBITMQ] {
        command.env_remove(variable);
    }
    command
}

#[test]
fn the_command_finds_a_server_and_its_status_is_ours() {
    let script = format!("psql -XqAt \"${SHARED_POSTGRES}\" -c 'show data_directory'; exit 7");
    let output = run(&["--postgres", "--", "sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let folder = String::from_utf8(output.stdout).unwrap();
    assert!(folder.starts_with('/') && !fs::exists(folder.trim()).unwrap(), "{folder}");
}

#[test]
fn the_command_finds_each_server_that_it_asks_for() {
    let script = format!(
        "echo ${SHARED_RABBITMQ}; redis-cli -u \"${SHARED_REDIS}\" ping; psql -XqAt \"${SHARED_POSTGRES}\" -c 'select 1'"
    );
    let output = run(&["--redis", "--postgres", "--rabbitmq", "--", "sh", "-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("amqp://") && said.ends_with("\nPONG\n1\n"), "{said}");
}

#[test]
fn without_an_option_no_server_is_started() {
    let script = format!("test -z \"${SHARED_POSTGRES}${SHARED_REDIS}${SHARED_RABBITMQ}\"");
    assert!(run(&["--", "sh", "-c", &script]).status().unwrap().success());
}

#[test]
fn a_command_that_was_killed_ends_as_in_a_shell() {
    assert_eq!(run(&["--", "sh", "-c", "kill -9 $$"]).status().unwrap().code(), Some(137));
}

#[test]
fn what_it_does_not_understand_it_says() {
    for arguments in [&["--oracle", "--", "true"][..], &["--postgres", "--"], &["--", "/no/such/program"]] {
        let output = run(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    let script = format!("psql -XqAt \"${SHARED_POSTGRES}\" -c 'show data_directory'; read -r line");
    let command = run(&["--postgres", "--", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut owner: Child = command.unwrap();
    let mut data = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut data).unwrap();
    let folder = data.trim().strip_suffix("/data").unwrap();
    assert!(fs::exists(folder).unwrap());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let gone = (0..1000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        !fs::exists(folder).unwrap()
    });
    assert!(gone, "{folder} is still there");
    let mut directories =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path().join("cwd")).ok());
    assert!(!directories.any(|directory| directory.starts_with(folder)));
}
